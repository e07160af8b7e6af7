"""A tiny OpenID provider for tests: it says yes to whoever comes, and errs in every way that it is told to.

Keys and signatures are openssl's; everything else is Python's standard library.
"""
import base64
import hashlib
import hmac
import http.server
import json
import os
import subprocess
import tempfile
import threading
import time
import urllib.parse


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Provider:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="filigree-provider-")
        self.key = self.new_key("key")
        self.other_key = self.new_key("other")
        self.kid = "one"
        self.codes = {}
        self.refreshes = {}
        self.given = set()  # every token by which it can be asked again
        self.groups = {"anna": ["staff", "admins"], "olga": ["helpdesk"], "eve": ["visitors"]}
        self.subjects = {}  # of users who have become somebody else
        self.user = "anna"
        self.wrong = None
        self.with_refresh = True
        self.errs = {}  # users of whom it can say nothing when it is asked again, and the status that it answers with
        self.busy = False  # it is asked too often
        self.asked_again = []  # by which connection, each time
        self.refused = []  # who it was asked for then
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                provider.get(self)

            def do_POST(self):
                provider.post(self, self.rfile.read(int(self.headers["Content-Length"])).decode())

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def new_key(self, name):
        path = os.path.join(self.folder, name)
        subprocess.run(["openssl", "genrsa", "-out", path, "2048"], check=True, capture_output=True)
        return path

    def jwk(self, path):
        out = subprocess.run(["openssl", "rsa", "-in", path, "-noout", "-modulus"], check=True, capture_output=True, text=True).stdout
        modulus = bytes.fromhex(out.split("=")[1].strip())
        return {"kty": "RSA", "kid": self.kid, "use": "sig", "alg": "RS256", "n": b64(modulus), "e": b64(b"\x01\x00\x01")}

    def sign(self, claims, alg="RS256", key=None, **more):
        head = {"alg": alg, "kid": self.kid, "typ": "JWT", **more}
        text = b64(json.dumps(head).encode()) + "." + b64(json.dumps(claims).encode())
        if alg in ("none", "None"):
            return text + "."
        if alg.startswith("HS"):  # key confusion: the public key as a secret
            pem = subprocess.run(["openssl", "rsa", "-in", self.key, "-pubout"], check=True, capture_output=True).stdout
            return text + "." + b64(hmac.new(pem, text.encode(), hashlib.sha256).digest())
        done = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key or self.key], input=text.encode(), check=True, capture_output=True)
        return text + "." + b64(done.stdout)

    def answer(self, handler, status, body):
        data = json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        try:
            handler.wfile.write(data)
        except BrokenPipeError:
            pass  # the server under test has ended

    def get(self, handler):
        path, _, query = handler.path.partition("?")
        if path == "/.well-known/openid-configuration":
            self.answer(handler, 200, {"issuer": self.issuer, "authorization_endpoint": self.issuer + "/authorize", "token_endpoint": self.issuer + "/token",
                                       "jwks_uri": self.issuer + "/keys", "userinfo_endpoint": self.issuer + "/userinfo"})
        elif path == "/keys":
            self.answer(handler, 200, {"keys": [self.jwk(self.key)]})
        elif path == "/authorize":
            asked = dict(urllib.parse.parse_qsl(query))
            code = b64(os.urandom(16))
            self.codes[code] = {**asked, "user": self.user}
            to = asked["redirect_uri"] + "?" + urllib.parse.urlencode({"code": code, "state": asked["state"]})
            handler.send_response(302)
            handler.send_header("Location", to)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
        elif path == "/userinfo":
            user = handler.headers.get("Authorization", "").removeprefix("Bearer access-")
            if user in self.groups:
                self.answer(handler, 200, {"sub": self.subject(user), "groups": self.groups[user]})
            else:
                self.answer(handler, 401, {"error": "invalid_token"})

    def post(self, handler, text):
        form = dict(urllib.parse.parse_qsl(text))
        if form.get("grant_type") == "refresh_token":
            user = self.refreshes.get(form["refresh_token"])
            self.asked_again.append(handler.client_address)
            if user in self.errs or self.busy:
                self.refused.append(user)
                self.answer(handler, 429 if self.busy else self.errs[user], {"error": "temporarily_unavailable"})
                return
            self.refreshes.pop(form["refresh_token"], None)
            if user not in self.groups:
                self.answer(handler, 400, {"error": "invalid_grant"})
                return
            self.answer(handler, 200, self.tokens(user, None))
            return
        asked = self.codes.pop(form.get("code"), None)
        secret = "Basic " + base64.b64encode(b"filigree:a secret").decode()
        proof = b64(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if not asked or asked["code_challenge"] != proof or handler.headers.get("Authorization") != secret or asked["redirect_uri"] != form["redirect_uri"]:
            self.answer(handler, 400, {"error": "invalid_grant"})
            return
        self.answer(handler, 200, self.tokens(asked["user"], asked["nonce"]))

    def subject(self, user):
        return self.subjects.get(user, "id-" + user)

    def tokens(self, user, nonce):
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": "filigree", "sub": self.subject(user), "preferred_username": user, "iat": now, "exp": now + 300,
                  "groups": self.groups[user]}
        if nonce:
            claims["nonce"] = nonce
        wrong = self.wrong
        changes = {"issuer": {"iss": "http://127.0.0.1:1"}, "audience": {"aud": "another"}, "audience_list": {"aud": ["filigree"], "azp": "another"},
                   "expired": {"exp": now - 3600, "iat": now - 7200}, "future": {"iat": now + 3600, "exp": now + 7200}, "nonce": {"nonce": "another"},
                   "early": {"nbf": now + 3600}, "no_end": {"exp": None}, "end_as_text": {"exp": str(now + 300)}, "no_subject": {"sub": None}, "long": {"exp": 2 ** 63 - 1}}
        claims.update(changes.get(wrong, {}))
        # The header names the key, or has it, or says that more must be understood.
        heads = {"own_key": {"jwk": self.jwk(self.other_key)}, "critical": {"crit": ["b64"], "b64": True}, "other_kid": {"kid": "../../etc/passwd"}}
        token = self.sign(claims, alg=wrong if wrong in ("none", "None", "HS256", "HS512") else "RS256", key=self.other_key if wrong in ("key", "own_key") else None,
                          **heads.get(wrong, {}))
        if wrong == "changed":
            head, body, signature = token.split(".")
            claims["groups"] = ["admins"]
            token = ".".join((head, b64(json.dumps(claims).encode()), signature))
        if wrong == "oversized":
            token += "A" * 100000
        self.given.add("access-" + user)
        answer = {"token_type": "Bearer", "access_token": "access-" + user, "id_token": token, "expires_in": 300}
        if self.with_refresh:
            refresh = b64(os.urandom(16))
            self.given.add(refresh)
            self.refreshes[refresh] = user
            answer["refresh_token"] = refresh
        return answer
