#!/usr/bin/env python3
"""guard.py FILIGREE [CASE...]: a server without accounts is the local user's: nothing gets in by a proxy, by another host's name or
from another site's page, on any port; and beyond its own machine it does not start without TLS and accounts."""
import contextlib
import http.client
import json
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from harness import Server, Skip, request, span  # noqa: E402

SERVER = Server(options=["--cors-origins", "https://shop.example"])
GRPC_PATH = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
FORWARDED = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Anything", "X-Real-IP", "X-Client-IP",
             "True-Client-IP", "CF-Connecting-IP", "X-Original-Host")
FOREIGN_HOSTS = ("filigree.example", "evil.example:7070", "localhost.evil.example", "evillocalhost", "127.0.0.1.evil.example", "192.0.2.1", "128.0.0.1:80",
                 "[2001:db8::1]:7070", "[::1", "0.0.0.0", "::1", "2130706433", "127.1", "localhost..")
LOCAL_HOSTS = ("localhost", "LOCALHOST:1", "shop.localhost:7070", "127.0.0.1", "127.1.2.3:80", "[::1]:7070", "localhost.")


def faces():
    """Something to ask of each port that is answered by 200."""
    trace_id = harness.new_trace_id()
    kind = {"Content-Type": "application/x-protobuf"}
    return ((SERVER.api, "GET", "/api/v1/security", None, {}), (SERVER.api, "GET", "/", None, {}), (SERVER.api, "GET", "/healthz", None, {}),
            (SERVER.api, "POST", "/v1/traces", request(span(trace_id)), kind), (SERVER.http, "POST", "/v1/traces", request(span(trace_id)), kind),
            (SERVER.grpc, "POST", "/v1/traces", request(span(trace_id)), kind))


def ask(port, method, path, body, headers, host="localhost"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        connection.putrequest(method, path, skip_host=True)
        for name, value in {"Host": host, **headers, **({"Content-Length": len(body)} if body else {})}.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers


def foreign():
    return SERVER.metric("filigree_http_foreign_requests_total")


def refused(*asked, **more):
    before = foreign()
    status, body, _ = ask(*asked, **more)
    assert status == 403, f"{status} for {asked[:3]} {asked[4]} {more}: {body[:200]!r}"
    assert b"host" in body or b"accounts" in body or b"origin" in body, body
    assert foreign() == before + 1


def case_forwarded():
    """What a proxy has forwarded is refused on every port."""
    for port, method, path, body, headers in faces():
        assert ask(port, method, path, body, headers)[0] == 200, path
        for name in FORWARDED:
            refused(port, method, path, body, {**headers, name: "192.0.2.1"})


def case_foreign_hosts():
    """A host's name that is not this machine's own is refused on every port: it may have been pointed here."""
    for port, method, path, body, headers in faces():
        for host in FOREIGN_HOSTS:
            refused(port, method, path, body, headers, host=host)
        for host in LOCAL_HOSTS:
            assert ask(port, method, path, body, headers, host=host)[0] == 200, host


def case_foreign_origins():
    """Another site's page is refused, also where it could not read the answer; the configured one may send spans, and only that."""
    for port, method, path, body, headers in faces():
        own = {"Origin": f"http://localhost:{port}"}
        assert ask(port, method, path, body, {**headers, **own}, host=f"localhost:{port}")[0] == 200
        for origin in ("https://evil.example", "null", "http://localhost:1", f"https://localhost:{port}", f"http://localhost.evil.example:{port}"):
            refused(port, method, path, body, {**headers, "Origin": origin}, host=f"localhost:{port}")
        shop = {**headers, "Origin": "https://shop.example"}
        if path == "/v1/traces":
            assert ask(port, method, path, body, shop)[0] == 200
        else:
            refused(port, method, path, body, shop)


def case_erase_by_a_form():
    """A page that posts a form to what changes something changes nothing."""
    trace_id = harness.new_trace_id()
    assert SERVER.send(request(span(trace_id)))[0] == 200
    headers = {"Content-Type": "text/plain", "Origin": "https://evil.example"}
    refused(SERVER.api, "POST", "/api/v1/admin/erase", json.dumps({"trace_id": trace_id}).encode(), headers)
    assert len(SERVER.spans(trace_id)) == 1


def case_grpc_and_http2():
    """The same by HTTP/2's :authority, for gRPC as well; and a request that names two hosts is none."""
    if not shutil.which("nghttp"):
        raise Skip("nghttp (package nghttp2-client) is not installed")
    message = request(span(harness.new_trace_id()))
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"\0" + struct.pack(">I", len(message)) + message)
        file.flush()
        for headers, code in (((), 0), ((":authority: evil.example",), 7), (("x-forwarded-for: 192.0.2.1",), 7), (("origin: https://evil.example",), 7)):
            said = nghttp("-d", file.name, "-H", "content-type: application/grpc", "-H", "te: trailers", *(f"-H{header}" for header in headers),
                          f"http://localhost:{SERVER.grpc}{GRPC_PATH}")
            assert re.search(rf"grpc-status: {code}\b", said), (headers, said[-2000:])
    assert re.search(r":status: 200\b", nghttp(f"http://localhost:{SERVER.api}/healthz"))
    assert re.search(r":status: 400\b", nghttp("-Hhost: evil.example", f"http://localhost:{SERVER.api}/healthz"))
    for target in (b"http://evil.example/healthz", b"http://LOCALHOST/healthz"):
        with socket.create_connection(("127.0.0.1", SERVER.api), timeout=60) as conn:
            conn.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert conn.recv(1000).split()[1] == (b"200" if b"LOCAL" in target else b"400"), target


