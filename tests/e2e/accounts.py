#!/usr/bin/env python3
"""accounts.py FILIGREE [CASE...]: what is counted of accounts and tokens, and what a backup takes of them: accounts, tokens, tenants and the audit, whole."""
import contextlib
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from doors import Closed, Person  # noqa: E402
from harness import request, span  # noqa: E402

SERVER = Closed()


def metrics():
    """What /metrics says of auth, by name with labels."""
    status, _, body = SERVER.root.get("/metrics")
    assert status == 200, body
    lines = [line.rsplit(" ", 1) for line in body.decode().splitlines() if line.startswith(("filigree_auth_", "filigree_audit_"))]
    return {name: float(value) for name, value in lines}


@contextlib.contextmanager
def grows(name, by=1):
    before = metrics()
    yield
    after = metrics()
    assert after[name] - before[name] == by, (name, before[name], after[name])
    others = {key for key in after if "refused" in key and key != name and after[key] != before[key]}
    assert not others, others


def sent_by(token, more=None):
    headers = {"Content-Type": "application/x-protobuf", "Authorization": f"Bearer {token}", **(more or {})}
    return SERVER.request("POST", "/v1/traces", request(span(harness.new_trace_id())), headers, SERVER.http)[0]


def case_figures():
    """Each way of signing in and each reason for refusing a token is counted by itself."""
    SERVER.start()
    good = SERVER.token("ingest", name="good")
    page = SERVER.token("ingest", name="page", origin="https://shop.example")
    brief = SERVER.token("ingest", name="brief", expires="1s")
    names = {name: f'filigree_auth_refused_tokens_total{{reason="{name}"}}' for name in ("malformed", "unknown", "expired", "origin")}
    with grows(names["malformed"]):
        assert sent_by("fgt_not-one") == 401
    with grows(names["unknown"]):
        assert sent_by(good[:17] + "0" * 64) == 401
    with grows(names["origin"]):
        assert sent_by(page, {"Origin": "https://evil.example"}) == 403
    harness.wait_until(lambda: sent_by(brief) == 401, "the token expires")
    assert metrics()[names["expired"]] == 1, metrics()
    with grows("filigree_auth_refused_sessions_total"):
        assert SERVER.request("GET", "/api/v1/traces", headers={"Cookie": "filigree=" + "0" * 64})[0] == 401
    with grows('filigree_auth_sign_ins_total{result="ok"}'):
        SERVER.person("root")
    with grows('filigree_auth_sign_ins_total{result="failed"}'):
        assert Person(SERVER).post("/api/v1/auth/login", {"name": "root", "password": "not the right one"})[0] == 403
    while Person(SERVER).post("/api/v1/auth/login", {"name": "guessed", "password": "not the right one"})[0] != 429:
        pass
    assert metrics()['filigree_auth_sign_ins_total{result="locked_out"}'] == 1
    SERVER.add_tenant("small", spans_per_second=1)
    small = SERVER.token("ingest", name="small", tenant="small")
    answers = [sent_by(small) for _ in range(50)]
    assert 429 in answers, answers
    found = metrics()
    assert found["filigree_auth_over_quota_total"] == answers.count(429)
    assert found["filigree_auth_tokens"] == 4 and found["filigree_auth_accounts"] == 1 and found["filigree_auth_sessions"] >= 2, found
    assert found["filigree_audit_records_total"] > 0 and found["filigree_audit_lost_total"] == 0 and found["filigree_audit_failed"] == 0, found


def filigree(*words, check=0):
    done = subprocess.run([harness.BINARY, *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == check, (words, done.stdout, done.stderr)
    return done.stdout + done.stderr


def case_backup():
    """A backup has accounts, tokens, tenants and the whole audit; what is restored lets in who was let in, and nobody else."""
    trace_id = harness.new_trace_id()
    token = SERVER.token("ingest", "viewer", name="kept")
    gone = SERVER.token("viewer", name="gone")
    sent = {"Content-Type": "application/x-protobuf", "Authorization": f"Bearer {token}"}
    assert SERVER.request("POST", "/v1/traces", request(span(trace_id)), sent, SERVER.http)[0] == 200
    assert SERVER.root.get(f"/api/v1/traces/{trace_id}")[0] == 200
    head = json.loads(SERVER.root.get("/api/v1/audit/head")[2])
    backup, restored = (os.path.join(SERVER.folder, name) for name in ("backup", "restored"))
    status, _, body = SERVER.root.post("/api/v1/admin/backup", {"path": backup})
    assert status == 200 and b'"done":true' in body, body
    assert sorted(os.listdir(backup + "/audit")) == sorted(os.listdir(SERVER.data + "/audit"))
    assert "whole: " in filigree("audit", "verify", "--data", backup, "--head", f"{head['sequence']}:{head['hash']}")
    # What came after it is not in it.
    found = next(one for one in json.loads(SERVER.root.get("/api/v1/tokens")[2])["tokens"] if one["name"] == "gone")
    assert SERVER.root.post(f"/api/v1/tokens/{found['id']}/revoke")[0] == 200
    filigree("verify", backup)
    filigree("restore", backup, restored)
    with Closed(data=restored) as server:
        server.start()
        assert "the audit is shorter" not in server.words() and "makes the first administrator" not in server.words(), server.words()
        assert server.status_of("GET", f"/api/v1/traces/{trace_id}") == 401
        for one in (token, gone):
            assert server.status_of("GET", f"/api/v1/traces/{trace_id}", one) == 200
        server.root = server.person("root")
        assert "small" in server.root.get("/api/v1/tenants")[2].decode()
        records = json.loads(server.root.get("/api/v1/audit?action=trace.view")[2])["records"]
        assert any(one["what"] == trace_id for one in records), records
        server.end()
        assert "whole: " in filigree("audit", "verify", "--data", restored, "--head", f"{head['sequence']}:{head['hash']}")


def case_backup_is_never_open():
    """The folder of a backup says that there are accounts, before anything of them is read."""
    backup = os.path.join(SERVER.folder, "backup")
    assert os.path.exists(os.path.join(backup, "accounts"))
    with harness.Server(data=os.path.join(SERVER.folder, "marked")) as server:
        os.makedirs(server.data)
        os.rename(os.path.join(backup, "accounts"), os.path.join(server.data, "accounts"))
        server.start()
        assert server.get("/api/v1/traces")[0] == 401


def main():
    with contextlib.ExitStack() as stack:
        stack.enter_context(SERVER)
        return harness.main(globals())


if __name__ == "__main__":
    sys.exit(main())
