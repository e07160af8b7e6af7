#!/usr/bin/env python3
"""walk.py FILIGREE [CASE...]: the whole walk of a span through the real program, as an operator and a developer take it:
sent, read back by every route, listed, exported and imported, backed up and restored, erased, and kept over a kill.
"""
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from harness import BINARY, Server, holds, request, span, wait_until  # noqa: E402

FOLDER = tempfile.mkdtemp(prefix="filigree-walk-", dir=os.environ.get("TMPDIR") or "/var/tmp")
SERVER = Server(options=["--backup-folders", FOLDER])
TRACE = harness.new_trace_id()
OTHER = harness.new_trace_id()
START_NS = time.time_ns() - 90 * 10**9


def run(*arguments, server=None, check=0, text=None, seconds=60, env=None):
    """Runs the program; its exit status must be check. Returns what it wrote to standard output and error."""
    environment = {**os.environ, **(env or {})}
    if server:
        environment["FILIGREE_SERVER"] = f"http://127.0.0.1:{server.api}"
    done = subprocess.run([BINARY, *arguments], input=text, capture_output=True, text=True, timeout=seconds, env=environment,
                          check=False)
    assert done.returncode == check, f"{arguments}: {done.returncode} instead of {check}: {done.stdout}{done.stderr}"
    return done.stdout, done.stderr


def get_json(path, status=200, server=SERVER):
    found, body = server.get(path)
    assert found == status, f"GET {path}: {found} instead of {status}: {body[:300]!r}"
    return json.loads(body)


def value(text):
    return {"stringValue": text}


def order_trace():
    """An order's trace over two services, as OTLP JSON, with a bit of everything."""
    def one(span_id, parent, name, kind, offset_ms, length_ms, **more):
        start = START_NS + offset_ms * 10**6
        return {"traceId": TRACE, "spanId": span_id, "parentSpanId": parent, "name": name, "kind": kind,
                "startTimeUnixNano": str(start), "endTimeUnixNano": str(start + length_ms * 10**6), **more}

    shop = [one("00000000000000a1", "", "POST /orders", 2, 0, 300, attributes=[
        {"key": "order.id", "value": value("ORD-4711")}, {"key": "order.total", "value": {"doubleValue": 129.5}},
        {"key": "http.response.status_code", "value": {"intValue": "201"}}, {"key": "retry", "value": {"boolValue": False}}]),
        one("00000000000000a2", "00000000000000a1", "POST mes", 3, 20, 250)]
    mes = [one("00000000000000b1", "00000000000000a2", "price.calculate", 2, 40, 200, status={"code": 2, "message": "no model"},
               attributes=[{"key": "order.id", "value": value("ORD-4711")}],
               events=[{"timeUnixNano": str(START_NS + 60 * 10**6), "name": "exception",
                        "attributes": [{"key": "exception.type", "value": value("ModelMissing")}]}],
               links=[{"traceId": OTHER, "spanId": "00000000000000c1"}])]
    return {"resourceSpans": [
        {"resource": {"attributes": [{"key": "service.name", "value": value(service)}]},
         "scopeSpans": [{"scope": {"name": "walk", "version": "1"}, "spans": spans}]}
        for service, spans in (("shop-api", shop), ("mes-api", mes))]}


def attributes_of(item):
    return {pair["key"]: next(iter(pair["value"].values())) for pair in item.get("attributes", [])}


# -- Starting


def case_start():
    """The server starts, lives, is ready, and says where it listens."""
    SERVER.start()
    assert SERVER.get("/healthz") == (200, b"ok\n")
    assert SERVER.get("/readyz") == (200, b"ready\n")
    status, body = SERVER.get("/")
    assert status == 200 and b"/api/v1/traces" in body
    words = SERVER.words()
    assert f"api=127.0.0.1:{SERVER.api}" in words and "info ready" in words, words