def nghttp(*words):
    return subprocess.run(["nghttp", "-v", "--timeout=50", *words], capture_output=True, check=False, timeout=60).stdout.decode(errors="replace")


def audited(server):
    """The lines of an ended server's audit."""
    lines = []
    for name in os.listdir(os.path.join(server.data, "audit")):
        with open(os.path.join(server.data, "audit", name), encoding="utf-8") as file:
            lines += [json.loads(line) for line in file]
    return lines


def case_turned_away_is_recorded():
    """What came from elsewhere, and connections that were too many, are in the audit: the first of a kind, and then a number."""
    with Server() as server:
        server.start()
        for headers, host in (({"Via": "a proxy"}, "localhost"), ({}, "evil.example"), ({"Origin": "https://evil.example"}, "localhost")):
            for _ in range(20):
                assert ask(server.api, "GET", "/healthz", None, headers, host)[0] == 403
        server.end()
        lines = audited(server)
    with Server(options=["--connections-max", "4"]) as server:
        server.start()
        with contextlib.ExitStack() as stack:
            held = [stack.enter_context(socket.create_connection(("127.0.0.1", server.grpc), timeout=60)) for _ in range(20)]
            # Not always the last sixteen: whoever asked whether the server is ready may have had a connection when the first came.
            harness.wait_until(lambda: len(select.select(held, [], [], 0)[0]) >= 16, "those beyond four are answered")
            assert all(b" 503 " in conn.recv(100) for conn in select.select(held, [], [], 0)[0])
        server.end()
        lines += audited(server)
    found = {(one["result"], one["what"]) for one in lines if one["action"] == "turned_away"}
    expected = {(result, what) for result in ("forwarded", "foreign host", "foreign origin") for what in ("api", "api: 19 more")}
    many = {what for result, what in found if result == "connections"}
    assert any(many == {"otlp-grpc", f"otlp-grpc: {more} more"} for more in range(15, 20)), found
    assert {(result, what) for result, what in found if result != "connections"} == expected, found
    assert all(one["from"] == "127.0.0.1" for one in lines), lines


def case_it_says_so():
    """The pages can ask what the server is, and every answer tells a browser what may be done with it."""
    status, body, headers = ask(SERVER.api, "GET", "/api/v1/security", None, {})
    assert status == 200 and json.loads(body) == {"mode": "open", "tls": False, "local": True, "insecure": "no"}, body
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    _, _, page = ask(SERVER.api, "GET", "/", None, {"Accept": "text/html"})
    for directive in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "form-action 'none'", "base-uri 'none'"):
        assert directive in page["Content-Security-Policy"]
    assert "unsafe" not in page["Content-Security-Policy"]
    assert page["Cross-Origin-Opener-Policy"] == "same-origin" and page["X-Frame-Options"] == "DENY"
    for path in ("/", "/nothing", "/metrics", "/healthz", "/api/v1/stats", "/api/services", "/api/v2/services", "/api/v1/openapi.yaml"):
        answer = ask(SERVER.api, "GET", path, None, {})[2]
        assert answer["X-Content-Type-Options"] == "nosniff" and answer["Referrer-Policy"] == "no-referrer", path
        assert answer["Cross-Origin-Resource-Policy"] == "same-origin" and answer["Content-Security-Policy"], path
        assert "Strict-Transport-Security" not in answer, path


