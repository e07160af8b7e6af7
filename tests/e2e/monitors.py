#!/usr/bin/env python3
"""monitors.py FILIGREE [CASE...]: monitors against real little servers, each made to fail in its way; and through a whole server:
spans, history, alerts, what outlasts a kill, what the API adds."""
import contextlib
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from harness import BINARY, Server  # noqa: E402

FOLDER = tempfile.mkdtemp(prefix="filigree-monitors-", dir=os.environ.get("TMPDIR") or "/var/tmp")


# -- Little servers

@contextlib.contextmanager
def listener(answer=None, context=None):
    """A port on which each connection is given to answer(connection), then closed; without it they are left hanging."""
    server = socket.create_server(("127.0.0.1", 0))
    held = []

    def serve(connection):
        with contextlib.suppress(OSError), (context.wrap_socket(connection, server_side=True) if context else connection) as spoken:
            answer(spoken)

    def run():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                held.append(connection)
                if answer:
                    threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=run, daemon=True).start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        for connection in held:
            connection.close()


def http_answer(status="200 OK", body=b"ok\n", size=None, before=lambda: None):
    def answer(connection):
        connection.recv(65536)
        before()
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {len(body) if size is None else size}\r\n\r\n".encode() + body)
        sent = len(body)
        while size is not None and sent < size:
            connection.sendall(b"x" * 65536)
            sent += 65536
    return answer


def certificate(name, start="20200101000000Z", end="20400101000000Z"):
    """(certificate, key) for localhost, signed by itself."""
    path = os.path.join(FOLDER, name)
    if not os.path.exists(path + ".pem"):
        subprocess.run(["openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", path + ".key", "-out", path + ".csr", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
        with open(path + ".cnf", "w", encoding="ascii") as file:
            file.write(f"[ca]\ndefault_ca=d\n[d]\ndir={FOLDER}\nnew_certs_dir={FOLDER}\ndatabase={path}.db\nserial={path}.serial\ndefault_md=sha256\npolicy=p\n"
                       "copy_extensions=copy\n[p]\ncommonName=supplied\n")
        open(path + ".db", "w", encoding="ascii").close()
        with open(path + ".serial", "w", encoding="ascii") as file:
            file.write("01\n")
        subprocess.run(["openssl", "ca", "-batch", "-selfsign", "-config", path + ".cnf", "-keyfile", path + ".key", "-in", path + ".csr", "-out", path + ".pem",
                        "-startdate", start, "-enddate", end], check=True, capture_output=True)
    return path + ".pem", path + ".key"


def tls_context(name, **dates):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(name, **dates))
    return context


# -- One look

def look(**settings):
    """(result, first finding's code) of `filigree monitor test`, and the seconds that it took."""
    path = os.path.join(FOLDER, "one.yaml")
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"monitors": [{"name": "one", **{key.replace("_", "-"): value for key, value in settings.items()}}]}, file)
    run = subprocess.run([BINARY, "monitor", "test", "--json", path], capture_output=True, text=True, check=False, timeout=60)
    assert run.stdout, run.stderr
    said = json.loads(run.stdout)
    assert run.returncode == (0 if said["result"] == "ok" else 1), run
    codes = [one["code"] for one in said["findings"]]
    return said["result"], codes


def case_tcp():
    """tcp: taken, refused, a banner that comes, is another, or does not come"""
    port = harness.free_port()
    assert look(kind="tcp", host="127.0.0.1", port=port) == ("down", ["refused"])
    with listener(lambda connection: connection.sendall(b"220 ready\r\n")) as port:
        assert look(kind="tcp", host="127.0.0.1", port=port) == ("ok", [])
        assert look(kind="tcp", host="127.0.0.1", port=port, banner="220 ") == ("ok", [])
        assert look(kind="tcp", host="127.0.0.1", port=port, banner="SSH-") == ("down", ["closed"])
    with listener() as port:
        assert look(kind="tcp", host="127.0.0.1", port=port) == ("ok", [])
        assert look(kind="tcp", host="127.0.0.1", port=port, banner="x", time_limit="300ms") == ("unknown", ["no_answer"])
    with listener(lambda connection: connection.sendall(b"y" * 100000)) as port:
        assert look(kind="tcp", host="127.0.0.1", port=port, banner="x") == ("unknown", ["unexpected_banner"])
    assert look(kind="tcp", host="nowhere.invalid", port=80, time_limit="20s") == ("unknown", ["name_unresolved"])


