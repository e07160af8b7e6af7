#!/usr/bin/env python3
"""journeys.py FILIGREE [CASE...]: where an order is, through the real program: a flow from its file, orders that flow, wait, fail
and go missing, as `where`, `stuck`, the API and the metrics tell them, and the same after a kill."""
import contextlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from urllib.parse import quote

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from harness import BINARY, Server, wait_until  # noqa: E402

FOLDER = tempfile.mkdtemp(prefix="filigree-journeys-", dir=os.environ.get("TMPDIR") or "/var/tmp")
FLOW = os.path.join(FOLDER, "order.yaml")

with open(FLOW, "w", encoding="ascii") as file:
    file.write("""flows:
  - name: order
    key: order.id
    within: 20m
    steps:
      - {name: placed, when: 'service:shop-api name="POST /orders"'}
      - {name: priced, when: 'service:mes-api name=price'}
      - {name: approved, when: 'service:crm-api name=approve', human: seller, within: 2d}
      - {name: shipped, when: 'service:mes-api name=ship', within: 1h, ends: done}
""")

SERVER = Server(options=["--flows", FLOW, "--owners", "database/mes-db=dba,*=on call"])


def run(*arguments, check=0):
    environment = {**os.environ, "FILIGREE_SERVER": f"http://127.0.0.1:{SERVER.api}"}
    done = subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert done.returncode == check, f"{arguments}: {done.returncode} instead of {check}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def all_states():
    """The states of all journeys in the list, once nothing is being made anew."""
    def read():
        _, body = SERVER.get("/api/v1/journeys?limit=10000")
        told = json.loads(body)
        return None if told["rebuilding"] else {row["value"]: row["state"] for row in told["journeys"]}
    return wait_until(read, "the journeys are known")


send = SERVER.tell


def verdict(order):
    status, body = SERVER.get(f"/api/v1/journeys/order.id/{order}")
    return json.loads(body) if status == 200 else {"state": status}


def expect(order, state, place=None, cause=None):
    """The verdict becomes this, and the board says the same."""
    def is_so():
        told = verdict(order)
        return told["state"] == state and (told["place"] or {}).get("kind") == place and (told["cause"] or {}).get("code") == cause

    def is_on_board():
        _, body = SERVER.get("/api/v1/journeys?limit=1000")
        rows = {row["value"]: row for row in json.loads(body)["journeys"]}
        row = rows.get(order)
        return row and row["state"] == state and (row["cause"] or {}).get("code") == cause

    wait_until(is_so, f"{order} is {state} {place} {cause}")
    wait_until(is_on_board, f"the board has {order} as {state} {cause}")


def check_all():
    expect("FLOWS", "flowing")
    expect("WAITS", "waiting", "person", "waiting")
    expect("FAILED", "broken", "database", "connection_limit")
    expect("MISSED", "late", "unknown", "not_enough_evidence")
    expect("DONE", "done")


def thread_names():
    tasks = f"/proc/{SERVER.process.pid}/task"
    names = set()
    for task in os.listdir(tasks):
        with contextlib.suppress(OSError), open(f"{tasks}/{task}/comm", encoding="ascii") as file:
            names.add(file.read().strip())
    return names


def case_start():
    """A wrong flow is refused with its line; a right one is read."""
    wrong = os.path.join(FOLDER, "wrong.yaml")
    with open(wrong, "w", encoding="ascii") as file:
        file.write("flows:\n  - name: order\n    key: order.id\n    steps:\n      - name: placed\n        when: trace.duration>3s\n")
    said = run("serve", "--data", os.path.join(FOLDER, "none"), "--flows", wrong, check=2)
    assert "wrong.yaml:6: when: expected conditions on one span" in said, said
    said = run("serve", "--data", os.path.join(FOLDER, "none"), "--flows", os.path.join(FOLDER, "none.yaml"), check=2)
    assert "can't read" in said and "none.yaml: not found" in said, said
    SERVER.start()
    wait_until(lambda: "journeys" in thread_names(), "the thread that follows is known by its name, as tools and the bench ask for it")


