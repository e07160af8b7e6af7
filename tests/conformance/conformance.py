#!/usr/bin/env python3
"""conformance.py FILIGREE LANGUAGE [PROGRAM]: spans from the stock OpenTelemetry SDK of a language, read back whole.

A small program in the language (the folder of its name) makes the spans of scenario.json and sends them by each
protocol that its SDK has, in two processes, the second a child of the first. The trace is then read by the native API,
and every field is compared. The same goes over TLS to a server with accounts, which lets the first process in by a token in the
SDK's header setting, the second by its certificate; all by OpenTelemetry's own environment. The SDKs are installed under build/, in locked versions; where one can't be had its cases
are skipped by name. In C, where there is no stock SDK, libfiligree takes its place (PROGRAM is its emitter); its spans are
also read back from the OpenTelemetry Collector's own receiver (the folder receiver/, in Go).
"""
import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import harness  # noqa: E402
from authority import Authority  # noqa: E402
from doors import Closed  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(HERE))
INSTALL_SECONDS = 600
KINDS = {"INTERNAL": 1, "SERVER": 2, "CLIENT": 3, "PRODUCER": 4, "CONSUMER": 5}
STATUS = {"UNSET": 0, "OK": 1, "ERROR": 2}
TRACE_STATE = "shop=order-4711,congo=t61rcWkgMzE"
# What an SDK adds to the resource without being asked.
ADDED = ("telemetry.sdk.", "process.", "host.", "service.instance.id")

LANGUAGES = {
    "javascript": {
        "tools": ["node", "npm"],
        "install": [["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]],
        "build": [],
        "run": ["node", "emit.js"],
        "protocols": ["grpc", "http/protobuf", "http/json"],
    },
    "python": {
        "tools": ["python3"],
        "install": [["python3", "-m", "venv", "venv"], ["venv/bin/pip", "install", "--quiet", "-r", "requirements.txt"]],
        "build": [],
        "run": ["venv/bin/python", "emit.py"],
        "protocols": ["grpc", "http/protobuf"],
    },
    "go": {
        "tools": ["go"],
        "install": [["go", "mod", "download"]],
        "build": [["go", "build", "-o", "emit", "."]],
        "run": ["./emit"],
        "protocols": ["grpc", "http/protobuf"],
    },
    "java": {
        "tools": ["javac", "mvn"],
        "install": [["mvn", "-q", "-B", "compile"]],
        "build": [],
        "run": ["java", "-cp", "target/classes:target/lib/*", "Emit"],
        "protocols": ["grpc", "http/protobuf"],
    },
}


RECEIVER = {
    "tools": ["go"],
    "install": [["go", "mod", "download"]],
    "build": [["go", "build", "-o", "receiver", "."]],
}
if len(sys.argv) > 3:
    LANGUAGES["c"] = {"run": [os.path.abspath(sys.argv[3])], "protocols": ["grpc", "http/protobuf"]}


def run(command, folder, environment=None, seconds=INSTALL_SECONDS):
    return subprocess.run(command, cwd=folder, env={**os.environ, **(environment or {})}, text=True, check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=seconds)


def digest(folder):
    state = hashlib.sha256()
    for parent, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            with open(os.path.join(parent, name), "rb") as file:
                state.update(name.encode() + b"\0" + file.read())
    return state.hexdigest()[:16]


def install(language, plan=None):
    """A copy of the program under build/, with its SDK. Skips where a tool or the registry is missing."""
    plan = plan or LANGUAGES[language]
    if language == "c":
        return os.path.dirname(os.path.abspath(sys.argv[3]))
    for tool in plan["tools"]:
        if not shutil.which(tool):
            raise harness.Skip(f"{tool} is not installed")
    source = os.path.join(HERE, language)
    folder = os.path.join(ROOT, "build", "conformance", f"{language}-{digest(source)}")
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    with open(folder + ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another test may want the same
        return install_into(folder, source, plan)


def install_into(folder, source, plan):
    if os.path.exists(os.path.join(folder, "installed")):
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder)
    for command in plan["install"]:
        try:
            done = run(command, folder)
        except subprocess.TimeoutExpired as over:
            raise harness.Skip(f"{command[0]} did not end within {INSTALL_SECONDS} s") from over
        said = (done.stderr + done.stdout).strip()
        assert "COMPILATION ERROR" not in said, said
        if done.returncode != 0:
            last = [line for line in said.splitlines() if line.strip()][-1:] or ["no word"]
            raise harness.Skip(f"{' '.join(command[:2])} could not fetch the SDK: {last[0][:200]}")
    for command in plan["build"]:
        done = run(command, folder)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr[-2000:]}"
    with open(os.path.join(folder, "installed"), "w", encoding="utf-8"):
        pass
    return folder


# -- Emitting


def emit(language, folder, server, protocol, part, base, parent=None):
    """Runs the program for one part of the scenario; returns the ids that it says."""
    port = server.grpc if protocol == "grpc" else server.http
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
                   # A machine that is busy with other tests is no fault.
                   "OTEL_EXPORTER_OTLP_TIMEOUT": "60000", "OTEL_BSP_EXPORT_TIMEOUT": "60000",
                   "CONFORMANCE_BASE_NS": str(base), "TRACESTATE": TRACE_STATE,
                   "TRACEPARENT": f"00-{parent['traceId']}-{parent['spanId']}-01" if parent else "", "no_proxy": "*"}
    if isinstance(server, Door):
        # Python's requests would take the authorities of a machine that names its own in the place of the exporter's.
        environment.update({"OTEL_EXPORTER_OTLP_ENDPOINT": f"https://127.0.0.1:{port}", "REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": "",
                            **server.way_in(language, protocol, part)})
    else:
        environment["OTEL_EXPORTER_OTLP_INSECURE"] = "true"
    done = run([*LANGUAGES[language]["run"], os.path.join(HERE, "scenario.json"), part], folder, environment, 300)
    assert done.returncode == 0, f"the {language} program failed: {done.stderr[-2000:]}"
    return json.loads(done.stdout.strip().splitlines()[-1])


