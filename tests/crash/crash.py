#!/usr/bin/env python3
"""crash.py FILIGREE [CASE...]: the real server is killed, starved and given folders that it must refuse.

What was acknowledged is known from `filigree bench --ack-log`: a line a trace, with its number of spans. After the
crash every one of them must be found, with each span once.
"""
import contextlib
import ctypes
import http.client
import json
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from harness import Server, Skip  # noqa: E402

SEED = int(os.environ.get("SEED", "20261125"))
# Small heads, so that seals and merges are under way whenever the kill comes.
BUSY = ["--head-size", "2MiB", "--head-age", "1s", "--reserve", "16MiB"]
EXIT_FAILED = 3


class Load:
    """The load generator against a server, in the background."""

    def __init__(self, server, seconds=60, rate=None, seed=1, connections=4):
        self.log = os.path.join(server.folder, f"acks-{seed}")
        self.server, self.before = server, server.metric("filigree_store_appended_spans_total")
        command = [harness.BINARY, "bench", "--target", f"127.0.0.1:{server.http}", "--duration", f"{seconds}s", "--lookups", "0",
                   "--seed", str(seed), "--connections", str(connections), "--ack-log", self.log, "--json"]
        self.process = subprocess.Popen(command + (["--rate", str(rate)] if rate else []), stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)

    def begun(self):
        """Waits until the server has acknowledged of it: requests follow one another on each of its connections."""
        def is_under_way():
            return self.server.metric('filigree_http_requests_total{route="/v1/traces",method="POST",status="200"}') > 0 and \
                self.server.metric("filigree_store_appended_spans_total") > self.before + 20000
        harness.wait_until(is_under_way, "the load has begun")
        return self

    def finish(self):
        """Waits for its end (it ends by itself when the server is gone); the acknowledged traces as [(id, spans)]."""
        out, err = self.process.communicate(timeout=180)
        assert self.process.returncode == 0, f"bench: exit {self.process.returncode}: {err[-1000:]}"
        self.report = json.loads(out)
        with open(self.log, encoding="ascii") as lines:
            pairs = [line.split() for line in lines]
        acknowledged = [(trace_id, int(spans)) for trace_id, spans in pairs]
        assert sum(spans for _, spans in acknowledged) == self.report["spans"]
        return acknowledged


def check_found(server, acknowledged):
    """Every acknowledged trace is there, each of its spans once."""
    connection = http.client.HTTPConnection("127.0.0.1", server.api, timeout=60)
    wrong = []
    with contextlib.closing(connection):
        for trace_id, expected in acknowledged:
            connection.request("GET", f"/api/v1/traces/{trace_id}")
            answer = connection.getresponse()
            body = answer.read()
            ids = re.findall(rb'"spanId":\s*"([0-9a-f]{16})"', body) if answer.status == 200 else []
            if len(ids) != expected or len(set(ids)) != expected:
                wrong.append(f"{trace_id}: {answer.status}, {len(ids)} spans, {len(set(ids))} different, of {expected}")
    assert not wrong, f"{len(wrong)} of {len(acknowledged)} traces are not whole, among them {wrong[:5]}"


