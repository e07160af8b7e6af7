#!/usr/bin/env python3
"""oidc.py FILIGREE [CASE...]: signing in by a real OpenID provider in a real Chromium: Glewlwyd, from Debian's packages.

Skipped by name where Glewlwyd or Chromium is missing, or the server was built without the pages. What a wrong provider does is in
tests/e2e/oidc.py, with one of the tests' own.
"""
import json
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import chromium  # noqa: E402
import harness  # noqa: E402
from doors import Closed  # noqa: E402
from glewlwyd import CLIENT, SECRET, Glewlwyd, password_of  # noqa: E402
from harness import Skip  # noqa: E402

STATE = {}
USERS = {"anna": ["staff"], "olga": ["helpdesk", "others"], "eve": ["visitors"], "nils": ["staff"]}


def setting():
    """Provider, server and browser, started once; the browser begins without cookies."""
    if "page" not in STATE:
        binary = chromium.find()
        if not binary:
            raise Skip("chromium is not installed (tools/setup browser)")
        server = Closed()
        redirect = f"http://127.0.0.1:{server.api}/auth/oidc/callback"
        STATE["provider"] = Glewlwyd(redirect, USERS).start()
        folder = STATE["folder"] = tempfile.mkdtemp(prefix="filigree-oidc-")
        secret = os.path.join(folder, "secret")
        with open(secret, "w", encoding="ascii") as file:
            file.write(SECRET + "\n")
        server.options += ["--oidc-issuer", STATE["provider"].issuer, "--oidc-client", CLIENT, "--oidc-secret-file", secret, "--oidc-redirect", redirect,
                           "--oidc-groups", "staff=viewer,helpdesk=support@acme", "--oidc-recheck", "1s"]
        STATE["server"] = server.start()
        server.add_tenant("acme")
        if b"app.js" not in server.request("GET", "/login", headers={"Accept": "text/html"})[2]:
            raise Skip("the server was built without the pages")
        STATE["page"] = chromium.Browser(binary)
    STATE["page"].call("Network.clearBrowserCookies")
    return STATE["server"], STATE["provider"], STATE["page"]


def me(page):
    """Who the browser's cookie says it is; outside of the pages' own scripts, which would lead away."""
    return page.run("fetch('/api/v1/auth/me').then((answer) => answer.json())")


def type_into(page, name, text):
    """As a keyboard does: the provider's page is React, which hears only events."""
    page.run(f"document.querySelector('input[name={name}]').focus()")
    page.call("Input.insertText", text=text)


# The provider's page of what is asked of the user draws itself again while it loads, and a press is lost then: a second later it is pressed again.
GRANT = """(() => {
  const grant = document.querySelector('.card-body .btn-primary:not(#loginbut)');
  if (grant && Date.now() - (window.pressed ?? 0) > 1000) {
    window.pressed = Date.now();
    document.querySelectorAll('.card-body input[type=checkbox]:not(:checked):not(:disabled)').forEach((box) => box.click());
    grant.click();
  }
  return !grant && !!document.querySelector('.card-footer .btn-success');
})()"""


def sign_in(page, server, user, path="/search?q=service%3Ashop"):
    """From a page that wants an account, over the provider's pages, back to where one is led."""
    page.open(f"http://127.0.0.1:{server.api}{path}")
    page.wait("location.pathname === '/login' && !!document.querySelector('a.btn')", "the sign-in page")
    page.click("a.btn")
    page.wait("!!document.querySelector('#passwordForm')", "the provider's form")
    type_into(page, "username", user)
    type_into(page, "password", password_of(user))
    page.click("#loginbut")
    page.wait(GRANT, "it is granted")
    page.click(".card-footer .btn-success")
    page.wait(f"location.host === '127.0.0.1:{server.api}' && document.readyState === 'complete'", "one is led back")


def case_in():
    """Code and PKCE: one is led to the provider, back to where one wanted to go, and has the roles of one's groups."""
    server, _, page = setting()
    sign_in(page, server, "anna")
    page.wait("location.pathname === '/search' && location.search === '?q=service%3Ashop'", "the page one came for")
    known = me(page)
    assert known["who"].startswith("oidc:") and known["roles"] == ["viewer"] and known["tenant"] == "default", known
    assert page.run("fetch('/api/v1/traces').then((answer) => answer.status)") == 200
    assert page.run("fetch('/api/v1/users').then((answer) => answer.status)") == 403
    assert "filigree" not in page.run("document.cookie"), "the session is out of reach of scripts"


def case_out():
    """Signing out ends the session at the server: its cookie is worth nothing afterwards."""
    server, _, page = setting()
    sign_in(page, server, "nils", "/account")
    page.wait_text("Sign out")
    assert not page.run("document.querySelector('input[type=password]')"), "the password is the provider's"
    cookies = {one["name"]: one["value"] for one in page.call("Network.getAllCookies")["cookies"]}
    page.run("[...document.querySelectorAll('button')].find((one) => one.innerText === 'Sign out').click()")
    page.wait("location.pathname === '/login'", "the sign-in page")
    status, _, body = server.request("GET", "/api/v1/auth/me", headers={"Cookie": f"filigree={cookies['filigree']}"})
    assert status == 200 and json.loads(body)["who"] is None, body


def case_no_group():
    """Whoever is in no mapped group has no access, and is told so in a sentence."""
    server, _, page = setting()
    sign_in(page, server, "eve")
    page.wait_text("The provider knows you, but none of your groups has a role here. Ask an administrator for access.")
    assert me(page)["who"] is None and page.run("fetch('/api/v1/traces').then((answer) => answer.status)") == 401


def case_removed_from_the_group():
    """Whoever is taken out of the group is out; whoever gets another group has its roles, and its tenant, without signing in anew."""
    server, provider, page = setting()
    sign_in(page, server, "olga", "/board")
    page.wait("location.pathname === '/board'", "the page one came for")
    known = me(page)
    assert known["roles"] == ["support"] and known["tenant"] == "acme", known
    provider.change("olga", groups=["staff"])
    harness.wait_until(lambda: me(page)["roles"] == ["viewer"] and me(page)["tenant"] == "default", "the other group's role", 60)
    provider.change("olga", groups=["others"])
    harness.wait_until(lambda: me(page)["who"] is None, "the session has ended", 60)
    page.open(f"http://127.0.0.1:{server.api}/board")
    page.wait("location.pathname === '/login'", "the sign-in page")


def case_removed_from_the_provider():
    """Whoever the provider does not know any more is out."""
    server, provider, page = setting()
    sign_in(page, server, "nils", "/account")
    page.wait_text("Sign out")
    provider.ask("DELETE", "/user/nils")
    harness.wait_until(lambda: me(page)["who"] is None, "the session has ended", 60)


if __name__ == "__main__":
    try:
        sys.exit(harness.main(globals()))
    finally:
        if "page" in STATE:
            STATE["page"].close()
        if "server" in STATE:
            STATE["server"].__exit__()
        if "provider" in STATE:
            STATE["provider"].__exit__()
            shutil.rmtree(STATE["folder"], ignore_errors=True)
