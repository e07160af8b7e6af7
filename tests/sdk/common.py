"""What the tests of libfiligree share: a traced program in some settings, and a server that answers as it is told.

Their scripts are called as SCRIPT FILIGREE DRIVER EXAMPLE UNLOAD LIBRARY [CASE...].
"""
import base64
import http.server
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import harness  # noqa: E402

DRIVER, EXAMPLE, UNLOAD, LIBRARY = sys.argv[2:6]
CASES = sys.argv[6:]


def environment(endpoint, folder=None, **more):
    env = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "FILIGREE_"))}
    env.update(OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_SERVICE_NAME="sdk-test", OTEL_BSP_SCHEDULE_DELAY="20", FILIGREE_EXIT_TIMEOUT="60000")
    env["FILIGREE_RECORDER_DIR" if folder else "FILIGREE_RECORDER"] = folder or "off"
    return {**env, **more}


def run(mode, *words, env, seconds=120, wrapper=()):
    done = subprocess.run([*wrapper, DRIVER, mode, *map(str, words)], env=env, capture_output=True, text=True, timeout=seconds,
                          stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 0, f"{mode}: {done.returncode}: {done.stdout} {done.stderr}"
    return done.stdout, done.stderr


def numbers(text):
    words = text.splitlines()[-1].split()
    return {words[i]: int(words[i + 1]) for i in range(0, len(words), 2)}


def trace_id(text):
    """The trace id of the first traceparent in a text; an id may itself end with 00."""
    return re.search(r"\b00-([0-9a-f]{32})\b", text)[1]


def names(server, wanted):
    return [span["name"] for span in server.spans(wanted)]


def attributes(span):
    return {item["key"]: next(iter(item["value"].values()), None) for item in span.get("attributes", [])}


def http_endpoint(server):
    return f"http://127.0.0.1:{server.http}"


def sent_spans(body):
    """The Span messages of a request, as dicts of fields."""
    for _, resource in harness.fields(body):
        for number, scope in harness.fields(resource):
            if number == 2:
                yield from (content for which, content in harness.fields(scope) if which == 2)


class Sink:
    """An HTTP server that answers as it is told: a list of (status, headers, body, seconds); the last one stays. Headers may be what makes them."""

    def __init__(self, *answers, tls=None, port=0):
        self.answers = list(answers)
        self.bodies = []
        self.times = []
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, headers, answer, seconds = sink.answers[0] if len(sink.answers) == 1 else sink.answers.pop(0)
                if callable(status):
                    status = status(body)
                sink.times.append(time.monotonic())
                if status == 200:
                    sink.bodies.append(body)
                time.sleep(seconds)
                try:
                    self.send_response(status)
                    for key, value in (headers() if callable(headers) else headers).items():
                        self.send_header(key, value)
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)
                except OSError:
                    pass

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):  # a client that hangs up in a handshake
                pass

            def finish_request(self, connection, address):
                """The handshake is the connection's own thread's."""
                wrapped = tls.wrap_socket(connection, server_side=True) if tls else connection
                if tls and tls.verify_mode != ssl.CERT_NONE:
                    sink.peers.append(dict(part[0] for part in wrapped.getpeercert()["subject"])["commonName"])
                super().finish_request(wrapped, address)

        self.peers = []
        self.server = Server(("127.0.0.1", port), Handler)
        self.endpoint = f"http{'s' if tls else ''}://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def span_count(self):
        return sum(len(list(sent_spans(body))) for body in self.bodies)


OK = (200, {}, b"", 0)


class GrpcSink:
    """A gRPC server that answers as grpc_sink.js is told; with TLS where it gets files (key, certificate[, client authority])."""

    def __init__(self, *answers, files=()):
        if not shutil.which("node"):
            raise harness.Skip("node is not installed")
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "grpc_sink.js")
        self.process = subprocess.Popen(["node", script, json.dumps(answers or [{}]), *files], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        port = json.loads(self.process.stdout.readline())["port"]
        self.endpoint = f"http{'s' if files else ''}://127.0.0.1:{port}"
        self.requests = []
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.requests.append(json.loads(line))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(60)

    @property
    def bodies(self):
        """Those that were accepted."""
        return [base64.b64decode(request["content"]) for request in self.requests if request["status"] == 0]

    @property
    def times(self):
        return [request["at"] / 1000 for request in self.requests]

    @property
    def peers(self):
        return [request["peer"] for request in self.requests]

    def span_count(self):
        return sum(len(list(sent_spans(body))) for body in self.bodies)


def recover(server_endpoint, folder, *more):
    done = subprocess.run([harness.BINARY, "recover", folder, "--server", server_endpoint, "--json", *more], capture_output=True,
                          text=True, timeout=120, check=False)
    return done.returncode, (json.loads(done.stdout) if done.stdout else None), done.stderr
