#!/usr/bin/env python3
"""journeys.py FILIGREE [CASE...]: the front page, the board and an order's page in a real Chromium, over a real server with a flow.

Skipped by name where Chromium is not installed, or where the server was built without the pages. With PICTURES=FOLDER
in the environment each page is also pictured: 1440 and 390 px wide, light and dark.
"""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
import orders  # noqa: E402
from harness import Server  # noqa: E402
from stage import Stage  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDER = tempfile.mkdtemp(prefix="filigree-orders-", dir=os.environ.get("TMPDIR") or "/var/tmp")
FLOW = os.path.join(FOLDER, "order.yaml")
with open(FLOW, "w", encoding="utf-8") as file:
    file.write(orders.FLOW)
SERVER = Server(options=["--flows", FLOW])
STAGE = Stage(SERVER)
browser, show, pictures = STAGE.browser, STAGE.show, STAGE.pictures
ORDERS = orders.Orders(SERVER)
place, submit = ORDERS.place, ORDERS.submit


def read_text(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def runs_of(text):
    """Three words in a row, or all where there are fewer."""
    words = text.replace('"', '\\"').split()
    return [" ".join(words[at:at + 3]) for at in range(max(1, len(words) - 2))] if len(words) > 1 or re.search("[a-z]{2}", text) else []


def said_by_rules():
    """The sentences and parts of such in the sources of the rules."""
    for name in ("rule_failed", "rule_silence", "rule_watch", "decide", "schema"):
        text = re.sub(r"/\*.*?\*/", "", read_text(os.path.join(ROOT, "src", "journey", f"{name}.c")), flags=re.S)
        text = re.sub(r"\*const (words|full)\[\] = \{.*?\};|\} database_(says|codes)\[\] = \{.*?\};", "", text, flags=re.S)  # what senders say
        text = re.sub(r"fg_case_says\([^;{]*?\)", "", text)
        text = re.sub(r'"\s*\n\s*"', "", text)
        if name == "schema":  # which also says what is wrong with the schema's own file
            text = "\n".join(re.findall(r"complain\([^;]*;", text))
        for said in re.findall(r'"((?:[^"\\]|\\.)*)"', text):
            if re.search("[a-z]{2,} [a-z]{2,}", said):
                yield said.replace('\\"', '"')


# -- Cases, in the order of a visit


def case_front():
    """The front page counts orders by state, and tells what is wrong right now, the largest first."""
    SERVER.start()
    page = show("/")
    page.wait_text("No traces yet")
    ORDERS.send_all()
    page.wait_text("Wrong right now")
    page.wait("[...document.querySelectorAll('.counts b')].map((one) => one.textContent).join() === '4,7,0,9,2,20,1'", "the counts by state")
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
    wide, tall = page.run("[document.querySelector('.verdict').getBoundingClientRect().width / innerWidth,"
                          " Math.min(...[...document.querySelectorAll('.route > li > .box')].map((one) => one.getBoundingClientRect().height))]")
    assert wide > 0.95 and tall > 36, "styles of other pages reach this one"
    pictures("order", "/order/order.id/ORD-300", "Broken in mes-api")
    show("/")
    page.wait_text("Asked lately: ORD-300")


def case_route():
    """The broken place is marked in the route, each box and bar opens its span, steps tell what was reached."""
    page = show("/order/order.id/ORD-300")
    page.wait_text("Where it went")
    page.wait("document.querySelectorAll('.lane .lab bdi').length === 6 && document.querySelectorAll('.bars .q').length === 1", "what its traces say is there")
    names = page.run("[...document.querySelectorAll('.route > li > .box bdi')].map((one) => one.textContent).join()")
    assert names == "shop-page,shop-api,crm-api,mes.orders,mes-api", names
    assert page.run("document.querySelectorAll('.box.bad').length") == 1
    assert "taken in vain 1 ×" in page.run("document.querySelector('.box.k-broker').textContent")
    cells = page.run("[...document.querySelectorAll('.queues tbody tr')].map((row) => [...row.cells].slice(0, 7).map((cell) => cell.innerText.trim()).join(' '))")
    assert cells == ["mes.orders 1 0 0 0 1 0"], cells
    assert "mes-api" in page.run("document.querySelector('.box.bad').textContent")
    colours = page.run("['.route .box.bad', '.verdict h1 .is-broken, .verdict .is-broken', '.route .box:not(.bad)'].map((one) => getComputedStyle(document.querySelector(one)).color)")
    assert colours[0] == colours[1] != colours[2], f"the broken place has the colour of its state: {colours}"
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
    """Evidence opens the span that it rests on, a count what was counted; neighbours are counted and listed."""
    page = show("/order/order.id/ORD-403")
    page.wait_text("reads nothing from mes.orders any more")
    page.wait_text("6 other orders stopped here")
    assert "Nothing failed on the order itself: it goes on when this place is well again." in page.text()
    page.run("[...document.querySelectorAll('.ev a')].find((one) => one.textContent === 'Span').click()")
    page.wait_text("publish mes.orders")
    show("/order/order.id/ORD-403")
    page.wait_text("others stand at the same step")
    page.run("[...document.querySelectorAll('.ev tr')].find((one) => one.textContent.includes('others stand')).querySelector('a').click()")
    page.wait("location.pathname === '/search' && document.querySelectorAll('a[href^=\"/trace/\"]').length > 0", "what was counted is found")
    query = page.run("new URLSearchParams(location.search).get('q')")
    assert "service:" in query and "range=all" in page.run("location.search"), query
    show("/order/order.id/ORD-403")
    page.wait_text("Show them")
    page.run("[...document.querySelectorAll('.head a')].find((one) => one.textContent === 'Show them').click()")
    page.wait("document.querySelectorAll('.orders tbody tr').length === 7", "the board lists all seven")


def case_waiting():
    """Who waits for a person is not stuck: it says for whom, and since when."""
    page = show("/order/order.id/ORD-203")
    page.wait_text("Waits for seller since")
    page.wait("document.querySelectorAll('.bars .h').length === 1", "the time that a person takes is drawn")
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
    page.wait("document.querySelector('.hot-stuck a') !== null", "the orders by step and state")
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
    here = page.run("location.href")
    page.run("history.back()")
    page.wait(f"location.href !== {json.dumps(here)}", "back")
    show("/board?state=nonsense&limit=-3&cause=died")
    page.wait("document.querySelectorAll('.orders tbody tr').length === 1", "what is nonsense in an address is left out")


def case_meant():
    """A number as it is typed from a letter, with other cases and blanks, is not known; what is known and looks so is named."""
    page = show("/order/order.id/%20ord-300")
    page.wait_text("Did you mean ORD-300 by order.id?")
    page.click(".meant a")
    page.wait_text("Broken in mes-api since")


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
    STAGE.language("ru")
    page.wait_text("Где мой заказ?")
    page.wait_text("3 причины: остановлено 12 из 24 открытых заказов")
    show("/order/order.id/ORD-300")
    page.wait_text("Сломан: mes-api с")
    STAGE.language("en")


def case_recovered():
    """An order that went on says what it got over, and from when to when; one that stands names its incident, and whether it goes on by itself."""
    place("ORD-850", 9, fault=True)
    page = show("/order/order.id/ORD-850")
    page.wait_text("The order goes on once the failed work is done again")
    page.wait("[...document.querySelectorAll('.facts dt')].some((one) => one.textContent === 'Incident' && one.nextSibling.textContent.includes('nobody yet'))", "its incident")
    place("ORD-850", 2)
    page.wait_text("It got over this: the database shop-db of shop-api refused a connection: its limit is reached, from")
    page.wait("!document.querySelector('.facts')", "the incident is no longer its own")
    show("/order/order.id/ORD-403")
    page.wait_text("The order goes on by itself.")


def case_russian_verdicts():
    """Whatever the state, an order's page says what is wrong, on what that rests and what to do in Russian; a sender's words stay as they are."""
    page = browser()
    STAGE.language("ru")
    russian = "[...document.querySelectorAll('.verdict h1 bdi, .todo p:first-of-type, .got-over > bdi, .ev td:first-child')].map((one) => one.textContent)"
    for order, words in (("ORD-300", "процесс mes-api умер во время price.calculate"), ("ORD-403", "сервис mes-api"),
                         ("ORD-500", "база данных shop-db отказала shop-api в соединении: их предел исчерпан"), ("ORD-203", "Спросите: продавец"),
                         ("ORD-850", "Это уже позади: база данных shop-db отказала shop-api")):
        show(f"/order/order.id/{order}")
        page.wait_text(words)
        for said in page.run(russian):
            assert re.search("[а-яё]", said) or ": " in said, f"{order}: {said}"
    show("/board?cause=died")
    page.wait_text("процесс mes-api умер во время price.calculate")
    STAGE.language("en")


def case_labels():
    """A step's label stands in the page's language where the flow gives it: in the steps, in sentences, on board, front page and the flows' page; else as it is."""
    page = browser()
    steps = "[...document.querySelectorAll('.steps b')].map((one) => one.textContent.trim()).join()"
    show("/order/order.id/ORD-203")
    page.wait(f"{steps} === '1. Order placed,2. Submitted,3. Price computed,4. Approved by the seller,5. Shipped'", "in English")
    STAGE.language("ru")
    show("/order/order.id/ORD-203")
    page.wait(f"{steps} === '1. Order placed,2. Submitted,3. Цена посчитана,4. Одобрен продавцом,5. Shipped'", "in Russian, where there is one")
    assert "seller" not in page.text() and "Ждёт: продавец" in page.text(), page.text()
    show("/board")
    page.wait_text("Цена посчитана")
    page.wait_text("продавец")
    assert "Price computed" not in page.text() and "seller" not in page.text()
    show("/")
    page.wait_text("Одобрен продавцом")
    assert "Approved by the seller" not in page.text()
    show("/flows")
    page.wait_text("Цена посчитана")
    STAGE.language("en")


def case_catalogue():
    """Each sentence that a rule may say has its Russian in the catalogue, with the same names in it."""
    text = re.search(r"export const verdictRu.*", read_text(os.path.join(ROOT, "ui", "src", "words_verdict.ts")), re.S).group(0)
    string = r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
    pairs = [(english[1:-1], own[1:-1]) for english, own in re.findall(r"\[" + string + r",\s*" + string + r"\]", text)]
    assert len(pairs) > 90, len(pairs)
    for english, own in pairs:
        assert re.search("[а-яё]", own), own
        assert set(re.findall(r"\{(\d)", own)) <= set(re.findall(r"\{(\d)", english)), (english, own)
    sources = re.sub(r'"\s*\n\s*"', "", "".join(read_text(path) for path in glob.glob(os.path.join(ROOT, "src", "[jm]o*", "*.c"))))
    stale = [english for english, _ in pairs if not any(run in sources for part in re.split(r"\{\d\w?\}", english) for run in runs_of(part))]
    assert not stale, stale
    known = [re.sub(r"\{\d\w?\}", "\0", english) for english, _ in pairs]
    missing = []
    for said in said_by_rules():
        parts = [re.escape(part) for part in re.split(r"%[.*]*[a-z]", said)]
        if not any(re.search(".*?".join(parts), one, re.S) for one in known):
            missing.append(said)
    assert not missing, missing


def case_long():
    """A cause that is too long for a headline is cut, and ends once."""
    trace = orders.Trace(SERVER)
    trace.add("shop-api", "POST /" + "long/" * 60, 5, order="ORD-900", error="500")
    trace.send()
    page = show("/order/order.id/ORD-900")
    page.wait("document.querySelector('.verdict h1')?.textContent.includes('shop-api failed in POST /long/')", "its verdict")
    said = page.run("document.querySelector('.verdict h1').textContent")
    assert said.endswith("…") and len(said) < 300, said


def case_export_all():
    """All that fit are exported, not only those that are shown."""
    for number in range(110):
        place(f"MANY-{number}", 1)
    page = show("/board?state=flowing")
    page.wait("document.querySelectorAll('.orders tbody tr').length === 100 && document.querySelector('.board .head .dim').textContent.startsWith('100 of 11')", "a part of them is shown")
    page.run("""window.saved = new Promise((done) => { const old = URL.createObjectURL; URL.createObjectURL = (blob) => { blob.text().then(done); return old(blob); }; });
        [...document.querySelectorAll('button')].find((one) => one.textContent === 'Export CSV').click()""")
    assert sum(line.startswith("order.id,MANY-") for line in page.run("window.saved").split("\r\n")) == 110


def case_full():
    """Where a sender of a new key with each span has taken all the room, the front page says that no new order is followed, and why."""
    with Server(options=["--flows", FLOW, "--state-size", "16MiB", "--journeys-max", "4000"]) as server:
        server.start()
        page = Stage(server)
        page.show("/", "No traces yet")
        assert "No new order is followed" not in page.browser().text()
        flood = subprocess.Popen([harness.BINARY, "bench", "--target", f"127.0.0.1:{server.http}", "--duration", "600s", "--lookups", "0"],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            harness.wait_until(lambda: json.loads(server.get("/api/v1/board")[1]).get("full"), "there is no more room", 300)
        finally:
            flood.terminate()
            flood.wait(60)
        seen = page.show("/")
        seen.wait_text("No new order is followed: there is no room for more.")
        assert "Is a service sending a new key with each span?" in seen.text()
        page.language("ru")
        seen.wait_text("Новые заказы не отслеживаются: для них нет места.")
        page.close()


def case_complaints():
    """Neither the console nor the policy complained, but for the order that was not there."""
    page = browser()
    complaints = [one for one in page.complaints if "404" not in one or not re.search("ord-[83]00", one, re.I)]
    assert complaints == [], complaints


if __name__ == "__main__":
    try:
        with SERVER:
            CODE = harness.main(globals())
            STAGE.close()
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)
    sys.exit(CODE)
