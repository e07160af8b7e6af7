#!/usr/bin/env python3
"""quotas.py FILIGREE [CASE...]: what a tenant may send and keep: each bound stops its own tenant and no other, and the figures are each one's."""
import json
import os
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from doors import Closed  # noqa: E402
from harness import request, span, wait_until  # noqa: E402

GRPC_PATH = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
QUOTAS = {"by-spans": ("spans", {"spans_per_second": 10}), "by-bytes": ("bytes", {"bytes_per_second": 1000}),
          "by-attributes": ("attributes", {"attributes_per_second": 20})}
DAY_NS = 86400 * 10**9
SERVER = Closed(["--retention-policies", "tenant=short age=1d,tenant=later age=1d"])
TOKENS = {}


def send(tenant, *spans, service="test-service"):
    sent = {"Content-Type": "application/x-protobuf", "Authorization": f"Bearer {TOKENS[tenant]}"}
    return SERVER.request("POST", "/v1/traces", request(*spans, service=service), sent, SERVER.http)


def many(count, attributes=10):
    return [span(harness.new_trace_id(), attributes={f"key.{i}": "some text" for i in range(attributes)}) for _ in range(count)]


def admin(path):
    status, _, body = SERVER.root.get(path)
    assert status == 200, (path, status, body)
    return body


def stats(tenant=None):
    return json.loads(admin("/api/v1/stats" + (f"?tenant={tenant}" if tenant else "")))


def of(tenant):
    return [one for one in stats()["tenants"] if one["tenant"] == tenant][0]


def series(name, **labels):
    text = ",".join(f'{key}="{value}"' for key, value in labels.items())
    for line in admin("/metrics").decode().splitlines():
        if line.startswith(f"{name}{{{text}}} "):
            return float(line.rsplit(" ", 1)[1])
    raise AssertionError(f"no {name}{{{text}}}")


def case_start():
    """Tenants with a quota of each kind, and some without."""
    SERVER.start()
    assert "tenant that is not there yet tenant=short" in SERVER.words()
    for name in (*QUOTAS, "free", "short", "long"):
        SERVER.add_tenant(name, **QUOTAS.get(name, (None, {}))[1])
        TOKENS[name] = SERVER.token("ingest", name=f"in-{name}", tenant=name)


def case_each_bound_stops_its_own():
    """Spans, bytes and attributes: past the bound 429 with Retry-After and why, gRPC's RESOURCE_EXHAUSTED; the others send on."""
    for name, (kind, _) in QUOTAS.items():
        assert send(name, *many(4000))[0] == 200, "one request passes, and is owed for minutes"
        trace = harness.new_trace_id()
        status, fields, body = send(name, span(trace))
        assert status == 429 and int(fields["retry-after"]) >= 1 and f"more {kind} are sent".encode() in body, (name, status, body)
        assert series("filigree_tenant_over_quota_total", tenant=name, quota=kind) == 1
        for other in {"spans", "bytes", "attributes"} - {kind}:
            assert series("filigree_tenant_over_quota_total", tenant=name, quota=other) == 0
        assert of(name)["over_quota"] == {"spans": 0, "bytes": 0, "attributes": 0, kind: 1}
        for other in (*QUOTAS, "free"):
            if other != name:
                assert send(other, *many(1, 0))[0] == (429 if other in list(QUOTAS)[:list(QUOTAS).index(name)] else 200), (name, other)
        assert SERVER.root.get(f"/api/v1/traces/{trace}", {"Filigree-Tenant": name})[0] == 404
    # gRPC tells when to come again.
    message = request(span(harness.new_trace_id()))
    done = subprocess.run(["curl", "-s", "-D", "-", "--http2-prior-knowledge", "-H", "content-type: application/grpc", "-H", "te: trailers", "-H",
                           f"authorization: Bearer {TOKENS['by-bytes']}", "--data-binary", "@-", "-o", os.devnull, f"http://127.0.0.1:{SERVER.grpc}{GRPC_PATH}"],
                          input=b"\0" + struct.pack(">I", len(message)) + message, capture_output=True, timeout=60, check=False).stdout
    assert b"grpc-status: 8" in done and b"grpc-status-details-bin" in done, done


def case_a_bound_goes_with_its_tenants_wish():
    """A quota that is raised holds from the next request on, and is kept."""
    assert send("by-bytes", *many(1, 0))[0] == 429
    assert SERVER.root.post("/api/v1/tenants/by-bytes", {"bytes_per_second": 0})[0] == 200
    assert send("by-bytes", *many(1, 0))[0] == 200
    assert of("by-bytes")["quota_per_second"] == {"spans": 0, "bytes": 0, "attributes": 0}
    assert of("by-spans")["quota_per_second"] == {"spans": 10, "bytes": 0, "attributes": 0}


