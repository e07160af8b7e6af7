"""Cases of the whole company while all is well: orders go from the first click to CLOSED, and their traces hold every hop.

All is real: PostgreSQL with replicas, RabbitMQ, the S3 server, the three APIs, the pages in a Chromium. faults.py runs them first.
"""
import collections
import json
import os
import re
import sys
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "browser")]
import chromium  # noqa: E402
from company import harness  # noqa: E402

LOOKS_MAX = 100  # health checks of demo/up while services start, which may take them long; polls would be thousands

# Every hop of an order, as (service, kind, name) from the click on; an indented one is below the one before it that is indented less.
BY_CLICK = """
shop-page 1 place order
  shop-page 3 POST
    shop-api 2 POST /orders
      shop-api 3 INSERT orders
  shop-page 3 PUT
    shop-api 2 PUT /orders/{id}/model
      shop-api 3 S3.PutObject
      shop-api 3 UPDATE orders
shop-page 1 submit order
  shop-page 3 POST
    shop-api 2 POST /orders/{id}/submit
      shop-api 3 INSERT outbox
      crm-api 1 outbox.relay
        crm-api 4 publish orders
          mes-api 5 process orders:order.submitted:mes.orders
            mes-api 3 S3.GetObject
            mes-api 1 price.calculate
            mes-api 3 INSERT jobs
            mes-api 4 publish mes:mes.price_calculated
              crm-api 5 crm.events process
                crm-api 3 pg.query:UPDATE shop
shop-page 1 approve order
  shop-page 3 POST
    shop-api 2 POST /orders/{id}/approve
      shop-api 3 POST /orders/{id}/approve
        crm-api 2 POST /orders/:id/approve
          crm-api 3 pg.query:UPDATE shop
          crm-api 1 outbox.relay
            crm-api 4 publish orders
              mes-api 5 process orders:order.approved:mes.orders
mes-page 1 start order
  mes-page 3 POST
    mes-api 2 POST /orders/{id}/start
      mes-api 3 UPDATE jobs
      mes-api 4 publish mes:mes.status_changed
        crm-api 5 crm.events process
          crm-api 3 pg.query:UPDATE shop
mes-page 1 finish order
  mes-page 3 POST
    mes-api 2 POST /orders/{id}/finish
      mes-api 4 publish mes:mes.status_changed
        crm-api 5 crm.events process
mes-page 1 pack order
  mes-page 3 POST
    mes-api 2 POST /orders/{id}/pack
      mes-api 3 POST /labels
      mes-api 4 publish mes:mes.status_changed
        crm-api 5 crm.events process
mes-page 1 ship order
  mes-page 3 POST
    mes-api 2 POST /orders/{id}/ship
      mes-api 4 publish mes:mes.status_changed
        crm-api 5 crm.events process
          crm-api 3 pg.query:UPDATE shop
shop-page 1 close order
  shop-page 3 POST
    shop-api 2 POST /orders/{id}/close
      shop-api 3 UPDATE orders
"""


class Running:
    """The company, and Filigree beside it, for all cases; faults.py has started it."""
    now = None

    @classmethod
    def get(cls):
        return cls.now

    def __init__(self, company):
        self.company = company
        self.run = company.script

    def get_json(self, path):
        status, answer = self.company.ask("GET", f"http://127.0.0.1:{self.company.api}{path}", seconds=60)
        assert status in (200, 404), (path, status, answer)
        return answer if status == 200 else {}

    def journey(self, order):
        return self.get_json(f"/api/v1/journeys/order.id/{order}")

    def wait_state(self, order, *states):
        try:
            return harness.wait_until(lambda: (state := self.journey(order).get("state")) in states and state, "", 60)
        except AssertionError:
            raise AssertionError(f"{order} is not {' or '.join(states)} but {json.dumps(self.journey(order))[:3000]}") from None

    def spans(self, trace):
        """(service, span) of all."""
        found = []
        for resource in self.get_json(f"/api/v1/traces/{trace}").get("resourceSpans", []):
            service = attributes(resource["resource"])["service.name"]
            found += [(service, span) for scope in resource["scopeSpans"] for span in scope["spans"]]
        return found

    def traces(self, query):
        return self.get_json("/api/v1/traces?" + urllib.parse.urlencode({"q": query, "limit": 1000}))["traces"]


def attributes(thing):
    return {one["key"]: next(iter(one["value"].values())) for one in thing.get("attributes", [])}


