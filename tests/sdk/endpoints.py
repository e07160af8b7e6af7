#!/usr/bin/env python3
"""endpoints.py FILIGREE DRIVER EXAMPLE UNLOAD LIBRARY [CASE...]: libfiligree and servers that behave badly, over HTTP and gRPC.

What is retried and what is dropped follows the OTLP specification; every span is sent, or counted as not.
"""
import base64
import email.utils
import socket
import subprocess
import sys
import threading
import time

from common import CASES, DRIVER, OK, GrpcSink, Sink, environment, harness, numbers, run, sent_spans

CANCELLED, INVALID_ARGUMENT, DEADLINE, RESOURCE_EXHAUSTED, UNIMPLEMENTED, UNAVAILABLE = 1, 3, 4, 8, 12, 14


def grpc(endpoint, **more):
    return environment(endpoint, OTEL_EXPORTER_OTLP_PROTOCOL="grpc", **more)


def retry_info(seconds, nanos=0):
    """google.rpc.Status with RetryInfo, as grpc-status-details-bin has it."""
    delay = harness.field(1, seconds) + harness.field(2, nanos)
    any_of = harness.field(1, "type.googleapis.com/google.rpc.RetryInfo") + harness.field(2, harness.field(1, delay))
    return base64.b64encode(harness.field(1, RESOURCE_EXHAUSTED) + harness.field(3, any_of)).decode().rstrip("=")


def all_sent(said, spans, failed, trouble=""):
    counts = numbers(said)
    assert counts["exported"] == spans and counts["failed"] == failed and counts["refused"] == 0 and counts["full"] == 0, (said, trouble)


def case_retry_after_is_honoured_over_http():
    """Retry-After in seconds and as a date; 429, 502, 503, 504 come again, and nothing is lost or sent twice"""
    def soon():
        return {"Retry-After": email.utils.formatdate(time.time() + 3, usegmt=True)}
    with Sink((503, soon, b"", 0), (429, {"Retry-After": "1"}, b"", 0), (504, {}, b"", 0), OK) as sink:
        said, trouble = run("spans", 20, env=environment(sink.endpoint))
        all_sent(said, 40, 3, trouble)
        assert sink.span_count() == 40
        # A date has whole seconds.
        assert sink.times[1] - sink.times[0] > 1.8 and sink.times[2] - sink.times[1] >= 1, sink.times
        assert trouble.count("did not go through") == 1, trouble


def case_retry_after_nonsense():
    """a Retry-After that is none, or that asks for a year, does not stop the exporter for good"""
    with Sink((503, {"Retry-After": "soon"}, b"", 0), (503, {"Retry-After": "-5"}, b"", 0), (503, {"Retry-After": "99999999999999999999"}, b"", 0),
              OK) as sink:
        said, trouble = run("spans", 5, env=environment(sink.endpoint))
        all_sent(said, 10, 3, trouble)
    with Sink((503, {"Retry-After": "31536000"}, b"", 0)) as sink:
        run("spans", 5, 200, env=environment(sink.endpoint, FILIGREE_EXIT_TIMEOUT="200"), seconds=60)  # not a year
        assert len(sink.times) <= 2, sink.times


def case_grpc_says_when():
    """gRPC's retryable codes come again; RESOURCE_EXHAUSTED only with RetryInfo, and not before its time"""
    with GrpcSink({"status": RESOURCE_EXHAUSTED, "details": retry_info(1, 200000000)}, {"status": UNAVAILABLE}, {"status": CANCELLED},
                  {"status": DEADLINE, "message": "late"}, {}) as sink:
        said, trouble = run("spans", 20, env=grpc(sink.endpoint))
        all_sent(said, 40, 4, trouble)
        assert sink.span_count() == 40
        assert sink.times[1] - sink.times[0] >= 1.2, sink.times
    for answer in ({"status": RESOURCE_EXHAUSTED, "message": "no"}, {"status": INVALID_ARGUMENT, "message": "bad"}, {"status": UNIMPLEMENTED}):
        with GrpcSink(answer) as sink:
            said, trouble = run("spans", 5, env=grpc(sink.endpoint))
            counts = numbers(said)
            assert counts["refused"] == 10 and counts["exported"] == 0 and f"gRPC status {answer['status']}" in trouble, (answer, said, trouble)


def case_grpc_too_large_is_halved():
    """a message that is larger than a gRPC server takes is halved until it fits; partial success is counted"""
    with GrpcSink({"limit": 2500}) as sink:
        said, trouble = run("spans", 50, env=grpc(sink.endpoint))
        counts = numbers(said)
        assert counts["exported"] == 100 and counts["refused"] == 0 and sink.span_count() == 100, (said, trouble)
        assert max(request["bytes"] for request in sink.requests if request["status"] == 0) <= 2500
    partial = harness.field(1, harness.field(1, 3) + harness.field(2, "too old"))
    body = base64.b64encode(b"\0" + len(partial).to_bytes(4, "big") + partial).decode()
    with GrpcSink({"body": body}) as sink:
        said, trouble = run("spans", 10, env=grpc(sink.endpoint, OTEL_BSP_SCHEDULE_DELAY="10000"))
        counts = numbers(said)
        assert counts["refused"] == 3 and counts["exported"] == 17 and "too old" in trouble, (said, trouble)


