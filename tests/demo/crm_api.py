#!/usr/bin/env python3
"""crm_api.py FILIGREE: the demo's CRM API between a real PostgreSQL and a real RabbitMQ, on the stock OpenTelemetry SDK.

Tables and message schema are the demo's own (demo/schema). SHOP API and MES are played by statements and by messages through the broker's
HTTP API. Skipped by name where a server, Node.js or the registry is missing.
"""
import base64
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import harness  # noqa: E402
from servers import RealServer  # noqa: E402

DEMO = os.path.join(os.path.dirname(os.path.dirname(HERE)), "demo")
SERVER, CLIENT, PRODUCER, CONSUMER = 2, 3, 4, 5


class Company:
    """One of each server for all cases, begun by the first that asks."""
    now = None

    @classmethod
    def get(cls):
        cls.now = cls.now or Company()
        return cls.now

    def __init__(self):
        packages = subprocess.run([os.path.join(DEMO, "web"), "crm-api"], text=True, stderr=subprocess.PIPE, check=False)
        if packages.returncode == 77:
            raise harness.Skip(packages.stderr.strip().splitlines()[-1])
        assert packages.returncode == 0, packages.stderr
        self.open = []
        self.crm = None
        try:
            self.db = self.enter(RealServer("postgres"))
            self.broker = self.enter(RealServer("rabbitmq", "--management", "0"))
            self.filigree = self.enter(harness.Server()).start()
            self.faults = self.enter(tempfile.TemporaryDirectory(prefix="filigree-faults-"))
            with open(os.path.join(DEMO, "schema", "shop.sql"), encoding="utf-8") as file:
                self.sql(file.read().replace(":history", "10"))
            self.port = harness.free_port()
            self.number = 0
            self.taken = set()
            self.declare()
            self.start()
        except BaseException:
            self.close()
            raise

    def enter(self, thing):
        value = thing.__enter__()
        self.open.append(thing)
        return value

    def close(self):
        if self.crm:
            self.crm.kill()
            self.crm.wait()
        for thing in reversed(self.open):
            thing.__exit__(None, None, None)

    def start(self):
        self.log = tempfile.TemporaryFile()
        self.crm = subprocess.Popen(
            ["node", "--require", "./tracing.js", "index.js"], cwd=os.path.join(DEMO, "crm-api"), stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=subprocess.STDOUT, env={
                **os.environ, "CRM_URL": f"http://127.0.0.1:{self.port}", "SHOP_DB": f"postgresql://postgres:postgres@127.0.0.1:{self.db.port}/postgres",
                "AMQP_URL": f"amqp://guest:guest@127.0.0.1:{self.broker.port}", "FAULTS": self.faults, "OTEL_BSP_SCHEDULE_DELAY": "100",
                "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.filigree.http}", "no_proxy": "*"})
        harness.wait_until(self.is_connected, "the CRM API is connected", 60)

    def words(self):
        return harness.said_in(self.log)

    def is_connected(self):
        if self.crm.poll() is not None:
            raise AssertionError(f"the CRM API ended with {self.crm.returncode}: {self.words()}")
        try:
            return self.ask("GET", "/healthz")[1]["broker"] == "connected"
        except OSError:
            return False

    def ask(self, method, path, body=None, headers=None):
        """Status and JSON of the CRM API's answer."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method, data=None if body is None else json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json", **(headers or {})})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as answer:
            return answer.code, json.load(answer)

    def sql(self, statement):
        return self.db.call("sql", statement)

    def manage(self, method, path, body=None):
        token = base64.b64encode(b"guest:guest").decode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.broker.words['management']}/api/{path}", method=method,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json", "Authorization": f"Basic {token}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
            return json.loads(text) if text else None

    def declare(self):
        """Exchanges, queues and bindings, which the company's services only use."""
        for name in ("orders", "mes"):
            self.manage("PUT", f"exchanges/%2F/{name}", {"type": "topic", "durable": True})
        for name in ("mes.orders", "crm.events.dead"):
            self.manage("PUT", f"queues/%2F/{name}", {"durable": True})
        dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "crm.events.dead"}
        self.manage("PUT", "queues/%2F/crm.events", {"durable": True, "arguments": dead})
        self.manage("POST", "bindings/%2F/e/mes/q/crm.events", {"routing_key": "mes.#"})
        self.bind("order.#")

    def bind(self, key):
        self.manage("POST", "bindings/%2F/e/orders/q/mes.orders", {"routing_key": key})

    def take(self, queue="mes.orders"):
        """The next message out of a queue, waited for. A broker that is killed may have forgotten that one was taken: its id tells."""
        def one():
            found = self.manage("POST", f"queues/%2F/{queue}/get", {"count": 1, "ackmode": "ack_requeue_false", "encoding": "auto"})
            known = (queue, found[0]["properties"].get("message_id")) if found else None
            if known is None or known in self.taken:
                return None
            self.taken.add(known)
            return found[0]
        return harness.wait_until(one, f"a message in {queue}; the CRM API says: {self.words()[-2000:]}", 60)

    def tell(self, body, headers=None, text=None):
        """What MES would publish."""
        done = self.manage("POST", "exchanges/%2F/mes/publish", {
            "routing_key": body["type"] if body else "mes.nonsense", "payload": text or json.dumps(body), "payload_encoding": "string",
            "properties": {"delivery_mode": 2, "content_type": "application/json", "message_id": os.urandom(8).hex(), "headers": headers or {}}})
        assert done["routed"], "nobody takes it"

    def fault(self, *ways):
        path = os.path.join(self.faults, "crm-api")
        with open(path + ".new", "w", encoding="ascii") as file:
            file.write("".join(f"{way}\n" for way in ways))
        os.rename(path + ".new", path)

    def order(self, status, version):
        """A new order, as SHOP API leaves it; returns its id."""
        self.number += 1
        name = f"ORD-{self.number:06d}"
        self.sql(f"INSERT INTO orders (id, status, version, customer, piece) VALUES ('{name}', '{status}', {version}, 'Ada', 'ring')")
        return name

    def submit(self, name, version=3):
        """The outbox's row of a submitted order; returns the trace that it goes on."""
        trace = harness.new_trace_id()
        body = {"schema": 1, "type": "order.submitted", "order_id": name, "version": version, "at": now(), "model_key": f"models/{name}.stl"}
        headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01", "baggage": f"order.id={name}"}
        self.sql(f"INSERT INTO outbox (order_id, routing_key, body, headers) VALUES ('{name}', 'order.submitted', '{json.dumps(body)}', '{json.dumps(headers)}')")
        return trace

    def state(self, name):
        return self.sql(f"SELECT status || ' ' || version FROM orders WHERE id = '{name}'")

    def wait_state(self, name, state):
        harness.wait_until(lambda: self.state(name) == state, f"{name} is {state}; the CRM API says: {self.words()[-2000:]}", 60)

    def wait_polls(self, count):
        """Until the outbox was looked at so often: a transaction each, and each question here is one too."""
        def commits():
            return int(self.sql("SELECT xact_commit FROM pg_stat_database WHERE datname = 'postgres'"))
        begin = commits()
        harness.wait_until(lambda: commits() > begin + 2 * count, f"{count} polls", 60)

    def spans(self, trace, wanted):
        """The trace's spans, when all those that `wanted` takes one for are there: a function of a list of spans."""
        found = []

        def is_there():
            found[:] = self.filigree.spans(trace)
            return wanted(found)
        try:
            harness.wait_until(is_there, "the spans")
        except AssertionError as error:
            shown = "\n".join(f"{one['name']} {one.get('status', {})} {attributes(one)}" for one in found)
            raise AssertionError(f"not in trace {trace}; there are:\n{shown}") from error
        return found


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def attributes(span):
    return {one["key"]: next(iter(one["value"].values())) for one in span.get("attributes", [])}


