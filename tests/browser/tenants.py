#!/usr/bin/env python3
"""tenants.py FILIGREE [CASE...]: whose data a tab shows stands in its address: two tabs of one browser show two tenants at once, in a real Chromium.

Skipped by name where Chromium is not installed, or where the server was built without the pages.
"""
import json
import os
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
import stage  # noqa: E402
from doors import Closed  # noqa: E402
from harness import request, span  # noqa: E402

SERVER = Closed()
PAIR = {"acme": "zq1x7mark", "globex": "zq2x7mark"}
TRACES = {name: harness.new_trace_id() for name in PAIR}
TOKENS = {}
# What every page asks, and what it opens for what happens, is written down before it goes.
LISTEN = """
window.asked = [];
const askedBefore = window.fetch, StreamBefore = window.EventSource;
window.fetch = (to, ...more) => { window.asked.push(String(to)); return askedBefore(to, ...more); };
window.EventSource = class extends StreamBefore { constructor(to, ...more) { window.asked.push(String(to)); super(to, ...more); } };
"""
# Who asks, and the server as a whole: the same for all tenants.
EVERYBODYS = ("/api/v1/auth/", "/api/v1/stats", "/api/v1/security")


def send(name, order, trace=None):
    mark = PAIR[name]
    body = request(span(trace or harness.new_trace_id(), os.urandom(8).hex(), f"op-{mark}", kind=2, attributes={"order.id": order, f"key-{mark}": "1"}),
                   span(trace or harness.new_trace_id(), os.urandom(8).hex(), f"call-{mark}", kind=3, attributes={"order.id": order, "peer.service": f"called-{mark}"}),
                   service=f"service-{mark}")
    headers = {"Authorization": f"Bearer {TOKENS[name]}", "Content-Type": "application/x-protobuf"}
    assert SERVER.request("POST", "/v1/traces", body, headers, SERVER.http)[0] == 200


def prepare():
    for name, mark in PAIR.items():
        SERVER.add_tenant(name)
        TOKENS[name] = SERVER.token("ingest", name=f"in-{name}", tenant=name)
        send(name, f"ORD-{mark}", TRACES[name])


STAGE = stage.Stage(SERVER, prepare)
browser, show = STAGE.browser, STAGE.show


def address(path):
    return f"http://127.0.0.1:{SERVER.api}{path}"


def in_as(person):
    browser().call("Network.setCookie", name="filigree", value=person.cookie, url=address("/"))


def in_tenant(path, name):
    return f"{path}{'&' if '?' in path else '?'}tenant={name}"


def tenant_of(link):
    return urllib.parse.parse_qs(urllib.parse.urlsplit(link).query).get("tenant", [None])[0]


def wrong_links(page, name):
    """What the page asked, and where it leads, that is not the tenant's."""
    asked = page.run("window.asked")
    assert asked, "nothing was asked"
    links = page.run("[...document.querySelectorAll('a[href]')].map((one) => one.getAttribute('href'))")
    asked = [one for one in asked if not urllib.parse.urlsplit(one).path.startswith(EVERYBODYS)]
    links = [one for one in links if one.startswith("/")]
    return [one for one in asked + links if tenant_of(one) != name]


def pages(name):
    mark = PAIR[name]
    named = {"/order/": f"/order/ORD-{mark}", "/incidents/": "/incidents/1", "/trace/": f"/trace/{TRACES[name]}", "/services/": f"/services/service-{mark}"}
    return [named.get(path, path) for path in stage.routes() if path not in ("/login", "/setup", "/account")]


