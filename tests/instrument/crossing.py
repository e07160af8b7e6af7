#!/usr/bin/env python3
"""crossing.py FILIGREE CURL_DRIVER MICROHTTPD_DRIVER RABBITMQ_DRIVER: contexts and journeys between the instrumentations and a Node.js service on
OpenTelemetry's stock SDK and instrumentations, by HTTP and by RabbitMQ, in both directions."""
import contextlib
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
sys.path.insert(0, os.path.join(HERE, "..", "conformance"))
import conformance  # noqa: E402
import harness  # noqa: E402
from instrument import environment, run, spans  # noqa: E402
from servers import RealServer  # noqa: E402

CURL, MICROHTTPD, RABBITMQ = sys.argv[2:5]
PLAN = {**conformance.LANGUAGES["javascript"], "run": ["node", "service.js"]}


@contextlib.contextmanager
def running(command, env, folder=None):
    """A program that prints its port, and ends with its standard input."""
    process = subprocess.Popen(command, env=env, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        yield int(line)
        process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()


def chain_from(server, trace, name):
    """The spans from the one of this name up to the root, once all of them have come."""
    by_id = {span.id: span for span in spans(server, trace)}
    chain = [next((span for span in by_id.values() if span.name == name), None)]
    while chain[-1] and chain[-1].parent:
        chain.append(by_id.get(chain[-1].parent))
    return chain if chain[-1] else None


def case_crossing():
    """one trace goes C, Node.js, C by HTTP, and C, Node.js, C by RabbitMQ; the order's number is on both ends"""
    folder = conformance.install("crossing", PLAN)
    with harness.Server().start() as server, RealServer("rabbitmq") as broker:
        env = environment(server)
        with running([MICROHTTPD, "loop"], env) as inner:
            node_env = environment(server, "node-service", no_proxy="*")
            broker_url = f"amqp://guest:guest@127.0.0.1:{broker.port}"
            with running(["node", "service.js", f"http://127.0.0.1:{inner}/orders/42", broker_url], node_env, folder) as port:
                trace, said = run(CURL, ["easy", f"http://127.0.0.1:{port}/orders"], server)
                assert f"traceparent=00-{trace}-" in said[0] and "order.id=ORD-4711" in said[0], said
                found = harness.wait_until(lambda: chain_from(server, trace, "GET /orders/{id}"), "both ends of HTTP, and what is between them")
                assert found[0]["order.id"] == "ORD-4711", found
                chain = [span.kind for span in found]
                assert chain == ["SERVER", "CLIENT", "SERVER", "CLIENT", "INTERNAL"], (chain, found)

                trace, said = run(RABBITMQ, [broker.port, "connect", "guest", "journey", "ORD-4712", "publish", "", "from.c", "a ring", "ambient",
                                             "consume", "to.c", "take", "ack"], server)
                assert said[-1].startswith("take node has a ring"), said
                chain = harness.wait_until(lambda: chain_from(server, trace, "process to.c"), "both ends of RabbitMQ, and what is between them")
                last = chain[0]
                assert [span.kind for span in chain] == ["CONSUMER", "PRODUCER", "CONSUMER", "PRODUCER", "INTERNAL"], chain
                assert last.links == [chain[1].id] and chain[3].name == "publish from.c", chain
                assert last["order.id"] == "ORD-4712", last


if __name__ == "__main__":
    sys.exit(harness.main(globals(), sys.argv[5:]))