def case_http():
    """http: status, body, time, access; who hangs, closes, talks nonsense or without end is not called down but where it is"""
    expected = [
        (http_answer(), {}, ("ok", [])),
        (http_answer(), {"body": "ok"}, ("ok", [])),
        (http_answer(), {"body": "fine"}, ("degraded", ["unexpected_body"])),
        (http_answer("404 Not Found"), {}, ("degraded", ["status"])),
        (http_answer("404 Not Found"), {"status": ["404"]}, ("ok", [])),
        (http_answer("503 Service Unavailable"), {}, ("down", ["status"])),
        (http_answer("401 Unauthorized"), {}, ("unknown", ["access_denied"])),
        (http_answer(before=lambda: time.sleep(0.2)), {"slow": "50ms"}, ("degraded", ["slow"])),
        (lambda connection: connection.recv(65536), {}, ("down", ["closed"])),
        (lambda connection: connection.sendall(b"no such protocol\r\n" * 10), {}, ("unknown", ["not_understood"])),
        (http_answer(body=b"", size=10**9), {}, ("ok", [])),
        (http_answer(body=b"", size=10**9), {"body": "fine"}, ("unknown", ["answer_too_large"])),
        (None, {"time_limit": "300ms"}, ("unknown", ["no_answer"])),
    ]
    for answer, settings, wanted in expected:
        with listener(answer) as port:
            seen = look(kind="http", url=f"http://127.0.0.1:{port}/healthz", **settings)
            assert seen == wanted, (settings, wanted, seen)
    assert look(kind="http", url=f"http://127.0.0.1:{harness.free_port()}/") == ("down", ["refused"])
    secret = os.path.join(FOLDER, "none")
    with listener(http_answer()) as port:
        assert look(kind="http", url=f"http://127.0.0.1:{port}/", user="u", password_file=secret) == ("unknown", ["credentials_missing"])


def case_http_credentials():
    """http: a password from a file is sent, and stands in no output"""
    heard = []

    def answer(connection):
        heard.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    secret = os.path.join(FOLDER, "secret")
    with open(secret, "w", encoding="ascii") as file:
        file.write("opensesame\n")
    with listener(answer) as port:
        assert look(kind="http", url=f"http://127.0.0.1:{port}/", token_file=secret) == ("ok", [])
    assert b"Authorization: Bearer opensesame\r\n" in heard[0], heard


def case_tls():
    """tls: the certificate's dates, name and signer are told apart; who speaks none, hangs or closes"""
    good, _ = certificate("good")

    def greet(connection):
        with contextlib.suppress(OSError):
            connection.recv(1)

    with listener(greet, tls_context("good")) as port:
        there = {"kind": "tls", "host": "localhost", "port": port, "time_limit": "10s"}
        assert look(**there, ca_file=good) == ("ok", [])
        assert look(**there) == ("degraded", ["certificate_untrusted"])
        assert look(**there, chain=False) == ("ok", [])
        assert look(**there, ca_file=good, server_name="shop.example") == ("degraded", ["certificate_name"])
        assert look(**there, ca_file=good, warn_before="36500d") == ("degraded", ["certificate_expires"])
    with listener(greet, tls_context("old", end="20210101000000Z")) as port:
        assert look(kind="tls", host="localhost", port=port, ca_file=certificate("old")[0], time_limit="10s") == ("down", ["certificate_expired"])
    with listener(greet, tls_context("early", start="20390101000000Z")) as port:
        assert look(kind="tls", host="localhost", port=port, ca_file=certificate("early")[0], time_limit="10s") == ("down", ["certificate_not_yet_valid"])
    with listener(lambda connection: connection.sendall(b"220 plain text\r\n" * 100)) as port:
        assert look(kind="tls", host="127.0.0.1", port=port) == ("unknown", ["not_tls"])
    with listener(lambda connection: connection.recv(10000)) as port:
        assert look(kind="tls", host="127.0.0.1", port=port)[0] in ("down", "unknown")
    with listener() as port:
        seen = look(kind="tls", host="127.0.0.1", port=port, time_limit="2s")
        assert seen == ("unknown", ["no_answer"]), seen


