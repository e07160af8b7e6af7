#!/usr/bin/env python3
"""every_page.py FILIGREE [CASE...]: axe's rules over every page that the pages' router knows, in each of its states, wide and on a phone,
light and dark. The routes are read from ui/src/main.tsx: a page that is not in PAGES fails the test.

Skipped by name where Chromium is not installed, or where the server was built without the pages. With PICTURES=FOLDER
in the environment each page is also pictured.
"""
import json
import os
import re
import shutil
import socket
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
import orders  # noqa: E402
from doors import Closed  # noqa: E402
from harness import Server, wait_until  # noqa: E402
from stage import Stage, routes  # noqa: E402

FOLDER = tempfile.mkdtemp(prefix="filigree-pages-", dir=os.environ.get("TMPDIR") or "/var/tmp")
FLOW, MONITORS = os.path.join(FOLDER, "order.yaml"), os.path.join(FOLDER, "monitors.yaml")
WELL = socket.create_server(("127.0.0.1", 0))
with open(FLOW, "w", encoding="utf-8") as file:
    file.write(orders.FLOW)
with open(MONITORS, "w", encoding="utf-8") as file:
    file.write(f"""monitors:
  - {{name: shop-db, kind: tcp, host: 127.0.0.1, port: {WELL.getsockname()[1]}, interval: 1s, service: shop-db}}
  - {{name: mes-db, kind: tcp, host: 127.0.0.1, port: {harness.free_port()}, interval: 1s}}
""")
OPEN, CLOSED, EMPTY = Server(options=["--flows", FLOW, "--monitors", MONITORS]), Closed(), Server()


def read(path):
    return json.loads(OPEN.get(path)[1])


def prepare():
    orders.Orders(OPEN).send_all()
    wait_until(lambda: len(read("/api/v1/incidents?state=open")["incidents"]) == 3, "three incidents")
    wait_until(lambda: all(not one["is_new"] for one in read("/api/v1/monitors")["monitors"]), "each monitor looked")


def incident():
    return f"/incidents/{read('/api/v1/incidents')['incidents'][0]['id']}"


def trace():
    return f"/trace/{read('/api/v1/traces?limit=1&q=service:mes-api%20status:error')['traces'][0]['trace_id']}"


def press(selector):
    return lambda page: page.run(f"document.querySelector({json.dumps(selector)}).click()")


def form_of(page):
    page.run("(() => { const at = document.querySelector('#monitor-kind'); at.value = 'postgresql'; at.dispatchEvent(new Event('change')); })()")
    page.wait("document.querySelector('.monitor-fields details') !== null", "the fields of the kind")
    page.run("document.querySelector('.monitor-fields details').open = true")


def help_of(page):
    page.run("document.activeElement?.blur()")
    page.key("?")
    page.wait("document.querySelector('dialog[open]') !== null", "the help is open")


OPENED, SHUT, NEW = Stage(OPEN, prepare), Stage(CLOSED), Stage(EMPTY)

