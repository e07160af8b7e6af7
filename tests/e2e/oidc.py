#!/usr/bin/env python3
"""oidc.py FILIGREE [CASE...]: signing in by an OpenID provider, and every way in which that must fail.

The provider is the test's own (tests/provider.py); a browser is played by following redirects.
"""
import json
import os
import re
import shutil
import sys
import tempfile
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from doors import Closed  # noqa: E402
from harness import Skip, wait_until  # noqa: E402

if shutil.which("openssl"):
    import provider  # noqa: E402

STATE = {}


def setting():
    """The provider and a server that uses it, started once."""
    if not shutil.which("openssl"):
        raise Skip("openssl is not installed")
    if "server" not in STATE:
        STATE["provider"] = provider.Provider()
        folder = STATE["folder"] = tempfile.mkdtemp(prefix="filigree-oidc-")
        secret = os.path.join(folder, "secret")
        with open(secret, "w", encoding="ascii") as file:
            file.write("a secret\n")
        server = Closed()
        server.options += ["--oidc-issuer", STATE["provider"].issuer, "--oidc-client", "filigree", "--oidc-secret-file", secret,
                           "--oidc-redirect", f"http://127.0.0.1:{server.api}/auth/oidc/callback", "--oidc-recheck", "2s",
                           "--oidc-groups", "staff=viewer,admins=admin,helpdesk=support,elsewhere=viewer@nowhere"]
        STATE["server"] = server.start()
    STATE["provider"].wrong = None
    return STATE["server"], STATE["provider"]


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def go_to(url, cookie=None):
    """Status, headers of one GET."""
    opener = urllib.request.build_opener(NoRedirect)
    asked = urllib.request.Request(url, headers={"Cookie": cookie} if cookie else {})
    try:
        with opener.open(asked, timeout=60) as answer:
            return answer.status, answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.headers


def cookie_of(fields, name):
    for one in fields.get_all("set-cookie") or []:
        found = re.match(rf"{name}=([0-9a-f]{{64}});", one)
        if found:
            return found.group(1)
    return None


def begin(server, user="anna", to="/order/ORD-1"):
    """Up to the provider's answer: the address of the callback, and the browser's cookie."""
    STATE["provider"].user = user
    status, fields = go_to(f"http://127.0.0.1:{server.api}/auth/oidc/start?next={urllib.parse.quote(to)}")
    assert status == 303, status
    browser = cookie_of(fields, "filigree-oidc")
    assert browser
    status, fields = go_to(fields["location"])
    assert status == 302
    return fields["location"], f"filigree-oidc={browser}"


def sign_in(server, user="anna", to="/order/ORD-1"):
    """The session's cookie, and where one is led; None where one is not let in."""
    callback, cookie = begin(server, user, to)
    status, fields = go_to(callback, cookie)
    assert status == 303, status
    return cookie_of(fields, "filigree"), fields["location"]


def me(server, session):
    status, _, body = server.request("GET", "/api/v1/auth/me", headers={"Cookie": f"filigree={session}"})
    assert status == 200
    return json.loads(body)


def refusals(server):
    body = server.root.get("/api/v1/audit?action=sign_in&limit=200")[2]
    return [one["result"] for one in json.loads(body)["records"]]


def case_groups_become_roles():
    """Whoever is in a mapped group gets in with its roles, and is led to where they wanted to go."""
    server, _ = setting()
    session, to = sign_in(server)
    assert to == "/order/ORD-1" and session, to
    anna = me(server, session)
    assert anna["who"] == "oidc:anna/id-anna" and set(anna["roles"]) >= {"viewer"}, anna
    session, _ = sign_in(server, "olga")
    olga = me(server, session)
    assert olga["roles"] == ["support"] and olga["may"] == ["support"] and olga["tenant"] == "default", olga
    assert olga["provider"].startswith("127.0.0.1:")
    assert server.request("GET", "/api/v1/traces", headers={"Cookie": f"filigree={session}"})[0] == 403


def case_no_group_no_access():
    """Whoever is in no mapped group gets no session."""
    server, _ = setting()
    session, to = sign_in(server, "eve")
    assert session is None and to == "/login?failed=group"
    assert wait_until(lambda: "no group that has a role" in refusals(server), "it is recorded")


