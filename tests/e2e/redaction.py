#!/usr/bin/env python3
"""redaction.py FILIGREE [CASE...]: secrets of every kind in every place that a span has, by every protocol, and not one of them in
the folder, in an answer or in an export afterwards; what only looks like one stays; rules change while the server runs."""
import base64
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from harness import BINARY, Server, wait_until  # noqa: E402

FOLDER = tempfile.mkdtemp(prefix="filigree-redaction-", dir=os.environ.get("TMPDIR") or "/var/tmp")

# Each with a part that must be nowhere. The numbers are the card schemes' own for tests.
PLANTED = {
    "card": ("paid by 4012888888881881 today", "4012888888881881"),
    "card with blanks": ("card 5105 1051 0510 5100.", "5105 1051 0510 5100"),
    "e-mail": ("to clara.planted@jewels.example now", "clara.planted"),
    "telephone": ("call +7 912 555-01-77", "912 555-01-77"),
    "telephone, area code": ("call (415) 555-0177 now", "555-0177"),
    "bearer": ("Authorization: Bearer plantedbearer0123456789", "plantedbearer"),
    "basic": ("Basic " + base64.b64encode(b"planted:basicpass").decode(), base64.b64encode(b"planted:basicpass").decode()),
    "JSON web token": ("eyJhbGciOiJIUzI1NiJ9.eyJwbGFudGVkIjoiMSJ9.c2lnbmF0dXJlcGxhbnRlZA", "eyJwbGFudGVkIjoiMSJ9"),
    "private key": ("-----BEGIN PRIVATE KEY-----\nTUlJRXBsYW50ZWQ\n-----END PRIVATE KEY-----", "TUlJRXBsYW50ZWQ"),
    "assignment": ("login failed, password=plantedpass123 host=db", "plantedpass123"),
    "JSON": ('{"user": "x", "client_secret": "plantedjson456"}', "plantedjson456"),
    "address": ("postgres://shop:planteduri789@db:5432/shop", "planteduri789"),
}
# What stands under keys that say what it is.
BY_KEY = {
    "http.request.header.authorization": ("PlantedScheme plantedheader", "plantedheader"),
    "db.password": ("plantedkey1", "plantedkey1"),
    "card.number": ("plantedcard2", "plantedcard2"),
    "db.query.text": ("SELECT * FROM t WHERE name = 'plantedsql3' AND n = 4711471147", "plantedsql3"),
    "db.query.parameter.0": ("plantedparameter4", "plantedparameter4"),
    "url.full": ("https://shop.example/find?name=plantedquery5#plantedquery5", "plantedquery5"),
    "user.full_name": ("Clara Plantedname7", "Plantedname7"),
    "customer.phone": ("5550177888", "5550177888"),
}
# Ordinary values: none of them may change.
ORDINARY = [
    "GET /orders/{id}", "ORD-4711", "f47ac10b-58cc-4372-a567-0e02b2c3d479", "2026-11-25T10:00:00.123456789+03:00", "1795695898580457518",
    "192.168.10.12:5432", "mes.orders", "order.submitted", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120.0.0.0",
    "SELECT status FROM orders WHERE id = $1", "java.lang.IllegalStateException: bearer of bad news", "sha256:9f86d081884c7d659a2feaa0c5",
    "at Shop.place(Shop.java:4711)", "TLSv1.3", "s3://models/ORD-4711.stl", "basic authentication required", "10.0.0.0/8",
    "[2001:db8::1]:443", "0000000000000000", "1234567890123456", "page 3 (1234) of 17", "wrong password: try again", "token bucket is empty",
    "kafka://orders-topic/12", "4.2.2 4.2.3 4.2.4", "user@host", "a+b=c", "e2e/journeys.py", "rate=0.95 limit=100", "process mes.orders",
]