def case_orders():
    """Each order gets its verdict within seconds."""
    send("mes-api", "other", None)
    for order in ("FLOWS", "WAITS", "FAILED", "DONE"):
        send("shop-api", "POST /orders", order, ago=5)
    send("shop-api", "POST /orders", "MISSED", ago=1500)
    for order in ("WAITS", "DONE"):
        send("mes-api", "price", order, kind="consumer", ago=4)
    send("mes-api", "UPDATE prices", "FAILED", kind="client", ago=3, error="sorry, too many clients already",
         db__system__name="postgresql", server__address="mes-db", db__response__status_code="53300")
    send("crm-api", "approve", "DONE", ago=2)
    send("mes-api", "ship", "DONE", ago=1)
    check_all()


def case_where():
    """`where` says it in words and by its exit status."""
    said = run("where", "FAILED", check=6)
    assert "FAILED is broken at the database mes-db" in said and "its limit is reached" in said, said
    assert "too many clients" in said and "what to do" in said, said
    assert "seller has to act" in run("where", "WAITS")
    run("where", "DONE")
    assert "MISSED is late at mes-api since" in run("where", "MISSED", check=4)
    told = json.loads(run("where", "FAILED", "--json", check=6))
    assert told == verdict("FAILED")
    evidence = told["evidence"][0]
    (span,) = [one for one in SERVER.spans(evidence["trace_id"]) if one["spanId"] == evidence["span_id"]]
    assert span["name"] == "UPDATE prices", span
    assert all(one["kind"] == "span" or "query" in one for one in told["evidence"]), told
    assert 'nothing is known of "NOBODY"' in run("where", "NOBODY", check=1)
    assert 'not followed by "payment.id", but by order.id' in run("where", "FAILED", "--key", "payment.id", check=2)
    assert "does `filigree serve` run?" in run("where", "FAILED", "--server", "http://127.0.0.1:1", check=3)
    run("where", "", check=2)
    said = run("where", "DONE", "--watch")
    assert "DONE is done" in said, said


def case_stuck():
    """`stuck` lists those that need somebody, and filters."""
    said = run("stuck", check=1)
    assert "FAILED" in said and "MISSED" in said and "WAITS" not in said and "DONE" not in said, said
    assert json.loads(run("stuck", "--json", check=1)) == json.loads(SERVER.get("/api/v1/journeys?state=late,stuck,broken")[1])
    said = run("stuck", "--place", "database", check=1)
    assert "FAILED" in said and "MISSED" not in said, said
    assert "no journey" in run("stuck", "--cause", "died")
    said = run("stuck", "--state", "waiting", "--json", check=1)
    assert [row["value"] for row in json.loads(said)["journeys"]] == ["WAITS"], said
    assert "expected flowing" in run("stuck", "--state", "sad", check=2)

    assert "expected application, database, " in run("stuck", "--place", "attic", check=2)
    assert "expected error, work_skipped, " in run("stuck", "--cause", "magic", check=2)

def case_way():
    """The way of one order: its steps as the flow has them, and where it was when; failures marked."""
    told = verdict("DONE")
    assert [step["name"] for step in told["steps"]] == ["placed", "priced", "approved", "shipped"], told["steps"]
    reached = [step["reached"] for step in told["steps"]]
    assert all(reached) and reached == sorted(reached), reached
    assert [stay["place"]["service"] for stay in told["stays"]] == ["shop-api", "mes-api", "crm-api", "mes-api"], told["stays"]
    told = verdict("FAILED")
    assert [step["reached"] is not None for step in told["steps"]] == [True, False, False, False], told["steps"]
    (database,) = [stay for stay in told["stays"] if stay["place"]["kind"] == "database"]
    assert database["failed"] and database["place"]["service"] == "mes-db" and database["by"] == "mes-api", database