# Of each route of the router: [(where, address or what makes it, what it says when it is there, what brings it into its state)].
PAGES = {
    "/": [(OPENED, "/", "Wrong right now", None), (OPENED, "/", "Wrong right now", help_of), (NEW, "/", "No traces yet", None)],
    "/board": [(OPENED, "/board", "By step and state", None), (NEW, "/board", "Board", None)],
    "/order/": [(OPENED, "/order/order.id/ORD-300", "Why we say so", None), (OPENED, "/order/order.id/ORD-110", "is complete", None),
                (OPENED, "/order/order.id/ORD-999", "No order ORD-999", None)],
    "/incidents": [(OPENED, "/incidents", "Open now", None), (NEW, "/incidents", "Incidents", None)],
    "/incidents/": [(OPENED, incident, "Timeline", None)],
    "/flows": [(OPENED, "/flows", "The way that orders take", None), (NEW, "/flows", "The way that orders take", None)],
    "/scorecard": [(OPENED, "/scorecard", "Time to resolve", None), (OPENED, "/scorecard?before=2026-09-10", "Time to resolve", None)],
    "/search": [(OPENED, "/search?chart=heat", "newest first", None), (OPENED, "/search?q=status%3Aerror&build=1&chart=dots&explain=1", "newest first", None),
                (OPENED, "/search?q=duration%3E", "expected a value", None),
                (OPENED, "/search?q=service%3Anobody", "No trace fits", None)],
    "/trace/": [(OPENED, trace, "First cause", None), (OPENED, f"/trace/{'ab' * 16}", "No trace", None)],
    "/services": [(OPENED, "/services?range=24h", "All services", None), (OPENED, "/services?range=24h&view=table", "All services", None)],
    "/services/": [(OPENED, "/services/shop-api?range=24h", "Operations", None), (OPENED, "/services/nobody", "sent spans in this time", None)],
    "/components": [(OPENED, "/components", "mes-db", None), (OPENED, "/components?monitor=mes-db", "server.address", None), (NEW, "/components", "Nothing is watched yet", form_of)],
    "/store": [(OPENED, "/store", "Work in the background", None)],
    "/login": [(SHUT, "/login", "Lost your password?", None)],
    "/setup": [(SHUT, "/setup#" + "0" * 64, "Choose a password", None), (SHUT, "/setup", "whole link", None)],
    "/account": [(SHUT, "/account", "Change the password", None), (NEW, "/account", "Open: there are no accounts", None)],
    "/admin": [(SHUT, "/admin", "user.add", lambda page: page.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })"))],
    "no such page": [(OPENED, "/search", "newest first", lambda page: page.run("history.pushState(null, '', '/no-such'); dispatchEvent(new Event('popstate'))"))],
}


def case_routes():
    """Every route of the router is in the table."""
    missing = [route for route in routes() if route not in PAGES]
    assert missing == [], f"PAGES says nothing of {missing}"


SHARED = {"head", "verdict-line"}  # what several sheets mean alike


def case_styles():
    """A class has one meaning: no two sheets style it by its name alone, so that one page's rules don't reach another's."""
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "ui", "style")
    seen = {}
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding="utf-8") as sheet:
            text = re.sub(r"/\*.*?\*/", "", sheet.read(), flags=re.S)
        for selectors in re.findall(r"(?:^|[{};])\s*([^{}@;]+)\{", text):
            for one in re.findall(r"(?:^|,)\s*\.([\w-]+)\s*(?=,|$)", selectors):
                seen.setdefault(one, set()).add(name)
    twice = {one: sorted(sheets - {"base.css"}) for one, sheets in seen.items() if len(sheets - {"base.css"}) > 1 and one not in SHARED}
    assert twice == {}, twice


def name_of(route, number):
    plain = route.strip("/").replace(" ", "-") or "front"
    return f"{plain}{'-one' if len(route) > 1 and route.endswith('/') else ''}-{number}"


DOORS = ("/login", "/setup")


def check_all(stage, those=tuple(PAGES)):
    stage.browser()
    found = []
    for route in those:
        for number, (where, path, ready, bring) in enumerate(PAGES[route]):
            if where is stage:
                found += stage.check(path() if callable(path) else path, ready, name_of(route, number), bring)
    assert found == [], "\n".join(found)
    assert [one for one in stage.page.complaints if not re.search(r"status of 40[0-9]", one)] == [], stage.page.complaints


def case_open():
    """axe finds nothing on any page of a server with orders, monitors and traces: light and dark, 1440 and 390 px."""
    check_all(OPENED)


def case_empty():
    """Nor where nothing has come yet."""
    check_all(NEW)


def case_closed():
    """Nor on those of accounts: who is not signed in yet, and who is."""
    CLOSED.start()
    person = CLOSED.add_user("root2", "admin")
    check_all(SHUT, DOORS)
    page = SHUT.browser()
    page.call("Network.setCookie", name="filigree", value=person.cookie, url=f"http://127.0.0.1:{CLOSED.api}/")
    check_all(SHUT, [route for route in PAGES if route not in DOORS])


if __name__ == "__main__":
    try:
        with OPEN, CLOSED, EMPTY:
            CODE = harness.main(globals())
            for one in (OPENED, SHUT, NEW):
                one.close()
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)
    sys.exit(CODE)