def verify(server):
    """`filigree verify` finds nothing wrong in the folder of a server that has ended."""
    done = subprocess.run([harness.BINARY, "verify", server.data], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"verify: exit {done.returncode}: {(done.stdout + done.stderr)[-2000:]}"


def one_trace(server, **attributes):
    """A span that the server acknowledged; its trace id."""
    trace_id = harness.new_trace_id()
    status, _, body = server.send(harness.request(harness.span(trace_id, attributes=attributes or None)))
    assert status == 200, f"{status} {body!r}"
    return trace_id


def expect_refusal_to_start(server, *words):
    """The server ends with 3 and a sentence that has these words."""
    server.launch()
    status = server.process.wait(60)
    said = server.words()
    assert status == EXIT_FAILED, f"exit {status}: {said}"
    for word in words:
        assert word in said, f"it does not say '{word}': {said}"
    assert len(said.strip().splitlines()) <= 4, f"a sentence is enough: {said}"


# -- kill -9


def case_kill_under_load():
    """kill -9 under load, again and again on one folder: every acknowledged span is found once."""
    chance = random.Random(SEED)
    everything = []
    with Server(options=BUSY) as server:
        for number in range(4):
            server.start()
            check_found(server, chance.sample(everything, min(len(everything), 300)))
            load = Load(server, rate=20000, seed=100 + number).begun()
            time.sleep(0.4 + chance.random() * 1.2)
            server.kill()
            acknowledged = load.finish()
            assert acknowledged, "nothing was acknowledged before the kill"
            everything += acknowledged
        server.start()
        check_found(server, everything)
        assert server.end() == 0
        verify(server)


def case_kill_at_full_speed():
    """kill -9 at full speed: the last acknowledged traces are found, and the count is right."""
    chance = random.Random(SEED)
    with Server() as server:
        server.start()
        load = Load(server, seed=7).begun()
        time.sleep(2)
        server.kill()
        acknowledged = load.finish()
        server.start()
        check_found(server, acknowledged[-1500:] + chance.sample(acknowledged, min(len(acknowledged), 1500)))
        stored = server.metric("filigree_store_head_spans") + server.metric("filigree_store_segment_spans")
        assert stored >= load.report["spans"], f"{stored} spans are there, {load.report['spans']} were acknowledged"


def case_kill_while_starting():
    """kill -9 in the middle of the recovery from a kill -9: nothing is lost, nothing doubled."""
    chance = random.Random(SEED)
    with Server(options=["--reserve", "16MiB"]) as server:
        server.start()
        load = Load(server, rate=60000, seed=8).begun()
        time.sleep(1)
        server.kill()
        acknowledged = load.finish()
        for _ in range(6):
            server.launch()
            time.sleep(chance.random() * 0.08)
            server.kill()
        server.start()
        check_found(server, acknowledged)
        assert server.end() == 0
        verify(server)


# -- Ending well


def case_sigterm_drains():
    """SIGTERM under load: what is under way is acknowledged and kept, the exit status is 0, the next start replays nothing."""
    with Server(options=["--reserve", "16MiB", "--drain-time", "10m"]) as server:  # which it does not take where nothing is slow
        server.start()
        load = Load(server, rate=40000, seed=9).begun()
        assert server.end(signal.SIGTERM) == 0, server.words()
        acknowledged = load.finish()
        assert acknowledged
        server.start()
        assert server.metric("filigree_store_recovered_spans_total") == 0, "the head was not sealed"
        check_found(server, acknowledged)


def case_sighup_reloads():
    """SIGHUP rereads what can change, refuses what is wrong, and goes on."""
    with Server() as server:
        os.makedirs(server.folder, exist_ok=True)
        path = os.path.join(server.folder, "filigree.yaml")

        def write(text):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)

        write("redact-keys: [first.note]\n")
        server.options += ["--config", path]
        server.start()

        def keys():
            trace_id = one_trace(server, **{"first.note": "x", "second.note": "y"})
            return {item["key"] for span in server.spans(trace_id) for item in span["attributes"]} - {"filigree.marks"}

        assert keys() == {"second.note"}
        write("redact-keys: [second.note]\n")
        server.process.send_signal(signal.SIGHUP)
        harness.wait_until(lambda: keys() == {"first.note"}, "the new rule is in force")
        write("redact-keyz: [x]\n")
        server.process.send_signal(signal.SIGHUP)
        harness.wait_until(lambda: "redact-keyz" in server.words(), "the wrong key is named")
        assert keys() == {"first.note"}
        assert server.is_alive()


# -- Folders that can't be used


def case_second_server():
    """A second server on the same folder is refused by name, and the first goes on."""
    with Server() as server:
        server.start()
        trace_id = one_trace(server)
        with Server(data=server.data) as second:
            expect_refusal_to_start(second, server.data)
        assert len(server.spans(trace_id)) == 1


def unprivileged(server):
    """Words before the command that make it run as somebody without rights on foreign files."""
    if os.geteuid() != 0:
        return []
    # The binary may lie where only root may go: a copy beside the store can be run by all.
    server.binary = shutil.copy(harness.BINARY, os.path.join(server.folder, "filigree"))
    os.chmod(server.folder, 0o755)
    return harness.as_nobody(server.folder)


def case_read_only_folder():
    """A folder that may not be written is refused with a sentence that names it."""
    with Server() as server:
        os.makedirs(server.data, exist_ok=True)
        server.wrapper = unprivileged(server)
        os.chmod(server.data, 0o555)
        try:
            expect_refusal_to_start(server, server.data)
        finally:
            os.chmod(server.data, 0o755)


