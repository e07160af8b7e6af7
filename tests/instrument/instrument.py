"""What the instrumentations' tests share: a traced program, run against a `filigree serve`, and its spans."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import harness  # noqa: E402


def environment(server, service="instrument-test", **more):
    env = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "FILIGREE_", "PG"))}
    env.update(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{server.http}", OTEL_SERVICE_NAME=service, OTEL_BSP_SCHEDULE_DELAY="20",
               FILIGREE_RECORDER="off", FILIGREE_EXIT_TIMEOUT="60000", **more)
    return env


def run(program, words, server, status=0, seconds=120, service="instrument-test", **more):
    """Runs it to its end. Returns the id of its trace, which is in its first line (None: it is untraced), and all further lines."""
    env = environment(server, service, **more)
    done = subprocess.run([program, *map(str, words)], env=env, capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL,
                          check=False)
    assert done.returncode == status, f"{words}: {done.returncode}: {done.stdout} {done.stderr}"
    lines = done.stdout.splitlines()
    return (lines[0].split("-")[1] if lines[0] else None), lines[1:]


def value_of(value):
    kind, content = next(iter(value.items()))
    if kind == "intValue":
        return int(content)
    if kind == "arrayValue":
        return [value_of(item) for item in content.get("values", [])]
    return content


class Span:
    """A span as the server gave it back: name, kind, attributes as a dict."""

    def __init__(self, raw, service=None):
        self.raw = raw
        self.service = service
        self.name = raw["name"]
        self.id = raw["spanId"]
        self.parent = raw.get("parentSpanId", "")
        self.kind = str(raw.get("kind", "")).replace("SPAN_KIND_", "")
        self.kind = {"1": "INTERNAL", "2": "SERVER", "3": "CLIENT", "4": "PRODUCER", "5": "CONSUMER"}.get(self.kind, self.kind)
        self.status = str(raw.get("status", {}).get("code", "")).replace("STATUS_CODE_", "") in ("2", "ERROR")
        self.message = raw.get("status", {}).get("message", "")
        self.attributes = {item["key"]: value_of(item["value"]) for item in raw.get("attributes", [])}
        self.events = raw.get("events", [])
        self.links = [link["spanId"] for link in raw.get("links", [])]
        self.ns = int(raw["endTimeUnixNano"]) - int(raw["startTimeUnixNano"])

    def __repr__(self):
        return f"{self.kind} {self.name!r} error={self.status} {self.message!r} {self.attributes}"

    def __getitem__(self, key):
        return self.attributes.get(key)

    def has(self, **wanted):
        """Whether it has these attributes, whose dots are written as __."""
        return all(self[key.replace("__", ".")] == value for key, value in wanted.items())


def spans(server, trace):
    """All of a trace, by their start."""
    found = [Span(raw) for raw in server.spans(trace)]
    return sorted(found, key=lambda span: (int(span.raw["startTimeUnixNano"]), span.id))


def one(found, name):
    matching = [span for span in found if span.name == name]
    assert len(matching) == 1, f"{len(matching)} spans are named {name!r}: {found}"
    return matching[0]
