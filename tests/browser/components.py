#!/usr/bin/env python3
"""components.py FILIGREE [CASE...]: the components' page in a real Chromium, over a real server that watches real little servers.

Skipped by name where Chromium is not installed, or where the server was built without the pages. With PICTURES=FOLDER
in the environment the page is also pictured: 1440 and 390 px wide, light and dark.
"""
import json
import os
import re
import shutil
import socket
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from harness import Server  # noqa: E402
from stage import PICTURES, Stage  # noqa: E402

FOLDER = tempfile.mkdtemp(prefix="filigree-components-", dir=os.environ.get("TMPDIR") or "/var/tmp")
FILE = os.path.join(FOLDER, "monitors.yaml")
WELL = socket.create_server(("127.0.0.1", 0))
GONE = harness.free_port()
with open(FILE, "w", encoding="ascii") as file:
    file.write(f"""monitors:
  - {{name: shop-db, kind: tcp, host: 127.0.0.1, port: {WELL.getsockname()[1]}, interval: 1s, service: shop-db}}
  - {{name: mes-db, kind: tcp, host: 127.0.0.1, port: {GONE}, interval: 1s}}
  - {{name: ledger, kind: process, process-name: no-such-program, interval: 1s}}
  - {{name: legacy, kind: tcp, host: nowhere.invalid, port: 80, interval: 1s}}
""")
# What a monitor of each kind needs; what all have, with the names that the form asks for above.
KINDS = {"tcp": ["host", "port"], "tls": ["host"], "dns": ["query"], "http": ["url"], "postgresql": ["host"], "rabbitmq": ["url"],
         "s3": ["url", "bucket", "access-key", "secret-key-file"], "process": ["process-name"]}
COMMON = {"name", "kind", "service", "interval", "time-limit", "confirm", "tenant", "paused"}
MONITOR_SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "src", "monitor")


def keys_of(kind):
    """The settings that the parser of a kind asks for, by its source."""
    with open(os.path.join(MONITOR_SOURCES, f"kind_{kind}.c"), encoding="utf-8") as text:
        source = text.read()
    asked = re.findall(r'(\w+)\((?:\w+->)?settings,\s*"([a-z0-9-]+)"', source)
    secrets = {key for call, key in asked if call == "fg_check_secret"}
    plain = {key for call, key in asked if call not in ("fg_check_secret", "fg_check_complain")}
    return plain | {f"{one}-{how}" for one in secrets for how in ("file", "env")} | ({"host"} if "fg_transfer_host(" in source else set())


def calls_of(source, name):
    """The arguments of each call of a function, as text: strings side by side are one."""
    for match in re.finditer(rf"\b{name}\(", source):
        parts, depth = [], 1
        for token in re.finditer(r'"(?:[^"\\]|\\.)*"|/\*.*?\*/|.', source[match.end():], re.S):
            text = token.group(0)
            depth += (text == "(") - (text == ")")
            if depth == 0:
                break
            parts.append("" if text.startswith("/*") else text)
        yield re.sub(r'"\s*\n?\s*"', "", "".join(parts))


def forms_of_checks():
    """What checks may find, each with {1} to {9} in the place of its parts; and the parts that are words of theirs."""
    forms, parts = set(), set()
    for name in sorted(os.listdir(MONITOR_SOURCES)):
        if not name.endswith(".c"):
            continue
        with open(os.path.join(MONITOR_SOURCES, name), encoding="utf-8") as text:
            source = text.read()
        for arguments in calls_of(source, "fg_check_finding"):
            strings = [one.replace('\\"', '"') for one in re.findall(r'"((?:[^"\\]|\\.)*)"', arguments.split("false," if "false," in arguments else "true,", 1)[-1])]
            found = [one for one in strings if "%" in one or re.search("[a-z]+ [a-z]+", one)]
            if not found or "const char *format" in arguments:
                continue
            is_choice = re.search(r"\?\s*\"", arguments.split(found[0])[0][-6:]) is not None
            for one in found if is_choice else found[:1]:
                numbers = iter(range(1, 10))
                forms.add(re.sub(r"%[-+ #0-9.*lz]*[diuxscfge]", lambda _, numbers=numbers: f"{{{next(numbers)}}}", one).replace("%%", "%"))
        for call in ("fg_pg_ask", "fg_rabbit_get", "fg_rabbit_not_understood", "fg_web_report_failure", "fg_s3_report", "judge_rate"):
            parts |= {found for arguments in calls_of(source, call) for found in re.findall(r'^[^,]*,\s*"([a-zA-Z\' ]+)"', arguments)}
    return forms, parts


