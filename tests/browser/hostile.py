#!/usr/bin/env python3
"""hostile.py FILIGREE [CASE...]: what bad input gets, on every page that the pages' router knows, in a real Chromium.

Names and values are markup, control characters, right-to-left text, text that turns the direction of writing, and as long as the server
keeps them; a trace has no root. Then addresses of another version and with nonsense, and a server that goes away and comes back.
Skipped by name where Chromium is not installed, or where the server was built without the pages.
"""
import json
import os
import shutil
import sys
import tempfile
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
import orders  # noqa: E402
from doors import Closed  # noqa: E402
from harness import Server, wait_until  # noqa: E402
from spans import send, span  # noqa: E402
from stage import Stage, routes  # noqa: E402

MARKUP = "<img src=x onerror=\"window.ran=1\"><script>window.ran=1</script>"
CONTROL = "bell\x07 escape\x1b[31m delete\x7f line\nend"
TURNED = "pay \u202e001\u202c \u2066inner\u2069 mark\u200f"
HEBREW = "טבעת זהב 104 (דחוף)"
LONG = "long" * 250000
HOSTILE = (MARKUP, CONTROL, TURNED, HEBREW, LONG)
NO_ROOT = harness.new_trace_id()
PHONE = (390, 844)

FOLDER = tempfile.mkdtemp(prefix="filigree-hostile-", dir=os.environ.get("TMPDIR") or "/var/tmp")
FLOW, MONITORS = os.path.join(FOLDER, "order.yaml"), os.path.join(FOLDER, "monitors.yaml")
with open(FLOW, "w", encoding="utf-8") as file:
    file.write(orders.FLOW.replace("label: Order placed", f"label: '{MARKUP}'").replace("label: Price computed", f"label: '{HEBREW}'"))
with open(MONITORS, "w", encoding="utf-8") as file:
    file.write(f"""monitors:
  - {{name: gone, kind: tcp, host: 127.0.0.1, port: {harness.free_port()}, interval: 1s, service: '{MARKUP}'}}
  - {{name: dark, kind: tcp, host: 127.0.0.1, port: {harness.free_port()}, interval: 1s, service: '{HEBREW}'}}
""")
OPEN, CLOSED = Server(options=["--flows", FLOW, "--monitors", MONITORS]), Closed()


def read(path):
    return json.loads(OPEN.get(path)[1])


def send_all():
    placed = orders.Orders(OPEN)
    for order in HOSTILE[:4]:
        placed.place(order, 300, fault=True)
    placed.place("ORD-1", 40)
    now = time.time_ns() - 60 * 10**9
    for number, text in enumerate(HOSTILE):
        trace = harness.new_trace_id()
        attributes = {text[:200]: text, "order.id": f"ORD-{number}", "db.system.name": text, "server.address": text, "messaging.destination.name": text}
        send(OPEN, {text: [span(trace, 1, 0, text, 0, 100, now, attributes, kind=2),
                           span(trace, 2, 1, text, 10, 50, now, attributes, error=text, kind=3, links=[{"traceId": NO_ROOT, "spanId": f"{2:016x}"}],
                                events=[{"timeUnixNano": str(now), "name": text, "attributes": [{"key": text[:200], "value": {"stringValue": text}}]}])]},
             {text[:200]: text})
    send(OPEN, {HEBREW: [span(NO_ROOT, 2, 99, TURNED, 0, 20, now), span(NO_ROOT, 3, 2, MARKUP, 1, 10, now)]})
    wait_until(lambda: read("/api/v1/incidents?state=open")["incidents"], "an incident")
    wait_until(lambda: all(not one["is_new"] for one in read("/api/v1/monitors")["monitors"]), "each monitor looked")


STAGE, DOORS = Stage(OPEN, send_all), Stage(CLOSED)


def quoted(text):
    return urllib.parse.quote(text, safe="")


def traces():
    found = [one for one in read("/api/v1/traces?limit=50&q=status:error")["traces"] if one["root_service"] != "filigree-monitor"]
    return [(f"/trace/{one['trace_id']}?span={2:016x}", "Began") for one in found] + [(f"/trace/{one['trace_id']}?view={view}", "total" if view == "flame" else "Operation")
                                                                           for one in found[:1] for view in ("flame", "table")]