def case_dns():
    """dns: a server that answers, refuses the name, talks nonsense, or says nothing"""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    how = {"name": "answer"}

    def run():
        with contextlib.suppress(OSError):
            while True:
                query, peer = server.recvfrom(512)
                question = query[12:]
                flags, count, record = (b"\x81\x80", 1, b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4\xc0\0\2\7") if how["name"] == "answer" else (b"\x81\x83", 0, b"")
                end = question.index(b"\0") + 5
                if how["name"] != "silence":
                    server.sendto(query[:2] + flags + b"\0\1" + bytes([0, count]) + b"\0\0\0\0" + question[:end] + record, peer)

    threading.Thread(target=run, daemon=True).start()
    there = {"kind": "dns", "query": "shop.example", "server": "127.0.0.1", "port": server.getsockname()[1]}
    assert look(**there) == ("ok", [])
    assert look(**there, expect=["192.0.2.7"]) == ("ok", [])
    assert look(**there, expect=["192.0.2.8"]) == ("degraded", ["unexpected_answer"])
    how["name"] = "nobody"
    assert look(**there) == ("down", ["name_unknown"])
    how["name"] = "silence"
    assert look(**there, time_limit="1s") == ("unknown", ["no_answer"])
    server.close()


def case_process():
    """process: by name and by pid file; held by a signal; ended"""
    pid_file = os.path.join(FOLDER, "sleep.pid")
    program = os.path.join(FOLDER, "a-program-with-a-long-name")
    shutil.copy(shutil.which("sleep"), program)
    child = subprocess.Popen([program, "600"])
    try:
        with open(pid_file, "w", encoding="ascii") as file:
            file.write(f"{child.pid}\n")
        by_name = {"kind": "process", "process_name": os.path.basename(program)}
        by_file = {"kind": "process", "pid_file": pid_file}
        assert look(**by_name) == ("ok", [])
        assert look(**by_file) == ("ok", [])
        assert look(**by_file, memory_max="1KiB") == ("degraded", ["memory"])
        assert look(**by_name, count_min=2) == ("degraded", ["too_few"])
        assert look(kind="process", process_name="a-program-with-another-name") == ("down", ["not_running"])
        os.kill(child.pid, signal.SIGSTOP)
        harness.wait_until(lambda: look(**by_name) == ("down", ["stopped"]), "it is seen to be stopped")
    finally:
        child.kill()
        child.wait()
    assert look(**by_name) == ("down", ["not_running"])
    assert look(**by_file) == ("down", ["not_running"])
    os.unlink(pid_file)
    assert look(**by_file) == ("down", ["not_running"])


# -- Through a server

def ask(server, path, method="GET", body=None):
    """(status, JSON); a server that takes spans may need a moment more until it watches."""
    def asked():
        status, _, answer = server.request(method, path, body)
        return status != 503 and (status, json.loads(answer))
    return harness.wait_until(asked, f"{path} is answered")


def monitor(server, name):
    return ask(server, f"/api/v1/monitors/{name}")[1]


def write_monitors(entries):
    path = os.path.join(FOLDER, "served.yaml")
    with open(path, "w", encoding="ascii") as file:
        json.dump({"monitors": entries}, file)
    return path


def send_call(server, name, port):
    """A call of shop-api to a database."""
    now = time.time_ns()
    texts = {"db.system.name": "postgresql", "db.namespace": name, "server.address": "127.0.0.1"}
    span = {"traceId": harness.new_trace_id(), "spanId": "1" * 16, "name": "SELECT orders", "kind": 3, "startTimeUnixNano": str(now - 10**9),
            "endTimeUnixNano": str(now), "attributes": [{"key": key, "value": {"stringValue": text}} for key, text in texts.items()]
            + [{"key": "server.port", "value": {"intValue": str(port)}}]}
    body = {"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop-api"}}]}, "scopeSpans": [{"spans": [span]}]}]}
    status, _, answer = server.send(json.dumps(body).encode(), "application/json")
    assert status == 200, answer


