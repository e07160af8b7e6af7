#!/usr/bin/env python3
"""trace.py FILIGREE [CASE...]: the trace page in a real Chromium, over a real server with real spans.

Skipped by name where Chromium is not installed, or where the server was built without the pages. With PICTURES=FOLDER
in the environment each view is also pictured: 1440 and 390 px wide, light and dark.
"""
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import axe  # noqa: E402
import harness  # noqa: E402
from harness import Server  # noqa: E402
from spans import price_request, send, span  # noqa: E402
from stage import Stage  # noqa: E402

SERVER = Server()
STAGE = Stage(SERVER, lambda: send_all())
browser, pictures = STAGE.browser, STAGE.pictures
PRICE, WELL, SLOW, SKEWED, ODD, DEEP, BIG, LATE, OPEN, RETRY = (harness.new_trace_id() for _ in range(10))
BIG_SPANS = 20000
HTML = {"Accept": "text/html"}
ROWS = "document.querySelectorAll('[role=treeitem]').length"
SPAN = "new URLSearchParams(location.search).get('span')"


def param(name):
    return f"new URLSearchParams(location.search).get('{name}')"


def show(path, rows=None):
    page = browser()
    page.open(f"http://127.0.0.1:{SERVER.api}{path}")
    if rows:
        page.wait(f"{ROWS} === {rows}", f"{rows} rows")
    return page


def row_text(span_id):
    """What the row of a span says; its place in the view's order is its element's."""
    return f"[...document.querySelectorAll('.r')].find((at) => at.innerText.includes({json.dumps(span_id)}))"


