#!/usr/bin/env python3
"""tls.py FILIGREE [CASE...]: TLS on the real server's three ports, with real certificates and clients that are not ours."""
import contextlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from authority import Authority  # noqa: E402
from harness import Server, Skip, request, span, wait_until  # noqa: E402


for tool in ("openssl", "curl"):
    if not shutil.which(tool):
        print(f"ok 1 - all # SKIP {tool} is not installed")
        sys.exit(0)
FOLDER = tempfile.mkdtemp(prefix="filigree-tls-")
OURS, THEIRS = Authority(FOLDER, "ours"), Authority(FOLDER, "theirs")
NAMES = "DNS:localhost,IP:127.0.0.1"
CERTIFICATE, KEY = OURS.issue("server", NAMES)
CLIENT, CLIENT_KEY = OURS.issue("checkout", "DNS:checkout.shop.example,URI:spiffe://shop/checkout")
STRANGER, STRANGER_KEY = THEIRS.issue("checkout", "DNS:checkout.shop.example")
# What the running server reads: replaced by some cases.
LIVE = [OURS.path("live.pem"), OURS.path("live.key")]


def put(certificate, key):
    """Replaces what the server reads as renewing programs do, by renaming."""
    for source, target in zip((certificate, key), LIVE):
        shutil.copy(source, target + ".new")
        os.rename(target + ".new", target)


def trusting(authority=OURS, *chain, **options):
    context = ssl.create_default_context(cafile=authority.file)
    for name, value in options.items():
        setattr(context, name, value)
    if chain:
        context.load_cert_chain(*chain)
    return context


put(CERTIFICATE, KEY)
SERVER = Server(options=["--tls-cert", LIVE[0], "--tls-key", LIVE[1], "--tls-client-ca", OURS.file], tls=trusting())


def curl(*words, port=None, path="/readyz", authority=OURS, succeeds=True):
    done = subprocess.run(["curl", "-sS", "--max-time", "20", "--cacert", authority.file, *words, f"https://localhost:{port or SERVER.api}{path}"],
                          capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == succeeds, f"curl {words}: {done.returncode} {done.stdout[:300]} {done.stderr}"
    return done.stdout if succeeds else done.stderr


def refusals(reason):
    return SERVER.metric(f'filigree_net_refused_total{{reason="{reason}"}}')


@contextlib.contextmanager
def refused_for(reason):
    before = refusals(reason)
    yield
    wait_until(lambda: refusals(reason) > before, f"a refusal is counted as {reason}")


def connect(port, context, name="localhost"):
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=60), server_hostname=name)


def served(port=None):
    """The certificate that a new connection gets."""
    with connect(port or SERVER.api, trusting()) as conn:
        return conn.getpeercert(binary_form=True)


def case_every_port_speaks_both():
    """Each of the three ports speaks HTTP/1.1 and HTTP/2 over TLS, as ALPN agrees."""
    for port in (SERVER.api, SERVER.http, SERVER.grpc):
        for flag, version in (("--http1.1", "1.1"), ("--http2", "2")):
            said = curl(flag, "-o", os.devnull, "-w", "%{http_version} %{ssl_verify_result}", port=port, path="/nothing")
            assert said == f"{version} 0", said


