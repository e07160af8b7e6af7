"""What tests of who may see what share: a server with accounts, its first administrator, tokens of every kind."""
import http.client
import json
import re

import harness
from harness import Server, wait_until

PASSWORD = "correct horse battery"


class Closed(Server):
    """A server that lets nobody in without credentials; `start` makes the administrator root."""

    def __init__(self, options=(), **more):
        super().__init__(options=["--accounts", "on", *options], **more)
        self.root = None

    def start(self):
        super().start()
        found = re.search(r"/setup#([0-9a-f]{64})", self.words())
        if found:
            self.root = Person(self)
            status, _, body = self.root.post("/api/v1/auth/setup", {"link": found.group(1), "name": "root", "password": PASSWORD})
            assert status == 200, f"setup: {status} {body!r}"
        return self

    def person(self, name, password=PASSWORD):
        one = Person(self)
        status, _, body = one.post("/api/v1/auth/login", {"name": name, "password": password})
        assert status == 200, f"login of {name}: {status} {body!r}"
        return one

    def add_user(self, name, *roles, tenant=None, password=PASSWORD):
        wish = {"name": name, "password": password, "roles": list(roles)}
        if tenant:
            wish["tenant"] = tenant
        status, _, body = self.root.post("/api/v1/users", wish)
        assert status == 200, f"user {name}: {status} {body!r}"
        return self.person(name, password)

    def token(self, *roles, name="test", **more):
        status, _, body = self.root.post("/api/v1/tokens", {"name": name, "roles": list(roles), **more})
        assert status == 200, f"token {name}: {status} {body!r}"
        return json.loads(body)["token"]

    def add_tenant(self, name, **quota):
        status, _, body = self.root.post("/api/v1/tenants", {"name": name, **quota})
        assert status == 200, f"tenant {name}: {status} {body!r}"

    def status_of(self, method, path, token=None, headers=None, port=None, body=None):
        """The status alone: an answer that never ends is left at once."""
        headers = dict(headers or {})
        if token:
            headers["Authorization"] = f"Bearer {token}"
        connection = http.client.HTTPConnection("127.0.0.1", port or self.api, timeout=60)
        try:
            connection.request(method, path, body, headers)
            return connection.getresponse().status
        finally:
            connection.close()


class Person:
    """Somebody with a browser: keeps the cookie, sends the CSRF token."""

    def __init__(self, server):
        self.server = server
        self.cookie = None
        self.csrf = None

    def headers(self, more=None):
        name = "__Host-filigree" if self.server.tls else "filigree"
        mine = {"Cookie": f"{name}={self.cookie}"} if self.cookie else {}
        return {**mine, **(more or {})}

    def get(self, path, headers=None):
        return self.server.request("GET", path, headers=self.headers(headers))

    def post(self, path, body=None, headers=None):
        mine = {"Content-Type": "application/json"}
        if self.csrf:
            mine["Filigree-Csrf"] = self.csrf
        mine.update(headers or {})
        status, fields, answer = self.server.request("POST", path, json.dumps(body or {}), self.headers(mine))
        cookie = re.match(r"(?:__Host-)?filigree=([0-9a-f]{64});", fields.get("set-cookie") or "")
        if cookie:
            self.cookie = cookie.group(1)
        if cookie and status == 200:
            self.csrf = json.loads(answer)["csrf"]
        return status, fields, answer


def routes_of(text):
    """(method, path, permission, whole server) of each route, as `GET /` lists them."""
    found = re.findall(r"^  (GET|POST|PUT|DELETE)\s+(\S+)\s+(\w+)(, of all tenants)?$", text, re.M)
    return [(method, path, permission, bool(whole)) for method, path, permission, whole in found]


__all__ = ["Closed", "Person", "PASSWORD", "harness", "routes_of", "wait_until"]
