#!/usr/bin/env python3
"""recorders.py FILIGREE DRIVER EXAMPLE UNLOAD LIBRARY [CASE...]: the server that watches its own host's flight recorders."""
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile

from common import CASES, DRIVER, attributes, environment, harness, trace_id

NOWHERE = "http://127.0.0.1:1"


@contextlib.contextmanager
def folder():
    with tempfile.TemporaryDirectory(dir="/dev/shm") as path:
        yield path


def rings(path):
    return [name for name in os.listdir(path) if name.endswith(".ring")]


def start_nest(path, **more):
    """A process with an ended span under two open ones, whose spans reach no server. Returns it and the trace's id."""
    process = subprocess.Popen([DRIVER, "nest"], env=environment(NOWHERE, path, **more), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    return process, trace_id(process.stdout.readline())


def end(process, how):
    process.send_signal(how)
    status = -process.wait(60)
    assert status == how, status


def spans_there(server, wanted):
    return harness.wait_until(lambda: server.spans(wanted), f"trace {wanted} is there")


def check_nest(spans, cause):
    by_name = {span["name"]: span for span in spans}
    assert len(spans) == 3 and sorted(by_name) == ["inner", "outer", "work"], [span["name"] for span in spans]
    assert "filigree.marks" not in attributes(by_name["work"]), by_name["work"]
    for name in ("outer", "inner"):
        span = by_name[name]
        assert "interrupted" in json.dumps(attributes(span)["filigree.marks"]), span
        assert cause in attributes(span)["filigree.interrupted.cause"], (cause, attributes(span))
        assert span["status"]["code"] in (2, "STATUS_CODE_ERROR") and span["endTimeUnixNano"] != "0", span
    assert by_name["inner"]["parentSpanId"] == by_name["outer"]["spanId"] and by_name["work"]["parentSpanId"] == by_name["inner"]["spanId"]
    # What the process itself would have redacted does not come by this way either.
    assert attributes(by_name["work"]) == {"number": "1", "note": "from [email]"}, by_name["work"]


def case_the_dead_are_taken_in_while_the_server_runs():
    """a process killed by SIGKILL, SIGSEGV and abort: its spans are there within seconds, with what ended it"""
    with folder() as path, harness.Server(options=["--recorders", path]).start() as server:
        for how, cause in ((signal.SIGKILL, "killed, or ended without a word"), (signal.SIGSEGV, "killed by SIGSEGV"),
                           (signal.SIGABRT, "killed by SIGABRT")):
            process, wanted = start_nest(path)
            end(process, how)
            check_nest(spans_there(server, wanted), cause)
            harness.wait_until(lambda: not rings(path), "the ring is removed")
        assert server.metric('filigree_ingest_spans_total{protocol="recorder"}') == 9, server.metrics()
        assert "spans of processes that died were taken" in server.words()
        assert server.end() == 0


@contextlib.contextmanager
def control_group(bytes_max):
    """A group whose processes may take so much memory; of either version of control groups."""
    for root, limits in (("/sys/fs/cgroup", ("memory.max", "memory.swap.max")), ("/sys/fs/cgroup/memory", ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"))):
        path = os.path.join(root, f"filigree-test-{os.getpid()}")
        try:
            os.mkdir(path)
        except OSError:
            continue
        try:
            # Where both versions are there the first folder is no group, and so is what is made in it.
            if not os.path.exists(os.path.join(path, limits[0])):
                continue
            with open(os.path.join(path, limits[0]), "w", encoding="ascii") as file:
                file.write(str(bytes_max))
            with contextlib.suppress(OSError), open(os.path.join(path, limits[1]), "w", encoding="ascii") as file:
                file.write("0" if "swap" in limits[1] else str(bytes_max))
            yield path
            return
        finally:
            harness.wait_until(lambda path=path: is_removed(path), "the control group is empty")
    raise harness.Skip("no control group with a memory limit can be made here")


def is_removed(path):
    with contextlib.suppress(OSError):
        os.rmdir(path)
    return not os.path.exists(path)


def case_the_out_of_memory_killer_is_named():
    """who was killed for want of memory in its control group is told from who was killed otherwise in it"""
    with folder() as path, control_group(96 << 20) as group, harness.Server(options=["--recorders", path]).start() as server:
        def enter():
            with open(os.path.join(group, "cgroup.procs"), "w", encoding="ascii") as file:
                file.write(str(os.getpid()))
        for mode, cause in (("nest", "killed, or ended without a word"), ("eat", "killed by the out-of-memory killer"),
                            ("nest", "killed, or ended without a word")):
            with subprocess.Popen([DRIVER, mode], env=environment(NOWHERE, path), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                  text=True, preexec_fn=enter) as process:
                wanted = trace_id(process.stdout.readline())
                if mode == "nest":
                    process.kill()
                assert -process.wait(60) == signal.SIGKILL, process.returncode
            check_nest(spans_there(server, wanted), cause)


def case_the_living_are_left_alone():
    """a process that lives keeps its ring and its spans, however often the server looks"""
    with folder() as path, harness.Server(options=["--recorders", path]).start() as server:
        process, wanted = start_nest(path)
        (ring,) = rings(path)
        before = os.stat(os.path.join(path, ring))
        gone, other = start_nest(path)
        end(gone, signal.SIGKILL)
        spans_there(server, other)
        # The pass that took the one has seen the other; one more makes two.
        gone, other = start_nest(path)
        end(gone, signal.SIGKILL)
        spans_there(server, other)
        assert rings(path) == [ring] and os.stat(os.path.join(path, ring)).st_ino == before.st_ino
        assert server.spans(wanted) == [] and process.poll() is None
        end(process, signal.SIGKILL)
        check_nest(spans_there(server, wanted), "killed")


def case_the_server_was_down_meanwhile():
    """who died while the server was down, or before it first ran, is taken in when it comes; twice gives nothing twice"""
    with folder() as path, harness.Server(options=["--recorders", path]) as server:
        first, one = start_nest(path)
        end(first, signal.SIGSEGV)
        server.start()
        check_nest(spans_there(server, one), "SIGSEGV")
        second, two = start_nest(path)
        server.kill()
        end(second, signal.SIGABRT)
        (ring,) = rings(path)
        with open(os.path.join(path, ring), "rb") as file:
            copy = file.read()
        server.start()
        check_nest(spans_there(server, two), "SIGABRT")
        harness.wait_until(lambda: not rings(path), "the ring is removed")
        # As if the server had died between the store's word and the removal.
        with open(os.path.join(path, "again"), "wb") as file:
            file.write(copy)
        os.rename(os.path.join(path, "again"), os.path.join(path, "again.ring"))
        harness.wait_until(lambda: not rings(path), "the ring is removed again")
        check_nest(server.spans(two), "SIGABRT")
        check_nest(server.spans(one), "SIGSEGV")


def case_torn_rings_are_read_as_far_as_they_are_whole():
    """of a ring with a torn span the rest is taken; one that is no ring is set aside, and both are said"""
    with folder() as path, harness.Server() as server:
        process, wanted = start_nest(path)
        end(process, signal.SIGKILL)
        (ring,) = rings(path)
        with open(os.path.join(path, ring), "r+b") as file:
            data = bytearray(file.read())
            # An item of the span "work", whose slot is the third: its value claims more than there is.
            slot = 65536 + 2 * 512
            at = data.index(b"note", slot)
            assert at < slot + 512
            data[at - 4:at] = (1 << 30).to_bytes(4, "little")
            file.seek(0)
            file.write(data)
        with open(os.path.join(path, "noise.ring"), "wb") as file:
            file.write(b"\x01" * 100000)
        server.options = ["--recorders", path]
        server.start()
        spans = spans_there(server, wanted)
        assert sorted(span["name"] for span in spans) == ["inner", "outer", "work"], spans
        work = next(span for span in spans if span["name"] == "work")
        assert attributes(work) == {"number": "1"}, work
        harness.wait_until(lambda: os.listdir(path) == ["noise.ring.damaged"], "one is sent, one is set aside")
        harness.wait_until(lambda: "torn_spans=1" in server.words() and "is damaged" in server.words(), "both are said")


def case_a_full_store_costs_nothing():
    """while the store takes nothing the ring stays, said once; it is taken when there is room again"""
    with folder() as path, harness.Server(options=["--recorders", path, "--reserve", "1TiB"]).launch() as server:
        process, wanted = start_nest(path)
        end(process, signal.SIGKILL)
        harness.wait_until(lambda: "the store does not take it" in server.words(), "the refusal is said")
        assert len(rings(path)) == 1 and server.spans(wanted) == []
        server.kill()
        server.options = ["--recorders", path]
        server.start()
        check_nest(spans_there(server, wanted), "killed")


def case_folders_that_are_not_there():
    """a folder that does not exist yet is no trouble; one that is none is said once"""
    with folder() as path:
        wrong = os.path.join(path, "loop")
        os.symlink(wrong, wrong)
        with harness.Server(options=["--recorders", f"{wrong},{path}/later"]).start() as server:
            for _ in range(3):
                process, wanted = start_nest(os.path.join(path, "later"))
                end(process, signal.SIGKILL)
                check_nest(spans_there(server, wanted), "killed")
            assert server.words().count("can't read a folder") == 1, server.words()
            assert server.end() == 0


if __name__ == "__main__":
    sys.exit(harness.main(globals(), CASES))
