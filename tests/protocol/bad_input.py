#!/usr/bin/env python3
"""bad_input.py FILIGREE [CASE...]: what an attacker sends to a server with accounts, on each of its ports: nothing of it gets in, the answer
tells nothing, the audit has it, and another client is served all the while.

Whatever is smuggled carries a token that holds and a span of its own: were it taken, the span would be there. doc/threats.md has the
table.
"""
import base64
import contextlib
import http.client
import json
import os
import re
import socket
import struct
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from doors import Closed, routes_of  # noqa: E402
from harness import request, span, wait_until  # noqa: E402

SERVER = Closed()
TOKENS = {}
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, CONTINUATION = 0, 1, 3, 4, 6, 7, 9
END_STREAM, END_HEADERS = 1, 4
ENHANCE_YOUR_CALM = 11
PROTOBUF = {"Content-Type": "application/x-protobuf"}


def faces():
    return (("otlp-grpc", SERVER.grpc), ("otlp-http", SERVER.http), ("api", SERVER.api))


def holds_trace(trace_id):
    status = SERVER.request("GET", f"/api/v1/traces/{trace_id}", headers={"Authorization": f"Bearer {TOKENS['viewer']}"})[0]
    assert status in (200, 404), status
    return status == 200


def audited(action="turned_away"):
    """(result, what) of all records so far."""
    found, before = set(), 2 ** 53
    while before:
        answer = json.loads(SERVER.root.get(f"/api/v1/audit?limit=1000&before={before}&action={action}")[2])
        found |= {(one["result"], one["what"]) for one in answer["records"]}
        before = answer["next"]
    return found


def is_audited(reason, *names):
    for name in names:
        wait_until(lambda name=name: (reason, name) in audited(), f"{reason} on {name} is in the audit: {audited()}")


def everywhere():
    return [name for name, _ in faces()]


@contextlib.contextmanager
def others_are_served():
    """While the body runs another client sends spans on each port, one after the other; every one is acknowledged, and it does not stop."""
    over, counts, wrong = threading.Event(), {}, []

    def send(port):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            while not over.is_set():
                connection.request("POST", "/v1/traces", request(span(harness.new_trace_id())), {**PROTOBUF, "Authorization": f"Bearer {TOKENS['ingest']}"})
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    wrong.append(answer.status)
                    return
                counts[port] = counts.get(port, 0) + 1

    threads = [threading.Thread(target=send, args=(port,)) for _, port in faces()]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: len(counts) == 3, "the others are served")
        before = dict(counts)
        yield
        # What was sent is still open or being read: they must go on.
        wait_until(lambda: all(counts[port] >= before[port] + 3 for port in counts), f"the others are served on: {counts} {wrong}")
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert not wrong, wrong


def case_start():
    """A server with accounts, and tokens that hold."""
    SERVER.start()
    for role in ("ingest", "support", "viewer"):
        TOKENS[role] = SERVER.token(role, name=role)
    TOKENS["admin"] = SERVER.token("admin", name="admin", tenant="*")


# -- HTTP/1.1


def post(trace_id, *fields, body=None, version=b"1.1"):
    """A POST of one span with a token that holds, and these fields in place of a length."""
    head = [b"POST /v1/traces HTTP/" + version, b"Host: localhost", b"Content-Type: application/x-protobuf", b"Authorization: Bearer " + TOKENS["ingest"].encode()]
    return b"\r\n".join([*head, *fields, b"", b""]) + (request(span(trace_id)) if body is None else body)


def smuggled(trace_id):
    message = request(span(trace_id))
    return post(trace_id, b"Content-Length: %d" % len(message), body=message)


def said_to(port, text):
    """All that the server answers until it closes."""
    said = b""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        # Whoever is refused before all is sent is told all the same.
        with contextlib.suppress(ConnectionError):
            connection.sendall(text)
        with contextlib.suppress(ConnectionError):
            while more := connection.recv(65536):
                said += more
    return said


