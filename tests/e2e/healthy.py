#!/usr/bin/env python3
"""healthy.py FILIGREE [--orders N] [--seconds S] [--restarts N] [--service-restarts N] [--seed N]: orders that all go well, and no alarm.

They go the way of demo/flow.yaml, from the first click to the customer's receipt, in time that is compressed: people need seconds
instead of days, machines what they need. Their spans come as ordinary spans do: out of their order, some of them five seconds late, some
twice, clocks some milliseconds apart. Meanwhile Filigree is ended and killed (-9) in turn and started again; senders keep what
they could not send and try again, as SDKs do. Each service is restarted, too: for some seconds it does nothing, callers and messages wait for
it, and then another instance goes on; a stop is an orderly one, by which what was ended is sent. Every order must end as done, none may be late, stuck or broken at any time, and no
incident may open. What every change of a state and each look at the board shows is watched all the while; incidents are durable, so
that those of a life before a kill are seen at the end, too.
"""
import argparse
import heapq
import itertools
import json
import os
import random
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import harness  # noqa: E402
from harness import Server, wait_until  # noqa: E402

FLOW = os.path.join(os.path.dirname(os.path.dirname(HERE)), "demo", "flow.yaml")
INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = 1, 2, 3, 4, 5
# A click, and what comes of it: (depth, service, kind, name, status that it sets); a message's producer and the consumer below it
# share an id. Between clicks people take their time.
WAY = [
    [(0, "shop-page", 1, "place order", ""), (1, "shop-api", SERVER, "POST /orders", "INITIATED"), (2, "shop-api", CLIENT, "INSERT orders", "")],
    [(0, "shop-api", SERVER, "PUT /orders/{id}/model", "MODEL_UPLOADED"), (1, "shop-api", CLIENT, "S3.PutObject", "")],
    [(0, "shop-page", 1, "submit order", ""), (1, "shop-api", SERVER, "POST /orders/{id}/submit", "SUBMITTED"),
     (2, "crm-api", INTERNAL, "outbox.relay", ""), (3, "crm-api", PRODUCER, "publish orders", ""),
     (4, "mes-api", CONSUMER, "process mes.orders", ""), (5, "mes-api", CLIENT, "S3.GetObject", ""),
     (5, "mes-api", INTERNAL, "price.calculate", "PRICE_CALCULATED"), (5, "mes-api", PRODUCER, "publish mes", ""),
     (6, "crm-api", CONSUMER, "process crm.events", "PRICE_CALCULATED"), (7, "crm-api", CLIENT, "UPDATE shop", "")],
    [(0, "crm-api", SERVER, "POST /orders/:id/approve", "MANUFACTURING_APPROVED"), (1, "crm-api", PRODUCER, "publish orders", ""),
     (2, "mes-api", CONSUMER, "process mes.orders", "MANUFACTURING_APPROVED"), (3, "mes-api", CLIENT, "UPDATE jobs", "")],
    [(0, "mes-api", SERVER, "POST /orders/{id}/start", "MANUFACTURING_STARTED"), (1, "mes-api", CLIENT, "UPDATE jobs", "")],
    [(0, "mes-api", SERVER, "POST /orders/{id}/finish", "MANUFACTURING_COMPLETED")],
    [(0, "mes-api", SERVER, "POST /orders/{id}/pack", "PACKAGING")],
    [(0, "mes-api", SERVER, "POST /orders/{id}/ship", "SHIPPED"), (1, "mes-api", PRODUCER, "publish mes", ""),
     (2, "crm-api", CONSUMER, "process crm.events", "SHIPPED"), (3, "crm-api", CLIENT, "UPDATE shop", "")],
    [(0, "shop-api", SERVER, "POST /orders/{id}/receive", "CLOSED")],
]
# Who sends later than by this is not healthy: machines have ten seconds, and some spans come five seconds late on purpose.
HELD_UP_S = 3
DOWN_S = 4  # inside of every deadline, as a restart in the middle of the day is
SKEW_MS = {"shop-page": 40, "shop-api": 0, "crm-api": -25, "mes-api": 15}


