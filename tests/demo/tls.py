#!/usr/bin/env python3
"""tls.py FILIGREE: the company with TLS on every hop (demo/up --tls): orders go on as they do without, whoever speaks plain text is
turned away at every port, and what the servers themselves say of their connections is that all are encrypted.

All is real, as in healthy.py. Skipped by name where a package is missing.
"""
import contextlib
import os
import re
import socket
import ssl
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "browser")]
import chromium  # noqa: E402
from company import DEMO, ROOT, Company, harness  # noqa: E402

# Every port that somebody else may connect to, by how its protocol begins.
HTTP, POSTGRES, AMQP = (1, 2, 3, 4, 22, 31), (11, 12, 13, 14), (21,)
ORDERS = []
os.environ["DEMO_HISTORY"] = "1000"  # nothing here is about large tables


class Running:
    """The company; one for all cases, begun by the first that asks."""
    now = None
    stack = contextlib.ExitStack()

    @classmethod
    def get(cls):
        if cls.now is None:
            try:
                cls.now = cls.stack.enter_context(Company(os.path.dirname(os.path.abspath(harness.BINARY)), tls=True))
            except (AssertionError, harness.Skip) as trouble:
                cls.now = trouble
        if isinstance(cls.now, Exception):
            raise cls.now
        return cls.now