def case_board():
    """What is wrong by place and cause, where all stand, and what changed just now."""
    _, body = SERVER.get("/api/v1/board")
    told = json.loads(body)
    groups = {(group["place"]["kind"], group["cause"]["code"]): group for group in told["groups"]}
    assert set(groups) == {("database", "connection_limit"), ("unknown", "not_enough_evidence")}, groups
    group = groups["database", "connection_limit"]
    assert group["count"] == 1 and group["value"] == "FAILED" and group["states"]["broken"] == 1, group
    steps = {step["name"]: step for step in told["steps"]}
    assert list(steps) == ["placed", "priced", "approved", "shipped"], steps
    assert steps["approved"]["states"]["waiting"] == 1 and steps["approved"]["human"] == "seller", steps
    assert sum(steps["priced"]["states"].values()) == 3, steps
    changed = {change["value"]: change["state"] for change in told["changes"]}
    assert changed["DONE"] == "done" and changed["FAILED"] == "broken" and changed["WAITS"] == "waiting", changed
    numbers = [change["sequence"] for change in told["changes"]]
    assert numbers == list(range(1, len(numbers) + 1)), numbers
    assert told["states"]["done"] == 1 and not told["rebuilding"], told


def post(path, body):
    status, _, answer = SERVER.request("POST", path, body.encode(), {"Content-Type": "application/json"})
    return status, answer


def incidents(query=""):
    _, body = SERVER.get("/api/v1/incidents" + query)
    return json.loads(body)


def incident_of(cause):
    found = [one for one in incidents()["incidents"] if one["cause"] and one["cause"]["code"] == cause]
    return found[0] if found else None


def case_incidents():
    """What stopped in one place for one cause is one incident: listed, told with its orders, in the verdict too."""
    for number in range(20):
        send("mes-api", "UPDATE prices" if number % 2 else "SELECT models", f"ALSO-{number}", kind="client", ago=3,
             error="sorry, too many clients already", db__system__name="postgresql", server__address="mes-db",
             db__response__status_code="53300")
    wait_until(lambda: (incident_of("connection_limit") or {}).get("order_count") == 21, "one incident of 21 orders")
    told = incident_of("connection_limit")
    assert told["place"]["service"] == "mes-db" and told["owner"] == "dba" and told["state"] == "open", told
    assert told["standing_count"] == 21 and told["resolved"] is None and not told["imported"], told
    assert [one["cause"]["code"] for one in incidents("?state=open&service=mes-db")["incidents"]] == ["connection_limit"]
    assert verdict("FAILED")["incident"] == verdict("ALSO-3")["incident"] == told["id"]
    assert verdict("DONE")["incident"] is None
    said = run("incidents", check=1)
    assert "database mes-db" in said and "21" in said, said
    said = run("incidents", told["id"])
    assert f"Incident {told['id']} is open, database mes-db" in said and "ALSO-3" in said and "owner       dba" in said, said


def case_incident_people():
    """It is acknowledged, noted and resolved; its end is kept over a kill, and orders that stand still don't bring it back."""
    number = incident_of("connection_limit")["id"]
    said = run("incidents", "acknowledge", number, "--by", "Ann")
    assert "is acknowledged" in said and "acknowledged by Ann" in said, said
    run("incidents", "note", number, "limit raised", "--by", "Bob")
    for body, words in (({}, "by:"), ({"by": "Ann", "colour": "red"}, "colour"), ([], "object"), ({"by": "x" * 300}, "by:")):
        status, answer = post(f"/api/v1/incidents/{number}/acknowledge", json.dumps(body))
        assert status == 400 and words in json.loads(answer)["error"], (status, answer)
    run("incidents", "resolve", number, "--by", "Ann", "--text", "restarted")
    status, answer = post(f"/api/v1/incidents/{number}/resolve", '{"by": "Bob"}')
    assert status == 409 and "ended already" in json.loads(answer)["error"], (status, answer)
    run("incidents", "acknowledge", "999", "--by", "Ann", check=1)
    run("incidents", "acknowledge", "x", "--by", "Ann", check=1)
    run("incidents", "forget", number, check=2)
    SERVER.kill()
    SERVER.start()
    check_all()
    wait_until(lambda: incident_of("connection_limit")["standing_count"] == 21, "its orders are seen again")
    _, body = SERVER.get(f"/api/v1/incidents/{number}")
    told = json.loads(body)
    assert told["state"] == "resolved" and told["resolved_by"] == "Ann" and told["reopened_count"] == 0, told
    assert told["order_count"] == 21 == len(told["orders"]), told
    assert [event["what"] for event in told["timeline"]] == ["opened", "acknowledged", "noted", "resolved"], told["timeline"]
    assert verdict("FAILED")["incident"] is None
    send("mes-api", "UPDATE prices", "AGAIN", kind="client", error="sorry, too many clients already", db__system__name="postgresql",
         server__address="mes-db", db__response__status_code="53300")
    wait_until(lambda: incident_of("connection_limit")["reopened_count"] == 1, "it came back")