class Traffic:
    """Spans by the time at which they are sent: (due, number, (service, instance), (order, bytes))."""

    def __init__(self, options, begin):
        self.random = random.Random(options.seed)
        self.heap, self.numbers = [], itertools.count()
        self.waiting = [(begin + self.random.random() * options.seconds, number) for number in range(options.orders)]
        self.waiting.sort(reverse=True)
        # Services go down in turn, so that no order meets two of them on one hop.
        turns = [service for _ in range(options.service_restarts) for service in SKEW_MS if service != "shop-page"]
        self.downs = {service: [] for service in SKEW_MS}
        for turn, service in enumerate(turns):
            self.downs[service].append(begin + options.seconds * (turn + 1) / (len(turns) + 1))

    def put(self, due, sender, order, data):
        heapq.heappush(self.heap, (due, next(self.numbers), sender, (due, order, data)))

    def up(self, service, at):
        """When it works on what comes at this moment, and which instance of it does."""
        began = [down for down in self.downs[service] if down <= at]
        return (max(at, began[-1] + DOWN_S) if began else at), f"{service}-{len(began)}"

    def click(self, order, at, spans):
        """One trace; returns when all of it was done."""
        chance, trace, parents, end = self.random, harness.new_trace_id(), [], at
        for depth, service, kind, name, status in spans:
            end += 0.002 + chance.random() * 0.25
            end, instance = self.up(service, end)
            span_id = os.urandom(8).hex()
            attributes = {} if kind == CLIENT else {"order.id": order}  # what carries no key is of its trace
            if status:
                attributes["order.status"] = status
            if kind in (PRODUCER, CONSUMER):
                attributes["messaging.message.id"] = f"{order}-{trace[:8]}-{depth if kind == PRODUCER else depth - 1}"
                attributes["messaging.destination.name"] = name.split()[1]
            if kind == CLIENT:
                attributes.update({"db.system.name": "postgresql", "server.address": f"{service[:4]}db"} if "S3" not in name else
                                  {"rpc.system": "aws-api", "server.address": "s3"})
            del parents[depth:]
            extra = harness.field(4, bytes.fromhex(parents[-1])) if parents else b""
            parents.append(span_id)
            skewed = end + SKEW_MS[service] / 1000
            data = harness.span(trace, span_id, name, int((skewed - 0.002) * 1e9), int(skewed * 1e9), kind, attributes, extra)
            delay = chance.random() * 0.8 if chance.random() < 0.95 else chance.random() * 5
            stop = next((down for down in self.downs[service] if down > end), end + delay)
            self.put(min(end + delay, stop), (service, instance), order, data)
            if chance.random() < 0.02:
                self.put(end + delay + chance.random() * 3, (service, instance), order, data)
        return end

    def order(self, number, at):
        order = f"HEALTHY-{number:05}"
        for spans in WAY:
            at = self.click(order, at, spans) + 0.05 + self.random.random() ** 3 * 3

    def due(self, now):
        """What is to be sent by now, by service and instance; None: nothing is left."""
        while self.waiting and self.waiting[-1][0] <= now:
            at, number = self.waiting.pop()
            self.order(number, at)
        if not self.heap and not self.waiting:
            return None
        found = {}
        while self.heap and self.heap[0][0] <= now:
            _, _, sender, data = heapq.heappop(self.heap)
            found.setdefault(sender, []).append(data)
        return found


