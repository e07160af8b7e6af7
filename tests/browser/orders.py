"""A jeweller's orders, as spans: for the tests of the pages that show where an order is."""
import json
import time

import harness

FLOW = """flows:
  - name: order
    key: order.id
    within: 20s
    format-errors: [schema_violation]
    steps:
      - {name: placed, label: Order placed, when: 'service:shop-api name="POST /orders"'}
      - {name: submitted, label: Submitted, when: 'service:crm-api name="POST /submit"', within: 10m}
      - {name: priced, label: {en: Price computed, ru: Цена посчитана}, when: 'service:mes-api name=price.calculate', within: 30s}
      - {name: approved, label: {en: Approved by the seller, ru: Одобрен продавцом}, when: 'service:crm-api name="POST /approve"', human: {en: seller, ru: продавец}, within: 2d}
      - {name: shipped, label: Shipped, when: 'service:mes-api name=ship', within: 12h, ends: done}
      - {name: cancelled, label: Cancelled, when: 'service:shop-api name="POST /cancel"', after: [placed, submitted, priced], ends: cancelled}
"""
STRANGE = "<img src=x onerror=document.title='broken'>\u202e/?#%"
KINDS = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
MQ = {"messaging.system": "rabbitmq", "messaging.destination.name": "mes.orders", "server.address": "broker"}


class Trace:
    """Spans of one trace, sent together. Times are seconds before now."""

    def __init__(self, server):
        self.server, self.trace_id, self.spans, self.next = server, harness.new_trace_id(), {}, 1

    def add(self, service, name, ago, length=0.1, parent=0, kind="server", order=None, error="", interrupted=False, **attributes):
        start = time.time_ns() - int(ago * 1e9)
        pairs = {key.replace("__", "."): text for key, text in attributes.items()}
        if order:
            pairs["order.id"] = order
        listed = [{"key": key, "value": {"stringValue": text}} for key, text in pairs.items()]
        if interrupted:
            listed.append({"key": "filigree.marks", "value": {"arrayValue": {"values": [{"stringValue": "interrupted"}]}}})
        number = self.next
        self.next += 1
        self.spans.setdefault(service, []).append({
            "traceId": self.trace_id, "spanId": f"{number:016x}", "parentSpanId": f"{parent:016x}" if parent else "", "name": name,
            "kind": KINDS[kind], "startTimeUnixNano": str(start), "endTimeUnixNano": str(start + int(length * 1e9)),
            "status": {"code": 2, "message": error} if error else {}, "attributes": listed})
        return number

    def send(self):
        body = {"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
                                   "scopeSpans": [{"spans": spans}]} for service, spans in self.spans.items()]}
        status, _, answer = self.server.send(json.dumps(body).encode(), "application/json")
        assert status == 200, answer


class Orders:
    """Sends them to a server."""

    def __init__(self, server):
        self.server = server

    def place(self, order, ago, fault=False):
        trace = Trace(self.server)
        page = trace.add("shop-page", "click Place", ago, 0.9, kind="internal")
        api = trace.add("shop-api", "POST /orders", ago - 0.1, 0.4, page, order=order, error="500" if fault else "")
        trace.add("shop-api", "INSERT orders", ago - 0.2, 0.05, api, "client", error="sorry, too many clients already" if fault else "",
                  db__system__name="postgresql", server__address="shop-db", **({"db__response__status_code": "53300"} if fault else {}))
        trace.send()

    def submit(self, order, ago, consumed=True, died=False):
        trace = Trace(self.server)
        api = trace.add("crm-api", "POST /submit", ago, 0.2, order=order)
        publish = trace.add("crm-api", "publish mes.orders", ago - 0.1, 0.02, api, "producer", **{key.replace(".", "__"): text for key, text in MQ.items()})
        if consumed:
            end = {"error": "killed by SIGKILL", "interrupted": True} if died else {}
            consumer = trace.add("mes-api", "process mes.orders", ago - 2, 6, publish, "consumer", order=order, **end)
            trace.add("mes-api", "price.calculate", ago - 3, 4.5, consumer, "internal", **end)
        trace.send()

    def one(self, service, name, order, ago):
        trace = Trace(self.server)
        trace.add(service, name, ago, order=order)
        trace.send()

    def send_all(self):
        for i in range(20):
            self.place(f"ORD-{100 + i}", 40000 + i)
            self.submit(f"ORD-{100 + i}", 39900 + i)
            self.one("crm-api", "POST /approve", f"ORD-{100 + i}", 30000)
            self.one("mes-api", "ship", f"ORD-{100 + i}", 20000)
        for i in range(9):
            self.place(f"ORD-{200 + i}", 900 + i)
            self.submit(f"ORD-{200 + i}", 850 + i)
        self.place("ORD-300", 800)
        self.submit("ORD-300", 700, died=True)
        for i in range(7):
            self.place(f"ORD-{400 + i}", 650)
            self.submit(f"ORD-{400 + i}", 600, consumed=False)
        for i in range(3):
            self.place(f"ORD-{500 + i}", 300, fault=True)
        self.place("ORD-600", 10)
        self.place("ORD-700", 500)
        self.one("shop-api", "POST /cancel", "ORD-700", 400)
        self.place(STRANGE, 5)