def case_incidents_before():
    """A table of incidents from before is taken whole or not at all."""
    table = os.path.join(FOLDER, "before.csv")
    with open(table, "w", encoding="ascii") as file:
        file.write("opened,resolved,place,cause,orders\n2026-09-02T08:10:00Z,2026-09-02T12:40:00Z,database/mes-db,connection_limit,41\n"
                   "2026-09-03,yesterday,shop-api,,\n")
    said = run("incidents", "import", table, check=2)
    assert "line 3: resolved: expected a moment" in said and "yesterday" in said, said
    for head, words in (("opened;resolved;place", "line 1: expected commas"), ("opened,closed,place", 'there is no such column; expected opened, resolved'),
                        ("opened,place", 'the column is missing: "resolved"'), ("", "the table is empty"), ("place,place", "the column stands twice")):
        with open(table, "w", encoding="ascii") as file:
            file.write(head and head + "\n2026-09-02T08:10:00Z,2026-09-02T12:40:00Z,mes-db\n")
        said = run("incidents", "import", table, check=2)
        assert words in said, (head, said)
    with open(table, "w", encoding="ascii") as file:
        file.write("opened,resolved,place,cause,orders\n2026-09-02T08:10:00Z,2026-09-02T12:40:00Z,database/mes-db,connection_limit,41\n")
    assert "imported 1 incidents" in run("incidents", "import", table)
    assert "imported 0 incidents; 1 were there already" in run("incidents", "import", table)
    (told,) = incidents("?state=resolved&end=2026-10-01")["incidents"]
    assert told["imported"] and told["order_count"] == 41 and told["open_ns"] == "16200000000000", told
    assert "database mes-db" in run("incidents", "--all", check=1)


def case_scorecard():
    """Two periods, each figure with what it rests on and against its target; a date parts them; what is not known is not judged."""
    told = json.loads(run("scorecard", "--json"))
    lines = {line["name"]: line for line in told["measures"]}
    assert list(lines) == ["mttr", "success_rate", "response_p50", "response_p95", "response_p99", "error_rate", "apdex"], lines
    assert lines["success_rate"]["after"] == {"value": 1 / 23, "count": 23, "few": False}, lines["success_rate"]
    assert lines["success_rate"]["before"]["value"] is None and lines["success_rate"]["met"] is None, lines["success_rate"]
    assert told["after"]["done"] == 1 and told["after"]["stopped"] == 22, told["after"]
    assert lines["mttr"]["target"] == {"kind": "change", "value": -0.2}, lines["mttr"]
    services = {one["service"]: one for one in told["services"]}
    assert services["shop-api"]["measures"][0]["after"]["count"] == 5 and services["shop-api"]["measures"][0]["after"]["few"], services
    period = {"from": "2026-09-01", "to": "2026-10-01"}
    told = json.loads(run("scorecard", "--from", period["from"], "--to", period["to"], "--json"))
    assert told == json.loads(SERVER.get(f"/api/v1/scorecard?start={period['from']}&end={period['to']}")[1])
    said = run("scorecard", "--before", "2026-09-02T10:00:00Z", "--from", "2026-09-01")
    assert "mttr" in said and "4h30m" in said and "few: no more than a hint" in said, said
    assert "+1 pt" in run("scorecard") and "shop-api  satisfied below 500ms" in run("scorecard", "--service", "shop-api")
    assert "0ns" not in run("scorecard", "--service", "shop-api"), "no time is told of what was not asked"
    for options in (("--before", "yesterday"), ("--from", "2026-11-02", "--to", "2026-11-01"), ("--before", "2026-11-01", "--from", "2026-11-02")):
        run("scorecard", *options, check=2)
    assert "--before: 'yesterday' is no moment" in run("scorecard", "--before", "yesterday", check=2)
    assert "expected a date between" in run("scorecard", "--before", "2099-01-01", check=2)
    assert "ends before it begins" in run("scorecard", "--from", "2026-12-01", "--to", "2026-11-01", check=2)


