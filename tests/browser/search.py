#!/usr/bin/env python3
"""search.py FILIGREE [CASE...]: the search page and the first page in a real Chromium, over a real server with real spans.

Skipped by name where Chromium is not installed, or where the server was built without the pages. With PICTURES=FOLDER
in the environment the pages are also pictured: 1440 and 390 px wide, light and dark.
"""
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import chromium  # noqa: E402
import harness  # noqa: E402
from harness import Server  # noqa: E402
from stage import Stage  # noqa: E402

SERVER = Server()
STAGE = Stage(SERVER)
browser, show, pictures = STAGE.browser, STAGE.show, STAGE.pictures
COUNT = 600  # traces, more than a page has
ROUTES = (("POST /orders", 400), ("GET /orders/{id}", 30), ("POST /models", 1800), ("GET /prices", 90), ("PUT /orders/{id}/approve", 220))
STRANGE = "<img src=x onerror=document.title='broken'>\u202eeman\x07"
LONG = "long " * 200000
INPUT = "document.getElementById('query')"
PARAMS = "new URLSearchParams(location.search)"
ROWS = "document.querySelectorAll('a.res').length"


# -- Spans


def pairs(attributes):
    return [{"key": key, "value": {"intValue": str(one)} if isinstance(one, int) else {"stringValue": one}} for key, one in attributes.items()]


def span(trace, parent, name, start_ns, length_ms, kind, attributes=None, error=None):
    one = {"traceId": trace, "spanId": f"{random.getrandbits(63) | 1:016x}", "parentSpanId": parent, "name": name, "kind": kind,
           "startTimeUnixNano": str(start_ns), "endTimeUnixNano": str(start_ns + int(length_ms * 1e6)), "attributes": pairs(attributes or {})}
    if error:
        one["status"] = {"code": 2, "message": error}
    return one


def order(start_ns, number, failed=False, slow=1.0):
    trace = harness.new_trace_id()
    name, usual = ROUTES[number % len(ROUTES)]
    length = usual * math.exp(random.gauss(0, 0.5)) * slow
    key = {"order.id": f"ORD-{4000 + number}", "http.route": name.split(" ")[1]}
    root = span(trace, "", name, start_ns, length, 2, {**key, "http.response.status_code": 500 if failed else 200},
                "the price could not be computed" if failed else None)
    part = span(trace, root["spanId"], name, start_ns + int(length * 5e4), length * 0.8, 2, key)
    found = {"shop-page": [root], "shop-api": [part],
             "shop-db": [span(trace, part["spanId"], "SELECT orders", start_ns + int(length * 1e5), length * 0.2, 3, {"db.system": "postgresql"})]}
    if usual > 200:
        found["mes-api"] = [span(trace, part["spanId"], "price.calculate", start_ns + int(length * 5e5), length * 0.3, 5,
                                 {"model.bytes": 100000 + number}, "the model is not there" if failed else None)]
    return found


def send(traces):
    by_service = {}
    for trace in traces:
        for service, spans in trace.items():
            by_service.setdefault(service, []).extend(spans)
    body = {"resourceSpans": [{"resource": {"attributes": pairs({"service.name": service, "host.name": "mes-2"})},
                               "scopeSpans": [{"spans": spans}]} for service, spans in by_service.items()]}
    status, _, answer = SERVER.send(json.dumps(body), "application/json")
    assert (status, answer) == (200, b"{}"), (status, answer)


def send_day():
    """Traces of 23 hours; some three hours ago everything was slow and much failed."""
    random.seed(7)
    now = time.time_ns() - 2 * 10**9
    traces = []
    for number in range(COUNT):
        ago = number / COUNT * 23 * 3600
        is_bad = 2.6 * 3600 < ago < 3.4 * 3600
        traces.append(order(now - int(ago * 1e9), number, failed=is_bad and number % 2 == 0 or number % 97 == 5, slow=8 if is_bad else 1))
    send(traces)


def query_is(text):
    return f"({PARAMS}.get('q') ?? '') === {json.dumps(text)}"


def type_query(page, text):
    page.run(f"{INPUT}.focus(); {INPUT}.select()")
    if text:
        page.type(text)
    else:
        page.key("Backspace", 8)
    page.key("Escape", 27)
    page.run(f"{INPUT}.focus()")
    page.key("Enter", 13)


def mouse(page, kind, x, y, buttons=1):
    page.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left" if kind != "mouseMoved" else "none", buttons=buttons, clickCount=1)


def drag(page, x0, y0, x1, y1):
    mouse(page, "mousePressed", x0, y0)
    for i in range(1, 6):
        mouse(page, "mouseMoved", x0 + (x1 - x0) * i / 5, y0 + (y1 - y0) * i / 5)
    mouse(page, "mouseReleased", x1, y1, 0)


def press(page, x, y):
    mouse(page, "mouseMoved", x, y, 0)
    mouse(page, "mousePressed", x, y)
    mouse(page, "mouseReleased", x, y, 0)


def box(page, selector):
    page.wait(f"document.querySelector({json.dumps(selector)}) !== null", f"{selector} is there")
    return page.run(f"(() => {{ const at = document.querySelector({json.dumps(selector)}).getBoundingClientRect(); "
                    "return [at.left, at.top, at.width, at.height] })()")