def named(spans, name, failed=None):
    return [one for one in spans if one["name"] == name and failed in (None, one.get("status", {}).get("code", 0) == 2)]


def traceparent(trace, name):
    return {"traceparent": f"00-{trace}-00f067aa0ba902b7-01", "baggage": f"order.id={name}"}


# -- Cases


def case_outbox():
    """an outbox row is published once, with its trace and its order on each span"""
    company = Company.get()
    name = company.order("SUBMITTED", 3)
    trace = company.submit(name)
    message = company.take()
    body = json.loads(message["payload"])
    assert body["order_id"] == name and body["version"] == 3 and message["routing_key"] == "order.submitted", message
    properties = message["properties"]
    assert properties["delivery_mode"] == 2 and len(properties["message_id"]) == 36, properties
    assert properties["headers"]["traceparent"].split("-")[1] == trace, properties
    assert properties["headers"]["baggage"] == f"order.id={name}", properties
    spans = company.spans(trace, lambda found: named(found, "publish orders") and named(found, "outbox.relay"))
    assert all(attributes(one).get("order.id") == name for one in spans), [attributes(one) for one in spans]
    publish, relay = named(spans, "publish orders")[0], named(spans, "outbox.relay")[0]
    assert publish["parentSpanId"] == relay["spanId"] and relay["parentSpanId"] == "00f067aa0ba902b7", (publish, relay)
    assert publish["kind"] == PRODUCER and publish["spanId"] == properties["headers"]["traceparent"].split("-")[2], publish
    harness.wait_until(lambda: company.sql("SELECT count(*) FROM outbox WHERE sent_at IS NULL") == "0", "the row is marked as sent")
    # The count of a queue's messages is some seconds old: one asks for another message.
    assert not company.manage("POST", "queues/%2F/mes.orders/get", {"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto"}), "it was published twice"


