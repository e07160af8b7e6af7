#!/usr/bin/env python3
"""services.py FILIGREE [CASE...]: the services' pages, the map and the store page in a real Chromium, over a real server with two
hours of a shop's traffic (shop.py). Skipped by name where Chromium is not installed. With PICTURES=FOLDER in the environment each
page is also pictured: 1440 and 390 px wide, light and dark.
"""
import json
import os
import subprocess
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import chromium  # noqa: E402
import harness  # noqa: E402
import shop  # noqa: E402
from harness import BINARY, Server, Skip  # noqa: E402
from stage import Stage  # noqa: E402

SERVER = Server(options=["--price", "0.10"])
STAGE = Stage(SERVER, lambda: send_all())
browser, show, pictures = STAGE.browser, STAGE.show, STAGE.pictures
HTML = {"Accept": "text/html"}
SERVICE = "/services/crm-api"


def send(body):
    status, _, answer = SERVER.send(body, "application/json")
    assert status == 200, (status, answer)


def send_all():
    for body in shop.minutes(time.time_ns()):
        send(body)


def count(selector):
    return f"document.querySelectorAll({json.dumps(selector)}).length"


def param(name):
    return f"new URLSearchParams(location.search).get({json.dumps(name)})"


def box_of(page, selector):
    box = page.run(f"(() => {{ const at = document.querySelector({json.dumps(selector)}); at.scrollIntoView({{block: 'center'}}); const b = at.getBoundingClientRect(); return [b.x, b.y, b.width, b.height] }})()")
    assert box, f"nothing to point at: {selector}"
    return box


def mouse(page, kind, x, y, buttons=0):
    page.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left" if kind != "mouseMoved" or buttons else "none", buttons=buttons, clickCount=1)


def press(page, x, y):
    mouse(page, "mouseMoved", x, y)
    mouse(page, "mousePressed", x, y, 1)
    mouse(page, "mouseReleased", x, y)


def drag(page, x1, x2, y):
    mouse(page, "mouseMoved", x1, y)
    mouse(page, "mousePressed", x1, y, 1)
    for step in range(1, 6):
        mouse(page, "mouseMoved", x1 + (x2 - x1) * step / 5, y, 1)
    mouse(page, "mouseReleased", x2, y)


# -- The list of services


def case_worst_first():
    """Each service stands with its usual and a state in words, the worst first; the line at the top counts them."""
    page = show("/services", "All services")
    page.wait(f"{count('.services-table tbody tr')} === 7", "seven services, the silent one too")
    page.wait_text("1 fails, 1 is silent, 2 are slow of 7 services")
    rows = page.run("[...document.querySelectorAll('.services-table tbody tr')].map((at) => at.innerText.replace(/\\s+/g, ' '))")
    assert rows[0].startswith("Failing") and "crm-api" in rows[0] and "usually 0" in rows[0], rows[0]
    assert rows[1].startswith("Silent") and "printer" in rows[1] and "nothing came" in rows[1], rows[1]
    assert rows[2].startswith("Slow") and "shop-api" in rows[2] and "the slowest twentieth takes" in rows[2], rows[2]
    assert all("usually" in row for row in rows), rows
    assert rows[-1].startswith("Well"), rows[-1]
    assert "Live · " in page.text()


def case_queues():
    """Each queue says what became of its messages: sent, waiting, taken, again, rejected, returned, and the time in it; the map's box says the same."""
    page = show("/services", "All services")
    page.wait(f"{count('.queues tbody tr')} === 2", "two queues")
    heads = page.run("[...document.querySelectorAll('.queues th')].map((one) => one.innerText)")
    assert heads == ["Queue", "Sent", "Waiting", "Taken", "Again", "Rejected", "Returned", "In queue p50", "In queue p95"], heads
    rows = page.run("[...document.querySelectorAll('.queues tbody tr')].map((row) => [...row.cells].map((cell) => cell.innerText.trim()))")
    told = {node["name"]: node["messages"] for node in json.loads(SERVER.get("/api/v1/map")[1])["nodes"] if node["messages"]}
    assert {row[0] for row in rows} == set(told) and all(int(row[1].replace(",", "")) > 10 for row in rows), (rows, told)
    assert all(one["waiting"] is not None and one["consumed"] > 10 for one in told.values()), told
    said = page.run("[...document.querySelectorAll('.whom a.node')].map((one) => one.getAttribute('aria-label')).filter((one) => one.includes('waiting:'))")
    assert len(said) == 2 and all("returned: 0" in one for one in said), said