class Listener:
    """Server-sent events, as [(id, event, data)]; read line by line, which blocks until one comes."""

    def __init__(self, path, last_id=None):
        self.connection = http.client.HTTPConnection("127.0.0.1", SERVER.api, timeout=60)
        self.connection.request("GET", path, headers={"Last-Event-ID": last_id} if last_id else {})
        self.answer = self.connection.getresponse()
        assert self.answer.status == 200 and self.answer.getheader("Content-Type") == "text/event-stream", self.answer.status

    def next(self):
        number, name, data = None, None, None
        for line in self.answer:
            text = line.decode().rstrip("\n")
            if text.startswith("id: "):
                number = text[4:]
            elif text.startswith("event: "):
                name = text[7:]
            elif text.startswith("data: "):
                data = json.loads(text[6:])
            elif not text and name:
                return number, name, data
        return None

    def until(self, passes):
        while True:
            event = self.next()
            assert event, "the stream ended"
            if passes(event):
                return event

    def close(self):
        self.connection.close()


def case_events():
    """Changes are told as they happen, of all or of one; who comes again gets what it missed, and after a restart a reset."""
    everything, one = Listener("/api/v1/journeys/events"), Listener("/api/v1/journeys/order.id/HEARD/events")
    begin = everything.next()
    assert begin[1] == "ready" and one.next()[1] == "ready"
    send("mes-api", "UPDATE prices", "UNHEARD", kind="client", error="boom")
    send("mes-api", "UPDATE prices", "HEARD", kind="client", error="boom")
    number, name, data = one.next()
    assert name == "change" and data["value"] == "HEARD" and data["state"] == "broken" and data["from"] == "flowing", data
    is_heard = is_told = False  # in whatever order they come
    while not (is_heard and is_told):
        last, name, data = everything.next()
        is_heard |= name == "change" and data["value"] == "UNHEARD"
        is_told |= name == "incidents" and data["open"] > 0
    everything.close()
    again = Listener("/api/v1/journeys/events", begin[0])
    assert again.next()[1] == "ready" and again.until(lambda event: event[1] == "change")[0], "what was missed comes first"
    again.close()
    again = Listener("/api/v1/journeys/events", last)
    assert again.next()[1] == "ready"
    send("mes-api", "UPDATE prices", "HEARD LATER", kind="client", error="boom")
    came = again.until(lambda event: event[1] == "change")
    assert came[2]["value"] == "HEARD LATER", f"what was seen comes again: {came}"
    again.close()
    one.close()
    only = Listener("/api/v1/incidents/events")
    assert only.next()[1] == "ready"
    run("incidents", "note", incident_of("connection_limit")["id"], "heard", "--by", "Bob")
    assert only.next()[1] == "incidents"
    only.close()
    for last_id in ("1-1", "x", number.split("-")[0] + "-99999999"):
        lost = Listener("/api/v1/journeys/events", last_id)
        assert lost.next()[1] == "reset", last_id
        lost.close()


def case_watch():
    """`where --watch` shows each change until the journey ends, told by the server."""
    send("shop-api", "POST /orders", "WATCHED")
    expect("WATCHED", "flowing")
    environment = {**os.environ, "FILIGREE_SERVER": f"http://127.0.0.1:{SERVER.api}"}
    with subprocess.Popen([BINARY, "where", "WATCHED", "--watch", "--json"], stdout=subprocess.PIPE, text=True, env=environment) as watch:
        assert json.loads(watch.stdout.readline())["state"] == "flowing"
        send("mes-api", "price", "WATCHED", kind="consumer")
        assert json.loads(watch.stdout.readline())["state"] == "waiting"
        send("mes-api", "ship", "WATCHED")
        assert json.loads(watch.stdout.readline())["state"] == "done"
        assert watch.wait(60) == 0


