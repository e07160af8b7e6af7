#!/usr/bin/env python3
"""access.py FILIGREE [CASE...]: who may do what, from real requests: every role at every route, tokens, sessions, forgeries.

With WRITE=1 the table of doc/security.md is written anew.
"""
import base64
import contextlib
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from doors import PASSWORD, Closed, Person, routes_of  # noqa: E402
from harness import request, span  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ROLES = ["ingest", "support", "viewer", "operator", "admin"]
# What a permission asks for, told a second time.
ENOUGH = {
    "none": {"nobody", *ROLES}, "self": set(ROLES), "ingest": {"ingest"}, "support": {"support", "viewer", "operator", "admin"},
    "view": {"viewer", "operator", "admin"}, "operate": {"operator", "admin"}, "admin": {"admin"},
}
TABLE_BEGIN, TABLE_END = "<!-- roles: begin, written by tests/e2e/access.py -->", "<!-- roles: end -->"
SERVER = Closed()
TOKENS = {}


def case_start():
    """The first start prints a link, which makes the first administrator and nobody else."""
    SERVER.start()
    link = re.search(r"http://127\.0\.0\.1:\d+/setup#([0-9a-f]{64})", SERVER.words())
    assert link, SERVER.words()
    other = Person(SERVER)
    status, _, body = other.post("/api/v1/auth/setup", {"link": link.group(1), "name": "eve", "password": PASSWORD})
    assert status == 403, (status, body)
    status, _, body = SERVER.root.get("/api/v1/auth/me")
    me = json.loads(body)
    assert status == 200 and me["who"] == "root" and "admin" in me["may"] and me["every_tenant"], me
    SERVER.add_tenant("acme")
    SERVER.add_tenant("other")
    TOKENS["nobody"] = {"default": None}
    for role in ROLES:
        TOKENS[role] = {
            "default": SERVER.token(role, name=f"{role}-default"), "acme": SERVER.token(role, name=f"{role}-acme", tenant="acme"),
            "*": SERVER.token(role, name=f"{role}-all", tenant="*")}
    status, _, body = SERVER.request("POST", "/v1/traces", request(span(harness.new_trace_id())),
                                     {"Content-Type": "application/x-protobuf", "Authorization": f"Bearer {TOKENS['ingest']['default']}"},
                                     SERVER.http)
    assert status == 200, (status, body)


def routes():
    status, body = SERVER.request("GET", "/", headers={"Authorization": f"Bearer {TOKENS['admin']['*']}"})[::2]
    assert status == 200, body
    found = routes_of(body.decode())
    assert len(found) > 60, body
    return [("GET", "/", "support", False), *found]


def is_let_in(status):
    return status not in (401, 403)


def ask(method, path, token, tenant=None, port=None):
    path = re.sub(r"\{\w+\}", "0af7651916cd43dd", path)
    headers = {"Content-Type": "application/json"}
    if tenant:
        headers["Filigree-Tenant"] = tenant
    return SERVER.status_of(method, path, token, headers, port, body="[]" if method in ("POST", "PUT") else None)


def case_roles_and_routes():
    """Every role at every route, of one tenant and of all: each cell is as declared."""
    wrong, lines = [], []
    for method, path, permission, whole in routes():
        cells = []
        for role in ("nobody", *ROLES):
            marks = []
            for tenant, token in TOKENS[role].items():
                if path in ("/api/v1/auth/login", "/api/v1/auth/setup"):
                    expected = True
                else:
                    expected = role in ENOUGH[permission] and (tenant == "*" or not whole or permission == "none")
                got = is_let_in(ask(method, path, token))
                if got != expected:
                    wrong.append(f"{method} {path} by {role} of {tenant}: {'let in' if got else 'refused'}")
                marks.append(got)
            cells.append("yes" if all(marks) else "all tenants" if any(marks) else "·")
        lines.append(f"| {method} | `{path}` | {' | '.join(cells)} |")
    assert not wrong, "\n".join(wrong)
    head = ["| | route | nobody | " + " | ".join(ROLES) + " |", "|---|---|" + "---|" * (len(ROLES) + 1)]
    table = "\n".join([TABLE_BEGIN, "", *head, *lines, "", TABLE_END])
    path = os.path.join(ROOT, "doc", "security.md")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    here = text[text.index(TABLE_BEGIN):text.index(TABLE_END) + len(TABLE_END)]
    if os.environ.get("WRITE"):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace(here, table))
    # A route that is newer than the table is no untruth.
    untrue = set(re.findall(r"^\| (?:GET|POST|PUT|DELETE) .*", here, re.M)) - set(lines)
    assert os.environ.get("WRITE") or not untrue, f"doc/security.md is out of date (WRITE=1 writes it anew): {sorted(untrue)}"


