"""Two hours of the jewellery maker's traffic, for tests of the services' pages: seven services that send spans, and those that send
none: two databases, an object store, two queues, a bank. In the last hour crm-api fails now and then, the shop's database is slow,
and the printer has gone silent. The same spans for the same seed, up to the time.
"""
import json
import random

MINUTE_NS = 60 * 10**9
MS = 10**6
PER_MINUTE = 8


def value(one):
    return {"intValue": str(one)} if isinstance(one, int) else {"stringValue": one}


def pairs(attributes):
    return [{"key": key, "value": value(one)} for key, one in attributes.items()]


class Traffic:
    """Spans by service, until they are taken."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.services = {}
        self.trace = ""

    def begin(self):
        self.trace = f"{self.random.getrandbits(128) | 1:032x}"

    def span(self, service, name, kind, parent, start_ns, length_ms, attributes=None, error=None, links=()):
        span_id = f"{self.random.getrandbits(64) | 1:016x}"
        one = {"traceId": self.trace, "spanId": span_id, "parentSpanId": parent or "", "name": name, "kind": kind,
               "startTimeUnixNano": str(int(start_ns)), "endTimeUnixNano": str(int(start_ns + length_ms * MS)), "attributes": pairs(attributes or {}),
               "links": [{"traceId": self.trace, "spanId": link} for link in links]}
        if error:
            one["status"] = {"code": 2, "message": error}
        self.services.setdefault(service, []).append(one)
        return span_id

    def take(self):
        body = {"resourceSpans": [
            {"resource": {"attributes": pairs({"service.name": service, "service.version": "2.7.4", "host.name": f"{service}-1"})},
             "scopeSpans": [{"scope": {"name": "shop", "version": "1"}, "spans": spans}]} for service, spans in self.services.items()]}
        self.services = {}
        return json.dumps(body)

    def about(self, ms):
        return ms * self.random.lognormvariate(0, 0.35)


SERVER, CLIENT, PRODUCER, CONSUMER = 2, 3, 4, 5
SHOP_DB = {"db.system.name": "postgresql", "db.namespace": "shop", "server.address": "shop-db"}
MES_DB = {"db.system.name": "postgresql", "db.namespace": "mes", "server.address": "mes-db"}
ORDERS = {"messaging.system": "rabbitmq", "messaging.destination.name": "mes.orders"}
PRICES = {"messaging.system": "rabbitmq", "messaging.destination.name": "crm.prices"}


def order(traffic, now_ns, is_bad):
    """A customer's order, from the page to its price."""
    slow = 14 if is_bad else 1
    db_ms = traffic.about(9 * slow)
    fails = is_bad and traffic.random.random() < 0.09
    page = traffic.span("shop-page", "submit order", CLIENT, None, now_ns, 240 + db_ms, {"server.address": "shop.example"})
    shop = traffic.span("shop-api", "POST /orders", SERVER, page, now_ns + 8 * MS, 180 + db_ms, {"http.route": "/orders"})
    traffic.span("shop-api", "validate", 1, shop, now_ns + 9 * MS, traffic.about(2))
    traffic.span("shop-api", "INSERT orders", CLIENT, shop, now_ns + 14 * MS, db_ms, SHOP_DB)
    traffic.span("shop-api", "PUT model", CLIENT, shop, now_ns + 20 * MS, traffic.about(90), {"aws.s3.bucket": "models", "rpc.system": "aws-api"})
    traffic.span("shop-api", "POST pay", CLIENT, shop, now_ns + 30 * MS, traffic.about(60), {"url.full": "https://bank.example/pay", "server.address": "bank.example"})
    call = traffic.span("shop-api", "POST crm-api", CLIENT, shop, now_ns + 120 * MS, 60, {"server.address": "crm"})
    crm = traffic.span("crm-api", "POST /customers/orders", SERVER, call, now_ns + 122 * MS, traffic.about(50), {"http.route": "/customers/orders"},
                       "the customer is locked by another order" if fails else None)
    if fails:
        return
    traffic.span("crm-api", "SELECT customers", CLIENT, crm, now_ns + 125 * MS, traffic.about(6 * slow), SHOP_DB)
    sent = traffic.span("crm-api", "mes.orders publish", PRODUCER, crm, now_ns + 150 * MS, 3, ORDERS)
    wait_ms = traffic.about(400)
    taken_ns = now_ns + (153 + wait_ms) * MS
    taken = traffic.span("mes-api", "mes.orders process", CONSUMER, None, taken_ns, 320, ORDERS, links=[sent])
    traffic.span("mes-api", "GET model", CLIENT, taken, taken_ns + 5 * MS, traffic.about(80), {"aws.s3.bucket": "models"})
    traffic.span("mes-api", "price.calculate", 1, taken, taken_ns + 90 * MS, traffic.about(160))
    traffic.span("mes-api", "INSERT prices", CLIENT, taken, taken_ns + 260 * MS, traffic.about(4), MES_DB)
    priced = traffic.span("mes-api", "crm.prices publish", PRODUCER, taken, taken_ns + 300 * MS, 2, PRICES)
    traffic.span("crm-api", "crm.prices process", CONSUMER, priced, taken_ns + 420 * MS, traffic.about(20), PRICES)


def page_of_mes(traffic, now_ns):
    page = traffic.span("mes-page", "open board", CLIENT, None, now_ns, 130, {"server.address": "mes"})
    mes = traffic.span("mes-api", "GET /board", SERVER, page, now_ns + 5 * MS, traffic.about(60), {"http.route": "/board"})
    traffic.span("mes-api", "SELECT board", CLIENT, mes, now_ns + 8 * MS, traffic.about(12), MES_DB)


def minutes(now_ns, hours=2, seed=4711):
    """Yields OTLP JSON requests, a minute each, up to now."""
    traffic = Traffic(seed)
    count = hours * 60
    for minute in range(count, 0, -1):
        is_bad = minute <= 25
        for _ in range(PER_MINUTE):
            traffic.begin()
            order(traffic, now_ns - minute * MINUTE_NS + traffic.random.random() * (MINUTE_NS - 2 * 10**9), is_bad)
        for _ in range(PER_MINUTE // 2):
            traffic.begin()
            page_of_mes(traffic, now_ns - minute * MINUTE_NS + traffic.random.random() * (MINUTE_NS - 10**9))
        traffic.begin()
        if minute > 60:
            traffic.span("printer", "print label", SERVER, None, now_ns - minute * MINUTE_NS, traffic.about(700))
        if minute % 10 == 0:
            traffic.span("nightly", "count stock", 1, None, now_ns - minute * MINUTE_NS, traffic.about(4000))
        yield traffic.take()
