#!/usr/bin/env python3
"""tenants.py FILIGREE [CASE...]: two tenants with data of every kind; by no route does one see a byte of the other's, or change it.

The routes are those that the server lists (`GET /`): a route that is added is walked without a change here.
"""
import http.client
import json
import os
import re
import sys
import tempfile
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from doors import Closed, routes_of  # noqa: E402
from harness import free_port, request, span  # noqa: E402

FLOW = """
tenant: {name}
flows:
  - name: flow-{mark}
    key: order.id
    steps:
      - {{name: first-{mark}, when: 'name="op-{mark}"'}}
      - {{name: second-{mark}, when: 'name="later-{mark}"', within: 30d}}
"""
MONITOR = """  - {{name: watch-{mark}, kind: tcp, tenant: {name}, service: shared-service, host: 127.0.0.1, port: {port}, interval: 1s, confirm: 0}}
"""
SERVER = Closed()
STATE = {}


class Tenant:
    """What one of them has: every name with a mark that no other byte of the server has."""

    def __init__(self, name, number):
        self.name = name
        self.mark = f"zq{number}x7mark"
        self.trace = harness.new_trace_id()
        self.span = os.urandom(8).hex()
        self.order = f"ORD-{self.mark}"
        self.token = None
        # What can be asked for by name, and what only an answer can tell.
        self.ids = [self.trace, self.span, f"service-{self.mark}", f"op-{self.mark}", self.order, f"key-{self.mark}", f"value-{self.mark}",
                    f"watch-{self.mark}", f"flow-{self.mark}", "1"]
        self.marks = [self.mark, self.trace, self.span]

    def headers(self, kind="application/json"):
        return {"Authorization": f"Bearer {self.token}", "Content-Type": kind}

    def spans(self, trace=None, error=True):
        status = harness.field(15, harness.field(2, f"failure-{self.mark}") + harness.field(3, 2)) if error else b""
        return request(span(trace or self.trace, self.span, f"op-{self.mark}", kind=2, extra=status,
                            attributes={"order.id": self.order, f"key-{self.mark}": f"value-{self.mark}", "url.path": f"/path-{self.mark}",
                                        "server.address": f"peer-{self.mark}"}),
                       span(trace or self.trace, os.urandom(8).hex(), f"client-{self.mark}", kind=3,
                            attributes={"order.id": self.order, "peer.service": f"called-{self.mark}", "db.system": "postgresql"}),
                       service=f"service-{self.mark}")

    def send(self, trace=None, headers=None):
        headers = {**self.headers("application/x-protobuf"), **(headers or {})}
        status, _, body = SERVER.request("POST", "/v1/traces", self.spans(trace), headers, SERVER.http)
        return status, body

    def send_shared(self):
        """A service of one name that both tenants have, which each has its own monitor for."""
        body = request(span(harness.new_trace_id(), os.urandom(8).hex(), f"shared-{self.mark}", kind=2), service="shared-service")
        status, _, answer = SERVER.request("POST", "/v1/traces", body, self.headers("application/x-protobuf"), SERVER.http)
        assert status == 200, answer

    def ask(self, path, method="GET", body=None):
        """Status and bytes of an answer; of one that does not end what comes at once."""
        connection = http.client.HTTPConnection("127.0.0.1", SERVER.api, timeout=60)
        try:
            connection.request(method, path, body, self.headers())
            answer = connection.getresponse()
            if (answer.headers.get("content-type") or "").startswith("text/event-stream") or "/tail" in path:
                return answer.status, answer.read1(1 << 16) if answer.status == 200 and "events" in path else b""
            return answer.status, answer.read()
        finally:
            connection.close()

    def get(self, path):
        status, body = self.ask(path)
        assert status == 200, (self.name, path, status, body)
        return json.loads(body)