class Elsewhere(Server):
    """A server with one listener on all interfaces."""

    def __init__(self, listener, *options):
        super().__init__(options=options)
        self.listener = listener

    def command(self):
        words = super().command()
        at = words.index("--" + self.listener) + 1
        words[at] = words[at].replace("127.0.0.1", "0.0.0.0")
        return words


def case_beyond_this_machine():
    """Each listener beyond loopback needs TLS and accounts, or a flag that names the risk."""
    for listener in ("otlp-grpc", "otlp-http", "api"):
        with Elsewhere(listener) as server:
            server.launch()
            assert server.process.wait(60) == 2, server.words()
            assert "whoever is on the way could listen in" in server.words(), server.words()
            assert listener in server.words() and "--insecure" in server.words(), server.words()
        # Without TLS by a flag, but never without accounts: the first start prints the link to the first administrator.
        with Elsewhere(listener, "--insecure", "anyone-may-listen-in").start() as server:
            assert f"link=http://127.0.0.1:{server.api}/setup#" in server.words(), server.words()
            assert server.get("/api/v1/traces")[0] == 401 and server.send(b"")[0] == 401
    # Where people reach it is where the link leads.
    with Elsewhere("api", "--insecure", "anyone-may-listen-in", "--pages-url", "https://filigree.example").start() as server:
        assert "link=https://filigree.example/setup#" in server.words(), server.words()
    with Elsewhere("api", "--insecure", "anyone-may-read-and-write").start() as server:
        assert "a risk was taken" in server.words()
        assert server.request("GET", "/api/v1/security", None, {"X-Forwarded-For": "192.0.2.1", "Host": "filigree.example"})[0] == 200
        assert json.loads(server.get("/api/v1/security")[1])["insecure"] == "anyone-may-read-and-write"


def case_path_tricks():
    """Whatever a path is made of, it means itself: nothing is resolved, decoded twice, or put into the answer's header."""
    files = ("/../etc/passwd", "/..%2f..%2fetc/passwd", "/%2e%2e/etc/passwd", "/app.js/../../etc/passwd", "/app.js%00.html", "/app.js;x", "/APP.JS", "//app.js",
             "/./app.js", "/app.js/", "/\\..\\app.js", "/%61pp.js", "/index.html", "/%2fapp.js")
    routes = ("/api/v1//stats", "/api/v1/./stats", "/api/v1/x/../stats", "/api/v1/stats/", "/API/V1/STATS", "/api/v1/%73tats", "/api/v1/stats%2f", "/api/v1/stats;a=b",
              "/metrics/..", "/api%2fv1%2fstats", "/api/v1/admin/../admin/seal")
    for path in files + routes:
        status, body, _ = ask(SERVER.api, "GET", path, None, {"Accept": "text/plain"})
        assert status in (400, 404, 405), (path, status)
        assert b"root:" not in body and b"segments" not in body, path
    for path in ("/api/v1/traces/%0d%0aset-cookie:%20a=b", "/nothing%0d%0a%0d%0ax", "/search?q=%0d%0aset-cookie:a"):
        _, _, headers = ask(SERVER.api, "GET", path, None, {"Accept": "text/html", "X-A": "b"})
        assert "set-cookie" not in {name.lower() for name in headers.keys()}, path
    shop = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "a\x0bset-cookie: b"}
    assert ask(SERVER.http, "OPTIONS", "/v1/traces", None, shop)[0] in (400, 403)