# Of each route of the router: what makes [(address, what it says when it is there)].
PAGES = {
    "/": lambda: [("/", "Wrong right now")],
    "/board": lambda: [("/board", "By step and state"), (f"/board?service={quoted(TURNED)}", "Board")],
    "/order/": lambda: [(f"/order/order.id/{quoted(one)}", "Why we say so") for one in (MARKUP, HEBREW)] + [(f"/order/order.id/{quoted(TURNED + MARKUP)}", "No order")],
    "/incidents": lambda: [("/incidents", "Open now")],
    "/incidents/": lambda: [(f"/incidents/{read('/api/v1/incidents')['incidents'][0]['id']}", "Timeline")],
    "/flows": lambda: [("/flows", "The way that orders take")],
    "/scorecard": lambda: [("/scorecard", "Time to resolve")],
    "/search": lambda: [("/search?chart=dots", "newest first"), (f"/search?build=1&q={quoted('name=' + json.dumps(HEBREW, ensure_ascii=False))}", "Search"), (f"/search?q={quoted(MARKUP + TURNED)}", "expected")],
    "/trace/": lambda: [(f"/trace/{NO_ROOT}", "The root has not come.")] + traces() + [(f"/trace/{quoted(MARKUP)}", "trace")],
    "/services": lambda: [("/services", "All services"), ("/services?view=table", "All services")],
    "/services/": lambda: [(f"/services/{quoted(one)}", "Operations") for one in (MARKUP, TURNED, HEBREW)],
    "/components": lambda: [("/components", "gone"), ("/components?monitor=dark", "server.address")],
    "/store": lambda: [("/store", "Work in the background")],
    "/login": lambda: [],   # these four belong to a server with accounts: case_accounts
    "/setup": lambda: [],
    "/account": lambda: [],
    "/admin": lambda: [],
}

# What a page may not say or be, with hostile text in it; a sentence for each.
WRONG = """(() => {
  const found = [], turns = /[\\u202a-\\u202e\\u200e\\u200f\\u061c]/, controls = /[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f]/, rtl = /[\\u0590-\\u08ff]/;
  const wide = () => { // the innermost that sticks out and is not cut
    const out = [...document.body.querySelectorAll('*')].filter((one) => { const box = one.getBoundingClientRect(); return box.width > 0 && box.right > %d + 1; });
    const free = out.filter((one) => { for (let up = one.parentElement; up && up !== document.body; up = up.parentElement) if (getComputedStyle(up).overflowX !== 'visible') return false; return true; });
    return free.filter((one) => !free.some((other) => other !== one && one.contains(other))).slice(0, 4).map((one) => `${one.parentElement.tagName}.${one.parentElement.className} > ${one.tagName}.${one.className?.baseVal ?? one.className}: ${one.textContent.slice(0, 40)}`).join(' | ');
  };
  if (window.ran) found.push('a script of the data ran');
  if (document.images.length > 0 || document.querySelector('main script, main iframe')) found.push('an element of the data is in the document');
  if (!document.querySelector('main')?.innerText.trim()) found.push('the page is blank');
  if (document.documentElement.scrollWidth > %d) found.push(`wider than the window: ${document.documentElement.scrollWidth}, by ${wide()}`);
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const text = node.data, parent = node.parentElement, at = parent.closest('[class]')?.className?.baseVal ?? parent.closest('[class]')?.className;
    if (parent.closest('script, style, textarea')) continue;
    if (turns.test(text)) found.push(`what turns the direction is hidden in ${at}: ${JSON.stringify(text.slice(0, 60))}`);
    if (/[\\u2066-\\u2069]/.test(text.replace(/\\u2068[^\\u2066-\\u2069]*\\u2069/g, ''))) found.push(`an isolate is open in ${at}`);
    if (controls.test(text)) found.push(`a control character in ${at}: ${JSON.stringify(text.slice(0, 60))}`);
    if (text.length > 70000) found.push(`not cut in ${at}: ${text.length}`);
    if (!rtl.test(text)) continue;
    // Isolated from what stands on its line: by an element of its own on the line, or alone in its block.
    let isolated = false, up = parent;
    for (; up && getComputedStyle(up).display.startsWith('inline'); up = up.parentElement) isolated ||= /isolate|plaintext/.test(getComputedStyle(up).unicodeBidi);
    if (!isolated && up && !up.closest('svg, option') && up.textContent.trim() !== text.trim() && !/\\u2068[^\\u2069]*[\\u0590-\\u08ff]/.test(text)) found.push(`its direction reaches its neighbours in ${at}: ${up.innerText.slice(0, 80)}`);
  }
  for (const one of document.querySelectorAll('[title], [aria-label]')) for (const name of ['title', 'aria-label']) {
    const text = one.getAttribute(name) ?? '';
    if (turns.test(text) || controls.test(text.replace(/\\n/g, ''))) found.push(`${name} of ${one.className?.baseVal ?? one.className}: ${JSON.stringify(text.slice(0, 60))}`);
  }
  if (turns.test(document.title) || controls.test(document.title)) found.push('the title');
  return [...new Set(found)];
})()""" % (PHONE[0], PHONE[0])