def case_every_answer_tells_a_browser():
    """What a browser may do with it stands in the answer of every route, to whoever asks: page, data, refusal, and what is not there."""
    paths = [re.sub(r"\{\w+\}", "0af7651916cd43dd", path) for method, path, _, _ in routes() if method == "GET" and not path.endswith(("/events", "/tail"))]
    admin = {"Authorization": f"Bearer {TOKENS['admin']['*']}"}
    seen = set()
    for path in (*paths, "/nowhere", "/api/v1/nowhere", "/%00", "/a%2f..%2fb"):
        for headers in ({}, admin, {"Accept": "text/html"}, {**admin, "Accept": "text/html"}):
            status, fields, _ = SERVER.request("GET", path, headers=headers)
            policy = fields["content-security-policy"] or ""
            assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy, (path, headers, policy)
            for name, value in (("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer"), ("cross-origin-resource-policy", "same-origin")):
                assert fields[name] == value, (path, headers, name)
            # The pages' own files hold nobody's data.
            is_page = "script-src 'self'" in policy
            assert fields["cache-control"] == ("no-cache" if is_page else "no-store"), (path, headers, fields["cache-control"])
            seen.add((status, is_page))
    assert seen >= {(200, True), (200, False), (303, False), (401, False), (404, False), (400, False)}, seen


def case_spans_in():
    """Every way in asks for the ingest role, on every port."""
    for port, path in ((SERVER.grpc, "/v1/traces"), (SERVER.http, "/v1/traces"), (SERVER.api, "/v1/traces"), (SERVER.api, "/api/v2/spans")):
        for role in ("nobody", *ROLES):
            got = ask("POST", path, TOKENS[role]["default"], port=port)
            assert is_let_in(got) == (role == "ingest"), (path, role, got)
            assert role != "nobody" or got == 401, got


def case_grpc_metadata():
    """A token comes as gRPC metadata too; without one the answer is UNAUTHENTICATED, with another role PERMISSION_DENIED."""
    if not shutil.which("curl"):
        raise harness.Skip("curl is not installed")
    message = request(span(harness.new_trace_id()))
    frame = b"\0" + len(message).to_bytes(4, "big") + message

    def export(token):
        more = ["-H", f"authorization: Bearer {token}"] if token else []
        # What is refused is refused at its head; curl gives up where the answer comes before its upload is out.
        done = subprocess.run(["curl", "-s", "-D", "-", "--http2-prior-knowledge", "-H", "content-type: application/grpc", "-H", "te: trailers",
                               *more, "--data-binary", "@-", "-o", os.devnull,
                               f"http://127.0.0.1:{SERVER.grpc}/opentelemetry.proto.collector.trace.v1.TraceService/Export"],
                              input=frame if token == TOKENS["ingest"]["default"] else b"", capture_output=True, timeout=60, check=False)
        return re.search(rb"grpc-status: (\d+)", done.stdout).group(1)

    assert export(TOKENS["ingest"]["default"]) == b"0"
    assert export(None) == b"16" and export("fgt_" + "0" * 77) == b"16" and export(TOKENS["viewer"]["default"]) == b"7"


def case_no_others_tenant():
    """Whoever has one tenant can name no other; whoever has all can name any, and none that is not there."""
    for method, path, permission, whole in routes():
        if permission == "none" or whole:
            continue
        for role in ENOUGH[permission]:
            assert ask(method, path, TOKENS[role]["acme"], "other") == 403, (path, role)
            assert ask(method, path, TOKENS[role]["acme"], "default") == 403, (path, role)
            assert ask(method, path, TOKENS[role]["*"], "nowhere") == 404, (path, role)
            assert is_let_in(ask(method, path, TOKENS[role]["*"], "other")), (path, role)
            assert is_let_in(ask(method, path, TOKENS[role]["acme"], "acme")), (path, role)


def case_bad_tokens():
    """Forged, oversized, revoked and other tokens get one and the same answer."""
    good = SERVER.token("viewer", name="soon-gone")
    answers = set()

    def refused(value):
        status, _, body = SERVER.request("GET", "/api/v1/traces", headers={"Authorization": value})
        assert status == 401, (value[:60], status)
        answers.add(body)

    assert SERVER.status_of("GET", "/api/v1/traces", good) == 200
    for value in ("x", "Bearer", "Bearer x", "Basic cm9vdDpyb290", "Bearer " + "a" * 20000, "Bearer " + good[:-1], "Bearer " + good + "0",
                  "Bearer fgt_000000000000_" + "0" * 64, "Bearer " + good[:17] + "0" * 64, "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290In0."):
        refused(value)
    found = [one for one in json.loads(SERVER.root.get("/api/v1/tokens")[2])["tokens"] if one["name"] == "soon-gone"]
    assert len(found) == 1 and found[0]["id"] == good[4:16] and "token" not in found[0], found
    status, _, body = SERVER.root.post(f"/api/v1/tokens/{found[0]['id']}/revoke")
    assert status == 200, body
    refused("Bearer " + good)
    status, _, body = SERVER.request("GET", "/api/v1/traces")
    assert status == 401
    answers.add(body)
    assert len(answers) == 1, answers


