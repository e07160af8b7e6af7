"""Glewlwyd, a real OpenID provider from Debian's packages, on a folder and a port of its own: one client, and users with groups."""
import http.client
import json
import shutil
import subprocess

import servers
from harness import Skip

CLIENT, SECRET = "filigree", "a client's secret"


def password_of(user):
    return f"the password of {user}"


class Glewlwyd(servers.RealServer):
    """`users` is who has which groups; `redirect` is where the browser is sent back to."""

    def __init__(self, redirect, users):
        if not shutil.which("openssl"):
            raise Skip("openssl is not installed")
        super().__init__("glewlwyd")
        self.redirect = redirect
        self.users = users
        self.cookie = None

    @property
    def issuer(self):
        return f"http://127.0.0.1:{self.port}/api/oidc"

    def start(self):
        super().start()
        self.ask("POST", "/auth/", {"username": "admin", "password": "password"})
        self.let_users_have_groups()
        self.make_provider()
        for scope in ("profile", "email"):
            self.ask("POST", "/scope/", {"name": scope, "display_name": scope, "description": scope, "password_required": True,
                                         "password_max_age": 0, "scheme": {}})
        self.ask("POST", "/client/", {"client_id": CLIENT, "name": "Filigree", "password": SECRET, "enabled": True, "confidential": True, "scope": [],
                                      "redirect_uri": [self.redirect], "authorization_type": ["code", "refresh_token"],
                                      "token_endpoint_auth_method": ["client_secret_basic"]})
        for user, groups in self.users.items():
            self.ask("POST", "/user/", {"username": user, "name": user, "password": password_of(user), "enabled": True, "groups": groups,
                                        "email": f"{user}@example.com", "scope": ["openid", "profile", "email", "g_profile"]})
        return self

    def let_users_have_groups(self):
        module = json.loads(self.ask("GET", "/mod/user/database"))
        module["parameters"]["data-format"]["groups"] = {"multiple": True, "read": True, "write": True, "profile-read": True, "profile-write": False}
        self.ask("PUT", "/mod/user/database", module)
        self.ask("PUT", "/mod/user/database/reset/")

    def make_provider(self):
        key = subprocess.run(["openssl", "genrsa", "2048"], capture_output=True, text=True, check=True).stdout
        public = subprocess.run(["openssl", "rsa", "-pubout"], input=key, capture_output=True, text=True, check=True).stdout
        on = ("auth-type-code-enabled", "auth-type-id-token-enabled", "auth-type-refresh-enabled", "pkce-allowed", "pkce-required", "jwks-show",
              "refresh-token-rolling")
        off = ("allow-non-oidc", "auth-type-token-enabled", "auth-type-none-enabled", "auth-type-password-enabled", "auth-type-client-enabled",
               "auth-type-device-enabled", "pkce-method-plain-allowed")
        self.ask("POST", "/mod/plugin/", {"module": "oidc", "name": "oidc", "display_name": "OpenID", "enabled": True, "parameters": {
            "iss": self.issuer, "jwt-type": "rsa", "jwt-key-size": "256", "key": key, "cert": public, "access-token-duration": 3600,
            "refresh-token-duration": 86400, "code-duration": 600, "refresh-token-one-use": "never", "subject-type": "public", "scope": [],
            "additional-parameters": [], "name-claim": "mandatory", "email-claim": "mandatory",
            "claims": [{"name": "groups", "user-property": "groups", "type": "string", "mandatory": True, "scope": []}],
            **{name: True for name in on}, **{name: False for name in off}}})

    def ask(self, method, path, body=None):
        """Its administrator's request; the answer's bytes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Content-Type": "application/json", **({"Cookie": self.cookie} if self.cookie else {})}
        try:
            connection.request(method, f"/api{path}", json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        assert answer.status == 200, f"glewlwyd: {method} {path}: {answer.status} {data!r}"
        for cookie in answer.headers.get_all("set-cookie") or []:
            self.cookie = cookie.split(";")[0]
        return data

    def change(self, user, **fields):
        """Changes what it knows of a user: groups=[...], enabled=False."""
        known = json.loads(self.ask("GET", f"/user/{user}"))
        self.ask("PUT", f"/user/{user}", {**known, **fields})