def case_ports_of_the_kernel():
    """With port 0 the kernel chooses, and the log names what it chose."""
    with Server(options=["--api", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0", "--otlp-grpc", "127.0.0.1:0"]) as server:
        server.launch()
        wait_until(lambda: "info ready" in server.words(), "the log says ready")
        ports = dict(re.findall(r"(otlp_grpc|otlp_http|api)=127\.0\.0\.1:(\d+)", server.words()))
        assert len(set(ports.values()) - {"0"}) == 3, ports
        server.api = int(ports["api"])
        assert server.get("/readyz")[0] == 200
        assert server.end() == 0


def case_json_logs():
    """Every line of the log is a JSON object where that is asked for."""
    with Server(options=["--log-format", "json"]) as server:
        server.start()
        assert server.end() == 0
        lines = [json.loads(line) for line in server.words().splitlines()]
        messages = [line["message"] for line in lines]
        assert [m for m in messages if m in ("listening", "ready", "stopping", "stopped")] == [
            "listening", "ready", "stopping", "stopped"], messages


# -- In, and read back


def case_json_in():
    """OTLP JSON is taken, and every field comes back."""
    status, headers, body = SERVER.send(json.dumps(order_trace()), "application/json")
    assert (status, headers["content-type"], body) == (200, "application/json", b"{}")
    spans = {one["spanId"]: one for one in SERVER.spans(TRACE)}
    sent = {one["spanId"]: one for one in harness.spans_of(order_trace())}
    assert spans.keys() == sent.keys()
    for span_id, one in sent.items():
        got = spans[span_id]
        for key in ("traceId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano"):
            assert got[key] == one[key], (span_id, key, got[key])
        assert got.get("parentSpanId", "") == one["parentSpanId"]
        assert attributes_of(got) == attributes_of(one), attributes_of(got)
    failed = spans["00000000000000b1"]
    assert failed["status"] == {"code": 2, "message": "no model"}
    assert failed["events"][0]["name"] == "exception"
    assert attributes_of(failed["events"][0]) == {"exception.type": "ModelMissing"}
    assert failed["links"][0]["traceId"] == OTHER


def case_protobuf_in():
    """OTLP protobuf is taken on both OTLP ports and on the API's."""
    for port in (SERVER.http, SERVER.grpc, SERVER.api):
        trace_id = harness.new_trace_id()
        status, headers, body = SERVER.request("POST", "/v1/traces", request(span(trace_id, attributes={"n": -7, "x": 0.5})),
                                               {"Content-Type": "application/x-protobuf"}, port)
        assert (status, headers["content-type"], body) == (200, "application/x-protobuf", b"")
        (got,) = SERVER.spans(trace_id)
        assert attributes_of(got) == {"n": "-7", "x": 0.5}


def case_partial_success():
    """Of a request with bad spans the good ones are kept, and the answer counts the others."""
    trace_id = harness.new_trace_id()
    status, _, body = SERVER.send(request(span(trace_id), span("00" * 16)))
    assert status == 200
    assert harness.partial_success(body) == (1, "1 span: trace id is all zero"), body
    assert len(SERVER.spans(trace_id)) == 1


def case_retry_is_found_once():
    """A request that is sent twice is stored once."""
    trace_id = harness.new_trace_id()
    body = request(span(trace_id))
    assert SERVER.send(body)[0] == SERVER.send(body)[0] == 200
    assert len(SERVER.spans(trace_id)) == 1


def case_open_span():
    """A span without an end is there, and replaced when it ends."""
    trace_id = harness.new_trace_id()
    start = time.time_ns()
    assert SERVER.send(request(span(trace_id, start=start, end=0)))[0] == 200
    (got,) = SERVER.spans(trace_id)
    assert got.get("endTimeUnixNano", "0") == "0"
    assert SERVER.send(request(span(trace_id, start=start, end=start + 5000)))[0] == 200
    (got,) = SERVER.spans(trace_id)
    assert got["endTimeUnixNano"] == str(start + 5000)


def case_zipkin_in():
    """Zipkin's JSON is taken, with a span that client and server share."""
    trace_id = "00000000000000000000000000000a5e"
    micros = time.time_ns() // 1000
    shared = {"traceId": "a5e", "id": "1", "name": "get", "timestamp": micros, "duration": 1000}
    body = json.dumps([
        {**shared, "kind": "CLIENT", "localEndpoint": {"serviceName": "front"}, "tags": {"http.path": "/x"}},
        {**shared, "kind": "SERVER", "shared": True, "localEndpoint": {"serviceName": "back"}}])
    status, _, answer = SERVER.request("POST", "/api/v2/spans", body, {"Content-Type": "application/json"})
    assert (status, answer) == (202, b"")
    kinds = sorted(one["kind"] for one in SERVER.spans(trace_id))
    assert kinds == [2, 3], kinds


def case_unknown_trace():
    """A trace that is not there is a 404 in each API's own form; an id that is none a 400."""
    missing = harness.new_trace_id()
    assert get_json(f"/api/v1/traces/{missing}", 404) == {"error": "trace not found", "code": "not_found"}
    answer = get_json(f"/api/traces/{missing}", 404)
    assert answer["data"] is None and answer["errors"] == [{"code": 404, "msg": "trace not found"}], answer
    assert get_json("/api/v1/traces/xyz", 400)["code"] == "invalid"
    assert get_json("/api/traces/0", 400)["errors"][0]["code"] == 400


# -- Lists


def case_search():
    """Traces are listed by service, name and time, newest first, page by page."""
    found = get_json("/api/v1/traces?service=mes-api&name=price.calculate")
    (trace,) = found["traces"]
    assert trace["trace_id"] == TRACE and trace["root_service"] == "shop-api" and trace["root_name"] == "POST /orders"
    assert trace["span_count"] == 3 and trace["error_count"] == 1 and trace["duration_ns"] == "300000000", trace
    assert {s["service"]: s["error_count"] for s in trace["services"]} == {"shop-api": 0, "mes-api": 1}
    assert get_json(f"/api/v1/traces?service=mes-api&end={START_NS}")["traces"] == []
    assert get_json("/api/v1/traces?service=nobody")["traces"] == []
    every = get_json("/api/v1/traces?limit=1000")["traces"]
    starts = [int(t["start_ns"]) for t in every]
    paged, cursor = [], ""
    while cursor is not None:
        page = get_json(f"/api/v1/traces?limit=2{'&cursor=' + cursor if cursor else ''}")
        paged += [t["trace_id"] for t in page["traces"]]
        cursor = page["next"]
    assert len(starts) >= 6 and paged == [t["trace_id"] for t in every], (paged, every)


def case_jaeger_trace():
    """Jaeger's route gives the trace in Jaeger's JSON."""
    answer = get_json(f"/api/traces/{TRACE}")
    assert answer["errors"] is None and [answer[key] for key in ("total", "limit", "offset")] == [0, 0, 0]
    (trace,) = answer["data"]
    assert trace["traceID"] == TRACE and len(trace["spans"]) == 3
    assert sorted(p["serviceName"] for p in trace["processes"].values()) == ["mes-api", "shop-api"]
    spans = {s["operationName"]: s for s in trace["spans"]}
    price = spans["price.calculate"]
    assert price["startTime"] == (START_NS + 40 * 10**6) // 1000 and price["duration"] == 200000
    assert {"refType": "CHILD_OF", "traceID": TRACE, "spanID": "00000000000000a2"} in price["references"]
    tags = {t["key"]: (t["type"], t["value"]) for t in price["tags"]}
    assert tags["order.id"] == ("string", "ORD-4711") and tags["error"] == ("bool", True), tags
    assert trace["processes"][price["processID"]]["serviceName"] == "mes-api"


def jaeger_ids(query, status=200):
    answer = get_json("/api/traces?" + query, status)
    return [t["traceID"] for t in answer["data"]] if status == 200 else answer["errors"][0]["msg"]


def case_jaeger_search():
    """Jaeger's search takes all its parameters."""
    assert jaeger_ids("service=shop-api") == [TRACE]
    assert jaeger_ids("service=shop-api&operation=POST+/orders&limit=20&lookback=1h") == [TRACE]
    assert jaeger_ids("service=shop-api&operation=other") == []
    assert jaeger_ids("service=shop-api&tags=%7B%22order.id%22%3A%22ORD-4711%22%7D") == [TRACE]
    assert jaeger_ids("service=shop-api&tag=http.response.status_code:201&tag=retry:false&tag=order.total:129.5") == [TRACE]
    assert jaeger_ids("service=shop-api&tag=order.id:ORD-1") == []
    assert jaeger_ids("service=mes-api&tag=error:true&tag=exception.type:ModelMissing&tag=span.kind:server") == [TRACE]
    assert jaeger_ids("service=shop-api&tag=error:true") == []
    assert jaeger_ids("service=shop-api&minDuration=299.9ms&maxDuration=0.31s") == [TRACE]
    assert jaeger_ids("service=shop-api&minDuration=301ms") == []
    micros = START_NS // 1000
    assert jaeger_ids(f"service=shop-api&start={micros - 1}&end={micros + 1000000}") == [TRACE]
    assert jaeger_ids(f"service=shop-api&start={micros + 1000000}") == []
    missing = harness.new_trace_id()
    answer = get_json(f"/api/traces?traceID={TRACE}&traceID={missing}")
    assert [t["traceID"] for t in answer["data"]] == [TRACE]
    assert answer["errors"] == [{"msg": "trace not found", "traceID": missing}], answer["errors"]
    assert jaeger_ids("", 400) == "parameter 'service' is required"
    assert "minDuration" in jaeger_ids("service=a&minDuration=5", 400)
    assert "malformed 'tags'" in jaeger_ids("service=a&tags=%7B", 400)
    assert "malformed 'tag'" in jaeger_ids("service=a&tag=x", 400)
    assert "'limit'" in jaeger_ids("service=a&limit=many", 400)
    assert "'start'" in jaeger_ids("service=a&start=yesterday", 400)
    assert "traceID" in jaeger_ids("traceID=xyz", 400)
    assert jaeger_ids("service=a&minDuration=2s&maxDuration=1s", 400) == "'maxDuration' should be greater than 'minDuration'"


def case_services():
    """Services and operations are listed with their counts."""
    services = {s["service"]: s for s in get_json("/api/v1/services")["services"]}
    assert services["shop-api"]["span_count"] == 2 and services["mes-api"]["error_count"] == 1, services
    assert abs(services["mes-api"]["p50_ns"] - 200e6) < 30e6, services["mes-api"]
    operations = get_json("/api/v1/services/shop-api/operations")["operations"]
    assert sorted((o["name"], o["kind"]) for o in operations) == [("POST /orders", "server"), ("POST mes", "client")]
    answer = get_json("/api/services")
    assert answer["data"] == sorted(answer["data"]) and {"shop-api", "mes-api", "front", "back"} <= set(answer["data"])
    assert answer["total"] == len(answer["data"])
    assert get_json("/api/services/shop-api/operations")["data"] == ["POST /orders", "POST mes"]
    answer = get_json("/api/operations?service=shop-api&spanKind=server")
    assert answer["data"] == [{"name": "POST /orders", "spanKind": "server"}] and answer["total"] == 1, answer
    assert get_json("/api/operations", 400)["errors"][0]["msg"] == "parameter 'service' is required"


def case_dependencies():
    """Who calls whom is counted when both spans have met in a segment."""
    run("seal", server=SERVER)
    now = time.time_ns() // 10**6 + 60000
    edges = get_json(f"/api/dependencies?endTs={now}&lookback=3600000")["data"]
    assert {"parent": "shop-api", "child": "mes-api", "callCount": 1} in edges, edges
    only = get_json(f"/api/dependencies?endTs={now}&lookback=3600000&service=nobody")["data"]
    assert only == []
    assert get_json("/api/dependencies?endTs=soon", 400)["errors"][0]["code"] == 400


def case_jaeger_metrics():
    """Jaeger's Monitor tab gets rates, errors and latencies."""
    window = f"service=mes-api&endTs={time.time_ns() // 10**6}&lookback=600000&step=60000&ratePer=600000"
    families = {}
    for name in ("calls", "errors", "latencies"):
        family = get_json(f"/api/metrics/{name}?{window}&quantile=0.95")
        assert family["type"] == "GAUGE" and len(family["metrics"]) == 1, family
        assert family["metrics"][0]["labels"] == [{"name": "service_name", "value": "mes-api"}]
        assert len(family["metrics"][0]["metricPoints"]) == 11
        families[family["name"]] = [p["gaugeValue"]["doubleValue"] for p in family["metrics"][0]["metricPoints"]]
    assert families.keys() == {"service_call_rate", "service_error_rate", "service_latencies"}
    assert 0 < families["service_call_rate"][-1] < 0.01 and families["service_call_rate"][0] == 0
    assert families["service_error_rate"][-1] == 1 and families["service_error_rate"][0] == "NaN"
    assert abs(families["service_latencies"][-1] - 200) < 30, families["service_latencies"]
    family = get_json(f"/api/metrics/calls?{window}&groupByOperation=true")
    assert family["name"] == "service_operation_call_rate"
    assert {"name": "operation", "value": "price.calculate"} in family["metrics"][0]["labels"]
    assert get_json("/api/metrics/minstep")["data"] == 60000
    assert "service" in get_json("/api/metrics/calls", 400)["errors"][0]["msg"]
    assert "quantile" in get_json("/api/metrics/latencies?service=a", 400)["errors"][0]["msg"]
    assert "points" in get_json("/api/metrics/calls?service=a&lookback=99999999&step=1", 400)["errors"][0]["msg"]


def case_metrics():
    """/metrics counts what was done."""
    metrics = SERVER.metrics()
    assert metrics['filigree_ingest_spans_total{protocol="otlp_http_json"}'] == 3
    assert metrics['filigree_ingest_spans_total{protocol="zipkin"}'] == 2
    assert metrics['filigree_ingest_rejected_spans_total{reason="trace_id_zero"}'] == 1
    assert metrics["filigree_store_retried_requests_total"] == 1
    assert metrics["filigree_ready"] == 1 and metrics['filigree_store_state{state="ok"}'] == 1
    assert metrics["process_resident_memory_bytes"] > 1 << 20 and metrics["process_open_fds"] > 3
    assert metrics['filigree_http_requests_total{route="/v1/traces",method="POST",status="200"}'] >= 7
    count = metrics["filigree_ingest_duration_seconds_count"]
    assert count == metrics['filigree_ingest_duration_seconds_bucket{le="+Inf"}'] > 0


# -- The command line


def case_trace_command():
    """`filigree trace` draws the waterfall, gives JSON, and knows what is not there."""
    out, _ = run("trace", TRACE, server=SERVER)
    assert "price.calculate" in out and "no model" in out and "shop-api" in out and "\033" not in out, out
    out, _ = run("trace", TRACE, "--json", server=SERVER)
    assert len(harness.spans_of(json.loads(out))) == 3
    _, err = run("trace", harness.new_trace_id(), server=SERVER, check=1)
    assert "trace not found" in err
    _, err = run("trace", "xyz", server=SERVER, check=2)
    assert "32 hexadecimal digits" in err
    _, err = run("trace", TRACE, "--server", "http://127.0.0.1:1", check=3)
    assert "does `filigree serve` run?" in err


def case_no_proxy_on_the_way():
    """What the command line asks of a server on the same machine goes through no proxy of the environment's; what it asks of another does."""
    proxy = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:1")
    for host in ("127.0.0.1", "localhost"):
        run("stats", "--server", f"http://{host}:{SERVER.api}", check=0, env=proxy)
    _, err = run("stats", "--server", "http://filigree.invalid:7070", check=3, env=proxy)
    assert "127.0.0.1 port 1" in err, err


def case_services_command():
    """Services with spans, errors and durations; a service's operations; nothing is exit code 1."""
    out, _ = run("services", "--since", "1h", server=SERVER)
    lines = out.splitlines()
    assert lines[0].split() == ["Service", "Spans", "Errors", "Rate", "p50", "p95", "p99"], out
    assert any(line.startswith("shop-api ") for line in lines) and "\033" not in out, out
    out, _ = run("services", "mes-api", server=SERVER)
    assert "price.calculate" in out and "server" in out and "100.00%" in out, out
    assert json.loads(run("services", "--json", server=SERVER)[0])["services"]
    assert "no spans of this service" in run("services", "nobody", server=SERVER, check=1)[1]
    # what is not there is 1, also for who reads JSON
    assert json.loads(run("services", "nobody", "--json", server=SERVER, check=1)[0])["operations"] == []
    assert json.loads(run("search", "service:nobody", "--json", server=SERVER, check=1)[0])["traces"] == []


class Relay:
    """Stands before the server for one connection, and knows when an answer has begun: what is followed is followed from then on."""

    def __init__(self, port):
        self.begun = threading.Event()
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self.serve, args=(port,), daemon=True).start()

    def serve(self, port):
        client = self.listening.accept()[0]
        self.listening.close()
        with client, socket.create_connection(("127.0.0.1", port)) as server:
            threading.Thread(target=self.pump, args=(client, server), daemon=True).start()
            self.pump(server, client, self.begun)

    @staticmethod
    def pump(source, sink, begun=None):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
                if begun:
                    begun.set()
            sink.shutdown(socket.SHUT_WR)


def case_tail_command():
    """A tail shows what comes after it, as a table and as JSON, and what matches alone."""
    def tail(*arguments):
        relay = Relay(SERVER.api)
        environment = {**os.environ, "FILIGREE_SERVER": f"http://127.0.0.1:{relay.port}"}
        process = subprocess.Popen([BINARY, "tail", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        assert relay.begun.wait(60), "the tail begins"
        return process

    tails = [tail("--limit", "2"), tail("service:tailed-b", "--limit", "1", "--json")]
    for service in ("tailed-a", "tailed-b"):
        trace = harness.new_trace_id()
        body = {"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": value(service)}]},
                                   "scopeSpans": [{"spans": [{"traceId": trace, "spanId": "00000000000000d1",
                                                              "name": "watched", "kind": 2, "startTimeUnixNano": str(START_NS),
                                                              "endTimeUnixNano": str(START_NS + 5 * 10**6)}]}]}]}
        assert SERVER.request("POST", "/v1/traces", json.dumps(body).encode(),
                              {"Content-Type": "application/json"})[0] == 200
    table, _ = tails[0].communicate(timeout=60)
    lines, _ = tails[1].communicate(timeout=60)
    assert [t.returncode for t in tails] == [0, 0]
    assert [line.split()[1:4] for line in table.splitlines()] == [["tailed-a", "watched", "5.00ms"],
                                                                  ["tailed-b", "watched", "5.00ms"]], table
    assert json.loads(lines)["service"] == "tailed-b"
    assert "one span at a time" in run("tail", "trace.spans>3", server=SERVER, check=2)[1]


