#!/usr/bin/env python3
"""trust.py FILIGREE [CASE...]: whom the connections believe that the program makes itself: monitors, webhooks, the OpenID provider, the command line."""
import contextlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import warnings

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from authority import Authority  # noqa: E402
from harness import Server, Skip, wait_until  # noqa: E402

# Permits what nobody should use any more: what refuses it does so by itself.
PERMISSIVE = """openssl_conf = all
[all]
ssl_conf = all_of_ssl
[all_of_ssl]
system_default = old
[old]
MinProtocol = TLSv1
CipherString = ALL:@SECLEVEL=0
"""


class Ear:
    """A TLS server that notes of each connection whether it was believed."""

    def __init__(self, chain, is_postgresql=False, is_old=False):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if is_old:
            self.context.set_ciphers("ALL:@SECLEVEL=0")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.context.minimum_version, self.context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        self.context.load_cert_chain(*chain)
        self.is_postgresql = is_postgresql
        self.seen = []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.hear, args=(self.listening.accept()[0],), daemon=True).start()

    def hear(self, conn):
        conn.settimeout(60)
        with conn:
            try:
                if self.is_postgresql:
                    assert conn.recv(8)[4:] == b"\x04\xd2\x16\x2f", "an SSLRequest"
                    conn.sendall(b"S")
                with self.context.wrap_socket(conn, server_side=True) as inner:
                    # A name may be looked at after the handshake; then nothing is said.
                    self.seen.append("believed" if inner.recv(65536) else "left without a word")
                    with contextlib.suppress(OSError):
                        inner.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
            except OSError as error:  # ssl.SSLError is one
                self.seen.append(str(error))

    def close(self):
        self.listening.close()


WHO = ("http", "rabbitmq", "s3", "postgresql", "webhook", "oidc", "command")


def ask_all(chain, ca, wrapper=(), env=None, is_old=False, until=""):
    """What became of the connections of each to a server of its own with this certificate; of one of each at least, which ended so."""
    before = dict(os.environ)
    os.environ.update(env or {})
    ears = {name: Ear(chain, is_postgresql=name == "postgresql", is_old=is_old) for name in WHO}
    try:
        with tempfile.TemporaryDirectory() as folder:
            def to(name, path=""):
                return f"https://localhost:{ears[name].port}{path}"

            secret = os.path.join(folder, "secret")
            with open(secret, "w", encoding="ascii") as file:
                file.write("secret\n")
            trusted = {"ca-file": ca} if ca else {}
            often = {"interval": "1s", "time-limit": "10s", **trusted}
            monitors = [{"name": "http", "kind": "http", "url": to("http"), **often},
                        {"name": "rabbitmq", "kind": "rabbitmq", "url": to("rabbitmq"), "password-file": secret, **often},
                        {"name": "s3", "kind": "s3", "url": to("s3"), "bucket": "b", "access-key": "a", "secret-key-file": secret, **often},
                        {"name": "postgresql", "kind": "postgresql", "host": "localhost", "port": ears["postgresql"].port, "password-file": secret,
                         **({} if ca else {"tls": "verify-full"}), **often},
                        {"name": "down", "kind": "tcp", "host": "127.0.0.1", "port": 1, "interval": "1s"}]
            path = os.path.join(folder, "monitors.yaml")
            with open(path, "w", encoding="ascii") as file:
                json.dump({"monitors": monitors}, file)
            options = ["--accounts", "on", "--monitors", path, "--alert-webhook", to("webhook"), "--oidc-issuer", to("oidc"), "--oidc-client", "filigree",
                       "--oidc-redirect", "https://localhost/auth/oidc/callback", "--oidc-groups", "staff=viewer"]
            if ca:
                options += ["--alert-ca", ca, "--oidc-ca", ca]
            with Server(options=options, wrapper=wrapper).start() as server:
                stats = [*wrapper, harness.BINARY, "stats", "--server", to("command"), *(["--ca", ca] if ca else [])]
                deeds = {"oidc": lambda: server.get("/auth/oidc/start"), "command": lambda: subprocess.run(stats, capture_output=True, timeout=60, check=False)}

                def has_come(name):
                    """One that was slower than it may be is followed by others."""
                    if not any(until in one for one in ears[name].seen) and name in deeds:
                        deeds[name]()
                    return any(until in one for one in ears[name].seen)
                for name in ears:
                    wait_until(lambda name=name: has_come(name), f"{name} has come, {until}")
            return {name: set(ear.seen) for name, ear in ears.items()}
    finally:
        os.environ.clear()
        os.environ.update(before)
        for ear in ears.values():
            ear.close()


@contextlib.contextmanager
def authorities():
    if not shutil.which("openssl"):
        raise Skip("openssl is not installed")
    with tempfile.TemporaryDirectory() as folder:
        yield Authority(folder, "ours"), Authority(folder, "theirs")


def case_the_named_authority_alone():
    """Where an authority is named it alone is trusted, and not the system's beside it; where none is, the system's are."""
    with authorities() as (ours, theirs):
        wrapper = theirs.as_the_systems("trusted")
        if not wrapper:
            raise Skip("the system's authorities can't be replaced here")
        names = "DNS:localhost,IP:127.0.0.1"
        said = ask_all(theirs.issue("server", names), None, wrapper, until="believed")
        assert all("believed" in one for one in said.values()), said
        said = ask_all(ours.issue("server", names), ours.file, wrapper, until="believed")
        assert all("believed" in one for one in said.values()), said
        said = ask_all(theirs.issue("server", names), ours.file, wrapper)
        assert not any("believed" in one for one in said.values()), said


def case_the_name_is_checked():
    """The right authority's certificate for another name is not believed."""
    with authorities() as (ours, _):
        said = ask_all(ours.issue("server", "DNS:other.example"), ours.file)
        assert not any("believed" in one for one in said.values()), said


def case_no_old_tls():
    """Nothing speaks TLS 1.1, even where the system's settings allow it."""
    with authorities() as (ours, _):
        chain, config = ours.issue("server", "DNS:localhost,IP:127.0.0.1"), ours.path("permissive.cnf")
        with open(config, "w", encoding="ascii") as file:
            file.write(PERMISSIVE)
        env = {"OPENSSL_CONF": config}
        with contextlib.closing(Ear(chain, is_old=True)) as ear:
            subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{ear.port}", "-tls1_1"], env={**os.environ, **env}, input=b"", capture_output=True,
                           timeout=60, check=False)
            wait_until(lambda: ear.seen, "somebody speaks it")
            if ear.seen != ["left without a word"]:
                raise Skip("this OpenSSL has no TLS 1.1")
        said = ask_all(chain, ours.file, env=env, is_old=True)
        assert not any("believed" in one for one in said.values()), said


if __name__ == "__main__":
    sys.exit(harness.main(globals()))
