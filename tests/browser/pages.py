#!/usr/bin/env python3
"""pages.py FILIGREE [CASE...]: the pages in a real Chromium, over a real server with real spans.

Skipped by name where Chromium is not installed, or where the server was built without the pages. With PICTURES=FOLDER
in the environment each page is also pictured: 1440 and 390 px wide, light and dark.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import chromium  # noqa: E402
import harness  # noqa: E402
from harness import BINARY, Server, Skip  # noqa: E402
from stage import Stage  # noqa: E402

SERVER = Server()
STAGE = Stage(SERVER)
browser, show, pictures = STAGE.browser, STAGE.show, STAGE.pictures
TRACE, BIG, STRANGE = harness.new_trace_id(), harness.new_trace_id(), harness.new_trace_id()
BIG_SPANS = 20000
HTML = {"Accept": "text/html"}
STRANGE_NAME = "<img src=x onerror=document.title='broken'>\u202egnihton\x07"
LONG = "long " * 20000


def value(one):
    return {"intValue": str(one)} if isinstance(one, int) else {"stringValue": one}


def pairs(attributes):
    return [{"key": key, "value": value(one)} for key, one in attributes.items()]


def span(trace, span_id, parent, name, start_ms, length_ms, now_ns, attributes=None, error=None, kind=1, **more):
    start = now_ns + int(start_ms * 10**6)
    one = {"traceId": trace, "spanId": f"{span_id:016x}", "parentSpanId": f"{parent:016x}" if parent else "", "name": name, "kind": kind,
           "startTimeUnixNano": str(start), "endTimeUnixNano": str(start + int(length_ms * 10**6)) if length_ms is not None else "0",
           "attributes": pairs(attributes or {}), **more}
    if error:
        one["status"] = {"code": 2, "message": error}
    return one


def send(by_service):
    body = {"resourceSpans": [
        {"resource": {"attributes": pairs({"service.name": service, "host.name": "mes-2", "service.version": "2.7.4"})},
         "scopeSpans": [{"scope": {"name": "pages", "version": "1"}, "spans": spans}]} for service, spans in by_service.items()]}
    status, _, answer = SERVER.send(json.dumps(body), "application/json")
    assert (status, answer) == (200, b"{}"), (status, answer)


def send_order(trace, now_ns, number):
    failed = number == 0
    send({
        "shop-api": [
            span(trace, 1, 0, "POST /orders", 0, 412, now_ns, {"order.id": f"ORD-{4711 + number}", "http.response.status_code": 201}, kind=2),
            span(trace, 2, 1, "order.load", 6, 90, now_ns, {"order.id": f"ORD-{4711 + number}"}),
            span(trace, 3, 1, "POST mes-api", 110, 280, now_ns, kind=3)],
        "shop-db": [span(trace, 4, 2, "SELECT orders", 10, 73, now_ns, {"db.statement": "SELECT * FROM orders WHERE id = $1"}, kind=2)],
        "mes-api": [
            span(trace, 5, 3, "price.calculate", 130, 250 - 11 * number, now_ns, {"order.id": f"ORD-{4711 + number}", "model.bytes": 509607936},
                 "the model ring-0931.stl is not there" if failed else None, kind=2,
                 events=[{"timeUnixNano": str(now_ns + 200 * 10**6), "name": "exception",
                          "attributes": pairs({"exception.type": "ModelMissing"})}] if failed else [],
                 links=[{"traceId": BIG, "spanId": f"{1:016x}"}]),
            span(trace, 6, 5, "mesh.load", 140, 120, now_ns),
            span(trace, 7, 5, "volume.integrate", 270, None if failed else 90, now_ns)]})


def send_all():
    now = time.time_ns() - 60 * 10**9
    for number in range(12):
        send_order(TRACE if number == 0 else harness.new_trace_id(), now - number * 7 * 10**9, number)
    send({"batch": [span(BIG, 1, 0, "batch.run", 0, BIG_SPANS / 10, now)] +
                   [span(BIG, i, max(1, i // 8), f"step {i}", i / 10, 0.4, now) for i in range(2, BIG_SPANS + 1)]})
    send({"<b>shop</b>": [span(STRANGE, 9, 77, STRANGE_NAME, 0, 5, now, {"long": LONG, "html": "<script>document.title='broken'</script>"})]})


# -- Cases, in the order of a visit


def case_document():
    """The document comes with a strict policy, an etag, gzip, and is what every address of a page answers."""
    SERVER.start()
    if b"app.js" not in SERVER.request("GET", "/", headers=HTML)[2]:
        raise Skip("the server was built without the pages")
    for path in ("/", "/search?q=a", f"/trace/{TRACE}", "/services", "/services/shop-api", "/store", "/app.js", "/app.css"):
        status, headers, body = SERVER.request("GET", path, headers={**HTML, "Accept-Encoding": "gzip"})
        assert status == 200, (path, status)
        policy = headers["Content-Security-Policy"]
        for part in ("default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self' data:",
                     "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"):
            assert part in policy.split("; "), (path, policy)
        assert headers["X-Content-Type-Options"] == "nosniff" and "Accept" in headers["Vary"], (path, headers)
        again = SERVER.request("GET", path, headers={**HTML, "If-None-Match": headers["ETag"]})
        assert (again[0], again[2]) == (304, b""), path
        if path.startswith("/app"):
            assert headers["Content-Encoding"] == "gzip" and len(body) < 200000, path
    document = SERVER.request("GET", "/", headers=HTML)[2].decode()
    assert not re.search(r"<style|style=|<script(?![^>]*src=)|\son\w+=", document), document
    status, body = SERVER.get("/")
    assert status == 200 and b"/api/v1/traces" in body and b"<html" not in body, "others than browsers get text"


def case_empty():
    """Without a trace the first page says how to send the first one, and moves on by itself."""
    page = show("/")
    page.wait_text("No traces yet. Send the first one:")
    page.wait_text("Open to everybody who uses this machine, and to nobody else: this server has no accounts.")
    assert f"curl http://127.0.0.1:{SERVER.api}/v1/traces" in page.text()
    page = show("/")
    page.wait_text("No traces yet")
    send_all()
    page.wait_text("Where is my order?")


def case_search():
    """Results are listed, a query narrows them, and the address holds what was asked."""
    page = show("/search")
    page.wait_text("14 traces, newest first")
    page.run("document.getElementById('query').focus()")
    page.type('order.id="ORD-4712"')
    page.key("Enter", 13)
    page.wait_text("1 trace, newest first")
    assert page.run("new URLSearchParams(location.search).get('q')") == 'order.id="ORD-4712"'
    page.reload()
    page.wait_text("1 trace, newest first")
    assert page.run("document.getElementById('query').value") == 'order.id="ORD-4712"'
    page.run("history.back()")
    page.wait_text("14 traces, newest first")
    page.click(".ranges .btn:first-child")
    page.wait("location.search === '?range=15m'", "the time is in the address")


def case_completion():
    """The line completes fields, keys and values at the cursor."""
    page = show("/search")
    page.wait_text("14 traces")
    page.run("document.getElementById('query').focus()")
    page.type("ser")
    page.wait("[...document.querySelectorAll('[role=option]')].some((at) => at.innerText.startsWith('service'))", "service is offered")
    page.key("ArrowDown", 40)
    page.key("Enter", 13)
    page.wait("document.getElementById('query').value === 'service:'", "service: is taken")
    page.type("mes")
    page.wait("document.querySelectorAll('[role=option]').length === 1", "one service begins so")
    page.key("ArrowDown", 40)
    page.key("Enter", 13)
    page.wait("document.getElementById('query').value === 'service:mes-api '", "its name is taken")
    page.type("order")
    page.wait("[...document.querySelectorAll('[role=option]')].some((at) => at.innerText.includes('order.id'))", "the key is offered")
    page.key("Escape", 27)
    page.run("(() => { const at = document.getElementById('query'); at.focus(); at.select() })()")
    page.type("status:error")
    page.key("Enter", 13)
    page.wait_text("1 trace, newest first")
    page.wait("document.querySelector('a.res .broken') !== null", "the error is marked")


def case_refusals():
    """A query that can't be read is refused in a sentence, at its place; one that fits nothing offers all times."""
    browser().forgive("status of 400.*q=duration")
    page = show("/search?q=duration%3E")
    page.wait_text("expected a value after 'duration'")
    page = show("/search?q=service:nobody")
    page.wait_text("No trace fits in this time.")
    page.click("section .as-link")
    page.wait("new URLSearchParams(location.search).get('range') === 'all'", "all times are in the address")
    page.wait_text("No trace fits.")


