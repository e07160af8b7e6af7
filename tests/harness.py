"""What the tests of the real program share: a server on a folder of its own, requests to it, and cases that are named.

A script of cases ends with `sys.exit(harness.main(globals()))`. Every function case_... is run; its first line of text
names it. Printed are `ok N - name`, `not ok N - name` with what was wrong, and `ok N - name # SKIP reason`. Only Python's
standard library is used.
"""
import contextlib
import http.client
import http.server
import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

PATIENCE_SECONDS = 60  # a machine that is busy with other things is no fault
READY_SECONDS = 120
PORTS = (10000, 20000)  # below those of connections, and of the demo's companies
CHOICE = random.SystemRandom()  # a test may seed the other
CLAIMS = []
SPAN_KINDS = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
BINARY = os.environ.get("FILIGREE") or (sys.argv[1] if len(sys.argv) > 1 else "build/filigree")


class Skip(Exception):
    """A case that can't be run here; the text says why."""


def as_nobody(folder):
    """Words before a command by which it runs as somebody without rights on foreign files, who can reach the folder."""
    if os.geteuid() != 0:
        return []
    if not shutil.which("setpriv"):
        raise Skip("root may do everything, and setpriv is not installed")
    words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    if subprocess.run([*words, "test", "-x", folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode != 0:
        raise Skip(f"another user can't reach {folder}: a folder above it is closed to others")
    return words


def as_a_terminal_starts_it():
    """For preexec_fn: no signal is ignored, whatever the tests were started by (a shell's `&`, nohup): a shell can't trap one that is."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def free_port():
    """A port that nobody listens on, and that nobody else is given while this process lives: not by the kernel, which takes those of connections
    from a range of its own, and not by another test, since a name among the abstract sockets is held for it."""
    while True:
        port = CHOICE.randrange(*PORTS)
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind(f"\0filigree-test-port-{port}")
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        CLAIMS.append(claim)
        return port


def wait_until(condition, what, seconds=PATIENCE_SECONDS):
    """Asks again and again, some milliseconds apart; fails where it never becomes true."""
    end = time.monotonic() + seconds
    pause = 0.002
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


def said_in(log):
    """All of a file that a process writes to. The place where it writes next is the file's, and seeking would move it."""
    return os.pread(log.fileno(), os.fstat(log.fileno()).st_size, 0).decode(errors="replace")


class Server:
    """A `filigree serve` on a folder. Used with `with`: it is killed at the end, and its folder removed."""

    def __init__(self, data=None, options=(), binary=BINARY, wrapper=(), tls=None):
        self.own = data is None
        self.folder = tempfile.mkdtemp(prefix="filigree-test-", dir=os.environ.get("TMPDIR") or "/var/tmp") if self.own else None
        self.data = data or os.path.join(self.folder, "data")
        self.options = list(options)
        self.binary = binary
        self.wrapper = list(wrapper)
        self.process = None
        self.tls = tls  # an ssl.SSLContext to speak to it with, where it takes TLS
        self.api, self.http, self.grpc = free_port(), free_port(), free_port()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        if self.own:
            shutil.rmtree(self.folder, ignore_errors=True)

    def command(self):
        return [*self.wrapper, self.binary, "serve", "--data", self.data, "--otlp-grpc", f"127.0.0.1:{self.grpc}", "--otlp-http",
                f"127.0.0.1:{self.http}", "--api", f"127.0.0.1:{self.api}", *self.options]

    def launch(self):
        """Starts it without waiting."""
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT)
        return self

    def start(self):
        """Starts it and waits until it takes spans."""
        self.launch()
        wait_until(self.is_ready_or_gone, "/readyz answers 200, and the log says so", READY_SECONDS)
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended with {self.process.returncode}: {self.words()[-2000:]}")
        return self

    def is_ready_or_gone(self):
        """/readyz says that spans are taken; what comes beside, monitors for one, is there when the log says it."""
        if self.process.poll() is not None:
            return True
        try:
            return self.get("/readyz")[0] == 200 and re.search(r"info ready |\"message\":\"ready\"", self.words())
        except OSError:
            return False

    def words(self):
        """All that it has said so far."""
        return said_in(self.log)

    def end(self, how=signal.SIGTERM, seconds=60):
        """Sends the signal and waits; returns the exit status."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(how)
        status = self.process.wait(seconds)
        return status

    def kill(self):
        return self.end(signal.SIGKILL)

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    # -- Asking it

    def request(self, method, path, body=None, headers=None, port=None, seconds=60):
        """Returns status, headers and body."""
        port = port or self.api
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=seconds, context=self.tls) if self.tls else \
            http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    def get(self, path):
        status, _, body = self.request("GET", path)
        return status, body

    def send(self, body, kind="application/x-protobuf", headers=None):
        """Posts an OTLP request. Returns status, headers and body."""
        return self.request("POST", "/v1/traces", body, {"Content-Type": kind, **(headers or {})}, self.http)

    def tell(self, service, name, order=None, kind="server", ago=0.0, error="", trace=None, lasts=0.01, **attributes):
        """Sends one span that ended `ago` seconds ago; in attributes' names __ is a dot. Returns its trace's id."""
        end, trace = time.time_ns() - int(ago * 1e9), trace or new_trace_id()
        if order:
            attributes["order.id"] = order
        one = {"traceId": trace, "spanId": os.urandom(8).hex(), "name": name, "kind": SPAN_KINDS[kind],
               "startTimeUnixNano": str(end - int(lasts * 1e9)), "endTimeUnixNano": str(end),
               "status": {"code": 2, "message": error} if error else {},
               "attributes": [{"key": key.replace("__", "."), "value": {"stringValue": text}} for key, text in attributes.items()]}
        resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
        body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [one]}]}]}
        status, _, answer = self.send(json.dumps(body).encode(), "application/json")
        assert status == 200, answer
        return trace

    def audited(self, action):
        """What the audit has of an action, the oldest first: (what, result)."""
        status, body = self.get(f"/api/v1/audit?limit=1000&action={action}")
        assert status == 200, body
        return [(one["what"], one["result"]) for one in reversed(json.loads(body)["records"])]

    def trace(self, trace_id):
        """The trace as OTLP JSON; None where there is none."""
        status, body = self.get(f"/api/v1/traces/{trace_id}")
        if status == 404:
            return None
        assert status == 200, f"GET trace: {status} {body[:300]!r}"
        return json.loads(body)

    def spans(self, trace_id):
        return spans_of(self.trace(trace_id))

    def metrics(self):
        """Prometheus' text as {"name{labels}": number}."""
        status, body = self.get("/metrics")
        assert status == 200, f"/metrics: {status}"
        found = {}
        for line in body.decode().splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                found[name] = float(value)
        return found

    def metric(self, name):
        """The sum of all series of a name, or of those that begin with it up to a label."""
        return sum(value for key, value in self.metrics().items() if key == name or key.startswith(name + "{") or
                   ("{" in name and key.startswith(name)))


def holds(folder, text):
    """Whether these bytes stand in any file of the folder."""
    for parent, _, names in os.walk(folder):
        for name in names:
            # What a running server has merged or sealed meanwhile is gone, or shorter than it was.
            with contextlib.suppress(FileNotFoundError), open(os.path.join(parent, name), "rb") as file:
                if has(file, text.encode()):
                    return True
    return False


def has(file, wanted):
    rest = b""
    while part := file.read(1 << 24):
        if wanted in rest + part:
            return True
        rest = part[-len(wanted):]
    return False


def spans_of(trace):
    """All spans of an OTLP JSON object."""
    return [span for resource in (trace or {}).get("resourceSpans", []) for scope in resource.get("scopeSpans", [])
            for span in scope.get("spans", [])]


class Sink:
    """Takes alerts: heard as (path, token, body); `refusals` of them are answered by 503 first."""

    def __init__(self, refusals=0, port=0):
        sink = self
        self.heard, self.left, self.authorized = [], refusals, []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                refuse = sink.left > 0
                sink.left -= refuse
                if not refuse:
                    sink.authorized.append(self.headers.get("authorization"))
                    sink.heard.append((self.path, self.headers.get("x-token"), body))
                self.send_response(503 if refuse else 200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.port = self.server.server_address[1]

    def messages(self):
        return [body for path, _, body in self.heard if path == "/hook"]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


# -- Protobuf, written by hand: what no library would let one send must be sendable


def varint(number):
    number &= (1 << 64) - 1
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number, content):
    """A field: text, bytes and messages with their length, integers as varints, floats as doubles."""
    if isinstance(content, str):
        content = content.encode()
    if isinstance(content, bytes):
        return varint(number << 3 | 2) + varint(len(content)) + content
    if isinstance(content, float):
        return varint(number << 3 | 1) + struct.pack("<d", content)
    return varint(number << 3) + varint(content)


def fixed64(number, value):
    return varint(number << 3 | 1) + struct.pack("<Q", value)


def any_value(value):
    if isinstance(value, bool):
        return field(2, int(value))
    if isinstance(value, int):
        return field(3, value)
    if isinstance(value, float):
        return field(4, value)
    if isinstance(value, list):
        return field(5, b"".join(field(1, any_value(item)) for item in value))
    if isinstance(value, bytes):
        return field(7, value)
    return field(1, value)


def attribute(key, value):
    return field(1, key) + field(2, any_value(value))


def span(trace_id, span_id="00f067aa0ba902b7", name="test", start=None, end=None, kind=1, attributes=None, extra=b""):
    """A Span message."""
    start = time.time_ns() if start is None else start
    end = start + 1000000 if end is None else end
    parts = [field(1, bytes.fromhex(trace_id)), field(2, bytes.fromhex(span_id)), field(5, name), field(6, kind),
             fixed64(7, start), fixed64(8, end)]
    parts += [field(9, attribute(key, value)) for key, value in (attributes or {}).items()]
    return b"".join(parts) + extra


def request(*spans, service="test-service", resource=None):
    """An ExportTraceServiceRequest of some Span messages; resource: more attributes of it."""
    scope_spans = field(1, field(1, "harness")) + b"".join(field(2, one) for one in spans)
    resource = b"".join(field(1, attribute(key, text)) for key, text in {"service.name": service, **(resource or {})}.items())
    return field(1, field(1, resource) + field(2, scope_spans))


def new_trace_id():
    return os.urandom(16).hex()


def partial_success(body):
    """rejected_spans and error_message of an ExportTraceServiceResponse; (0, "") where nothing was refused."""
    for number, content in fields(body):
        if number == 1:
            inner = dict(fields(content))
            return inner.get(1, 0), inner.get(2, b"").decode()
    return 0, ""


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def fields(data):
    """The fields of a message that the server sent, as (number, content)."""
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        if tag & 7 == 2:
            size, at = read_varint(data, at)
            yield tag >> 3, data[at:at + size]
            at += size
        elif tag & 7 == 0:
            value, at = read_varint(data, at)
            yield tag >> 3, value
        else:
            size = 8 if tag & 7 == 1 else 4
            yield tag >> 3, data[at:at + size]
            at += size


# -- Cases


def main(names, arguments=None):
    """Runs all case_... of a module, those whose name has a word of sys.argv[2:] where there are some."""
    wanted = sys.argv[2:] if arguments is None else arguments
    cases = [case for name, case in names.items()
             if name.startswith("case_") and (not wanted or any(word in name for word in wanted))]
    failed = 0
    for number, case in enumerate(cases, 1):
        name = re.sub(r"[#\n]", " ", (case.__doc__ or case.__name__).strip().splitlines()[0].rstrip("."))
        start = time.monotonic()
        try:
            case()
            print(f"ok {number} - {name}", flush=True)
        except Skip as skip:
            print(f"ok {number} - {name} # SKIP {skip}", flush=True)
        except Exception:  # whatever it is, it is this case's failure and not the end of the others
            failed += 1
            print(f"not ok {number} - {name}")
            print("".join("# " + line + "\n" for line in traceback.format_exc().splitlines()), end="", flush=True)
        if time.monotonic() - start > 10:
            print(f"# {time.monotonic() - start:.1f} s", flush=True)
    print(f"1..{len(cases)}")
    return 1 if failed or not cases else 0