def case_served():
    """What fails is believed after it was looked at again, stored, told once, kept over a kill, and told when it ends"""
    sink, headers = harness.Sink(refusals=2), os.path.join(FOLDER, "headers")
    with open(headers, "w", encoding="ascii") as file:
        file.write("X-Token: opensesame\n")
    port = harness.free_port()
    path = write_monitors([{"name": "db", "kind": "tcp", "host": "127.0.0.1", "port": port, "interval": "300ms", "service": "shop-db"}])
    options = ["--monitors", path, "--alert-webhook", f"http://127.0.0.1:{sink.port}/hook,http://127.0.0.1:{sink.port}/api/v2/alerts",
               "--alert-headers", headers]
    with Server(options=options).start() as server:
        first = harness.wait_until(lambda: (lambda one: one["result"] == "down" and one)(monitor(server, "db")), "it is down")
        assert first["runs"] >= 3 and first["findings"][0]["code"] == "refused", first
        harness.wait_until(lambda: len(sink.messages()) == 1 and len(sink.heard) >= 2, "both receivers were told, though they refused at first")
        message = sink.messages()[0]
        assert message["status"] == "firing" and message["key"] == "monitor/db" and message["labels"]["severity"] == "critical", message
        assert message["startsAt"] == first["since"] and sink.heard[0][1] == "opensesame", (message, first)
        manager = next(body for at, _, body in sink.heard if at == "/api/v2/alerts")
        assert manager[0]["labels"]["monitor"] == "db" and "endsAt" not in manager[0], manager
        # an ordinary span, and no traffic
        looked = harness.wait_until(lambda: monitor(server, "db")["looks"], "a look is stored")[-1]
        trace = ask(server, f"/api/v1/traces/{looked['trace_id']}")[1]
        text = json.dumps(trace)
        assert "filigree-monitor" in text and "monitor.since" in text and '"error.type"' in text, text
        assert ask(server, "/api/v1/services")[1]["services"] == []
        assert ask(server, "/api/v1/map")[1]["nodes"] == []
        metrics = server.request("GET", "/metrics")[2].decode()
        assert 'filigree_monitors{result="down"} 1\n' in metrics and "filigree_monitors_unstored_spans 0\n" in metrics, metrics
        send_call(server, "shop-db", port)
        node = next(one for one in ask(server, "/api/v1/map")[1]["nodes"] if one["kind"] == "database")
        assert node["monitor"] == {"name": "db", "result": "down", "since": first["since"]} and node["count"] == 1, node
        stage = ask(server, "/api/v1/stage")[1]
        assert stage["counts"] == {"instrumented": 1, "watched": 1, "unknown": 0} and stage["places"][0]["proposal"] is None, stage
        # a kill: the same since, nobody is told again
        server.kill()
        server.start()
        again = harness.wait_until(lambda: (lambda one: one["runs"] >= 3 and one)(monitor(server, "db")), "it is looked at again")
        assert again["result"] == "down" and again["since"] == first["since"], (first, again)
        assert len(sink.messages()) == 1, sink.heard
        # it ends
        with listener(lambda connection: None) as _, socket.create_server(("127.0.0.1", port)):
            harness.wait_until(lambda: monitor(server, "db")["result"] == "ok", "it is well")
            harness.wait_until(lambda: len(sink.messages()) == 2, "the end is told")
            message = sink.messages()[1]
            assert message["status"] == "resolved" and message["startsAt"] == first["since"] and message["endsAt"], message
        history = harness.wait_until(lambda: "ok" in (found := [one["result"] for one in monitor(server, "db")["history"]]) and found, "it is in the history")
        assert history[0] == "down", history
        run = subprocess.run([BINARY, "monitor", "list", "--server", f"http://127.0.0.1:{server.api}"], capture_output=True, text=True, check=False)
        assert "db" in run.stdout, run
    sink.server.shutdown()