def answers_in(said):
    return re.findall(rb"HTTP/1\.1 (\d{3}) ", said)


def twice_read(trace_id):
    """Requests in which two readers could see a second one, which has the span."""
    inner = smuggled(trace_id)
    size = b"Content-Length: %d" % len(b"0\r\n\r\n" + inner)
    chunked = b"Transfer-Encoding: chunked"
    zero = b"0\r\n\r\n" + inner

    def outer(*fields, body=zero, version=b"1.1"):
        return post(trace_id, *fields, body=body, version=version)

    return {
        "CL.TE": outer(size, chunked), "TE.CL": outer(chunked, size), "TE.TE": outer(chunked, b"Transfer-Encoding: identity"),
        "two TE": outer(chunked, chunked), "TE twice in one": outer(b"Transfer-Encoding: chunked, chunked"), "TE gzip": outer(b"Transfer-Encoding: gzip, chunked"),
        "TE xchunked": outer(b"Transfer-Encoding: xchunked"), "TE by a tab": outer(size, b"Transfer-Encoding:\tchunked"),
        "TE and a form feed": outer(size, b"Transfer-Encoding: \x0bchunked"), "TE in quotes": outer(size, b'Transfer-Encoding: "chunked"'),
        "space before the colon": outer(size, b"Transfer-Encoding : chunked"), "a tab before the colon": outer(size, b"Transfer-Encoding\t: chunked"),
        "a name of two lines": outer(size, b"Transfer-Encoding\r\n: chunked"), "obs-fold": outer(size, b"X-A: b", b" Transfer-Encoding: chunked"),
        "obs-fold of TE": outer(size, b"Transfer-Encoding:", b" chunked"), "a fold first": b"POST /v1/traces HTTP/1.1\r\n Host: localhost\r\n\r\n" + inner,
        "a bare CR": outer(size, b"X-A: b\rTransfer-Encoding: chunked"), "NUL in a value": outer(size, b"X-A: \0"), "NUL in a name": outer(size, b"X\0A: b"),
        "HTTP/1.0 chunked": outer(chunked, version=b"1.0"), "HTTP/1.2": outer(size, version=b"9.9"), "two CL": outer(b"Content-Length: 0", size),
        "two equal CL": outer(size, size), "CL in a list": outer(b"Content-Length: 0, " + size[16:]), "CL +": outer(b"Content-Length: +0"),
        "CL -": outer(b"Content-Length: -1"), "CL hex": outer(b"Content-Length: 0x0"), "CL empty": outer(b"Content-Length:"),
        "CL too large": outer(b"Content-Length: 18446744073709551616"), "chunk 0x": outer(chunked, body=b"0x0\r\n\r\n" + inner),
        "chunk with a sign": outer(chunked, body=b"-0\r\n\r\n" + inner), "chunk too long": outer(chunked, body=b"10000000000000000\r\n" + inner),
        "chunk without its end": outer(chunked, body=b"1\r\nxy" + zero), "no chunk": outer(chunked, body=b"\r\n\r\n" + inner),
        "two Hosts": outer(b"Host: evil.example", b"Content-Length: 0", body=inner), "no Host": b"GET /healthz HTTP/1.1\r\n\r\n" + inner,
        "another host in the target": b"GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" + inner,
        "a space in the line": b"GET /healthz HTTP/1.1 x\r\nHost: localhost\r\n\r\n" + inner, "HTTP/0.9": b"GET /healthz\r\n\r\n" + inner,
        "CONNECT": b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\nConnection: close\r\n\r\n" + inner,
    }


