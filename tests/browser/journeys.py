#!/usr/bin/env python3
"""journeys.py FILIGREE [CASE...]: the front page, the board and an order's page in a real Chromium, over a real server with a flow.

Skipped by name where Chromium is not installed, or where the server was built without the pages. With PICTURES=FOLDER
in the environment each page is also pictured: 1440 and 390 px wide, light and dark.
"""
import json
import os
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import chromium  # noqa: E402
import harness  # noqa: E402
from harness import Server, Skip  # noqa: E402

FOLDER = tempfile.mkdtemp(prefix="filigree-orders-", dir=os.environ.get("TMPDIR") or "/var/tmp")
FLOW = os.path.join(FOLDER, "order.yaml")
with open(FLOW, "w", encoding="ascii") as file:
    file.write("""flows:
  - name: order
    key: order.id
    within: 20s
    format-errors: [schema_violation]
    steps:
      - {name: placed, label: Order placed, when: 'service:shop-api name="POST /orders"'}
      - {name: submitted, label: Submitted, when: 'service:crm-api name="POST /submit"', within: 10m}
      - {name: priced, label: Price computed, when: 'service:mes-api name=price.calculate', within: 30s}
      - {name: approved, label: Approved by the seller, when: 'service:crm-api name="POST /approve"', human: seller, within: 2d}
      - {name: shipped, label: Shipped, when: 'service:mes-api name=ship', within: 12h, ends: done}
      - {name: cancelled, label: Cancelled, when: 'service:shop-api name="POST /cancel"', after: [placed, submitted, priced], ends: cancelled}
""")
SERVER = Server(options=["--flows", FLOW])
STATE = {}
PICTURES = os.environ.get("PICTURES")
STRANGE = "<img src=x onerror=document.title='broken'>\u202e/?#%"
KINDS = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
MQ = {"messaging.system": "rabbitmq", "messaging.destination.name": "mes.orders", "server.address": "broker"}


def browser():
    if "browser" not in STATE:
        binary = chromium.find()
        if not binary:
            raise Skip("chromium is not installed (tools/setup browser)")
        if b"app.js" not in SERVER.request("GET", "/", headers={"Accept": "text/html"})[2]:
            raise Skip("the server was built without the pages")
        STATE["browser"] = chromium.Browser(binary)
    return STATE["browser"]


def show(path):
    page = browser()
    page.open(f"http://127.0.0.1:{SERVER.api}{path}")
    return page


def pictures(name, path, ready):
    if not PICTURES:
        return
    page = browser()
    os.makedirs(PICTURES, exist_ok=True)
    for width, height in ((1440, 1000), (390, 844)):
        for theme in ("light", "dark"):
            page.size(width, height, theme)
            show(path)
            page.wait_text(ready)
            time.sleep(0.3)
            page.picture(os.path.join(PICTURES, f"{name}-{width}-{theme}.png"))
    page.size(1440, 900)


class Trace:
    """Spans of one trace, sent together. Times are seconds before now."""

    def __init__(self):
        self.trace_id, self.spans, self.next = harness.new_trace_id(), {}, 1

    def add(self, service, name, ago, length=0.1, parent=0, kind="server", order=None, error="", interrupted=False, **attributes):
        start = time.time_ns() - int(ago * 1e9)
        pairs = {key.replace("__", "."): text for key, text in attributes.items()}
        if order:
            pairs["order.id"] = order
        listed = [{"key": key, "value": {"stringValue": text}} for key, text in pairs.items()]
        if interrupted:
            listed.append({"key": "filigree.marks", "value": {"arrayValue": {"values": [{"stringValue": "interrupted"}]}}})
        number = self.next
        self.next += 1
        self.spans.setdefault(service, []).append({
            "traceId": self.trace_id, "spanId": f"{number:016x}", "parentSpanId": f"{parent:016x}" if parent else "", "name": name,
            "kind": KINDS[kind], "startTimeUnixNano": str(start), "endTimeUnixNano": str(start + int(length * 1e9)),
            "status": {"code": 2, "message": error} if error else {}, "attributes": listed})
        return number

    def send(self):
        body = {"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
                                   "scopeSpans": [{"spans": spans}]} for service, spans in self.spans.items()]}
        status, _, answer = SERVER.send(json.dumps(body).encode(), "application/json")
        assert status == 200, answer