def case_approve():
    """a seller approves an order with a price, and nothing else; MES is told in the same trace"""
    company = Company.get()
    name = company.order("PRICE_CALCULATED", 4)
    trace = harness.new_trace_id()
    status, order = company.ask("POST", f"/orders/{name}/approve", {"seller": "Grace"}, traceparent(trace, name))
    assert status == 200 and order["status"] == "MANUFACTURING_APPROVED" and order["version"] == 5 and order["seller"] == "Grace", (status, order)
    body = json.loads(company.take()["payload"])
    assert body["type"] == "order.approved" and body["order_id"] == name and body["version"] == 5, body
    spans = company.spans(trace, lambda found: named(found, "publish orders") and named(found, "POST /orders/:id/approve"))
    entry = attributes(named(spans, "POST /orders/:id/approve")[0])
    assert entry["order.status"] == "MANUFACTURING_APPROVED" and int(entry["order.version"]) == 5, entry
    assert all(attributes(one).get("order.id") == name for one in spans), [(one["name"], attributes(one)) for one in spans]
    assert any(attributes(one).get("db.system.name") == "postgresql" for one in spans), [attributes(one) for one in spans]

    for path, content, wanted in [(f"/orders/{name}/approve", {"seller": "Grace"}, 409), ("/orders/ORD-999999/approve", {"seller": "Grace"}, 404),
                                  (f"/orders/{name}/approve", {}, 400), (f"/orders/{name}/approve", {"seller": "x" * 101}, 400), ("/nonsense", {}, 404)]:
        status, answer = company.ask("POST", path, content)
        assert status == wanted and answer["error"] and answer["message"], (path, status, answer)
    assert company.state(name) == "MANUFACTURING_APPROVED 5"


def case_events():
    """what MES tells changes the order, only forwards, and an ended order not at all"""
    company = Company.get()
    name = company.order("SUBMITTED", 3)
    trace = harness.new_trace_id()
    priced = {"schema": 1, "type": "mes.price_calculated", "order_id": name, "version": 4, "at": now(), "status": "PRICE_CALCULATED", "price_cents": 12900}
    company.tell(priced, traceparent(trace, name))
    company.wait_state(name, "PRICE_CALCULATED 4")
    assert company.sql(f"SELECT price_cents FROM orders WHERE id = '{name}'") == "12900"
    spans = company.spans(trace, lambda found: named(found, "crm.events process"))
    consumer = named(spans, "crm.events process")[0]
    assert consumer["kind"] == CONSUMER and consumer["parentSpanId"] == "00f067aa0ba902b7", consumer
    assert attributes(consumer)["order.status"] == "PRICE_CALCULATED" and attributes(consumer)["order.id"] == name, attributes(consumer)

    changed = {"schema": 1, "type": "mes.status_changed", "order_id": name, "version": 9, "at": now(), "status": "SHIPPED"}
    company.tell(changed)
    company.wait_state(name, "SHIPPED 9")
    late = harness.new_trace_id()
    company.tell({**changed, "version": 8, "status": "PACKAGING"}, traceparent(late, name))
    spans = company.spans(late, lambda found: named(found, "crm.events process", failed=False))
    assert attributes(named(spans, "crm.events process")[0])["message.outdated"] is True, spans
    assert company.state(name) == "SHIPPED 9"

    ended = company.order("CANCELLED", 5)
    trace = harness.new_trace_id()
    company.tell({**changed, "order_id": ended}, traceparent(trace, ended))
    company.spans(trace, lambda found: named(found, "crm.events process", failed=False))
    assert company.state(ended) == "CANCELLED 5"


