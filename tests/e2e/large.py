#!/usr/bin/env python3
"""large.py FILIGREE [CASE...]: one trace of very many spans (SPANS, 200 000 unless set) beside small ones: sent in requests,
sealed, read by every route, searched; in bounded memory, and in nobody's way.
"""
import json
import os
import re
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from harness import Server, wait_until  # noqa: E402

SPANS = int(os.environ.get("SPANS", "200000"))
SPANS_CUT_AT = 1_000_000
REQUEST_SPANS = 5000
# What the server may take at its highest: some 600 bytes a span of the trace in hand, twice while one is read as another is sent.
MEMORY_MAX = (400 << 20) + SPANS * 1500
SERVER = Server()
LARGE, SMALL = harness.new_trace_id(), harness.new_trace_id()
SERVICES = ("shop-api", "crm-api", "mes-api", "broker")


def get(path):
    status, _, body = SERVER.request("GET", path, seconds=300)
    return status, body


def get_json(path):
    status, body = get(path)
    assert status == 200, f"{path}: {status} {body[:300]!r}"
    return json.loads(body)


def peak_memory():
    with open(f"/proc/{SERVER.process.pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmHWM:\s+(\d+)", status.read()).group(1)) << 10


def one(trace, i, start_ns):
    parent = "" if i == 0 else f"{(i - 1) // 8 + 1:016x}"
    return {"traceId": trace, "spanId": f"{i + 1:016x}", "parentSpanId": parent, "name": f"op {i % 50}", "kind": i % 5 + 1,
            "startTimeUnixNano": str(start_ns + i * 1000), "endTimeUnixNano": str(start_ns + i * 1000 + 500_000),
            "attributes": [{"key": "order.id", "value": {"stringValue": f"ORD-{i}"}},
                           {"key": "db.statement", "value": {"stringValue": f"SELECT * FROM orders WHERE id = {i}"}}],
            "status": {"code": 2 if i % 97 == 0 else 0}}


def send(trace, count):
    start_ns = time.time_ns() - 20 * 10**9
    for begin in range(0, count, REQUEST_SPANS):
        spans = {}
        for i in range(begin, min(count, begin + REQUEST_SPANS)):
            spans.setdefault(SERVICES[i % 4], []).append(one(trace, i, start_ns))
        body = {"resourceSpans": [
            {"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
             "scopeSpans": [{"scope": {"name": "large"}, "spans": list_of}]} for service, list_of in spans.items()]}
        text = json.dumps(body)
        wait_until(lambda text=text: SERVER.send(text, "application/json")[0] == 200, "the request is taken")


def case_send():
    """It is sent in requests, a small one after it, and both are sealed."""
    SERVER.start()
    send(LARGE, SPANS)
    send(SMALL, 12)
    for job in ("seal", "merge"):
        status, _, body = SERVER.request("POST", f"/api/v1/admin/{job}", b"{}", {"Content-Type": "application/json"}, seconds=300)
        assert status == 200, body


def case_routes():
    """Every route gives all of it; cut only past what an answer may have, and then it says so."""
    expected = min(SPANS, SPANS_CUT_AT)

    def count(path, mark):
        status, body = get(path)
        assert status == 200, f"{path}: {status} {body[:200]!r}"
        return body.count(mark)

    assert count(f"/api/v1/traces/{LARGE}", b'"spanId"') == expected
    assert count(f"/api/v3/traces/{LARGE}", b'"spanId"') == expected
    assert count(f"/api/traces/{LARGE}", b'"operationName"') == expected
    assert count(f"/api/v2/trace/{LARGE}", b'"localEndpoint"') == expected
    view = get_json(f"/api/v1/traces/{LARGE}/view?limit=1000000")
    assert len(view["spans"]["id"]) == 16 * expected
    assert view["truncated"] == (SPANS > SPANS_CUT_AT)
    few = get_json(f"/api/v1/traces/{LARGE}/view?limit=100")
    assert len(few["spans"]["id"]) == 1600 and few["truncated"]


def case_searches():
    """A search finds it by any of its spans, and by what it is as a whole."""
    for query in (f"order.id=ORD-{SPANS - 1}", f"trace.spans>{SPANS // 2}", "trace.errors>1000", f"trace_id={LARGE}"):
        found = get_json(f"/api/v1/traces?timeout=60s&q={urllib.parse.quote(query)}")
        assert [trace["trace_id"] for trace in found["traces"]] == [LARGE], (query, found)
        assert found["partial"] == (SPANS > SPANS_CUT_AT), (query, found["partial_reason"])
    small = get_json("/api/v1/traces?q=trace.spans%3C100")
    assert [trace["trace_id"] for trace in small["traces"]] == [SMALL]


def case_in_nobodys_way():
    """While several ask for it, others are answered: what is small does not wait for what is large."""
    order = []
    lock = threading.Lock()

    def ask(path, name):
        status, _, _ = SERVER.request("GET", path, seconds=300)
        with lock:
            order.append((name, status))

    large = [threading.Thread(target=ask, args=(f"/api/v1/traces/{LARGE}/view?limit=10", "large")) for _ in range(4)]
    for thread in large:
        thread.start()
    for _ in range(5):
        ask(f"/api/v1/traces/{SMALL}", "small")
        ask("/api/v1/traces?q=trace.spans%3C100&limit=1", "small")
    for thread in large:
        thread.join()
    assert all(status == 200 for _, status in order), order
    names = [name for name, _ in order]
    assert names.count("large") == 4, names
    assert names.index("small") < max(i for i, name in enumerate(names) if name == "large"), names


def case_memory():
    """All of that took bounded memory."""
    peak = peak_memory()
    assert peak < MEMORY_MAX, f"{peak >> 20} MiB of {MEMORY_MAX >> 20}"
    SERVER.end()


if __name__ == "__main__":
    sys.exit(harness.main(globals()))