def case_trace_view():
    """The view of a page, and one of its spans."""
    view = get_json(f"/api/v1/traces/{TRACE}/view")
    assert view["span_count"] == len(view["spans"]["id"]) / 16 == 3 and view["services"] == ["shop-api", "mes-api"], view
    assert view["spans"]["parent"] == [-1, 0, 1]
    span_json = get_json(f"/api/v1/traces/{TRACE}/spans/00000000000000b1")
    assert [s["name"] for s in harness.spans_of(span_json)] == ["price.calculate"]
    assert get_json(f"/api/v1/traces/{TRACE}/find?text=PRICE")["spans"] == [2]


def case_stats_command():
    """`filigree stats` says what fills the disk."""
    run("seal", server=SERVER)
    out, _ = run("stats", server=SERVER)
    for word in ("Stored", "Growth", "Cost", "shop-api", "order.id"):
        assert word in out, out
    stats = json.loads(run("stats", "--json", server=SERVER)[0])
    assert stats["store"]["segment_spans"] > 3 and stats["store"]["head_spans"] == 0, stats["store"]
    assert stats["forecast"]["bytes_per_day"] > 0 and stats["disk"]["free_bytes"] > 0
    assert abs(sum(s["share"] for s in stats["services"]) - 1) < 1e-6
    assert abs(sum(k["share"] for k in stats["keys"]) - 1) < 1e-6
    assert stats["keys"][0]["bytes"] >= stats["keys"][-1]["bytes"]