def case_refused():
    """a message that breaks the schema, or names no order, is refused with its reason and kept aside"""
    company = Company.get()
    name = company.order("SUBMITTED", 3)
    good = {"schema": 1, "type": "mes.price_calculated", "order_id": name, "version": 4, "at": now(), "status": "PRICE_CALCULATED", "price_cents": 12900}
    bad = [(good, "no JSON at all", "schema_violation"), ({**good, "version": "v4"}, None, "schema_violation"),
           ({key: value for key, value in good.items() if key != "order_id"}, None, "schema_violation"),
           ({**good, "type": "mes.status_changed", "status": "MELTED"}, None, "schema_violation"),
           ({**good, "order_id": "ORD-999999"}, None, "unknown_order")]
    for body, text, reason in bad:
        trace = harness.new_trace_id()
        company.tell(body, traceparent(trace, name), text)
        dead = company.take("crm.events.dead")
        assert dead["payload"] == (text or json.dumps(body)), dead
        spans = company.spans(trace, lambda found: named(found, "crm.events process", failed=True))
        consumer = named(spans, "crm.events process")[0]
        assert attributes(consumer)["error.type"] == reason, attributes(consumer)
        assert [event["name"] for event in consumer["events"]] == ["exception"], consumer
    assert company.state(name) == "SUBMITTED 3"


def case_wrong_route():
    """a message that no queue takes is an error NO_ROUTE, stays in the outbox with what follows it, and goes out when the way is there"""
    company = Company.get()
    name = company.order("SUBMITTED", 3)
    company.fault("wrong_route")
    company.manage("DELETE", "bindings/%2F/e/orders/q/mes.orders/order.%23")
    company.bind("order.submitted")
    company.bind("order.cancelled")
    try:
        trace = company.submit(name)
        spans = company.spans(trace, lambda found: named(found, "publish orders", failed=True))
        assert attributes(named(spans, "publish orders", failed=True)[0])["error.type"] == "NO_ROUTE", spans
        company.sql(f"INSERT INTO outbox (order_id, routing_key, body, headers) VALUES ('{name}', 'order.cancelled', "
                    f"'{json.dumps({'schema': 1, 'type': 'order.cancelled', 'order_id': name, 'version': 4, 'at': now()})}', '{{}}')")
    finally:
        company.fault()
    taken = [json.loads(company.take()["payload"]) for _ in range(2)]
    assert [(one["order_id"], one["type"]) for one in taken] == [(name, "order.submitted"), (name, "order.cancelled")], taken
    company.bind("order.#")


def case_bad_message():
    """with the fault bad_message what goes out is in a format that the schema does not know"""
    company = Company.get()
    name = company.order("SUBMITTED", 3)
    company.fault("bad_message")
    try:
        company.submit(name)
        body = json.loads(company.take()["payload"])
    finally:
        company.fault()
    assert "order_id" not in body and not isinstance(body["version"], int), body


def case_broker_away():
    """an order survives a broker that is away, and a CRM API that is killed meanwhile"""
    company = Company.get()
    name = company.order("PRICE_CALCULATED", 4)
    company.broker.crash()
    trace = harness.new_trace_id()
    status, _ = company.ask("POST", f"/orders/{name}/approve", {"seller": "Grace"}, traceparent(trace, name))
    assert status == 200, status
    spans = company.spans(trace, lambda found: named(found, "publish orders", failed=True))
    failed = attributes(named(spans, "publish orders", failed=True)[0])
    assert failed["messaging.destination.name"] == "orders" and failed["error.type"], failed
    company.wait_polls(20)
    assert len(named(company.filigree.spans(trace), "publish orders", failed=True)) == 1, "that the broker is away is said again and again"
    company.crm.send_signal(signal.SIGKILL)
    company.crm.wait()
    company.broker.start()
    company.start()
    body = json.loads(company.take()["payload"])
    assert body["order_id"] == name and body["version"] == 5, body
    company.spans(trace, lambda found: named(found, "publish orders", failed=False))