def case_two_tabs():
    """Two tabs, two tenants: every page asks for its own, leads to its own, and shows nothing of the other's."""
    page = browser()
    in_as(SERVER.root)
    tabs = {name: page.tab(address(in_tenant("/", name)), LISTEN) for name in PAIR}
    walked = 0
    for round_ in zip(*(pages(name) for name in PAIR)):  # the tabs by turns, so that what one leaves behind in the browser meets the other
        for (name, other), path in zip((list(PAIR), list(PAIR)[::-1]), round_):
            with page.on(tabs[name]):
                page.run("window.isOld = true")
                page.call("Page.navigate", url=address(in_tenant(path, name)))
                page.wait("!window.isOld && document.querySelector('select.tenant')?.value", "the page is there")
                if path in ("/board", "/search", "/services") or PAIR[name] in path or TRACES[name] in path:
                    page.wait_text(PAIR[name])
                time.sleep(0.3)  # what it asks late
                assert page.run("document.querySelector('select.tenant').value") == name, (path, name)
                # What fills the disk is told of all tenants, and each service's link leads to its own.
                wrong = [one for one in wrong_links(page, name) if path != "/store" or tenant_of(one) not in PAIR]
                assert not wrong, (path, name, wrong)
                # An administrator's pages are of the whole server, and say whose what is.
                assert path in ("/store", "/admin") or PAIR[other] not in page.run("document.documentElement.outerHTML"), (path, name)
                walked += 1
    print(f"# {walked} pages in two tabs")
    for name, tab in tabs.items():
        with page.on(tab):
            page.run("history.back()")  # in the tab's own history its tenant goes along
            page.wait(f"new URLSearchParams(location.search).get('tenant') === '{name}'", "the page before")


def case_events():
    """What happens is told to the tab that shows the tenant it happened to."""
    page = browser()
    in_as(SERVER.root)
    tabs = {name: page.tab(address(in_tenant("/board", name)), LISTEN) for name in PAIR}
    for name, tab in tabs.items():
        with page.on(tab):
            page.wait_text(f"ORD-{PAIR[name]}")
    for name in ("globex", "acme"):
        send(name, f"ORD-new-{PAIR[name]}")
    for name, tab in tabs.items():
        with page.on(tab):
            page.wait_text(f"ORD-new-{PAIR[name]}")
            assert "events" in " ".join(page.run("window.asked")), "the tab listens"
    (acme, globex) = tabs
    with page.on(tabs[acme]):
        assert PAIR[globex] not in page.text()
    with page.on(tabs[globex]):
        assert PAIR[acme] not in page.text()


def case_choosing():
    """A choice goes into the address of this tab and of no other; a click, a key and a line asked keep it; the default needs no word."""
    page = browser()
    in_as(SERVER.root)
    other = page.tab(address("/search"), LISTEN)
    show("/board")
    page.wait("document.querySelector('select.tenant')?.value === 'default'", "the choice")
    page.run("window.isOld = true")
    page.run("(() => { const at = document.querySelector('select.tenant'); at.value = 'acme'; at.dispatchEvent(new Event('change', {bubbles: true})) })()")
    page.wait("!window.isOld && location.search === '?tenant=acme' && document.querySelector('select.tenant')?.value === 'acme'", "the other tenant")
    for selector, path in (("a[href^='/board']", "/board"), ("a[href^='/services']", "/services"), ("a[href^='/search']", "/search")):
        page.click(f".nav {selector}")
        page.wait(f"location.pathname === '{path}' && location.search.includes('tenant=acme')", "the page of this tenant")
    page.wait_text(f"service-{PAIR['acme']}")
    page.key("g")
    page.key("n")
    page.wait("location.pathname === '/' && location.search === '?tenant=acme'", "the key's page")
    page.reload()
    page.wait("document.querySelector('select.tenant')?.value === 'acme'", "it outlives a reload")
    with page.on(other):
        page.call("Page.reload")
        page.wait("document.querySelector('select.tenant')?.value === 'default'", "the other tab is where it was")
        assert PAIR["acme"] not in page.text()
    page.run("(() => { const at = document.querySelector('select.tenant'); at.value = 'default'; at.dispatchEvent(new Event('change', {bubbles: true})) })()")
    page.wait("location.search === '' && document.querySelector('select.tenant')?.value === 'default'", "without a word it is the default")
    assert not page.run("document.cookie.includes('tenant')")


def case_downloads():
    """What is downloaded from a trace's page is the tenant's."""
    page = browser()
    in_as(SERVER.root)
    show(in_tenant(f"/trace/{TRACES['globex']}", "globex"), "op-" + PAIR["globex"])
    page.wait("document.querySelector('.menu a') !== null", "the downloads")
    for link in page.run("[...document.querySelectorAll('.menu a')].map((one) => one.getAttribute('href'))"):
        assert tenant_of(link) == "globex" and PAIR["globex"] in page.run(f"fetch({json.dumps(link)}).then((one) => one.text())"), link