def case_sorting():
    """A head sorts by its column, again the other way round; the address holds it, and a screen reader is told."""
    page = show("/services", "All services")
    page.wait(f"{count('.services-table tbody tr')} === 7", "the services")
    first = "document.querySelector('.services-table tbody .nm a')?.innerText"
    page.click(".services-table th:nth-of-type(2) .head-sort")
    page.wait(f"{first} === 'crm-api' && {param('sort')} === 'name'", "by name")
    page.click(".services-table th:nth-of-type(2) .head-sort")
    page.wait(f"{first} === 'shop-page' && {param('sort')} === '-name'", "backwards")
    assert page.run("document.querySelector('th[aria-sort]').getAttribute('aria-sort')") == "descending"
    page.reload()
    page.wait(f"{first} === 'shop-page'", "kept over a reload")
    page.run("[...document.querySelectorAll('.services-table .head-sort')].find((at) => at.innerText.startsWith('p99')).click()")
    page.wait(f"{first} === 'nightly'", "the slowest first")
    page.key("j")
    page.wait(f"document.activeElement.innerText === {first}", "j goes to the first row")
    page.key("j")
    page.wait("document.activeElement === document.querySelectorAll('.services-table .nm a')[1]", "and on")
    page.key("k")
    page.wait(f"document.activeElement.innerText === {first}", "k back")


def case_figures_lead_to_traces():
    """A click on a figure opens the traces that it counts."""
    worst = "document.querySelector('.services-table tbody tr')?.innerText.startsWith('Failing')"
    page = show("/services", "All services")
    page.wait(worst, "the worst first")
    page.click(".services-table tbody tr:first-child .c-errors a")
    page.wait("location.pathname === '/search'", "the search")
    assert page.run(param("q")) == 'service="crm-api" (kind:server or kind:consumer) status:error', page.run("location.search")
    page.wait("document.body.innerText.includes('newest first') || document.querySelectorAll('a.res').length > 0", "its traces")
    show("/services", "All services")
    page.wait(worst, "the worst first")
    page.click(".services-table tbody tr:first-child .c-p95 a")
    page.wait(f"/^service=\"crm-api\" .* duration>=\\d+ns$/.test({param('q')})", "slower ones")
    page.wait(f"{count('a.res')} > 0", "there are such traces")


def case_compare():
    """The usual may be that of a day or a week ago; where there was nothing it says so."""
    page = show("/services", "All services")
    page.run("(() => { const at = document.querySelector('.versus select'); at.value = 'day'; at.dispatchEvent(new Event('change', {bubbles: true})) })()")
    page.wait(f"{param('vs')} === 'day'", "in the address")
    page.wait_text("nothing to compare with yet")
    assert "printer" not in page.run("document.querySelector('.services-table').innerText")


def case_old_address():
    """An address of an older version leads to the service's page."""
    page = show("/services?service=crm-api&range=24h")
    page.wait("location.pathname === '/services/crm-api' && location.search === '?range=24h'", "the new address")


# -- The map


def case_map():
    """Services, and those that send no spans, with what they are; the arrows with rates; each a link with a name."""
    page = show("/services", "Who calls whom")
    page.wait(f"{count('.whom .node')} === 12", "twelve boxes")
    page.wait("[...document.querySelectorAll('.whom .node')].some((at) => at.getAttribute('aria-label').startsWith('crm-api, service, Failing'))", "with their states")
    names = page.run("[...document.querySelectorAll('.whom .node')].map((at) => at.getAttribute('aria-label')).sort()")
    for part in ("bank.example, outside, not watched", "mes.orders, queue, not watched", "models, object store, not watched",
                 "shop, database, not watched", "crm-api, service, Failing"):
        assert any(name.startswith(part) for name in names), (part, names)
    edges = page.run("[...document.querySelectorAll('.whom .call')].map((at) => at.getAttribute('aria-label'))")
    assert any(edge.startswith("crm-api calls mes.orders:") for edge in edges), edges
    assert any(edge.startswith("mes.orders calls mes-api:") and "in the queue" in edge for edge in edges), edges
    assert not any(edge.startswith("crm-api calls mes-api") for edge in edges), "what goes through a queue is drawn through it"
    assert page.run("document.querySelector('.node.is-unwatched .node-box').getBoundingClientRect().width") > 100
    assert page.run("getComputedStyle(document.querySelector('.node.is-unwatched .node-box')).strokeDasharray") != "none"
    pictures("services", "/services", "All services")