def arrow(page, name, shift=False):
    code = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}[name]
    for kind in ("keyDown", "keyUp"):
        page.call("Input.dispatchKeyEvent", type=kind, key=name, windowsVirtualKeyCode=code, modifiers=8 if shift else 0)


def button(page, text, selector="button"):
    found = page.run(f"(() => {{ const at = [...document.querySelectorAll({json.dumps(selector)})].find((one) => one.innerText.trim() === {json.dumps(text)}); "
                     "if (!at) return false; at.click(); return true })()")
    assert found, f"no button says {text!r}: {page.text()[:800]}"


def speak(page, language, text):
    STAGE.language(language)
    page.wait_text(text)


# -- Cases, in the order of a visit


def case_first_page():
    """With nothing stored the page shows how to send a span: commands to copy, which work; and it moves on when one comes."""
    page = show("/", "No traces yet. Send the first one:")
    assert page.run(f"{INPUT} === null"), "there is nothing to search yet"
    text = page.text()
    for part in (f"curl http://127.0.0.1:{SERVER.api}/v1/traces", "OTEL_SERVICE_NAME=", f"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:{SERVER.api}"):
        assert part in text, (part, text)
    left, top, width, height = box(page, ".copy button")
    press(page, left + width / 2, top + height / 2)
    page.wait_text("Copied")
    pictures("first", "/", "No traces yet")
    page = show("/search", "No traces yet")
    command = page.run("document.querySelector('.first pre').innerText")
    body = command[command.index("-d '") + 4:-1]
    status, _, answer = SERVER.request("POST", "/v1/traces", body=body.encode(), headers={"Content-Type": "application/json"})
    assert (status, answer) == (200, b"{}"), (status, answer)
    page.wait_text("first span")
    page.wait(f"{INPUT} !== null && {ROWS} === 1", "the page has moved on to the list")


def case_list():
    """The list: root, service colours, errors, age; more by cursor, kept in the address; longest first."""
    send_day()
    page = show("/search", "50 traces, newest first; there are more")
    assert page.run(ROWS) == 50
    page.wait("document.querySelectorAll('a.res .sw').length > 50", "colours of services")
    assert "ago" in page.run("document.querySelector('a.res .c-when').innerText")
    began = page.run("[...document.querySelectorAll('a.res .c-when')].map((at) => at.title.split(' ')[0])")
    assert began == sorted(began, reverse=True), began
    button(page, "Show more")
    page.wait(f"{ROWS} === 150 && {PARAMS}.get('limit') === '150'", "a page more")
    ids = page.run("[...document.querySelectorAll('a.res')].map((at) => at.pathname)")
    assert len(set(ids)) == 150
    page.reload()
    page.wait(f"{ROWS} === 150", "as many after a reload")
    button(page, "Longest first")
    page.wait(f"{PARAMS}.get('sort') === 'longest'", "the order is in the address")
    page.wait_text("longest first of the newest")
    widths = page.run("[...document.querySelectorAll('a.res .len')].map((at) => parseFloat(at.style.width))")
    assert widths == sorted(widths, reverse=True) and widths[0] == 100, widths[:5]


def case_colours_of_all_browsers():
    """A service has the colour that the server's order gives it, also where a browser believed another."""
    page = show("/search", "there are more")
    places = {one["service"]: one["place"] for one in json.loads(SERVER.get("/api/v1/services/slots")[1])["services"]}
    assert set(places) == {"hello", "shop-page", "shop-api", "shop-db", "mes-api"}, places
    page.run("localStorage.setItem('filigree.places', JSON.stringify([{ service: 'mes-api', place: 8 }, { service: 'shop-db', place: 9 }]))")
    page.reload()
    page.wait_text("there are more")
    wanted = places["mes-api"] + 1
    page.wait(f"[...document.querySelectorAll('.svc')].filter((at) => at.innerText === 'mes-api').every((at) => at.querySelector('.s{wanted}'))",
              "mes-api has the server's slot")
    assert page.run("[...document.querySelectorAll('.svc')].some((at) => at.innerText === 'mes-api')")


def case_completion():
    """The line offers fields, keys with their counts, operators, and values that the rest of the query narrows."""
    page = show("/search", "there are more")
    options = "[...document.querySelectorAll('#choices [role=option]')].map((at) => at.firstChild.innerText)"
    page.run(f"{INPUT}.focus()")
    page.type("http.ro")
    page.wait(f"{options}.includes('http.route')", "the key is offered")
    assert "spans" in page.run("[...document.querySelectorAll('[role=option]')].find((at) => at.innerText.includes('http.route')).innerText")
    page.key("Tab", 9)
    page.wait(f"{INPUT}.value === 'http.route='", "Tab takes the first")
    page.wait(f"{options}.includes('/prices')", "its values are offered")
    page.key("Escape", 27)
    type_query(page, "service:mes-api")
    page.wait(query_is("service:mes-api"), "asked")
    page.run(f"{INPUT}.focus(); {INPUT}.setSelectionRange(99, 99)")
    page.type(" name:")
    page.wait(f"{options}.join() === 'price.calculate'", "only what mes-api does")
    page.key("Escape", 27)
    page.type(" order.id")
    page.wait(f"{options}.some((one) => one === 'order.id=~')", "operators of a key are offered")
    assert page.run(f"{INPUT}.getAttribute('aria-expanded')") == "true"


