#!/usr/bin/env python3
"""protocol.py FILIGREE [CASE...]: what no SDK sends. Each abuse gets its own clear error and a counter in /metrics, the
server's memory stays bounded, and a span that was acknowledged before is found after it.
"""
import contextlib
import gzip
import json
import os
import random
import re
import resource
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from harness import Server, Skip, field, request, span  # noqa: E402

SEED = int(os.environ.get("SEED", "20261125"))
MIB = 1 << 20
DAY_NS = 86400 * 10**9
GRPC_PATH = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
OK, INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL = 0, 3, 8, 12, 13

SERVER = Server(options=["--body-size-max", "2MiB", "--inflated-size-max", "8MiB", "--cors-origins", "https://shop.example"])
EARLY = harness.new_trace_id()
# Connections that were opened at the start and are looked at when their time has come.
SLOW = {}


@contextlib.contextmanager
def abuse(*counters, growth=64 * MIB):
    """Each named counter grows, memory hardly does, and the server still has and takes spans."""
    before = SERVER.metrics()
    memory = resident()
    yield
    after = SERVER.metrics()
    for counter in counters:
        assert after.get(counter, 0) > before.get(counter, 0), f"{counter} did not grow: {after.get(counter)}"
    assert resident() - memory < growth, f"memory grew by {(resident() - memory) / MIB:.0f} MiB"
    still_well()


def still_well():
    assert SERVER.is_alive(), SERVER.words()[-3000:]
    assert len(SERVER.spans(EARLY)) == 1, "what was acknowledged before is gone"
    trace_id = harness.new_trace_id()
    assert SERVER.send(request(span(trace_id)))[0] == 200
    assert len(SERVER.spans(trace_id)) == 1, "what was acknowledged is not found"


def resident():
    with open(f"/proc/{SERVER.process.pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) * 1024


def refused(status, answer, *words):
    """An answer with this status whose body says why."""
    assert answer[0] == status, f"{answer[0]} instead of {status}: {answer[2][:300]!r}"
    for word in words:
        assert word.encode() in answer[2], f"it does not say '{word}': {answer[2][:300]!r}"
    assert answer[2], "it says nothing"
    return answer


# -- Bytes that are no request


def case_truncated_protobuf():
    """A request that ends too early is refused with 400, wherever it ends."""
    whole = request(span(harness.new_trace_id(), attributes={"a": "b", "n": 7, "list": ["x", 1.5, True]}))
    with abuse('filigree_ingest_refused_requests_total{reason="malformed"}'):
        for size in range(1, len(whole)):
            refused(400, SERVER.send(whole[:size]))


def case_random_bytes():
    """Random bytes get an answer of their own, never a crash."""
    chance = random.Random(SEED)
    with abuse('filigree_ingest_refused_requests_total{reason="malformed"}'):
        for _ in range(400):
            body = chance.randbytes(chance.randrange(1, 300))
            status, _, said = SERVER.send(body, chance.choice(["application/x-protobuf", "application/json"]))
            assert status in (200, 400), f"{status} {said!r} for {body.hex()}"


def case_flipped_protobuf():
    """A valid request with a flipped bit is taken or refused, never more."""
    chance = random.Random(SEED)
    whole = bytearray(request(span(harness.new_trace_id(), attributes={"key": "value"})))
    with abuse():
        for _ in range(400):
            body = bytearray(whole)
            body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
            status, _, said = SERVER.send(bytes(body))
            assert status in (200, 400), f"{status} {said!r}"


def case_wrong_wire_types():
    """Groups and wire types that there are not are refused; unknown fields are not."""
    with abuse('filigree_ingest_refused_requests_total{reason="malformed"}'):
        for wire_type in (3, 4, 6, 7):
            refused(400, SERVER.send(bytes([1 << 3 | wire_type, 0])))
    trace_id = harness.new_trace_id()
    body = request(span(trace_id, extra=field(900, "unknown") + field(901, 7))) + field(77, "unknown")
    assert SERVER.send(body)[0] == 200
    assert len(SERVER.spans(trace_id)) == 1


def case_bad_ids():
    """Ids of wrong length or all zero cost only their span, by partial success with the reason."""
    good = harness.new_trace_id()
    bad = [("trace_id_size", span(good[:30])), ("trace_id_zero", span("00" * 16)), ("span_id_size", span(good, "aabb")),
           ("span_id_zero", span(good, "00" * 8)),
           ("parent_id_size", span(good, "0102030405060708", extra=field(4, b"abc")))]
    for reason, one in bad:
        with abuse(f'filigree_ingest_rejected_spans_total{{reason="{reason}"}}'):
            status, _, body = SERVER.send(request(one, span(good, os.urandom(8).hex())))
            assert status == 200
            count, message = harness.partial_success(body)
            assert count == 1 and message, (reason, count, message)
    assert len(SERVER.spans(good)) == len(bad)


def case_bad_json():
    """JSON that is none, or says what OTLP does not, is refused with 400 and where."""
    bodies = [b"", b"{", b"[]", b"nonsense", b'{"resourceSpans": 7}', b'{"resourceSpans": [', b'{"resourceSpans": [{"x": "\xff"}]}',
              b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "zz"}]}]}]}',
              b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"startTimeUnixNano": "x"}]}]}]}', b"{}{}"]
    with abuse('filigree_ingest_refused_requests_total{reason="malformed"}'):
        for body in bodies[1:]:
            refused(400, SERVER.send(body, "application/json"))