def run(server, *arguments, check=0):
    environment = {**os.environ, "FILIGREE_SERVER": f"http://127.0.0.1:{server.api}"}
    done = subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert done.returncode == check, f"{arguments}: {done.returncode} instead of {check}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def json_value(value):
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, bytes):
        return {"bytesValue": base64.b64encode(value).decode()}
    if isinstance(value, list):
        return {"arrayValue": {"values": [json_value(one) for one in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": [{"key": key, "value": json_value(one)} for key, one in value.items()]}}
    return {"stringValue": value}


def json_attributes(values):
    return [{"key": key, "value": json_value(value)} for key, value in values.items()]


def everywhere(text, marker):
    """One request in which text stands in every place that holds a text."""
    now = time.time_ns()
    inside = {"a": text, "list": [text, "x", ["y", text]], "map": {"inner": {"deep": text}}, "bytes": text.encode()}
    return {"resourceSpans": [{
        "resource": {"attributes": json_attributes({"service.name": "planted", "resource.note": text})},
        "scopeSpans": [{
            "scope": {"name": "scope " + text, "version": "1 " + text, "attributes": json_attributes({"scope.note": text})},
            "spans": [{
                "traceId": harness.new_trace_id(), "spanId": os.urandom(8).hex(), "name": "name " + text, "kind": 2,
                "startTimeUnixNano": str(now - 10**6), "endTimeUnixNano": str(now), "traceState": "a=" + text,
                "status": {"code": 2, "message": "failed: " + text},
                "attributes": json_attributes({**inside, "marker": marker, "key of " + text: "x"}),
                "events": [{"timeUnixNano": str(now), "name": "event " + text, "attributes": json_attributes(inside)}],
                "links": [{"traceId": harness.new_trace_id(), "spanId": os.urandom(8).hex(), "traceState": "b=" + text,
                           "attributes": json_attributes(inside)}],
            }]}]}]}


def all_bytes(folder):
    for path, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError), open(os.path.join(path, name), "rb") as file:  # it may have been merged meanwhile
                yield os.path.join(path, name), file.read().rstrip(b"\0")  # the log is written ahead with zeroes


def expect_nowhere(server, parts, marker):
    """Nothing of it in the folder, in an answer, in an export; the marker, which was sent with it, is in all of them."""
    found = set()
    for path, content in all_bytes(server.data):
        for what, part in parts.items():
            assert part.encode() not in content, f"{what} is in {path}"
        if marker.encode() in content:
            found.add(path)
    assert found, "the marker is in no file: the search proves nothing"
    answers = [run(server, "export"), run(server, "search", f"marker={marker}", "--json")]
    for path in (f"/api/traces?service=planted&tags=%7B%22marker%22%3A%22{marker}%22%7D", "/api/v1/values?key=a", "/api/v1/keys",
                 "/api/v1/services/planted/operations", "/api/v2/traces?serviceName=planted&limit=100", "/metrics"):
        status, body = server.get(path)
        assert status == 200, f"{path}: {status} {body[:200]}"
        answers.append(body.decode())
    assert marker in answers[0] and marker in answers[2]
    for what, part in parts.items():
        for answer in answers:
            at = answer.find(part)
            assert at < 0, f"{what} is told: {answer[max(0, at - 80):at + 80]}"


def case_planted_by_form():
    """A secret of any kind in any place is nowhere afterwards: OTLP/JSON"""
    with Server() as server:
        server.start()
        for what, (text, _) in PLANTED.items():
            status, _, answer = server.send(json.dumps(everywhere(text, "marker-form")).encode(), "application/json")
            assert status == 200, f"{what}: {answer}"
        parts = {what: part for what, (_, part) in PLANTED.items()}
        expect_nowhere(server, parts, "marker-form")
        assert server.metric('filigree_ingest_redactions_total{rule="card"}') > 20
        run(server, "seal")
        answers = run(server, "export")
        for what, part in parts.items():
            assert part not in answers, f"{what} was sealed"


def case_planted_by_key():
    """What a key names is nowhere afterwards: OTLP/protobuf and Zipkin"""
    with Server() as server:
        server.start()
        attributes = {**{key: text for key, (text, _) in BY_KEY.items()}, "marker": "marker-key", "number": 4012888888881881,
                      "real": 4012888888881881.0, "negative": -4012888888881881}
        body = harness.request(harness.span(harness.new_trace_id(), attributes=attributes, kind=2), service="planted")
        status, _, answer = server.send(body)
        assert status == 200, answer
        zipkin = [{"traceId": harness.new_trace_id(), "id": os.urandom(8).hex(), "name": "x", "timestamp": time.time_ns() // 1000, "duration": 10,
                   "localEndpoint": {"serviceName": "planted"}, "tags": {key: text for key, (text, _) in BY_KEY.items()},
                   "annotations": [{"timestamp": time.time_ns() // 1000, "value": PLANTED["assignment"][0]}]}]
        status, _, answer = server.request("POST", "/api/v2/spans", json.dumps(zipkin), {"Content-Type": "application/json"})
        assert status in (200, 202), answer
        parts = {key: part for key, (_, part) in BY_KEY.items()}
        expect_nowhere(server, {**parts, "annotation": "plantedpass123"}, "marker-key")
        exported = run(server, "export")
        assert '"4012888888881881"' not in exported
        assert "SELECT * FROM t WHERE name = ? AND n = ?" in exported
        assert "https://shop.example/find?name=?" in exported


def case_ordinary_values_stay():
    """Ordinary values are left as they are: no false positive"""
    with Server() as server:
        server.start()
        trace_id = harness.new_trace_id()
        attributes = {f"value.{number}": text for number, text in enumerate(ORDINARY)}
        status, _, answer = server.send(harness.request(harness.span(trace_id, attributes=attributes, kind=2)))
        assert status == 200, answer
        kept = {one["key"]: one["value"].get("stringValue") for one in server.spans(trace_id)[0]["attributes"] if one["key"].startswith("value.")}
        changed = {attributes[key]: kept.get(key) for key in attributes if kept.get(key) != attributes[key]}
        assert not changed, f"{len(changed)} of {len(attributes)}: {changed}"
        assert server.metric("filigree_ingest_redactions_total") == 0


def case_journey_keys_stay():
    """An order is found by its number, whatever that looks like"""
    with Server() as server:
        server.start()
        status, _, _ = server.send(harness.request(harness.span(harness.new_trace_id(), attributes={"order.id": "4012888888881881"}, kind=2)))
        assert status == 200
        wait_until(lambda: server.get("/api/v1/journeys/order.id/4012888888881881")[0] == 200, "the journey is there")


def case_equal_values_group_over_restarts():
    """A hash is the same after a restart, and its key is nobody else's to read"""
    with Server() as server:
        server.start()

        def hashed():
            trace_id = harness.new_trace_id()
            server.send(harness.request(harness.span(trace_id, attributes={"user.email": "clara@jewels.example"}, kind=2)))
            return {one["key"]: one["value"].get("stringValue") for one in server.spans(trace_id)[0]["attributes"]}["user.email"]

        first = hashed()
        assert first.startswith("[hash:"), first
        assert server.end() == 0
        key = os.path.join(server.data, "redact.key")
        assert os.stat(key).st_mode & 0o777 == 0o600 and os.path.getsize(key) == 32
        server.start()
        assert hashed() == first
        assert server.end() == 0
        with open(key, "wb") as file:
            file.write(b"short")
        server.launch()
        assert server.process.wait(60) != 0
        assert "expected 32 bytes" in server.words(), server.words()


def case_rules_of_ones_own():
    """Rules from a file are in force, are read again, and a wrong file changes nothing"""
    path = os.path.join(FOLDER, "rules.yaml")
    with open(path, "w", encoding="ascii") as file:
        file.write("rules:\n  - {name: employee, pattern: 'EMP-[0-9]{6}', action: mask}\n  - {name: kept, keys: [x.password], action: keep}\n")
    with Server(options=["--redact-rules", path, "--redact-defaults", "on"]) as server:
        server.start()

        def kept(text):
            trace_id = harness.new_trace_id()
            server.send(harness.request(harness.span(trace_id, attributes={"note": text, "x.password": "open"}, kind=2)))
            return {one["key"]: one["value"].get("stringValue") for one in server.spans(trace_id)[0]["attributes"]}

        assert kept("by EMP-123456") == {"note": "by [employee]", "x.password": "open", "filigree.marks": None}
        rules = json.loads(server.get("/api/v1/redaction")[1])["rules"]
        assert [rule["name"] for rule in rules][:3] == ["journey-keys", "employee", "kept"], rules
        assert rules[1]["taken"] == 1, rules[1]
        with open(path, "w", encoding="ascii") as file:
            file.write("rules:\n  - {name: employee, pattern: '(', action: mask}\n")
        server.process.send_signal(1)
        wait_until(lambda: "rules.yaml:2" in server.words(), "the mistake is said with its line")
        assert kept("by EMP-123456")["note"] == "by [employee]"
        with open(path, "w", encoding="ascii") as file:
            file.write("rules:\n  - {name: staff, pattern: 'EMP-[0-9]{6}', action: drop}\n")
        server.process.send_signal(1)
        wait_until(lambda: "note" not in kept("by EMP-123456"), "the new rule is in force")


def case_dry_run():
    """A rule can be tried on what is stored"""
    path = os.path.join(FOLDER, "try.yaml")
    with open(path, "w", encoding="ascii") as file:
        file.write("rules:\n  - {name: orders, pattern: 'ORD-[0-9]+', action: hash}\n")
    with Server() as server:
        server.start()
        for _ in range(3):
            server.send(harness.request(harness.span(harness.new_trace_id(), name="order ORD-4711", attributes={"note": "of ORD-4711"}, kind=2)))
        told = json.loads(run(server, "redact", "--dry-run", "--rules", path, "--no-defaults", "--json"))
        assert told["spans"] == 3, told
        assert {(one["rule"], one["key"]): one["count"] for one in told["findings"]} == {("orders", "note"): 3, ("orders", "span.name"): 3}, told
        assert all("ORD" not in one["after"] for one in told["findings"]), told
        shown = run(server, "redact", "--dry-run", "--rules", path, "--no-defaults", "--show-values")
        assert "of ORD-4711" in shown and "of [orders:" in shown, shown
        assert "would take nothing" in run(server, "redact", "--dry-run")
        # What was taken when it came is not taken a second time: a hash goes on grouping with the value that it is of.
        server.send(harness.request(harness.span(harness.new_trace_id(), attributes={"user.email": "a@b.example", "db.query.parameter.0": "Bob"}, kind=2)))
        assert "would take nothing" in run(server, "redact", "--dry-run")
        assert "give --dry-run" in run(server, "redact", check=2)
        assert "ORD-4711" in run(server, "export"), "nothing was changed"


if __name__ == "__main__":
    try:
        code = harness.main(dict(globals()))
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)
    sys.exit(code)