class Hop:
    def __init__(self, line):
        self.depth = (len(line) - len(line.lstrip())) // 2
        self.service, kind, self.name = line.split(maxsplit=2)
        self.kind = int(kind)
        self.below = []


def hops():
    roots, way = [], []
    for line in BY_CLICK.strip().splitlines():
        hop = Hop(line)
        del way[hop.depth:]
        (way[-1].below if way else roots).append(hop)
        way.append(hop)
    return roots


class Tree:
    """The spans of a trace by what stands above them."""

    def __init__(self, spans):
        self.by_id = {span["spanId"]: span for _, span in spans}
        self.spans = spans

    def is_below(self, span, above):
        while span is not None:
            span = self.by_id.get(span.get("parentSpanId"))
            if span is above:
                return True
        return False

    def missing(self, hop, above=None):
        """None where the hop and all below it are there, else the hop that is not."""
        deepest = hop
        for service, span in self.spans:
            if (service, span.get("kind"), span["name"]) != (hop.service, hop.kind, hop.name) or (above and not self.is_below(span, above)):
                continue
            wrong = next((wrong for below in hop.below if (wrong := self.missing(below, span))), None)
            if not wrong:
                return None
            deepest = wrong
        return deepest


def check_healthy(company, order, roots):
    """Each root's tree is in a trace of this order, and nothing in any of its traces failed."""
    def wrong():
        trees = [Tree(company.spans(trace["trace_id"])) for trace in company.traces(f"order.id={order}")]
        for root in roots:
            lacks = [tree.missing(root) for tree in trees if any(span["name"] == root.name and service == root.service for service, span in tree.spans)]
            if not lacks:
                return f"no trace has {root.service} {root.name}"
            if all(lacks):
                return f"below {root.service} {root.name} there is no {lacks[0].service} {lacks[0].name}"
        return None
    try:
        harness.wait_until(lambda: not wrong(), "")
    except AssertionError:
        raise AssertionError(f"{order}: {wrong()}") from None
    for trace in company.traces(f"order.id={order}"):
        for service, span in company.spans(trace["trace_id"]):
            assert span.get("status", {}).get("code", 0) != 2, f"a span failed: {service} {span['name']}: {span['status']}"
            assert attributes(span).get("order.id", order) == order, f"{service} {span['name']} has another order's number: {attributes(span)}"


# -- Cases


def case_traffic():
    """orders of many people at once are all closed, or cancelled as planned, and their journeys say so"""
    company = Running.get()
    done = company.run("traffic", "--orders", "12", "--rate", "4", "--seed", "7", "--think-scale", "0.000005", "--patience", "180", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads(done.stdout.strip().splitlines()[-1])
    assert summary["closed"] + summary["cancelled"] == 12 and summary["cancelled"] > 0, summary
    states = collections.Counter(company.wait_state(f"ORD-{number:06d}", "done", "cancelled") for number in range(1, 13))
    assert states == {"done": summary["closed"], "cancelled": summary["cancelled"]}, (states, summary)


def case_browser():
    """an order that is clicked through has every hop in its traces, the browser and both ways through RabbitMQ included"""
    if not chromium.find():
        raise harness.Skip("chromium is not installed")
    company = Running.get()
    done = company.run("browser", "--orders", "1", "--patience", "180")
    assert done.returncode == 0, done.stdout + done.stderr
    order = re.search(r"ORD-\d+", done.stdout)[0]
    company.wait_state(order, "done")
    check_healthy(company, order, hops())
    journey = company.journey(order)
    assert [step["name"] for step in journey["steps"] if step["reached"]][-1] == "closed", journey["steps"]
    # A trace for each click and each look, none shared with another order.
    assert len(journey["traces"]) >= len(hops()), journey["traces"]


def case_quiet():
    """polls of pages, relays and people who wait make no traces: those of no order are a page's files and demo/up's own looks"""
    company = Running.get()
    looks = 0
    for service in ("shop-api", "mes-api", "crm-api"):
        for trace in company.traces(f"service:{service}"):
            spans = company.spans(trace["trace_id"])
            if any("order.id" in attributes(span) for _, span in spans):
                continue
            paths = {attributes(span).get("url.path", f"{name} {span['name']}") for name, span in spans}
            looks += paths == {"/healthz"}
            assert all(re.fullmatch(r"/|/healthz|/assets/[\w.]+", path) for path in paths), f"a trace of nobody's order: {paths}"
    assert looks <= LOOKS_MAX, f"{looks} traces of health checks"