def case_smuggling_http1():
    """Requests that two readers could read differently get 400 and the connection's end, on every port; what was smuggled is not read."""
    refused = 'filigree_net_refused_total{reason="malformed"}'
    with others_are_served():
        for name, port in faces():
            trace_id = harness.new_trace_id()
            for what, text in twice_read(trace_id).items():
                said = said_to(port, text)
                assert answers_in(said) == [b"400"], f"{what} on {name}: {said[:300]!r}"
                assert b"close" in said.lower(), f"{what}: {said!r}"
            assert not holds_trace(trace_id), name
            control = harness.new_trace_id()
            closing = smuggled(control).replace(b"Host: localhost", b"Host: localhost\r\nConnection: close")
            assert said_to(port, closing).startswith(b"HTTP/1.1 200") and holds_trace(control), "the test's own request would be taken"
    assert SERVER.root.get("/metrics")[2].decode().count(refused)
    is_audited("malformed", *everywhere())


def case_bare_line_feeds():
    """A line that ends by LF alone ends the connection, in the head, in a chunk and in trailers: nothing is hidden behind one."""
    for name, port in faces():
        trace_id, outer = harness.new_trace_id(), harness.new_trace_id()
        inner = smuggled(trace_id)
        size = b"Content-Length: %d" % len(b"0\r\n\r\n" + inner)
        for text in (post(outer, size, b"X-A: b\nTransfer-Encoding: chunked", body=b"0\r\n\r\n" + inner),
                     post(outer, b"Transfer-Encoding: chunked", body=b"1;a\nb\r\n0\r\n\r\n" + inner),
                     post(outer, b"Transfer-Encoding: chunked", body=b"0\r\n\n" + inner),
                     post(outer, b"Transfer-Encoding: chunked", body=b"0\r\nx: y\n\r\n" + inner), b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\n" + inner,
                     b"\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" + inner,
                     post(outer, b"Transfer-Encoding: chunked", body=b"1;\n\r\nx\r\n0\r\n\r\n" + inner)):
            said = said_to(port, text)
            assert answers_in(said) == [b"400"], f"{name}: {text[:400]!r} {said[:300]!r}"
        assert not holds_trace(trace_id), name


def case_upgrades():
    """An upgrade to h2c or a web socket is not taken, and what follows is no second protocol's."""
    for name, port in faces():
        trace_id = harness.new_trace_id()
        for words in (b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n",
                      b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
                      b"Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n"):
            said = said_to(port, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + words + b"\r\n" + PREFACE + frame(SETTINGS, 0, 0) + h2_request(sound(trace_id), trace_id))
            assert answers_in(said) in ([b"200", b"400"], [b"404", b"400"]), f"{name}: {said!r}"
        assert not holds_trace(trace_id), name