def both():
    """Two tenants that have everything, once."""
    if "both" in STATE:
        return STATE["both"]
    pair = Tenant("acme", 1), Tenant("globex", 2)
    folder = STATE["folder"] = tempfile.TemporaryDirectory(prefix="filigree-tenants-")  # pylint: disable=consider-using-with
    monitors = os.path.join(folder.name, "monitors.yaml")
    with open(monitors, "w", encoding="ascii") as file:
        file.write("monitors:\n" + "".join(MONITOR.format(name=one.name, mark=one.mark, port=free_port()) for one in pair))
    paths = []
    for one in pair:
        paths.append(os.path.join(folder.name, one.name + ".yaml"))
        with open(paths[-1], "w", encoding="ascii") as file:
            file.write(FLOW.format(name=one.name, mark=one.mark))
    SERVER.options += ["--flows", ",".join(paths), "--monitors", monitors]
    SERVER.start()
    for one in pair:
        SERVER.add_tenant(one.name)
        one.token = SERVER.token("ingest", "operator", "admin", name=f"all-{one.name}", tenant=one.name)
        assert one.send()[0] == 200
        one.send_shared()
    for one in pair:
        harness.wait_until(lambda one=one: len(one.get("/api/v1/incidents")["incidents"]) == 1, "the order's incident is open")
        harness.wait_until(lambda one=one: one.mark in json.dumps(one.get("/api/v1/monitors")) and
                           one.get(f"/api/v1/monitors/watch-{one.mark}")["result"] == "down", "the monitor has looked")
    STATE["both"] = pair
    return pair


def routes():
    token = SERVER.token("admin", name="lister", tenant="*")
    status, _, body = SERVER.request("GET", "/", headers={"Authorization": f"Bearer {token}"})
    assert status == 200
    found = routes_of(body.decode())
    assert len(found) > 80, len(found)
    return found


def paths_of(path, other):
    """The path with the other's names in its places, each in turn; with them in every parameter of queries as well."""
    places = len(re.findall(r"\{\w+\}", path))
    if places == 0:
        yield path, []
        for name in (other.trace, f"service-{other.mark}", other.order, f"value-{other.mark}"):
            word = urllib.parse.quote(name)
            query = f"service={word}&q={word}&name={word}&key={word}&spanName={word}&serviceName={word}&traceIds={word}&operation={word}&traceID={word}"
            for one in query.split("&"):
                yield f"{path}?{one}", [name]
            # TraceQL and words, of routes that read a query
            yield f"{path}?" + urllib.parse.urlencode({"q": '{ resource.service.name = "' + name + '" }'}), [name]
    elif places == 1:
        for name in other.ids:
            yield re.sub(r"\{\w+\}", urllib.parse.quote(name), path), [name]
    else:
        for first, second in ((other.trace, other.span), ("order.id", other.order), (f"key-{other.mark}", f"value-{other.mark}")):
            yield re.sub(r"\{\w+\}", second, re.sub(r"\{\w+\}", first, path, count=1)), [first, second]


def told(answer, asked, other):
    """What of the other's stands in an answer, beside what was asked by name."""
    for name in sorted(asked, key=len, reverse=True):
        for form in (name, urllib.parse.quote(name), name.upper()):
            if len(form) > 4:
                answer = answer.replace(form.encode(), b"")
    return [mark for mark in other.marks if mark.encode() in answer.lower()]


def case_no_byte_of_the_others():
    """Every route of the table, asked with the other tenant's ids, keys, values and names: no byte of the other's is in the answer."""
    pair = both()
    wrong, asked, let_in = [], 0, set()
    for own, other in (pair, pair[::-1]):
        for method, path, _, _ in routes():
            if method != "GET":
                continue
            for concrete, names in paths_of(path, other):
                status, answer = own.ask(concrete)
                asked += 1
                if status == 200:
                    let_in.add(path)
                wrong += [f"{own.name}: GET {concrete}: {found}" for found in told(answer, names, other)]
    assert not wrong, "\n".join(wrong[:20])
    print(f"# {asked} requests by two tenants, {len(let_in)} routes answered 200 to some")
    assert len(let_in) > 40, sorted(let_in)


def case_own_is_there():
    """What the walk did not find is there: each tenant's own answers have its marks, by the same routes."""
    for own in both():
        for path in (f"/api/v1/traces/{own.trace}", f"/api/traces/{own.trace}", f"/api/v2/trace/{own.trace}", "/api/v1/traces", "/api/v1/services",
                     "/api/v1/keys", "/api/v1/journeys", "/api/v1/board", f"/api/v1/journeys/order.id/{own.order}", "/api/v1/incidents",
                     "/api/v1/incidents/1", "/api/v1/flows", "/api/v1/monitors", "/api/v1/map", "/api/v1/stage", "/api/services", "/api/v2/services"):
            status, answer = own.ask(path)
            assert status == 200 and own.mark.encode() in answer, (own.name, path, status, answer[:300])


