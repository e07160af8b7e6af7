#!/usr/bin/env python3
"""bad_input.py FILIGREE DRIVER EXAMPLE UNLOAD LIBRARY [CASE...]: what a program, its disk and its server may do wrong to libfiligree.

None of it crashes, leaks or blocks the program; each is counted, and said once. Servers that behave badly are in endpoints.py,
the single calls in tests/unit/sdk.
"""
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading

from common import CASES, DRIVER, OK, Sink, environment, harness, numbers, run, sent_spans

MIB = 1 << 20
RING_BYTES = 65536 + 16384 * 512


def case_what_a_program_does_wrong_is_counted_and_said_once():
    """keys that are NULL, values without end, bytes that are no UTF-8, spans used after their end, wrong headers, threads that leave"""
    with Sink(OK) as sink:
        said, trouble = run("bad", env=environment(sink.endpoint))
        assert numbers(said) == {"exported": 4, "items": 3, "truncated": 3, "invalid": 6, "misuses": 9, "contexts": 9}, (said, trouble)
        for words in ("had no room", "was cut", "not UTF-8", "after its end", "malformed"):
            assert trouble.count(words) == 1, (words, trouble)
        found = [dict(harness.fields(span)) for body in sink.bodies for span in sent_spans(body)]
        assert sorted(span[5].decode() for span in found) == ["bad"] * 3 + ["good"] + ["left.open"] * 3, found
        sent = b"".join(sink.bodies)
        assert sent.count(b"interrupted") >= 3 and b"late" not in sent and b"not \xef\xbf\xbd UTF-8" in sent


@contextlib.contextmanager
def small_disk(size):
    """A file system of so many bytes."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "filigree-test", folder], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise harness.Skip(f"a small file system can't be mounted: {done.stderr.strip()}")
        try:
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder):
    """Takes the last byte."""
    with open(os.path.join(folder, "rest"), "wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 4096)


def case_a_full_disk_costs_the_recorder_alone():
    """on a disk that is full the program is traced without a recorder, and that is said once"""
    with Sink(OK) as sink, small_disk(MIB) as folder:
        fill(folder)
        said, trouble = run("spans", 300, env=environment(sink.endpoint, folder))
        counts = numbers(said)
        assert counts["exported"] == 600 and counts["full"] == 0 and sink.span_count() == 600, (said, trouble)
        assert trouble.count("no flight recorder") == 1 and "no space" in trouble, trouble
        assert [name for name in os.listdir(folder) if name != "rest"] == [], os.listdir(folder)


def case_a_disk_that_fills_up_later_is_no_signal():
    """the ring has its place before the first span: what fills the disk afterwards does not reach the program"""
    with Sink(OK) as sink, small_disk(RING_BYTES + MIB) as folder:
        process = subprocess.Popen([DRIVER, "wait", "4000"], env=environment(sink.endpoint, folder), stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "ready\n"
        (ring,) = os.listdir(folder)
        assert os.path.getsize(os.path.join(folder, ring)) == RING_BYTES
        fill(folder)
        said, trouble = process.communicate(timeout=60)
        counts = numbers(said)
        assert process.returncode == 0 and counts["exported"] + counts["full"] == 8000 and counts["exported"] > 0, (process.returncode, said, trouble)
        assert "no flight recorder" not in trouble, trouble


def case_a_server_that_never_answers_holds_no_caller():
    """spans are made, dropped and counted while the first export waits for an answer that never comes"""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        held = []

        def hold():
            with contextlib.suppress(OSError):
                while True:
                    held.append(listener.accept()[0])

        threading.Thread(target=hold, daemon=True).start()
        env = environment(f"http://127.0.0.1:{listener.getsockname()[1]}", OTEL_BSP_MAX_QUEUE_SIZE="64", OTEL_BSP_SCHEDULE_DELAY="1",
                          FILIGREE_EXIT_TIMEOUT="100")
        said, trouble = run("spans", 2000, 0, env=env)
        counts = numbers(said)
        assert counts["exported"] == 0 and counts["failed"] == 0 and 4000 - 200 <= counts["full"] < 4000, (said, trouble)
        assert trouble.count("spans are dropped: too many") == 1, trouble
        listener.shutdown(socket.SHUT_RDWR)
        for connection in held:
            connection.close()


if __name__ == "__main__":
    sys.exit(harness.main(globals(), CASES))