# -- Comparing


def plain(value):
    """An AnyValue of OTLP JSON as (type, content), with integers as numbers."""
    assert len(value) == 1, f"no AnyValue: {value}"
    (kind, content), = value.items()
    if kind == "intValue":
        return kind, int(content)
    if kind == "doubleValue":
        return kind, float(content)
    if kind == "arrayValue":
        return kind, [plain(item) for item in content.get("values", [])]
    return kind, content


def attributes_of(items, language):
    found = {}
    for item in items:
        if language in item.get("not_in", []):
            continue
        assert item["key"] not in found, f"{item['key']} is there twice"
        found[item["key"]] = plain(item["value"])
    return found


def same(what, found, expected):
    assert found == expected, f"{what}: found {found!r}, expected {expected!r}"


def same_attributes(what, found, expected, language):
    found, expected = attributes_of(found, language), attributes_of(expected, language)
    for key in expected.keys() | found.keys():
        same(f"{what}, attribute {key}", found.get(key), expected.get(key))


def same_flags(what, flags, is_remote):
    """The sampled and random bits of W3C's trace context, and, where the SDK tells it at all, whether the parent (or linked span) is remote."""
    same(f"{what}: trace flags", flags & 0xFF, flags & 0x03)
    if flags & 0x100:
        same(f"{what}: is remote", bool(flags & 0x200), is_remote)
    same(f"{what}: unknown bits", flags & ~0x3FF & 0xFFFFFFFF, 0)


def compare_span(span, plan, ids, parent, base, language):
    name = f"span {plan['id']}"
    same(f"{name}: trace id", span["traceId"], ids["traceId"])
    same(f"{name}: parent", span.get("parentSpanId", ""), parent)
    same(f"{name}: trace state", span.get("traceState", ""), TRACE_STATE if plan["from_remote"] else "")
    same(f"{name}: name", span["name"], plan["name"])
    same(f"{name}: kind", span.get("kind", 0), KINDS[plan["kind"]])
    same(f"{name}: start", int(span["startTimeUnixNano"]), base + plan["start"])
    same(f"{name}: end", int(span["endTimeUnixNano"]), base + plan["end"])
    status = span.get("status", {})
    same(f"{name}: status", status.get("code", 0), STATUS[plan["status"]["code"]])
    same(f"{name}: status message", status.get("message", ""), plan["status"].get("message", ""))
    same_attributes(name, span.get("attributes", []), plan["attributes"], language)
    same_flags(name, span.get("flags", 0), plan.get("parent") == "remote")
    for counter in ("droppedAttributesCount", "droppedEventsCount", "droppedLinksCount"):
        same(f"{name}: {counter}", span.get(counter, 0), 0)
    compare_events(name, span.get("events", []), plan["events"], base, language)
    compare_links(name, span.get("links", []), plan["links"], language)


