#!/usr/bin/env python3
"""pq.py FILIGREE DRIVER [CASE...]: libfiligree-pq against real PostgreSQL servers, one of which speaks Russian."""
import contextlib
import os
import re
import signal
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import harness  # noqa: E402
from instrument import one, run, spans  # noqa: E402
from servers import RealServer  # noqa: E402

DRIVER = sys.argv[2]
# One of each for all cases; they are started when the first case wants them.
STACK = contextlib.ExitStack()
REAL = {}


def real():
    """Filigree, and a PostgreSQL that speaks Russian and takes few connections."""
    if not REAL:
        REAL["postgres"] = STACK.enter_context(RealServer("postgres", "--messages", "ru_RU.UTF-8", "--set", "max_connections=8",
                                                          "--set", "superuser_reserved_connections=0", "--set", "log_statement=all",
                                                          "--set", "max_wal_senders=0"))
        REAL["postgres"].call("sql", "create table orders (id int primary key, note text); insert into orders values (1, 'a'), (2, 'b')")
        REAL["filigree"] = STACK.enter_context(harness.Server().start())
    return REAL["filigree"], REAL["postgres"]


def info(postgres, **more):
    words = {"host": "127.0.0.1", "port": postgres.port, "user": "postgres", "password": "postgres", "dbname": "postgres", **more}
    return " ".join(f"{key}={value}" for key, value in words.items())


def ask(*words, **more):
    server, postgres = real()
    trace, said = run(DRIVER, [*(["connect", info(postgres)] if words[0] not in ("connect", "start", "login", "null") else []), *words],
                      server, **more)
    return spans(server, trace), said


def case_statements_are_spans():
    """a statement has its shape, its summary, its rows and the order's number; nothing of its literals leaves"""
    found, said = ask("sql", "SELECT note FROM orders WHERE note <> 'hidden-text' AND id < 424242")
    assert said[0].startswith("connected") and said[1] == "sql PGRES_TUPLES_OK 2 -", said
    _, postgres = real()
    span = one(found, "SELECT orders")
    assert span.kind == "CLIENT" and not span.status and span.parent == one(found, "test").id, span
    assert span.has(db__system__name="postgresql", db__namespace="postgres", server__address="127.0.0.1", server__port=postgres.port,
                    db__query__summary="SELECT orders", db__operation__name="SELECT", db__response__returned_rows=2,
                    network__peer__address="127.0.0.1", order__id="ORD-4711"), span
    assert span["db.query.text"] == "SELECT note FROM orders WHERE note <> ? AND id < ?", span
    assert "hidden-text" not in str(found) and "424242" not in str(found)
    found, _ = ask("params", "UPDATE orders SET note = note WHERE id <= $1", "2", "sql", "INSERT INTO orders SELECT 9 WHERE false")
    assert one(found, "UPDATE orders").has(filigree__db__affected_rows=2, db__operation__name="UPDATE")
    assert one(found, "INSERT orders SELECT")["filigree.db.affected_rows"] == 0


def case_failed_statements_have_a_state():
    """a failed statement is an error with its SQLSTATE; a message that quotes data is left out"""
    found, said = ask("sql", "SELECT * FROM nowhere", "sql", "INSERT INTO orders VALUES (1)", "params", "SELECT $1::int", "my-secret", "sql", "SELECT 1/0")
    assert [line.split()[-1] for line in said[1:]] == ["42P01", "23505", "22P02", "22012"], said
    for name, state in (("SELECT nowhere", "42P01"), ("INSERT orders", "23505")):
        span = one(found, name)
        assert span.status and span["db.response.status_code"] == state == span["error.type"], span
        assert "nowhere" in span.message or "orders_pkey" in span.message, span
    assert {span["error.type"] for span in found if span.name == "SELECT" and span.status} == {"22P02", "22012"}, found
    assert "my-secret" not in str(found)


