#!/usr/bin/env python3
"""incidents.py FILIGREE [CASE...]: the pages of incidents and the scorecard in a real Chromium, over a real server with orders that
stopped (orders.py). Skipped by name where Chromium is not installed. PICTURES=FOLDER: stage.py.
"""
import datetime
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
import orders  # noqa: E402
from harness import BINARY, Server, wait_until  # noqa: E402
from stage import Stage  # noqa: E402

TODAY = datetime.datetime.now(datetime.timezone.utc).date()


def day(ago):
    """A day that may be asked for among the last ninety, whenever this runs."""
    return (TODAY - datetime.timedelta(days=ago)).isoformat()


FOLDER = tempfile.mkdtemp(prefix="filigree-incidents-", dir=os.environ.get("TMPDIR") or "/var/tmp")
FLOW, TABLE = os.path.join(FOLDER, "order.yaml"), os.path.join(FOLDER, "before.csv")
with open(FLOW, "w", encoding="utf-8") as file:
    file.write(orders.FLOW)
with open(TABLE, "w", encoding="utf-8") as file:
    file.write("opened,resolved,place,cause,orders,note\n"
               f"{day(86)}T08:10:00Z,{day(86)}T12:40:00Z,database/shop-db,connection_limit,41,restarted by hand\n"
               f"{day(68)},{day(67)},crm-api,the price list was old,ORD-1; ORD-2,\n")
SERVER = Server(options=["--flows", FLOW, "--owners", "database/shop-db=Data base team,*=On call"])


def incidents(query="?state=open"):
    return json.loads(SERVER.get("/api/v1/incidents" + query)[1])["incidents"]


