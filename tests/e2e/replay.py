#!/usr/bin/env python3
"""replay.py FILIGREE: a recording is replayed as if it took place now, and no order in it is held late for what is still to be read."""
import json
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import harness  # noqa: E402
from harness import BINARY, Server, wait_until  # noqa: E402

SECOND = 10**9
BEGIN = 1_700_000_000 * SECOND


def line(number, start_ns, end_ns):
    """A request of one span, with an event in its middle, of a recording from long ago."""
    span = {"traceId": f"{number:032x}", "spanId": f"{number:016x}", "name": f"step {number}", "kind": 2, "startTimeUnixNano": str(start_ns),
            "endTimeUnixNano": str(end_ns), "events": [{"name": "half", "timeUnixNano": str((start_ns + end_ns) // 2)}]}
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop-api"}}]}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]})


def recording(*spans):
    return "".join(line(number, BEGIN + start, BEGIN + end) + "\n" for number, (start, end) in enumerate(spans, 1)).encode()


def import_(server, data, *options, compress=False):
    if compress:
        data = subprocess.run(["zstd", "-q", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        return subprocess.run([BINARY, "import", file.name, "--server", f"http://127.0.0.1:{server.http}", *options], capture_output=True, text=True,
                              check=False)


def times(server, number):
    span = server.spans(f"{number:032x}")[0]
    return int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"]), int(span["events"][0]["timeUnixNano"])


def case_moved():
    """a recording's first span is moved to --replay before now, all others with it to the nanosecond; an open span stays open"""
    with Server().start() as server:
        before = time.time_ns()
        data = recording((0, 7), (SECOND + 1, SECOND + 3)) + line(3, BEGIN + 2 * SECOND, 0).encode()
        done = import_(server, data, "--replay", "10m", compress=True)
        assert done.returncode == 0, done.stderr
        start, end, half = times(server, 1)
        assert before - 601 * SECOND < start < time.time_ns() - 600 * SECOND and (end, half) == (start + 7, start + 3), (start, end, half)
        assert times(server, 2)[:2] == (start + SECOND + 1, start + SECOND + 3)
        assert times(server, 3)[:2] == (start + 2 * SECOND, 0)


def case_due():
    """what is not due yet is sent when it is, and time passes faster with --speed"""
    with Server().start() as server:
        before = time.time_ns()
        done = import_(server, recording((0, SECOND), (10 * SECOND, 20 * SECOND)), "--replay", "0", "--speed", "10")
        after = time.time_ns()
        assert done.returncode == 0, done.stderr
        start, end, _ = times(server, 2)
        assert end - start == SECOND and before + SECOND <= start, (before, start, end)
        assert end <= after, "it was sent before its end had come"


FLOW = """flows:
  - name: order
    key: order.id
    within: 30s
    steps:
      - {name: placed, when: 'service:shop-api name=place'}
      - {name: priced, when: 'service:shop-api name=price'}
      - {name: shipped, when: 'service:shop-api name=ship', ends: done}
"""


def company(orders):
    """Lines of orders that are placed every 12 s and go on after 20 s each; LOST does not, nor LAST, which is the last to be placed.
    In the order in which it happened."""
    told = [(100 * SECOND, "place", "LOST"), (12 * orders * SECOND, "place", "LAST")]
    for i in range(orders):
        told += [((12 * i + 20 * j) * SECOND, step, f"ORD-{i}") for j, step in enumerate(("place", "price", "ship"))]
    lines = []
    for number, (moment, step, order) in enumerate(sorted(told), 1):
        request = json.loads(line(number, BEGIN + moment, BEGIN + moment + SECOND))
        span, = request["resourceSpans"][0]["scopeSpans"][0]["spans"]
        span.update(name=step, attributes=[{"key": "order.id", "value": {"stringValue": order}}])
        lines.append(json.dumps(request) + "\n")
    return lines


def case_nobody_is_late():
    """while the past comes in, whose next span is still to be read is not late, and who was late then is; when all is sent, none is waited for"""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as flow:
        flow.write(FLOW)
        flow.flush()
        with Server(options=["--flows", flow.name]).start() as server:
            def board():
                return json.loads(server.get("/api/v1/board")[1])
            wait_until(lambda: not board()["rebuilding"], "journeys are followed")
            done = import_(server, "".join(company(40)).encode(), "--replay", "600s")
            assert done.returncode == 0, done.stderr
            changes = wait_until(lambda: (lambda told: told if sum(one["state"] == "done" for one in told) == 40 and
                                          {"LOST", "LAST"} <= {one["value"] for one in told} else None)(board()["changes"]), "all are done, or late")
            assert {one["value"] for one in changes if one["state"] in ("late", "stuck", "broken")} == {"LOST", "LAST"}, changes
            assert len(changes) < 256, "some are not known any more"


def case_declared():
    """a sender says until when it has sent all; what it says is read as a moment or refused"""
    with Server().start() as server:
        body = line(1, time.time_ns(), time.time_ns()).encode()
        bad = ("yesterday", "-1", "18446744073709551616", "", "end;", "endless", "0; sender=", "0;sender=a", "0; from=a", "0; sender=" + "a" * 65)
        for field, status in (*((one, 200) for one in ("0", str(time.time_ns()), "0; sender=north", f"{time.time_ns()}; sender=" + "a" * 64,
                                                        "end; sender=north", "end")), *((one, 400) for one in bad)):
            got, _, answer = server.request("POST", "/v1/traces", body, {"content-type": "application/json", "filigree-history": field}, port=server.http)
            assert got == status, (field, got, answer)
            assert got == 200 or b"nanoseconds since 1970" in answer, answer


def case_refused():
    """what is no recording, and options that go wrong, are refused with a sentence"""
    with Server().start() as server:
        for data, options, words in (
                (b"[1]\n", ["--replay", "1m"], "line 1: is no JSON object"), (b"", ["--replay", "soon"], "'soon' is no time"),
                (b"", ["--replay", "1m", "--speed", "fast"], "'fast' is no number"), (b"", ["--speed", "2"], "goes with --replay")):
            done = import_(server, data, *options)
            assert done.returncode == 2 and words in done.stderr, (words, done)
        whole = subprocess.run(["zstd", "-q", "-c"], input=recording((0, 7)), stdout=subprocess.PIPE, check=True).stdout
        done = import_(server, whole[:-6])
        assert done.returncode == 3 and "corrupt" in done.stderr.lower(), done


if __name__ == "__main__":
    sys.exit(harness.main(globals()))