def case_newer_format():
    """A folder of a newer format is refused: not touched, and not taken for damage."""
    try:
        xxhash = ctypes.CDLL("libxxhash.so.0").XXH3_64bits
    except OSError as error:
        raise Skip(f"libxxhash can't be loaded: {error}") from error
    xxhash.restype, xxhash.argtypes = ctypes.c_uint64, [ctypes.c_char_p, ctypes.c_size_t]
    with Server() as server:
        server.start()
        one_trace(server)
        assert server.end() == 0
        path = os.path.join(server.data, "MANIFEST")
        with open(path, "rb") as file:
            manifest = bytearray(file.read())
        version, = struct.unpack_from("<I", manifest, 8)
        struct.pack_into("<I", manifest, 8, version + 1)
        struct.pack_into("<Q", manifest, len(manifest) - 8, xxhash(bytes(manifest[:-8]), len(manifest) - 8))
        with open(path, "wb") as file:
            file.write(manifest)
        before = tree(server.data)
        expect_refusal_to_start(server, "newer version")
        assert tree(server.data) == before, "the folder was changed"


def tree(folder):
    """Names and sizes of all files."""
    return sorted((os.path.relpath(os.path.join(parent, name), folder), os.path.getsize(os.path.join(parent, name)))
                  for parent, _, names in os.walk(folder) for name in names)


def case_damaged_manifest():
    """A damaged manifest is called damaged, and the folder is left as it is."""
    with Server() as server:
        server.start()
        one_trace(server)
        assert server.end() == 0
        path = os.path.join(server.data, "MANIFEST")
        flip(path, os.path.getsize(path) // 2)
        before = tree(server.data)
        expect_refusal_to_start(server, "MANIFEST")
        assert tree(server.data) == before, "the folder was changed"


def flip(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0x40]))