def case_large_heads_http1():
    """Endless headers get 431, an endless target 414, whatever they hold; a token of that size as well."""
    token = b"Authorization: Bearer " + b"a" * 100000 + b"\r\n"
    with others_are_served():
        for _, port in faces():
            for fields, status in ((b"".join(b"X-%d: y\r\n" % i for i in range(500)), b"431"), (b"X: " + b"y" * 100000 + b"\r\n", b"431"), (token, b"431")):
                assert said_to(port, b"GET / HTTP/1.1\r\nHost: localhost\r\n" + fields + b"\r\n").startswith(b"HTTP/1.1 " + status)
            assert said_to(port, b"GET /" + b"x" * 20000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n").startswith(b"HTTP/1.1 414")
    is_audited("header_size", *everywhere())
    is_audited("url_size", *everywhere())


# -- HTTP/2


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def number(value, bits, first):
    """An integer with a prefix (RFC 7541, 5.1)."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    out, value = [first | most], value - most
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def literal(name, value):
    """A field without indexing and without Huffman coding (RFC 7541, 6.2.2)."""
    return b"\0" + number(len(name), 7, 0) + name + number(len(value), 7, 0) + value


def sound(_, path=b"/v1/traces"):
    """The fields of a request that is taken."""
    return [(b":method", b"POST"), (b":scheme", b"http"), (b":path", path), (b":authority", b"localhost"),
            (b"content-type", b"application/x-protobuf"), (b"authorization", b"Bearer " + TOKENS["ingest"].encode())]


def h2_request(fields, trace_id, stream=1):
    message = request(span(trace_id))
    return (frame(HEADERS, END_HEADERS, stream, b"".join(literal(name, value) for name, value in fields)) + frame(DATA, END_STREAM, stream, message))


def frames_of(data):
    at = 0
    while at + 9 <= len(data):
        size = int.from_bytes(data[at:at + 3], "big")
        yield data[at + 3], data[at + 9:at + 9 + size]
        at += 9 + size


def h2_said(port, frames, until):
    """The frames that come back, until one of a kind that is waited for or the end."""
    data = b""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(PREFACE + frame(SETTINGS, 0, 0) + frames)
        with contextlib.suppress(ConnectionError):
            while not any(kind in until for kind, _ in frames_of(data)):
                more = connection.recv(65536)
                if not more:
                    break
                data += more
    return list(frames_of(data))


def bad_fields(trace_id):
    good = sound(trace_id)
    size = len(request(span(trace_id)))
    without = {name.decode(): [one for one in good if one[0] != name] for name in (b":method", b":scheme", b":path")}
    more = {name: [*good, (name, value)] for name, value in (
        (b"connection", b"close"), (b"connection", b"authorization"), (b"transfer-encoding", b"chunked"), (b"upgrade", b"h2c"), (b"keep-alive", b"5"),
        (b"proxy-connection", b"close"), (b"te", b"gzip"), (b"X-Upper", b"a"), (b"", b"a"), (b"a b", b"c"), (b"a:b", b"c"), (b":status", b"200"),
        (b":unknown", b"a"), (b":path", b"/healthz"), (b":method", b"GET"), (b"a\0b", b"c"), (b"a", b"b\r\nx: y"), (b"a2", b"b\0"), (b"host", b"evil.example"),
        (b"content-length", b"1"), (b"content-length", b"%d" % (size + 1)), (b"content-length", b"-1"))}
    bad = [*without.values(), *more.values(), [*good, (b"content-length", b"%d" % size), (b"content-length", b"%d" % (size + 1))],
           [good[4], *good[:4], *good[5:]], [(b":path", b"v1/traces") if name == b":path" else (name, value) for name, value in good],
           [(b":path", b"") if name == b":path" else (name, value) for name, value in good],
           [(b":path", b"/v1/traces HTTP/1.1\r\nx: y") if name == b":path" else (name, value) for name, value in good],
           [(b":path", b"/v1/traces#a") if name == b":path" else (name, value) for name, value in good],
           [(b":method", b"CONNECT") if name == b":method" else (name, value) for name, value in good]]
    return bad


def case_smuggling_http2():
    """Fields that HTTP/2 does not have, pseudo-fields that are missing, doubled or late, lengths that lie: none of it is a request."""
    with others_are_served():
        for name, port in faces():
            trace_id = harness.new_trace_id()
            for fields in bad_fields(trace_id):
                kinds = [kind for kind, _ in h2_said(port, h2_request(fields, trace_id), (RST_STREAM, GOAWAY, HEADERS))]
                assert {RST_STREAM, GOAWAY, HEADERS} & set(kinds), f"{name}: {fields} {kinds}"
                assert not holds_trace(trace_id), f"{name}: {fields} was taken"
            control = harness.new_trace_id()
            assert HEADERS in [kind for kind, _ in h2_said(port, h2_request(sound(control), control), (HEADERS, GOAWAY))]
            wait_until(lambda control=control: holds_trace(control), "the test's own request would be taken")
    is_audited("malformed", *everywhere())


def sent_away(port, frames, code=ENHANCE_YOUR_CALM):
    """Sends on and on; the server must end it by GOAWAY with this code."""
    data = b""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(PREFACE + frame(SETTINGS, 0, 0))

        def flood():
            with contextlib.suppress(OSError):
                for one in frames:
                    connection.sendall(one)

        sender = threading.Thread(target=flood)
        sender.start()
        with contextlib.suppress(OSError):
            while more := connection.recv(65536):
                data += more
        sender.join()
    codes = [int.from_bytes(payload[4:8], "big") for kind, payload in frames_of(data) if kind == GOAWAY]
    assert codes and codes[-1] == code, f"GOAWAY of {codes} in {data[-200:]!r}"


def case_floods():
    """Rapid reset, floods of control frames, of header fields and of CONTINUATION: sent away on every port, while others are served."""
    head = b"".join(literal(name, value) for name, value in sound(None))
    # One large field into the decoder's table, and then thousands of references to it, a byte each.
    bomb = b"\x40" + number(3, 7, 0) + b"x-a" + number(3000, 7, 0) + b"y" * 3000 + b"\xbe" * 12000
    with others_are_served():
        for _, port in faces():
            sent_away(port, (frame(HEADERS, END_HEADERS, stream, head) + frame(RST_STREAM, 0, stream, struct.pack(">I", 8)) for stream in range(1, 20001, 2)))
            # Made to reset: each is refused by the server itself.
            sent_away(port, (frame(HEADERS, END_HEADERS, stream, head) + frame(8, 0, stream, b"\x7f\xff\xff\xff") for stream in range(1, 20001, 2)))
            for one in (frame(PING, 0, 0, bytes(8)), frame(SETTINGS, 0, 0), frame(2, 0, 1, bytes(5))):
                sent_away(port, (one * 100 for _ in range(200)))
            sent_away(port, (frame(HEADERS, 0, 1, head) if i == 0 else frame(CONTINUATION, 0, 1, literal(b"x-%d" % i, b"y" * 1000) * 8) for i in range(3000)))
            sent_away(port, (frame(HEADERS, 0, 1, head) if i == 0 else frame(CONTINUATION, 0, 1) for i in range(100000)))
            sent_away(port, (frame(HEADERS, END_HEADERS, stream, head + bomb) for stream in range(1, 101, 2)))
    for reason in ("reset_flood", "control_flood", "header_size"):
        is_audited(reason, *everywhere())


# -- Paths, and who may take them


def tricks(path):
    """Other ways to write a path."""
    last = path.rindex("/")
    yield from (path + "/", path + "/.", path + ".", path + "%00", path + "%00.js", path + "%20", path + "%09", path + ";a=b", path + ".json", path + "//", path + "%2f", path + "%3f",
                "/" + path, "/." + path, "/x/.." + path, "/app.js/.." + path, "/healthz/.." + path, "/login/%2e%2e" + path, "/%2e" + path, "/..%2f" + path, "/%2f" + path,
                path[:last] + "//" + path[last + 1:], path[:last] + "/./" + path[last + 1:], path[:last] + "/x/../" + path[last + 1:], path[:last] + "/x/%2e%2e/" + path[last + 1:],
                path[:last] + "%2f" + path[last + 1:], path[:last] + "%5c" + path[last + 1:], path[:last] + "\\" + path[last + 1:], path.upper(),
                path[:last + 1] + "%%%02x" % ord(path[last + 1]) + path[last + 2:], path[:last + 1] + "%%25%02x" % ord(path[last + 1]) + path[last + 2:],
                path[:last + 1] + path[last + 1:].swapcase() + "x", path[:last + 1] + "%c0%af" + path[last + 1:], path[:last + 1] + "%ef%bc%8f" + path[last + 1:])


def protected():
    body = SERVER.request("GET", "/", headers={"Authorization": f"Bearer {TOKENS['admin']}"})[2].decode()
    for method, path, permission, _ in routes_of(body):
        if permission in ("support", "view", "operate", "admin"):
            yield method, re.sub(r"\{\w+\}", "0af7651916cd43dd", path), permission


def case_paths():
    """No way to write a path gets past what its route asks for: not for nobody, and not for whoever may do something else."""
    asked = 0
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", SERVER.api, timeout=60)) as connection:
        for method, path, permission in protected():
            for who in [None, "ingest"] + (["support"] if permission in ("operate", "admin") else []):
                headers = {"Authorization": f"Bearer {TOKENS[who]}"} if who else {}
                for trick in tricks(path):
                    connection.request(method, trick, headers=headers)
                    answer = connection.getresponse()
                    body = answer.read()
                    assert answer.status in (400, 401, 403, 404, 405), f"{method} {trick} by {who}: {answer.status} {body[:200]!r}"
                    assert path.encode() not in body and b"Traceback" not in body, body
                    asked += 1
    assert asked > 4000, asked
    is_audited("path", "api")


def case_what_a_proxy_would_say():
    """Fields by which other servers let a request mean another path or method mean nothing here, and of two tokens none is taken."""
    for fields in ({"X-Original-URL": "/api/v1/users"}, {"X-Rewrite-URL": "/api/v1/users"}, {"X-HTTP-Method-Override": "DELETE"}, {"X-Forwarded-Path": "/api/v1/users"},
                   {"X-Forwarded-User": "root"}, {"X-Remote-User": "root"}, {"Remote-User": "root"}, {"X-Forwarded-For": "127.0.0.1"}):
        assert SERVER.request("GET", "/api/v1/users", headers=fields)[0] == 401, fields
        status, _, body = SERVER.request("GET", "/healthz", headers=fields)
        assert status == 200 and b"root" not in body, body
    own, forged = (b"Authorization: Bearer " + token.encode() for token in (TOKENS["admin"], "fgt_" + "0" * 12 + "_" + "0" * 64))
    for fields in (own + b"\r\n" + forged, forged + b"\r\n" + own, own + b"\r\n" + own):
        said = said_to(SERVER.api, b"GET /api/v1/users HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + fields + b"\r\n\r\n")
        assert said.startswith(b"HTTP/1.1 401"), said[:300]
    assert said_to(SERVER.api, b"GET /api/v1/users HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + own + b"\r\n\r\n").startswith(b"HTTP/1.1 200")
    two = b"Filigree-Tenant: default\r\nFiligree-Tenant: nowhere"
    assert said_to(SERVER.api, b"GET /api/v1/traces HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + own + b"\r\n" + two + b"\r\n\r\n").startswith(b"HTTP/1.1 404")


# -- Tokens on every port


def jwt(**head):
    return b".".join(base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=") for one in ({"typ": "JWT", **head}, {"sub": "root", "exp": 2 ** 40})).decode() + "."


def case_tokens_on_every_port():
    """Forged, ended, expired and oversized tokens, and JSON web tokens of any kind: one answer, on every port, over HTTP/1.1 and HTTP/2."""
    ended, short = SERVER.token("ingest", name="ended"), SERVER.token("ingest", name="short", expires="1ms")
    SERVER.root.post(f"/api/v1/tokens/{ended[4:16]}/revoke")
    good = TOKENS["ingest"]
    bad = [ended, short, good[:-1], good + "0", good.upper(), good[:17] + "0" * 64, "fgt_000000000000_" + "0" * 64, "a" * 20000, jwt(alg="none"), jwt(alg="HS256"), "", " " + good + " x"]
    wait_until(lambda: SERVER.status_of("POST", "/v1/traces", short, PROTOBUF, SERVER.http) == 401, "it has expired")
    answers = set()
    with others_are_served():
        for name, port in faces():
            trace_id = harness.new_trace_id()
            for token in bad:
                status, fields, body = SERVER.request("POST", "/v1/traces", request(span(trace_id)), {**PROTOBUF, "Authorization": f"Bearer {token}"}, port)
                assert status == 401 and fields["www-authenticate"] == 'Bearer realm="filigree"', (name, token[:80], status)
                answers.add(body)
                fields = [(key, b"Bearer " + token.encode() if key == b"authorization" else value) for key, value in sound(trace_id)]
                h2_said(port, h2_request(fields, trace_id), (HEADERS, RST_STREAM, GOAWAY))
            assert not holds_trace(trace_id), name
    assert len(answers) == 1 and not any(word in min(answers).lower() for word in (b"expired", b"revoked", b"unknown")), answers
    wait_until(lambda: ("credentials don't hold", "POST /v1/traces") in audited("refused"), "it is in the audit")
    found = audited("refused")
    text = json.dumps(sorted(found))
    assert not any(token[4:60] in text for token in bad if len(token) > 60)


def case_cookies_of_others():
    """A session of one tenant is none of another's, nor another server's; a cookie that names a tenant moves nobody."""
    for tenant in ("acme", "other"):
        SERVER.add_tenant(tenant)
    ann = SERVER.add_user("ann", "viewer", tenant="acme")
    trace_id = harness.new_trace_id()
    sent = {**PROTOBUF, "Authorization": f"Bearer {SERVER.token('ingest', name='in-other', tenant='other')}"}
    assert SERVER.request("POST", "/v1/traces", request(span(trace_id)), sent, SERVER.http)[0] == 200
    assert ann.get("/api/v1/traces")[0] == 200 and ann.get(f"/api/v1/traces/{trace_id}")[0] == 404
    status, _, body = ann.get(f"/api/v1/traces/{trace_id}", {"Filigree-Tenant": "other"})
    assert status == 403 and b"other" not in body, body
    for query in ("tenant=other", "tenant=%6fther", "tenant=acme&tenant=other", "tenant=other&tenant=acme", "tenant=*", "tenant=nowhere", "tenant=%00"):
        status, _, body = ann.get(f"/api/v1/traces/{trace_id}?{query}")
        assert status == 403 and b"other" not in body, (query, status, body)
    # Two ways to name one, and they differ: neither is taken.
    assert ann.get("/api/v1/traces?tenant=acme", {"Filigree-Tenant": "other"})[0] == ann.get("/api/v1/traces?tenant=other", {"Filigree-Tenant": "acme"})[0] == 403
    assert SERVER.root.get("/api/v1/traces?tenant=acme", {"Filigree-Tenant": "other"})[0] == 404
    assert ann.get("/api/v1/traces?tenant=acme", {"Filigree-Tenant": "acme"})[0] == ann.get("/api/v1/traces?tenant=")[0] == 200
    for cookie in (f"filigree={ann.cookie}; filigree-tenant=other", f"filigree-tenant=other; filigree={ann.cookie}"):
        assert SERVER.request("GET", f"/api/v1/traces/{trace_id}", headers={"Cookie": cookie})[0] == 404
        me = json.loads(SERVER.request("GET", "/api/v1/auth/me", headers={"Cookie": cookie})[2])
        assert me["tenant"] == "acme" and not me["every_tenant"], me
    for cookie in (f"__Host-filigree={ann.cookie}", f"filigree={ann.cookie[:-1]}", f"filigree={ann.cookie}0", f"filigree={'0' * 64}", f"filigree={ann.cookie.upper()}",
                   f"xfiligree={ann.cookie}", f"filigree ={ann.cookie}", "filigree=" + "a" * 20000):
        assert SERVER.request("GET", "/api/v1/traces", headers={"Cookie": cookie})[0] == 401, cookie[:90]
    with Closed() as another:
        another.start()
        assert another.request("GET", "/api/v1/traces", headers={"Cookie": f"filigree={ann.cookie}"})[0] == 401
    wait_until(lambda: ("another tenant", f"GET /api/v1/traces/{trace_id}") in audited("refused"), "it is in the audit")
    ann.post("/api/v1/auth/logout")
    assert ann.get("/api/v1/traces")[0] == 401


def case_end():
    """It has kept all that it acknowledged meanwhile, and ends well."""
    assert SERVER.is_alive(), SERVER.words()[-3000:]
    assert SERVER.end() == 0, SERVER.words()[-1000:]


if __name__ == "__main__":
    with SERVER:
        sys.exit(harness.main(globals()))