def case_map_leads_to_traces():
    """An arrow opens the traces of its calls, a box its service, a box that sends nothing the traces of its callers."""
    page = show("/services", "Who calls whom")
    page.wait(f"{count('.whom .call')} > 8", "arrows")
    page.run("[...document.querySelectorAll('.whom .call')].find((at) => at.getAttribute('aria-label').startsWith('shop-api calls crm-api')).querySelector('.edge-hit').dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true, button: 0}))")
    page.wait(f"location.pathname === '/search' && {param('q')} === 'service=\"shop-api\" name=\"POST crm-api\"'", "its traces")
    page.wait(f"{count('a.res')} > 0", "there are some")
    page.run("history.back()")
    page.wait(f"{count('.whom .node')} === 12", "back")
    page.run("[...document.querySelectorAll('.whom .node')].find((at) => at.getAttribute('aria-label').startsWith('bank.example')).dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true, button: 0}))")
    page.wait(f"{param('q')} === 'server.address=\"bank.example\"'", "the callers' traces")
    page.wait(f"{count('a.res')} > 0", "there are some")


def case_map_keys():
    """One stop for Tab; arrow keys go to what is nearest that way, Enter opens it."""
    page = show("/services", "Who calls whom")
    page.wait(f"{count('.whom .node')} === 12", "the map")
    assert page.run(count('.whom a[tabindex="0"]')) == 1
    page.run("[...document.querySelectorAll('.whom .node')].find((at) => at.getAttribute('aria-label').startsWith('shop-page')).focus()")
    where = "document.activeElement.getAttribute('aria-label')"
    page.key("ArrowRight", 39)
    page.wait(f"{where}.startsWith('shop-page calls shop-api')", "the arrow to its right")
    page.key("ArrowRight", 39)
    page.wait(f"{where}.startsWith('shop-api,')", "the box behind it")
    assert page.run(count('.whom a[tabindex="0"]')) == 1
    page.key("Enter", 13)
    page.wait("location.pathname === '/services/shop-api'", "its page")


def case_map_upright_and_table():
    """Under 1100 px the map stands upright and fits; as a table it has the same figures."""
    page = browser()
    for width in (1000, 390):
        page.size(width, 900)
        show("/services", "Who calls whom")
        page.wait(f"{count('.whom .node')} === 12", "the map")
        box = page.run("(() => { const b = document.querySelector('.whom').getBoundingClientRect(); return [b.width, b.height, document.documentElement.scrollWidth - innerWidth] })()")
        assert box[1] > box[0] * (0.6 if width == 1000 else 1) and box[0] <= width and box[2] <= 0, (width, box)
    page.size(1440, 900)
    show("/services", "Who calls whom")
    page.wait(f"{count('.whom .call')} > 8", "arrows")
    drawn = page.run(count(".whom .call"))
    page.run("[...document.querySelectorAll('.switch .btn')][1].click()")
    page.wait(f"{count('.edges tbody tr')} === {drawn} && {param('view')} === 'table'", "a row an arrow")
    assert "mes.orders queue, not watched" in page.text().replace("\t", " ").replace("\xa0", " ")


# -- One service