def case_help():
    """Every command explains itself by example; what is misspelt is guessed."""
    out, _ = run("--help")
    commands = re.search(r"Commands\n(.*?)\n\n", out, re.S).group(1)
    names = [line.split()[0] for line in commands.splitlines()]
    assert {"serve", "trace", "stats", "export", "import", "backup", "restore", "verify", "seal", "erase"} <= set(names)
    for name in names:
        out, _ = run(name, "--help")
        assert f"filigree {name}" in out and "Examples" in out and "--help" in out, out
        assert run("help", name)[0] == out
    assert "did you mean `trace`?" in run("trase", check=2)[1]
    assert "did you mean --json?" in run("trace", TRACE, "--jsn", check=2)[1]
    assert "expected `filigree trace ID" in run("trace", check=2)[1]
    assert run("--version")[0].startswith("filigree ")
    assert "Usage" in run(check=2)[1]


def case_install():
    """`make install DESTDIR=` puts everything where it belongs, and the manual is one that man shows."""
    build = os.path.dirname(os.path.abspath(BINARY))
    meson = shutil.which("meson")
    if not meson or not os.path.exists(os.path.join(build, "build.ninja")):
        raise harness.Skip("no Meson, or no build folder beside the program")
    root = os.path.join(FOLDER, "root")
    subprocess.run([meson, "install", "-C", build, "--no-rebuild", "--quiet", "--destdir", root], check=True, timeout=60)
    found = {os.path.relpath(os.path.join(folder, name), root) for folder, _, names in os.walk(root) for name in names}
    for end in ("bin/filigree", "man/man1/filigree.1", "man/man3/libfiligree.3", "lib/systemd/system/filigree.service",
                "filigree/filigree.yaml", "bash-completion/completions/filigree", "include/filigree.h"):
        assert any(name.endswith(end) for name in found), f"{end} is not installed: {sorted(found)}"
    program, = [name for name in found if name.endswith("bin/filigree")]
    done = subprocess.run([os.path.join(root, program), "--version"], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith("filigree ")
    page, = [name for name in found if name.endswith("filigree.1")]
    groff = shutil.which("groff")
    if not groff:
        return
    done = subprocess.run([groff, "-man", "-Tutf8", "-ww", "-P-cbou", os.path.join(root, page)], capture_output=True,
                          text=True, check=True, timeout=60)
    assert not done.stderr, done.stderr
    for name in ("filigree serve", "--retention-age TIME", "FILIGREE_SERVER", "filigree search order.id=4711"):
        assert name in done.stdout, f"the manual lacks {name}"


def complete(line, asks=True):
    """What bash would offer for a line; with the : and = of a query as words of their own, as bash has them."""
    words = line.split(" ")
    script = f"""source <({os.path.abspath(BINARY)} completion bash)
        COMP_WORDS=({' '.join("'" + (word if i else os.path.abspath(BINARY)) + "'" for i, word in enumerate(words))})
        COMP_CWORD={len(words) - 1}
        _filigree
        printf '%s\\n' "${{COMPREPLY[@]}}" """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False, cwd=FOLDER,
                          env={**os.environ, "FILIGREE_SERVER": f"http://127.0.0.1:{SERVER.api if asks else 1}"})
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout.split()