def case_trace():
    """A click on a result opens its waterfall: rows, first error, service, and the panel of a span."""
    page = show("/search?q=status:error")
    page.wait_text("POST /orders")
    page.click("a.res")
    page.wait(f"location.pathname === '/trace/{TRACE}'", "the trace's address")
    page.wait("document.querySelectorAll('[role=treeitem]').length === 7", "seven rows")
    page.wait_text("ring-0931.stl is not there")
    text = page.text()
    for part in ("shop-api: POST /orders", "7 spans", "3 services", "First cause", "the model ring-0931.stl is not there", "not ended"):
        assert part in text, (part, text)
    levels = page.run("[...document.querySelectorAll('[role=treeitem]')].map((at) => at.getAttribute('aria-level')).join('')")
    assert levels == "1232344", levels
    page.click(".cause .as-link")
    page.wait_text("exception.type")
    assert page.run("new URLSearchParams(location.search).get('span')") == f"{5:016x}"
    text = page.text()
    for part in ("ModelMissing", "509607936", BIG, "host.name", "mes-2"):
        assert part in text, (part, text)
    page.click(".event .on-row a")
    page.wait("new URLSearchParams(location.search).get('q') === 'event.exception.type=\"ModelMissing\"'", "the query of the value")
    page.wait_text("1 trace, newest first")
    pictures("trace", f"/trace/{TRACE}?span={5:016x}", "exception.type")


