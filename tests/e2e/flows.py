#!/usr/bin/env python3
"""flows.py FILIGREE [CASE...]: flows that are learned from completed orders, through the real program: shown, used before they are
accepted and said to be so, accepted, withdrawn, kept over a kill, and printed as YAML that `serve` takes."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from completed import complete, fail, one_span, send  # noqa: E402
from harness import BINARY, Server, wait_until  # noqa: E402

SERVER = Server(options=["--journey-keys", "order.id"])


def run(*arguments, check=0, server=SERVER):
    environment = {**os.environ, "FILIGREE_SERVER": f"http://127.0.0.1:{server.api}"}
    done = subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert done.returncode == check, f"{arguments}: {done.returncode} instead of {check}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def flow(server=SERVER):
    (one,) = json.loads(run("flows", "show", "order.id", "--json", server=server))["flows"]
    return one


def becomes(source, server=SERVER):
    return wait_until(lambda: flow(server)["source"] == source and flow(server), f"the flow is {source}")


def verdict(order, server=SERVER):
    status, body = server.get(f"/api/v1/journeys/order.id/{order}")
    return json.loads(body) if status == 200 else {"state": status}


def case_too_few():
    """Few completed orders teach nothing that is used."""
    SERVER.start()
    assert "0 of at least 30 completed journeys were seen" in run("flows")
    assert "too few completed journeys" in run("flows", "show", "order.id", "--yaml", check=1)
    assert "there is nothing to accept" in run("flows", "accept", "order.id", "--by", "Ann", check=3)
    assert "no journeys are followed by payment.id" in run("flows", "show", "payment.id", check=1)
    complete(SERVER, 20)
    wait_until(lambda: flow()["journeys"] == 20, "twenty orders are learned from")
    assert flow()["source"] == "none" and flow()["steps"] == []


def case_learned():
    """Enough of them give a flow, which is used and said to be provisional."""
    complete(SERVER, 60)
    send(SERVER, {"shop": [one_span('POST "/orders"', "STOPPED", 300)]})
    told = becomes("learned")
    assert told["journeys"] >= 30 and told["can_accept"] and not told["accepted"], told
    steps = {step["label"]: step for step in told["steps"]}
    assert list(steps) == ['POST "/orders"', "check", "price", "ship"], list(steps)
    assert steps["check"]["optional"] and not steps["price"]["optional"] and steps["ship"]["ends"] == "done", steps
    wait_until(lambda: verdict("C7")["state"] == "done", "an order that is complete is done")
    stopped = wait_until(lambda: verdict("STOPPED")["state"] == "late" and verdict("STOPPED"), "the order that stopped is late")
    assert stopped["deadline_provisional"] and stopped["expected_step"] == "mes price (consumer)", stopped
    assert "learned from" in stopped["cause"]["text"] and "not accepted yet" in stopped["cause"]["text"], stopped
    assert "learned, not accepted yet" in run("flows"), run("flows")


def case_accepted():
    """It is accepted, which a kill does not undo, and withdrawn."""
    unsure = verdict("STOPPED")["confidence"]
    status, _, body = SERVER.request("POST", "/api/v1/flows/order.id/accept", b"{}", {"Content-Type": "application/json"})
    assert status == 400 and b"by: expected" in body, body
    assert "only all can be accepted" in run("flows", "accept", "order.id", "mes ship", "--by", "Ann", check=2)
    assert "no such key" in run("flows", "accept", "nothing.id", "--by", "Ann", check=1)
    assert "in force within a second" in run("flows", "accept", "order.id", "--by", "Ann")
    SERVER.kill()
    SERVER.start()
    told = becomes("accepted")
    assert told["accepted_by"] == "Ann" and not told["can_accept"], told
    assert all(step["within_ns"] and not step["provisional"] for step in told["steps"][2:]), told
    stopped = wait_until(lambda: not verdict("STOPPED").get("deadline_provisional", True) and verdict("STOPPED"), "it is in force")
    assert stopped["state"] == "late" and stopped["confidence"] > unsure and "learned" not in stopped["cause"]["text"], stopped
    assert "accepted by Ann" in run("flows")
    run("flows", "withdraw", "order.id", "--by", "Ann")
    becomes("learned")
    assert "nothing is accepted" in run("flows", "withdraw", "order.id", "--by", "Ann", check=3)


def case_reindex():
    """A reindex learns the same anew."""
    before = run("flows", "show", "order.id", "--yaml")
    run("reindex")
    wait_until(lambda: flow()["source"] == "learned" and run("flows", "show", "order.id", "--yaml") == before, "it is as before", 60)


def case_propose_key():
    """The spans alone say which attribute names the orders."""
    said = run("propose-key")
    assert "order.id is proposed: filigree serve --journey-keys order.id" in said, said
    told = json.loads(run("propose-key", "--json"))
    assert told["proposed"] == "order.id" and told["candidates"][0]["several_traces"] > 0.9, told
    with Server() as empty:
        empty.start()
        assert "too few" in run("propose-key", check=1, server=empty)


def case_common():
    """What orders that failed have in common is said, with the counts of both sides; not where too few are compared."""
    fail(SERVER, 4)
    wait_until(lambda: verdict("BAD3")["state"] == "broken", "an order is broken")
    assert "In common" not in run("stuck", "--state", "broken", check=1)
    fail(SERVER, 8)
    wait_until(lambda: "service.version 2.0.1 of mes (8 of 8 that stopped, 0 of " in run("stuck", "--state", "broken", "--cause", "error", check=1),
               "the version is named")
    told = json.loads(SERVER.get("/api/v1/common?state=broken")[1])
    assert told["count"] == 8 and told["healthy"] >= 60 and not told["few"], told
    assert json.loads(SERVER.get("/api/v1/common?cause=died")[1])["facets"] == []


def case_round_trip():
    """What is printed as YAML is a flow that serve takes unchanged, and prints again the same."""
    yaml = run("flows", "show", "order.id", "--yaml")
    path = os.path.join(SERVER.folder, "learned.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(yaml)
    with Server(options=["--flows", path]) as other:
        other.start()
        complete(other, 60)
        told = becomes("declared", other)
        learned = flow()
        assert [step["name"] for step in told["steps"]] == [step["name"] for step in learned["steps"]], told
        assert [step["declared_ns"] for step in told["steps"]] == [step["learned"]["within_ns"] for step in learned["steps"]], told
        wait_until(lambda: flow(other)["journeys"] == 60 and verdict("C7", other)["state"] == "done", "orders go by it")
        again = os.path.join(SERVER.folder, "again.yaml")
        with open(again, "w", encoding="utf-8") as file:
            file.write(run("flows", "show", "order.id", "--yaml", server=other))
        with Server(options=["--flows", again]) as third:
            third.start()
            keys = ("name", "label", "when", "after", "optional", "ends", "declared_ns")
            assert [[step[key] for key in keys] for step in flow(third)["steps"]] == \
                [[step[key] for key in keys] for step in told["steps"]], flow(third)


if __name__ == "__main__":
    failed = 1
    try:
        failed = harness.main(globals())
    finally:
        SERVER.__exit__()
    sys.exit(failed)