def place(order, ago, fault=False):
    trace = Trace()
    page = trace.add("shop-page", "click Place", ago, 0.9, kind="internal")
    api = trace.add("shop-api", "POST /orders", ago - 0.1, 0.4, page, order=order, error="500" if fault else "")
    trace.add("shop-api", "INSERT orders", ago - 0.2, 0.05, api, "client", error="sorry, too many clients already" if fault else "",
              db__system__name="postgresql", server__address="shop-db", **({"db__response__status_code": "53300"} if fault else {}))
    trace.send()


def submit(order, ago, consumed=True, died=False):
    trace = Trace()
    api = trace.add("crm-api", "POST /submit", ago, 0.2, order=order)
    publish = trace.add("crm-api", "publish mes.orders", ago - 0.1, 0.02, api, "producer", **{key.replace(".", "__"): text for key, text in MQ.items()})
    if consumed:
        end = {"error": "killed by SIGKILL", "interrupted": True} if died else {}
        consumer = trace.add("mes-api", "process mes.orders", ago - 2, 6, publish, "consumer", order=order, **end)
        trace.add("mes-api", "price.calculate", ago - 3, 4.5, consumer, "internal", **end)
    trace.send()


def one(service, name, order, ago):
    trace = Trace()
    trace.add(service, name, ago, order=order)
    trace.send()


def send_all():
    for i in range(20):
        place(f"ORD-{100 + i}", 40000 + i)
        submit(f"ORD-{100 + i}", 39900 + i)
        one("crm-api", "POST /approve", f"ORD-{100 + i}", 30000)
        one("mes-api", "ship", f"ORD-{100 + i}", 20000)
    for i in range(9):
        place(f"ORD-{200 + i}", 900 + i)
        submit(f"ORD-{200 + i}", 850 + i)
    place("ORD-300", 800)
    submit("ORD-300", 700, died=True)
    for i in range(7):
        place(f"ORD-{400 + i}", 650)
        submit(f"ORD-{400 + i}", 600, consumed=False)
    for i in range(3):
        place(f"ORD-{500 + i}", 300, fault=True)
    place("ORD-600", 10)
    place("ORD-700", 500)
    one("shop-api", "POST /cancel", "ORD-700", 400)
    place(STRANGE, 5)


# -- Cases, in the order of a visit


def case_front():
    """The front page counts orders by state, and tells what is wrong right now, the largest first."""
    SERVER.start()
    page = show("/")
    page.wait_text("No traces yet")
    send_all()
    page.wait_text("Wrong right now")
    page.wait("[...document.querySelectorAll('.counts b')].map((one) => one.textContent).join() === '4,7,0,9,2,20,1'", "the counts by state", 20)
    page.wait("document.querySelectorAll('.inc').length === 3", "three causes")
    text = page.text()
    for words in ("3 causes stop 11 of 22 open orders", "mes-api reads nothing from mes.orders any more: its process died",
                  "The database shop-db of shop-api refused a connection: its limit is reached", "mes-api died during price.calculate"):
        assert words in text, (words, text)
    assert page.run("document.querySelector('.inc .cnt').textContent") == "7orders"
    pictures("front", "/", "Wrong right now")


def case_ask():
    """Asked for by its number, an order shows its page: the verdict in one sentence, with what to do."""
    page = show("/")
    page.wait_text("Wrong right now")
    page.run("document.getElementById('query').focus()")
    page.type("ORD-300")
    page.key("Enter", 13)
    page.wait_text("Broken in mes-api since")
    text = page.text()
    for words in ("mes-api died during price.calculate", "Look at why the process of mes-api ended", "killed by SIGKILL", "2 of 5 steps", "Sure"):
        assert words in text, (words, text)
    assert page.run("location.pathname") == "/order/order.id/ORD-300"
    assert page.run("document.querySelector('.say').textContent").startswith("Your order ORD-300 has been delayed since")
    pictures("order", "/order/order.id/ORD-300", "Broken in mes-api")
    show("/")
    page.wait_text("Asked lately: ORD-300")