def case_completion():
    """bash completes commands, options and values."""
    assert complete("filigree tr") == ["trace"]
    assert complete("filigree help ver") == ["verify", "version"]
    assert "--retention-age" in complete("filigree serve --ret")
    assert complete("filigree serve --log-level de") == ["debug"]
    assert complete("filigree serve --log-level = de") == ["debug"]
    assert complete("filigree trace --js") == ["--json"]
    os.makedirs(os.path.join(FOLDER, "completed"), exist_ok=True)
    assert complete("filigree verify comp") == ["completed"]
    assert complete("filigree serve --data comp") == ["completed"]
    assert complete("filigree services mes") == ["mes-api"]
    assert complete("filigree search service : mes") == ["mes-api"]
    assert "order.id" in complete("filigree search order")
    assert complete("filigree search status : e") == ["error"]
    assert complete("filigree tail kind = con") == ["consumer"]
    assert complete("filigree search trace.d", asks=False) == ["trace.duration"]
    assert complete("filigree search order", asks=False) == complete("filigree services mes", asks=False) == []


# -- Out and in again


def case_export_and_import():
    """What is exported and imported elsewhere is the same, and comes in once."""
    out, _ = run("export", server=SERVER)
    lines = out.splitlines()
    sent = {(s["traceId"], s["spanId"], s["kind"]) for line in lines for s in harness.spans_of(json.loads(line))}
    assert (TRACE, "00000000000000b1", 2) in sent
    only, _ = run("export", "--service", "mes-api", server=SERVER)
    assert {s["name"] for line in only.splitlines() for s in harness.spans_of(json.loads(line))} == {"price.calculate"}
    assert run("export", "--start", "2001-01-01", "--end", "2001-01-02", server=SERVER)[0] == ""
    with Server() as other:
        other.start()
        run("import", server=other, text=out)
        run("import", "-", server=other, text=out + "\n")
        assert canonical(other.trace(TRACE)) == canonical(SERVER.trace(TRACE))
        again, _ = run("export", server=other)
        got = [(s["traceId"], s["spanId"], s["kind"]) for line in again.splitlines() for s in harness.spans_of(json.loads(line))]
        assert set(got) == sent
        for trace_id in {trace for trace, _, _ in sent}:
            assert len(other.spans(trace_id)) == len(SERVER.spans(trace_id)), trace_id
        _, err = run("import", server=other, text='{"resourceSpans": 7}', check=2)
        assert "stopped at line 1" in err