def case_confined():
    """The running server has a filter of system calls, can't gain privileges, and writes no core; a setting leaves it its calls."""
    status = process_status(SERVER)
    if "runs without a filter" in SERVER.words():
        raise Skip("libseccomp is not built in, or the kernel has no filters")
    for thread in os.listdir(f"/proc/{SERVER.process.pid}/task"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # one that has ended meanwhile
            status = process_status(SERVER, f"/task/{thread}")
            assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "1", (thread, status)
    with open(f"/proc/{SERVER.process.pid}/limits", encoding="ascii") as limits:
        assert re.search(r"Max core file size\s+0\s+0", limits.read())
    with Server(options=["--sandbox", "off"]).start() as server:
        assert process_status(server)["Seccomp"] in ("0", process_status(None)["Seccomp"])


def case_few_files():
    """The running server reads and writes what its settings name and nothing else; what is renewed there it reads; a backup goes where backups go."""
    with tempfile.TemporaryDirectory(prefix="filigree-named-") as named, tempfile.TemporaryDirectory(prefix="filigree-other-") as other:
        rules, config = "rules:\n  - {name: one, keys: [a.b], action: drop}\n", os.path.join(named, "filigree.yaml")
        for folder in (named, other):
            with open(os.path.join(folder, "rules.yaml"), "w", encoding="ascii") as file:
                file.write(rules)

        def configure(folder, name="rules.yaml"):
            with open(config + ".new", "w", encoding="ascii") as file:
                file.write(f"redact-rules: [{folder}/{name}]\n")
            os.rename(config + ".new", config)  # as it is renewed: a new file of the old name

        for sandbox in ("on", "off"):
            configure(named)
            os.mkdir(os.path.join(named, sandbox))
            with Server(options=["--config", config, "--sandbox", sandbox, "--backup-folders", os.path.join(named, sandbox)]).start() as server:
                confined = server.metrics()['filigree_confined{by="landlock"}']
                if sandbox == "on" and not confined:
                    assert "no Landlock" in server.words(), server.words()
                    raise Skip("this kernel has no Landlock")
                assert confined == (sandbox == "on")

                def reload(what):
                    seen = server.words().count(what)
                    server.process.send_signal(signal.SIGHUP)
                    harness.wait_until(lambda: server.words().count(what) > seen, what)

                with open(os.path.join(named, "rules2.yaml"), "w", encoding="ascii") as file:
                    file.write(rules.replace("one", f"renewed-{sandbox}"))
                configure(named, "rules2.yaml")
                reload("setting changed setting=redact-rules")
                harness.wait_until(lambda sandbox=sandbox: f"renewed-{sandbox}".encode() in server.get("/api/v1/redaction")[1], "the renewed rules are in force")
                configure(other)
                reload("nothing was changed" if confined else "setting changed setting=redact-rules")
                harness.wait_until(lambda sandbox=sandbox: (f"renewed-{sandbox}".encode() in server.get("/api/v1/redaction")[1]) == bool(confined), "what is in force")
                what_to_do = f"can't read {other}/rules.yaml: the server gave up what lies there when it started: restart it, with sandbox-files naming {other} "
                assert (what_to_do in server.words()) == bool(confined), server.words()[-1000:]
                monitor = {"kind": "tls", "host": "127.0.0.1", "port": 9, "ca-file": os.path.join(other, "rules.yaml")}
                status, _, body = server.request("POST", "/api/v1/monitors/hidden/try", json.dumps(monitor), {"Content-Type": "application/json"})
                assert status == 200 and (f"sandbox-files naming {other} ".encode() in body) == bool(confined), (status, body)
                assert server.send(request(span(harness.new_trace_id())))[0] == 200
                for path, wanted in ((os.path.join(other, "backup"), 400), (os.path.join(named, sandbox, "..", "backup"), 400), (os.path.join(named, sandbox, "backup"), 200)):
                    status, _, body = server.request("POST", "/api/v1/admin/backup", json.dumps({"path": path}), {"Content-Type": "application/json"})
                    assert status == wanted and (b'"done":true' in body or b"backup-folders" in body), (path, status, body)
                assert not os.path.exists(os.path.join(other, "backup"))
                assert server.request("POST", "/api/v1/admin/erase", json.dumps({"trace_id": harness.new_trace_id()}), {"Content-Type": "application/json"})[0] == 200
                assert server.end() == 0, server.words()
            # The copy is whole, and a store of its own.
            done = subprocess.run([harness.BINARY, "verify", os.path.join(named, sandbox, "backup")], capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode == 0, done


def process_status(server, under=""):
    with open(f"/proc/{server.process.pid if server else 'self'}{under}/status", encoding="ascii") as status:
        return dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)


if __name__ == "__main__":
    with SERVER:
        SERVER.start()
        sys.exit(harness.main(globals()))
