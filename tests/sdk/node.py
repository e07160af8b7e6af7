#!/usr/bin/env python3
"""node.py FILIGREE DRIVER EXAMPLE UNLOAD LIBRARY [CASE...]: contexts cross to and from a Node.js service on the stock SDK, by HTTP."""
import os
import subprocess
import sys

from common import CASES, DRIVER, attributes, environment, harness, http_endpoint

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "conformance"))
import conformance  # noqa: E402

HTTP = os.path.join(os.path.dirname(os.path.abspath(DRIVER)), "sdk_http")


def start(command, env, folder=None):
    process = subprocess.Popen(command, env=env, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    assert line, f"{command[0]} does not start"
    return process, int(line)


def stop(process):
    process.stdin.close()
    assert process.wait(60) == 0
    process.stdout.close()


def case_a_chain_of_services():
    """C asks Node, Node asks C: one trace, each span under the one that called, the journey and the baggage on all of the way"""
    folder = conformance.install("javascript")
    with harness.Server().start() as server:
        env = environment(http_endpoint(server), OTEL_SERVICE_NAME="c-end")
        last, port = start([HTTP, "serve"], env)
        node, port = start(["node", "service.js", f"http://127.0.0.1:{port}/"], {**env, "no_proxy": "*"}, folder)
        done = subprocess.run([HTTP, "ask", str(port)], env={**env, "OTEL_SERVICE_NAME": "c-begin"}, capture_output=True, text=True, timeout=60,
                              check=False)
        stop(node)
        stop(last)
        assert done.returncode == 0, done.stderr
        trace = done.stdout.split("-")[1]
        spans = {span["name"]: span for span in server.spans(trace)}
        chain = ["ask node", "serve", "ask the next", "serve in c", "within"]
        assert sorted(spans) == sorted(chain), (sorted(spans), done.stdout)
        assert not spans["ask node"].get("parentSpanId")
        for above, below in zip(chain, chain[1:]):
            assert spans[below]["parentSpanId"] == spans[above]["spanId"], (above, below)
        # In the first it was set on the current span, in Node the service took it from the baggage, in the last it came by itself.
        for name in ("ask node", "serve", "serve in c", "within"):
            assert attributes(spans[name])["order.id"] == "ORD-4711 größe", (name, attributes(spans[name]))
        flags = int(spans["serve in c"]["flags"])
        assert flags & 0x300 == 0x300 and int(spans["within"]["flags"]) & 0x300 == 0x100, (flags, spans["within"]["flags"])
        assert "shop=moscow" in done.stdout and "order.id=ORD-4711%20gr%C3%B6%C3%9Fe" in done.stdout, done.stdout


def case_unsampled_stays_unsampled():
    """what the first of the chain does not sample nobody records"""
    folder = conformance.install("javascript")
    with harness.Server().start() as server:
        env = environment(http_endpoint(server), OTEL_SERVICE_NAME="c-end")
        last, port = start([HTTP, "serve"], env)
        node, port = start(["node", "service.js", f"http://127.0.0.1:{port}/"], {**env, "no_proxy": "*"}, folder)
        done = subprocess.run([HTTP, "ask", str(port)], env={**env, "OTEL_TRACES_SAMPLER": "always_off"}, capture_output=True, text=True,
                              timeout=60, check=False)
        stop(node)
        stop(last)
        assert done.returncode == 0 and "traceparent: 00-" in done.stdout and done.stdout.splitlines()[0].endswith("-00"), done
        assert server.trace(done.stdout.split("-")[1]) is None


if __name__ == "__main__":
    sys.exit(harness.main(globals(), CASES))
