#!/usr/bin/env python3
"""journeys.py FILIGREE [CASE...]: where an order is, through the real program: a flow from its file, orders that flow, wait, fail
and go missing, as `where`, `stuck`, the API and the metrics tell them, and the same after a kill."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from harness import BINARY, Server, wait_until  # noqa: E402

FOLDER = tempfile.mkdtemp(prefix="filigree-journeys-", dir=os.environ.get("TMPDIR") or "/var/tmp")
FLOW = os.path.join(FOLDER, "order.yaml")
KINDS = {"server": 2, "client": 3, "producer": 4, "consumer": 5}

with open(FLOW, "w", encoding="ascii") as file:
    file.write("""flows:
  - name: order
    key: order.id
    within: 20s
    steps:
      - {name: placed, when: 'service:shop-api name="POST /orders"'}
      - {name: priced, when: 'service:mes-api name=price'}
      - {name: approved, when: 'service:crm-api name=approve', human: seller, within: 2d}
      - {name: shipped, when: 'service:mes-api name=ship', within: 1h, ends: done}
""")

SERVER = Server(options=["--flows", FLOW])


def run(*arguments, check=0):
    environment = {**os.environ, "FILIGREE_SERVER": f"http://127.0.0.1:{SERVER.api}"}
    done = subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert done.returncode == check, f"{arguments}: {done.returncode} instead of {check}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def send(service, name, order, kind="server", ago=0.0, error="", **attributes):
    """One span that ended `ago` seconds ago, a trace of its own."""
    end = time.time_ns() - int(ago * 1e9)
    if order:
        attributes["order.id"] = order
    body = {"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
        "scopeSpans": [{"spans": [{
            "traceId": harness.new_trace_id(), "spanId": os.urandom(8).hex(), "name": name, "kind": KINDS[kind],
            "startTimeUnixNano": str(end - 10**7), "endTimeUnixNano": str(end),
            "status": {"code": 2, "message": error} if error else {},
            "attributes": [{"key": key.replace("__", "."), "value": {"stringValue": text}} for key, text in attributes.items()],
        }]}]}]}
    status, _, answer = SERVER.send(json.dumps(body).encode(), "application/json")
    assert status == 200, answer


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

    wait_until(is_so, f"{order} is {state} {place} {cause}", 15)
    wait_until(is_on_board, f"the board has {order} as {state} {cause}", 15)


def check_all():
    expect("FLOWS", "flowing")
    expect("WAITS", "waiting", "person", "waiting")
    expect("FAILED", "broken", "database", "connection_limit")
    expect("MISSED", "late", "unknown", "not_enough_evidence")
    expect("DONE", "done")


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


def case_orders():
    """Each order gets its verdict within seconds."""
    send("mes-api", "other", None)
    for order in ("FLOWS", "WAITS", "FAILED", "DONE"):
        send("shop-api", "POST /orders", order, ago=5)
    send("shop-api", "POST /orders", "MISSED", ago=100)
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
    run("where", "MISSED", check=4)
    told = json.loads(run("where", "FAILED", "--json", check=6))
    assert told == {**verdict("FAILED"), "confidence": told["confidence"]}
    evidence = told["evidence"][0]
    (span,) = [one for one in SERVER.spans(evidence["trace_id"]) if one["spanId"] == evidence["span_id"]]
    assert span["name"] == "UPDATE prices", span
    run("where", "NOBODY", check=1)
    run("where", "FAILED", "--key", "payment.id", check=2)
    run("where", "", check=2)
    said = run("where", "DONE", "--watch")
    assert "DONE is done" in said, said


def case_stuck():
    """`stuck` lists those that need somebody, and filters."""
    said = run("stuck", check=1)
    assert "FAILED" in said and "MISSED" in said and "WAITS" not in said and "DONE" not in said, said
    said = run("stuck", "--place", "database", check=1)
    assert "FAILED" in said and "MISSED" not in said, said
    assert "no journey" in run("stuck", "--cause", "died")
    said = run("stuck", "--state", "waiting", "--json", check=1)
    assert [row["value"] for row in json.loads(said)["journeys"]] == ["WAITS"], said
    assert "expected flowing" in run("stuck", "--state", "sad", check=2)


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


def case_bad_requests():
    """What the routes refuse."""
    for path in ("/api/v1/journeys?state=sad", "/api/v1/journeys?cause=x", "/api/v1/journeys?place=moon", "/api/v1/journeys?limit=0",
                 "/api/v1/journeys?color=red", "/api/v1/journeys/order.id/FAILED?x=1"):
        status, body = SERVER.get(path)
        assert status == 400 and json.loads(body)["code"] == "invalid", (path, status, body)
    status, body = SERVER.get("/api/v1/journeys/order.id/" + "x" * 3000)
    assert status == 404, (status, body)


def case_metrics():
    """Counts by state are metrics."""
    _, body = SERVER.get("/metrics")
    text = body.decode()
    for line in ('filigree_journeys{state="flowing"} 1', 'filigree_journeys{state="broken"} 1', 'filigree_journeys{state="late"} 1',
                 'filigree_journeys{state="waiting"} 1', 'filigree_journeys{state="done"} 1', "filigree_journeys_failures_total 0"):
        assert line + "\n" in text, line


def case_kill():
    """After a kill every verdict is the same, and what was late recovers when its step comes."""
    SERVER.kill()
    SERVER.start()
    check_all()
    send("mes-api", "price", "MISSED", kind="consumer")
    expect("MISSED", "waiting", "person", "waiting")
    assert SERVER.end() == 0, SERVER.words()[-2000:]


if __name__ == "__main__":
    try:
        with SERVER:
            CODE = harness.main(globals())
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)
    sys.exit(CODE)