class Sender(threading.Thread):
    """Sends all of the traffic; what is not taken is kept and sent again."""

    def __init__(self, server, traffic):
        super().__init__(daemon=True)
        self.server, self.traffic = server, traffic
        self.error, self.sent, self.again = None, 0, 0
        self.held_up = set()  # orders whose spans this machine could not send in time, or the server that starts again could not take

    def send(self, sender, spans):
        service, instance = sender
        body, pause = harness.request(*(data for _, _, data in spans), service=service, resource={"service.instance.id": instance}), 0.2
        while True:
            try:
                status, _, answer = self.server.send(body)
            except OSError:
                status, answer = 503, b""  # it is not there now, or went in the middle
            if status == 200:
                assert harness.partial_success(answer) == (0, ""), answer
                self.sent += len(spans)
                self.held_up.update(order for due, order, _ in spans if time.time() - due > HELD_UP_S)
                return
            assert status in (429, 503), (status, answer)
            self.again += 1
            time.sleep(pause)
            pause = min(pause * 2, 5)

    def run(self):
        try:
            while (found := self.traffic.due(time.time())) is not None:
                for sender, spans in found.items():
                    self.traffic.random.shuffle(spans)
                    self.send(sender, spans)
                time.sleep(0.05)
        except Exception as problem:  # the main thread says it
            self.error = problem


class Watch(threading.Thread):
    """Looks at the board again and again, and hears every change."""

    BAD = ("late", "stuck", "broken")

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.alarms, self.looks, self.ends = server, [], 0, False

    def run(self):
        sequence = 0
        while not self.ends:
            try:
                status, body = self.server.get("/api/v1/board")
            except OSError:
                status = 0
            if status == 200:
                told = json.loads(body)
                self.looks += 1
                fresh = [one for one in told["changes"] if one["sequence"] > sequence or told["changes"][-1]["sequence"] < sequence]
                sequence = max([one["sequence"] for one in told["changes"]], default=0)
                self.alarms += [one for one in fresh if one["state"] in self.BAD]
                self.alarms += [{"states": told["states"], "groups": told["groups"]}] if any(told["states"][state] for state in self.BAD) else []
            time.sleep(0.1)


def unexcused(server, sender, watch):
    """Alarms and incidents of orders that were not held up."""
    alarms = [one for one in watch.alarms if (of := one.get("groups", [one])) == [] or any(found["value"] not in sender.held_up for found in of)]
    incidents = []
    for one in json.loads(server.get("/api/v1/incidents?limit=10")[1])["incidents"]:
        told = json.loads(server.get(f"/api/v1/incidents/{one['id']}")[1])
        incidents += [told] if any(order["value"] not in sender.held_up for order in told["orders"]) or not told["orders"] else []
    return alarms, incidents


def states(server):
    status, body = server.get("/api/v1/board")
    return json.loads(body)["states"] if status == 200 else {}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("filigree")
    parser.add_argument("--orders", type=int, default=10000)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--restarts", type=int, default=8)
    parser.add_argument("--service-restarts", type=int, default=3, help="of each service")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with Server(options=["--flows", FLOW, "--journeys-max", "2000"], binary=options.filigree) as server:
        server.start()
        begin = time.time()
        sender, watch = Sender(server, Traffic(options, begin)), Watch(server)
        sender.start()
        watch.start()
        for life in range(options.restarts):
            pause = begin + options.seconds * (life + 1) / (options.restarts + 1) - time.time()
            sender.join(max(pause, 0))
            if life % 2:
                assert server.end() == 0
            else:
                server.kill()
            server.start()
        sender.join()
        assert sender.error is None, sender.error
        wait_until(lambda: states(server).get("done") == options.orders or unexcused(server, sender, watch)[0], f"all are done: {states(server)}", 120)
        watch.ends = True
        watch.join()
        alarms, incidents = unexcused(server, sender, watch)
        print(f"# seed {options.seed}: {options.orders} orders, {sender.sent} spans, {sender.again} requests sent again over "
              f"{options.restarts} restarts and {options.service_restarts} of each service, {watch.looks} looks, {len(alarms)} alarms, {len(incidents)} incidents, {len(sender.held_up)} orders held up by this machine, "
              f"{time.time() - begin:.0f} s")
        good = not alarms and not incidents and states(server)["done"] == options.orders
        skip = f" # SKIP this machine held up {len(sender.held_up)} of {options.orders} orders" if len(sender.held_up) > options.orders / 2 else ""
        print("ok 1 - healthy orders make no alarm" + skip if good else f"not ok 1 - {alarms[:3]} {incidents[:3]} {states(server)}")
        print("1..1")
        return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