def send_all():
    now = time.time_ns() - 3600 * 10**9
    send(SERVER, price_request(PRICE, now, link=WELL))
    send(SERVER, price_request(WELL, now - 60 * 10**9, fails=False))
    send(SERVER, {**price_request(SLOW, now - 90 * 10**9, fails=False, slow=1.1), "audit": [span(SLOW, 40, 1, "audit.write", 10, 40, now - 90 * 10**9)]})
    # b's clock is 1 s ahead.
    send(SERVER, {"a": [span(SKEWED, 1, 0, "call", 0, 400, now, kind=2), span(SKEWED, 2, 1, "request", 10, 300, now, kind=3)],
                  "b": [span(SKEWED, 3, 2, "answer", 1050, 200, now, kind=2)]})
    # Two roots, an orphan, parents in a circle, right-to-left text, markup, controls, a long value.
    send(SERVER, {"odd": [span(ODD, 1, 0, "first root", 0, 10, now), span(ODD, 2, 0, "second root", 1, 10, now), span(ODD, 3, 99, "orphan", 2, 5, now),
                          span(ODD, 4, 5, "circle a", 3, 5, now), span(ODD, 5, 4, "circle b", 3, 4, now),
                          span(ODD, 6, 1, "<img src=x onerror=document.title='broken'>\u202egnihton\x07", 1, 2, now, {"long": "ab" * 500000, "html": "<b>bold</b>"}),
                          span(ODD, 7, 1, "טבעת זהב", 2, 2, now), span(ODD, 8, 1, "n" * 5000, 3, 2, now)]})
    send(SERVER, {"deep": [span(DEEP, i, i - 1, f"level {i}", i / 100, 500 - i / 100, now) for i in range(1, 3001)]})
    send(SERVER, {"batch": [span(BIG, 1, 0, "batch.run", 0, BIG_SPANS / 10, now)] +
                  [span(BIG, i, max(1, i // 8), f"step {i}", i / 10, 0.4, now, error="broke" if i in (777, 15000) else None) for i in range(2, BIG_SPANS + 1)]})
    # The first try fails and is taken care of; the last failure reaches the root.
    send(SERVER, {"a": [span(RETRY, 1, 0, "GET /", 0, 100, now, error="gave up", kind=2), span(RETRY, 2, 1, "try 1", 0, 10, now),
                        span(RETRY, 3, 2, "swallowed", 1, 5, now, error="refused"), span(RETRY, 4, 1, "try 2", 20, 40, now, error="failed"),
                        span(RETRY, 5, 4, "connect", 25, 30, now, error="timed out after 30 s")]})


# -- Cases


def case_waterfall():
    """Rows are a tree; what waited, what never ended, the first cause and the critical path are drawn and said."""
    page = show(f"/trace/{PRICE}", 20)
    page.wait_text("killed by SIGKILL")
    text = page.text().replace("\u00a0", " ").replace("\u202f", " ")
    for part in ("crm-api: POST /prices/request", "20 spans", "5 services", "First cause", "volume.integrate in mes-api never ended: its process died (killed by SIGKILL).",
                 "The 2 spans above it failed after it.", "7.19 s in the queue", "in queues 7.19 s", "Rows: 20, all shown"):
        assert part in text, (part, text)
    levels = page.run("[...document.querySelectorAll('[role=treeitem]')].map((at) => at.getAttribute('aria-level')).join('')")
    assert levels == "12323234454545554"[:0] + levels and levels.startswith("123"), levels
    queue = page.run(f"getComputedStyle({row_text('mes.orders process')}.querySelector('.b.q')).backgroundImage")
    assert "repeating-linear-gradient" in queue, queue
    assert page.run(f"{row_text('volume.integrate')}.querySelector('.b.ragged') !== null"), "a ragged end"
    assert page.run("document.querySelectorAll('.crit').length") > 5 and page.run(f"{row_text('mesh.load')}.querySelector('.crit') !== null")
    assert not page.run(f"{row_text('order.mark')}.querySelector('.crit')"), "not on the path"
    roots = page.run("[...document.querySelectorAll('[aria-level=\"2\"]')].map((at) => `${at.ariaPosInSet}/${at.ariaSetSize}`).join(' ')")
    assert roots == "1/5 2/5 3/5 4/5 5/5", roots
    pictures("trace", f"/trace/{PRICE}?span={18:016x}", "memory.used")


def case_panel():
    """The panel has everything that was sent; a value leads to its search, a link to its trace, a copy to the clipboard."""
    page = show(f"/trace/{PRICE}", 20)
    page.click(".cause .as-link")
    page.wait_text("memory.used")
    assert page.run(SPAN) == f"{18:016x}"
    text = page.run("document.querySelector('.det').innerText")
    for part in ("ORD-104711", "509607936", "memory", "1970000000", "host.name", "mes-2", "pages 1", "killed by SIGKILL", "price.calculate"):
        assert part in text, (part, text)
    page.run("window.copied = []; navigator.clipboard.writeText = (text) => { copied.push(text); return Promise.resolve(); }")
    for label in ("Copy link", "Copy as JSON"):
        page.run(f"[...document.querySelectorAll('.acts .as-link')].find((at) => at.innerText === '{label}').click()")
    page.wait("copied.length === 2", "both are copied")
    assert page.run("copied[0]").endswith(f"/trace/{PRICE}?span={18:016x}")
    assert json.loads(page.run("copied[1]"))["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["name"] == "volume.integrate"
    page.run("[...document.querySelectorAll('.det dt')].find((at) => at.innerText === 'model.key').nextElementSibling.querySelector('a').click()")
    page.wait(f"{param('q')} === 'model.key=\"ring-0931-v2.stl\"'", "the query of the value")
    page = show(f"/trace/{PRICE}?span={1:016x}", 20)
    page.wait_text(WELL)
    page.click(".det .event a.id")
    page.wait(f"location.pathname === '/trace/{WELL}' && {SPAN} === '{1:016x}'", "the linked trace and its span")


def case_keys():
    """All of the waterfall is reached by keys, the focus goes along, and the address keeps what was done."""
    page = show(f"/trace/{PRICE}", 20)
    page.key("j")
    page.wait(f"{SPAN} === '{1:016x}' && document.activeElement.getAttribute('aria-selected') === 'true'", "j chooses the first, with the focus")
    page.key("ArrowDown", 40)
    page.wait(f"{SPAN} === '{2:016x}' && document.activeElement.innerText.includes('order.load')", "down")
    page.key("k")
    page.wait(f"{SPAN} === '{1:016x}'", "k")
    page.key("ArrowLeft", 37)
    page.wait(f"{ROWS} === 1", "closed")
    page.reload()
    page.wait(f"{ROWS} === 1", "closed after a reload")
    page.key("ArrowRight", 39)
    page.wait(f"{ROWS} === 20", "open")
    page.key("e")
    page.wait(f"{SPAN} === '{8:016x}'", "the next broken one")
    page.key("E")
    page.wait(f"{SPAN} === '{18:016x}'", "the one before, round")
    page.key("End", 35)
    page.wait(f"{SPAN} === '{21:016x}'", "End")
    page.key("Home", 36)
    page.wait(f"{SPAN} === '{1:016x}'", "Home")
    walked = []
    for _ in range(20):
        before = page.run(SPAN)
        page.key("c")
        page.wait(f"{SPAN} !== '{before}'", "c goes to the next one of the path")
        walked.append(int(page.run(SPAN), 16))
        if walked[-1] == 1:
            break
    assert walked[-1] == 1 and 16 in walked and 18 in walked and 19 not in walked, walked
    page.key("C")
    page.wait(f"{SPAN} === '{walked[-2]:016x}'", "C goes back")
    page.key("z")
    page.wait(f"/^\\d+-\\d+$/.test({param('zoom')})", "z zooms to the span")
    page.key("z")
    page.wait(f"{param('zoom')} === null", "and back")
    page.key("+")
    page.wait(f"{param('zoom')} !== null", "+ zooms in")
    page.key(".")
    page.key("Z")
    page.wait(f"{param('zoom')} === null", "Z shows all")
    page.key("Escape", 27)
    page.wait(f"{SPAN} === null && document.querySelector('.det') === null", "Escape closes the panel")
    for view in ("flame", "table", "compare"):
        page.key("]")
        page.wait(f"{param('view')} === '{view}'", view)
    page.key("]")
    page.wait(f"{param('view')} === null", "round to the waterfall")
    page.key("[")
    page.wait(f"{param('view')} === 'compare'", "and back")
    page.key("g")
    page.key("n")
    page.wait("location.pathname === '/'", "g n leaves")


def case_folding():
    """Close all, open all, the triangles, and a chosen span that opens what hides it."""
    page = show(f"/trace/{PRICE}", 20)
    page.click(".folds .as-link:nth-child(2)")
    page.wait(f"{ROWS} === 1 && location.search === '?closed=all'", "all closed")
    assert "+19" in page.text() and "Rows: 1 of 20" in page.text()
    assert page.run("document.querySelector('.r .nm .broken.small').innerText").strip().startswith("3"), "failures that are folded away are counted"
    page.click(".tw")
    page.wait(f"{ROWS} === 6", "the root is open, what is below it closed")
    page.key("e")
    page.wait(f"{SPAN} === '{18:016x}' && document.querySelector('[aria-selected=true]') !== null", "the first cause is chosen and shown")
    page.click(".folds .as-link:nth-child(1)")
    page.wait(f"{ROWS} === 20 && {param('closed')} === null", "all open")


def drag(page, selector, from_part, to_part):
    box = page.run(f"(() => {{ const {{left, top, width, height}} = document.querySelector('{selector}').getBoundingClientRect(); return [left, top, width, height] }})()")
    y = box[1] + box[3] / 2
    for kind, part in (("mousePressed", from_part), ("mouseMoved", (from_part + to_part) / 2), ("mouseMoved", to_part), ("mouseReleased", to_part)):
        page.call("Input.dispatchMouseEvent", type=kind, x=box[0] + part * box[2], y=y, button="left", buttons=0 if kind == "mouseReleased" else 1, clickCount=1)


def case_minimap():
    """Dragging over the map zooms, its edges move by mouse and keys, a double click shows all; the canvas has the trace."""
    page = show(f"/trace/{PRICE}", 20)
    inked = page.run("""(() => { const at = document.querySelector('.map canvas');
        return at.getContext('2d').getImageData(0, 0, at.width, at.height).data.filter((one, i) => i % 4 === 3 && one > 0).length })()""")
    assert inked > 500, inked
    drag(page, ".map", 0.4, 0.6)
    page.wait(f"{param('zoom')} !== null", "zoomed")
    begin, end = (int(part) for part in page.run(param("zoom")).split("-"))
    assert 6.9e9 < begin < 7.6e9 and 10.4e9 < end < 11.3e9, (begin, end)
    assert page.run("[...document.querySelectorAll('.axis i')].every((at) => !at.innerText.startsWith('0'))"), "the axis follows"
    page.reload()
    page.wait("Number(document.querySelector('.map .edge.from')?.getAttribute('aria-valuenow')) > 0", "zoomed after a reload")
    page.run("document.querySelector('.map .edge.from').focus()")
    page.key("ArrowLeft", 37)
    page.wait(f"Number({param('zoom')}.split('-')[0]) < {begin}", "the begin moved by a key")
    assert page.run(param("span")) is None, "the key was the slider's"
    drag(page, ".map .edge.to", 0.5, 40)
    page.wait(f"Number({param('zoom')}.split('-')[1]) > {end}", "the end moved by the mouse")
    page.click(".whole")
    page.wait(f"{param('zoom')} === null", "the whole trace")


def case_find():
    """Names are found at once, values too; matches are marked, counted and walked."""
    page = show(f"/trace/{PRICE}", 20)
    page.key("f")
    page.wait("document.activeElement.id === 'find'", "f goes to the line")
    page.type("RING-0931")
    page.wait(f"{param('find')} === 'RING-0931'", "it is in the address")
    page.wait("document.querySelectorAll('.r.hit').length === 4", "two names and two values")
    page.key("Enter", 13)
    page.wait(f"{SPAN} === '{1:016x}'", "Enter goes to the first")
    page.wait("document.querySelector('.find .small').innerText === '1 of 4'", "which of how many")
    page.run("document.activeElement.blur()")
    page.key("n")
    page.wait(f"{SPAN} === '{5:016x}'", "n")
    page.key("N")
    page.wait(f"{SPAN} === '{1:016x}'", "N")
    page.click(".find .square:last-of-type")
    page.wait(f"{SPAN} === '{5:016x}'", "the button")
    page = show(f"/trace/{PRICE}?find=nowhere-to-be-found", 20)
    page.wait("document.querySelector('.find .small')?.innerText === 'none'", "none is said")
    page.key("Escape", 27)
    page.wait(f"{param('find')} === null", "Escape clears it")


def case_clocks():
    """A host whose clock is off is drawn where it belongs, said, and shown as sent on demand."""
    page = show(f"/trace/{SKEWED}", 3)
    page.wait_text("clocks adjusted by up to 990\u00a0ms")
    left = f"parseFloat({row_text('answer')}.querySelector('.b').style.left)"
    adjusted = page.run(left)
    page.key("r")
    page.wait(f"{param('clock')} === 'raw' && {left} > 80", "as sent it lies outside")
    assert adjusted < 40, adjusted
    page.click(".tools .end .as-link")
    page.wait(f"{param('clock')} === null && {left} < 40", "adjusted again")
    page = show(f"/trace/{SKEWED}?span={3:016x}", 3)
    page.wait_text("moved by −990\u00a0ms")


def case_flame():
    """Boxes are ways from the root; a click widens, keys move, and a box leads to its longest span."""
    page = show(f"/trace/{PRICE}?view=flame")
    page.wait("document.querySelectorAll('.box').length > 8", "boxes")
    names = page.run("[...document.querySelectorAll('.box')].map((at) => at.innerText.split('\\n')[0])")
    assert any("mesh.load" in name for name in names), names
    # A box is as wide as its share of the whole, and no wider: that is what the picture says.
    wide = page.run("(() => { const all = document.querySelector('.boxes').clientWidth; return [...document.querySelectorAll('.boxes .box')].map((at) => [at.getBoundingClientRect().width / all, parseFloat(at.style.width.slice(5)) / 100]); })()")
    assert max(share for share, _ in wide) > 0.99 and all(abs(share - meant) < 0.01 for share, meant in wide), wide
    page.run("[...document.querySelectorAll('.box')].find((at) => at.innerText.includes('model.fetch')).click()")
    page.wait(f"{param('at')} === '{12:016x}'", "it is in the address")
    page.wait("[...document.querySelectorAll('.box')].every((at) => !at.innerText.includes('mesh.load'))", "others are gone")
    page.run("[...document.querySelectorAll('.box')].find((at) => at.innerText.includes('model.fetch')).focus()")
    page.key("ArrowDown", 40)
    page.wait("document.activeElement.className.startsWith('box') && document.activeElement.innerText.includes('GET ring')", "down")
    page.wait("document.querySelector('.told').innerText.includes('GET ring')", "told in words")
    page.key("Escape", 27)
    page.wait(f"{param('at')} === null", "Escape")
    page.run("[...document.querySelectorAll('.told a')].find((at) => at.innerText === 'To the longest span').click()")
    page.wait(f"{SPAN} !== null && {param('view')} === null", "the span in the waterfall")
    page.size(390, 844)
    show(f"/trace/{PRICE}?view=flame")
    page.wait("document.querySelector('.boxes .rest') !== null && document.querySelector('.box[tabindex=\"0\"]') !== null", "with a rest too a box takes the focus")
    assert page.run("document.querySelector('.told').innerText").startswith("POST /prices/request")
    page.size(1440, 900)
    pictures("trace-flame", f"/trace/{PRICE}?view=flame", "mesh.load")


def case_table():
    """Counts, times and errors by operation and by service; heads sort, cells lead to spans."""
    page = show(f"/trace/{BIG}?view=table&by=service")
    page.wait_text("20,000")
    page = show(f"/trace/{PRICE}?view=table")
    page.wait("document.querySelectorAll('.ops tbody tr').length === 20", "20 operations")
    first = "document.querySelector('.ops tbody tr').innerText"
    assert page.run(first).startswith("GET ring-0931-v2.stl"), page.run(first)
    page.run("[...document.querySelectorAll('.sort')].find((at) => at.innerText.startsWith('Total')).click()")
    page.wait(f"{param('sort')} === 'total' && {first}.startsWith('mes.orders process')", "by total")
    page.run("[...document.querySelectorAll('.sort')].find((at) => at.innerText.startsWith('Total')).click()")
    page.wait(f"{param('sort')} === '-total' && {first}.startsWith('message.decode')", "the smallest first")
    assert page.run("document.querySelector('th[aria-sort=ascending]').innerText").startswith("Total")
    page.run("[...document.querySelectorAll('.ops .btn')].find((at) => at.innerText === 'By service').click()")
    page.wait("document.querySelectorAll('.ops tbody tr').length === 5", "five services")
    page.click(".ops td a.broken")
    page.wait(f"{SPAN} === '{8:016x}'", "the first error")
    pictures("trace-table", f"/trace/{PRICE}?view=table", "mesh.load")


def case_compare():
    """Another trace is chosen by a click or by its id; counts and durations of both, what is only in one, and swapped."""
    page = show(f"/trace/{PRICE}?view=compare")
    page.wait("document.querySelectorAll('.others li').length === 2", "two others began the same way")
    page.run("document.querySelector('.others input').focus()")
    page.type(SLOW)
    page.key("Enter", 13)
    page.wait(f"{param('with')} === '{SLOW}'", "chosen by id")
    page.wait("document.querySelectorAll('.diff tbody tr').length === 21", "21 ways")
    assert "Ways only in the other: 1, only in this one: 0." in page.text(), page.text()
    row = page.run("[...document.querySelectorAll('.diff tbody tr')].find((at) => at.innerText.includes('mesh.load')).innerText.replaceAll('\\u00a0', ' ')")
    assert "2.17 s" in row and "2.39 s" in row and "+217 ms" in row, row
    page.run("[...document.querySelectorAll('.cmp .btn')].find((at) => at.innerText === 'Only what changed').click()")
    page.wait("document.querySelectorAll('.diff tbody tr').length < 10", "only changed ones")
    page.run("[...document.querySelectorAll('.cmp .btn')].find((at) => at.innerText === 'Side by side').click()")
    page.wait(f"{param('diff')} === 'sides' && document.querySelectorAll('.diff .o-side .b').length > 5", "side by side")
    page.run("[...document.querySelectorAll('.pair a')].find((at) => at.innerText === 'swap').click()")
    page.wait(f"location.pathname === '/trace/{SLOW}' && {param('with')} === '{PRICE}'", "swapped")
    page.wait_text("Ways only in the other: 0, only in this one: 1.")
    pictures("trace-compare", f"/trace/{PRICE}?view=compare&with={SLOW}", "audit.write")


def case_compare_keys():
    """The comparison by keys alone: chosen, walked by rows, sides, changes and errors, turned, swapped, left; the help lists them."""
    page = show(f"/trace/{PRICE}", 20)
    page.key("d")
    page.wait("document.querySelectorAll('.others li').length === 2", "d compares; two others began the same way")
    page.run("document.activeElement.blur()")
    page.key("j")
    page.key("j")
    page.wait("document.activeElement === document.querySelectorAll('.others li button')[1]", "j goes down the list of others")
    page.key("k")
    for _ in range(2):
        if page.run("document.activeElement.closest('li').innerText.replaceAll('\\u00a0', ' ').includes('20 spans')"):
            page.key("j")
    page.key("Enter", 13)
    page.wait(f"{param('with')} === '{SLOW}' && document.querySelectorAll('.diff tbody tr').length === 21", "Enter takes it")
    page.wait("document.activeElement.closest('.diff tbody tr')?.rowIndex === 1", "the focus is in the first row")
    at = "document.activeElement.closest('tr').rowIndex"
    page.key("ArrowDown", 40)
    page.wait(f"{at} === 2 && document.activeElement.dataset.side === '0'", "arrows go along")
    page.key("ArrowRight", 39)
    page.wait(f"{at} === 2 && document.activeElement.dataset.side === '1'", "and over to the other trace")
    page.key("End", 35)
    page.wait(f"{at} === 21", "End: the last row")
    page.key("Home", 36)
    page.key("n")
    page.wait("document.activeElement.closest('tr').matches('.is-changed')", "n: what changed")
    assert "audit.write" in page.run("document.activeElement.closest('tr').innerText")
    page.key("Home", 36)
    page.key("e")
    page.wait("document.activeElement.closest('tr').querySelector('.broken') !== null", "e: what failed")
    page.key("m")
    page.wait(f"{param('diff')} === 'sides'", "m: side by side")
    page.key("u")
    page.wait("document.querySelectorAll('.diff tbody tr').length < 10", "u: only what changed")
    page.key("u")
    page.key("x")
    page.wait(f"location.pathname === '/trace/{SLOW}' && {param('with')} === '{PRICE}'", "x: swapped")
    page.wait("document.querySelectorAll('.diff tbody tr').length === 21", "the rows")
    page.run("document.activeElement.blur()")
    page.key("o")
    page.wait("document.activeElement.matches('.others[open] li button')", "o: another one")
    page.key("?")
    page.wait("document.querySelector('dialog[open]')?.innerText.includes('Comparing traces')", "the help lists them")
    page.key("Escape", 27)
    # Not only closed: the focus goes back where it was when the dialog has left the document, a task later.
    page.wait("document.querySelector('dialog') === null", "the help is gone")
    page.run("document.activeElement.blur()")
    page.key("Escape", 27)
    page.wait(f"{param('with')} === null", "Escape: without the other")
    page.wait("document.querySelectorAll('.others li').length === 2", "the list")
    page.key("Escape", 27)
    page.wait("document.querySelector('[role=tree]') !== null", "and back to the waterfall")
    show(f"/trace/{PRICE}?view=compare&with={SLOW}").wait("document.querySelectorAll('.diff tbody tr').length === 21", "the rows")
    page.run("document.activeElement.blur()")
    page.key("j")
    page.key("ArrowRight", 39)
    page.key("Enter", 13)
    page.wait(f"location.pathname === '/trace/{SLOW}' && {param('span')} !== null", "Enter opens the span in its trace")


def case_export():
    """The menu opens and closes by keys, and its files are what they say."""
    page = show(f"/trace/{PRICE}", 20)
    page.click(".menu summary")
    links = page.run("[...document.querySelectorAll('.menu a')].map((at) => [at.getAttribute('href'), at.download])")
    assert links == [[f"/api/v1/traces/{PRICE}", f"trace-{PRICE}.otlp.json"], [f"/api/traces/{PRICE}", f"trace-{PRICE}.jaeger.json"]], links
    assert len(harness.spans_of(json.loads(SERVER.get(links[0][0])[1]))) == 20
    assert len(json.loads(SERVER.get(links[1][0])[1])["data"][0]["spans"]) == 20
    page.run("document.querySelector('.menu a').focus()")
    page.key("Escape", 27)
    page.wait("!document.querySelector('.menu').open && document.activeElement.tagName === 'SUMMARY'", "Escape closes it, the focus is back")


def case_first_cause():
    """An error that was taken care of is not the first cause; the one that reached the root is, with its words."""
    page = show(f"/trace/{RETRY}", 5)
    page.wait_text("connect in a: timed out after 30 s")


def case_odd():
    """Several roots, orphans, circles, markup, controls, right-to-left text and long values are all shown as they are."""
    page = show(f"/trace/{ODD}", 8)
    text = page.text()
    for part in ("2 roots.", "orphan", "its parent has not come", "circle a", "circle b", "<img src=x", "⟨U+202E⟩", "\u2407", "טבעת זהב"):
        assert part in text, (part, text)
    assert page.run("document.title") != "broken" and page.run("document.images.length") == 0
    page = show(f"/trace/{ODD}?span={6:016x}", 8)
    page.wait_text("show all")
    assert len(page.text()) < 8000
    page.wait("[...document.querySelectorAll('.det .as-link')].some((at) => at.innerText === 'show all')", "the span's own values are there")
    page.run("[...document.querySelectorAll('.det .as-link')].find((at) => at.innerText === 'show all').click()")
    page.wait("document.body.innerText.length > 60000", "all of it is shown")
    page = show(f"/trace/{DEEP}?span={3000:016x}")
    page.wait("document.querySelector('[aria-selected=true]')?.innerText.includes('level 3000')", "3 000 levels")
    assert page.run("document.documentElement.scrollWidth - innerWidth") <= 0


def case_big():
    """Of 20 000 spans only rows in sight are in the document, and their elements are used again; errors and a deep link are found."""
    page = show(f"/trace/{BIG}")
    page.wait_text("20,000 spans")
    assert 20 < page.run(ROWS) < 120, page.run(ROWS)
    in_sight = "[...document.querySelectorAll('.r')].filter((at) => { const { top } = at.getBoundingClientRect(); return top > 120 && top < innerHeight; })"
    page.run("scrollTo(0, 2000)")
    page.wait(f"{ROWS} >= 50", "rows above and below, too")
    page.run("document.querySelectorAll('.r').forEach((at) => { at.isOld = true; })")
    page.run("scrollTo(0, 2400)")
    page.wait(f"{in_sight}.length > 20", "rows further down")
    assert page.run("[...document.querySelectorAll('.r')].every((at) => at.isOld)"), "a row that was passed is filled for another"
    # While one leaps rows have a name and a bar; then, with the rest, they are in their order for who hears them.
    page.run("new Promise((done) => { let left = 8; const leap = () => { scrollBy(0, 20000); if (--left) requestAnimationFrame(leap); else done(); }; leap(); })")
    page.wait(f"document.querySelector('.leaps') === null && {in_sight}.length > 20 && {in_sight}.every((at) => /step \\d+[^]*batch[^]*\\d/.test(at.innerText))", "whole rows")
    page.wait("(() => { const tops = [...document.querySelectorAll('.r')].map((at) => at.getBoundingClientRect().top); return tops.every((top, i) => i === 0 || top > tops[i - 1]); })()", "rows in order")
    page.key("e")
    page.wait("document.querySelector('[aria-selected=true]')?.innerText.includes('step 777')", "the first error")
    page = show(f"/trace/{BIG}?span={BIG_SPANS:016x}")
    page.wait(f"document.querySelector('[aria-selected=true]')?.innerText.includes('step {BIG_SPANS}')", "the span is in sight")
    box = page.run("(() => { const at = document.querySelector('.r[aria-selected=true]').getBoundingClientRect(); return [at.top, at.bottom] })()")
    assert 76 <= box[0] and box[1] <= 900, box
    page.run("scrollTo(0, 0)")
    page.wait("document.querySelector('.r:not([aria-selected=true])')?.innerText.includes('batch.run')", "scrolled to the begin")
    assert page.run("document.querySelector('[aria-selected=true]') !== null"), "the chosen one stays, for the focus"


def case_missing():
    """A trace that is not there is said so, and the page moves on when it arrives; so is a span."""
    browser().forgive(f"status of 404.*{LATE}")
    page = show(f"/trace/{LATE}")
    page.wait_text(f"No trace {LATE}.")
    now = time.time_ns()
    send(SERVER, {"late": [span(LATE, 1, 0, "came late", 0, 5, now)]})
    page.wait_text("late: came late")
    page.wait_text("Late spans may still come")
    send(SERVER, {"late": [span(LATE, 2, 1, "and a child", 1, 2, now)]})
    page.wait(f"{ROWS} === 2", "a late span appears by itself")
    show(f"/trace/{PRICE}?span={99:016x}&from=an-older-version").wait_text("This trace has no span")


def case_open():
    """A span that has not ended grows by the clock, ends when its end comes, and stays where it is."""
    page = browser()
    now = time.time_ns() - 2 * 10**9
    send(SERVER, {"open": [span(OPEN, 1, 0, "long work", 0, None, now), span(OPEN, 2, 1, "begun", 0, 1000, now)]})
    page = show(f"/trace/{OPEN}?span={1:016x}", 2)
    page.wait_text("still runs")
    width = f"parseFloat({row_text('begun')}.querySelector('.b').style.width)"
    before = page.run(width)
    page.wait(f"{width} < {before} * 0.9", "the open one grows, and the other's share shrinks")
    assert page.run(f"{row_text('long work')}.querySelector('.b.ragged') !== null")
    send(SERVER, {"open": [span(OPEN, 1, 0, "long work", 0, 4000, now, {"result": "came at the end"})]})
    page.wait(f"{row_text('long work')}.querySelector('.b.ragged') === null", "it has ended")
    page.wait_text("came at the end")
    assert "still runs" not in page.text() and "4 s" in page.text().replace("\u00a0", " ")


def case_width():
    """No view scrolls sideways, from 390 to 2560 px."""
    page = browser()
    for width in (390, 720, 1100, 1440, 2560):
        page.size(width, 900)
        for path, ready in ((f"/trace/{PRICE}?span={18:016x}", "memory.used"), (f"/trace/{PRICE}?view=flame", "mesh.load"), (f"/trace/{PRICE}?view=table", "mesh.load"),
                            (f"/trace/{PRICE}?view=compare&with={SLOW}", "audit.write"), (f"/trace/{PRICE}?view=compare&with={SLOW}&diff=sides", "audit.write"),
                            (f"/trace/{ODD}?span={6:016x}", "show all")):
            show(path).wait_text(ready)
            over = page.run("document.documentElement.scrollWidth - innerWidth")
            assert over <= 0, f"{path} at {width}: {over} px over"
    page.size(1440, 900)


def case_themes():
    """The dark set holds by the system's choice and by the page's own, which goes before it."""
    page = browser()
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    try:
        page.size(1440, 900, "dark")
        show(f"/trace/{PRICE}", 20)
        dark = page.run(ground)
        page.run("document.documentElement.dataset.theme = 'light'")
        light = page.run(ground)
        page.size(1440, 900, "light")
        assert page.run(ground) == light != dark, (light, dark)
        page.run("document.documentElement.dataset.theme = 'dark'")
        assert page.run(ground) == dark, "chosen against the system"
    finally:
        page.size(1440, 900)


def case_russian():
    """Every view speaks Russian."""
    page = show(f"/trace/{PRICE}", 20)
    STAGE.language("ru")
    page.wait_text("Первопричина")
    for view, word in (("flame", "Щелчок расширяет"), ("table", "Своё время"), ("compare", "Выберите трассу")):
        show(f"/trace/{PRICE}?view={view}").wait_text(word)
    STAGE.language("en")
    page.wait_text("Choose a trace")


def case_axe():
    """axe finds no violation of WCAG 2.2 AA in any view: light and dark, 1440 and 390 px."""
    page = browser()
    views = [(f"/trace/{PRICE}?span={18:016x}", "memory.used"), (f"/trace/{PRICE}?find=ring&zoom=1000000000-9000000000", "2"), (f"/trace/{PRICE}?view=flame", "mesh"),
             (f"/trace/{PRICE}?view=table", "mesh.load"), (f"/trace/{PRICE}?view=compare", "Choose a trace"),
             (f"/trace/{PRICE}?view=compare&with={SLOW}", "audit.write"), (f"/trace/{ODD}?span={6:016x}", "show all"), (f"/trace/{SKEWED}?clock=raw", "show adjusted")]
    found = []
    for width, height in ((1440, 900), (390, 844)):
        for theme in ("light", "dark"):
            page.size(width, height, theme)
            for path, ready in views:
                show(path).wait_text(ready)
                found += [f"{path} {width} {theme}: {one}" for one in axe.violations(page, theme)]
    page.size(1440, 900)
    assert not found, "\n".join(found)


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