def case_nothing_of_the_others_changes():
    """Every route that changes something, with the other's ids: the other's data is afterwards as it was."""
    pair = both()
    for own, other in (pair, pair[::-1]):
        def kept(other=other):
            incident = other.get("/api/v1/incidents/1")
            return [other.get(f"/api/v1/journeys/order.id/{other.order}")["state"], incident["state"], incident["timeline"],
                    sorted(json.dumps(other.get(f"/api/v1/traces/{other.trace}"))),
                    sorted(one["name"] for one in other.get("/api/v1/monitors")["monitors"])]

        before = kept()
        for method, path, _, _ in routes():
            if method == "GET" or "erase" in path or "/import" in path or path.startswith(("/v1/", "/api/v2/spans")):
                continue
            # An incident's number is one within its tenant: own's first is not the other's.
            for concrete, names in paths_of(path, other):
                if "incidents/1/" in concrete or "?" in concrete:
                    continue
                status, answer = own.ask(concrete, method, json.dumps({"text": f"by {own.name}", "name": other.order}))
                assert not told(answer, [*names, other.order], other), (method, concrete, status, answer)
        assert own.ask("/api/v1/incidents/1/note", "POST", json.dumps({"text": f"note of {own.name}"}))[0] == 200
        for query in (f'span.order.id = "{other.order}"', f'name = "op-{other.mark}"'):
            own.ask("/api/v1/admin/erase?" + urllib.parse.urlencode({"q": f"{{ {query} }}", "traces": "true"}), "POST", "{}")
        assert kept() == before, (own.name, before, kept())


def case_spans_go_to_ones_own():
    """Whatever a sender writes into its requests, its spans are its own tenant's; another's name is refused."""
    own, other = both()
    for header in ({"Filigree-Tenant": other.name}, {"Filigree-Tenant": "default"}, {"Filigree-Tenant": "*"}):
        status, body = own.send(headers=header)
        assert status == 403 and other.mark.encode() not in body, (header, status, body)
    trace = harness.new_trace_id()
    assert own.send(trace, {"X-Scope-OrgID": other.name, "X-Tenant": other.name, "Tenant": other.name})[0] == 200
    assert own.ask(f"/api/v1/traces/{trace}")[0] == 200 and other.ask(f"/api/v1/traces/{trace}")[0] == 404
    # The same trace and span ids are two: neither sees the other's under its own.
    assert own.send(other.trace)[0] == 200
    assert own.mark not in json.dumps(other.get(f"/api/v1/traces/{other.trace}"))
    assert other.mark not in json.dumps(own.get(f"/api/v1/traces/{other.trace}"))


def case_streams():
    """What is told as it happens is told to whom it happened."""
    own, other = both()
    streams = []
    for path in ("/api/v1/journeys/events", f"/api/v1/journeys/order.id/ORD-new-{other.mark}/events", "/api/v1/incidents/events", "/api/v1/tail"):
        connection = http.client.HTTPConnection("127.0.0.1", SERVER.api, timeout=60)
        connection.request("GET", path, headers=own.headers())
        answer = connection.getresponse()
        assert answer.status == 200, (path, answer.status)
        streams.append((path, connection, answer))
    for one in (other, own):  # the other's first: when own's has come, the other's would have
        one.order = f"ORD-new-{one.mark}"
        assert one.send(harness.new_trace_id())[0] == 200
        harness.wait_until(lambda one=one: one.ask(f"/api/v1/journeys/order.id/{one.order}")[0] == 200, "the order is followed")
    for path, connection, answer in streams:
        data, end = b"", time.monotonic() + 60
        wanted = own.mark.encode() if path in ("/api/v1/journeys/events", "/api/v1/tail") else b"event: ready"
        while wanted not in data:
            assert time.monotonic() < end, (path, data)
            part = answer.read1(1 << 16)
            assert part, (path, data)
            data += part
        assert other.mark.encode() not in data, (path, data)
        connection.close()


def case_after_a_kill():
    """Killed and started again, each has its own still, and no more."""
    pair = both()
    SERVER.kill()
    SERVER.launch()
    harness.wait_until(SERVER.is_ready_or_gone, "it is ready", 60)
    for own, other in (pair, pair[::-1]):
        harness.wait_until(lambda: own.mark in json.dumps(own.get("/api/v1/journeys")), "its journeys are read back")  # noqa: B023
        journeys = json.dumps([own.get("/api/v1/journeys"), own.get("/api/v1/incidents"), own.get("/api/v1/flows")])
        assert own.mark in journeys and other.mark not in journeys, journeys


if __name__ == "__main__":
    with SERVER:
        try:
            sys.exit(harness.main(globals()))
        finally:
            if "folder" in STATE:
                STATE["folder"].cleanup()