def case_service():
    """One service: its state in a sentence, charts with their usual, who calls it and whom it calls, operations."""
    page = show(SERVICE, "Operations")
    page.wait(f"{count('.over-time')} === 6", "rate, errors, p50, p95, p99, heat map")
    page.wait(f"{count('.ch-line.ch-usual')} === 5", "each with its usual")
    for part in ("Failing", "of its requests fail, usually 0", "Who calls it", "shop-api", "Whom it calls", "mes.orders", "POST /customers/orders", "SELECT customers"):
        page.wait_text(part)
    page.run("document.querySelector('.charts details').open = true")
    assert page.run(count(".charts details tbody tr")) in (60, 61, 62)
    pictures("service", SERVICE, "Operations")


def case_service_operation():
    """An operation narrows the charts to itself; the address holds it."""
    page = show(SERVICE, "Operations")
    page.wait("[...document.querySelectorAll('.operations .nm button')].some((at) => at.innerText === 'SELECT customers')", "its operations")
    page.run("[...document.querySelectorAll('.operations .nm button')].find((at) => at.innerText === 'SELECT customers').click()")
    page.wait(f"{param('op')} === 'SELECT customers' && document.querySelector('h1').innerText.includes('SELECT customers')", "its charts")
    page.wait_text("the slowest twentieth takes")
    page.run("[...document.querySelectorAll('.sum a')].find((at) => at.innerText === 'See its traces').click()")
    page.wait(f"{param('q')} === 'service=\"crm-api\" name=\"SELECT customers\"'", "its traces")


def case_chart_point():
    """A click on a point opens the traces of its minute, with the condition that the chart shows."""
    page = show(SERVICE, "Operations")
    page.wait(f"{count('.over-time')} === 6", "charts")
    x, y, width, height = box_of(page, ".over-time:nth-of-type(2) .ch-plot")
    press(page, x + width - 40, y + height / 2)
    page.wait("location.pathname === '/search'", "the search")
    query = page.run(param("q"))
    assert query == 'service="crm-api" (kind:server or kind:consumer) status:error', query
    times = page.run(f"[Date.parse({param('from')}), Date.parse({param('to')})]")
    assert times[1] - times[0] == 60000, times


def case_chart_drag():
    """A drag on a chart chooses its time, in the address; a button leads back to the present."""
    page = show(SERVICE, "Operations")
    page.wait(f"{count('.over-time')} === 6", "charts")
    x, y, width, height = box_of(page, ".over-time:nth-of-type(1) .ch-plot")
    drag(page, x + width / 2, x + width * 0.75, y + height / 2)
    page.wait(f"{param('from')} !== null && {param('to')} !== null", "the time in the address")
    length = page.run(f"Date.parse({param('to')}) - Date.parse({param('from')})")
    assert 10 * 60000 <= length <= 20 * 60000, length
    page.wait_text("A fixed time")
    page.reload()
    page.wait_text("A fixed time")
    page.run("[...document.querySelectorAll('.time-bar .btn')].find((at) => at.innerText === 'Back to now').click()")
    page.wait(f"{param('from')} === null && document.body.innerText.includes('Live · ')", "the present")


def case_chart_keys():
    """Arrow keys read a chart's points aloud, Shift chooses, Escape lets go, Enter opens."""
    page = show(SERVICE, "Operations")
    page.wait(f"{count('.over-time')} === 6", "charts")
    page.run("document.querySelector('.over-time .ch-plot').focus()")
    assert "from" in page.run("document.activeElement.getAttribute('aria-label')")
    page.key("End", 35)
    page.key("ArrowLeft", 37)
    page.wait("/^\\d\\d:\\d\\d: .*\\//.test(document.querySelector('.over-time [aria-live]').innerText)", "the point is read")
    page.call("Input.dispatchKeyEvent", type="keyDown", key="ArrowLeft", windowsVirtualKeyCode=37, modifiers=8)
    page.wait(f"{count('.ch-chosen')} === 1", "a time is chosen")
    page.key("Escape", 27)
    page.wait(f"{count('.ch-chosen')} === 0", "let go")
    page.key("End", 35)
    for _ in range(3):
        page.key("ArrowLeft", 37)
    page.key("Enter", 13)
    page.wait(f"location.pathname === '/search' && {param('from')} !== null", "its traces")