def case_deep_json():
    """A JSON nested a hundred thousand deep, and a value nested a thousand, are refused with 400."""
    deep = b'{"resourceSpans": ' + b"[" * 100000 + b"]" * 100000 + b"}"
    value = b'{"stringValue": "x"}'
    for _ in range(1000):
        value = b'{"arrayValue": {"values": [' + value + b"]}}"
    inner = b'{"resourceSpans": [{"resource": {"attributes": [{"key": "k", "value": ' + value + b"}]}}]}"
    with abuse('filigree_ingest_refused_requests_total{reason="malformed"}'):
        refused(400, SERVER.send(deep, "application/json"))
        refused(400, SERVER.send(inner, "application/json"))


def case_deep_value():
    """A protobuf value nested a thousand deep is refused with 400."""
    value = harness.any_value("x")
    for _ in range(1000):
        value = field(5, field(1, value))
    with abuse('filigree_ingest_refused_requests_total{reason="malformed"}'):
        refused(400, SERVER.send(request(span(harness.new_trace_id(), extra=field(9, field(1, "k") + field(2, value))))))


# -- Too much


def case_gzip_bomb():
    """A gzip that grows past the limit is refused with 413, and never kept in memory."""
    bomb = gzip.compress(bytes(400 * MIB), 9)
    with abuse('filigree_net_refused_total{reason="inflated_size"}', growth=32 * MIB):
        refused(413, SERVER.send(bomb, headers={"Content-Encoding": "gzip"}))


def case_gzip_members():
    """Several gzip members share one budget: each is small, together they are refused."""
    members = b"".join(gzip.compress(bytes(MIB), 9) for _ in range(16))
    with abuse('filigree_net_refused_total{reason="inflated_size"}'):
        refused(413, SERVER.send(members, headers={"Content-Encoding": "gzip"}))
    body = request(span(trace_id := harness.new_trace_id()))
    parts = gzip.compress(body[:20]) + gzip.compress(body[20:])
    assert SERVER.send(parts, headers={"Content-Encoding": "gzip"})[0] == 200
    assert len(SERVER.spans(trace_id)) == 1