def case_connects_are_spans():
    """a connect is a span with the place it went to; by waiting, by polling and by PQsetdbLogin"""
    _, postgres = real()
    for words in (("connect", info(postgres)), ("start", info(postgres)), ("login", postgres.port, "postgres"),
                  ("connect", info(postgres, connect_timeout=5))):
        found, said = ask(*words)
        assert said == ["connected "], said
        span = one(found, "CONNECT postgres")
        assert span.kind == "CLIENT" and not span.status and span.ns > 100000, span
        assert span.has(db__system__name="postgresql", db__operation__name="CONNECT", server__address="127.0.0.1",
                        server__port=postgres.port, db__response__status_code=None), span
        assert "password" not in str(found)


# 15.20 does not translate the severity here, versions before it do.
RUSSIAN = re.compile("(?:ВАЖНО|FATAL):  [а-я]")


def case_failed_connects_have_a_state_in_russian():
    """a failed connect has its SQLSTATE from a server that speaks Russian, and the program its usual message"""
    _, postgres = real()
    for more, state in (({"password": "wrong"}, "28P01"), ({"dbname": "nowhere"}, "3D000"), ({"user": "nobody"}, "28P01"),
                        ({"options": "-cnonsense=1"}, "42704")):
        for word in ("connect", "start"):
            found, said = ask(word, info(postgres, **more))
            span = next(span for span in found if span.name.startswith("CONNECT"))
            assert span.status and span["db.response.status_code"] == state == span["error.type"], (said, span)
            assert said[0].startswith("failed") and RUSSIAN.search(said[0]) and state not in said[0] and ".c:" not in said[0], said
            assert RUSSIAN.search(span.message), span
    assert {span.name for span in found} == {"test", "CONNECT postgres"}


def case_no_connection_left():
    """where the connection limit is reached, a connect is the error 53300"""
    server, postgres = real()
    with contextlib.ExitStack() as held:
        for _ in range(8):
            plug = held.enter_context(socket.create_connection(("127.0.0.1", postgres.port)))
            plug.settimeout(60)
            body = b"\0\3\0\0user\0postgres\0database\0postgres\0\0"
            plug.sendall((len(body) + 4).to_bytes(4, "big") + body)
            assert plug.recv(1) == b"R"
        # Those wait for their password, and are counted as connections.
        trace, said = run(DRIVER, ["connect", info(postgres)], server)
        span = one(spans(server, trace), "CONNECT postgres")
        assert span.status and span["db.response.status_code"] == "53300", (said, span)

    def has_room():
        with contextlib.suppress(AssertionError):
            return postgres.call("sql", "select count(*) from pg_stat_activity where backend_type = 'client backend'") == "1"
    harness.wait_until(has_room, "the server has noticed that they are gone")


def case_no_server():
    """no server, one that is silent, and one that starts up: 08001, 08001 after connect_timeout, 57P03"""
    _, postgres = real()
    found, said = ask("connect", "host=127.0.0.1 port=1 dbname=shop user=a")
    span = one(found, "CONNECT shop")
    assert span.status and span["db.response.status_code"] == "08001" and "refused" in span.message, (said, span)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        found, said = ask("connect", f"host=127.0.0.1 port={silent.getsockname()[1]} dbname=shop user=a connect_timeout=1")
        span = one(found, "CONNECT shop")
        assert span.status and span["error.type"] == "08001" and span.message == "timeout expired", (said, span)
        assert span.ns > 1.5e9 and said[0].startswith("failed"), span  # it is silent for ever
        both = f"host=127.0.0.1,127.0.0.1 port=1,{postgres.port} user=postgres password=postgres dbname=postgres"
        found, said = ask("connect", both)
        assert said == ["connected "] and one(found, "CONNECT postgres")["server.port"] == postgres.port, (said, found)
    found, said = ask("connect", "nonsense")
    assert said[0].startswith("failed") and one(found, "CONNECT ").status, said

    def answer(server):
        # "the database system is starting up", in Chinese.
        with server.accept()[0] as peer:
            peer.recv(1000)
            peer.sendall(b"N")
            peer.recv(1000)
            body = "S致命错误\0VFATAL\0C57P03\0M数据库系统启动中\0Fpostmaster.c\0L2391\0RProcess\0\0".encode()
            peer.sendall(b"E" + (len(body) + 4).to_bytes(4, "big") + body)

    with socket.create_server(("127.0.0.1", 0)) as starting:
        thread = threading.Thread(target=answer, args=(starting,))
        thread.start()
        found, said = ask("connect", f"host=127.0.0.1 port={starting.getsockname()[1]} dbname=shop user=a gssencmode=disable")
        thread.join()
        assert one(found, "CONNECT shop")["db.response.status_code"] == "57P03", (said, found)
        assert "致命错误:  数据库系统启动中" in said[0] and "57P03" not in said[0], said