def canonical(trace):
    """A trace without the order of its groups and attributes."""
    found = []
    for resource in trace["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for one in scope["spans"]:
                found.append((sorted(attributes_of(resource["resource"]).items()), scope.get("scope"),
                              {**one, "attributes": sorted(attributes_of(one).items())}))
    return sorted(json.dumps(item, sort_keys=True) for item in found)


def case_backup_and_restore():
    """A backup verifies, restores, and is served; a damaged one is found out."""
    backup, restored = os.path.join(FOLDER, "backup"), os.path.join(FOLDER, "restored")
    trace_id = harness.new_trace_id()
    assert SERVER.send(request(span(trace_id)))[0] == 200  # not sealed yet
    out, _ = run("backup", backup, server=SERVER)
    assert "backed up" in out
    assert "not empty" in run("backup", backup, server=SERVER, check=3)[1]
    out, _ = run("verify", backup)
    assert "every checksum is right" in out
    assert "a server holds" in run("verify", SERVER.data, check=3)[1]
    out, _ = run("restore", backup, restored)
    assert "restored" in out
    assert "not empty" in run("restore", backup, restored, check=2)[1]
    with Server(data=restored) as server:
        server.start()
        assert canonical(server.trace(TRACE)) == canonical(SERVER.trace(TRACE))
        assert len(server.spans(trace_id)) == 1
        assert server.end() == 0
    out, _ = run("export", "--data", restored)
    assert trace_id in out
    damage(backup)
    out, _ = run("verify", backup, check=1)
    assert "damaged" in out, out
    assert "damaged" in run("restore", backup, os.path.join(FOLDER, "again"), check=1)[1]


def damage(folder):
    """Flips a byte in the middle of the largest segment. Of a copy: the file itself may be the running store's as well."""
    files = [os.path.join(parent, name) for parent, _, names in os.walk(folder) for name in names]
    path = max((name for name in files if name.endswith(".seg")), key=os.path.getsize)
    with open(path, "rb") as file:
        content = bytearray(file.read())
    content[len(content) // 2] ^= 0x40
    os.unlink(path)
    with open(path, "wb") as file:
        file.write(content)


def case_erase():
    """What is erased is found by no route and stands in no file."""
    trace_id, secret = harness.new_trace_id(), "SECRET-" + os.urandom(8).hex()
    assert SERVER.send(request(span(trace_id, attributes={"customer": secret, "customer.no": 4711})))[0] == 200
    run("seal", server=SERVER)
    assert "--yes" in run("erase", "--trace", trace_id, server=SERVER, check=2)[1]
    out, _ = run("erase", "--attribute", f"customer={secret}", "--yes", server=SERVER)
    assert out == "erased 1 span\n", out
    assert SERVER.trace(trace_id) is None
    assert not holds(SERVER.data, secret)
    assert run("erase", "--attribute", f"customer={secret}", "--yes", server=SERVER, check=1)[0] == "erased 0 spans\n"
    assert SERVER.send(request(span(trace_id, attributes={"customer.no": 4711}), span(trace_id, "0000000000000002")))[0] == 200
    assert run("erase", "--attribute", "customer.no=4711", "--yes", server=SERVER, check=1)[0] == "erased 0 spans\n"
    out, _ = run("erase", "--attribute", "customer.no=4711", "--type", "number", "--whole-traces", "--yes", server=SERVER)
    assert out == "erased 2 spans\n", out
    for body, word in (('{"trace_id": "x"}', "32 hexadecimal"), ('{"key": "a"}', "name what to erase"), ("[]", "JSON object"),
                       ('{"key": "a", "value": "b", "whole": true}', "'whole' is unknown"), ("{", "no JSON")):
        status, _, answer = SERVER.request("POST", "/api/v1/admin/erase", body)
        assert status == 400 and word.encode() in answer, (body, answer)
    assert len(SERVER.spans(TRACE)) == 3


def on_terminal(*arguments, env):
    """What the program writes where standard output is a terminal."""
    master, slave = os.openpty()
    with subprocess.Popen([BINARY, *arguments], stdout=slave, stderr=slave, stdin=subprocess.DEVNULL,
                          env={**os.environ, "FILIGREE_SERVER": f"http://127.0.0.1:{SERVER.api}", **env}) as process:
        os.close(slave)
        said = b""
        with contextlib.suppress(OSError):  # the end, on Linux
            while piece := os.read(master, 65536):
                said += piece
    os.close(master)
    assert process.returncode == 0, said
    return said.decode()


def case_colours():
    """Colours are for terminals that know them, and for who wants them."""
    for arguments in (("trace", TRACE), ("search", "order.id=ORD-4711")):
        assert "\x1b[" in on_terminal(*arguments, env={"TERM": "xterm", "NO_COLOR": ""})
        assert "\x1b" not in on_terminal(*arguments, env={"TERM": "xterm", "NO_COLOR": "1"})
        assert "\x1b" not in on_terminal(*arguments, env={"TERM": "dumb", "NO_COLOR": ""})
        assert "\x1b" not in run(*arguments, server=SERVER, env={"TERM": "xterm", "NO_COLOR": ""})[0]


# -- Stopping and starting


def case_kill_and_restart():
    """After kill -9 all that was acknowledged is there."""
    trace_id = harness.new_trace_id()
    assert SERVER.send(request(span(trace_id)))[0] == 200
    before = canonical(SERVER.trace(TRACE))
    SERVER.kill()
    SERVER.start()
    assert len(SERVER.spans(trace_id)) == 1
    assert canonical(SERVER.trace(TRACE)) == before
    assert jaeger_ids("service=shop-api") == [TRACE]


def case_service_places():
    """A service keeps its place in the order of services over a crash, also where another began before it."""
    def places():
        return {one["service"]: one["place"] for one in json.loads(SERVER.get("/api/v1/services/slots")[1])["services"]}

    def send(service, ago):
        start = time.time_ns() - ago * 10**9
        spans = [{"traceId": harness.new_trace_id(), "spanId": "00000000000000aa", "name": "n", "kind": 2, "startTimeUnixNano": str(start),
                  "endTimeUnixNano": str(start + 1000)}]
        body = {"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
                                   "scopeSpans": [{"spans": spans}]}]}
        assert SERVER.send(json.dumps(body), "application/json")[0] == 200

    before = places()
    assert "shop-api" in before and sorted(before.values()) == list(range(len(before))), before
    send("zz-first", 60)
    assert places() == {**before, "zz-first": len(before)}
    send("aa-second", 3000)
    after = places()
    assert after == {**before, "zz-first": len(before), "aa-second": len(before) + 1}, after
    SERVER.kill()
    SERVER.start()
    assert places() == after