def zstd(data):
    if not shutil.which("zstd"):
        raise Skip("zstd is not installed")
    return subprocess.run(["zstd", "-q", "-3", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout


def case_zstd():
    """A zstd bomb is refused with 413; a zstd request is taken."""
    with abuse('filigree_net_refused_total{reason="inflated_size"}', growth=32 * MIB):
        refused(413, SERVER.send(zstd(bytes(400 * MIB)), headers={"Content-Encoding": "zstd"}))
    trace_id = harness.new_trace_id()
    assert SERVER.send(zstd(request(span(trace_id))), headers={"Content-Encoding": "zstd"})[0] == 200
    assert len(SERVER.spans(trace_id)) == 1


def case_damaged_compression():
    """Damaged or truncated gzip is refused with 400, an unknown encoding with 415."""
    whole = gzip.compress(request(span(harness.new_trace_id())))
    with abuse('filigree_net_refused_total{reason="encoding_damaged"}', 'filigree_net_refused_total{reason="encoding_unknown"}'):
        for body in (whole[:-9], whole[:12], b"\x1f\x8b nonsense", whole[:30] + b"\0\0\0\0" + whole[34:]):
            refused(400, SERVER.send(body, headers={"Content-Encoding": "gzip"}))
        refused(415, SERVER.send(whole, headers={"Content-Encoding": "br"}))


def case_large_body():
    """A body over the limit is refused with 413, told or found out."""
    with abuse('filigree_net_refused_total{reason="body_size"}'):
        with raw(SERVER.http) as told:
            told.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\n"
                         b"Content-Length: 999999999999\r\n\r\n")
            assert read_until(told, b"\r\n").startswith(b"HTTP/1.1 413"), "a length that can't be taken is refused at once"
        with raw(SERVER.http) as found:
            found.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\n"
                          b"Transfer-Encoding: chunked\r\n\r\n")
            with contextlib.suppress(OSError):  # it may close before all is sent
                for _ in range(4):
                    found.sendall(b"100000\r\n" + bytes(MIB) + b"\r\n")
            assert read_until(found, b"\r\n").startswith(b"HTTP/1.1 413")


def case_large_attribute():
    """A 1 MB attribute is cut, and the span says so."""
    trace_id = harness.new_trace_id()
    with abuse():
        assert SERVER.send(request(span(trace_id, attributes={"large": "ä" * 500000, "small": "kept"})))[0] == 200
    found, = SERVER.spans(trace_id)
    values = {item["key"]: item["value"] for item in found["attributes"]}
    assert values["small"] == {"stringValue": "kept"}
    assert len(values["large"]["stringValue"].encode()) in range(65530, 65537), len(values["large"]["stringValue"])
    assert set(values["large"]["stringValue"]) == {"ä"}, "a character was cut in two"
    assert "truncated" in json.dumps(values["filigree.marks"])


def case_many_attributes():
    """Of 10 000 attributes 1 024 are kept, the others are counted in the span."""
    trace_id = harness.new_trace_id()
    with abuse():
        assert SERVER.send(request(span(trace_id, attributes={f"key.{i}": i for i in range(10000)})))[0] == 200
    found, = SERVER.spans(trace_id)
    assert found["droppedAttributesCount"] == 10000 - 1024
    kept = [item for item in found["attributes"] if item["key"].startswith("key.")]
    assert [int(item["value"]["intValue"]) for item in kept] == list(range(1024))


def case_many_events_and_links():
    """Events and links over the limit are dropped and counted."""
    trace_id = harness.new_trace_id()
    extra = b"".join(field(11, harness.fixed64(1, time.time_ns()) + field(2, "e")) for _ in range(3000))
    extra += b"".join(field(13, field(1, os.urandom(16)) + field(2, os.urandom(8))) for _ in range(3000))
    with abuse():
        assert SERVER.send(request(span(trace_id, extra=extra)))[0] == 200
    found, = SERVER.spans(trace_id)
    assert len(found["events"]) == 1024 and found["droppedEventsCount"] == 3000 - 1024
    assert len(found["links"]) == 1024 and found["droppedLinksCount"] == 3000 - 1024