def wrong(stage, path, ready):
    page = stage.show(path)
    try:
        page.wait_text(ready)
    except AssertionError:
        return [f"{path[:60]}: does not say {ready!r} but {page.text()[:300]!r}"]
    return [f"{path[:60]}: {one}" for one in page.run(WRONG)]


def silent(page):
    """The console says nothing but that an answer was a refusal, which the page says itself."""
    said = [one for one in page.complaints if "the server responded with a status of 4" not in one]
    page.complaints.clear()
    assert said == [], said


def case_routes():
    """Every route of the router is looked at."""
    missing = [route for route in routes() if route not in PAGES]
    assert missing == [], f"PAGES says nothing of {missing}"


def case_texts():
    """Names and values with markup, controls, right-to-left text, turned text and a megabyte are text on every page, cut, and keep to themselves."""
    page = STAGE.browser()
    page.size(*PHONE)
    found = []
    for make in PAGES.values():
        for path, ready in make():
            found += wrong(STAGE, path, ready)
    assert found == [], "\n".join(found)
    silent(page)


def case_seen():
    """They are seen: markup as it is written, what turns the direction by its number, and of a long value the rest."""
    page = STAGE.show("/search", "newest first")
    page.wait_text("<img src=x onerror=")
    for text in ("⟨U+202E⟩", "␇", "␛", "טבעת זהב 104"):
        assert text in page.text(), (text, page.text()[:3000])
    long_one = next(one for one in read("/api/v1/traces?limit=50&q=status:error")["traces"] if one["root_name"].startswith("long"))
    page = STAGE.show(f"/trace/{long_one['trace_id']}?span={2:016x}", "show all")
    page.wait("[...document.querySelectorAll('.det .as-link')].some((at) => at.innerText === 'show all')", "the span's own values are there")
    before = len(page.text())
    page.run("[...document.querySelectorAll('.det .as-link')].find((at) => at.innerText === 'show all').click()")
    page.wait(f"document.body.innerText.length > {before} + 3000", "the rest is shown")
    STAGE.show(f"/trace/{NO_ROOT}").wait_text("The root has not come.")


def case_accounts():
    """So on the pages of accounts: what somebody signed in by, what the audit says, names of tokens."""
    CLOSED.start()
    for name in HOSTILE:
        status = CLOSED.root.post("/api/v1/auth/login", {"name": name[:2000], "password": "wrong"})[0]
        assert 400 <= status < 500, status
    for name in HOSTILE[:4]:
        CLOSED.root.post("/api/v1/tokens", {"name": name, "roles": ["ingest"]})
    page = DOORS.browser()
    page.size(*PHONE)
    found = wrong(DOORS, f"/login?next={quoted('//evil.example')}&failed={quoted(MARKUP)}", "Sign in") + wrong(DOORS, "/setup#" + quoted(MARKUP), "Choose a password")
    page.call("Network.setCookie", name="filigree", value=CLOSED.root.cookie, url=f"http://127.0.0.1:{CLOSED.api}/")
    found += wrong(DOORS, "/account", "Change the password") + wrong(DOORS, "/admin", "⟨U+202E⟩")
    assert found == [], "\n".join(found)
    silent(page)