def compare_events(name, events, plans, base, language):
    same(f"{name}: events", [event["name"] for event in events], [plan["name"] for plan in plans])
    for event, plan in zip(events, plans):
        what = f"{name}, event {plan['name']}"
        same(f"{what}: time", int(event["timeUnixNano"]), base + plan["time"])
        same(f"{what}: dropped attributes", event.get("droppedAttributesCount", 0), 0)
        same_attributes(what, event.get("attributes", []), plan["attributes"], language)


def compare_links(name, links, plans, language):
    same(f"{name}: links", [link["spanId"] for link in links], [plan["spanId"] for plan in plans])
    for link, plan in zip(links, plans):
        what = f"{name}, link to {plan['spanId']}"
        same(f"{what}: trace id", link["traceId"], plan["traceId"])
        if language not in ("go", "python", "c"):  # whose SDKs don't send it
            same(f"{what}: trace state", link.get("traceState", ""), plan["traceState"])
        same(f"{what}: dropped attributes", link.get("droppedAttributesCount", 0), 0)
        same_flags(what, link.get("flags", 0), False)
        same_attributes(what, link.get("attributes", []), plan["attributes"], language)


def compare_resource(resource_spans, scenario, language):
    found = attributes_of(resource_spans["resource"].get("attributes", []), language)
    expected = attributes_of(scenario["resource"]["attributes"], language)
    for key in found.keys() | expected.keys():
        if key in expected or not key.startswith(ADDED):
            same(f"resource, attribute {key}", found.get(key), expected.get(key))
    if language not in ("javascript", "c"):  # whose resources have none
        same("resource: schema url", resource_spans.get("schemaUrl", ""), scenario["resource"]["schema_url"])


def compare_trace(trace, scenario, said, base, language):
    plans = {}
    for part, spans in scenario["parts"].items():
        for plan in spans:
            plans[said[plan["id"]]["spanId"]] = {**plan, "from_remote": part == "second"}
    seen = []
    for resource_spans in trace["resourceSpans"]:
        compare_resource(resource_spans, scenario, language)
        for scope_spans in resource_spans["scopeSpans"]:
            if language == "c" and scope_spans["scope"].get("name") == "filigree.export":
                same("spans of the scope that tells of the export", scope_spans.get("spans", []), [])
                continue
            same("scope: name", scope_spans["scope"].get("name"), scenario["scope"]["name"])
            same("scope: version", scope_spans["scope"].get("version"), scenario["scope"]["version"])
            if language != "c":  # whose tracers have none
                same("scope: schema url", scope_spans.get("schemaUrl"), scenario["scope"]["schema_url"])
            same("scope: attributes", scope_spans["scope"].get("attributes", []), [])
            for span in scope_spans["spans"]:
                seen.append(span["spanId"])
                plan = plans[span["spanId"]]
                parent = plan.get("parent", "")
                parent = said["producer" if parent == "remote" else parent]["spanId"] if parent else ""
                compare_span(span, plan, said[plan["id"]], parent, base, language)
    same("spans, each once", sorted(seen), sorted(plans))


def check(server, language, protocol):
    folder = install(language)
    with open(os.path.join(HERE, "scenario.json"), encoding="utf-8") as file:
        scenario = json.load(file)
    base = time.time_ns() - 5_000_000_000
    said = emit(language, folder, server, protocol, "first", base)
    said.update(emit(language, folder, server, protocol, "second", base, said["producer"]))
    # The receiver has printed them; who reads along may be behind.
    count = sum(len(spans) for spans in scenario["parts"].values())
    harness.wait_until(lambda: len(harness.spans_of(server.trace(said["server"]["traceId"]))) >= count, "all spans are there")
    compare_trace(server.trace(said["server"]["traceId"]), scenario, said, base, language)