def case_far_times():
    """A start in the far future is filed by receipt and marked; one older than the retention is refused by partial success."""
    now = time.time_ns()
    future = harness.new_trace_id()
    with abuse("filigree_ingest_filed_by_receipt_spans_total"):
        start = now + 80 * 365 * DAY_NS
        assert SERVER.send(request(span(future, start=start)))[0] == 200
        found, = SERVER.spans(future)
        assert int(found["startTimeUnixNano"]) == start
        assert "filed_by_receipt" in json.dumps(found["attributes"])
    with abuse('filigree_ingest_rejected_spans_total{reason="start_old"}'):
        for start in (1, now - 400 * DAY_NS):
            status, _, body = SERVER.send(request(span(harness.new_trace_id(), start=start)))
            assert status == 200 and harness.partial_success(body)[0] == 1
    with abuse("filigree_ingest_ends_before_start_spans_total"):
        assert SERVER.send(request(span(harness.new_trace_id(), start=now, end=now - 10**9)))[0] == 200
    largest = harness.new_trace_id()
    with abuse():
        assert SERVER.send(request(span(largest, start=2**64 - 1, end=2**64 - 1)))[0] == 200
        assert len(SERVER.spans(largest)) == 1


# -- Clients that misbehave in time


@contextlib.contextmanager
def raw(port):
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        yield connection


def read_until(connection, mark, limit=1 << 20):
    data = b""
    while mark not in data and len(data) < limit:
        more = connection.recv(65536)
        if not more:
            break
        data += more
    return data


def open_slow_connections():
    """One that sends a byte of its header now and then, and one that begins a body and stops."""
    for name, begin in (("header", b"POST /v1/tra"), ("body", b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
                                                      b"Content-Type: application/x-protobuf\r\n\r\nx")):
        SLOW[name] = socket.create_connection(("127.0.0.1", SERVER.http), timeout=60)
        SLOW[name].sendall(begin)
    SLOW["since"] = time.monotonic()


def case_slow_clients():
    """Clients that send one byte a second are cut after some ten seconds, with 408."""
    with abuse():
        while time.monotonic() - SLOW["since"] < 14:  # most of it has passed with the cases before
            for name in ("header", "body"):
                with contextlib.suppress(OSError):
                    SLOW[name].sendall(b"x")
            time.sleep(1)
        for name in ("header", "body"):
            SLOW[name].settimeout(60)
            answer = read_until(SLOW[name], b"\r\n")
            assert answer.startswith(b"HTTP/1.1 408"), f"{name}: {answer[:100]!r}"
            SLOW[name].close()
    assert SERVER.metrics()['filigree_net_refused_total{reason="timeout"}'] >= 2


