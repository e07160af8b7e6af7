"""Orders that came to their end some minutes ago, for what is learned of them."""
import json
import os
import time

import harness

NOW = time.time_ns()
KINDS = {"server": 2, "consumer": 5}


def one_span(name, order, ago, kind="server", error=""):
    end = NOW - int(ago * 1e9)
    return {"traceId": harness.new_trace_id(), "spanId": os.urandom(8).hex(), "name": name, "kind": KINDS[kind],
            "startTimeUnixNano": str(end - 10**7), "endTimeUnixNano": str(end),
            "status": {"code": 2, "message": error} if error else {},
            "attributes": [{"key": "order.id", "value": {"stringValue": order}}]}


def send(server, spans, **resource):
    """Spans by service, each with these attributes of its resource (two underlines: a dot)."""
    body = {"resourceSpans": [{"resource": {"attributes": [
        {"key": key.replace("__", "."), "value": {"stringValue": text}} for key, text in {"service.name": service, **resource}.items()]},
                               "scopeSpans": [{"spans": list_of}]} for service, list_of in spans.items()]}
    status, _, answer = server.send(json.dumps(body).encode(), "application/json")
    assert status == 200, answer


def complete(server, count):
    """Orders that were priced after 3 s and shipped 5 s later, some of them checked between; all some minutes ago."""
    spans = {"shop": [], "mes": []}
    for number in range(count):
        order, ago = f"C{number}", 600 - number
        spans["shop"].append(one_span('POST "/orders"', order, ago))
        if number % 3 == 0:
            spans["mes"].append(one_span("check", order, ago - 1))
        spans["mes"].append(one_span("price", order, ago - 3, "consumer"))
        spans["mes"].append(one_span("ship", order, ago - 8))
    send(server, spans)


def fail(server, count):
    """Orders that failed a moment ago, all in one version."""
    send(server, {"mes": [one_span("price", f"BAD{number}", 5, error="no price") for number in range(count)]}, service__version="2.0.1")
