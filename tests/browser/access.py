#!/usr/bin/env python3
"""access.py FILIGREE [CASE...]: signing in, one's account and administration in a real Chromium.

Skipped by name where Chromium is not installed, or where the server was built without the pages. With PICTURES=FOLDER
in the environment each page is also pictured: 1440 and 390 px wide, light and dark.
"""
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from doors import PASSWORD, Closed  # noqa: E402
from stage import Stage  # noqa: E402

SERVER = Closed()
STAGE = Stage(SERVER)
STATE = {}
browser, show = STAGE.browser, STAGE.show
LONG = "konstantin.konstantinopolskiy@jewellery.example"


def look(name, path, ready):
    found = STAGE.check(path, ready, name)
    assert not found, found


def fill(**fields):
    page = browser()
    for name, text in fields.items():
        page.run(f"document.querySelector('input[name={name}]').focus()")
        page.run(f"document.querySelector('input[name={name}]').value = {json.dumps(text)}")
    page.run("document.querySelector('form').requestSubmit()")


def case_first_administrator():
    """The link of the first start leads to a page where one sets a password, and is signed in."""
    SERVER.root = True
    harness.Server.start(SERVER)
    SERVER.root = None
    link = re.search(r"http://\S+/setup#[0-9a-f]{64}", SERVER.words()).group(0)
    page = browser()
    page.open(link)
    page.wait_text("Set up your account")
    assert not page.run("location.hash")
    fill(name="root", password="a long password", again="another one")
    page.wait_text("The two passwords differ.")
    fill(name="root", password=PASSWORD, again=PASSWORD)
    page.wait("location.pathname === '/'", "the front page")
    page.wait_text("root")


def case_sign_out_and_in():
    """Signing out ends it; a page that needs an account leads to sign in and back."""
    page = show("/account")
    page.wait_text("Sign out")
    STAGE.pictures("account", "/account", "Change the password")
    page.run("[...document.querySelectorAll('button')].find((one) => one.innerText === 'Sign out').click()")
    page.wait("location.pathname === '/login'", "the sign-in page")
    STAGE.pictures("login", "/login", "Lost your password?")
    show("/search?q=service%3Ashop")
    page.wait("location.pathname === '/login'", "the sign-in page")
    fill(name="root", password="wrong password")
    page.wait_text("Name or password is wrong.")
    assert not page.run("document.querySelector('.nav a')")
    fill(name="root", password=PASSWORD)
    page.wait("location.pathname === '/search' && location.search === '?q=service%3Ashop'", "the page one came for")


def case_no_other_place():
    """Signing in leads to no other server."""
    page = browser()
    for to in ("//evil.example/", "https://evil.example/", "/\\\\evil.example", "javascript:alert(1)"):
        show(f"/login?next={to}")
        page.wait(f"location.host === '127.0.0.1:{SERVER.api}' && location.pathname === '/'", "the front page")


def case_administration():
    """An administrator adds a person, who sets a password by the link, and makes and revokes a token."""
    page = show("/admin")
    page.wait_text("People")
    page.run("document.querySelectorAll('summary')[0].click()")
    page.run("document.querySelector('details[open] input[value=support]').click()")
    page.run("document.querySelector('details[open] input[value=viewer]').click()")
    fill(name="olga")
    page.wait_text("Send this link to olga")
    link = page.run("document.querySelector('.secret pre').innerText")
    assert "/setup#" in link
    page.run("document.querySelectorAll('details')[1].open = true")
    page.run("document.querySelectorAll('form')[1].querySelector('input[name=name]').value = 'shop-api'")
    page.run("document.querySelectorAll('form')[1].requestSubmit()")
    page.wait("[...document.querySelectorAll('.secret pre')].some((one) => one.innerText.startsWith('fgt_'))", "the token is shown")
    token = page.run("[...document.querySelectorAll('.secret pre')].find((one) => one.innerText.startsWith('fgt_')).innerText.trim()")
    assert SERVER.status_of("POST", "/v1/traces", token, {"Content-Type": "application/json"}, body="{}") == 200
    STAGE.pictures("admin", "/admin", "shop-api")
    show("/admin", "shop-api")  # told this once
    assert token not in page.text()
    page.wait_text("user.add")
    page.run("window.confirm = () => true")
    page.run("[...document.querySelectorAll('button')].find((one) => one.innerText === 'Revoke').click()")
    page.wait("![...document.querySelectorAll('td')].some((one) => one.innerText === 'shop-api')", "the token is gone")
    assert SERVER.status_of("POST", "/v1/traces", token, {"Content-Type": "application/json"}, body="{}") == 401
    STATE["link"] = link


def case_tenant_shown():
    """Where there are several tenants, who has all chooses in the top bar whose data is shown (tenants.py has the rest)."""
    page = show("/")
    page.wait_text("root")
    assert not page.run("document.querySelector('.top .tenant')"), "with one tenant there is nothing to say"
    token = page.run("fetch('/api/v1/auth/me').then((one) => one.json()).then((me) => fetch('/api/v1/tenants', {method: 'POST', "
                     "body: JSON.stringify({name: 'acme'}), headers: {'content-type': 'application/json', 'filigree-csrf': me.csrf}}))"
                     ".then((one) => one.status)")
    assert token == 200
    show("/")
    page.wait("document.querySelector('select.tenant')?.value === 'default'", "the choice")
    look("tenant", "/board", "root")