def case_heat_map():
    """A cell of the heat map opens the traces of its time and duration; the keys go from cell to cell."""
    page = show(SERVICE, "Operations")
    page.wait(f"{count('.heat-cell')} > 50", "cells")
    page.run("document.querySelector('.heat .ch-plot').focus()")
    page.key("Home", 36)
    page.key("ArrowRight", 39)
    page.wait("document.querySelector('.heat figcaption').innerText.includes('span')", "the fullest cell of the next minute is read")
    page.key("Enter", 13)
    page.wait(f"/duration>=\\d+ns duration<\\d+ns$/.test({param('q')})", "its traces")
    page.wait(f"{count('a.res')} > 0", "there are some")


def case_no_such_service():
    """A service that sent nothing is said so, its name as text, with a way on."""
    page = show("/services/" + urllib.parse.quote("<b>no\u202ebody</b>", safe=""), "sent spans in this time")
    assert page.run(count("main b b")) == 0
    page.run("[...document.querySelectorAll('main a')].find((at) => at.innerText === 'Look at 7 days').click()")
    page.wait("location.search === '?range=7d'", "a wider time")


def case_live():
    """What comes while one looks is counted without a reload, and the page stays where it is."""
    page = show("/services/newcomer?range=15m", "sent spans in this time")
    traffic = shop.Traffic(7)
    traffic.begin()
    traffic.span("newcomer", "hello", 2, None, time.time_ns() - 10**9, 5)
    send(traffic.take())
    page.wait(f"{count('.over-time')} === 6", "it appears by itself")


# -- The store


def case_store():
    """What fills the disk, how long it lasts, what it costs; what was refused, with its reason."""
    page = show("/store", "Stored")
    SERVER.send(b'{"resourceSpans":', "application/json")
    SERVER.send(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "0" * 32, "spanId": "0" * 15 + "1", "name": "x",
                                                                           "startTimeUnixNano": "1"}]}]}]}), "application/json")
    assert SERVER.request("POST", "/api/v1/admin/seal")[0] == 200
    page = show("/store", "What fills it, by service")
    for part in ("Well: ", "each is on the disk before it is acknowledged", "Free on the disk", "Kept", "for 30 d", "Costs a month", "What fills it, by attribute",
                 "shop-api", "span ids", "Refused, and why", "trace id is all zero", "bytes that are not what they say", "Work in the background",
                 "Waits to be merged", "OTLP/HTTP JSON"):
        page.wait(f"document.body.innerText.replaceAll('\\u00a0', ' ').includes({json.dumps(part)})", f"the page says {part}")
    page.wait(f"{count('.day-bar')} >= 1", "a bar a day")
    page.wait(f"{count('.over-time .ch-main')} === 1", "spans taken over time")
    page.run("(() => { const at = document.querySelector('.price input'); at.value = '250000'; at.dispatchEvent(new Event('change', {bubbles: true})) })()")
    page.wait(f"{param('price')} === '250000'", "the price in the address")
    page.wait("Number([...document.querySelectorAll('.figure')].find((at) => at.innerText.startsWith('Costs')).querySelector('.figure-value').innerText.replace(/,/g, '')) > 1", "and in the cost")
    pictures("store", "/store", "What fills it, by service")


def case_store_failed():
    """A store that failed says so aloud, and what still works; so do damage and a full disk."""
    page = browser()
    script = page.call("Page.addScriptToEvaluateOnNewDocument", source="""
        const real = window.fetch;
        window.fetch = async (path, ...rest) => {
          const answer = await real(path, ...rest);
          if (!String(path).startsWith('/api/v1/stats')) return answer;
          const body = await answer.json();
          return new Response(JSON.stringify({...body, state: 'failed', ready: new URLSearchParams(location.search).get('as') ?? 'failed',
            store: {...body.store, damaged_pages: 3}}), {status: 200});
        };""")["identifier"]
    show("/store", "A write to the disk failed: nothing more is taken until the server is started again.")
    assert "Damaged pages were met 3 times" in page.text()
    show("/store?as=no_space", "The disk is full: new spans are refused until there is room.")
    page.call("Page.removeScriptToEvaluateOnNewDocument", identifier=script)