def case_sessions_and_forgeries():
    """A session's change needs a page of this server, and the token that only such a page has."""
    root = SERVER.root
    assert root.get("/api/v1/users")[0] == 200
    wish = {"name": "forged", "roles": ["viewer"], "password": PASSWORD}
    own = f"http://127.0.0.1:{SERVER.api}"
    for headers in ({"Filigree-Csrf": ""}, {"Filigree-Csrf": "0" * 32}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
                    {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": own + "0"}, {"Origin": own.replace("http:", "https:")}):
        status, _, body = root.post("/api/v1/users", wish, headers)
        assert status == 403, (headers, status, body)
    other = SERVER.add_user("other-root", "admin")
    status, _, body = root.post("/api/v1/users", wish, {"Filigree-Csrf": other.csrf})
    assert status == 403, (status, body)
    assert "forged" not in root.get("/api/v1/users")[2].decode()
    status, _, body = root.post("/api/v1/users", wish, {"Origin": own, "Sec-Fetch-Site": "same-origin"})
    assert status == 200, (status, body)
    # Nobody can be signed in from another site either.
    status, _, _ = Person(SERVER).post("/api/v1/auth/login", {"name": "root", "password": PASSWORD}, {"Origin": "http://evil.example"})
    assert status == 403
    status, fields, _ = other.post("/api/v1/auth/logout")
    assert status == 200 and "Max-Age=0" in fields["set-cookie"], fields
    assert other.get("/api/v1/users")[0] == 401


def case_cookie():
    """The cookie is out of reach of scripts and of other sites, and the same one is never given twice."""
    person = Person(SERVER)
    seen = set()
    for _ in range(2):
        status, fields, _ = person.post("/api/v1/auth/login", {"name": "root", "password": PASSWORD})
        assert status == 200
        words = fields["set-cookie"].split("; ")
        assert words[1:] == ["Path=/", "HttpOnly", "SameSite=Lax"], words
        seen.add(words[0])
    assert len(seen) == 2


def case_wrong_passwords():
    """A wrong password and a wrong name get the same answer, and after some tries a wait."""
    texts = set()
    for name in ("root", "nobody-there"):
        status, _, body = Person(SERVER).post("/api/v1/auth/login", {"name": name, "password": "not the right one"})
        assert status == 403, body
        texts.add(body)
    assert len(texts) == 1, texts
    SERVER.add_user("guessed", "viewer")
    for name in ("guessed", "not-there"):
        seen = []
        while 429 not in seen and len(seen) < 20:
            status, fields, _ = Person(SERVER).post("/api/v1/auth/login", {"name": name, "password": "wrong password"})
            seen.append(status)
        assert set(seen[:-1]) == {403} and len(seen) > 5 and seen[-1] == 429 and int(fields["retry-after"]) >= 1, (name, seen)


def case_pages():
    """Whoever is not signed in is led to the sign-in page, which leads back; programs are told 401."""
    status, fields, _ = SERVER.request("GET", "/order/ORD-1?a=b", headers={"Accept": "text/html"})
    assert status == 303 and fields["location"] == "/login?next=%2Forder%2FORD-1%3Fa%3Db", (status, fields["location"])
    assert SERVER.request("GET", "/order/ORD-1", headers={"Accept": "*/*"})[0] == 401
    assert SERVER.request("GET", "/login", headers={"Accept": "text/html"})[0] == 200
    assert SERVER.root.get("/order/ORD-1", {"Accept": "text/html"})[0] == 200


def audit(**wanted):
    """Records that fit, newest first."""
    found, before = [], 2 ** 53
    while before is not None:
        status, _, body = SERVER.root.get(f"/api/v1/audit?limit=1000&before={before}&action={wanted.get('action', '')}")
        assert status == 200, body
        answer = json.loads(body)
        found += [one for one in answer["records"] if all(one[key] == value for key, value in wanted.items())]
        before = answer["next"] or None
    return found


def filigree(*arguments, check=0, **more):
    env = {**os.environ, "FILIGREE_SERVER": f"http://127.0.0.1:{SERVER.api}", "FILIGREE_TOKEN": TOKENS["admin"]["*"]}
    done = subprocess.run([harness.BINARY, *arguments], capture_output=True, text=True, timeout=60, check=False, env=env, **more)
    assert done.returncode == check, (arguments, done)
    return done.stdout


def case_support_sees_no_values():
    """Support is told the verdict, and not what spans say; a viewer is told both."""
    trace = harness.new_trace_id()
    status = harness.field(15, harness.field(2, "card 4111111111111111 was declined") + harness.field(3, 2))
    body = request(span(trace, kind=2, attributes={"order.id": "ORD-SECRET"}, extra=status))
    sent = {"Content-Type": "application/x-protobuf", "Authorization": f"Bearer {TOKENS['ingest']['default']}"}
    assert SERVER.request("POST", "/v1/traces", body, sent, SERVER.http)[0] == 200

    def told(role):
        found, _, body = SERVER.request("GET", "/api/v1/journeys/order.id/ORD-SECRET", headers={"Authorization": f"Bearer {TOKENS[role]['default']}"})
        return json.loads(body) if found == 200 else {}

    harness.wait_until(lambda: told("viewer").get("state") == "broken", "the order is broken")
    assert "was declined" in json.dumps(told("viewer")["evidence"])
    support = told("support")
    assert support["state"] == "broken" and support["cause"] and support["evidence"], support
    assert "was declined" not in json.dumps(support)


def case_audit():
    """Who saw which order or trace, who changed what, and what was refused: each leaves a record."""
    trace = harness.new_trace_id()
    body = request(span(trace, attributes={"order.id": "ORD-4711"}))
    sent = {"Content-Type": "application/x-protobuf", "Authorization": f"Bearer {TOKENS['ingest']['default']}"}
    assert SERVER.request("POST", "/v1/traces", body, sent, SERVER.http)[0] == 200
    assert SERVER.root.get(f"/api/v1/traces/{trace}")[0] == 200
    assert SERVER.status_of("GET", f"/api/traces/{trace}", TOKENS["viewer"]["default"]) == 200
    harness.wait_until(lambda: SERVER.root.get("/api/v1/journeys/order.id/ORD-4711")[0] == 200, "the order is followed")
    assert SERVER.status_of("GET", "/api/v1/users", TOKENS["support"]["*"]) == 403
    SERVER.add_user("audited", "support")
    harness.wait_until(lambda: audit(action="refused", who="token:support-all", what="GET /api/v1/users"), "the refusal is recorded")
    assert audit(action="trace.view", who="root", what=trace, result="ok", tenant="default")[0]["from"] == "127.0.0.1"
    assert audit(action="trace.view", who="token:viewer-default", what=trace)
    assert audit(action="order.view", who="root", what="order.id=ORD-4711")
    harness.wait_until(lambda: {one["result"] for one in audit(action="user.add", who="root") if one["what"] in ("", "audited: support")} >=
                       {"begun", "ok"}, "the new account is recorded, before and after")
    admin = {"Authorization": f"Bearer {TOKENS['admin']['*']}", "Content-Type": "application/json"}
    monitor = json.dumps({"kind": "tcp", "host": "127.0.0.1", "port": 9, "interval": "1h"})
    for method, action, body in (("PUT", "monitor.put", monitor), ("DELETE", "monitor.delete", None)):
        status, _, answer = SERVER.request(method, "/api/v1/monitors/audited", body, admin)
        assert status in (200, 204), (method, status, answer)
        harness.wait_until(lambda action=action: {one["result"] for one in audit(action=action, what="audited", who="token:admin-all")} >= {"begun", "ok"},
                           f"{action} is recorded, before and after")
    harness.wait_until(lambda: audit(action="sign_in", what="audited", result="ok") and audit(action="sign_in", what="nobody-there", result="wrong"),
                       "who signed in is recorded, and who could not")
    harness.wait_until(lambda: audit(action="refused", result="credentials don't hold") and audit(action="refused", result="forged"),
                       "what was refused is recorded")
    text = json.dumps(audit())
    for secret in (PASSWORD, *(token for one in TOKENS.values() for token in one.values() if token), SERVER.root.cookie, SERVER.root.csrf):
        assert secret not in text


def case_audit_of_orders():
    """Who accepts and withdraws a flow, acknowledges, notes and resolves an incident, and tries to: under the name that is known, whatever
    name is claimed; before it is done and after."""
    now, spans = time.time_ns(), {"shop-api": [], "mes-api": []}
    for number in range(40):  # heard a minute ago: they teach at once
        for service, ago in (("shop-api", 62), ("mes-api", 60)):
            spans[service].append(span(harness.new_trace_id(), name="do " + service, start=now - ago * 10**9, end=now - ago * 10**9 + 1000, kind=2,
                                       attributes={"order.id": f"TAUGHT-{number}"}))
    spans["mes-api"].append(span(harness.new_trace_id(), attributes={"order.id": "FAILED"}, extra=harness.field(15, harness.field(3, 2))))
    sent = {"Content-Type": "application/x-protobuf", "Authorization": f"Bearer {TOKENS['ingest']['default']}"}
    for service, some in spans.items():
        assert SERVER.request("POST", "/v1/traces", request(*some, service=service), sent, SERVER.http)[0] == 200

    def incident():
        found = json.loads(SERVER.root.get("/api/v1/incidents")[2])["incidents"]
        return next((one["id"] for one in found if one["place"]["service"] == "mes-api"), None)

    def act(path, role, **body):
        headers = {"Authorization": f"Bearer {TOKENS[role]['default']}", "Content-Type": "application/json"}
        return SERVER.request("POST", path, json.dumps(body), headers)[0]

    def records(action, what):
        return [(one["who"], one["result"]) for one in reversed(audit(action=action, what=what))]

    number = harness.wait_until(incident, "the incident is open")
    harness.wait_until(lambda: any(one["can_accept"] for one in json.loads(SERVER.root.get("/api/v1/flows")[2])["flows"][:1]), "there is a flow to accept")
    done = [("token:viewer-default", "failed: 403"), ("token:admin-default", "begun"), ("token:admin-default", "ok")]
    for deed, path, what, body in (("flow.accept", "/api/v1/flows/order.id/accept", "order.id", {}),
                                   ("flow.withdraw", "/api/v1/flows/order.id/withdraw", "order.id", {}),
                                   ("incident.acknowledge", f"/api/v1/incidents/{number}/acknowledge", number, {}),
                                   ("incident.note", f"/api/v1/incidents/{number}/note", number, {"text": "they called"}),
                                   ("incident.resolve", f"/api/v1/incidents/{number}/resolve", number, {})):
        assert act(path, "viewer", by="Ann", **body) == 403, deed
        assert act(path, "admin", by="Ann", **body) == 200, deed
        harness.wait_until(lambda deed=deed, what=what: records(deed, what) == done, f"{deed} is recorded")
        assert act(path, "admin", by="Ann", colour="red") == 400, deed
        harness.wait_until(lambda deed=deed, what=what: records(deed, what)[3:] == [done[1], ("token:admin-default", "failed: 400")],
                           f"that {deed} was tried is recorded")
        assert audit(action="refused", who="token:viewer-default", what=f"POST {path}"), deed
        if deed == "flow.accept":
            assert json.loads(SERVER.root.get("/api/v1/flows")[2])["flows"][0]["accepted_by"] == "token:admin-default"
    told = json.loads(SERVER.root.get(f"/api/v1/incidents/{number}")[2])
    assert told["acknowledged_by"] == told["resolved_by"] == "token:admin-default", told


def case_audit_chain():
    """`filigree audit` lists and verifies; a changed byte and a cut end are found."""
    head = filigree("audit", "head").strip()
    assert filigree("audit", "list", "--who", "root", "--limit", "3").count("\n") == 3
    assert "whole: " in filigree("audit", "verify", "--data", SERVER.data, "--head", head)
    SERVER.kill()
    folder = os.path.join(SERVER.data, "audit")
    name = os.path.join(folder, sorted(os.listdir(folder))[-1])
    with open(name, "rb") as file:
        whole = file.read()
    with open(name, "wb") as file:
        file.write(whole.replace(b'"who":"root"', b'"who":"eve"', 1))
    assert "was changed" in filigree("audit", "verify", "--data", SERVER.data, check=1)
    with open(name, "wb") as file:
        file.write(whole[:whole.rindex(b"\n", 0, len(whole) // 2) + 1])
    assert "whole: " in filigree("audit", "verify", "--data", SERVER.data)
    assert "head" in filigree("audit", "verify", "--data", SERVER.data, "--head", head, check=1)
    with open(name, "wb") as file:
        file.write(whole)
    SERVER.start()
    assert SERVER.root.get("/api/v1/audit")[0] == 200


def case_no_audit_no_change():
    """Where the audit can't be written nothing is changed; reading goes on."""
    with Closed() as server:
        server.start()
        assert server.root.post("/api/v1/tenants", {"name": "before"})[0] == 200
        # The next file of the audit can't be made: the folder's name is taken by a file.
        assert server.end() == 0
        folder = os.path.join(server.data, "audit")
        shutil.rmtree(folder)
        server.start()
        assert "the audit is shorter than it was" in server.words(), server.words()
        with open(folder, "w", encoding="ascii") as file:
            file.write("in the way")
        status, _, body = server.root.post("/api/v1/tenants", {"name": "after"})
        assert status == 503 and b"audit" in body, (status, body)
        assert server.root.get("/api/v1/traces")[0] == 200
        assert b"after" not in server.root.get("/api/v1/tenants")[2]


def case_commands():
    """`filigree user` and `filigree token` make, list and end what they are for."""
    assert len(filigree("user", "add", "cli", "--role", "viewer,support").split()[0]) == 64
    filigree("user", "add", "cli2", "--password-stdin", input="a long password\n")
    assert SERVER.person("cli2", "a long password").get("/api/v1/traces")[0] == 200
    stranger = {key: value for key, value in os.environ.items() if key != "FILIGREE_TOKEN"}
    done = subprocess.run([harness.BINARY, "user", "list", "--server", f"http://127.0.0.1:{SERVER.api}"], capture_output=True, text=True, timeout=60, check=False, env=stranger)
    assert done.returncode == 3 and "FILIGREE_TOKEN" in done.stderr, done
    assert re.search(r"^cli +default +support,viewer invited$", filigree("user", "list"), re.M)
    filigree("user", "change", "cli2", "--disable")
    filigree("user", "remove", "cli")
    filigree("user", "remove", "cli", check=1)
    # Who may choose a tenant names it; what it did is that tenant's.
    trace = harness.new_trace_id()
    sent = {"Content-Type": "application/x-protobuf", "Authorization": f"Bearer {TOKENS['ingest']['acme']}"}
    assert SERVER.request("POST", "/v1/traces", request(span(trace)), sent, SERVER.http)[0] == 200
    filigree("trace", trace, check=1)
    assert trace in filigree("trace", trace, "--tenant", "acme")
    os.environ["FILIGREE_TENANT"] = "acme"
    try:
        assert trace in filigree("export")
        filigree("erase", "--trace", trace, "--yes", "--tenant", "other", check=1)
        assert "erased 1 span" in filigree("erase", "--trace", trace, "--yes")
    finally:
        del os.environ["FILIGREE_TENANT"]
    filigree("trace", trace, "--tenant", "nowhere", check=1)
    token = filigree("token", "add", "cli", "--scope", "view", "--expires", "1d").strip()
    assert SERVER.status_of("GET", "/api/v1/traces", token) == 200
    assert token[4:16] in filigree("token", "list") and token not in filigree("token", "list")
    filigree("token", "revoke", token[4:16])
    assert SERVER.status_of("GET", "/api/v1/traces", token) == 401


def value_of(body):
    """A tenant's own words, wherever they are."""
    return {word for word in ("acme", "other") if f"secret-of-{word}".encode() in body}


def case_tenants_are_apart():
    """No route tells one tenant what another sent: each reads its own, by every route there is."""
    traces = {}
    for tenant in ("acme", "other"):
        traces[tenant] = harness.new_trace_id()
        token = SERVER.token("ingest", name=f"in-{tenant}", tenant=tenant)
        attributes = {"order.id": f"secret-of-{tenant}", "db.system": "postgresql", "server.address": f"secret-of-{tenant}-db"}
        parent = span(traces[tenant], "00000000000000a1", f"secret-of-{tenant}-name", kind=2, attributes=attributes)
        call = span(traces[tenant], "00000000000000a2", f"secret-of-{tenant}-call", kind=3, attributes=attributes,
                    extra=harness.field(4, bytes.fromhex("00000000000000a1")))
        for body in (request(parent, call, service=f"secret-of-{tenant}-svc"), ):
            sent = {"Content-Type": "application/x-protobuf", "Authorization": f"Bearer {token}"}
            assert SERVER.request("POST", "/v1/traces", body, sent, SERVER.http)[0] == 200
    now = time.time_ns()
    window_us = f"start={(now - 3600 * 10**9) // 1000}&end={(now + 60 * 10**9) // 1000}"
    window_ns = f"start={now - 3600 * 10**9}&end={now + 60 * 10**9}"
    queries = {
        "/api/v1/traces": f"?{window_ns}", "/api/v1/series": f"?{window_ns}&by=service", "/api/v1/durations": f"?{window_ns}",
        "/api/v1/map": f"?{window_ns}", "/api/v1/values": "?key=order.id", "/api/v1/heatmap": f"?{window_ns}", "/api/v1/export": "",
        "/api/traces": f"?service=secret-of-{{}}-svc&{window_us}", "/api/dependencies": f"?endTs={now // 10**6}&lookback=3600000",
        "/api/operations": "?service=secret-of-{}-svc", "/api/metrics/calls": "?service=secret-of-{}-svc",
        "/api/metrics/latencies": "?service=secret-of-{}-svc&quantile=0.5", "/api/metrics/errors": "?service=secret-of-{}-svc",
        "/api/v3/traces": "?query.service_name=secret-of-{}-svc&query.start_time_min=2020-01-01T00:00:00Z&query.start_time_max=2099-01-01T00:00:00Z",
        "/api/v3/trace-summaries": "?query.service_name=secret-of-{}-svc&query.start_time_min=2020-01-01T00:00:00Z&query.start_time_max=2099-01-01T00:00:00Z",
        "/api/v3/operations": "?service=secret-of-{}-svc", "/api/v2/spans": "?serviceName=secret-of-{}-svc",
        "/api/v2/remoteServices": "?serviceName=secret-of-{}-svc", "/api/v2/traces": "", "/api/v2/dependencies": f"?endTs={now // 10**6}",
        "/api/v2/autocompleteValues": "?key=order.id", "/api/v2/traceMany": "?traceIds={id},{theirs}",
    }
    own, seen = set(), 0
    for method, path, permission, whole in routes():
        if method != "GET" or permission not in ("view", "support") or whole or path in ("/api/v1/tail", "/api/v1/openapi.yaml", "/") or path.endswith("/events") or not path.startswith("/api/"):
            continue
        for mine, theirs in (("acme", "other"), ("other", "acme"), ("default", "acme"), ("default", "other")):
            for wanted in {mine, theirs} - {"default"}:
                query = queries.get(path, "").replace("{id}", traces[wanted]).replace("{theirs}", traces[theirs]).replace("{}", wanted)
                where = re.sub(r"\{(key)\}", "order.id", path)
                where = where.replace("{value}", f"secret-of-{wanted}").replace("{span}", "00000000000000a1")
                where = where.replace("/services/{id}", f"/services/secret-of-{wanted}-svc").replace("{id}", traces[wanted])
                viewer = TOKENS["viewer"]["*"]
                status, _, body = SERVER.request("GET", where + query, headers={"Authorization": f"Bearer {viewer}", "Filigree-Tenant": mine})
                # What was asked may be said back; what lies beside it may not.
                told = value_of(body.replace(f"secret-of-{wanted}-svc".encode(), b"")) if wanted != mine else value_of(body)
                if wanted != mine and f"secret-of-{wanted}".encode() in body and path.endswith("{value}"):
                    told = set()
                    assert status == 404, (where, status)
                assert told <= {mine}, f"{mine} read of {told} at {where}{query}: {status} {body[:400]!r}"
                seen += 1
                if wanted == mine and mine in value_of(body):
                    own.add(path)
    # The questions are ones that are answered.
    assert len(own) >= 20, sorted(own)
    assert seen > 150, seen
    # A tail of one tenant hears nothing of the other's.
    viewer = {"Authorization": f"Bearer {TOKENS['viewer']['*']}", "Filigree-Tenant": "acme"}
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", SERVER.api, timeout=60)) as tail:
        tail.request("GET", "/api/v1/tail?limit=1", headers=viewer)
        answer = tail.getresponse()
        assert answer.read(1) == b"\n"
        for tenant in ("other", "acme"):
            token = SERVER.token("ingest", name=f"tail-{tenant}", tenant=tenant)
            sent = {"Content-Type": "application/x-protobuf", "Authorization": f"Bearer {token}"}
            assert SERVER.request("POST", "/v1/traces", request(span(harness.new_trace_id(), name=f"secret-of-{tenant}-tail")), sent, SERVER.http)[0] == 200
        assert value_of(answer.read()) == {"acme"}
    # Nor does one erase another's.
    admin = {"Authorization": f"Bearer {SERVER.token('admin', name='acme-admin', tenant='acme')}", "Content-Type": "application/json"}
    status, _, body = SERVER.request("POST", "/api/v1/admin/erase", json.dumps({"trace_id": traces["other"]}), admin)
    assert status == 200 and json.loads(body)["erased_spans"] == 0, body
    status, _, body = SERVER.request("POST", "/api/v1/admin/erase", json.dumps({"trace_id": traces["acme"]}), admin)
    assert status == 200 and json.loads(body)["erased_spans"] == 2, body


def watch(server, path, headers=None):
    """A connection, and an answer on it that has begun and goes on."""
    connection = http.client.HTTPConnection("127.0.0.1", server.api, timeout=60)
    connection.request("GET", path, headers=headers or {})
    answer = connection.getresponse()
    assert answer.status == 200 and answer.read(1), path
    return connection, answer


def is_ended(answer):
    """Whether it ends within a minute, by itself or cut."""
    until = time.monotonic() + 60
    try:
        while answer.read1(65536):
            if time.monotonic() > until:
                return False
    except (http.client.IncompleteRead, ConnectionResetError):
        pass
    return True


def case_streams_end():
    """What somebody began to watch or to follow ends with the session, the token or the role that let them: an answer that lasts outlives
    none of them."""
    admin = {"Authorization": f"Bearer {TOKENS['admin']['*']}", "Content-Type": "application/json"}

    def revoke(token):
        return lambda: SERVER.root.post(f"/api/v1/tokens/{token[4:16]}/revoke")

    def change(name, **wish):
        return lambda: SERVER.root.post(f"/api/v1/users/{name}", wish)

    people = {name: SERVER.add_user(name, "viewer") for name in ("streams-out", "streams-off", "streams-less", "streams-gone", "streams-moved")}
    token = SERVER.token("viewer", name="streams")
    less = {"tail": change("streams-less", roles=["support"]), "events": change("streams-less", roles=["ingest"])}
    ends = [("streams-out", lambda: people["streams-out"].post("/api/v1/auth/logout")), ("streams-off", change("streams-off", disabled=True)),
            ("streams-less", None), ("streams-gone", lambda: SERVER.root.post("/api/v1/users/streams-gone/remove")),
            ("streams-moved", change("streams-moved", tenant="acme")), (token, revoke(token))]

    with contextlib.ExitStack() as stack:
        for who, end in ends:
            headers = people[who].headers() if who in people else {"Authorization": f"Bearer {who}"}
            streams = {name: watch(SERVER, path, headers) for name, path in (("tail", "/api/v1/tail"), ("events", "/api/v1/journeys/events"))}
            for connection, _ in streams.values():
                stack.callback(connection.close)
            for name, (_, answer) in streams.items():
                status, _, body = (less[name] if end is None else end)() if end is None or name == "tail" else (200, None, b"")
                assert status == 200, (who, body)
                assert is_ended(answer), (who, name)
        kept, answer = watch(SERVER, "/api/v1/tail?limit=1", admin)
        stack.callback(kept.close)
        time.sleep(2)  # longer than what is known of who asks may be old
        sent = {"Content-Type": "application/x-protobuf", "Authorization": f"Bearer {TOKENS['ingest']['default']}"}
        assert SERVER.request("POST", "/v1/traces", request(span(harness.new_trace_id(), name="still-there")), sent, SERVER.http)[0] == 200
        assert b"still-there" in answer.read()


def case_quotas():
    """Whoever sends more than the tenant's quota is told when to come again, and others are not held up."""
    SERVER.add_tenant("small", spans_per_second=10)
    token = SERVER.token("ingest", name="in-small", tenant="small")

    def send(who, count):
        sent = {"Content-Type": "application/x-protobuf", "Authorization": f"Bearer {who}"}
        body = request(*[span(harness.new_trace_id()) for _ in range(count)])
        return SERVER.request("POST", "/v1/traces", body, sent, SERVER.http)

    assert send(token, 2000)[0] == 200
    status, fields, _ = send(token, 1)
    assert status == 429 and int(fields["retry-after"]) > 60, (status, fields["retry-after"])
    if shutil.which("curl"):
        message = request(span(harness.new_trace_id()))
        done = subprocess.run(["curl", "-s", "-D", "-", "--http2-prior-knowledge", "-H", "content-type: application/grpc", "-H", "te: trailers",
                               "-H", f"authorization: Bearer {token}", "--data-binary", "@-", "-o", os.devnull,
                               f"http://127.0.0.1:{SERVER.grpc}/opentelemetry.proto.collector.trace.v1.TraceService/Export"],
                              input=b"\0" + len(message).to_bytes(4, "big") + message, capture_output=True, timeout=60, check=False).stdout
        details = re.search(rb"grpc-status-details-bin: (\S+)", done)
        assert b"grpc-status: 8" in done and details, done
        assert b"google.rpc.RetryInfo" in base64.b64decode(details.group(1) + b"=="), details
    assert send(TOKENS["ingest"]["default"], 2000)[0] == 200 and send(TOKENS["ingest"]["default"], 1)[0] == 200
    # A change names what changes; the other bounds stay.
    assert SERVER.root.post("/api/v1/tenants/small", {"bytes_per_second": 10**9})[0] == 200
    assert send(token, 1)[0] == 429
    status, _, body = SERVER.root.post("/api/v1/tenants/small", {"spans_per_second": 0})
    assert status == 200 and json.loads(body) == {"name": "small", "spans_per_second": 0, "bytes_per_second": 10**9, "attributes_per_second": 0}, body
    assert send(token, 1)[0] == 200
    page = SERVER.token("ingest", name="page", origin="https://shop.example")
    sent = {"Content-Type": "application/x-protobuf", "Authorization": f"Bearer {page}"}
    body = request(*[span(harness.new_trace_id()) for _ in range(20000)])
    assert SERVER.request("POST", "/v1/traces", body, sent, SERVER.http)[0] == 403
    sent["Origin"] = "https://shop.example"
    assert SERVER.request("POST", "/v1/traces", body, sent, SERVER.http)[0] == 200
    assert SERVER.request("POST", "/v1/traces", request(span(harness.new_trace_id())), sent, SERVER.http)[0] == 429
    assert SERVER.request("GET", "/api/v1/traces", headers=sent)[0] == 403


def case_kill():
    """Accounts, tokens and sessions outlive a kill; what was ended stays ended."""
    gone = SERVER.add_user("gone", "viewer")
    status, _, body = SERVER.root.post("/api/v1/users/gone/remove")
    assert status == 200, body
    SERVER.kill()
    SERVER.start()
    assert "/setup#" not in SERVER.words()
    assert SERVER.root.get("/api/v1/users")[0] == 200
    assert gone.get("/api/v1/traces")[0] == 401
    assert SERVER.status_of("GET", "/api/v1/traces", TOKENS["viewer"]["default"]) == 200


def case_open_until_the_first_account():
    """On loopback without accounts all is open; the first account closes it, at once and for the next start."""
    with harness.Server() as server:
        server.start()
        assert json.loads(server.get("/api/v1/auth/me")[1])["mode"] == "open"
        assert server.get("/api/v1/traces")[0] == 200 and server.get("/api/v1/users")[0] == 200
        streams = [watch(server, path) for path in ("/api/v1/tail", "/api/v1/journeys/events")]
        status, _, body = server.request("POST", "/api/v1/users", json.dumps({"name": "a", "password": PASSWORD, "roles": ["viewer"]}))
        assert status == 400, body
        status, _, body = server.request("POST", "/api/v1/users", json.dumps({"name": "a", "password": PASSWORD, "roles": ["admin"]}))
        assert status == 200, body
        assert server.get("/api/v1/traces")[0] == 401
        for connection, answer in streams:
            assert is_ended(answer), "whoever watched unasked is asked"
            connection.close()
        server.kill()
        server.start()
        assert server.get("/api/v1/traces")[0] == 401


def case_end():
    """The server ends well."""
    assert SERVER.end() == 0, SERVER.words()[-1000:]


if __name__ == "__main__":
    with SERVER:
        sys.exit(harness.main(globals()))