def case_tenants_and_their_quotas():
    """An administrator adds a tenant, and changes its quotas; what stays empty has no bound, and what is not sound is not sent."""
    page = show("/admin", "Tenants")

    def quotas():
        return {one["name"]: one for one in json.loads(SERVER.root.get("/api/v1/tenants")[2])["tenants"]}

    SERVER.root = SERVER.person("root")
    page.run("[...document.querySelectorAll('summary')].find((one) => one.innerText === 'Add a tenant').click()")
    page.run("document.querySelector('details[open] input[name=name]').value = 'by-page'")
    page.run("document.querySelector('details[open] input[name=spans_per_second]').value = '500'")
    page.run("document.querySelector('details[open] form').requestSubmit()")
    page.wait("[...document.querySelectorAll('td')].some((one) => one.innerText === 'by-page')", "the tenant is there")
    assert quotas()["by-page"] == {"name": "by-page", "spans_per_second": 500, "bytes_per_second": 0, "attributes_per_second": 0}
    page.wait("[...document.querySelectorAll('select.tenant option')].some((one) => one.value === 'by-page')", "it may be chosen in the top bar")
    page.run("[...document.querySelectorAll('tr')].find((one) => one.innerText.startsWith('by-page')).querySelector('button').click()")
    page.wait("document.querySelector('section > form input[name=spans_per_second]')?.value === '500'", "its quotas")
    page.run("document.querySelector('section > form input[name=spans_per_second]').value = ''")
    page.run("document.querySelector('section > form input[name=attributes_per_second]').value = '9000'")
    page.run("document.querySelector('section > form:has(input[name=attributes_per_second])').requestSubmit()")
    page.wait("![...document.querySelectorAll('section > form')].some((one) => one.querySelector('input[type=number]'))", "it was taken")
    assert quotas()["by-page"] == {"name": "by-page", "spans_per_second": 0, "bytes_per_second": 0, "attributes_per_second": 9000}
    assert not STAGE.check("/admin", "by-page", "admin-tenants")


def case_audit_by():
    """The audit is asked by who, what was done and a part of it; the question stands in the address, and goes with its further pages."""
    page = show("/admin", "Audit")
    page.wait("document.querySelector('.audit-by')", "the questions")
    for name, value in (("who", "root"), ("action", "tenant.add"), ("what", "by-pa")):
        page.run(f"document.querySelector('.audit-by input[name={name}]').value = '{value}'")
    page.run("document.querySelector('.audit-by').requestSubmit()")
    rows = "[...document.querySelectorAll('section:last-of-type tbody tr')].map((one) => one.innerText)"
    page.wait(f"location.search === '?who=root&action=tenant.add&what=by-pa' && {rows}.length > 0 && {rows}.every((one) => one.includes('tenant.add') && one.includes('by-page'))",
              "what was asked for")
    page.reload()
    page.wait(f"document.querySelector('.audit-by input[name=what]')?.value === 'by-pa' && {rows}.length > 0 && {rows}.every((one) => one.includes('by-page'))", "it outlives a reload")
    show("/admin?who=nobody-there", "There is no such record.")
    page.run("[...document.querySelectorAll('.audit-by button')].find((one) => one.innerText === 'Show all').click()")
    page.wait(f"location.search === '' && {rows}.length > 5", "all")


def case_support():
    """Support is led to orders, and to nothing that its role does not have."""
    page = browser()
    page.run("fetch('/api/v1/auth/me').then((one) => one.json()).then((me) => fetch('/api/v1/auth/logout', "
             "{method: 'POST', headers: {'filigree-csrf': me.csrf}}))")
    page.open("about:blank")
    page.open(STATE["link"])
    page.wait_text("Set up your account")
    fill(name="olga", password=PASSWORD, again=PASSWORD)
    page.wait("location.pathname === '/'", "the front page")
    page.wait("[...document.querySelectorAll('.nav a')].map((one) => one.pathname).join(' ') === '/ /board /incidents'", "what is about orders is left")
    assert SERVER.person("olga").get("/api/v1/traces")[0] == 403
    assert not page.run("document.querySelector('a[href=\"/admin\"]')")


def case_long_name():
    """A long name and a long language: on a phone nothing in the bar is squeezed, and all of it can be pressed."""
    page = browser()
    SERVER.root = SERVER.person("root")
    person = SERVER.add_user(LONG, "admin")
    page.call("Network.setCookie", name="filigree", value=person.cookie, url=f"http://127.0.0.1:{SERVER.api}/")
    for language in ("en", "ru"):
        STAGE.language(language)
        look(f"long-name-{language}", "/account", LONG)
        page.size(390, 844)
        show("/search")
        page.wait("document.querySelector('.who') !== null && document.querySelector('.nav [aria-current]') !== null", "the bar is there")
        pressed = page.run("[...document.querySelectorAll('.top a, .top button')].filter((one) => one.getClientRects().length && !one.closest('.nav')).map((one) => one.getBoundingClientRect())"
                           ".map((one) => [one.width, one.height, one.left, one.right].map(Math.round))")
        assert len(pressed) == 4 and all(width >= 44 and height >= 44 and left >= 0 and right <= 390 for width, height, left, right in pressed), (language, pressed)
        here = page.run("(() => { const one = document.querySelector('.nav [aria-current]').getBoundingClientRect(); return [one.left, one.right] })()")
        assert 0 <= here[0] and here[1] <= 390, (language, here)
        page.size(1440, 900)
    STAGE.language("en")


if __name__ == "__main__":
    with SERVER:
        CODE = harness.main(globals())
        STAGE.close()
    sys.exit(CODE)