def case_route():
    """The broken place is marked in the route, each box and bar opens its span, steps tell what was reached."""
    page = show("/order/order.id/ORD-300")
    page.wait_text("Where it went")
    names = page.run("[...document.querySelectorAll('.route > li > .box bdi')].map((one) => one.textContent).join()")
    assert names == "shop-page,shop-api,crm-api,mes.orders,mes-api", names
    assert page.run("document.querySelectorAll('.box.bad').length") == 1
    assert "mes-api" in page.run("document.querySelector('.box.bad').textContent")
    assert page.run("document.querySelector('.uses .box').textContent").startswith("shop-db")
    assert page.run("[...document.querySelectorAll('.steps li')].map((one) => one.className.split(' ')[0]).join()") == "reached,reached,next,ahead,ahead"
    lanes = page.run("[...document.querySelectorAll('.lane .lab bdi')].map((one) => one.textContent).join()")
    assert lanes == "shop-page,shop-api,shop-db,crm-api,mes.orders,mes-api", lanes
    assert page.run("document.querySelectorAll('.bars .q').length") == 1, "the time in the queue is drawn as such"
    inside = page.run("[...document.querySelectorAll('.bars .b')].every((bar) => { const b = bar.getBoundingClientRect(), p = bar.parentElement.getBoundingClientRect();"
                      " return b.left >= p.left - 1 && b.right <= p.right + 4; })")
    assert inside, "a bar lies outside of the axis"
    page.click(".box.bad")
    page.wait_text("process mes.orders")
    assert page.run("location.pathname").startswith("/trace/")


def case_evidence():
    """Evidence opens the span that it rests on; neighbours are counted and listed."""
    page = show("/order/order.id/ORD-403")
    page.wait_text("reads nothing from mes.orders any more")
    page.wait_text("6 other orders stopped here")
    page.run("[...document.querySelectorAll('.ev a')].find((one) => one.textContent === 'Span').click()")
    page.wait_text("publish mes.orders")
    show("/order/order.id/ORD-403")
    page.wait_text("Show them")
    page.run("[...document.querySelectorAll('.head a')].find((one) => one.textContent === 'Show them').click()")
    page.wait("document.querySelectorAll('.orders tbody tr').length === 7", "the board lists all seven")


def case_waiting():
    """Who waits for a person is not stuck: it says for whom, and since when."""
    page = show("/order/order.id/ORD-203")
    page.wait_text("Waits for seller since")
    assert page.run("document.querySelectorAll('.bars .h').length") == 1
    assert "Your order ORD-203 waits for seller." in page.text()
    show("/order/order.id/ORD-110")
    page.wait_text("Your order ORD-110 is complete.")
    pictures("order-done", "/order/order.id/ORD-110", "is complete")


def case_board():
    """The board counts by step and state, filters by a click, holds it in the address, and exports."""
    page = show("/board")
    page.wait("document.querySelectorAll('.orders tbody tr').length === 22", "all open orders")
    pictures("board", "/board", "By step and state")
    page.wait_text("By step and state")
    page.run("document.querySelector('.hot-stuck a').click()")
    page.wait("document.querySelectorAll('.orders tbody tr').length === 7", "the stuck ones of that step")
    assert page.run("location.search") == "?state=stuck&step=priced", page.run("location.search")
    page.run("""window.saved = new Promise((done) => { const old = URL.createObjectURL; URL.createObjectURL = (blob) => { blob.text().then(done); return old(blob); }; });
        [...document.querySelectorAll('button')].find((one) => one.textContent === 'Export CSV').click()""")
    lines = page.run("window.saved").strip().split("\r\n")
    assert len(lines) == 8 and lines[0].startswith("key,order,state,since,place") and lines[1].startswith("order.id,ORD-4"), lines
    page.run("document.querySelector('.chip').click()")
    page.wait("location.search === '?state=stuck'", "the filter is taken back")
    page.run("[...document.querySelectorAll('.ranges button')].find((one) => one.textContent.includes('Done')).click()")
    page.wait("document.querySelectorAll('.orders tbody tr').length === 20", "those that are done")
    page.run("history.back()")
    show("/board?state=nonsense&limit=-3&cause=died")
    page.wait("document.querySelectorAll('.orders tbody tr').length === 1", "what is nonsense in an address is left out")


