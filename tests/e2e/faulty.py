#!/usr/bin/env python3
"""faulty.py FILIGREE [CASE...]: what bad input gets, through the real program: keys of any bytes, one key on everything, spans that
come late or twice, clocks hours apart, flows that contradict themselves or change under way."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from harness import BINARY, Server, wait_until  # noqa: E402

FOLDER = tempfile.mkdtemp(prefix="filigree-faulty-", dir=os.environ.get("TMPDIR") or "/var/tmp")
FLOW = """flows:
  - name: order
    key: order.id
    within: 1h
    steps:
      - {name: placed, when: 'service:shop-api name="POST /orders"'}
      - {name: priced, when: 'service:mes-api name=price'}
      - {name: shipped, when: 'service:mes-api name=ship', within: 30d, ends: done}
"""
SERVER = Server(options=["--flows", os.path.join(FOLDER, "order.yaml"), "--reserve", "16MiB"])
ODD = ["line\nbreak", "tab\tstop", "sl/ash", "//", "per%cent", "a%2Fb", "nul\0byte", " blanks ", "..", ".", "?q=1#x", "a&b=c;d", "\u202eright",
       "заказ", "\U0001f4a0", "\"quoted\" 'twice'", "<script>alert(1)</script>", "$(reboot)", "\\", "events", "x" * 256]


def write_flow(text):
    with open(os.path.join(FOLDER, "order.yaml"), "w", encoding="utf-8") as file:
        file.write(text)


def run(*arguments, check=0):
    environment = {**os.environ, "FILIGREE_SERVER": f"http://127.0.0.1:{SERVER.api}"}
    done = subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert done.returncode == check, f"{arguments}: {done.returncode} instead of {check}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def get(path):
    status, body = SERVER.get(path)
    assert status == 200, (path, status, body)
    return json.loads(body)


def find(value):
    status, body = SERVER.get("/api/v1/journeys/order.id/" + urllib.parse.quote(value, safe=""))
    return json.loads(body) if status == 200 else {"state": status, "message": json.loads(body)["error"]}


def comes_to(value, state):
    wait_until(lambda: find(value)["state"] == state, f"{value!r} is {state}")
    return find(value)


def case_any_bytes():
    """A key of any bytes is followed, found by its route and by `where`, and told as it is."""
    write_flow(FLOW)
    SERVER.start()
    for value in ODD:
        SERVER.tell("shop-api", "POST /orders", value)
    for value in ODD:
        told = comes_to(value, "flowing")
        assert told["value"] == value and told["last_step"] == "placed", told
        if "\0" not in value:
            assert json.loads(run("where", "--json", "--", value))["value"] == value
            assert "flowing" in run("where", "--", value)
    listed = {row["value"] for row in get("/api/v1/journeys?limit=1000")["journeys"]}
    assert listed == set(ODD), listed ^ set(ODD)


def case_no_key():
    """What can't be a key is none: too long, empty, no text; the long ones are counted. Bytes that are no UTF-8 are repaired."""
    before = len(get("/api/v1/journeys?limit=1000")["journeys"])
    SERVER.tell("shop-api", "POST /orders", "x" * 257)
    SERVER.tell("shop-api", "POST /orders", "y" * (1 << 20))
    SERVER.tell("shop-api", "POST /orders", order__id="")
    body = harness.request(harness.span(harness.new_trace_id(), attributes={"order.id": "BAD-##"}, name="POST /orders", kind=2), service="shop-api")
    assert SERVER.send(body.replace(b"BAD-##", b"BAD-\xff\xfe"))[0] == 200
    comes_to("BAD-\ufffd\ufffd", "flowing")
    assert SERVER.metric("filigree_journeys_long_values_total") == 2
    assert len(get("/api/v1/journeys?limit=1000")["journeys"]) == before + 1
    for path, status in (("", 404), ("%", 404), ("%ff", 404), ("%zz", 404), ("x" * 257, 404), ("x" * 5000, 404), ("%00", 404)):
        answer, body = SERVER.get("/api/v1/journeys/order.id/" + path)
        assert answer == status and json.loads(body)["error"], (path[:20], answer, body)


if __name__ == "__main__":
    try:
        with SERVER:
            CODE = harness.main(globals())
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)
    sys.exit(CODE)