def case_second_server():
    """A second server on the same folder is refused with a sentence."""
    with Server(data=SERVER.data) as second:
        second.launch()
        assert second.process.wait(60) == 3
        assert "error" in second.words() and SERVER.data in second.words(), second.words()
    assert SERVER.get("/readyz")[0] == 200


def case_address_in_use():
    """A port that is taken is named."""
    with Server(options=["--api", f"127.0.0.1:{SERVER.api}"]) as second:
        second.launch()
        assert second.process.wait(60) == 3
        assert f"127.0.0.1:{SERVER.api}" in second.words(), second.words()


class Sender(threading.Thread):
    """Sends one span after the other and keeps the ids of those that were acknowledged."""

    def __init__(self, server):
        super().__init__()
        self.server = server
        self.acknowledged = []
        self.goes_on = True

    def run(self):
        while self.goes_on:
            trace_id = harness.new_trace_id()
            try:
                status = self.server.send(request(span(trace_id)))[0]
            except OSError:
                return
            except Exception:  # an answer that was cut is no acknowledgement
                return
            if status == 200:
                self.acknowledged.append(trace_id)


def case_stop_under_load():
    """SIGTERM while spans come: it ends with 0, and every acknowledged span is there afterwards."""
    senders = [Sender(SERVER) for _ in range(4)]
    for sender in senders:
        sender.start()
    wait_until(lambda: all(len(sender.acknowledged) > 20 for sender in senders), "spans are taken")
    assert SERVER.end() == 0, SERVER.words()[-2000:]
    for sender in senders:
        sender.goes_on = False
        sender.join(60)
    assert "info stopped" in SERVER.words()
    SERVER.start()
    lost = [trace for sender in senders for trace in sender.acknowledged if len(SERVER.spans(trace)) != 1]
    assert not lost, f"{len(lost)} lost"