class LittleStore:
    """An object store that writes an object `delay` seconds after it has it, whether its client still waits or not."""

    def __init__(self, delay):
        self.delay, self.objects, self.puts, self.deletes = delay, set(), 0, 0

    def answer(self, connection):
        stream = connection.makefile("rb")
        method, path = stream.readline().decode("latin-1").split()[:2]
        size = 0
        for line in iter(stream.readline, b"\r\n"):
            name, _, value = line.decode("latin-1").partition(":")
            size = int(value) if name.lower() == "content-length" else size
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" if size else b"")
        stream.read(size)
        if method == "PUT":
            self.puts += 1
            time.sleep(self.delay)
            self.objects.add(path)
        elif method == "DELETE":
            self.deletes += 1
            self.objects.discard(path)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def case_no_canary_is_left():
    """A server that is told to stop while a canary is written takes it away, also where the store is slow to write; in bounded time"""
    secret = os.path.join(FOLDER, "s3-key")
    with open(secret, "w", encoding="ascii") as file:
        file.write("testing")
    for delay in (0.5, 300):
        store = LittleStore(delay)
        with listener(store.answer) as port:
            path = write_monitors([{"name": "s3", "kind": "s3", "url": f"http://127.0.0.1:{port}", "bucket": "models", "access-key": "a",
                                    "secret-key-file": secret, "size": "64KiB", "interval": "300ms", "time-limit": "60s"}])
            with Server(options=["--monitors", path]).start() as server:
                harness.wait_until(lambda: store.puts, "a canary is being written")
                server.end()
            # Nothing else asks for the delete once the process is gone.
            assert store.deletes == store.puts, (store.puts, store.deletes)
            assert not store.objects, "it was left, or the end waited for a store that does not answer"


def case_added():
    """Monitors of the API: refused with every fault named, durable, run on demand, removed; secrets come from one folder"""
    path = write_monitors([{"name": "declared", "kind": "process", "process-name": "sh", "paused": True}])
    with listener(lambda connection: None) as port, Server(options=["--monitors", path, "--monitor-secrets", FOLDER]).start() as server:
        status, said = ask(server, "/api/v1/monitors/x", "PUT", "{kind: tcp, port: 99999, hosts: y}")
        assert status == 400 and "x:1: port: " in said["error"] and "x:1: host: " in said["error"], said
        assert ask(server, "/api/v1/monitors/declared", "PUT", "{kind: process, process-name: sh}")[0] == 409
        assert ask(server, "/api/v1/monitors/declared", "DELETE")[0] == 409
        assert ask(server, "/api/v1/monitors/absent")[0] == 404
        assert ask(server, "/api/v1/monitors/absent", "DELETE")[0] == 404
        for secret in ("/etc/shadow", FOLDER + "/../etc/shadow", FOLDER + "x"):
            status, said = ask(server, "/api/v1/monitors/s", "PUT", json.dumps({"kind": "http", "url": "http://127.0.0.1/", "token-file": secret}))
            assert status == 400 and "expected a file in" in said["error"], said
        status, said = ask(server, "/api/v1/monitors/s", "PUT", json.dumps({"kind": "http", "url": "http://127.0.0.1/", "token-env": "HOME"}))
        assert status == 400, said
        status, said = ask(server, "/api/v1/monitors/added", "PUT", json.dumps({"kind": "tcp", "host": "127.0.0.1", "port": port, "interval": "1h"}))
        assert status == 200 and said["is_added"], said
        status, said = ask(server, "/api/v1/monitors/added/run", "POST", "")
        assert status == 200 and said["result"] == "ok", said
        server.kill()
        server.start()
        said = monitor(server, "added")
        assert said["is_added"] and said["result"] == "ok" and json.loads(said["text"])["port"] == port, said
        status, said = ask(server, "/api/v1/monitors/declared/run", "POST", "")  # paused, and run all the same when asked
        assert status == 200 and said["runs"] == 1, said
        assert ask(server, "/api/v1/monitors/added", "DELETE")[0] == 200
        server.kill()
        server.start()
        assert ask(server, "/api/v1/monitors/added")[0] == 404


def case_wrong_file():
    """A file that is wrong is refused before anything is opened, with each fault's line"""
    path = os.path.join(FOLDER, "wrong.yaml")
    with open(path, "w", encoding="ascii") as file:
        file.write("monitors:\n  - name: a\n    kind: tcp\n    host: x\n    port: 1\n    portt: 2\n  - name: b\n    kind: nothing\n")
    run = subprocess.run([BINARY, "serve", "--data", os.path.join(FOLDER, "never"), "--monitors", path, "--api", "127.0.0.1:0", "--otlp-http",
                          "127.0.0.1:0", "--otlp-grpc", "127.0.0.1:0"], capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 2 and f"{path}:6: portt: " in run.stderr and f"{path}:8: kind: " in run.stderr, run
    assert not os.path.exists(os.path.join(FOLDER, "never"))


if __name__ == "__main__":
    try:
        CODE = harness.main(globals())
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)
    sys.exit(CODE)
