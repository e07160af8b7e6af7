#!/usr/bin/env python3
"""scripts.py FILIGREE: the scripts of tools/servers start real servers, and stop exactly those."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import harness  # noqa: E402
from servers import RealServer  # noqa: E402


def is_alive(process):
    try:
        with open(f"/proc/{process}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def processes_of(server):
    return [server.process_id(name) for name in os.listdir(os.path.join(server.folder, "run"))
            if server.kind != "rabbitmq" or name != "node"]


def check_end(server):
    """Its processes end when the script's input ends, and its folder goes with it."""
    processes = processes_of(server)
    assert processes and all(map(is_alive, processes)), processes
    server.stop()
    assert not any(map(is_alive, processes)), processes


def case_postgres():
    """PostgreSQL speaks Russian, has a streaming standby, survives a crash, and is gone after the stop"""
    with RealServer("postgres", "--messages", "ru_RU.UTF-8", "--set", "max_connections=15") as primary:
        assert primary.call("sql", "show lc_messages") == "ru_RU.UTF-8"
        assert primary.call("sql", "show max_connections") == "15"
        with RealServer("postgres", "--replica-of", primary.folder) as standby:
            primary.call("sql", "create table t (a int); insert into t values (7)")
            harness.wait_until(lambda: standby.call("sql", "select count(*) from pg_tables where tablename = 't'") == "1", "the table is there")
            assert standby.call("sql", "select pg_is_in_recovery()") == "t"
            check_end(standby)
        primary.crash("QUIT")
        primary.start()
        assert primary.call("sql", "select a from t") == "7"
        check_end(primary)


def case_rabbitmq():
    """RabbitMQ starts with its management's API, keeps its node over a crash, and is gone after the stop"""
    with RealServer("rabbitmq", "--management", "0") as broker:
        url = f"http://127.0.0.1:{broker.words['management']}/api/overview"
        try:
            urllib.request.urlopen(url, timeout=60)
            raise AssertionError("no password was wanted")
        except urllib.error.HTTPError as answer:
            assert answer.code == 401, answer
        assert "guest" in broker.call("ctl", "list_users")
        node = broker.call("ctl", "eval", "node().")
        os.kill(broker.process_id(), signal.SIGKILL)
        broker.stop()
        broker.start()
        assert broker.call("ctl", "eval", "node().") == node
        check_end(broker)


def case_swift():
    """the object store answers S3 with S3's errors, and is gone after the stop"""
    with RealServer("swift") as store:
        for _ in range(2):
            try:
                urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{store.port}/models", headers={
                    "Authorization": "AWS test:tester:nonsense", "Date": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())}), timeout=60)
                raise AssertionError("a wrong signature was taken")
            except urllib.error.HTTPError as answer:
                body = answer.read()
                assert answer.code == 403 and b"<Code>SignatureDoesNotMatch</Code>" in body, (answer.code, body)
            check_end(store)
            store.start()


def put_object(store, path, data=b"a ring"):
    """The status and body of an S3 PUT, signed by curl."""
    done = subprocess.run(["curl", "-sS", "--noproxy", "*", "--aws-sigv4", "aws:amz:us-east-1:s3", "-X", "PUT", "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD",
                           "--data-binary", "@-", "-w", "\n%{http_code}", f"http://test%3Atester:testing@127.0.0.1:{store.port}{path}"], input=data,
                          capture_output=True, check=True)
    body, _, status = done.stdout.rpartition(b"\n")
    return int(status), body


def case_swift_buckets():
    """a bucket of the slow storage policy keeps its objects with the slow server; a bucket's quota is kept, until it is lifted; the front server stops alone"""
    with RealServer("swift", "--tape", "0.1") as store:
        store.call("bucket", "models")
        store.call("bucket", "archive", "X-Storage-Policy: tape")
        assert put_object(store, "/archive/ring.stl")[0] == 200
        disk = os.path.join(store.folder, "devices", "disk")
        assert "objects-1" in os.listdir(disk) and "objects" not in os.listdir(disk), os.listdir(disk)
        store.call("bucket", "models", "X-Container-Meta-Quota-Bytes: 3")
        status, body = put_object(store, "/models/ring.stl")
        assert status == 400 and b"<Code>EntityTooLarge</Code>" in body, (status, body)
        store.call("bucket", "models", "X-Container-Meta-Quota-Bytes: ")
        assert put_object(store, "/models/ring.stl")[0] == 200
        store.call("proxy", "stop")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{store.port}/", timeout=60)
            raise AssertionError("it still answers")
        except urllib.error.URLError as trouble:
            assert isinstance(trouble.reason, ConnectionRefusedError), trouble
        store.call("proxy", "start")
        assert put_object(store, "/models/ring.stl")[0] == 200
        check_end(store)


def case_stop_is_exact():
    """a process that has got the id of one that ended is left alone"""
    with RealServer("postgres") as server:
        server.stop()
        run = os.path.join(server.folder, "run")
        with open(os.path.join(run, "postgres"), "w", encoding="ascii") as file:
            file.write(f"{os.getpid()} 1\n")
        server.call("stop")
        assert os.listdir(run) == []


def processes_about(folder):
    """Ids of those whose command line names it."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if folder.encode() in words and is_alive(int(name)):
            found.append(int(name))
    return found


def case_signal_at_a_start():
    """Ctrl-C between a server's start and its note is kept until it is noted: a stop then knows of it"""
    server = RealServer("postgres")
    try:
        with tempfile.TemporaryDirectory() as path:
            with open(os.path.join(path, "setsid"), "w", encoding="ascii") as file:
                file.write(f'#!/bin/sh\nkill -INT "-$PPID"\nexec {shutil.which("setsid")} "$@"\n')
            os.chmod(file.name, 0o755)
            done = subprocess.run([server.script, "start", server.folder, "0"], env={**os.environ, "PATH": f"{path}:{os.environ['PATH']}"}, stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, start_new_session=True, preexec_fn=harness.as_a_terminal_starts_it, check=False)
        if done.returncode == 77:
            raise harness.Skip(done.stderr.strip())
        assert done.returncode in (-signal.SIGINT, -signal.SIGTERM), done
        server.call("stop")
        left = processes_about(os.path.join(server.folder, "data"))
        for process in left:
            os.kill(process, signal.SIGKILL)
        assert not left, left
    finally:
        server.remove()


if __name__ == "__main__":
    sys.exit(harness.main(globals(), sys.argv[2:]))