def case_typed_on():
    """Who goes on typing right after Enter loses no letter: what was asked is not put into the line a second time."""
    page = show("/search", "there are more")
    page.run(f"{INPUT}.focus()")
    page.type("service:mes-api")
    page.key("Escape", 27)
    page.run(f"{INPUT}.focus()")
    page.run(f"""(() => {{ const at = {INPUT};
        at.dispatchEvent(new KeyboardEvent('keydown', {{ key: 'Enter', bubbles: true, cancelable: true }}));
        at.value += ' status:error'; at.dispatchEvent(new Event('input', {{ bubbles: true }})); }})()""")
    page.wait(query_is("service:mes-api"), "asked")
    page.wait("document.title.startsWith('service:mes-api ')", "what follows from the question has been done")
    assert page.run(f"{INPUT}.value") == "service:mes-api status:error", page.run(f"{INPUT}.value")


def case_history():
    """What was asked lately is offered on the empty line, and can be forgotten."""
    page = show("/search?q=duration%3E2s", "newest first")
    type_query(page, "")
    page.wait(query_is(""), "nothing is asked")
    page.wait_text("there are more")
    page.run(f"{INPUT}.focus(); {INPUT}.click()")
    page.wait("[...document.querySelectorAll('[role=option]')].some((at) => at.innerText.includes('duration>2s') && at.innerText.includes('asked lately'))",
              "it is offered")
    page.key("ArrowDown", 40)
    page.key("Enter", 13)
    page.wait(f"{INPUT}.value === 'duration>2s'", "it is taken whole")
    type_query(page, "")
    page.run(f"{INPUT}.focus(); {INPUT}.click()")
    page.wait("document.querySelector('.forget') !== null", "it can be forgotten")
    page.run("document.querySelector('.forget').dispatchEvent(new MouseEvent('mousedown', { bubbles: true }))")
    assert page.run("localStorage.getItem('filigree.asked')") is None


def case_wrong_query():
    """What the language refuses is marked at its place, also behind letters of several bytes; a click goes there."""
    browser().forgive("status of 400.*(errr|%28status%3Aerror)")
    page = show("/search?q=" + "order.id%3D%22%D0%B7%D0%B0%D0%BA%D0%B0%D0%B7%22%20status:errr%20kind:server")
    page.wait_text("'errr' is no status; expected error, ok or unset")
    assert page.run("document.querySelector('.wrong-part').innerText") == "errr"
    assert page.run(f"{INPUT}.getAttribute('aria-invalid')") == "true"
    page.click(".wrong-part")
    place = len('order.id="заказ" status:')
    assert page.run(f"{INPUT}.selectionStart") == place and page.run(f"document.activeElement === {INPUT}")
    type_query(page, "status:error")
    page.wait("document.querySelector('.wrong') === null", "the next query is not wrong")
    page.wait_text("newest first")
    show("/search?q=%28status%3Aerror").wait_text("this parenthesis is never closed")
    page = show("/search", "there are more")
    page.run(f"(() => {{ const at = {INPUT}; at.focus(); at.value = 'name:' + 'x'.repeat(1000000); at.dispatchEvent(new Event('input', {{ bubbles: true }})) }})()")
    page.wait_text("1,000,005 letters, which no address holds")
    page.key("Enter", 13)
    assert page.run("location.search") == "", "it is not asked"


def case_trace_id():
    """A trace id alone goes to its trace."""
    page = show("/search", "there are more")
    trace = page.run("document.querySelector('a.res').pathname.split('/').pop()")
    type_query(page, trace)
    page.wait(f"location.pathname === '/trace/{trace}'", "the trace")


# Queries of every shape: what the pages write of them must mean the same to the server.
SHAPES = ("", "a=1", "service:shop-*", 'a="1"', "a==1", "a!==true", "a:*", 'a:"*"', "not a=1", "-a=1", "!a=1", "not not a=1", "a=1 b=2", "a=1 and b=2",
          "a=1 or b=2 c=3", "(a=1 or b=2) c=3", "not (a=1 or b=2)", "a=1 (b=2 (c=3 or d=4) or e=5)", 'span."strange key"=x', '"quoted key"=x',
          '.service=x', 'resource.service=x', 'a="with \\"quotes\\" and \\\\ and \\n and \\t"', "duration>=1m30s", "name=~\"^GET /\"", "a!~b",
          "NOT a=1 OR b=2 AND c=3", "or=1", "not=1", "a = 1", "a:b:c", "0af7651916cd43dd8448eb211c80319c", "http.route:/a-b/{id}", 'x=""', "trace.duration>1s root.service:a")