def case_bad_requests():
    """What the routes refuse."""
    for path in ("/api/v1/journeys?state=sad", "/api/v1/journeys?cause=x", "/api/v1/journeys?place=moon", "/api/v1/journeys?limit=0",
                 "/api/v1/journeys?color=red", "/api/v1/incidents?state=sad", "/api/v1/incidents/1?x=1", "/api/v1/journeys/events?x=1", "/api/v1/incidents?limit=0",
                 "/api/v1/journeys/order.id/FAILED?x=1"):
        status, body = SERVER.get(path)
        assert status == 400 and json.loads(body)["code"] == "invalid", (path, status, body)
    status, body = SERVER.get("/api/v1/journeys/order.id/" + "x" * 3000)
    assert status == 404, (status, body)


def case_names():
    """Keys and values of any characters are asked for percent-encoded, by the route and by `where`. A value that is not known is
    not found; a key by which nothing is followed is a wrong question, which is answered by those that are."""
    names = ["A/B", "/", "//", "%2F", "a%2Fb", "..", ".", "events", "journeys", "a?b=c&d#e", "a b+c", "é№", "a\"b\\c", "line\nbreak", "\x01\x7f", ";", "x" * 256]
    keys = ["order.id", "order/id", "a b", "%"]
    with Server(options=["--journey-keys", ",".join(keys)]) as server:
        server.start()
        for number, key in enumerate(keys):
            for at, name in enumerate(names):
                server.tell("shop-api", "POST /orders", trace=f"{number + 1:016x}{at + 1:016x}", **{key: name})
        path = lambda key, name: f"/api/v1/journeys/{quote(key, safe='')}/{quote(name, safe='')}"  # noqa: E731
        for key in keys:
            for name in names:
                wait_until(lambda: server.get(path(key, name))[0] == 200, f"{key} {name!r} is known: {server.get(path(key, name))}")
                told = json.loads(server.get(path(key, name))[1])
                assert (told["key"], told["value"]) == (key, name), told
                if name != "x" * 256:
                    assert json.loads(run("where", name, "--key", key, "--json", "--server", f"http://127.0.0.1:{server.api}"))["value"] == name
            status, body = server.get(path(key, "A/C"))
            assert status == 404 and "nothing is known of" in json.loads(body)["error"], (status, body)
        for strange in ("order", "order.id/", "a", "order%252Fid"):
            status, body = server.get(path(strange, "A/B"))
            assert status == 400 and "not followed by" in json.loads(body)["error"] and "order/id" in json.loads(body)["error"], (status, body)
        for unknown in ("/api/v1/journeys/order.id/", "/api/v1/journeys/order.id", "/api/v1/journeys//A", "/api/v1/journeys/order.id/A/B"):
            assert server.get(unknown)[0] == 404, unknown


def case_stuck_status():
    """`where` ends with 5 where an order is stuck: here since nobody reads what was sent."""
    with open(FLOW, encoding="ascii") as flow, open(FLOW + ".short", "w", encoding="ascii") as short:
        short.write(flow.read().replace("20m", "80s"))
    with Server(options=["--flows", FLOW + ".short"]) as server:
        server.start()
        server.tell("mes-api", "other", kind="consumer", ago=200)
        trace = server.tell("shop-api", "POST /orders", "STANDS", ago=100)
        server.tell("shop-api", "send orders", "STANDS", kind="producer", ago=100, trace=trace, messaging__system="kafka", messaging__destination__name="orders")
        wait_until(lambda: json.loads(server.get("/api/v1/journeys")[1])["states"]["stuck"] == 1, "it is judged")
        said = run("where", "STANDS", "--server", f"http://127.0.0.1:{server.api}", check=5)
        assert "STANDS is stuck at the consumer mes-api (orders) since" in said and "reads nothing from orders any more" in said, said


def case_metrics():
    """Counts by state are metrics, and what became of incidents."""
    _, body = SERVER.get("/metrics")
    text = body.decode()
    for line in ('filigree_journeys{state="flowing"} 1', 'filigree_journeys{state="broken"} 25', 'filigree_journeys{state="late"} 1',
                 'filigree_journeys{state="waiting"} 1', 'filigree_journeys{state="done"} 2', "filigree_journeys_failures_total 0",
                 "filigree_incidents_reopened_total 1", "filigree_incidents_failed_writes_total 0"):
        assert line + "\n" in text, line