def case_second_signal():
    """A second SIGTERM ends a server that still drains, at once."""
    with Server(options=["--drain-time", "10m"]) as server:
        server.start()
        with contextlib.closing(socket.create_connection(("127.0.0.1", server.http))) as slow:
            slow.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n"
                         b"Content-Type: application/json\r\n\r\n{")
            wait_until(lambda: server.metric("filigree_net_requests_open") >= 1, "the request is there")
            server.process.send_signal(signal.SIGTERM)
            wait_until(lambda: "stopping" in server.words(), "it drains")
            assert server.is_alive()
            assert server.end() == 3, "it did not wait for its ten minutes"
            assert "second signal" in server.words()


def case_reload():
    """SIGHUP puts in force what can change, names what needs a restart, and survives a wrong file."""
    config = os.path.join(FOLDER, "filigree.yaml")

    def write(text):
        with open(config, "w", encoding="ascii") as file:
            file.write(text)

    write("redact-keys: [first]\nretention-age: 2d\n")
    with Server(options=["--config", config]) as server:
        server.start()
        old = time.time_ns() - 3 * 86400 * 10**9
        assert harness.partial_success(server.send(request(span(harness.new_trace_id(), start=old)))[2])[0] == 1

        def reload(text, word):
            write(text)
            before = len(server.words())
            server.process.send_signal(signal.SIGHUP)
            wait_until(lambda: word in server.words()[before:], word)
            return server.words()[before:]

        said = reload("redact-keys: [second]\nretention-age: 9d\nhead-size: 16MiB\n", "setting=head-size")
        assert "setting changed setting=retention-age from=2d to=9d" in said, said
        assert "setting changes with the next restart setting=head-size from=24MiB to=16MiB" in said, said
        wait_until(lambda: harness.partial_success(
            server.send(request(span(harness.new_trace_id(), start=old)))[2])[0] == 0, "the new retention holds")
        trace_id = harness.new_trace_id()
        server.send(request(span(trace_id, attributes={"first": "a", "second": "b"})))
        (got,) = server.spans(trace_id)
        assert attributes_of(got).keys() - {"filigree.marks"} == {"first"}, got
        said = reload("retention-age: soon\n", "retention-age")
        assert "nothing was changed" in said and "filigree.yaml:1" in said, said
        said = reload("redact-keys: [second]\nretention-age: 9d\nhead-size: 16MiB\n", "head-size")
        assert server.end() == 0


def case_service_manager():
    """The service manager is told when it is ready, when it reads its configuration again, and when it stops."""
    path = os.path.join(FOLDER, "notify")
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as manager:
        manager.bind(path)
        manager.settimeout(60)
        os.environ["NOTIFY_SOCKET"] = path
        try:
            with Server() as server:
                server.start()
                assert manager.recv(4096).startswith(b"READY=1")
                server.process.send_signal(signal.SIGHUP)
                assert re.match(rb"RELOADING=1\nMONOTONIC_USEC=\d+$", manager.recv(4096))
                assert manager.recv(4096).startswith(b"READY=1")
                server.process.send_signal(signal.SIGTERM)
                assert manager.recv(4096).startswith(b"STOPPING=1")
                assert server.process.wait(60) == 0
        finally:
            del os.environ["NOTIFY_SOCKET"]


def case_wrong_configuration():
    """A wrong setting is refused with its place and what was expected."""
    config = os.path.join(FOLDER, "wrong.yaml")
    with open(config, "w", encoding="ascii") as file:
        file.write("# a comment\nretention-agee: 3d\nhead-size: big\n")
    _, err = run("serve", "--config", config, check=2)
    assert f"{config}:2" in err and "did you mean retention-age?" in err, err
    assert f"{config}:3" in err and "expected a size" in err, err
    _, err = run("serve", check=2, env={"FILIGREE_LOOPS": "many"})
    assert "FILIGREE_LOOPS" in err
    _, err = run("serve", "--data", os.path.join(FOLDER, "none"), "--redact-keys", "a*b", check=2)
    assert "redact-keys" in err
    out, _ = run("serve", "--retention-age", "3d", "--print-config")
    assert re.search(r"retention-age: 3d +# --retention-age", out), out


def case_end():
    """The walk's server ends in peace, and its folder is sound."""
    assert SERVER.end() == 0, SERVER.words()[-2000:]
    out, _ = run("verify", SERVER.data)
    assert "every checksum is right" in out, out


if __name__ == "__main__":
    try:
        with SERVER:
            CODE = harness.main(globals())
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)
    sys.exit(CODE)