def case_language():
    """What the pages read and write again of a query means the same to the server, for queries of every shape."""
    packages = os.path.join(os.path.dirname(os.path.abspath(harness.BINARY)), "ui", "packages")
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "ui", "src", "query.ts")
    with tempfile.TemporaryDirectory() as folder:
        bundle = os.path.join(folder, "query.cjs")
        done = subprocess.run(["node", os.path.join(packages, "node_modules", "esbuild", "bin", "esbuild"), source, "--format=cjs", "--bundle",
                               f"--outfile={bundle}", "--log-level=error"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        script = f"const {{ readQuery, writeQuery }} = require({json.dumps(bundle)}); console.log(JSON.stringify({json.dumps(SHAPES)}" \
                 ".map((one) => { const read = readQuery(one); return read.group ? writeQuery(read.group) : read.misread })))"
        done = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True)
    for shape, again in zip(SHAPES, json.loads(done.stdout)):
        assert isinstance(again, str), (shape, again)
        plans = []
        for text in (shape, again):
            status, body = SERVER.get("/api/v1/traces?limit=1&explain=1&q=" + urllib.parse.quote(text))
            assert status == 200, (shape, text, body)
            plans.append(json.loads(body)["plan"]["query"].replace("not not ", ""))
        assert plans[0] == plans[1], (shape, again, plans)


def case_builder():
    """Builder and line say the same, whichever is changed: conditions, not, groups, removal."""
    page = show("/search", "there are more")
    page.key("b")
    page.wait(f"document.querySelector('.builder') !== null && {PARAMS}.get('build') === '1'", "b opens the builder")
    page.run(f"{INPUT}.focus()")
    page.type("service:shop-api (http.route:/orders/* or not status:error)")
    page.wait("document.querySelectorAll('.b-row').length === 3", "three rows")
    values = "[...document.querySelectorAll('.b-row')].map((at) => [...at.querySelectorAll('input, select')].map((one) => one.value).join('|'))"
    assert page.run(values) == ["service|:|shop-api", "http.route|:|/orders/*", "status|:|error"], page.run(values)
    assert page.run("[...document.querySelectorAll('.b-row .b-not')].map((at) => at.getAttribute('aria-pressed')).join()") == "false,false,true"
    page.key("Escape", 27)
    page.click(".b-row .b-not")
    page.wait(f"{INPUT}.value === 'not service:shop-api (http.route:/orders/* or not status:error)'", "not goes into the line")
    page.run("(() => { const at = document.querySelector('.b-row select'); at.value = '!='; at.dispatchEvent(new Event('change', { bubbles: true })) })()")
    page.wait(f"{INPUT}.value.startsWith('not service!=shop-api ')", "the operator too")
    page.click(".b-row .b-remove")
    page.wait(f"{INPUT}.value === '(http.route:/orders/* or not status:error)' || {INPUT}.value === 'http.route:/orders/* or not status:error'", "the row is gone")
    button(page, "+ Condition", ".builder > .b-group > .b-foot button")
    page.run("[...document.querySelectorAll('.b-row')].at(-1).querySelector('input').focus()")
    page.type("serv")
    page.wait("document.querySelector('.b-row .choices:not([hidden]) [role=option]') !== null", "keys are offered")
    page.key("ArrowDown", 40)
    page.key("Enter", 13)
    page.wait("[...document.querySelectorAll('.b-row')].at(-1).querySelector('input').value === 'service'", "the key is taken")
    page.run("[...document.querySelectorAll('.b-row')].at(-1).querySelectorAll('input')[1].focus()")
    page.type("mes")
    page.wait("[...document.querySelectorAll('.b-row')].at(-1).querySelectorAll('.combo')[1].querySelector('[role=option]')?.innerText.includes('mes-api')", "its values are offered")
    page.key("ArrowDown", 40)
    page.key("Enter", 13)
    page.wait(f"{INPUT}.value === '(http.route:/orders/* or not status:error) service:mes-api'", "and written")
    page.key("Enter", 13)
    page.wait(query_is("(http.route:/orders/* or not status:error) service:mes-api"), "Enter asks")
    page.run(f"{INPUT}.focus(); {INPUT}.select()")
    page.type('(status:error')
    page.wait_text("a parenthesis is never closed (at letter 1)")
    page.type(")")
    page.wait("document.querySelectorAll('.b-row').length === 1", "closed again")
    pictures("search-builder", "/search?build=1&q=service%3Ashop-api+%28http.route%3A%2Forders%2F*+or+not+status%3Aerror%29", "newest first")


def case_times():
    """Times by word and from one moment to another; Back and Forward go through them."""
    page = show("/search", "there are more")
    button(page, "Last hour")
    page.wait("location.search === '?range=1h'", "an hour")
    button(page, "Yesterday")
    page.wait("location.search === '?range=yesterday'", "yesterday")
    button(page, "From – to…")
    page.wait("document.getElementById('from') !== null", "two fields")
    page.run("document.getElementById('from').select()")
    page.type("half past")
    page.key("Enter", 13)
    page.wait_text("“half past” is no time.")
    page.run("document.getElementById('from').select()")
    page.type("-4h")
    page.run("document.getElementById('to').focus(); document.getElementById('to').select()")
    page.type("-150m")
    page.key("Enter", 13)
    page.wait(f"{PARAMS}.has('from') && {PARAMS}.has('to') && !{PARAMS}.has('range')", "the moments are in the address")
    length = page.run(f"(Date.parse({PARAMS}.get('to')) - Date.parse({PARAMS}.get('from'))) / 60000")
    assert abs(length - 90) < 0.1, length
    page.wait_text("traces, newest first")
    button(page, "Wider")
    page.wait(f"Date.parse({PARAMS}.get('to')) - Date.parse({PARAMS}.get('from')) > 200 * 60000", "wider")
    page.run("history.back()")
    page.wait(f"Math.abs((Date.parse({PARAMS}.get('to')) - Date.parse({PARAMS}.get('from'))) / 60000 - 90) < 0.1", "back")
    page.run("history.back()")
    page.wait("location.search === '?range=yesterday'", "back to the word")
    page.wait("document.querySelector('.ranges [aria-pressed=true]').innerText === 'Yesterday'", "which is marked")
    page.run("history.forward()")
    page.wait(f"{PARAMS}.has('from')", "and forward")


def case_heat_map():
    """The heat map counts all that fits; dragging narrows time and duration, a click goes to a cell, Back returns."""
    page = show("/search?chart=heat", "there are more")
    page.wait("document.querySelectorAll('.cell').length > 40", "cells")
    assert page.run("document.querySelectorAll('.cell-bad').length") > 3
    legend = page.run("[...document.querySelectorAll('.chart-key .nw')].map((at) => Number(at.innerText)).filter((one) => one > 0)")
    assert legend and legend == sorted(set(legend)), legend
    name = page.run("document.querySelector('.chart').getAttribute('aria-label')")
    assert name.startswith(f"Heat map: {COUNT + 1} spans"), name
    left, top, width, height = box(page, ".chart")
    mouse(page, "mouseMoved", *page.run("(() => { const at = document.querySelector('.cell').getBoundingClientRect(); return [at.left + 2, at.top + 2] })()"), 0)
    page.wait("document.querySelector('.read').innerText.includes('span')", "what is pointed at is said")
    mouse(page, "mousePressed", left + width * 0.5, top + 60)
    mouse(page, "mouseMoved", left + width * 0.75, top + 110)
    page.wait("/[0-9:]+ ?– ?.*[0-9:]+ · [0-9.]+.m?s – [0-9.]+.m?s/.test(document.querySelector('.read').innerText)", "what is selected is said")
    mouse(page, "mouseMoved", left + width * 0.75, top + 62)
    mouse(page, "mouseReleased", left + width * 0.75, top + 62, 0)
    page.wait(f"{PARAMS}.has('from') && !{PARAMS}.has('q')", "a level selection is one of time")
    hours = page.run(f"(Date.parse({PARAMS}.get('to')) - Date.parse({PARAMS}.get('from'))) / 3600000")
    assert 5 < hours < 8, hours
    page.run("history.back()")
    page.wait(f"!{PARAMS}.has('from')", "back")
    page.wait("document.querySelectorAll('.cell').length > 40", "cells")
    drag(page, left + width * 0.3, top + 20, left + width * 0.9, top + height * 0.5)
    page.wait(f"/^root=true duration>=[0-9]+m?s duration<[0-9]+m?s$/.test({PARAMS}.get('q') ?? '')", "a slanting one is of durations too")
    page.wait_text("traces, newest first")
    pictures("search", "/search", "there are more")


def cell_of(page, fits):
    """The middle of a cell whose count fits, and that count; the table has the cells in the order from the newest."""
    button(page, "The figures as a table")
    counts = page.run("[...document.querySelectorAll('.figures tbody tr')].map((at) => Number(at.cells[2].innerText))")
    middles = page.run("[...document.querySelectorAll('.cell')].map((at) => at.getBoundingClientRect()).map((at) => [at.left + at.width / 2, at.top + at.height / 2])")
    return next((*middle, count) for middle, count in zip(reversed(middles), counts) if fits(count))


def case_cells():
    """A cell leads to the traces behind it, by pointer, key and table: one alone opens, more are listed, and the focus is on them."""
    path = "/search?chart=heat&q=service%3Ashop-page"
    ready = "document.querySelectorAll('.cell').length > 40"
    page = show(path, "there are more")
    page.wait(ready, "cells")
    press(page, *cell_of(page, lambda count: count == 1)[:2])
    page.wait("location.pathname.startsWith('/trace/')", "the one trace is open")
    page.run("history.back()")
    page.wait(f"location.pathname === '/search' && {ready}", "Back returns to the picture")
    x, y, count = cell_of(page, lambda count: count > 1)
    press(page, x, y)
    page.wait(f"{PARAMS}.has('from') && /^service:shop-page duration>=.* duration<.*$/.test({PARAMS}.get('q') ?? '')", "its time and durations are asked for")
    page.wait(f"{ROWS} === {count}", f"its {count} traces, and no others")
    page.wait("document.activeElement === document.querySelector('a.res')", "the focus is on the first")
    page = show(path, "there are more")
    page.wait(ready, "cells")
    page.run("document.querySelector('.chart').focus()")
    for _ in range(300):
        arrow(page, "ArrowRight")
        if not page.run("/ · 1 span/.test(document.querySelector('.read').innerText)"):
            break
    count = page.run("Number(/ · ([0-9]+) spans/.exec(document.querySelector('.read').innerText)[1])")
    page.key("Enter", 13)
    page.wait(f"{PARAMS}.has('from') && {ROWS} === {count}", "Enter lists its traces")
    page.wait("document.activeElement === document.querySelector('a.res')", "the focus is on the first")
    page.key("Enter", 13)
    page.wait("location.pathname.startsWith('/trace/')", "which Enter opens")


PARTIAL = """(() => { const ask = window.fetch; window.fetch = async (...of) => {
  const answer = await ask(...of);
  if (!String(of[0]).startsWith('/api/v1/heatmap')) return answer;
  const heat = await answer.json(), middle = Math.floor(heat.column_count / 2);
  Object.assign(heat, {partial: true, partial_reason: 'time', whole_from_ns: String(BigInt(heat.start_ns) + BigInt(middle) * BigInt(heat.column_ns)), cells: heat.cells.filter(([column]) => column >= middle)});
  return new Response(JSON.stringify(heat), {headers: {'content-type': 'application/json'}});
}; })()"""


def case_not_counted():
    """What a heat map could not count in its time is drawn slanted, up to where it is whole, and said; it is not drawn as empty."""
    page = browser()
    script = page.call("Page.addScriptToEvaluateOnNewDocument", source=PARTIAL)["identifier"]
    try:
        check_not_counted(page)
    finally:
        page.call("Page.removeScriptToEvaluateOnNewDocument", identifier=script)


def check_not_counted(page):
    show("/search?chart=heat", "What is hatched was not counted.")
    page.wait("document.querySelector('.not-counted') !== null", "it is drawn")
    slanted, cells = page.run("[document.querySelector('.not-counted').getBoundingClientRect().right, Math.min(...[...document.querySelectorAll('.cell')].map((at) => at.getBoundingClientRect().left))]")
    left, _, width, _ = box(page, ".chart")
    assert slanted <= cells + 1 and left + width * 0.4 < slanted < left + width * 0.7, (slanted, cells, left, width)
    assert "not counted" in page.run("document.querySelector('.chart-key').innerText")
    assert "is not counted." in page.run("document.querySelector('.chart').getAttribute('aria-label')")
    pictures("search-partial", "/search?chart=heat", "not counted")


def case_heat_map_figures():
    """The heat map's figures stand in a table, and their sum is what the picture counts."""
    page = show("/search?chart=heat", "there are more")
    page.wait("document.querySelectorAll('.cell').length > 40", "cells")
    button(page, "The figures as a table")
    page.wait("document.querySelectorAll('.figures tbody tr').length > 40", "rows")
    cells = page.run("document.querySelectorAll('.cell').length")
    rows = page.run("document.querySelectorAll('.figures tbody tr').length")
    assert rows == min(cells, 500), (rows, cells)
    if cells <= 500:
        total = page.run("[...document.querySelectorAll('.figures tbody tr')].reduce((sum, at) => sum + Number(at.cells[2].innerText), 0)")
        assert total == COUNT + 1, total
    show("/search?q=trace.duration%3E1s&chart=heat", "A heat map counts spans, and this query asks for whole traces.")


def case_chart_keys():
    """In the chart arrows go from point to point, Shift selects a time, Enter opens or narrows, Escape lets go."""
    page = show("/search?chart=dots&q=status%3Aerror", "newest first")
    page.wait("document.querySelectorAll('.dot').length > 5", "dots")
    count = page.run("document.querySelectorAll('.dot').length")
    assert count == page.run(ROWS) == page.run("document.querySelectorAll('.search-chart svg .dot-bad').length") - 1, count
    page.run("document.querySelector('.chart').focus()")
    arrow(page, "ArrowLeft")
    page.wait("document.querySelector('.here') !== null && document.querySelector('.read').innerText.includes('error')", "the newest is pointed at")
    arrow(page, "ArrowLeft", shift=True)
    arrow(page, "ArrowLeft", shift=True)
    page.wait("document.querySelector('.brush') !== null", "a time is selected")
    page.key("Escape", 27)
    page.wait("document.querySelector('.brush') === null && document.querySelector('.here') === null", "Escape lets go")
    arrow(page, "ArrowRight")
    arrow(page, "ArrowRight", shift=True)
    arrow(page, "ArrowRight", shift=True)
    page.key("Enter", 13)
    page.wait(f"{PARAMS}.has('from')", "Enter narrows to it")
    page.wait(f"{ROWS} >= 2 && {ROWS} < {count}", "fewer rows")
    page.run("history.back()")
    page.wait(f"{ROWS} === {count}", "back")
    page.run("document.querySelector('.chart').focus()")
    arrow(page, "ArrowRight")
    page.key("Enter", 13)
    page.wait("location.pathname.startsWith('/trace/')", "Enter opens the trace")


def case_dots():
    """A dot is a click away from its trace; the brush selects by the trace's duration."""
    page = show("/search?chart=dots&q=status%3Aerror", "newest first")
    page.wait("document.querySelectorAll('.dot').length > 5", "dots")
    left, top, width, height = box(page, ".chart")
    drag(page, left + width * 0.1, top + 10, left + width * 0.98, top + height * 0.4)
    page.wait(f"/^status:error trace.duration>=[0-9]+m?s trace.duration<[0-9]+m?s$/.test({PARAMS}.get('q') ?? '')", "durations of traces are selected")
    page.wait(f"{ROWS} > 0", "some are there")
    button(page, "The figures as a table")
    page.wait(f"document.querySelectorAll('.figures tbody tr').length === {ROWS}", "a row for each dot")
    pictures("search-dots", "/search?chart=dots", "there are more")
    page = show("/search?chart=dots&q=status%3Aerror", "newest first")
    page.wait("document.querySelectorAll('.dot').length > 5", "dots")
    x, y = page.run("(() => { const at = document.querySelector('.dot').getBoundingClientRect(); return [at.left + 4, at.top + 4] })()")
    press(page, x, y)
    page.wait("location.pathname.startsWith('/trace/')", "the trace is open")
    page.run("history.back()")
    page.wait(f"location.pathname === '/search' && {PARAMS}.get('chart') === 'dots'", "Back returns to the same picture")


def case_keys():
    """/ goes to the line, j and k through the rows, Enter opens, Escape leaves, h and l change chart and live, ? tells the keys."""
    page = show("/search", "there are more")
    page.key("j")
    page.key("j")
    at = "[...document.querySelectorAll('a.res')].indexOf(document.activeElement)"
    assert page.run(at) == 1
    page.key("k")
    assert page.run(at) == 0
    page.key("Escape", 27)
    page.wait(f"document.activeElement === {INPUT}", "Escape goes back to the line")
    page.key("Escape", 27)
    assert page.run(f"document.activeElement !== {INPUT}")
    page.key("h")
    page.wait(f"{PARAMS}.get('chart') === 'dots'", "h draws the next chart")
    page.key("h")
    page.wait(f"{PARAMS}.get('chart') === 'none' && document.querySelector('.chart') === null", "and none")
    page.key("?")
    page.wait("document.querySelector('dialog[open]') !== null", "? shows the keys")
    page.key("j")
    assert page.run(at) == -1, "keys do not reach the page behind"
    page.key("Escape", 27)
    page.wait("document.querySelector('dialog') === null", "Escape closes them")
    page.key("/")
    page.wait(f"document.activeElement === {INPUT}", "/ goes to the line")
    page.type("?")
    assert page.run(f"{INPUT}.value") == "?" and page.run("document.querySelector('dialog') === null"), "a typed ? is a letter"
    page.key("Escape", 27)
    page.key("Escape", 27)
    page.key("j")
    page.key("Enter", 13)
    page.wait("location.pathname.startsWith('/trace/')", "Enter opens the row")


def case_live():
    """Live: what comes is at the top; under the pointer or the focus nothing moves, and it waits behind a button."""
    page = show("/search?live=1&q=service%3Ames-api", "Live: new traces come by themselves.")
    page.wait(f"{ROWS} === 50", "the list")
    send([order(time.time_ns() - 10**9, 5000)])
    page.wait(f"{ROWS} === 51", "one more")
    page.run("document.querySelectorAll('a.res')[3].focus()")
    focused = page.run("document.activeElement.pathname")
    before = page.run("[...document.querySelectorAll('a.res')].map((at) => at.pathname)")
    send([order(time.time_ns() - 10**9, 5005 + 5 * i) for i in range(3)])
    page.wait("document.querySelector('.waiting')?.innerText === '3 new'", "three wait")
    assert page.run("[...document.querySelectorAll('a.res')].map((at) => at.pathname)") == before
    assert page.run("document.activeElement.pathname") == focused
    page.click(".waiting")
    page.wait(f"{ROWS} === 54 && document.querySelector('.waiting') === null", "they are shown")
    send([{"mes-api": [span(harness.new_trace_id(), "", "other", time.time_ns(), 5, 2)]} for _ in range(2)] +
         [{"shop-db": [span(harness.new_trace_id(), "", "not asked for", time.time_ns(), 5, 2)]}])
    page.run("document.activeElement.blur()")
    page.wait(f"{ROWS} === 56", "what fits, and no more")
    assert "not asked for" not in page.text()
    page.key("l")
    page.wait(f"!{PARAMS}.has('live') && !document.body.innerText.includes('Live: new traces')", "l ends it")
    show("/search?live=1&q=trace.spans%3E3", "asked again every 3\u00a0s, since the query is about whole traces")


def case_live_many():
    """Live on a server that is busy: it goes on, the newest are at the top, the list stays bounded."""
    page = show("/search?live=1", "Live: new traces come by themselves.")
    stop, last = threading.Event(), []

    def pour():
        number = 10000
        while not stop.is_set():
            last[:] = [time.time_ns() - 10**8]
            send([order(last[0], number + i) for i in range(100)])
            number += 100
            time.sleep(0.05)

    thread = threading.Thread(target=pour)
    thread.start()
    try:
        page.wait(f"{ROWS} >= 100", "rows come")
        time.sleep(3)
    finally:
        stop.set()
        thread.join()
    page.wait(f"Date.parse(document.querySelector('a.res .c-when').title.split(' ')[0]) >= {last[0] // 10**6 - 1}", "the newest of all is at the top")
    assert page.run(ROWS) <= 560, page.run(ROWS)


def case_explain():
    """How a search was answered is shown on demand."""
    page = show("/search?q=status%3Aerror", "newest first")
    button(page, "How it was answered")
    page.wait_text("The store looked for")
    assert page.run(f"{PARAMS}.get('explain')") == "1"
    text = page.run("document.querySelector('.explain').innerText")
    assert "status=error" in text and "single spans" in text, text
    page.reload()
    page.wait_text("The store looked for")


def case_old_addresses():
    """An address of another version or with nonsense is said in sentences, and the rest of it holds."""
    page = show("/search?q=status%3Aerror&range=2d&lookback=1h&limit=many&from=noon&chart=pie", "newest first")
    text = page.text()
    for part in ("does not know: lookback", "range=2d", "limit=many", "from=noon", "chart=pie"):
        assert part in text, (part, text[:900])
    assert page.run(f"{INPUT}.value") == "status:error"
    show("/search?from=2026-01-02&to=2026-01-01", "The end of the time lies before its beginning.")
    show("/search?from=1700000000&to=1700003600000", "No trace fits in this time.")
    page = show("/search?q=service:nobody", "No trace fits in this time.")
    button(page, "Look at all times")
    page.wait(f"{PARAMS}.get('range') === 'all'", "all times")
    page.wait_text("No trace fits.")


def case_strange():
    """Markup, control characters, right-to-left text and long names are text, in the list, in suggestions and in the charts."""
    browser().forgive("status of 400.*q=xxx")
    now = time.time_ns() - 10**9
    send([{"<b>shop</b>": [span(harness.new_trace_id(), "", STRANGE, now, 40, 2, {"strange.key": STRANGE, "long.key": LONG})]},
          {"rtl": [span(harness.new_trace_id(), "", "\u0645\u0631\u062d\u0628\u0627 12 <i>", now, 60, 2)]},
          {"s" * 900: [span(harness.new_trace_id(), "", "n" * 1000, now, 80, 2)]}])
    page = show("/search?q=strange.key%3A*%20or%20service%3Artl%20or%20service%3Asss*", "3 traces")
    text = page.text()
    assert "<img src=x" in text and "\u202e" not in text and "⟨U+202E⟩" in text and "\u2407" in text, text[:900]
    assert "\u0645\u0631\u062d\u0628\u0627 12 <i>" in text
    assert page.run("[...document.querySelectorAll('a.res b')].every((at) => at.querySelector('bdi') !== null)"), "directions are isolated"
    assert page.run("document.title !== 'broken' && document.images.length === 0")
    assert page.run("Math.max(...[...document.querySelectorAll('a.res')].map((at) => at.innerText.length))") < 800
    assert page.run("document.documentElement.scrollWidth <= innerWidth")
    page.run(f"{INPUT}.focus(); {INPUT}.setSelectionRange(0, 0); {INPUT}.select()")
    page.type("strange.key=")
    page.wait("document.querySelector('#choices [role=option]')?.innerText.includes('<img src=x')", "the value is offered as text")
    page.key("ArrowDown", 40)
    page.key("Enter", 13)
    page.key("Escape", 27)
    page.run(f"{INPUT}.focus()")
    page.key("Enter", 13)
    page.wait_text("1 trace, newest first")
    page.run(f"{INPUT}.focus()")
    show("/search?q=" + "x" * 1500).wait_text("stands alone")
    show("/search?q=" + "x" * 3000).wait_text("3,000 letters, which no address holds")


def case_russian():
    """The page speaks Russian: sentences, plurals, numbers, ages."""
    page = show("/search", "there are more")
    speak(page, "ru", "сначала новые; есть ещё")
    text = page.text()
    for part in ("Тепловая карта", "Сегодня", "Вчера", "Конструктор", "Вживую", "назад", "Как найден ответ"):
        assert part in text, (part, text[:900])
    page.key("?")
    page.wait_text("Клавиши")
    page.key("Escape", 27)
    show("/search?q=status:errr", "«errr» — не статус; бывают error, ok и unset")
    page = show("/search?range=2d", "В адресе стоит range=2d")
    speak(page, "en", "The address says range=2d")


def case_widths():
    """Nothing scrolls sideways from 390 to 2560 px; on a phone what is touched is 44 px high."""
    page = browser()
    for width in (390, 720, 1100, 1440, 2560):
        page.size(width, 900)
        for path in ("/search", "/search?chart=dots&explain=1", "/search?build=1&q=service%3Ashop-api+%28status%3Aerror+or+%28kind%3Aserver+name%3A*%29%29"):
            show(path, "newest first")
            page.wait("document.querySelector('.chart svg') !== null", "the chart")
            over = page.run("document.documentElement.scrollWidth - innerWidth")
            assert over <= 0, f"{path} at {width}: {over} px over"
    page.size(390, 844)
    show("/search", "newest first")
    page.wait("document.querySelector('.chart-key')?.offsetHeight > 0", "what the tones mean is told on a phone too")
    assert page.run("document.querySelector('.top').scrollWidth <= innerWidth"), "all of the top bar is in sight"
    low = page.run("[...document.querySelectorAll('main .btn, main .tab, main a.res, #query')].filter((at) => at.id === 'query' ? at.parentElement.offsetHeight < 44 : "
                   "at.offsetHeight < 44).map((at) => at.className + ' ' + at.innerText.slice(0, 20))")
    assert low == [], low
    page.size(1440, 900)


def case_server_gone():
    """A server that goes away is said so where the answer was, and asked again until it is back; live too."""
    page = show("/search?live=1", "Live: new traces come by themselves.")
    page.forgive(chromium.AWAY)
    rows = page.run(ROWS)
    SERVER.end()
    page.wait_text("Live has stopped: the server has not answered since")
    button(page, "7 days")
    page.wait_text("The server has not answered since")
    assert page.run(ROWS) == rows, "what was read stays"
    SERVER.start()
    page.wait("!document.body.innerText.includes('has not answered')", "it is asked again")
    page.wait_text("Live: new traces come by themselves.")


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