def case_database_away():
    """while SHOP DB is away approving answers 503 and events wait in their queue; then both go on"""
    company = Company.get()
    name, other = company.order("SUBMITTED", 3), company.order("PRICE_CALCULATED", 4)
    company.db.crash("QUIT")
    trace = harness.new_trace_id()
    company.tell({"schema": 1, "type": "mes.price_calculated", "order_id": name, "version": 4, "at": now(), "status": "PRICE_CALCULATED", "price_cents": 12900}, traceparent(trace, name))
    status, answer = company.ask("POST", f"/orders/{other}/approve", {"seller": "Grace"})
    assert status == 503 and "SHOP DB" in answer["message"], (status, answer)
    company.spans(trace, lambda found: named(found, "crm.events process", failed=True))
    company.db.start()
    company.wait_state(name, "PRICE_CALCULATED 4")
    company.spans(trace, lambda found: named(found, "crm.events process", failed=False))
    harness.wait_until(lambda: company.ask("POST", f"/orders/{other}/approve", {"seller": "Grace"})[0] == 200, "approving works again")
    assert json.loads(company.take()["payload"])["order_id"] == other


def case_database_lost_meanwhile():
    """SHOP DB that goes away while a message waits for its confirm takes nothing with it"""
    company = Company.get()
    name = company.order("SUBMITTED", 3)
    broker = company.broker.process_id()
    os.kill(broker, signal.SIGSTOP)
    try:
        company.submit(name)
        harness.wait_until(lambda: company.sql("SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'") == "1", "the row is being sent")
        company.db.crash("QUIT")
        company.db.start()
        assert company.ask("GET", "/healthz")[0] == 200, company.words()[-2000:]
    finally:
        os.kill(broker, signal.SIGCONT)
    assert json.loads(company.take()["payload"])["order_id"] == name
    harness.wait_until(lambda: company.sql("SELECT count(*) FROM outbox WHERE sent_at IS NULL") == "0", "the row is marked as sent", 60)


def case_idle():
    """polling and health checks make no spans"""
    company = Company.get()
    # What the cases before did has been exported when a request of now has.
    trace = harness.new_trace_id()
    company.ask("POST", "/orders/ORD-999999/approve", {"seller": "Grace"}, {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    company.spans(trace, lambda found: named(found, "POST /orders/:id/approve"))
    strangers = company.filigree.metric("filigree_ingest_spans_total") - len(company.filigree.spans(trace))
    company.wait_polls(15)
    for _ in range(5):
        assert company.ask("GET", "/healthz")[0] == 200
    last = harness.new_trace_id()
    company.ask("POST", "/orders/ORD-999999/approve", {"seller": "Grace"}, {"traceparent": f"00-{last}-00f067aa0ba902b7-01"})
    company.spans(last, lambda found: named(found, "POST /orders/:id/approve"))

    def are_ours():  # one of a trace may come after another
        ours = sum(len(company.filigree.spans(one)) for one in (trace, last))
        return company.filigree.metric("filigree_ingest_spans_total") - strangers == ours
    harness.wait_until(are_ours, "no spans but those of the two requests")


def case_last():
    """asked to end it ends, and what it had to tell is told"""
    company = Company.get()
    name = company.order("PRICE_CALCULATED", 4)
    trace = harness.new_trace_id()
    assert company.ask("POST", f"/orders/{name}/approve", {"seller": "Grace"}, traceparent(trace, name))[0] == 200
    company.crm.send_signal(signal.SIGTERM)
    assert company.crm.wait(60) == 0, company.words()
    company.spans(trace, lambda found: named(found, "POST /orders/:id/approve"))


if __name__ == "__main__":
    try:
        STATUS = harness.main(globals())
    finally:
        if Company.now:
            Company.now.close()
    sys.exit(STATUS)