def case_figures_are_apart():
    """What a tenant sent and keeps is told of it alone: by the route, by /metrics, by `filigree stats --tenant`."""
    before = {name: of(name) for name in ("free", "long")}
    assert send("free", *many(7, 3), service="free-service")[0] == 200
    for name, more in (("free", 7), ("long", 0)):
        after = of(name)
        assert after["received"]["spans"] - before[name]["received"]["spans"] == more, (name, after)
        assert after["received"]["attributes"] - before[name]["received"]["attributes"] == more * 3, (name, after)
        assert (after["received"]["bytes"] > before[name]["received"]["bytes"]) == (more > 0)
        assert series("filigree_tenant_spans_total", tenant=name) == after["received"]["spans"]
        assert series("filigree_tenant_bytes_total", tenant=name) == after["received"]["bytes"]
        assert series("filigree_tenant_attributes_total", tenant=name) == after["received"]["attributes"]
    assert send("long", *many(3, 1), service="long-service")[0] == 200
    assert SERVER.root.post("/api/v1/admin/seal")[0] == 200
    wait_until(lambda: of("free")["spans"] and of("long")["spans"], "both are sealed")
    whole = stats()
    for name in ("free", "long"):
        own = stats(name)
        assert own["tenant"] == name and {one["tenant"] for one in own["services"]} == {name}, own["services"]
        # A merge between the two answers makes them differ.
        wait_until(lambda name=name: all(sum(day[what] for day in stats(name)["days"]) == of(name)[what] for what in ("spans", "bytes")), f"the days of {name} are its sum")
    assert {one["service"] for one in stats("free")["services"]} >= {"free-service"}
    assert {one["service"] for one in stats("long")["services"]} == {"long-service"}
    assert "key.2" in json.dumps(stats("free")["keys"]) and "key.2" not in json.dumps(stats("long")["keys"])
    assert sum(one["spans"] for one in whole["tenants"]) == whole["store"]["segment_spans"] == sum(day["spans"] for day in whole["days"])
    assert {("free", "free-service"), ("long", "long-service")} <= {(one["tenant"], one["service"]) for one in whole["services"]}
    assert SERVER.root.get("/api/v1/stats?tenant=nobodys")[0] == 404 and SERVER.root.get("/api/v1/stats?tenants=free")[0] == 400
    env = {**os.environ, "FILIGREE_SERVER": f"http://127.0.0.1:{SERVER.api}", "FILIGREE_TOKEN": SERVER.token("admin", name="cli", tenant="*")}
    said = subprocess.run([harness.BINARY, "stats", "--tenant", "free"], capture_output=True, text=True, timeout=60, check=False, env=env)
    assert said.returncode == 0 and "free-service" in said.stdout and "long-service" not in said.stdout and "by-spans" not in said.stdout, said
    said = subprocess.run([harness.BINARY, "stats", "--tenant", "nobodys"], capture_output=True, text=True, timeout=60, check=False, env=env)
    assert said.returncode == 1 and "tenant" in said.stderr, said


def case_rollups_are_apart():
    """Counts and durations by service are a tenant's own, from what is sealed and from what is not."""
    for name, other in (("free", "long"), ("long", "free")):
        token = SERVER.token("viewer", name=f"view-{name}", tenant=name)
        for path in ("/api/v1/services", f"/api/v1/series?by=service&start={time.time_ns() - 3600 * 10**9}&end={time.time_ns() + 60 * 10**9}", "/api/v1/durations", "/api/v1/map"):
            status, _, body = SERVER.request("GET", path, headers={"Authorization": f"Bearer {token}"})
            assert status == 200 and f"{other}-service".encode() not in body, (path, body)
        counts = {one["service"]: one["span_count"] for one in json.loads(SERVER.request("GET", "/api/v1/services", headers={"Authorization": f"Bearer {token}"})[2])["services"]}
        assert counts[f"{name}-service"] == {"free": 7, "long": 3}[name], counts


def case_retention_is_apart():
    """A tenant whose spans stay a day loses those of three days ago, another keeps them; a policy finds a tenant that came after it."""
    SERVER.add_tenant("later")
    TOKENS["later"] = SERVER.token("ingest", name="in-later", tenant="later")
    traces = {}
    for name in ("short", "later", "long"):
        traces[name] = harness.new_trace_id()
        assert send(name, span(traces[name], start=time.time_ns() - 3 * DAY_NS))[0] == 200

    def is_there(name):
        return SERVER.root.get(f"/api/v1/traces/{traces[name]}", {"Filigree-Tenant": name})[0] == 200

    assert all(is_there(name) for name in traces)
    assert SERVER.root.post("/api/v1/admin/seal")[0] == 200
    assert SERVER.root.post("/api/v1/admin/merge")[0] == 200
    wait_until(lambda: not is_there("short") and not is_there("later"), "what is past its tenant's age is gone", 60)
    assert is_there("long")
    SERVER.end()
    SERVER.start()
    assert "not there yet" not in SERVER.words() and is_there("long") and not is_there("short")


if __name__ == "__main__":
    with SERVER:
        sys.exit(harness.main(globals()))