def case_prepared_statements():
    """a prepared statement has its text when it runs, one that is not known its name's lack"""
    found, said = ask("prepare", "by_id", "SELECT note FROM orders WHERE id = $1", "run", "by_id", "1", "run", "none", "1", "reset", "run", "by_id", "1")
    assert [line.split()[1] for line in said[1:4]] == ["PGRES_COMMAND_OK", "PGRES_TUPLES_OK", "PGRES_FATAL_ERROR"], said
    assert one(found, "PREPARE SELECT orders")["db.operation.name"] == "PREPARE"
    span = one(found, "SELECT orders")
    assert span["db.query.text"] == "SELECT note FROM orders WHERE id = $1" and span["db.response.returned_rows"] == 1, span
    unknown = [span for span in found if span.name == "EXECUTE"]
    assert [span["error.type"] for span in unknown] == ["26000", "26000"], "after the reset it is gone"
    assert len([span for span in found if span.name == "CONNECT postgres"]) == 2


def case_results_that_are_read_later():
    """sent statements last until their last result, row by row and in a pipeline too"""
    found, said = ask("send", "SELECT 1 FROM orders; SELECT pg_sleep(0.2)", "rows", "SELECT id FROM orders ORDER BY 1",
                      "pipeline", "SELECT 7 FROM orders", "SELECT 1/0")
    assert said.count("rows PGRES_SINGLE_TUPLE 1 -") == 2 and said[-1].startswith("sync PGRES_PIPELINE_SYNC"), said
    first = one(found, "SELECT orders SELECT")
    assert first.ns > 0.2e9 and first["db.response.returned_rows"] == 3, first
    others = [span for span in found if span.name == "SELECT orders"]
    assert [span["db.response.returned_rows"] for span in others] == [2, 2], others
    assert one(found, "SELECT")["db.response.status_code"] == "22012"
    found, said = ask("pipeline", "SELECT 1/0", "SELECT 7 FROM orders")
    assert one(found, "SELECT orders")["error.type"] == "pipeline_aborted", found


def case_transactions():
    """a transaction is a span around its statements, with its outcome; spans that the program enters stay above them"""
    found, _ = ask("sql", "BEGIN", "sql", "UPDATE orders SET note = 'c' WHERE id = 1", "inside", "pricing", "sql", "SELECT id FROM orders",
                   "leave", "sql", "COMMIT", "sql", "SELECT note FROM orders")
    whole = one(found, "transaction postgres")
    assert whole.kind == "INTERNAL" and whole.parent == one(found, "test").id and not whole.status, whole
    assert whole.has(filigree__db__transaction__outcome="commit", filigree__db__transaction__statements=3), whole
    assert one(found, "UPDATE orders").parent == whole.id == one(found, "COMMIT").parent
    inside, after = [span for span in found if span.name == "SELECT orders"]
    assert inside.parent == one(found, "pricing").id and after.parent == one(found, "test").id
    for end in ("ROLLBACK", "COMMIT"):
        found, _ = ask("sql", "BEGIN", "sql", "SELECT 1/0", "sql", end)
        assert one(found, "transaction postgres")["filigree.db.transaction.outcome"] == "rollback", "a COMMIT after an error rolls back"
    found, _ = ask("sql", "BEGIN")
    assert one(found, "transaction postgres")["filigree.db.transaction.outcome"] == "rollback", "the program closes the connection"