def lead_back(foreign, own, selector, what):
    """The refusal's page keeps nothing of the tenant that was refused: the top bar and its keys lead to one's own."""
    page = browser()
    words = f"There is no tenant {foreign} here that you may see."
    show(in_tenant("/board", foreign), words)
    links = page.run("[...document.querySelectorAll('a[href]')].map((one) => one.getAttribute('href'))")
    assert len(links) > 8 and not [one for one in links if tenant_of(one) == foreign], links
    page.click(".nav a[href^='/search']")
    page.wait(f"location.pathname === '/search' && location.search === '' && document.querySelector('{selector}')?.{what} === '{own}'", "a link of the top bar")
    show(in_tenant("/board", foreign), words)
    page.key("g")
    page.key("s")
    page.wait(f"location.pathname === '/services' && location.search === '' && document.querySelector('{selector}')?.{what} === '{own}'", "a key")


def case_a_link_that_is_shared():
    """A link opens the same tenant where the reader may see it, also past the sign-in page; to others it says so, and leads to theirs."""
    page = browser()
    link = in_tenant(f"/order/ORD-{PAIR['acme']}", "acme")
    in_as(SERVER.root)
    show(link, f"ORD-{PAIR['acme']}")
    ann, gus = SERVER.add_user("ann", "viewer", tenant="acme"), SERVER.add_user("gus", "viewer", tenant="globex")
    in_as(ann)
    show(link, f"ORD-{PAIR['acme']}")
    assert page.run("document.querySelector('span.tenant').innerText") == "acme"
    show(f"/order/ORD-{PAIR['acme']}", f"ORD-{PAIR['acme']}")  # hers needs no word
    in_as(gus)
    for name in ("acme", "nowhere"):
        show(in_tenant("/board", name), f"There is no tenant {name} here that you may see.")
        assert PAIR["acme"] not in page.run("document.documentElement.outerHTML")
        assert gus.get(in_tenant("/board", name), {"Accept": "text/html"})[0] == 403
        assert gus.get(in_tenant("/api/v1/board", name))[0] == 403
    assert not STAGE.check(in_tenant("/board", "acme"), "There is no tenant acme here", "not-yours")
    page.click("main a")
    page.wait("location.pathname === '/' && document.querySelector('span.tenant')?.innerText === 'globex'", "one's own")
    lead_back("acme", "globex", "span.tenant", "innerText")
    in_as(SERVER.root)
    lead_back("nowhere", "default", "select.tenant", "value")
    show(in_tenant("/board", "nowhere"), "There is no tenant nowhere here that you may see.")
    page.run("fetch('/api/v1/auth/me').then((one) => one.json()).then((me) => fetch('/api/v1/auth/logout', {method: 'POST', headers: {'filigree-csrf': me.csrf}}))")
    show(link)
    page.wait("location.pathname === '/login'", "the sign-in page")
    page.run("document.querySelector('input[name=name]').value = 'ann'")
    page.run("document.querySelector('input[name=password]').value = 'correct horse battery'")
    page.run("document.querySelector('form').requestSubmit()")
    page.wait("location.search === '?tenant=acme'", "the place one came for")
    page.wait_text(f"ORD-{PAIR['acme']}")


def case_what_a_role_may_not_see():
    """A link to a page that the reader's role does not have says so in the frame of the pages, and leads on."""
    page = browser()
    SERVER.root = SERVER.person("root")
    olga = SERVER.add_user("olga", "support", tenant="acme")
    in_as(olga)
    show(f"/trace/{TRACES['acme']}", "Your account is not permitted to see this.")
    assert olga.get(f"/trace/{TRACES['acme']}", {"Accept": "text/html"})[0] == 403
    page.click("main a")
    page.wait_text("Where is my order?")


if __name__ == "__main__":
    with SERVER:
        CODE = harness.main(globals())
        STAGE.close()
    sys.exit(CODE)