def case_server_gone():
    """A server that goes away: what was read stays, the clock says since when; it goes on by itself when it is back."""
    page = show("/services", "All services")
    page.forgive(chromium.AWAY)
    SERVER.end()
    page.wait_text("The server has not answered since")
    page.wait_text("Not live since")
    assert "crm-api" in page.text(), "what was read stays"
    SERVER.start()
    page.wait("document.body.innerText.includes('Live · ') && !document.body.innerText.includes('has not answered')", "it is live again", 60)


# -- For everyone


def case_focus_is_seen():
    """Every stop of Tab shows where it is: a ring that is there, in a colour that differs from the ground."""
    page = show("/services", "All services")
    page.wait(f"{count('.whom .node')} >= 12", "the map")
    seen = set()
    for _ in range(30):
        page.key("Tab", 9)
        look = page.run("(() => { const at = document.activeElement; if (!at || at === document.body) return null; const style = getComputedStyle(at); "
                        "const box = at.querySelector?.('.node-box, .edge-line'); const own = box ? parseFloat(getComputedStyle(box).strokeWidth) : 0; "
                        "return [at.tagName + ' ' + (at.className.baseVal ?? at.className) + ' ' + (at.textContent ?? '').slice(0, 20), style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 || own >= 2.5] })()")
        if look:
            seen.add(look[0])
            assert look[1], look
    assert len(seen) > 10, seen


def case_width():
    """No page scrolls sideways, from 390 to 2560 px."""
    page = browser()
    for width in (390, 720, 1100, 1440, 2560):
        page.size(width, 900)
        for path, ready in (("/services", "All services"), ("/services?view=table", "All services"), (SERVICE, "Operations"), ("/store", "Work in the background")):
            show(path, ready)
            over = page.run("document.documentElement.scrollWidth - innerWidth")
            assert over <= 0, f"{path} at {width}: {over} px over"
    page.size(1440, 900)


def case_russian():
    """Every page speaks Russian, to the last word of the catalogue."""
    page = show("/services", "All services")
    STAGE.language("ru")
    page.wait_text("Все сервисы")
    for path, ready in (("/services", "сначала худшие"), (SERVICE, "Кто его вызывает"), ("/store", "Работа в фоне")):
        show(path, ready)
        page.size(390, 844)
        assert page.run("document.documentElement.scrollWidth - innerWidth") <= 0, path
        page.size(1440, 900)
    STAGE.language("en")
    page.wait_text("Work in the background")


def case_order_is_held():
    """While the pointer is on the table no row moves from under it, whatever comes."""
    page = show("/services?sort=rate", "All services")
    page.wait(f"{count('.services-table tbody tr')} >= 7", "rows")
    order = "[...document.querySelectorAll('.services-table tbody .nm a')].map((at) => at.innerText).join()"
    rate = "[...document.querySelectorAll('.services-table tbody tr')].find((at) => at.innerText.includes('nightly')).querySelector('.c-rate a').innerText.split('/')[1]"
    x, y, width, _ = box_of(page, ".services-table tbody tr:last-child")
    mouse(page, "mouseMoved", x + width / 2, y + 10)
    before, rate_before = page.run(order), page.run(rate)
    traffic = shop.Traffic(8)
    traffic.begin()
    for number in range(3000):
        traffic.span("nightly", "count stock", 2, None, time.time_ns() - 10**9 - number, 5)
    send(traffic.take())
    page.wait(f"{rate} !== {json.dumps(rate_before)}", "the new figures are there")
    after = page.run(order)
    assert after.split(",")[:len(before.split(","))] == before.split(","), (before, after)
    mouse(page, "mouseMoved", 5, 5)
    page.wait(f"{order}.startsWith('nightly')", "sorted again")


def case_large_map():
    """Of a map of thousands of calls the busiest are drawn, and that is said; the table has all."""
    browser()
    traffic = shop.Traffic(9)
    for number in range(400):
        traffic.begin()
        call = traffic.span(f"caller-{number % 20}", "call", 3, None, time.time_ns() - 2 * 10**9, 20)
        traffic.span(f"taker-{number // 20}", "take", 2, call, time.time_ns() - 2 * 10**9, 10)
    send(traffic.take())
    page = show("/services?range=15m", "Who calls whom")
    page.wait_text("arrows: those with errors and those with the most calls.")
    page.wait(f"{count('.whom .call')} === 60", "sixty arrows")
    assert page.run("document.documentElement.scrollWidth - innerWidth") <= 0
    page.run("[...document.querySelectorAll('.switch .btn')][1].click()")
    page.wait(f"{count('.edges tbody tr')} > 400", "a row for each")