def case_idle_connections():
    """Thousands of idle connections cost little memory and hold nobody up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(10000, hard - 200)
    if count < 1000:
        raise Skip(f"only {hard} files may be open")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + 200), hard))
    connections = []
    with abuse("filigree_net_connections_accepted_total", growth=count * 8192):
        try:
            for _ in range(count):
                connections.append(socket.create_connection(("127.0.0.1", SERVER.http), timeout=60))
            harness.wait_until(lambda: SERVER.metrics()["filigree_net_connections_open"] >= count, "all are accepted")
            still_well()
        finally:
            for connection in connections:
                connection.close()
    harness.wait_until(lambda: SERVER.metrics()["filigree_net_connections_open"] < 100, "they are gone")


def case_too_many_connections():
    """Connections over the limit are closed at once and counted; those within it work."""
    with Server(options=["--connections-max", "20"]) as server:
        server.start()
        held = [socket.create_connection(("127.0.0.1", server.http), timeout=60) for _ in range(40)]
        try:
            def closed():
                return sum(1 for one in held if is_closed(one))

            harness.wait_until(lambda: closed() >= 20, "those over the limit are closed")
        finally:
            for one in held:
                one.close()
        harness.wait_until(server.is_ready_or_gone, "there is room again")
        assert server.metrics()['filigree_net_refused_total{reason="connections"}'] >= 19


def is_closed(connection):
    connection.setblocking(False)
    try:
        return connection.recv(4096, socket.MSG_PEEK) == b"" or b" 503 " in connection.recv(4096, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True


# -- HTTP


def case_malformed_http():
    """What is no HTTP gets 400 and is closed."""
    with abuse('filigree_net_refused_total{reason="malformed"}'):
        for text in (b"NONSENSE\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
                     b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                     b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
                     b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef"):
            with raw(SERVER.http) as connection:
                connection.sendall(text)
                answer = read_until(connection, b"\r\n")
                assert answer == b"" or answer.startswith(b"HTTP/1.1 400"), f"{answer[:100]!r} for {text[:60]!r}"


def case_long_url_and_header():
    """A URL that is too long gets 414, a header that is too large 431."""
    with abuse('filigree_net_refused_total{reason="url_size"}', 'filigree_net_refused_total{reason="header_size"}'):
        with raw(SERVER.api) as connection:
            with contextlib.suppress(OSError):
                connection.sendall(b"GET /" + b"x" * 20000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert read_until(connection, b"\r\n").startswith(b"HTTP/1.1 414")
        for header in (b"X-Long: " + b"y" * 100000 + b"\r\n", b"".join(b"X-%d: y\r\n" % i for i in range(500))):
            with raw(SERVER.api) as connection:
                with contextlib.suppress(OSError):
                    connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + header + b"\r\n")
                assert read_until(connection, b"\r\n").startswith(b"HTTP/1.1 431")


def case_paths_and_methods():
    """An unknown path gets 404, a wrong method 405 with Allow, a wrong content type 415, each with a sentence."""
    with abuse():
        refused(404, SERVER.request("GET", "/nowhere"))
        answer = refused(405, SERVER.request("DELETE", "/v1/traces", port=SERVER.http))
        assert "POST" in answer[1]["Allow"]
        refused(415, SERVER.send(b"x", "text/plain"))
        refused(400, SERVER.request("GET", "/api/v1/traces/nonsense"))
        refused(404, SERVER.request("GET", "/api/v1/traces/" + "ab" * 16))


def case_http1_forms():
    """Chunked bodies, Expect: 100-continue and pipelined requests are understood."""
    trace_id = harness.new_trace_id()
    body = request(span(trace_id))
    head = b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\n"
    with raw(SERVER.http) as connection:
        half = len(body) // 2
        connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % half + body[:half] + b"\r\n%x\r\n" %
                           (len(body) - half) + body[half:] + b"\r\n0\r\n\r\n")
        assert read_until(connection, b"\r\n").startswith(b"HTTP/1.1 200")
    assert len(SERVER.spans(trace_id)) == 1
    with raw(SERVER.http) as connection:
        connection.sendall(head + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
        assert read_until(connection, b"\r\n\r\n").startswith(b"HTTP/1.1 100")
        connection.sendall(body)
        assert read_until(connection, b"\r\n").startswith(b"HTTP/1.1 200")
    ids = [harness.new_trace_id() for _ in range(10)]
    with raw(SERVER.http) as connection:
        bodies = [request(span(one)) for one in ids]
        connection.sendall(b"".join(head + b"Content-Length: %d\r\n\r\n" % len(one) + one for one in bodies))
        answers = b""
        while answers.count(b"HTTP/1.1 200") < len(ids):
            more = connection.recv(65536)
            assert more, answers
            answers += more
    assert all(len(SERVER.spans(one)) == 1 for one in ids)


def case_cors():
    """A browser's preflight is answered for a configured origin, and for no other."""
    def preflight(origin):
        return SERVER.request("OPTIONS", "/v1/traces", headers={
            "Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"},
            port=SERVER.http)

    status, headers, _ = preflight("https://shop.example")
    assert status in (200, 204) and headers["Access-Control-Allow-Origin"] == "https://shop.example"
    assert "content-type" in headers["Access-Control-Allow-Headers"].lower()
    assert preflight("https://evil.example")[1]["Access-Control-Allow-Origin"] is None