def case_tokens_that_do_not_hold():
    """Every wrong id token is refused with the same answer, and the audit tells why."""
    server, own = setting()
    wrongs = {"none": "an algorithm that is not taken", "HS256": "an algorithm that is not taken", "key": "a signature that does not hold",
              "changed": "a signature that does not hold", "issuer": "another issuer", "audience": "another audience",
              "audience_list": "another audience", "expired": "expired", "future": "from the future", "nonce": "another nonce",
              "oversized": "no token", "None": "no token", "HS512": "an algorithm that is not taken", "early": "from the future", "no_end": "expired",
              "end_as_text": "expired", "no_subject": "no subject", "own_key": "a signature that does not hold", "other_kid": "a signature that does not hold",
              "critical": "an extension that is not known"}
    for wrong, why in wrongs.items():
        own.wrong = wrong
        session, to = sign_in(server)
        assert session is None and to == "/login?failed=1", (wrong, session, to)
        wait_until(lambda: refusals(server)[:1] == [why], f"{wrong} is recorded as {why}: {refusals(server)[:3]}")
    for sound in ("long", None):
        own.wrong = sound
        assert sign_in(server)[0], sound


def case_replays():
    """An answer that was good once is not good again: not its state, and not its code under a state that is."""
    server, _ = setting()
    callback, cookie = begin(server)
    assert cookie_of(go_to(callback, cookie)[1], "filigree")
    status, fields = go_to(callback, cookie)
    assert status == 303 and fields["location"] == "/login?failed=1" and cookie_of(fields, "filigree") is None
    wait_until(lambda: refusals(server)[:1] == ["a state that is not known, used, or another browser's"], "the state's second use is recorded")
    code = re.search(r"code=([^&]+)", callback).group(1)
    fresh, cookie = begin(server)
    status, fields = go_to(re.sub(r"code=[^&]+", f"code={code}", fresh), cookie)
    assert status == 303 and fields["location"] == "/login?failed=1" and cookie_of(fields, "filigree") is None
    wait_until(lambda: refusals(server)[:1] == ["the provider gave no token"], "the code's second use is recorded")


def case_states():
    """A state is good once, in the browser that began, and none that was made up is."""
    server, _ = setting()
    callback, cookie = begin(server)
    other = begin(server)[1]
    assert cookie_of(go_to(callback, other)[1], "filigree") is None
    assert cookie_of(go_to(callback, cookie)[1], "filigree") is None
    callback, cookie = begin(server)
    assert cookie_of(go_to(callback)[1], "filigree") is None
    callback, cookie = begin(server)
    assert cookie_of(go_to(callback, cookie)[1], "filigree")
    assert cookie_of(go_to(callback, cookie)[1], "filigree") is None
    made_up = re.sub("state=[0-9a-f]+", "state=" + "0" * 64, callback)
    assert cookie_of(go_to(made_up, cookie)[1], "filigree") is None
    for bad in ("?error=access_denied&state=x", "", "?code=" + "a" * 5000 + "&state=" + "0" * 64):
        assert go_to(f"http://127.0.0.1:{server.api}/auth/oidc/callback{bad}")[1]["location"] == "/login?failed=1"


def case_no_other_place():
    """One is led to a place of this server and to no other."""
    server, _ = setting()
    for to in ("//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nset-cookie: a=b"):
        assert sign_in(server, to=to)[1] == "/", to


def case_new_keys():
    """A provider that changes its keys is asked for them again."""
    server, own = setting()
    assert sign_in(server)[0]
    own.key, own.other_key, own.kid = own.other_key, own.key, "two"
    wait_until(lambda: sign_in(server)[0], "the new key is taken")