def case_catalogue():
    """Both languages have every message, of the same kind; Russian ones are written in Russian. The parser, verdicts and checks speak English themselves."""
    build = os.path.join(os.path.dirname(os.path.abspath(BINARY)), "ui", "packages")
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "ui", "src", "words.ts")
    if not os.path.exists(os.path.join(build, "node_modules", "esbuild")):
        raise Skip("the pages' packages are not there")
    bundle = subprocess.run(["node", os.path.join(build, "node_modules", "esbuild", "bin", "esbuild"), source, "--bundle", "--format=cjs", "--platform=node"],
                            capture_output=True, text=True, check=True).stdout
    script = bundle + """
        const of = (language) => { const hold = {exports: {}}; Object.defineProperty(globalThis, 'navigator', {value: {language}, configurable: true});
          globalThis.localStorage = {getItem: () => null}; new Function('module', 'exports', 'require', text)(hold, hold.exports, require); return hold.exports.words };
    """
    script = "const text = " + json.dumps(bundle) + ";" + script[len(bundle):] + """
        const en = of('en'), ru = of('ru'), wrong = [];
        const said = (one) => typeof one === 'function' ? one(...Array.from({length: one.length}, (_, i) => '\\u0001' + i)) : String(Array.isArray(one) ? one.join(' ') : typeof one === 'object' ? Object.values(one).join(' ') : one);
        for (const name of new Set([...Object.keys(en), ...Object.keys(ru)])) {
          const a = en[name], b = ru[name];
          if (a === undefined || b === undefined) wrong.push(name + ' is missing');
          else if (typeof a !== typeof b || Array.isArray(a) && a.length !== b.length && !['parserSays', 'verdictTexts', 'findingForms'].includes(name)) wrong.push(name + ' differs in kind');
          else if (said(a) === said(b) && /[a-z]{4}/i.test(said(a).replace(/\\u0001\\d/g, '')) && !/[:>=]/.test(said(a))) wrong.push(name + ' is not translated: ' + said(a));
          else if (said(b) === '') wrong.push(name + ' is empty');
        }
        console.log(JSON.stringify([Object.keys(en).length, wrong]));
    """
    done = subprocess.run(["node", "-"], input=script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    total, wrong = json.loads(done.stdout)
    assert total > 250 and not wrong, (total, wrong)


def case_size():
    """All that a browser loads is under 200 KB compressed."""
    browser()
    total = sum(len(SERVER.request("GET", path, headers={**HTML, "Accept-Encoding": "gzip"})[2]) for path in ("/store", "/app.js", "/app.css"))
    assert 10000 < total < 200000, total
    print(f"# {total} bytes compressed", flush=True)


def case_console():
    """No error in the console, nothing that the policy stopped, no other host asked; a script from elsewhere would be stopped."""
    page = show("/services", "All services")
    assert page.complaints == [], page.complaints
    assert page.hosts == {f"127.0.0.1:{SERVER.api}"}, page.hosts
    page.run("(() => { const one = document.createElement('script'); one.src = 'https://elsewhere.example/x.js'; document.head.append(one); "
             "const two = document.createElement('img'); two.src = 'https://elsewhere.example/x.png'; document.body.append(two); const three = document.createElement('style'); "
             "three.textContent = 'body{display:none}'; document.head.append(three) })()")
    page.wait("getComputedStyle(document.body).display !== 'none'", "a style of somebody else is not used")
    harness.wait_until(lambda: page.run("true") and len([one for one in page.complaints if "Content Security Policy" in one]) >= 3, "the policy complains")
    assert page.hosts == {f"127.0.0.1:{SERVER.api}"} or not any("elsewhere" in host for host in page.hosts - {"elsewhere.example"}), page.hosts


def finish(status):
    STAGE.close()
    SERVER.__exit__()
    sys.exit(status)


if __name__ == "__main__":
    finish(harness.main(globals()))