SERVER = Server(options=["--monitors", FILE])
STAGE = Stage(SERVER)
browser, show, pictures = STAGE.browser, STAGE.show, STAGE.pictures


def monitors():
    answer = json.loads(SERVER.request("GET", "/api/v1/monitors")[2])
    return {one["name"]: one for one in answer.get("monitors", [])}


def send_calls():
    """Calls of shop-api to a database that nobody watches."""
    now = time.time_ns()
    attributes = {"db.system.name": "postgresql", "db.namespace": "crm", "server.address": "crm-db.internal"}
    spans = [{"traceId": harness.new_trace_id(), "spanId": f"{1 + i:016x}", "name": "SELECT clients", "kind": 3, "startTimeUnixNano": str(now - 10**9),
              "endTimeUnixNano": str(now), "attributes": [{"key": key, "value": {"stringValue": text}} for key, text in attributes.items()]
              + [{"key": "server.port", "value": {"intValue": "5432"}}]} for i in range(7)]
    body = {"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop-api"}}]}, "scopeSpans": [{"spans": spans}]}]}
    status, _, answer = SERVER.send(json.dumps(body).encode(), "application/json")
    assert status == 200, answer


def case_1_states():
    """What is down stands first, with its cause and since when; what can't be seen is not called down"""
    harness.wait_until(lambda: len(monitors()) == 4 and all(not one["is_new"] for one in monitors().values()), "each was believed something")
    page = show("/components")
    page.wait_text("2 down, 1 can't be seen, 1 well.")
    rows = page.run("[...document.querySelectorAll('.monitors > tbody > tr')].map((row) => row.innerText)")
    assert [row.split("\n")[0].split("\t")[0] for row in rows] == ["down", "down", "can’t be seen", "well"], rows
    assert "nothing listens there" in "".join(rows) and "No process of it runs" in "".join(rows), rows
    pictures("components", "/components", "2 down")
    # Looking is no traffic: the list of services and its sentence leave it out, what was stored does not.
    named = lambda of: {one["service"] for one in json.loads(SERVER.get(f"/api/v1/series?of={of}")[1])["series"]}  # noqa: E731
    harness.wait_until(lambda: "filigree-monitor" in named("spans"), "its spans are counted")
    assert "filigree-monitor" not in named("requests")


def case_2_details():
    """A row opens into what was measured and the stored looks, which are traces"""
    page = show("/components?monitor=mes-db")
    page.wait_text("server.address")
    page.wait("document.querySelectorAll('.looks a[href^=\"/trace/\"]').length > 0", "a stored look")
    pictures("component", "/components?monitor=mes-db", "server.address")
    page.click(".monitor-acts .btn")
    page.wait("!document.querySelector('.monitor-acts .btn').disabled", "the look ended")
    page.click(".looks a")
    page.wait_text("tcp mes-db")


def case_3_proposal():
    """What spans name and nobody watches is proposed, and becomes a monitor by two clicks"""
    send_calls()
    page = show("/components")
    page.wait("document.querySelector('.next .btn')", "a proposal")
    page.click(".next .btn")
    page.wait("document.querySelector('#monitor-text').value.includes('crm-db.internal')", "the text of the proposal")
    page.click(".monitor-form .btn.main")
    page.wait_text("crm is watched from now on.")
    assert monitors()["crm"]["kind"] == "postgresql" and monitors()["crm"]["is_added"]
    assert SERVER.request("DELETE", "/api/v1/monitors/crm")[0] == 200