def case_lost_connections():
    """a connection that is lost in a statement is 57P01 or 08006, its transaction lost; a reset connects again"""
    killer = "SELECT pg_terminate_backend(pg_backend_pid())"
    found, said = ask("sql", "BEGIN", "sql", killer, "sql", "SELECT 1 FROM orders", "reset", "sql", "SELECT 1 FROM orders")
    assert said[-1] == "sql PGRES_TUPLES_OK 2 -", said
    assert one(found, "SELECT")["error.type"] in ("57P01", "08006"), found
    failed, fine = [span for span in found if span.name == "SELECT orders"]
    assert failed["db.response.status_code"] == "08006" and failed.status and not fine.status, failed
    whole = one(found, "transaction postgres")
    assert whole.status and whole["filigree.db.transaction.outcome"] == "lost", whole


def case_comments_are_off_unless_wanted():
    """the span goes into the statement as a comment only where that is switched on, and not into the span's text"""
    _, postgres = real()
    mark = f"mark_{os.getpid()}"
    ask("sql", f"SELECT 1 AS {mark}_off")
    found, said = ask("sql", f"SELECT 1 AS {mark}_on;", "params", f"SELECT $1::text AS {mark}_params", "x", "send", f"SELECT 2 AS {mark}_sent",
                      "sql", f"SELECT 1 AS {mark}_own /* mine */", FILIGREE_SQL_COMMENTS="on")
    assert all("PGRES_TUPLES_OK" in line for line in said[1:] if not line.startswith("sent")), said
    with open(os.path.join(postgres.folder, "log", "postgres"), encoding="utf-8") as file:
        log = file.read()
    ids = {span.id: span for span in found}
    for word, wanted in (("off", False), ("on", True), ("params", True), ("sent", True), ("own", False)):
        line = next(line for line in log.splitlines() if f"{mark}_{word}" in line)
        assert ("/*traceparent='00-" in line) == wanted, line
        if wanted:
            span = ids[line.split("traceparent='")[1].split("-")[2]]
            assert "traceparent" not in span["db.query.text"], span


def case_threads_and_nothing():
    """connections of several threads at once; NULL in all calls; the wait for a pool's connection"""
    _, postgres = real()
    found, said = ask("connect", info(postgres), "threads", info(postgres), "pool")
    assert len([span for span in found if span.name == "SELECT pg_class"]) == 400, said
    assert len([span for span in found if span.name == "CONNECT postgres"]) == 5
    got, waited = [span for span in found if span.name == "wait for connection"]
    assert got.has(db__client__connection__pool__name="shop", server__port=postgres.port) and not got.status, got
    assert waited.status and waited["error.type"] == "timeout", waited
    found, said = ask("null")
    assert said[0].startswith("null 0 0"), said


def case_a_killed_server():
    """a server that is killed while a statement runs: 08006"""
    server, postgres = real()

    def kill():
        harness.wait_until(lambda: postgres.call("sql", "select count(*) from pg_stat_activity where query like '%pg_sleep(100)%' and pid <> pg_backend_pid()") == "1", "it sleeps")
        os.kill(int(postgres.call("sql", "select pid from pg_stat_activity where query like 'SELECT pg_sleep(100)%'")), signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    trace, said = run(DRIVER, ["connect", info(postgres), "sql", "SELECT pg_sleep(100) FROM orders"], server, seconds=200)
    thread.join()
    span = one(spans(server, trace), "SELECT orders")
    assert span.status and span["db.response.status_code"] in ("08006", "57P02"), (said, span)


if __name__ == "__main__":
    with STACK:
        sys.exit(harness.main(globals(), sys.argv[3:]))
