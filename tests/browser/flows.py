#!/usr/bin/env python3
"""flows.py FILIGREE [CASE...]: the page of flows in a real Chromium: what was learned beside what is declared, marked, accepted and
withdrawn. Skipped by name where Chromium is not installed. PICTURES=FOLDER: stage.py.
"""
import json
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import axe  # noqa: E402
import harness  # noqa: E402
from completed import complete, fail  # noqa: E402
from harness import Server, wait_until  # noqa: E402
from stage import Stage  # noqa: E402

FOLDER = tempfile.mkdtemp(prefix="filigree-flows-", dir=os.environ.get("TMPDIR") or "/var/tmp")
FLOW = os.path.join(FOLDER, "order.yaml")
with open(FLOW, "w", encoding="utf-8") as file:
    file.write("""flows:
  - name: order
    key: order.id
    steps:
      - {name: placed, label: Order placed, when: 'service:shop name="POST \\"/orders\\""'}
      - {name: checked, label: Checked by hand, when: 'service:mes name=check', within: 1h}
      - {name: priced, label: Priced, when: 'service:mes name=price', after: [placed, checked], within: 10m}
      - {name: shipped, label: Shipped, when: 'service:mes name=ship', ends: done}
""")
SERVER = Server(options=["--flows", FLOW, "--journey-keys", "payment.id"])


def flow(key="order.id"):
    return next(one for one in json.loads(SERVER.get("/api/v1/flows")[1])["flows"] if one["key"] == key)


def prepare():
    complete(SERVER, 60)
    wait_until(lambda: SERVER.get("/api/v1/flows")[0] == 200, "orders are followed")
    wait_until(lambda: flow()["journeys"] == 60, "orders are learned from")


STAGE = Stage(SERVER, prepare)
browser, show, pictures = STAGE.browser, STAGE.show, STAGE.pictures


def text_of(page):
    return page.text().replace("\u00a0", " ").replace("\u202f", " ")


def row(page, label):
    return page.run(f"[...document.querySelectorAll('.flow-steps tbody tr')].find((one) => one.textContent.startsWith({json.dumps(label)}))"
                    ".innerText.replace(/\\s+/g, ' ')")


def press(page, text):
    """When the page is through with what was pressed before."""
    button = f"[...document.querySelectorAll('main button')].find((one) => one.textContent === {json.dumps(text)})"
    page.wait(f"{button}?.disabled === false", f"{text} can be pressed")
    page.run(f"{button}.click()")


def case_page():
    """What was learned stands beside what is declared; each difference is said."""
    page = show("/flows", "Shipped")
    assert page.run("document.querySelector('nav a[aria-current]').textContent") == "Flows"
    text = text_of(page)
    for words in ("declared", "learned from 60 completed orders", "0 completed so far; something can be learned from 30 on."):
        assert words in text, (words, text)
    assert "it allows far more than orders take" in row(page, "Priced") and "10 min" in row(page, "Priced"), row(page, "Priced")
    assert "many orders pass it by" in row(page, "Checked by hand"), row(page, "Checked by hand")
    assert "learned" in row(page, "Shipped") and "no deadline is declared" in row(page, "Shipped"), row(page, "Shipped")
    pictures("flows", "/flows", "Shipped")


def case_accept():
    """Without a name nothing is accepted; then all that has no deadline is, one that is declared by its own button, and all is withdrawn."""
    page = show("/flows", "Accept what is proposed")
    press(page, "Accept what is proposed")
    page.wait_text("Say who you are first.")
    page.run("document.querySelector('.flow input').focus()")
    page.type("Ann")
    press(page, "Accept what is proposed")
    page.wait_text("Accepted by Ann")
    page.wait("![...document.querySelectorAll('main button')].some((one) => one.textContent === 'Accept what is proposed')", "it is no more offered")
    assert flow()["accepted_by"] == "Ann"
    wait_until(lambda: not flow()["steps"][3]["provisional"] and flow()["steps"][2]["within_ns"] == 600 * 10**9, "it is in force")
    page.wait("document.querySelector('button[aria-label=\"Accept the proposed deadline of Priced\"]')?.disabled === false", "its button")
    page.run("document.querySelector('button[aria-label=\"Accept the proposed deadline of Priced\"]').click()")
    wait_until(lambda: flow()["steps"][2]["within_ns"] < 60 * 10**9, "the declared deadline is replaced by a tighter one")
    press(page, "Withdraw what was accepted")
    page.wait("!document.querySelector('main').textContent.includes('Accepted by')", "all is withdrawn")
    wait_until(lambda: flow()["steps"][3]["provisional"] and flow()["steps"][2]["within_ns"] == 600 * 10**9, "as before")


def case_yaml():
    """The proposal as YAML can be opened and read."""
    page = show("/flows", "As YAML")
    page.run("document.querySelector('.flow summary').click()")
    page.wait("document.querySelector('.yaml').textContent.includes('within: 16s')", "the learned deadline stands in it")


def case_front():
    """Where no order is known the front page says what may name them."""
    with Server(options=["--journey-keys", "nothing.id"]) as other:
        other.start()
        complete(other, 60)
        page = browser()
        page.open(f"http://127.0.0.1:{other.api}/")
        page.wait_text("What may name your orders")
        text = text_of(page)
        assert "journey-keys: order.id" in text and "60 different values" in text, text
        assert axe.violations(page, "light") == []
        show("/flows", "Shipped")  # away from a server that ends


def case_common():
    """The board and the incident say what orders that failed have in common."""
    browser()
    fail(SERVER, 8)
    wait_until(lambda: (told := json.loads(SERVER.get("/api/v1/common?state=broken")[1]))["facets"] and told["count"] == 8, "the version is found, in all of them")
    page = show("/board?state=broken", "What those that stopped have in common")
    assert "2.0.1 version, mes 8 of 8 that stopped, 0 of" in page.run("document.querySelector('.common').innerText.replace(/\\s+/g, ' ')")
    incident = wait_until(lambda: [one["id"] for one in json.loads(SERVER.get("/api/v1/incidents?state=open")[1])["incidents"]], "there is an incident")[0]
    show(f"/incidents/{incident}", "What those that stopped have in common")
    assert axe.violations(page, "light") == []
    pictures("common", "/board?state=broken", "What those that stopped have in common")


def case_phone():
    """Nothing goes beyond a phone's edge."""
    page = browser()
    page.size(390, 844)
    show("/flows", "Shipped")
    beyond = page.run("[...document.querySelectorAll('main *')].filter((one) => one.getBoundingClientRect().right > 391 && getComputedStyle(one).clipPath === 'none')"
                      ".map((one) => one.tagName + '.' + one.className).slice(0, 5).join()")
    assert beyond == "", beyond
    page.size(1440, 900)


def case_russian():
    """In Russian, with its plurals."""
    page = show("/flows", "Shipped")
    STAGE.language("ru")
    page.wait_text("Путь, которым идут заказы")
    page.wait_text("60 завершённым заказам")
    STAGE.language("en")


def case_complaints():
    """Neither the console nor the policy complained."""
    assert browser().complaints == [], browser().complaints


if __name__ == "__main__":
    try:
        with SERVER:
            CODE = harness.main(globals())
            STAGE.close()
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)
    sys.exit(CODE)