NONSENSE = f"range=17parsecs&from=NaN&to=-1&vs=never&state=%00&sort=zzz&view=nope&limit=-5&zoom=9-1&days=1e9&before=soon&price=-x&clock=cuckoo&span=zz&colour={quoted(TURNED)}"


def case_addresses():
    """An address of another version, or of nonsense: said in a sentence, and never a blank page."""
    page = STAGE.browser()
    page.size(*PHONE)
    found = []
    for route, make in PAGES.items():
        for path, ready in make()[:1]:
            found += wrong(STAGE, f"{path.split('?')[0]}?{NONSENSE}", ready)
            if "The address has parts that this version does not know: " not in page.text():
                found.append(f"{route}: says nothing of the address: {page.text()[:200]!r}")
    for path, ready in (("/trace/", "There is no such page"), ("/trace/xyz", "hexadecimal"), (f"/trace/{'f' * 4000}", "hexadecimal"), ("/order/", "There is no such page"), ("/order/ORD-none", "No order"),
                        ("/order/a/b/c/d", "No order"), ("/order/order.id/%E0%A4%A", "No order"), ("/incidents/none", "There is no incident"), ("/incidents/-1", "There is no incident"),
                        ("/services/%E0%A4%A", "sent"), ("/boards", "There is no such page"), ("/search/old", "There is no such page"), ("/index.php", "There is no such page")):
        # Inside the pages, as a link or a bookmark of an older version leads there.
        STAGE.show("/store", "Work in the background")
        page.run(f"history.pushState(null, '', {json.dumps(path)}); dispatchEvent(new Event('popstate'))")
        try:
            page.wait_text(ready)
        except AssertionError:
            found.append(f"{path[:40]}: {page.run('document.querySelector(`main`)?.innerText')!r}")
        found += [f"{path[:40]}: {one}" for one in page.run(WRONG)]
    assert found == [], "\n".join(found)
    silent(page)


def live_pages():
    """Those that keep up with the present by themselves: (address, what it says when it is there)."""
    young = harness.new_trace_id()
    send(OPEN, {"young": [span(young, 1, 0, "just now", 0, 20, time.time_ns())]})
    first = [make()[0] for route, make in PAGES.items() if route in ("/", "/board", "/order/", "/incidents", "/incidents/", "/flows", "/services", "/services/", "/components", "/store")]
    return [*first, ("/search?live=1", "Live: new traces"), (f"/trace/{young}", "just now")]


def case_away():
    """A server that goes away is said so on every live page, in a sentence; each goes on by itself when it is back."""
    page = STAGE.browser()
    page.size(1440, 900)
    at, wanted = f"http://127.0.0.1:{OPEN.api}", live_pages()
    # A tab each: all of them look on while the server goes once. Over HTTP/1 a browser has six connections for all tabs: those beside the
    # first ask again and again, as where there is no stream of changes.
    tabs = [(*wanted[0], page.session)] + [(path, ready, page.tab(at + path, "delete window.EventSource")) for path, ready in wanted[1:]]
    STAGE.show(wanted[0][0])
    for _, ready, tab in tabs:
        with page.on(tab):
            page.wait_text(ready)
    OPEN.end()
    gone, back = "has not answered since", "!document.body.innerText.includes('has not answered') && document.body.innerText.includes({})"
    for path, _, tab in tabs:
        with page.on(tab):
            page.wait(f"document.body.innerText.includes({json.dumps(gone)})", f"{path} says that the server is gone")
    OPEN.start()
    for path, ready, tab in tabs:
        with page.on(tab):
            page.wait(back.format(json.dumps(ready)), f"{path} goes on", 60)
    page.complaints.clear()  # Chromium itself notes each refused connection


if __name__ == "__main__":
    try:
        with OPEN, CLOSED:
            CODE = harness.main(globals())
            STAGE.close()
            DOORS.close()
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)
    sys.exit(CODE)