def case_4_form():
    """What is wrong with a monitor is said with its line; what is right is watched, changed, and removed again"""
    page = show("/components")
    page.wait("document.querySelector('#monitor-text')", "the form")

    def fill(text):
        page.run("(() => { const area = document.querySelector('#monitor-text'); area.value = " + json.dumps(text)
                 + "; area.dispatchEvent(new InputEvent('input', {bubbles: true})); })()")
        page.click(".monitor-form .btn.main")

    fill("kind: tcp")
    page.wait_text("the first line must be name:")
    fill("name: fresh\nkind: tcp\nhost: 127.0.0.1\nport: 99999")
    page.wait("document.querySelector('#monitor-port-hint')?.innerText.startsWith('expected a whole number from 1 to 65535')", "it is said beside the field")
    assert page.run("document.querySelector('#monitor-port').getAttribute('aria-invalid')") == "true"
    fill(f"name: fresh\nkind: tcp\nhost: 127.0.0.1\ninterval: 1s\nport: {WELL.getsockname()[1]}")
    page.wait_text("fresh is watched from now on.")
    harness.wait_until(lambda: monitors().get("fresh", {}).get("result") == "ok", "it is watched")
    page = show("/components?monitor=fresh")
    page.wait_text("added here")
    page.run("[...document.querySelectorAll('.monitor-acts .btn')].at(-1).click()")
    page.wait_text("fresh is not watched any more")
    assert "fresh" not in monitors()


def case_4_order():
    """What is found wrong now with a component stands on the page of an order that used it, at its place"""
    SERVER.tell("shop-api", "POST /orders", "ORD-1", ago=2, trace="5" * 32)
    SERVER.tell("shop-api", "UPDATE orders", "ORD-1", kind="client", ago=2, trace="5" * 32, db__system__name="postgresql", server__address="127.0.0.1",
                server__port=str(GONE))
    page = show("/order/order.id/ORD-1")
    page.wait("document.querySelector('.route .box.k-database .found')?.textContent.includes('nothing listens there')", "the monitor's finding")
    assert page.run("document.querySelectorAll('.route .found').length") == 1, "and at no other"
    assert page.run("document.querySelector('.route .box.k-database bdi').textContent") == f"127.0.0.1:{GONE}"


KEYS = "[...document.querySelectorAll('.monitor-fields [data-key]')].map((at) => at.dataset.key)"


def choose(page, key, value):
    page.run(f"(() => {{ const at = document.querySelector('.monitor-fields [data-key={key}]'); at.value = {json.dumps(value)};"
             f" at.dispatchEvent(new Event(at.tagName === 'SELECT' ? 'change' : 'input', {{ bubbles: true }})); }})()")


def read_text(page):
    return page.run("document.querySelector('#monitor-text').value")


def case_4_fields():
    """The form has what the parser knows of each kind, and nothing else; it and the text say the same; a try is looked at and not kept"""
    page = show("/components")
    page.wait("document.querySelector('.monitor-fields [data-key=kind]')", "the form")
    choose(page, "name", "tried")
    for kind, needs in KINDS.items():
        choose(page, "kind", kind)
        page.wait(f"{KEYS}.includes('{needs[0]}')", f"the fields of {kind}")
        known, shown = keys_of(kind), set(page.run(KEYS)) - COMMON
        assert shown == known, (kind, shown ^ known)
        for key in needs:
            choose(page, key, {"port": "9", "url": "http://127.0.0.1:9/", "secret-key-file": "/etc/filigree/secrets/none"}.get(key, "127.0.0.1"))
        # With every list and secret filled the parser takes the text as the form writes it: no key is unknown, no value misread.
        if kind == "rabbitmq":
            choose(page, "routes", "orders -> new, urgent -> mes.orders\na -> b -> c")
            choose(page, "queues", "mes.*")
        text = read_text(page)
        assert text.startswith(f"name: tried\nkind: {kind}\n"), text
        status, _, body = SERVER.request("POST", "/api/v1/monitors/tried/try", text.encode(), {"Content-Type": "application/yaml"})
        assert status == 200, (kind, text, body)
        assert json.loads(body)["kind"] == kind and json.loads(body)["result"] in ("ok", "down", "unknown", "degraded")
    choose(page, "kind", "tcp")
    choose(page, "host", "127.0.0.1")
    choose(page, "port", str(WELL.getsockname()[1]))
    choose(page, "service", "it's: \"well\" # no")
    page.click(".monitor-form .acts .btn:not(.main)")
    page.wait_text("Nothing is kept yet.")
    assert "well" in page.run("document.querySelector('.tried').innerText") and "monitor.connect_ms" in page.run("document.querySelector('.tried').innerText")
    assert "tried" not in monitors(), "nothing was kept"
    choose(page, "interval", "often")
    page.click(".monitor-form .acts .btn:not(.main)")
    page.wait("document.querySelector('#monitor-interval')?.getAttribute('aria-invalid') === 'true'", "the server's sentence stands beside the field")
    assert page.run("document.querySelector('.monitor-fields details').open"), "also where the field was folded away"
    choose(page, "interval", "")
    page.click(".monitor-form .btn.main")
    page.wait_text("tried is watched from now on.")
    assert monitors()["tried"]["service"] == "it's: \"well\" # no"
    assert SERVER.request("DELETE", "/api/v1/monitors/tried")[0] == 200
    page.run("(() => { const area = document.querySelector('#monitor-text'); area.value = '{\"name\": \"deep\", \"kind\": \"tcp\"}'; area.dispatchEvent(new InputEvent('input', {bubbles: true})); })()")
    page.wait_text("more than the form can show")
    assert not page.run("[...document.querySelectorAll('.monitor-form input')].some((at) => at.type === 'password')"), "no secret is typed"


