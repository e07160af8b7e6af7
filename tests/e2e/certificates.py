#!/usr/bin/env python3
"""certificates.py FILIGREE [CASE...]: services that send spans by a client certificate alone, to a server with accounts; and what the audit says of
those that are turned away. The client is curl, over HTTP and as gRPC."""
import contextlib
import http.server
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from authority import Authority  # noqa: E402
from doors import Closed  # noqa: E402
from harness import request, span, wait_until  # noqa: E402

GRPC_PATH = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
for tool in ("openssl", "curl"):
    if not shutil.which(tool):
        print(f"ok 1 - all # SKIP {tool} is not installed")
        sys.exit(0)
FOLDER = tempfile.mkdtemp(prefix="filigree-certificates-")
OURS, THEIRS = Authority(FOLDER, "ours"), Authority(FOLDER, "theirs")
CERTIFICATE, KEY = OURS.issue("server", "DNS:localhost,IP:127.0.0.1")
SERVICES = {
    "checkout": OURS.issue("checkout", "DNS:checkout.shop.example"),
    "spiffe": OURS.issue("mes", "DNS:mes.shop.example,URI:spiffe://acme/mes-api"),
    "nowhere": OURS.issue("guest", "DNS:guest.example"),
    "lost": OURS.issue("lost", "DNS:lost.shop.example"),
    "old": OURS.issue("old", "DNS:old.shop.example", days=-1),
    "stranger": THEIRS.issue("checkout", "DNS:checkout.shop.example"),
}
TRUSTED = OURS.path("trusted.pem")


def trust(*revoked):
    """Writes what the server believes: our authority, and which of its certificates hold no more."""
    with open(OURS.file, encoding="ascii") as file:
        text = file.read() + (OURS.revoke(*revoked) if revoked else "")
    with open(TRUSTED + ".new", "w", encoding="ascii") as file:
        file.write(text)
    os.rename(TRUSTED + ".new", TRUSTED)


trust()
SERVER = Closed(options=["--tls-cert", CERTIFICATE, "--tls-key", KEY, "--tls-client-ca", TRUSTED, "--tls-client-tenants",
                         "checkout.shop.example=default,lost.shop.example=default,spiffe://acme/*=acme"],
                tls=ssl.create_default_context(cafile=OURS.file))


def send(service=None, grpc=False, headers=(), is_refused=False):
    """By curl, which gives up where the answer comes before its upload is out, hence nothing that will be refused: the trace's id; HTTP's status and, for gRPC, its own; the words of a failure."""
    trace_id = harness.new_trace_id()
    message = request(span(trace_id))
    path, kind, port = ("/v1/traces", "application/x-protobuf", SERVER.http)
    if grpc:
        message = b"\0" + len(message).to_bytes(4, "big") + message
        path, kind, port = (GRPC_PATH, "application/grpc", SERVER.grpc)
    words = [word for header in headers for word in ("-H", header)]
    if service:
        words += ["--cert", SERVICES[service][0], "--key", SERVICES[service][1]]
    done = subprocess.run(["curl", "-sS", "--max-time", "20", "--cacert", OURS.file, "--http2", "-D", "-", "-o", os.devnull, "-H", f"content-type: {kind}",
                           "-H", "te: trailers", *words, "--data-binary", "@-", f"https://localhost:{port}{path}"], input=b"" if is_refused else message, capture_output=True,
                          check=False)
    said = done.stdout.decode()
    status = re.match(r"HTTP/2 (\d+)", said)
    code = re.search(r"grpc-status: (\d+)", said)
    return trace_id, int(status.group(1)) if status else 0, int(code.group(1)) if code else None, done.stderr.decode()


def audit(action, count=200):
    """Records of an action, newest first."""
    status, _, body = SERVER.root.get(f"/api/v1/audit?action={action}&limit={count}")
    assert status == 200, body
    return json.loads(body)["records"]


def tenant_of(trace_id):
    """Whose spans they are: those tenants whose reader finds the trace."""
    found = []
    for tenant in ("default", "acme"):
        status, _, _ = SERVER.root.get(f"/api/v1/traces/{trace_id}", {"Filigree-Tenant": tenant})
        found += [tenant] if status == 200 else []
    return found


def case_start():
    """A server with accounts and two tenants."""
    SERVER.start()
    SERVER.add_tenant("acme")


def case_right():
    """The right certificate sends spans, over HTTP and gRPC, into the tenant that its name has; nothing else is let in by it."""
    for grpc in (False, True):
        for service, tenant in (("checkout", "default"), ("spiffe", "acme")):
            trace_id, status, code, said = send(service, grpc)
            assert status == 200 and code in (None, 0), (service, grpc, status, code, said)
            assert tenant_of(trace_id) == [tenant], (service, tenant_of(trace_id))
    # It names another's tenant, or asks for what is read.
    assert send("checkout", headers=("filigree-tenant: acme",), is_refused=True)[1] == 403
    done = subprocess.run(["curl", "-sS", "--cacert", OURS.file, "--cert", SERVICES["checkout"][0], "--key", SERVICES["checkout"][1], "-o", os.devnull, "-w",
                           "%{http_code}", f"https://localhost:{SERVER.http}/v1/traces"], capture_output=True, text=True, check=True)
    assert done.stdout in ("401", "403", "405"), done.stdout
    trace_id, status, code, _ = send("checkout", grpc=True, headers=("filigree-tenant: acme",), is_refused=True)
    assert (status, code) == (200, 7), (status, code)


