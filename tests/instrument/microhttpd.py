#!/usr/bin/env python3
"""microhttpd.py FILIGREE DRIVER [CASE...]: libfiligree-microhttpd, asked by HTTP in each way that a server may use threads."""
import concurrent.futures
import contextlib
import http.client
import os
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import harness  # noqa: E402
from instrument import environment, one, spans  # noqa: E402

DRIVER = sys.argv[2]
STACK = contextlib.ExitStack()
REAL = {}


def filigree():
    if not REAL:
        REAL["filigree"] = STACK.enter_context(harness.Server().start())
    return REAL["filigree"]


@contextlib.contextmanager
def serving(how, said=None):
    """The driver, and its port. At the end every request must have been completed, with the program's own pointer."""
    process = subprocess.Popen([DRIVER, how], env=environment(filigree()), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield int(process.stdout.readline())
        words, _ = process.communicate(timeout=60)
        assert process.returncode == 0 and "wrong 0" in words, (process.returncode, words)
        if said is not None:
            said.append(words)
    finally:
        process.kill()
        process.wait()


def ask(port, method, path, body=None, trace=None, headers=None, connection=None):
    """Status and body of an answer to a request with a context of its own; the context's trace id is the third."""
    trace = trace or harness.new_trace_id()
    own = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    own.request(method, path, body, {"traceparent": f"00-{trace}-00f067aa0ba902b7-01", "baggage": "order.id=ORD-4711;journey,shop=moscow",
                                     **(headers or {})})
    answer = own.getresponse()
    text = answer.read().decode()
    if not connection:
        own.close()
    return answer.status, text, trace


def found(trace, name):
    """The span of this name of a trace, once it has arrived."""
    return one(harness.wait_until(lambda: [span for span in spans(filigree(), trace) if span.name == name], name), name)


def case_request_is_a_span():
    """a request is a server span that continues its caller's trace, in every way of threads"""
    for how in ("loop", "connection", "pool"):
        said = []
        with serving(how, said) as port:
            keep = http.client.HTTPConnection("127.0.0.1", port)
            status, text, trace = ask(port, "GET", "/orders/42?token=secret&page=", connection=keep, headers={"User-Agent": "test/1"})
            span = found(trace, "GET /orders/{id}")
            assert span.kind == "SERVER" and span.parent == "00f067aa0ba902b7" and not span.status, span
            assert span.has(http__request__method="GET", http__route="/orders/{id}", url__path="/orders/42", url__scheme="http",
                            url__query="token=REDACTED&page", http__response__status_code=200, server__address="127.0.0.1",
                            server__port=port, client__address="127.0.0.1", network__protocol__version="1.1",
                            user_agent__original="test/1", order__id="ORD-4711"), span
            assert status == 200 and f"traceparent=00-{trace}-{span.id}-01" in text, text
            assert "order.id=ORD-4711;journey" in text and "shop=moscow" in text and "route=/orders/{id} id=42" in text, text
            inner = found(trace, "in.handler")
            assert inner.parent == span.id and inner["order.id"] == "ORD-4711", inner
            # The next one on the same connection is another request.
            _, text, other = ask(port, "GET", "/files/a/b", connection=keep)
            assert "route=/files/* id=" in text and found(other, "GET /files/*").id != span.id
            keep.close()
        assert said == ["completed 2 wrong 0\n"], said


def case_statuses():
    """5xx is an error with its number, 404 is none; without a route the name is the method, an unknown one HTTP"""
    with serving("loop") as port:
        _, _, trace = ask(port, "GET", "/fail")
        span = found(trace, "GET /fail")
        assert span.status and span["error.type"] == "500" and span["http.response.status_code"] == 500, span
        _, _, trace = ask(port, "GET", "/none")
        span = found(trace, "GET")
        assert not span.status and span.has(http__response__status_code=404, http__route=None), span
        _, _, trace = ask(port, "PURGE", "/orders/1")
        assert found(trace, "HTTP /orders/{id}").has(http__request__method="_OTHER", http__request__method_original="PURGE")
        _, _, trace = ask(port, "GET", "/own/thing")
        assert found(trace, "GET /own/{what}")["http.route"] == "/own/{what}"


def case_bodies_and_journeys():
    """a body is counted; what the handler puts on the journey in its first call is there in its last"""
    with serving("loop") as port:
        status, text, trace = ask(port, "POST", "/orders", "x" * 300)
        span = found(trace, "POST /orders")
        assert status == 201 and text == "x" * 300 and span["http.request.body.size"] == 300, span
        assert span["order.id"] == "ORD-POST" and found(trace, "in.handler")["order.id"] == "ORD-POST", span


def case_suspended_connections():
    """a suspended connection's span goes on, and ends with the answer that another thread gives"""
    for how in ("loop", "pool"):
        with serving(how) as port:
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                answers = list(pool.map(lambda _: ask(port, "GET", "/later"), range(8)))
            for status, text, trace in answers:
                span, later = found(trace, "GET /later"), found(trace, "later")
                assert status == 202 and text == "later" and span["http.response.status_code"] == 202, span
                assert later.parent == span.id and later["order.id"] == "ORD-4711" and span.ns > 90e6, (span, later)


def case_answers_that_are_not_sent():
    """a handler that refuses, and a client that goes away, are errors"""
    with serving("loop") as port:
        trace = harness.new_trace_id()
        try:
            ask(port, "GET", "/drop", trace=trace)
            raise AssertionError("it was answered")
        except (http.client.HTTPException, OSError):
            pass
        span = found(trace, "GET /drop")
        assert span.status and span["error.type"] == "terminated" and span["http.response.status_code"] is None, span
        trace = harness.new_trace_id()
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(f"GET /large HTTP/1.1\r\nHost: h\r\ntraceparent: 00-{trace}-00f067aa0ba902b7-01\r\n\r\n".encode())
            client.recv(1000)
        span = found(trace, "GET /large")
        assert span.status and span["error.type"] in ("terminated", "read_error", "client_abort"), span


def case_wrong_contexts_and_options_in_an_array():
    """a malformed or missing context begins a trace; options in an array are the program's too"""
    said = []
    with serving("plain", said) as port:
        for headers in ({"traceparent": "nonsense"}, {"traceparent": ""}, {"traceparent": "00-" + "0" * 32 + "-" + "0" * 16 + "-01"}):
            _, text, _ = ask(port, "GET", "/orders/1", headers=headers)
            trace = text.split("traceparent=00-")[1].split("-")[0]
            span = found(trace, "GET")
            assert span.parent == "" and "route=none" in text and span["order.id"] == "ORD-4711", (text, span)
    assert said == ["completed 3 wrong 0\n"], said


if __name__ == "__main__":
    with STACK:
        sys.exit(harness.main(globals(), sys.argv[3:]))