def case_grpc_nonsense():
    """streams that are reset and gateways' answers come again; an answer without a status is dropped and counted"""
    with GrpcSink({"reset": True}, {"http": 503}, {"http": 502, "noise": 200000}, {"http": 429, "headers": {"retry-after": "1"}},
                  {"noise": 200000}) as sink:
        said, trouble = run("spans", 5, env=grpc(sink.endpoint))
        all_sent(said, 10, 4, trouble)
        assert sink.times[4] - sink.times[3] >= 1, sink.times
    with GrpcSink({"mute": True}) as sink:
        said, trouble = run("spans", 5, env=grpc(sink.endpoint))
        assert numbers(said)["refused"] == 10, (said, trouble)
    # Somebody who speaks HTTP/1 alone, and somebody who speaks nothing.
    with Sink(OK) as sink:
        said, trouble = run("fails", 5, env=grpc(sink.endpoint, FILIGREE_EXIT_TIMEOUT="100"))
        counts = numbers(said)
        assert counts["exported"] == 0 and counts["failed"] >= 1, (said, trouble)


def case_http_refusals_are_final():
    """400, 401, 404 and a redirect are not asked again: dropped, counted, said once"""
    for status in (400, 401, 404, 301):
        with Sink((status, {"Location": "http://127.0.0.1:1/"}, b"<html>", 0)) as sink:
            said, trouble = run("spans", 5, env=environment(sink.endpoint))
            counts = numbers(said)
            assert counts["refused"] == 10 and counts["exported"] == 0 and f"HTTP status {status}" in trouble, (said, trouble)
            assert trouble.count("spans were dropped") == 1, trouble


def case_raw_nonsense():
    """a server that talks garbage or hangs up in the middle harms nobody; the spans come again"""
    answers = [b"220 mail.example ESMTP\r\n", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort", b""]
    for answer in answers:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(8)
            count = 0

            def serve(listener=listener, answer=answer):
                nonlocal count
                try:
                    while True:
                        connection, _ = listener.accept()
                        with connection:
                            connection.recv(1 << 20)
                            count += 1
                            connection.sendall(answer)
                except OSError:  # the listener is shut down
                    pass

            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            env = environment(f"http://127.0.0.1:{listener.getsockname()[1]}", FILIGREE_EXIT_TIMEOUT="100")
            said, trouble = run("fails", 5, env=env)
            counts = numbers(said)
            assert counts["exported"] == 0 and counts["failed"] >= 1 and counts["refused"] == 0 and count >= 1, (answer, said, trouble)
            listener.shutdown(socket.SHUT_RDWR)
        thread.join(60)


def case_slow_servers_are_given_up_in_time():
    """an answer that takes longer than the timeout is a failure, and is asked for again"""
    for protocol in ("http/protobuf", "grpc"):
        slow = Sink((200, {}, b"", 600), OK) if protocol != "grpc" else GrpcSink({"wait": 600000}, {})
        with slow as sink:
            said, trouble = run("spans", 5, env=environment(sink.endpoint, OTEL_EXPORTER_OTLP_PROTOCOL=protocol, OTEL_EXPORTER_OTLP_TIMEOUT="3000"))
            counts = numbers(said)
            assert counts["exported"] == 10 and counts["failed"] == 1 and "imed out" in trouble, (said, trouble)


def case_a_server_that_comes_later():
    """spans wait in the ring while nobody listens, and arrive once somebody does; what has no room meanwhile is counted"""
    port = harness.free_port()
    env = environment(f"http://127.0.0.1:{port}", OTEL_BSP_MAX_QUEUE_SIZE="64")
    process = subprocess.Popen([DRIVER, "spans", "200"], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    trouble = ""
    while "did not go through" not in trouble:
        line = process.stderr.readline()
        assert line, f"it ended: {trouble}"
        trouble += line
    with Sink(OK, port=port) as sink:
        said, rest = process.communicate(timeout=60)
        trouble += rest
        counts = numbers(said)
        assert counts["failed"] >= 1 and counts["full"] > 0 and counts["exported"] + counts["full"] == 400, (said, trouble)
        assert "spans are dropped: too many" in trouble, trouble
        ids = [span[20:28] for body in sink.bodies for span in sent_spans(body)]
        assert len(set(ids)) == len(ids) == counts["exported"], (len(ids), said)


if __name__ == "__main__":
    sys.exit(harness.main(globals(), CASES))