def shell(company, words):
    """A line of the demo's own scripts' language."""
    script = f'. "{DEMO}/lib.sh"; {words}'
    done = subprocess.run(["bash", "-c", script, "tls"], env=company.env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def say_plainly(port, words):
    """What a port says to plain text, until it closes or has said enough."""
    heard = b""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as conn:
        with contextlib.suppress(ConnectionError):
            conn.sendall(words)
            while len(heard) < 4096 and (part := conn.recv(4096)):
                heard += part
    return heard


def filigree_ports(company):
    return [int(company.env[name]) for name in ("FILIGREE_API", "FILIGREE_OTLP_HTTP", "FILIGREE_OTLP_GRPC")]


def case_order():
    """an order goes from the page's call to CLOSED, and Filigree knows each of its hops"""
    company = Running.get()
    status, answer = company.ask("POST", f"{company.shop}/orders", {"customer": "Ada", "piece": "Ring"})
    assert status == 201, (status, answer)
    order = answer["id"]
    ORDERS.append(order)
    assert company.carry(order, 120) == "CLOSED", company.trouble
    harness.wait_until(lambda: company.where(order).get("state") == "done", f"{order} is done", 60)
    harness.wait_until(lambda: {"shop-api", "crm-api", "mes-api"} <= {service for service, _, _, _ in company.spans(order)}, "each one's spans are there")
    schemes = {attributes["url.scheme"] for _, _, _, attributes in company.spans(order) if "url.scheme" in attributes}
    assert schemes <= {"https"}, schemes


def case_pages():
    """the pages' stock web SDK sends to an https address, and an order that is clicked through is closed"""
    if not chromium.find():
        raise harness.Skip("chromium is not installed")
    company = Running.get()
    done = company.script("browser", "--orders", "1", "--patience", "120")
    assert done.returncode == 0, done.stdout + done.stderr
    order = re.search(r"ORD-\d+", done.stdout)[0]
    harness.wait_until(lambda: {"shop-page", "mes-page"} <= {service for service, _, _, _ in company.spans(order)}, "the pages' spans are there")


def case_monitors():
    """Filigree's monitors see every server well, over TLS"""
    company = Running.get()

    def results():
        answer = company.ask("GET", f"{company.scheme}://127.0.0.1:{company.api}/api/v1/monitors")[1]
        return {one["name"]: one["result"] for one in answer["monitors"]}
    try:
        harness.wait_until(lambda: set(results().values()) == {"ok"}, "all are ok", 60)
    except AssertionError:
        raise AssertionError(results()) from None
    assert len(results()) >= 10, results()


def case_plain_text():
    """plain text is turned away at every port"""
    company = Running.get()
    for port in [*(company.base + offset for offset in HTTP), *filigree_ports(company)]:
        heard = say_plainly(port, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert not re.match(rb"HTTP/1\.[01] [123]", heard), (port, heard[:200])
    for offset in AMQP:
        heard = say_plainly(company.base + offset, b"AMQP\0\0\x09\x01")
        assert b"AMQP" not in heard and b"RabbitMQ" not in heard, heard[:200]
    for offset, name in zip(POSTGRES, ("shop", "shop", "mes", "mes")):
        # A start without the question for TLS, as `sslmode=disable` sends it.
        words = b"".join(one + b"\0" for one in (b"user", name.encode(), b"database", name.encode())) + b"\0"
        heard = say_plainly(company.base + offset, struct.pack(">II", len(words) + 8, 196608) + words)
        assert heard[:1] == b"E" and b"28000" in heard and b"no encryption" in heard, heard[:200]


def case_names():
    """every port proves its name by the demo's authority, and by no other's"""
    company = Running.get()
    ours, others = ssl.create_default_context(cafile=company.ca), ssl.create_default_context()
    for port in [*(company.base + offset for offset in (*HTTP, *AMQP, *POSTGRES)), *filigree_ports(company)]:
        for context, is_believed in ((ours, True), (others, False)):
            with socket.create_connection(("127.0.0.1", port), timeout=60) as conn:
                if port - company.base in POSTGRES:
                    conn.sendall(struct.pack(">II", 8, 80877103))
                    assert conn.recv(1) == b"S", port
                try:
                    with context.wrap_socket(conn, server_hostname="127.0.0.1") as spoken:
                        assert is_believed and spoken.version() in ("TLSv1.2", "TLSv1.3"), port
                except ssl.SSLCertVerificationError:
                    assert not is_believed, port


def case_connections():
    """each server says of all its connections that they are encrypted, the replicas' too"""
    company = Running.get()
    for name in ("shop-db", "shop-db-replica", "mes-db", "mes-db-replica"):
        rows = shell(company, f"""sql {name} "SELECT application_name, ssl, version FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
            WHERE backend_type IN ('client backend', 'walsender')" """).splitlines()
        assert rows and all("|t|TLSv1." in row for row in rows), rows
        if not name.endswith("replica"):
            assert any(row.startswith(name.replace("-", "_") + "_replica|t") for row in rows), rows
    assert "sslmode=verify-full" in shell(company, 'sql mes-db-replica "SELECT conninfo FROM pg_stat_wal_receiver"')
    servers = os.path.join(ROOT, "tools", "servers", "rabbitmq")
    listed = subprocess.run([servers, "ctl", os.path.join(company.env["DEMO_DATA"], "rabbit"), "list_connections", "ssl", "ssl_protocol"],
                            env=company.env, capture_output=True, text=True, check=True, timeout=120).stdout.splitlines()
    rows = [row for row in listed if row.startswith(("true", "false"))]
    # Publishers come and go; consumers stay.
    assert len(rows) >= 2 and all(re.match(r"true\ttlsv1\.[23]", row) for row in rows), listed
    listeners = shell(company, "rabbit GET /overview")
    assert re.search(r'"protocol":"amqp/ssl"', listeners) and not re.search(r'"protocol":"(amqp|http)"', listeners), listeners


def case_last_back():
    """the same data goes on without TLS, and down stops all of it"""
    company = Running.get()
    company.must("down")
    plain = {name: value for name, value in company.env.items() if name != "FILIGREE_CA"}
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: subprocess.run([os.path.join(DEMO, "down")], env=plain, capture_output=True, check=False, timeout=120))
        done = subprocess.run([os.path.join(DEMO, "up")], env=plain, capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
        assert company.ask("GET", f"http://127.0.0.1:{company.base + 1}/orders/{ORDERS[0]}")[1].get("status") == "CLOSED"
    assert not [offset for offset in (*HTTP, *POSTGRES, *AMQP) if say_nothing(company.base + offset)]


def say_nothing(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    with Running.stack:
        STATUS = harness.main(globals())
    sys.exit(STATUS)