def case_spans_come_in():
    """Spans sent over TLS are stored, by HTTP/1.1, HTTP/2 and gRPC, in bodies of every size."""
    for words, kilobytes in (("--http1.1", 1), ("--http2", 1), ("--http1.1", 900), ("--http2", 900)):
        trace_id = harness.new_trace_id()
        body = request(*(span(trace_id, f"{n + 1:016x}", attributes={"filler": os.urandom(500).hex()}) for n in range(kilobytes)))
        with open(OURS.path("body"), "wb") as file:
            file.write(body)
        curl(words, "-f", "-H", "content-type: application/x-protobuf", "--data-binary", "@" + OURS.path("body"), port=SERVER.http, path="/v1/traces")
        assert len(SERVER.spans(trace_id)) == kilobytes, words
    trace_id = harness.new_trace_id()
    message = request(span(trace_id))
    with open(OURS.path("body"), "wb") as file:
        file.write(b"\0" + len(message).to_bytes(4, "big") + message)
    said = curl("--http2", "-D", "-", "-o", os.devnull, "-H", "content-type: application/grpc", "-H", "te: trailers", "--data-binary",
                "@" + OURS.path("body"), port=SERVER.grpc, path="/opentelemetry.proto.collector.trace.v1.TraceService/Export")
    assert "grpc-status: 0" in said, said
    assert len(SERVER.spans(trace_id)) == 1


def case_only_modern():
    """TLS 1.2 and 1.3 with forward secrecy are spoken; what is older or weaker is refused."""
    assert "TLSv1.2" in openssl_client("-tls1_2")
    assert "TLSv1.3" in openssl_client("-tls1_3")
    for words in (("-tls1_2", "-cipher", "AES128-GCM-SHA256@SECLEVEL=0"), ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-SHA@SECLEVEL=0"),
                  ("-tls1_2", "-cipher", "NULL@SECLEVEL=0"), ("-tls1_1", "-cipher", "ALL@SECLEVEL=0"), ("-alpn", "ftp")):
        with refused_for("handshake"):
            said = openssl_client(*words)
            assert "alert" in said, said


def openssl_client(*words, port=None):
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port or SERVER.api}", "-CAfile", OURS.file, *words], input="",
                          capture_output=True, text=True, check=False, timeout=60)
    return done.stdout + done.stderr


def case_renegotiation():
    """Who asks for a new handshake in the middle gets none."""
    assert "handshake_failure" not in openssl_client("-tls1_2")
    with tempfile.TemporaryFile() as said:
        # It goes by itself where its standard input ends, and would not wait for the answer.
        with subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{SERVER.api}", "-CAfile", OURS.file, "-tls1_2"], stdin=subprocess.PIPE, stdout=said,
                              stderr=subprocess.STDOUT) as client:
            client.stdin.write(b"R\n")
            client.stdin.flush()
            wait_until(lambda: "no renegotiation" in harness.said_in(said).lower() or client.poll() is not None, "it is answered")
            client.kill()
        assert "no renegotiation" in harness.said_in(said).lower(), harness.said_in(said)