def prepare():
    orders.Orders(SERVER).send_all()
    done = subprocess.run([BINARY, "incidents", "import", TABLE, "--server", f"http://127.0.0.1:{SERVER.api}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # One order after the other is judged, and counted then.
    wait_until(lambda: sorted(one["order_count"] for one in incidents()) == [1, 3, 7], "three incidents with their orders")


STAGE = Stage(SERVER, prepare)
browser, show, pictures = STAGE.browser, STAGE.show, STAGE.pictures
DATABASE = "The database shop-db of shop-api refused a connection"


def number_of(service):
    return next(one["id"] for one in incidents("") if one["place"]["service"] == service and not one["imported"])


def text_of(page):
    return page.text().replace("\u00a0", " ")


def press(page, text):
    """When the page is through with what was pressed before."""
    button = f"[...document.querySelectorAll('button')].find((one) => one.textContent === {json.dumps(text)})"
    page.wait(f"{button}?.disabled === false", f"{text} can be pressed")
    page.run(f"{button}.click()")


def fill(page, name, text):
    page.run(f"document.getElementById({json.dumps(name)}).focus()")
    page.type(text)


# -- Cases, in the order of a visit


def case_front():
    """The front page names the incident of each thing that is wrong, and leads to it."""
    page = show("/", "Wrong right now")
    page.wait("document.querySelectorAll('.inc a[href^=\"/incidents/\"]').length === 3", "three incidents are named")
    assert "nobody yet" in page.text()
    page.run("[...document.querySelectorAll('.inc')].find((one) => one.textContent.includes('shop-db')).querySelector('a[href^=\"/incidents/\"]').click()")
    page.wait_text(DATABASE)
    assert page.run("location.pathname") == f"/incidents/{number_of('shop-db')}"


def case_list():
    """Open ones with their orders and owner, those of before as a table with what they took."""
    page = show("/incidents", "Open now")
    page.wait("document.querySelectorAll('.inc').length === 3 && document.querySelectorAll('.over tbody tr').length === 2", "three open, two over")
    text = text_of(page)
    for words in ("Owner: Data base team", "Owner: On call", "3 still standing", "4 h 30 min", "The price list was old", "from before Filigree"):
        assert words in text, (words, text)
    assert page.run("[...document.querySelectorAll('.inc .cnt')].map((one) => parseInt(one.textContent)).sort().join()") == "1,3,7"
    pictures("incidents", "/incidents", "Open now")


def case_one():
    """One incident: what, where, since when, its orders, what happened; nobody looks after it yet."""
    page = show(f"/incidents/{number_of('shop-db')}", DATABASE)
    text = text_of(page)
    for words in ("connection limit reached", "Data base team", "nobody yet", "3 still standing", "Timeline", "Opened", "ORD-500", "ORD-502"):
        assert words in text, (words, text)
    assert page.run("document.querySelectorAll('.affected tbody tr').length") == 3
    pictures("incident", f"/incidents/{number_of('shop-db')}", DATABASE)


def case_deeds():
    """Without a name nothing is done; then it is looked after, noted and resolved, and a new order brings it back, without reloading."""
    browser()
    number = number_of("shop-db")
    page = show(f"/incidents/{number}", "I look after it")
    press(page, "I look after it")
    page.wait_text("Say who you are first.")
    fill(page, "by", "Ann")
    press(page, "I look after it")
    page.wait("document.querySelector('.verdict').classList.contains('wash-late')", "it is looked after")
    assert page.run("[...document.querySelectorAll('.verdict dd')].some((one) => one.textContent === 'Ann')")
    press(page, "Add the note")
    page.wait_text("Write the note first.")
    fill(page, "note", "limit <b>raised</b>")
    page.key("Enter", 13)
    page.wait("document.querySelector('.events').textContent.includes('limit <b>raised</b>')", "the note is in the timeline, as text")
    assert page.run("document.getElementById('note').value") == ""
    press(page, "It is over")
    page.wait("document.querySelector('.verdict').classList.contains('wash-done')", "it is over")
    assert "I look after it" not in page.text() and "It is over" not in page.text()
    assert [event["what"] for event in json.loads(SERVER.get(f"/api/v1/incidents/{number}")[1])["timeline"]] == ["opened", "acknowledged", "noted", "resolved"]
    orders.Orders(SERVER).place("ORD-510", 0.1, fault=True)  # it fails after the end
    page.wait("document.querySelector('.verdict').classList.contains('wash-broken')", "it came back")
    page.wait("document.querySelectorAll('.affected tbody tr').length === 4", "with its fourth order")
    assert "Came back" in page.text()


def case_over():
    """One of before: its orders are listed and lead on; nothing in it moves."""
    browser()
    number = next(one["id"] for one in incidents(f"?state=resolved&end={day(57)}") if one["place"]["service"] == "crm-api")
    page = show(f"/incidents/{number}", "The price list was old")
    assert page.run("[...document.querySelectorAll('.affected a')].map((one) => one.getAttribute('href')).join()") == "/order/ORD-1,/order/ORD-2"
    assert "from before Filigree" in page.text() and "1 d" in text_of(page)
    show("/incidents/99999", "There is no incident 99999.")
    show("/incidents/what%3F", "There is no incident what?.")


def case_scorecard():
    """Each measure with its target and what it rests on; a date parts before from after, and stands in the address."""
    page = show("/scorecard", "What Filigree is there to improve")
    page.wait("document.querySelectorAll('.score tbody tr').length === 7", "seven measures")
    rows = page.run("[...document.querySelectorAll('.score tbody tr')].map((one) => one.innerText.replace(/\\s+/g, ' '))")
    assert "Orders that complete" in rows[1] and "62.5" in rows[1] and "0 / 32 orders" in rows[1] and "Not known" in rows[1], rows
    assert "Time to resolve an incident" in rows[0] and "incident" in rows[0], rows
    assert "at least 0.85" in rows[6], rows
    page.wait("document.querySelectorAll('.courses .ch-line').length >= 2", "the courses are drawn")
    page.wait("[...document.querySelectorAll('.score-service button')].some((one) => one.textContent.includes('shop-api'))", "the services")
    page.run("[...document.querySelectorAll('.score-service button')].find((one) => one.textContent.includes('shop-api')).click()")
    page.wait_text("Where the time of a request goes")
    assert "INSERT orders" in page.text()
    page.run("[...document.querySelectorAll('.ranges button')].find((one) => one.textContent.includes('90')).click()")
    page.wait("location.search === '?days=90' && document.querySelector('.score tbody tr').innerText.includes('few')", "the incidents of 90 days, which are few")
    show(f"/scorecard?before={day(78)}", "Time to resolve an incident")
    page.wait("document.querySelector('.score tbody tr').innerText.replace(/\\u00a0/g, ' ').includes('4 h 30 min')", "what it took before that day")
    assert page.run("document.querySelector('input[type=date]').value") == day(78)
    pictures("scorecard", f"/scorecard?before={day(78)}", "Time to resolve an incident",
             lambda page: page.run("document.querySelector('.score-service button')?.click()"))


def case_phone():
    """Nothing goes beyond a phone's edge."""
    page = browser()
    page.size(390, 844)
    for path, ready in (("/incidents", "Open now"), (f"/incidents/{number_of('shop-db')}", "Timeline"), (f"/scorecard?before={day(78)}", "Time to resolve")):
        show(path, ready)
        beyond = page.run("[...document.querySelectorAll('main *')].filter((one) => one.getBoundingClientRect().right > 391 && getComputedStyle(one).clipPath === 'none')"
                          ".map((one) => one.tagName + '.' + one.className).slice(0, 5).join()")
        assert beyond == "", (path, beyond)
    page.size(1440, 900)


def case_russian():
    """In Russian, with its plurals."""
    page = show("/incidents", "Open now")
    STAGE.language("ru")
    page.wait_text("Открыты сейчас")
    page.wait_text("3 инцидента")
    show("/scorecard", "Что Filigree должен улучшить")
    page.wait_text("Время до решения инцидента")
    STAGE.language("en")


def case_complaints():
    """Neither the console nor the policy complained, but for the incidents that were not there."""
    complaints = [one for one in browser().complaints if "404" not in one]
    assert complaints == [], complaints


if __name__ == "__main__":
    try:
        with SERVER:
            CODE = harness.main(globals())
            STAGE.close()
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)
    sys.exit(CODE)