def case_live():
    """Without reloading: an order that is not known appears, its page follows it, the front page too."""
    page = show("/order/order.id/ORD-800")
    page.wait_text("No order ORD-800.")
    place("ORD-800", 1)
    page.wait_text("Flowing: the next step is “Submitted”")
    submit("ORD-800", 0.5)
    page.wait_text("Waits for seller")
    show("/")
    page.wait_text("Wrong right now")
    place("ORD-801", 1)
    place("ORD-801", 0.5, fault=True)
    page.wait_text("ORD-801")


def case_strange():
    """An order's name with markup, a slash, signs of an address and a turn of direction is shown as text."""
    page = show("/board?state=flowing")
    page.wait_text("onerror")
    page.run("[...document.querySelectorAll('.orders a')].find((one) => one.textContent.includes('onerror')).click()")
    page.wait_text("Flowing")
    assert "broken" not in page.run("document.title").split("·")[0].replace("onerror=document.title='broken'", "")
    assert page.run("document.querySelectorAll('main img').length") == 0
    assert "⟨U+202E⟩" in page.text()


def case_keys():
    """Keys lead to the board, to the front page and into its field."""
    page = show("/search")
    page.wait_text("newest first")
    time.sleep(0.3)
    page.run("document.activeElement.blur()")
    for key in "gb":
        page.key(key)
    page.wait_text("By step and state")
    page.run("document.activeElement.blur()")
    for key in "gn":
        page.key(key)
    page.wait_text("Wrong right now")
    page.run("document.activeElement.blur()")
    page.key("/")
    assert page.run("document.activeElement.id") == "query"
    page.type("service:mes-api")
    page.key("Enter", 13)
    page.wait("location.pathname === '/search' && location.search === '?q=service%3Ames-api'", "what is a query is searched for")


def case_phone():
    """Nothing goes beyond a phone's edge, and the verdict and what to do fit its first screen."""
    page = browser()
    page.size(390, 844)
    for path, ready in (("/", "Wrong right now"), ("/board", "By step and state"), ("/order/order.id/ORD-300", "Why we say so")):
        show(path)
        page.wait_text(ready)
        beyond = page.run("[...document.querySelectorAll('main *')].filter((one) => one.getBoundingClientRect().right > 391).map((one) => one.tagName + '.' + one.className).slice(0, 5).join()")
        assert page.run("document.documentElement.scrollWidth") <= 390, (path, beyond)
    assert page.run("document.querySelector('.todo').getBoundingClientRect().bottom") < 844
    page.size(1440, 900)


def case_russian():
    """In Russian, with its plurals."""
    page = show("/")
    page.wait_text("Wrong right now")
    page.run("[...document.querySelectorAll('.languages button')].find((one) => one.lang === 'ru').click()")
    page.wait_text("Где мой заказ?")
    page.wait_text("3 причины: остановлено 12 из 24 открытых заказов")
    show("/order/order.id/ORD-300")
    page.wait_text("Сломан: mes-api с")
    page.run("[...document.querySelectorAll('.languages button')].find((one) => one.lang === 'en').click()")


def case_complaints():
    """Neither the console nor the policy complained, but for the order that was not there."""
    page = browser()
    complaints = [one for one in page.complaints if "404" not in one or "ORD-800" not in one]
    assert complaints == [], complaints


if __name__ == "__main__":
    try:
        with SERVER:
            CODE = harness.main(globals())
            if "browser" in STATE:
                STATE["browser"].close()
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)
    sys.exit(CODE)