# -- HTTP/2 and gRPC


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, END_HEADERS = 1, 4
ENHANCE_YOUR_CALM = 11


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    """A header field without indexing and without Huffman coding (RFC 7541, 6.2.2); both below 127 bytes."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def request_headers(path):
    return b"".join(literal(name, value) for name, value in (
        (b":method", b"POST"), (b":scheme", b"http"), (b":path", path.encode()), (b":authority", b"x"),
        (b"content-type", b"application/grpc"), (b"te", b"trailers")))


def frames_until_closed(connection):
    """All frames that come until the connection ends, or the first that says that it does."""
    data = b""
    with contextlib.suppress(OSError):
        while GOAWAY not in [kind for kind, _ in frames_of(data)] and (more := connection.recv(65536)):
            data += more
    return frames_of(data)


def frames_of(data):
    """Those that are whole."""
    found, at = [], 0
    while at + 9 <= len(data) and at + 9 + int.from_bytes(data[at:at + 3], "big") <= len(data):
        size = int.from_bytes(data[at:at + 3], "big")
        found.append((data[at + 3], data[at + 9:at + 9 + size]))
        at += 9 + size
    return found


def expect_calm(connection):
    goaways = [payload for kind, payload in frames_until_closed(connection) if kind == GOAWAY]
    assert goaways and int.from_bytes(goaways[-1][4:8], "big") == ENHANCE_YOUR_CALM, goaways


def flood(connection, frames):
    with contextlib.suppress(OSError):
        for one in frames:
            connection.sendall(one)


def case_rapid_reset():
    """HTTP/2 rapid reset: the connection is sent away with GOAWAY, ENHANCE_YOUR_CALM."""
    with abuse('filigree_net_refused_total{reason="reset_flood"}'), raw(SERVER.grpc) as connection:
        connection.sendall(PREFACE + frame(SETTINGS, 0, 0))
        flood(connection, (frame(HEADERS, END_HEADERS, stream, request_headers(GRPC_PATH)) +
                           frame(RST_STREAM, 0, stream, struct.pack(">I", 8)) for stream in range(1, 20001, 2)))
        expect_calm(connection)


def case_control_flood():
    """A flood of PING and of empty frames is sent away likewise."""
    for one in (frame(PING, 0, 0, bytes(8)), frame(SETTINGS, 0, 0)):
        with abuse('filigree_net_refused_total{reason="control_flood"}'), raw(SERVER.grpc) as connection:
            connection.sendall(PREFACE + frame(SETTINGS, 0, 0))
            flood(connection, (one * 50 for _ in range(200)))
            expect_calm(connection)


def case_malformed_http2():
    """Frames that are none end the connection with GOAWAY, and only it."""
    with abuse():
        for bad in (frame(DATA, 0, 0, b"x"), frame(HEADERS, END_HEADERS, 1, b"\xff" * 20), frame(WINDOW_UPDATE, 0, 0, bytes(4)),
                    b"\xff\xff\xff" + bytes(6)):
            with raw(SERVER.grpc) as connection:
                connection.sendall(PREFACE + frame(SETTINGS, 0, 0) + bad)
                assert GOAWAY in [kind for kind, _ in frames_until_closed(connection)], bad


def grpc(message, *headers, framed=True):
    """Calls Export by nghttp, which reads an answer that comes before all is sent; grpc-status and grpc-message."""
    if not shutil.which("nghttp"):
        raise Skip("nghttp (package nghttp2-client) is not installed")
    body = b"\0" + struct.pack(">I", len(message)) + message if framed else message
    with tempfile.NamedTemporaryFile() as file:
        file.write(body)
        file.flush()
        command = ["nghttp", "-v", "--timeout=50", "-d", file.name, f"http://127.0.0.1:{SERVER.grpc}{GRPC_PATH}"]
        for header in ("content-type: application/grpc", "te: trailers", *headers):
            command += ["-H", header]
        said = subprocess.run(command, stdout=subprocess.PIPE, check=False, timeout=60).stdout.decode(errors="replace")
    status = re.search(r"grpc-status: (\d+)", said)
    reason = re.search(r"grpc-message: (.*)", said)
    assert status, f"no grpc-status: {said[-2000:]}"
    return int(status.group(1)), reason.group(1).strip() if reason else ""


def case_grpc():
    """gRPC: a good request is taken; bad messages, frames and sizes get their status and a sentence."""
    trace_id = harness.new_trace_id()
    assert grpc(request(span(trace_id)))[0] == OK
    assert len(SERVER.spans(trace_id)) == 1
    compressed = gzip.compress(request(span(second := harness.new_trace_id())))
    body = b"\1" + struct.pack(">I", len(compressed)) + compressed
    assert grpc(body, "grpc-encoding: gzip", framed=False)[0] == OK
    assert len(SERVER.spans(second)) == 1
    with abuse('filigree_net_refused_total{reason="grpc_frame"}', 'filigree_net_refused_total{reason="inflated_size"}'):
        status, message = grpc(request(span(trace_id))[:-3])
        assert status == INVALID_ARGUMENT and message
        assert grpc(b"\0\0\0", framed=False)[0] in (INTERNAL, INVALID_ARGUMENT)
        assert grpc(b"\0" + struct.pack(">I", 1000) + b"short", framed=False)[0] in (INTERNAL, INVALID_ARGUMENT)
        assert grpc(b"\1\0\0\0\1x", "grpc-encoding: snappy", framed=False)[0] == UNIMPLEMENTED
        bomb = gzip.compress(bytes(100 * MIB), 9)
        assert grpc(b"\1" + struct.pack(">I", len(bomb)) + bomb, "grpc-encoding: gzip", framed=False)[0] == RESOURCE_EXHAUSTED
    with abuse():
        assert grpc(bytes(4 * MIB))[0] == RESOURCE_EXHAUSTED


# -- What a retry, an open span and Zipkin mean


def case_retries():
    """A request that is sent twice is found once, also with a minute between its spans."""
    trace_id = harness.new_trace_id()
    body = request(span(trace_id, start=time.time_ns() - 60 * 10**9), span(trace_id, "0102030405060708"))
    for _ in range(5):
        assert SERVER.send(body)[0] == 200
    assert len(SERVER.spans(trace_id)) == 2
    other = request(span(trace_id, "0102030405060708"), span(trace_id, "0807060504030201"))
    assert SERVER.send(other)[0] == 200
    assert len({one["spanId"] for one in SERVER.spans(trace_id)}) == 3


def case_open_spans():
    """A span without an end is open, and replaced by its ended form; a late open form does not replace that."""
    trace_id = harness.new_trace_id()
    start = time.time_ns()
    with abuse("filigree_ingest_open_spans_total"):
        open_form = request(span(trace_id, start=start, end=0, attributes={"state": "open"}))
        assert SERVER.send(open_form)[0] == 200
        found, = SERVER.spans(trace_id)
        assert int(found.get("endTimeUnixNano", 0)) == 0
        assert SERVER.send(request(span(trace_id, start=start, end=start + 5, attributes={"state": "ended"})))[0] == 200
        assert SERVER.send(request(span(trace_id, start=start, end=0, attributes={"state": "late"})))[0] == 200
        found, = SERVER.spans(trace_id)
        assert int(found["endTimeUnixNano"]) == start + 5
        assert "ended" in json.dumps(found["attributes"])


def case_zipkin():
    """Zipkin v2 JSON, with a span id that client and server share: both halves are kept."""
    trace_id, now = harness.new_trace_id(), time.time_ns() // 1000
    halves = [{"traceId": trace_id, "id": "00f067aa0ba902b7", "name": "get", "kind": kind, "timestamp": now, "duration": 1000,
               "localEndpoint": {"serviceName": service}, "tags": {"order.id": "ORD-1"}, **shared}
              for kind, service, shared in (("CLIENT", "shop", {}), ("SERVER", "crm", {"shared": True}))]
    headers = {"Content-Type": "application/json"}
    status, _, _ = SERVER.request("POST", "/api/v2/spans", json.dumps(halves), headers)
    assert status == 202, status
    assert sorted(one["kind"] for one in SERVER.spans(trace_id)) == [2, 3]
    for bad in ("{", "[{}]", '[{"traceId": "xyz", "id": "1"}]', json.dumps([{**halves[0], "id": "0" * 16}])):
        status, _, said = SERVER.request("POST", "/api/v2/spans", bad, headers)
        assert status in (202, 400), f"{status} {said!r}"
        assert status == 400 or bad.startswith("[{"), bad


def main():
    with SERVER:
        SERVER.start()
        assert SERVER.send(request(span(EARLY)))[0] == 200
        open_slow_connections()
        cases = dict(globals())
        cases["case_slow_clients"] = cases.pop("case_slow_clients")  # the last: its time has passed by then
        return harness.main(cases)


if __name__ == "__main__":
    sys.exit(main())