def case_strange():
    """Markup, control characters and long values are text; a trace without a root is shown and says so."""
    page = show(f"/trace/{STRANGE}?span={9:016x}")
    page.wait_text("its parent has not come")
    page.wait_text("show all")
    text = page.text()
    assert "<img src=x" in text and "\u202e" not in text and "⟨U+202E⟩" in text and "\u2407" in text, text[:800]
    assert page.run("document.title") != "broken" and page.run("document.images.length") == 0
    assert len(text) < 5000 and "show all" in text
    page.wait("[...document.querySelectorAll('.det .as-link')].some((at) => at.innerText === 'show all')", "the span's own values are there")
    page.run("[...document.querySelectorAll('.det .as-link')].find((at) => at.innerText === 'show all').click()")
    page.wait("document.body.innerText.length > 60000", "all of it is shown")


def case_missing_trace():
    """A trace that is not there, and a span that is not in it, are said so."""
    browser().forgive(f"status of 404.*{'ab' * 16}")
    page = show(f"/trace/{'ab' * 16}")
    page.wait_text(f"No trace {'ab' * 16}.")
    show(f"/trace/{TRACE}?span={99:016x}&from=an-older-version").wait_text("This trace has no span")


def case_width():
    """No page scrolls sideways, from 390 to 2560 px."""
    page = browser()
    for width in (390, 720, 1100, 1440, 2560):
        page.size(width, 900)
        for path, ready in (("/search", "14 traces"), (f"/trace/{TRACE}?span={5:016x}", "ModelMissing"),
                            (f"/trace/{STRANGE}?span={9:016x}", "show all")):
            show(path).wait_text(ready)
            over = page.run("document.documentElement.scrollWidth - innerWidth")
            assert over <= 0, f"{path} at {width}: {over} px over"
    page.size(1440, 900)


def case_russian():
    """The pages speak Russian when they are asked to, and keep to it."""
    page = show("/search")
    page.wait_text("14 traces")
    STAGE.language("ru")
    page.wait_text("14 трасс, сначала новые")
    assert page.run("document.documentElement.lang") == "ru"
    show("/services").wait_text("Все сервисы")
    STAGE.language("en")
    page.wait_text("All services")


def case_server_gone():
    """A server that goes away is said so, and asked again until it is back."""
    page = show("/services")
    page.wait_text("mes-api")
    page.forgive(chromium.AWAY)
    SERVER.end()
    page.click(".ranges .btn:last-child")
    page.wait_text("The server has not answered since")
    assert "mes-api" in page.text(), "what was read stays"
    SERVER.start()
    page.wait("document.body && !document.body.innerText.includes('has not answered')", "it is asked again")


def case_types():
    """The sources hold under TypeScript's strict rules."""
    build = os.path.join(os.path.dirname(os.path.abspath(BINARY)), "ui")
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "ui")
    work = os.path.join(build, "types")
    if not shutil.which("npm"):
        raise Skip("npm is not installed")
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(source, work)
    done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"], cwd=work,
                          capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise Skip("npm could not install TypeScript")
    done = subprocess.run(["node", "node_modules/typescript/bin/tsc", "-p", "."], cwd=work, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def case_console():
    """No error in the console, nothing that the policy stopped, no other host asked."""
    page = browser()
    page.run("1")
    assert page.complaints == [], page.complaints
    assert page.hosts == {f"127.0.0.1:{SERVER.api}"}, page.hosts


def finish(status):
    STAGE.close()
    SERVER.__exit__()
    sys.exit(status)


if __name__ == "__main__":
    finish(harness.main(globals()))