def case_watch_restart():
    """A watch outlives a restart of the server: it says that it asks again, and that it is answered, and goes on where it was."""
    send("shop-api", "POST /orders", "REWATCHED")
    expect("REWATCHED", "flowing")
    environment = {**os.environ, "FILIGREE_SERVER": f"http://127.0.0.1:{SERVER.api}"}
    with subprocess.Popen([BINARY, "where", "REWATCHED", "--watch", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env=environment) as watch:
        assert json.loads(watch.stdout.readline())["state"] == "flowing"
        SERVER.kill()
        assert "can't reach" in watch.stderr.readline()
        assert "asking again, for ten minutes at most" in watch.stderr.readline()
        SERVER.start()
        assert "the server answers again" in watch.stderr.readline()
        send("mes-api", "ship", "REWATCHED")
        assert json.loads(watch.stdout.readline())["state"] == "done"
        assert watch.wait(60) == 0


def case_kill():
    """After a kill every verdict is the same, and what was late recovers when its step comes."""
    SERVER.kill()
    SERVER.start()
    check_all()
    send("mes-api", "price", "MISSED", kind="consumer")
    expect("MISSED", "waiting", "person", "waiting")
    assert SERVER.end() == 0, SERVER.words()[-2000:]


def case_kill_while_spans_come():
    """Killed again and again while orders come, it knows each that was acknowledged, and what the stored spans say of it."""
    sent = {}
    SERVER.start()
    for life in range(4):
        for i in range(150):
            order = f"KILLED-{life}-{i}"
            failed = i % 5 == 0
            send("shop-api", "POST /orders", order, error="boom" if failed else "")
            sent[order] = "broken" if failed else "flowing"
            if i % 50 == 25 * life % 50:
                old = f"KILLED-{life - 1}-{i}"
                if old in sent:
                    send("mes-api", "ship", old)
                    sent[old] = "done"
        SERVER.kill()
        SERVER.start()

    def is_so():
        told = all_states()
        return all(told.get(order) in (state, "late" if state == "flowing" else state) for order, state in sent.items())

    wait_until(is_so, "each order has its state")
    count = len(all_states())
    said = run("reindex")
    assert f"made anew: {count} journeys" in said, said
    wait_until(is_so, "all anew is the same")
    assert len(all_states()) == count


def case_queues():
    """What became of an order's messages stands by queue in the answer, and in what `where` prints."""
    def message(service, name, kind, number, ago, error="", **more):
        send(service, name, "QUEUED", kind=kind, ago=ago, error=error, messaging__system="rabbitmq", messaging__destination__name="mes.orders",
             messaging__message__id=f"m{number}", **more)

    send("shop-api", "POST /orders", "QUEUED", ago=5)
    for number in range(3):
        message("crm-api", "publish", "producer", number, 4)
    message("crm-api", "publish", "producer", 3, 3, error="unroutable", error__type="NO_ROUTE")
    for number, ago, error in ((0, 2, "not now"), (0, 1, ""), (1, 1, "")):
        message("mes-api", "process", "consumer", number, ago, error)
    wanted = {"name": "mes.orders", "published": 3, "waiting": 1, "consumed": 2, "redelivered": 1, "rejected": 1, "returned": 1}
    wait_until(lambda: [{name: one[name] for name in wanted} for one in verdict("QUEUED").get("queues", [])] == [wanted], "all are counted", 15)
    assert verdict("QUEUED")["queues"][0]["waiting_since"] and verdict("QUEUED")["queues"][0]["waited_ns"] > 10**9
    said = run("where", "QUEUED", check=6)
    assert "mes.orders: 3 sent, 1 waiting, 2 consumed, 1 redelivered, 1 rejected, 1 returned\n" in said, said


if __name__ == "__main__":
    try:
        with SERVER:
            CODE = harness.main(globals())
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)
    sys.exit(CODE)
