#!/usr/bin/env python3
"""pages.py FILIGREE: the demo's two pages in a real Chromium, with the stock OpenTelemetry web SDK, over a company in memory.

What they send is read back from the server. Skipped by name where Chromium, Node.js or the registry is missing.
"""
import contextlib
import importlib.machinery
import importlib.util
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import harness  # noqa: E402
from stand_in import Company  # noqa: E402

DEMO = os.path.join(os.path.dirname(os.path.dirname(HERE)), "demo")
CLIENT = 3


def load(name):
    """demo/browser has no .py at its end."""
    loader = importlib.machinery.SourceFileLoader(name, os.path.join(DEMO, name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


driver = load("browser")


class Stage:
    """A server, the company in memory, and the two pages; one of each for all cases, begun by the first that asks."""
    now = None
    stack = contextlib.ExitStack()

    @classmethod
    def get(cls):
        cls.now = cls.now or Stage(cls.stack)
        cls.now.company.faults = []
        cls.now.company.trouble = lambda api, method, path: None
        return cls.now

    def __init__(self, stack):
        binary = driver.chromium.find()
        if not binary:
            raise harness.Skip("chromium is not installed")
        bundle = subprocess.run([os.path.join(DEMO, "web"), "pages"], text=True, stderr=subprocess.PIPE, check=False)
        if bundle.returncode == 77:
            raise harness.Skip(bundle.stderr.strip().splitlines()[-1])
        assert bundle.returncode == 0, bundle.stderr
        self.company = stack.enter_context(Company(os.path.join(DEMO, "pages", "dist")))
        self.filigree = stack.enter_context(harness.Server(options=["--cors-origins", f"{self.company.shop},{self.company.mes}"]))
        self.filigree.start()
        self.company.endpoint = f"http://127.0.0.1:{self.filigree.http}"
        self.shop, self.mes = (stack.enter_context(contextlib.closing(driver.Page(binary, url, 20))) for url in (self.company.shop, self.company.mes))

    def sent(self, method, path):
        """The trace of the last request of this kind, and its headers."""
        headers = [one[4] for one in self.company.requests if re.fullmatch(f"{method} {path}", f"{one[1]} {one[2]}")][-1]
        version, trace, span, flags = headers["traceparent"].split("-")
        assert (version, flags) == ("00", "01"), headers
        return trace, span, headers

    def spans(self, trace, *names):
        """The trace's spans, as soon as it has one of each name."""
        found = []

        def are_there():
            found[:] = self.filigree.spans(trace)
            return {one["name"] for one in found} >= set(names)
        try:
            harness.wait_until(are_there, "the spans")
        except AssertionError as error:
            raise AssertionError(f"trace {trace} has {[one['name'] for one in found]}, not {names}") from error
        return found


def find(on, query):
    """The newest trace that a query finds."""
    status, body = on.filigree.get("/api/v1/traces?" + urllib.parse.urlencode({"q": query}))
    assert status == 200, (status, body)
    traces = json.loads(body)["traces"]
    return traces[0]["trace_id"] if traces else None


def attributes(span):
    return {one["key"]: next(iter(one["value"].values())) for one in span.get("attributes", [])}


def one(spans, name):
    found = [span for span in spans if span["name"] == name]
    assert len(found) == 1, f"{name}: {len(found)} of {[span['name'] for span in spans]}"
    return found[0]


def case_clicks():
    """an order is clicked through; each click is a trace that begins in the page and says what the page shows"""
    on = Stage.get()
    order = driver.click_through(on.shop, on.mes, random.Random(1))
    trace, _, _ = on.sent("POST", "/orders")
    spans = on.spans(trace, "place order", "POST", "PUT")
    click, create, upload = one(spans, "place order"), one(spans, "POST"), one(spans, "PUT")
    assert not click.get("parentSpanId") and create["parentSpanId"] == click["spanId"] == upload["parentSpanId"], spans
    assert create["kind"] == CLIENT and attributes(create)["url.full"].endswith("/orders"), attributes(create)
    assert attributes(click)["order.id"] == order and attributes(upload)["order.id"] == order, attributes(click)
    assert attributes(click)["order.status.shown"] == "MODEL_UPLOADED" and attributes(click)["order.version.shown"] == "2", attributes(click)
    _, parent, headers = on.sent("PUT", f"/orders/{order}/model")
    assert parent == upload["spanId"] and headers["baggage"] == f"order.id={order}", headers

    clicks = [("submit", "submit order", "shop-page", "SUBMITTED"), ("approve", "approve order", "shop-page", "MANUFACTURING_APPROVED"),
              ("start", "start order", "mes-page", "MANUFACTURING_STARTED"), ("finish", "finish order", "mes-page", "MANUFACTURING_COMPLETED"),
              ("pack", "pack order", "mes-page", "PACKAGING"), ("ship", "ship order", "mes-page", "SHIPPED"), ("close", "close order", "shop-page", "CLOSED")]
    traces = set()
    for path, name, service, status in clicks:
        trace, parent, headers = on.sent("POST", f"/orders/{order}/{path}")
        traces.add(trace)
        spans = on.spans(trace, name, "POST")
        click, post = one(spans, name), one(spans, "POST")
        assert parent == post["spanId"] and post["parentSpanId"] == click["spanId"] and not click.get("parentSpanId"), spans
        assert headers["baggage"] == f"order.id={order}" and all(attributes(span)["order.id"] == order for span in spans), spans
        assert attributes(click)["order.status.shown"] == status, (name, attributes(click))
        assert click.get("status", {}).get("code", 0) == 0, click
        resource = on.filigree.trace(trace)["resourceSpans"][0]["resource"]
        assert attributes(resource)["service.name"] == service, attributes(resource)
        assert attributes(resource)["telemetry.sdk.language"] == "webjs", "by which a page is known as a page"
    assert len(traces) == len(clicks), "clicks share a trace"
    # The price came while the page was looked at: the page says so by itself.
    found = harness.wait_until(lambda: find(on, 'name="show order" order.status.shown=PRICE_CALCULATED'), "a span of what changed meanwhile")
    assert attributes(one(on.spans(found, "show order"), "show order"))["order.id"] == order
    harness.wait_until(lambda: on.company.polls > 5, "both pages have looked several times")
    assert on.company.polls_about == 0, on.company.polls_about
    complaints = on.shop.browser.complaints + on.mes.browser.complaints
    assert not complaints, complaints


def case_script_error():
    """a script error in a click becomes a span with its exception, under the click and with the order's number"""
    on = Stage.get()
    order = driver.place(on.shop, "Ada", "ring")
    on.company.faults = ["script_error"]
    on.shop.browser.click("[data-action='submit order']")
    on.shop.browser.wait_text("Something in this page failed")
    on.shop.idle()
    assert on.company.orders[order]["status"] == "MODEL_UPLOADED", "the click did its work all the same"
    trace = harness.wait_until(lambda: find(on, 'name="script error"'), "the error's trace")
    spans = on.spans(trace, "script error", "submit order")
    error, click = one(spans, "script error"), one(spans, "submit order")
    assert error["parentSpanId"] == click["spanId"] and attributes(error)["order.id"] == order, error
    assert error["status"]["code"] == 2 and attributes(error)["error.type"] == "TypeError", error
    event = error["events"][0]
    assert event["name"] == "exception" and attributes(event)["exception.type"] == "TypeError" and "assets/" in attributes(event)["exception.stacktrace"], event
    on.company.faults = []
    on.shop.do(order, "submit order", "PRICE_CALCULATED")


def case_clicks_again():
    """whose click failed in the page clicks again; once the page is healed the order goes on, and was sent once"""
    on = Stage.get()
    order = driver.place(on.shop, "Ada", "ring")
    on.company.faults = ["script_error"]

    def heal():
        harness.wait_until(lambda: find(on, f'name="script error" order.id={order}'), "the click failed")
        on.company.faults = []
    healer = threading.Thread(target=heal)
    healer.start()
    on.shop.do(order, "submit order", "PRICE_CALCULATED")
    healer.join()
    assert on.company.faults == [], "the click was to fail first"
    submits = [one for one in on.company.requests if one[2] == f"/orders/{order}/submit"]
    assert len(submits) == 1, submits


def case_stale_status():
    """with the fault stale_status the page shows another status than the server's, and its spans say so"""
    on = Stage.get()
    order = driver.place(on.shop, "Ada", "ring")
    on.company.faults = ["stale_status"]
    on.shop.browser.click("[data-action='submit order']")
    on.shop.idle()
    harness.wait_until(lambda: on.company.orders[order]["status"] == "PRICE_CALCULATED", "the server has it")
    assert on.shop.status() == "MODEL_UPLOADED", on.shop.status()
    trace, _, _ = on.sent("POST", f"/orders/{order}/submit")
    click = attributes(one(on.spans(trace, "submit order"), "submit order"))
    assert click["order.status.shown"] == "MODEL_UPLOADED" and click["order.version.shown"] == "2", click
    on.shop.open(order)
    trace, _, _ = on.sent("GET", f"/orders/{order}")
    assert attributes(one(on.spans(trace, "open order"), "open order"))["order.status.shown"] == "MODEL_UPLOADED"
    on.company.faults = []
    on.shop.see(order, "PRICE_CALCULATED")


def case_file():
    """a model of one's own goes up as it is"""
    on = Stage.get()
    with tempfile.NamedTemporaryFile(suffix=".stl") as file:
        model = subprocess.run([sys.executable, os.path.join(DEMO, "stl.py"), "bangle", "12"], stdout=subprocess.PIPE, check=True).stdout
        file.write(model)
        file.flush()
        call = on.shop.browser.call
        node = call("DOM.querySelector", nodeId=call("DOM.getDocument")["root"]["nodeId"], selector="[name=model]")["nodeId"]
        call("DOM.setFileInputFiles", nodeId=node, files=[file.name])
        order = driver.place(on.shop, "Ada", "ring")
    assert [one[3] for one in on.company.requests if one[2] == f"/orders/{order}/model"] == [model]


def case_refusals():
    """what the server refuses, or a server that is away, is a sentence on the page and no script error"""
    on = Stage.get()
    order = driver.place(on.shop, "Ada", "ring")
    on.company.orders[order]["status"] = "CANCELLED"
    on.shop.browser.click("[data-action='submit order']")
    on.shop.browser.wait_text(f"{order} is CANCELLED")
    trace, _, _ = on.sent("POST", f"/orders/{order}/submit")
    assert one(on.spans(trace, "submit order"), "submit order").get("status", {}).get("code", 0) == 0, "a refusal is no failure of the page"
    second = driver.place(on.shop, "Ada", "ring")
    on.company.trouble = lambda api, method, path: 503 if method == "POST" else None
    on.shop.browser.click("[data-action='submit order']")
    on.shop.browser.wait_text("told to fail")
    trace, _, _ = on.sent("POST", f"/orders/{second}/submit")
    assert one(on.spans(trace, "submit order"), "submit order")["status"]["code"] == 2


def case_looks():
    """light and dark, wide and narrow, nothing is cut off and nothing is complained of"""
    on = Stage.get()
    for customer in ("Ada", "Barbara", "Katherine with quite a long name, as some have"):
        driver.place(on.shop, customer, "twist")
    for theme in ("light", "dark"):
        for width in (1280, 390):
            for name, page in (("shop", on.shop), ("mes", on.mes)):
                page.browser.size(width, 900, theme)
                assert page.run("document.documentElement.scrollWidth") <= width, f"{name} at {width} scrolls sideways"
                assert page.run("[...document.querySelectorAll('.scroll')].every((one) => one.scrollWidth <= one.clientWidth)"), f"{name}'s list at {width} is cut off"
                if os.environ.get("PICTURES"):
                    page.browser.picture(os.path.join(os.environ["PICTURES"], f"{name}-{theme}-{width}.png"))


def case_folders():
    """a browser leaves no folder behind, and clears away those of processes that were killed"""
    on = Stage.get()
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    parent = os.environ.get("TMPDIR") or "/var/tmp"
    left = os.path.join(parent, f"filigree-chromium-{gone.pid}-left")
    os.makedirs(os.path.join(left, "Default"))
    with contextlib.closing(driver.chromium.Browser(driver.chromium.find())) as another:
        assert not os.path.exists(left), "the folder of a process that is gone stays"
        assert os.path.exists(on.shop.browser.folder), "the folder of a browser that runs is removed"
        another.open(on.company.shop)
    assert not os.path.exists(another.folder), "its own folder stays"


def case_types():
    """the pages' TypeScript has no complaint of its compiler"""
    Stage.get()
    done = subprocess.run(["npm", "run", "--silent", "check"], cwd=os.path.join(DEMO, "pages"), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


if __name__ == "__main__":
    with Stage.stack:
        STATUS = harness.main(globals())
    sys.exit(STATUS)