def case_removal_ends_sessions():
    """Whoever is taken out of the group, or of the provider, is out within a minute, with and without refresh tokens."""
    server, own = setting()
    sessions = []
    for name, with_refresh in (("rita", True), ("vera", False)):
        own.groups[name] = ["helpdesk"]
        own.with_refresh = with_refresh
        sessions.append(sign_in(server, name)[0])
    own.with_refresh = True
    own.groups["kept"] = ["helpdesk"]
    kept = sign_in(server, "kept")[0]
    assert all(me(server, one)["who"] for one in sessions)
    own.groups["kept"] = ["staff"]
    own.groups["rita"] = []
    del own.groups["vera"]
    for one in sessions:
        wait_until(lambda one=one: me(server, one)["who"] is None, "the session has ended", 60)
    wait_until(lambda: me(server, kept)["roles"] == ["viewer"], "the other's role is the new one", 60)


def case_what_it_can_not_say_of_one():
    """A provider that errs about some, at each time that it is asked, hides nobody else's removal; one that is asked too often ends no session."""
    server, own = setting()
    bad, removed = [f"bad{i}" for i in range(8)], [f"out{i}" for i in range(8)]
    sessions = {}
    for name in [one for pair in zip(bad, removed) for one in pair]:
        own.groups[name] = ["helpdesk"]
        sessions[name] = sign_in(server, name)[0]
    own.errs = {name: 500 for name in bad}
    for name in removed:
        own.groups[name] = []
    for name in removed:
        wait_until(lambda name=name: me(server, sessions[name])["who"] is None, f"{name}'s session has ended", 60)
    assert all(me(server, sessions[name])["who"] for name in bad)
    own.busy, own.errs, asked = True, {}, len(own.refused)
    wait_until(lambda: len(own.refused) > asked + 2, "it was asked too often", 60)
    assert all(me(server, sessions[name])["who"] for name in bad)
    own.busy = False
    own.groups["bad0"] = []
    wait_until(lambda: me(server, sessions["bad0"])["who"] is None, "the session has ended", 60)
    assert me(server, sessions["bad1"])["who"]


def case_one_connection_asks_for_many():
    """Many sessions are asked for over one connection, not each over its own."""
    server, own = setting()
    for number in range(6):
        own.groups[f"many{number}"] = ["helpdesk"]
        assert sign_in(server, f"many{number}")[0]
    begin_at = len(own.asked_again)
    wait_until(lambda: len(own.asked_again) >= begin_at + 24, "they were asked for several times", 60)
    asked = own.asked_again[begin_at:begin_at + 24]
    assert len(set(asked)) <= len(asked) / 3, asked


def case_another_subject_ends_sessions():
    """A provider that answers for somebody else when it is asked again ends the session, with and without refresh tokens."""
    server, own = setting()
    sessions = []
    for name, with_refresh in (("sven", True), ("stig", False), ("same", True)):
        own.groups[name] = ["helpdesk"]
        own.with_refresh = with_refresh
        sessions.append(sign_in(server, name)[0])
    own.with_refresh = True
    own.subjects = {"sven": "id-anna", "stig": "id-anna"}
    for one in sessions[:2]:
        wait_until(lambda one=one: me(server, one)["who"] is None, "the session has ended", 60)
    assert me(server, sessions[2])["who"] == "oidc:same/id-same"
    own.subjects = {}


def bytes_of(folder):
    """All that lies in a folder's files."""
    for parent, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(parent, name), "rb") as file:
                yield file.read()


def case_providers_tokens_are_sealed():
    """The provider's tokens lie on no disk in plain text; after a restart the session goes on, and its end at the provider ends it."""
    server, own = setting()
    sessions = {}
    for name, own.with_refresh in (("rosa", True), ("vito", False)):
        own.groups[name] = ["helpdesk"]
        sessions[name] = sign_in(server, name)[0]
    own.with_refresh = True
    assert own.given, "the provider has given tokens"
    server.end()
    for content in bytes_of(server.data):
        assert not any(secret.encode() in content for secret in own.given)
    server.start()
    assert all(me(server, one)["who"] for one in sessions.values())
    own.groups["rosa"] = []
    del own.groups["vito"]
    for one in sessions.values():
        wait_until(lambda one=one: me(server, one)["who"] is None, "the session has ended", 60)


if __name__ == "__main__":
    try:
        sys.exit(harness.main(globals()))
    finally:
        if "server" in STATE:
            STATE["server"].__exit__()
            shutil.rmtree(STATE["folder"], ignore_errors=True)
            shutil.rmtree(STATE["provider"].folder, ignore_errors=True)