def case_flipped_bits():
    """A flipped bit costs a page: the server starts, says so and counts it, and verify names the file."""
    with Server(options=["--reserve", "16MiB"]) as server:
        server.start()
        load = Load(server, seconds=2, rate=40000, seed=10)
        acknowledged = load.finish()
        assert server.end() == 0
        segments = [os.path.join(parent, name) for parent, _, names in os.walk(server.data) for name in names
                    if name.endswith(".seg")]
        assert segments, tree(server.data)
        victim = max(segments, key=os.path.getsize)
        flip(victim, os.path.getsize(victim) // 3)
        done = subprocess.run([harness.BINARY, "verify", server.data], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 1, f"verify: exit {done.returncode}: {done.stdout}{done.stderr}"
        assert os.path.basename(victim) in done.stdout + done.stderr, done.stdout + done.stderr
        server.start()
        whole = 0
        for trace_id, expected in acknowledged:
            status, body = server.get(f"/api/v1/traces/{trace_id}")
            assert status in (200, 404), f"{status} {body[:200]!r}"
            whole += status == 200 and len(re.findall(rb'"spanId"', body)) == expected
        assert server.is_alive()
        assert server.metric("filigree_store_damaged_pages_total") > 0, "the damage is not counted"
        assert whole > 0 or len(segments) == 1, "one damaged page cost everything"
        assert one_trace(server)


# -- A full disk


@contextlib.contextmanager
def small_disk(megabytes):
    if os.geteuid() != 0:
        raise Skip("only root may mount a small file system")
    folder = tempfile.mkdtemp(prefix="filigree-disk-")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder], capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        os.rmdir(folder)
        raise Skip(f"a small file system can't be mounted: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=False)
        os.rmdir(folder)


def fill(path, folder, leave):
    """A file that takes all but `leave` bytes of the disk. Others may take of it at the same time."""
    with open(path, "wb") as file:
        def is_filled():
            free = os.statvfs(folder)
            size = free.f_bavail * free.f_frsize - leave
            with contextlib.suppress(OSError):  # there is not so much left any more
                if size > 0:
                    os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size + size)
                return True
            return False
        harness.wait_until(is_filled, "the disk is filled")


def case_disk_full():
    """A full disk: spans are refused with a retryable error, reads go on, and it takes them again when there is room."""
    with small_disk(512) as disk, Server(data=os.path.join(disk, "data"), options=["--reserve", "32MiB", "--head-size", "2MiB",
                                                                                  "--head-age", "1s"]) as server:
        server.start()
        early = one_trace(server)
        ballast = os.path.join(disk, "ballast")
        fill(ballast, disk, 1 << 20)

        def is_refused():
            status, headers, body = server.send(harness.request(harness.span(harness.new_trace_id())))
            if status == 200:
                return False
            assert status in (429, 503), f"{status} {body!r}"
            assert int(headers["Retry-After"]) > 0
            return True

        harness.wait_until(is_refused, "spans are refused on a full disk")
        assert len(server.spans(early)) == 1, "what was acknowledged is readable"
        assert server.metric('filigree_store_state{state="no_space"}') == 1
        assert server.metric('filigree_ingest_refused_requests_total{reason="no_space"}') > 0
        status, body = server.get("/readyz")
        assert status == 503 and body, "a load balancer should look elsewhere"
        os.unlink(ballast)
        late = []

        def is_taken():
            trace_id = harness.new_trace_id()
            if server.send(harness.request(harness.span(trace_id)))[0] != 200:
                return False
            late.append(trace_id)
            return True

        harness.wait_until(is_taken, "spans are taken again", 60)
        assert server.get("/readyz")[0] == 200
        server.kill()
        server.start()
        assert len(server.spans(early)) == 1 and len(server.spans(late[0])) == 1


def case_disk_full_under_load():
    """A disk that fills up under load: every acknowledged span is found after a kill and a restart."""
    with small_disk(320) as disk, Server() as scratch:
        with Server(data=os.path.join(disk, "data"), options=["--reserve", "16MiB", "--head-size", "4MiB"]) as server:
            server.folder = scratch.folder  # the log of acknowledgements needs room
            server.start()
            load = Load(server, seconds=10, seed=11, connections=8).begun()
            fill(os.path.join(disk, "ballast"), disk, 8 << 20)
            acknowledged = load.finish()
            assert load.report["refusals"] > 0, "the disk was never full"
            assert server.is_alive(), server.words()
            server.kill()
            os.unlink(os.path.join(disk, "ballast"))
            server.start()
            check_found(server, acknowledged[-1000:] + acknowledged[:500])


def case_no_room_at_the_start():
    """On a disk that is full from the start the server runs, says so at /readyz, and refuses spans with a retryable error."""
    with small_disk(8) as disk, Server(data=os.path.join(disk, "data")) as server:
        server.launch()

        def said():
            try:
                status, body = server.get("/readyz")
            except OSError:
                return None
            assert status == 503, f"{status} {body!r}"
            return body if b"starting" not in body else None

        body = harness.wait_until(said, "it has started")
        assert b"space" in body, body
        status, headers, body = server.send(harness.request(harness.span(harness.new_trace_id())))
        assert status == 503 and int(headers["Retry-After"]) > 0 and b"disk is full" in body, f"{status} {body!r}"
        assert server.end() == 0, server.words()


def case_bench():
    """`filigree bench` runs through by itself: load, settling, look-ups, a kill; nothing is lost, and every figure is there."""
    for shape, protocol, *more in (("small", "http"), ("wide", "http"), ("small", "grpc"), ("small", "http", "--tls"), ("small", "grpc", "--tls")):
        done = subprocess.run([harness.BINARY, "bench", "--shape", shape, "--protocol", protocol, *more, "--duration", "1s",
                               "--kill-after", "1s", "--lookups", "500", "--json", "--", "--reserve", "16MiB"], capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, f"exit {done.returncode}: {done.stdout[-1000:]}{done.stderr[-1000:]}"
        report = json.loads(done.stdout)
        assert report["lost_traces"] == 0 and report["lost_spans"] == 0 and report["spans"] > 0
        assert report["protocol"] == protocol and report["tls"] == bool(more) and report["failed_requests"] == 0 and report["lost_connections"] == 0
        assert report["stored_spans"] == report["spans"], "what was not acknowledged was kept, or kept twice"
        figures = {row["key"]: row["value"] for row in report["figures"]}
        for key in ("spans_per_second", "cpu_seconds_per_million_spans", "ack_ms_p99", "disk_bytes_per_span", "resident_mb_max",
                    "trace_ms_p99", "ready_seconds"):
            assert figures[key] > 0, f"{key}: {figures.get(key)}"
        assert figures["traces_lost_by_kill"] == 0


# -- Copies


def case_backup_while_running():
    """A backup that is made under load holds what was acknowledged before it, and a server starts on it."""
    with Server(options=BUSY) as server:
        server.start()
        before = Load(server, seconds=1, rate=30000, seed=12).finish()
        load = Load(server, seconds=4, rate=30000, seed=13)
        time.sleep(0.5)
        backup = os.path.join(server.folder, "backup")
        done = subprocess.run([harness.BINARY, "backup", backup, "--server", f"http://127.0.0.1:{server.api}"],
                              capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        load.finish()
        restored = os.path.join(server.folder, "restored")
        done = subprocess.run([harness.BINARY, "restore", backup, restored], capture_output=True, text=True, check=False,
                              timeout=120)
        assert done.returncode == 0, done.stderr
        with Server(data=restored) as second:
            second.start()
            check_found(second, before)
            assert second.end() == 0
            verify(second)


if __name__ == "__main__":
    sys.exit(harness.main(globals()))