def case_none():
    """Without one nothing is taken, as without a token; the audit has it."""
    for grpc, expected in ((False, (401, None)), (True, (200, 16))):
        assert send(None, grpc, is_refused=True)[1:3] == expected
    wait_until(lambda: any(one["result"] == "no credentials" for one in audit("refused")), "the refusal is recorded")


def case_without_a_tenant():
    """A certificate that no tenant is named for is refused, and the audit has it."""
    for grpc, expected in ((False, (403, None)), (True, (200, 7))):
        assert send("nowhere", grpc, is_refused=True)[1:3] == expected
    wait_until(lambda: any(one["result"] == "another tenant" for one in audit("refused")), "the refusal is recorded")


def case_strangers():
    """Another authority's, and one that has run out: no handshake, and a record of the audit that says where and why."""
    for service in ("stranger", "old"):
        for grpc in (False, True):
            trace_id, status, code, said = send(service, grpc)
            assert (status, code) == (0, None) and "alert" in said, (service, status, said)
    for listener in ("otlp-http", "otlp-grpc"):
        wait_until(lambda name=listener: [one for one in audit("turned_away") if one["result"] == "client_certificate" and one["what"].startswith(name)],
                   f"the audit has what {listener} turned away")


def case_revoked():
    """One that is revoked is refused as soon as the list is there, without a restart; the others go on."""
    assert send("lost")[1] == 200
    trust(SERVICES["lost"][0])
    wait_until(lambda: send("lost")[1] == 0, "the revoked certificate is refused")
    assert "alert" in send("lost", grpc=True)[3]
    assert send("checkout")[1] == 200 and send("spiffe", grpc=True)[2] == 0
    trust()
    wait_until(lambda: send("lost")[1] == 200, "the list is gone, and it holds again")


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes alerts over TLS."""
    heard = []

    def log_message(self, *_):
        pass

    def do_POST(self):
        self.heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()


def case_alerts():
    """Alerts go to an https receiver whose authority is named; where it is not, nobody is told, and the log says why."""
    sink = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE, KEY)
    sink.socket = context.wrap_socket(sink.socket, server_side=True)
    threading.Thread(target=sink.serve_forever, daemon=True).start()
    path = OURS.path("monitors.yaml")
    with open(path, "w", encoding="ascii") as file:
        file.write(f"monitors:\n  - name: db\n    kind: tcp\n    host: 127.0.0.1\n    port: {harness.free_port()}\n    interval: 300ms\n    service: db\n")
    options = ["--monitors", path, "--alert-webhook", f"https://localhost:{sink.server_address[1]}/hook"]
    with harness.Server(options=options).start() as server:
        wait_until(lambda: "alerts can't be told" in server.words(), "it says that nobody is told")
        assert "certificate" in server.words(), server.words()
    assert not Receiver.heard
    with harness.Server(options=[*options, "--alert-ca", OURS.file]).start():
        wait_until(lambda: Receiver.heard, "the receiver is told")
    sink.shutdown()
    sink.server_close()
    assert Receiver.heard[0]["key"] == "monitor/db", Receiver.heard


def case_commands_say_why():
    """A command that is refused before its body has gone says why, each time."""
    env = {**os.environ, "FILIGREE_SERVER": f"https://localhost:{SERVER.api}", "FILIGREE_CA": OURS.file}
    env.pop("FILIGREE_TOKEN", None)
    for _ in range(15):
        done = subprocess.run([harness.BINARY, "erase", "--trace", harness.new_trace_id(), "--yes"], capture_output=True, text=True, timeout=60, check=False, env=env)
        assert done.returncode == 3 and "sign in, or send a token that holds" in done.stderr, done


def case_floods_are_counted():
    """Whoever is turned away again and again fills no disk: the first of a kind is recorded, the others are a number."""
    before = len(audit("turned_away", 1000))
    for _ in range(300):
        with socket.create_connection(("127.0.0.1", SERVER.api), timeout=60) as conn:
            conn.sendall(b"GET / HTTP/1.0\r\n\r\n")
            while conn.recv(4096):
                pass
    wait_until(lambda: [one for one in audit("turned_away") if one["result"] == "plain_text" and one["what"] == "api"], "the first is recorded")
    assert len(audit("turned_away", 1000)) - before <= 3, audit("turned_away")[:5]
    # The rest is counted when its minute is over, or at the end.
    SERVER.end()
    folder = os.path.join(SERVER.data, "audit")
    lines = ""
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            lines += file.read()
    records = [json.loads(line) for line in lines.splitlines()]
    told = [one["what"] for one in records if one["action"] == "turned_away" and one["result"] == "plain_text" and one["what"].startswith("api")]
    more = [int(one.split()[1]) for one in told if one != "api"]
    # One minute has them all, or on a slow machine the next has the rest.
    assert len(more) <= 2 and told.count("api") + sum(more) == 300, lines[-2000:]
    verified = subprocess.run([harness.BINARY, "audit", "verify", "--data", SERVER.data], capture_output=True, text=True, check=False, timeout=60)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def main():
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, FOLDER, ignore_errors=True)
        stack.enter_context(SERVER)
        return harness.main(globals())


if __name__ == "__main__":
    sys.exit(main())