class Door(Closed):
    """A server with accounts that speaks TLS alone."""

    def __init__(self, folder):
        self.authority = Authority(folder, "ours")
        certificate, key = self.authority.issue("server", "DNS:localhost,IP:127.0.0.1")
        self.client = self.authority.issue("emitter", "DNS:emitter.example")
        super().__init__(options=["--tls-cert", certificate, "--tls-key", key, "--tls-client-ca", self.authority.file],
                         tls=ssl.create_default_context(cafile=self.authority.file))
        self.secret = None

    def way_in(self, language, protocol, part):
        """The environment that lets a process in."""
        trust = {"OTEL_EXPORTER_OTLP_CERTIFICATE": self.authority.file}
        # JavaScript's exporters over HTTP read no certificates from OpenTelemetry's environment: Node's own has the authority, and a token remains.
        is_deaf = language == "javascript" and protocol != "grpc"
        if is_deaf:
            trust = {"NODE_EXTRA_CA_CERTS": self.authority.file}
        if part == "first" or is_deaf:
            self.secret = self.secret or self.token("ingest", name="emitter")
            return {**trust, "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{self.secret}"}
        return {**trust, "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": self.client[0], "OTEL_EXPORTER_OTLP_CLIENT_KEY": self.client[1]}

    def get(self, path):
        return self.root.get(path)[::2] if self.root else super().get(path)


class Receiver:
    """The Collector's receiver, in place of a server."""

    def __init__(self):
        self.process, self.lines = None, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process:
            self.process.stdin.close()
            self.process.wait(60)

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def start(self):
        folder = install("receiver", RECEIVER)
        self.process = subprocess.Popen([os.path.join(folder, "receiver")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.grpc, self.http = (int(address.rsplit(":", 1)[1]) for address in self.process.stdout.readline().split())
        threading.Thread(target=self.lines.extend, args=[self.process.stdout], daemon=True).start()

    def trace(self, trace_id):
        """All that came of it, as one message; the receiver answers after it has printed, and no two requests have the same spans."""
        found = []
        for line in list(self.lines):
            for resource_spans in json.loads(line)["resourceSpans"]:
                for scope_spans in resource_spans["scopeSpans"]:
                    scope_spans["spans"] = [span for span in scope_spans.get("spans", []) if span["traceId"] == trace_id]
                resource_spans["scopeSpans"] = [scope for scope in resource_spans["scopeSpans"] if scope["spans"]]
                found += [resource_spans] if resource_spans["scopeSpans"] else []
        return {"resourceSpans": found}


def main():
    language = sys.argv[2]
    wanted = os.environ.get("SDKS", " ".join(LANGUAGES)).split()
    cases = {}
    with contextlib.ExitStack() as stack:
        filigree, receiver = stack.enter_context(harness.Server()), stack.enter_context(Receiver())
        door = stack.enter_context(Door(stack.enter_context(tempfile.TemporaryDirectory()))) if shutil.which("openssl") else None

        def case_of(protocol, server, name):
            def case():
                if language not in wanted:
                    raise harness.Skip("not among the languages that SDKS names")
                if not server:
                    raise harness.Skip("openssl is not installed")
                if not server.is_alive():
                    server.start()
                check(server, language, protocol)
            case.__doc__ = f"{language} SDK over {protocol}: every field comes back from {name}"
            return case

        for protocol in LANGUAGES[language]["protocols"]:
            cases[f"case_{protocol}"] = case_of(protocol, filigree, "Filigree")
            cases[f"case_tls_{protocol}"] = case_of(protocol, door, "Filigree over TLS, let in by a token and by a certificate")
            if language == "c":
                cases[f"case_collector_{protocol}"] = case_of(protocol, receiver, "the OpenTelemetry Collector's receiver")
        return harness.main(cases, [])


if __name__ == "__main__":
    sys.exit(main())