def case_5_narrow_and_russian():
    """At 390 px nothing scrolls sideways, and every sentence has its Russian"""
    page = browser()
    page.size(390, 844)
    show("/components?monitor=mes-db")
    page.wait_text("server.address")
    assert page.run("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
    page.size(1440, 900)
    STAGE.language("ru", "/components")
    page.wait_text("В соединении отказано: там никто не слушает")
    page.wait_text("Ни один процесс не работает")
    page.wait_text("Имя не удаётся узнать в DNS")
    page.wait_text("Не работают: 2")
    assert monitors()["mes-db"]["findings"][0]["form"] == monitors()["mes-db"]["findings"][0]["text"] and monitors()["mes-db"]["findings"][0]["parts"] == []
    pictures("components-ru", "/components", "Не работают")
    STAGE.language("en")


def case_6_empty():
    """Where nothing is watched the page says what to do, and an example is one click away"""
    with Server().start() as empty:
        page = browser()
        page.open(f"http://127.0.0.1:{empty.api}/components")
        page.wait_text("Nothing is watched yet.")
        page.run("[...document.querySelectorAll('button')].find((one) => one.innerText === 'Try with an address').click()")
        page.wait("document.querySelector('#monitor-text').value.startsWith('name: shop-api')", "the example")
        if PICTURES:
            page.picture(os.path.join(PICTURES, "components-empty.png"))


def case_7_complaints():
    """Neither the console nor the policy complained, but for what was refused on purpose"""
    complaints = [one for one in browser().complaints if "400" not in one]
    assert complaints == [], complaints


def case_8_catalogue():
    """Each thing that a check may find has its Russian in the catalogue, by its form, with the same parts in it"""
    with open(os.path.join(MONITOR_SOURCES, "..", "..", "ui", "src", "words_findings.ts"), encoding="utf-8") as file:
        text = file.read().split("export const findingsRu", 1)[1]
    string = r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
    pairs = [(form[1:-1], own[1:-1]) for form, own in re.findall(r"\[" + string + r",\s*" + string + r"\]", text)]
    known = {re.sub(r"\{(\d)\w\}", r"{\1}", form) for form, _ in pairs}
    for form, own in pairs:
        assert set(re.findall(r"\{(\d)\}", own)) <= set(re.findall(r"\{(\d)", form)), (form, own)
        assert re.search("[а-яё]", own) or not re.search("[a-z]{2}", re.sub(r"\{\d\w?\}", "", form)), own
    forms, parts = forms_of_checks()
    assert len(forms) > 100, len(forms)
    assert not forms - known, sorted(forms - known)
    missing = [one for one in parts if f"'{one}'" not in text and f'"{one}"' not in text and not re.search(rf"\b{one}: '", text)]
    assert len(parts) > 15 and not missing, missing


if __name__ == "__main__":
    try:
        with SERVER.start():
            CODE = harness.main(globals())
            STAGE.close()
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)
    sys.exit(CODE)
