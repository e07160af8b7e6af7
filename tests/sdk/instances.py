#!/usr/bin/env python3
"""instances.py FILIGREE DRIVER EXAMPLE UNLOAD LIBRARY [CASE...]: what the server knows of its senders, by /api/v1/instances."""
import contextlib
import http.server
import json
import signal
import subprocess
import sys
import tempfile
import threading
import time

from common import CASES, DRIVER, environment, harness, http_endpoint, run


class Forwarder:
    """A collector as bad ones are: acknowledges everything, and passes on what keep(number) says."""

    def __init__(self, server, keep):
        self.count = 0
        forwarder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                forwarder.count += 1
                if keep(forwarder.count):
                    status, _, _ = server.send(body)
                    assert status == 200, status
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def instances(server, query=""):
    status, body = server.get("/api/v1/instances" + query)
    assert status == 200, (status, body)
    return json.loads(body)


@contextlib.contextmanager
def idle(endpoint, folder=None, **more):
    process = subprocess.Popen([DRIVER, "idle"], env=environment(endpoint, folder, **more), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def one(server, query=""):
    found = instances(server, query)["instances"]
    return found[0] if len(found) == 1 else None


def case_a_process_runs_and_ends():
    """an idle process is running, by its heartbeats; one that ended says so"""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(harness.Server().start())
        assert instances(server) == {"sum": {"count": 0, "running": 0, "silent": 0, "ended": 0, "died": 0,
                                             "lost": {"exports": 0, "full": 0, "refused": 0}}, "instances": [], "truncated": False}
        process = stack.enter_context(idle(http_endpoint(server), FILIGREE_HEARTBEAT="200"))
        found = harness.wait_until(lambda: (found := one(server, "?state=running")) and found["exports"] >= 2 and found, "two heartbeats are heard")
        assert found["service"] == "sdk-test" and found["pid"] == process.pid, found
        assert found["heartbeat_ns"] == 200000000 and found["first_sequence"] == 1 and found["last_sequence"] == found["exports"], found
        process.stdin.close()
        assert process.wait(60) == 0
        found = one(server, "?service=sdk-test&state=ended")
        assert found and found["ended"] == "the program ended" and found["losses"] == [], instances(server)
        assert instances(server, "?service=another")["sum"]["count"] == 0
        assert instances(server, "?end=2001-01-01T00:00:00Z")["sum"]["count"] == 0
        assert instances(server, "?start=2100-01-01T00:00:00Z")["sum"]["count"] == 0
        assert server.metric('filigree_instances{state="ended"}') == 1


def case_a_process_dies():
    """one that died is known as such from its flight recorder, with what ended it"""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder, harness.Server(options=["--recorders", folder]).start() as server:
        process = subprocess.Popen([DRIVER, "nest"], env=environment(http_endpoint(server), folder), stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True)
        process.stdout.readline()
        harness.wait_until(lambda: one(server, "?state=running"), "it is heard")
        process.send_signal(signal.SIGSEGV)
        process.wait(60)
        found = harness.wait_until(lambda: one(server, "?state=died"), "its death is known")
        assert found["ended"] == "killed by SIGSEGV" and found["lost"] == {"exports": 0, "full": 0, "refused": 0}, found


def case_lost_exports_are_seen():
    """exports that a collector acknowledged and lost are counted, with the time; what came is not"""
    with harness.Server().start() as server, Forwarder(server, lambda number: number not in (3, 4, 6)) as forwarder:
        before = time.time()
        with idle(forwarder.endpoint, FILIGREE_HEARTBEAT="100") as process:
            harness.wait_until(lambda: forwarder.count >= 8, "eight exports")
            process.stdin.close()
            assert process.wait(60) == 0
        answer = instances(server)
        (found,) = answer["instances"]
        assert found["lost"] == {"exports": 3, "full": 0, "refused": 0} and answer["sum"]["lost"]["exports"] == 3, found
        assert found["exports"] == found["last_sequence"] - 3, found
        assert sum(loss["count"] for loss in found["losses"]) == 3 and {loss["kind"] for loss in found["losses"]} == {"exports"}, found
        # Asked for a time before it, nothing was lost.
        answer = instances(server, f"?end={int(before) - 60}")
        assert answer["sum"]["lost"]["exports"] == 0, answer
        assert server.metric('filigree_instance_lost_total{kind="exports"}') == 3


def case_dropped_spans_are_seen():
    """spans that had no room in the process, or that the server refused, are counted by kind"""
    with harness.Server(options=["--retention-age", "1h"]).start() as server:
        env = environment(http_endpoint(server), OTEL_BSP_MAX_QUEUE_SIZE="16", OTEL_BSP_MAX_EXPORT_BATCH_SIZE="16",
                          OTEL_BSP_SCHEDULE_DELAY="500")
        run("spans", 300, env=env)
        (found,) = instances(server)["instances"]
        assert found["lost"]["full"] > 100 and found["lost"]["exports"] == 0, found
        assert server.metric('filigree_instance_lost_total{kind="full"}') == found["lost"]["full"]


def case_others_are_not_made_up():
    """a sender without these facts is nobody; facts that are nonsense are passed over, and its spans are taken"""
    with harness.Server().start() as server:
        trace = harness.new_trace_id()
        assert server.send(harness.request(harness.span(trace)))[0] == 200
        assert instances(server)["sum"]["count"] == 0

        def request(resource, scope, *spans):
            entries = b"".join(harness.field(1, harness.attribute(key, value)) for key, value in resource.items())
            inner = harness.field(1, "filigree.export") + b"".join(
                harness.field(3, harness.attribute(key, value)) for key, value in scope.items())
            return harness.field(1, harness.field(1, entries) + harness.field(2, harness.field(1, inner) + b"".join(
                harness.field(2, span) for span in spans)))

        for resource, scope in (({}, {"filigree.export.sequence": 1}),
                                ({"service.instance.id": "i"}, {}),
                                ({"service.instance.id": "i"}, {"filigree.export.sequence": "one"}),
                                ({"service.instance.id": 7}, {"filigree.export.sequence": 1})):
            other = harness.new_trace_id()
            assert server.send(request(resource, scope, harness.span(other)))[0] == 200
            assert len(server.spans(other)) == 1
            assert instances(server)["sum"]["count"] == 0, (resource, scope)
        for sequence in (5, -1, 5):
            body = request({"service.instance.id": "i" * 500, "service.name": "odd"},
                           {"filigree.export.sequence": sequence, "filigree.export.dropped_full": -1, "filigree.export.alive_ns": -1,
                            "own": "kept"}, harness.span(trace, span_id=f"{sequence & 0xff:016x}"))
            assert server.send(body)[0] == 200
            assert server.metric("filigree_instance_lost_total") == 0
        answer = instances(server)
        assert answer["sum"]["count"] == 1 and answer["instances"][0]["instance"] == "i" * 127, answer
        scopes = [scope for resource in server.trace(trace)["resourceSpans"] for scope in resource["scopeSpans"]]
        kept = [scope for scope in scopes if scope["scope"].get("name") == "filigree.export"]
        assert kept and all([item["key"] for item in scope["scope"]["attributes"]] == ["own"] for scope in kept), scopes
        status, body = server.get("/api/v1/instances?state=asleep")
        assert status == 400 and b"running, silent, ended or died" in body, (status, body)


if __name__ == "__main__":
    sys.exit(harness.main(globals(), CASES))