def case_sessions():
    """A session is resumed by its ticket, and only on the listener where it began."""
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = trusting(OURS, minimum_version=version, maximum_version=version)
        with connect(SERVER.api, context) as conn:
            conn.sendall(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n")
            assert conn.recv(1000)
            assert not conn.session_reused
            session = conn.session
        for port, reused in ((SERVER.api, True), (SERVER.http, False)):
            raw = socket.create_connection(("127.0.0.1", port), timeout=60)
            with context.wrap_socket(raw, server_hostname="localhost", session=session) as conn:
                assert conn.session_reused == reused, (version, port, conn.session_reused)


def case_plain_text_on_a_tls_port():
    """Who speaks plain text where TLS is taken is told so and no more."""
    with refused_for("plain_text"):
        status, _, body = Server.request(plain(), "GET", "/readyz")
        assert status == 400 and body == b"this port takes TLS: https://\n", (status, body)
    wait_until(lambda: "connection turned away reason=" in SERVER.words(), "the log says so")
    with refused_for("plain_text"), socket.create_connection(("127.0.0.1", SERVER.grpc), timeout=60) as conn:
        conn.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
        said = read_all(conn)
        assert said[9 + 3] == 7 and said[-1] == 0x0C, said  # GOAWAY, INADEQUATE_SECURITY
    with refused_for("plain_text"), socket.create_connection(("127.0.0.1", SERVER.api), timeout=60) as conn:
        conn.sendall(b"\0\1\2\3")
        assert read_all(conn) == b""


def plain():
    """The same server, spoken to in plain text."""
    other = Server()
    other.api = SERVER.api
    shutil.rmtree(other.folder)
    return other


def read_all(conn):
    said = b""
    while True:
        part = conn.recv(65536)
        if not part:
            return said
        said += part


def case_tls_on_a_plain_port():
    """Who speaks TLS where plain text is taken gets an alert at once."""
    with Server(options=["--tls-cert", LIVE[0], "--tls-key", LIVE[1], "--tls-on", "otlp-grpc"]).start() as server:
        try:
            connect(server.api, trusting())
            raise AssertionError("a handshake on a plain port")
        except ssl.SSLError as error:
            assert "ALERT" in str(error).upper(), error
        wait_until(lambda: server.metric('filigree_net_refused_total{reason="tls"}') == 1, "it is counted")
        with connect(server.grpc, trusting()) as conn:
            assert conn.version()


def case_client_certificates():
    """A client's certificate is taken from our authority only, where it is asked for; none is needed where it is only asked."""
    body = json.dumps({"resourceSpans": []})
    words = ("-f", "-H", "content-type: application/json", "-d", body)
    curl(*words, "--cert", CLIENT, "--key", CLIENT_KEY, port=SERVER.http, path="/v1/traces")
    curl(*words, port=SERVER.http, path="/v1/traces")
    with refused_for("client_certificate"):
        said = curl(*words, "--cert", STRANGER, "--key", STRANGER_KEY, port=SERVER.http, path="/v1/traces", succeeds=False)
        assert "alert" in said, said
    curl("--cert", STRANGER, "--key", STRANGER_KEY)  # the API's port asks for none
    options = ["--tls-cert", LIVE[0], "--tls-key", LIVE[1], "--tls-client-ca", OURS.file, "--tls-client-auth", "require"]
    with Server(options=options, tls=trusting()).start() as server:
        curl(*words, "--cert", CLIENT, "--key", CLIENT_KEY, port=server.http, path="/v1/traces")
        assert "alert" in curl(*words, port=server.http, path="/v1/traces", succeeds=False)
        wait_until(lambda: server.metric('filigree_net_refused_total{reason="client_certificate"}') == 1, "it is counted")


def case_renewed_certificate():
    """A certificate that is replaced is served to new connections without a restart; those that are there go on."""
    before = served()
    with connect(SERVER.api, trusting()) as conn:
        put(*OURS.issue("renewed", NAMES, key="rsa:2048"))
        wait_until(lambda: served() != before, "the new certificate is served")
        conn.sendall(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert b" 200 " in conn.recv(1000)
        assert conn.getpeercert(binary_form=True) == before
    wait_until(lambda: "TLS certificate read again" in SERVER.words(), "the log says so")
    put(CERTIFICATE, KEY)
    wait_until(lambda: served() == before, "the old one is served again")


def case_bad_new_certificate():
    """Files that can't be used change nothing but the log; SIGHUP says the same at once."""
    before = served()
    other, other_key = OURS.issue("other", NAMES)
    expired = OURS.path("expired.pem")
    OURS.openssl("x509", "-req", "-in", OURS.path("ours-server.csr"), "-signkey", KEY, "-days", "-1", "-out", expired)
    junk = OURS.path("junk")
    with open(junk, "w", encoding="ascii") as file:
        file.write("-----BEGIN CERTIFICATE-----\nnone\n")
    for certificate, key, why in ((other, KEY, "the key is not that of the certificate"), (junk, KEY, "damaged"), (expired, KEY, "has expired"),
                                  (CERTIFICATE, junk, "no private key"), (other, os.devnull, "no private key")):
        said = len(SERVER.words())
        put(certificate, key)
        SERVER.process.send_signal(1)
        wait_until(lambda said=said, why=why: any("the new TLS certificate can't be used" in line and why in line for line in SERVER.words()[said:].splitlines()), why)
        assert served() == before
    put(other, other_key)
    SERVER.process.send_signal(1)
    wait_until(lambda: served() != before, "the good one is served")
    put(CERTIFICATE, KEY)
    SERVER.process.send_signal(1)
    wait_until(lambda: served() == before, "the old one is served again")


def case_renewed_out_of_reach():
    """A certificate that is renewed by a link to a folder that the process gave up is said to be out of reach, with what to do: in the log and to the
    service manager, by itself and by SIGHUP; the old one stays. In reach again it is taken."""
    with tempfile.TemporaryDirectory() as named, tempfile.TemporaryDirectory() as other, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        os.mkdir(os.path.join(named, "one"))
        new, new_key = OURS.issue("out-of-reach", NAMES)
        for source, folder, name in ((CERTIFICATE, named + "/one", "cert.pem"), (KEY, named + "/one", "key.pem"), (new, other, "cert.pem"), (new_key, other, "key.pem")):
            shutil.copy(source, os.path.join(folder, name))

        def lead_to(folder):
            os.symlink(folder, os.path.join(named, "new"))
            os.rename(os.path.join(named, "new"), os.path.join(named, "live"))

        def told():
            manager.settimeout(0.05)
            with contextlib.suppress(TimeoutError):
                while True:
                    statuses.append(manager.recv(65536).decode().splitlines()[-1])
            return statuses[-1]

        lead_to("one")
        statuses = [""]
        manager.bind(os.path.join(named, "manager"))
        os.environ["NOTIFY_SOCKET"] = os.path.join(named, "manager")
        try:
            with Server(options=["--tls-cert", named + "/live/cert.pem", "--tls-key", named + "/live/key.pem"], tls=trusting()).start() as server:
                if not server.metrics()['filigree_confined{by="landlock"}']:
                    raise Skip("this kernel has no Landlock")
                before, why = served(server.api), f"the server gave up what lies there when it started: restart it, with sandbox-files naming {other} "
                lead_to(other)
                for count in (1, 2):
                    wait_until(lambda count=count: server.words().count(why) == count, "it is said")
                    wait_until(lambda: "the old one stays in use" in told() and why in told(), "the service manager is told")
                    assert served(server.api) == before
                    server.process.send_signal(1)
                lead_to("one")
                wait_until(lambda: told() == "STATUS=ready", "it is well again")
                assert served(server.api) == before
        finally:
            del os.environ["NOTIFY_SOCKET"]


def case_own_certificates():
    """`filigree certs` makes an authority and certificates that the server, the command line and strict verifiers take; it replaces nothing."""
    with tempfile.TemporaryDirectory() as folder:
        certs = os.path.join(folder, "certs")

        def make(*words, code=0):
            done = subprocess.run([harness.BINARY, "certs", "--dir", certs, *words], capture_output=True, text=True, check=False, timeout=60)
            assert done.returncode == code, (words, done.stdout, done.stderr)
            return done.stdout if code == 0 else done.stderr

        said = make("traces.internal", "192.0.2.7")
        assert "filigree serve --tls-cert" in said and "keep it off the server" in said, said
        client = json.loads(make("--client", "checkout", "spiffe://shop/checkout", "--json"))
        assert client["use"] == "client" and client["names"] == ["spiffe://shop/checkout"] and not client["made_ca"], client
        for name in os.listdir(certs):
            mode = 0o644 if name.endswith(".pem") else 0o600  # a certificate is for everybody, a key for its owner
            assert os.stat(os.path.join(certs, name)).st_mode & 0o777 == mode, name
        assert os.stat(certs).st_mode & 0o777 == 0o755
        assert sorted(os.listdir(certs)) == ["ca.key", "ca.pem", "checkout.key", "checkout.pem", "server.key", "server.pem"]
        before = {name: read(os.path.join(certs, name)) for name in os.listdir(certs)}
        assert "is there already and is left as it is" in make(code=3)
        assert "is there already" in make("--client", "checkout", code=3)
        for words in (("--client", "../evil"), ("--client", "ca"), ("--client", ""), ("--days", "0"), ("--client", "b", "a b"), ("--client", "b", "a..b"),
                      ("--client", "b", "http//x"), ("--client", "b", "x" * 300)):
            make(*words, code=2)
        assert before == {name: read(os.path.join(certs, name)) for name in os.listdir(certs)}
        for name in ("server", "checkout"):
            OURS.openssl("verify", "-x509_strict", "-purpose", "sslserver" if name == "server" else "sslclient", "-CAfile", f"{certs}/ca.pem",
                         f"{certs}/{name}.pem")
        text = subprocess.run(["openssl", "x509", "-in", f"{certs}/server.pem", "-noout", "-ext", "subjectAltName"], capture_output=True, text=True,
                              check=True).stdout
        for name in ("DNS:traces.internal", "IP Address:192.0.2.7", "DNS:localhost", "IP Address:127.0.0.1"):
            assert name in text, text
        options = ["--tls-cert", f"{certs}/server.pem", "--tls-key", f"{certs}/server.key", "--tls-client-ca", f"{certs}/ca.pem", "--tls-client-on", "api",
                   "--tls-client-auth", "require"]
        trust = ssl.create_default_context(cafile=f"{certs}/ca.pem")
        trust.load_cert_chain(f"{certs}/checkout.pem", f"{certs}/checkout.key")
        with Server(options=options, tls=trust).start() as server:
            url = f"https://localhost:{server.api}"
            shown = ["--client-cert", f"{certs}/checkout.pem", "--client-key", f"{certs}/checkout.key"]
            assert "spans" in command("stats", "--server", url, "--ca", f"{certs}/ca.pem", *shown)
            assert "is its authority given" in command("stats", "--server", url, *shown, code=3)
            assert "alert" in command("stats", "--server", url, "--ca", f"{certs}/ca.pem", code=3)
            env = {"FILIGREE_SERVER": url, "FILIGREE_CA": f"{certs}/ca.pem", "FILIGREE_CLIENT_CERT": f"{certs}/checkout.pem",
                   "FILIGREE_CLIENT_KEY": f"{certs}/checkout.key"}
            assert "spans" in command("stats", env=env)
            assert "this port takes TLS" in command("stats", "--server", url.replace("https", "http"), code=2)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def command(*words, code=0, env=None):
    done = subprocess.run([harness.BINARY, *words], capture_output=True, text=True, check=False, timeout=60, env={**os.environ, **(env or {})})
    assert done.returncode == code, (words, done.returncode, done.stdout[:500], done.stderr)
    return done.stdout + done.stderr


def case_wrong_files_at_the_start():
    """A server whose certificate can't be used does not start, and says why."""
    cases = ((("--tls-cert", CERTIFICATE), "tls-cert needs tls-key as well"), (("--tls-key", KEY), "tls-key needs tls-cert as well"),
             (("--tls-client-ca", OURS.file), "needs TLS"), (("--tls-cert", CERTIFICATE, "--tls-key", CLIENT_KEY), "not that of the certificate"),
             (("--tls-cert", CERTIFICATE, "--tls-key", "/nowhere/at-all"), "can't read /nowhere/at-all: not found"),
             (("--tls-cert", CERTIFICATE, "--tls-key", KEY, "--tls-client-ca", CERTIFICATE), "no authority's"),
             (("--tls-on", "api,mail"), "'mail' is not known here; expected a list of otlp-grpc, otlp-http, api"))
    for options, why in cases:
        with Server(options=options) as server:
            server.launch()
            assert server.process.wait(60) == 2, server.words()
            assert why in server.words(), server.words()


def main():
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, FOLDER, ignore_errors=True)
        stack.enter_context(SERVER)
        SERVER.start()
        return harness.main(globals())


if __name__ == "__main__":
    sys.exit(main())
