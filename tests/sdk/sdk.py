#!/usr/bin/env python3
"""sdk.py FILIGREE DRIVER EXAMPLE UNLOAD LIBRARY [CASE...]: libfiligree against the real server and against servers that behave badly.

KILLS=200 is how many processes the crash case kills.
"""
import collections
import json
import os
import random
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

from common import (CASES, DRIVER, EXAMPLE, LIBRARY, OK, UNLOAD, Sink, attributes, environment, harness, http_endpoint, names, numbers, recover,
                    run, sent_spans, trace_id)

KILLS = int(os.environ.get("KILLS", "200"))
SEED = int(os.environ.get("SEED", str(random.randrange(1 << 30))))


def case_traces_arrive_whole_by_http_and_grpc():
    """traces arrive whole, by HTTP and gRPC, with gzip and without, and are redacted"""
    with harness.Server().start() as server:
        for protocol, port in (("http/protobuf", server.http), ("grpc", server.grpc)):
            for compression in ("none", "gzip"):
                env = environment(f"http://127.0.0.1:{port}", OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
                                  OTEL_EXPORTER_OTLP_COMPRESSION=compression)
                said, trouble = run("spans", 300, env=env)
                counts = numbers(said)
                assert counts["exported"] == 600 and counts["refused"] == 0 and counts["failed"] == 0, (protocol, said, trouble)
                assert counts["redacted"] == 600, said
                spans = server.spans(trace_id(said))
                assert sorted(span["name"] for span in spans) == ["child", "parent"], spans
                child = next(span for span in spans if span["name"] == "child")
                parent = next(span for span in spans if span["name"] == "parent")
                assert child["parentSpanId"] == parent["spanId"]
                assert attributes(child) == {"number": "0", "note": "from [email]"}, child


def case_example_works():
    """the example of the manual, compiled as C99, traces its journey"""
    with harness.Server().start() as server:
        done = subprocess.run([EXAMPLE], env=environment(http_endpoint(server)), capture_output=True, text=True, timeout=60, check=True)
        assert "baggage: shop=moscow,order.id=ORD-4711;journey" in done.stdout, done.stdout
        (span,) = server.spans("4bf92f3577b34da6a3ce929d0e0e4736")
        assert span["parentSpanId"] == "00f067aa0ba902b7" and span["kind"] in (2, "SPAN_KIND_SERVER"), span
        assert attributes(span)["order.id"] == "ORD-4711", span


def case_header_is_cxx_and_install_works():
    """the header is C++, and make install gives pkg-config what a stranger needs"""
    source = os.environ["SOURCE"]
    with tempfile.TemporaryDirectory() as folder:
        compiler = next((c for c in ("c++", "clang++-14", "g++") if subprocess.run(["which", c], capture_output=True, check=False).returncode == 0), None)
        if not compiler:
            raise harness.Skip("no C++ compiler")
        program = os.path.join(folder, "cpp")
        subprocess.run([compiler, "-std=c++11", "-Wall", "-Wextra", "-Werror", "-pedantic", f"-I{source}/include",
                        f"{source}/tests/sdk/header.cc", "-o", program, LIBRARY, f"-Wl,-rpath,{os.path.dirname(LIBRARY)}"], check=True)
        subprocess.run([program], check=True)
        build = os.path.dirname(os.path.dirname(os.path.abspath(LIBRARY)))
        subprocess.run(["meson", "install", "-C", build, "--no-rebuild", "--quiet", "--destdir", folder], check=True, stdout=subprocess.DEVNULL)
        found = [path for path, _, files in os.walk(folder) if "filigree.pc" in files]
        env = {**os.environ, "PKG_CONFIG_PATH": found[0]}
        prefix = folder + subprocess.run(["pkg-config", "--variable=prefix", "filigree"], env=env, capture_output=True, text=True, check=True).stdout.strip()
        for kind in ([], ["--static"]):
            flags = subprocess.run(["pkg-config", f"--define-variable=prefix={prefix}", "--cflags", "--libs", *kind, "filigree"], env=env,
                                   capture_output=True, text=True, check=True).stdout.split()
            if kind:
                flags = [f"-l:lib{flag[2:]}.a" if flag == "-lfiligree" else flag for flag in flags] + ["-pthread"]
            subprocess.run(["cc", "-std=c99", f"{source}/sdk/example.c", "-o", program, *flags], check=True)
            libraries = next(flag[2:] for flag in flags if flag.startswith("-L"))
            done = subprocess.run([program], env=environment("http://127.0.0.1:1", LD_LIBRARY_PATH=libraries, FILIGREE_EXIT_TIMEOUT="10"),
                                  capture_output=True, text=True, check=True, timeout=60)
            assert "traceparent: 00-4bf92f3577b34da6" in done.stdout, done.stdout


def case_the_manual_is_whole():
    """the manual page names every call and variable; the library exports the header's calls and nothing else"""
    source = os.environ["SOURCE"]

    def read(name):
        with open(os.path.join(source, name), encoding="utf-8") as file:
            return file.read()

    calls = set(re.findall(r"\b(fg_\w+)\(", " ".join(re.findall(r"FG_API[^;]*;", read("include/filigree.h")))))
    assert len(calls) > 50, calls
    manual = read("doc/man/libfiligree.3")
    missing = [call for call in sorted(calls) if call + "(" not in manual]
    variables = set(re.findall(r'"((?:OTEL|FILIGREE)_[A-Z_]+)"', read("sdk/settings.c")))
    variables |= {f"OTEL_EXPORTER_OTLP_{name}" for name in re.findall(r'exporter_variable\("([A-Z_]+)"', read("sdk/settings.c"))}
    assert len(variables) > 20, variables
    missing += [name for name in sorted(variables) if not re.search(rf"\b{name}\b", manual)]
    assert not missing, missing
    # doc/sdk.md may shorten a family's names.
    guide = read("doc/sdk.md")
    missing = [name for name in sorted(variables) if name not in guide and "…_" + name.split("_", 3)[-1] not in guide and
               not name.endswith(("_LIMIT", "_TIMEOUT"))]
    assert not missing, missing
    listed = subprocess.run(["nm", "-D", "--defined-only", LIBRARY], capture_output=True, text=True, check=True).stdout
    exported = {line.split()[-1].split("@")[0] for line in listed.splitlines() if line.split()[1] in "TDBRW"}
    assert exported == calls, exported ^ calls
    if shutil.which("groff"):
        said = subprocess.run(["groff", "-man", "-ww", "-z", "-Tutf8", os.path.join(source, "doc/man/libfiligree.3")], capture_output=True,
                              text=True, check=True)
        assert "warning" not in said.stderr, said.stderr


def case_unloading_is_safe():
    """dlclose leaves the library where it is, and its span arrives"""
    with harness.Server().start() as server:
        done = subprocess.run([UNLOAD, LIBRARY], env=environment(http_endpoint(server)), capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, (done.returncode, done.stderr)
        assert names(server, trace_id(done.stdout)) == ["from.plugin"]


def case_fork_is_safe():
    """a fork in the middle of a span: each span arrives once, the parent's from the parent"""
    with harness.Server().start() as server, tempfile.TemporaryDirectory() as folder:
        said, trouble = run("fork", env=environment(http_endpoint(server), folder))
        assert "child 0" in said, (said, trouble)
        spans = server.spans(trace_id(said))
        assert sorted(span["name"] for span in spans) == ["before.fork", "in.child"], spans
        parent = next(span for span in spans if span["name"] == "before.fork")
        child = next(span for span in spans if span["name"] == "in.child")
        assert child["parentSpanId"] == parent["spanId"]
        assert "from.child" not in attributes(parent)
        assert os.listdir(folder) == [], "both rings are removed at a clean end"


def case_overload_is_waited_for():
    """429 and 503 are retried after Retry-After, nothing is lost"""
    with Sink((429, {"Retry-After": "1"}, b"", 0), (503, {}, b"nonsense", 0), (502, {}, b"", 0), OK) as sink:
        said, _ = run("spans", 50, env=environment(sink.endpoint))
        counts = numbers(said)
        assert counts["exported"] == 100 and counts["failed"] == 3 and counts["refused"] == 0, said
        assert sink.span_count() == 100, sink.span_count()
        assert sink.times[1] - sink.times[0] >= 1, sink.times


def case_too_large_is_halved():
    """413 halves the request until it fits; refused for good is dropped and counted"""
    with Sink((lambda body: 413 if len(list(sent_spans(body))) > 30 else 200, {}, b"", 0)) as sink:
        said, _ = run("spans", 100, env=environment(sink.endpoint))
        assert numbers(said)["exported"] == 200 and sink.span_count() == 200, said
    with Sink((400, {}, b"what is this", 0)) as sink:
        said, trouble = run("spans", 10, env=environment(sink.endpoint))
        assert numbers(said)["refused"] == 20 and "HTTP status 400" in trouble, (said, trouble)
    partial = harness.field(1, harness.field(1, 3) + harness.field(2, "too old"))
    with Sink((200, {}, partial, 0)) as sink:
        said, trouble = run("spans", 10, env=environment(sink.endpoint, OTEL_BSP_SCHEDULE_DELAY="10000"))
        counts = numbers(said)
        assert counts["refused"] == 3 and counts["exported"] == 17 and "too old" in trouble, (said, trouble)


def case_bad_servers_do_not_hold_the_program():
    """a server that is down, slow, or answers nonsense delays the end by no more than the exit timeout"""
    with Sink((200, {}, b"", 600)) as slow, Sink((200, {}, os.urandom(100), 0)) as noise:
        for endpoint in (slow.endpoint, "http://127.0.0.1:1", "http://no.such.host.invalid:4318"):
            # Without that timeout it would wait for ten minutes.
            env = environment(endpoint, FILIGREE_EXIT_TIMEOUT="300", OTEL_EXPORTER_OTLP_TIMEOUT="600000")
            done = subprocess.run([DRIVER, "open"], env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
            assert done.returncode == 0, done.stderr
        said, _ = run("spans", 10, env=environment(noise.endpoint))
        assert numbers(said)["exported"] == 20, said


def case_threads_do_not_disturb_each_other():
    """spans of several threads, announced, exported and counted while they are made"""
    with Sink(OK) as sink:
        env = environment(sink.endpoint, FILIGREE_ANNOUNCE_AFTER="1", OTEL_BSP_SCHEDULE_DELAY="1", OTEL_BSP_MAX_QUEUE_SIZE="20000")
        process = subprocess.Popen([DRIVER, "threads", "4"], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        harness.wait_until(lambda: sink.span_count() > 2000, "spans of all of them come")
        said, _ = process.communicate()
        assert process.returncode == 0, process.returncode
        counts = numbers(said)  # on a slow machine some have no room, and are not sent
        assert counts["exported"] > 1000, said
        ended = [body for one in sink.bodies for body in sent_spans(one) if end_of(body)]
        assert len({span_id(body) for body in ended}) == len(ended) == counts["exported"], (len(ended), said)


def end_of(span):
    at = span.find(b"\x41", span.find(b"\x39") + 9)
    return struct.unpack_from("<Q", span, at + 1)[0]


def span_id(span):
    return span[20:28]


def case_exports_are_numbered():
    """each export carries its sequence number; idle processes send signs of life"""
    with Sink(OK) as sink:
        env = environment(sink.endpoint, FILIGREE_HEARTBEAT="200")
        process = subprocess.Popen([DRIVER, "idle"], env=env, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        harness.wait_until(lambda: len(sink.bodies) >= 3, "three heartbeats")
        process.stdin.close()
        assert process.wait(60) == 0
        found = []
        for body in sink.bodies:
            resource = next(content for _, content in harness.fields(body))
            scope = next(content for number, content in harness.fields(resource) if number == 2)
            inner = next(content for number, content in harness.fields(scope) if number == 1)
            entries = [dict(harness.fields(content)) for number, content in harness.fields(inner) if number == 3]
            values = {entry[1].decode(): dict(harness.fields(entry[2])) for entry in entries}
            found.append(values["filigree.export.sequence"][3])
            assert "filigree.export.dropped_full" in values
        assert found == list(range(1, len(found) + 1)), found
        assert sink.span_count() == 0


def case_long_spans_are_announced():
    """a span that stays open is seen while it runs, and then as interrupted by the program's end"""
    with harness.Server().start() as server:
        env = environment(http_endpoint(server), FILIGREE_ANNOUNCE_AFTER="100")
        process = subprocess.Popen([DRIVER, "open"], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        wanted = trace_id(process.stdout.readline())
        (span,) = harness.wait_until(lambda: server.spans(wanted), "the open span is announced")
        assert span["endTimeUnixNano"] == "0", span
        process.stdin.close()
        assert process.wait(60) == 0
        (span,) = server.spans(wanted)
        assert span["endTimeUnixNano"] != "0" and "interrupted" in json.dumps(attributes(span)["filigree.marks"]), span


def case_no_room_for_the_recorder():
    """a folder that is full, forbidden or missing costs the recorder, not the program"""
    with harness.Server().start() as server, tempfile.TemporaryDirectory() as folder:
        said, trouble = run("spans", 5, env=environment(http_endpoint(server), "/proc/none"))
        assert numbers(said)["exported"] == 10 and "no flight recorder" in trouble, (said, trouble)
        env = environment(http_endpoint(server), folder)
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))  # noqa: E731
        done = subprocess.run([DRIVER, "spans", "5"], env=env, preexec_fn=limit, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0 and "no space" in done.stderr, done
        assert numbers(done.stdout)["exported"] == 10, done.stdout


def kill_one(endpoint, folder, ledger, chance):
    """Runs a program that ends badly at a random moment. Returns how it ended."""
    how = chance.choice(["kill", "kill", "segv", "abort", "term"])
    env = environment(endpoint, folder, OTEL_BSP_SCHEDULE_DELAY=str(chance.choice([1, 5, 1000])))
    process = subprocess.Popen([DRIVER, "crash", ledger, how, str(chance.randrange(1 << 20))], env=env, stderr=subprocess.DEVNULL)
    if how == "kill":
        time.sleep(chance.uniform(0.005, 0.06))
        process.kill()
    status = -process.wait(60)
    assert status in (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGTERM), (how, status)
    return status


def read_ledger(path):
    if not os.path.exists(path):
        return
    with open(path, "rb") as file:
        data = file.read()
    for trace, span, state, _ in struct.iter_unpack("<16s8sii", data):
        if state:
            yield trace.hex(), span.hex(), state


def check_kills(server, ledger, status, seen):
    wanted = collections.defaultdict(dict)
    for trace, span, state in read_ledger(ledger):
        wanted[trace][span] = state
    for trace, spans in wanted.items():
        found = collections.Counter(span["spanId"] for span in server.spans(trace))
        assert all(count == 1 for count in found.values()), f"twice: {found}"
        by_id = {span["spanId"]: span for span in server.spans(trace)}
        for span_id, state in spans.items():
            assert span_id in by_id, f"lost: trace {trace} span {span_id} state {state}, ended by {status}"
            marks = json.dumps(attributes(by_id[span_id]).get("filigree.marks", ""))
            is_interrupted = "interrupted" in marks
            if state != 2:
                assert is_interrupted == (state == 1), f"state {state} but marks {marks}: {by_id[span_id]}"
            if is_interrupted:
                cause = attributes(by_id[span_id])["filigree.interrupted.cause"]
                expected = {signal.SIGKILL: "killed, or", signal.SIGSEGV: "SIGSEGV", signal.SIGABRT: "SIGABRT", signal.SIGTERM: "SIGTERM"}
                assert expected[status] in cause, (status, cause)
            seen["interrupted" if is_interrupted else "ended"] += 1


def case_killed_processes_lose_nothing():
    """killed at random moments: every ended span arrives, every open one as interrupted, none twice"""
    chance = random.Random(SEED)
    print(f"# SEED={SEED} KILLS={KILLS}")
    with harness.Server().start() as server, tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        rings = os.path.join(folder, "rings")
        ends = []
        for number in range(KILLS):
            ledger = os.path.join(folder, f"ledger-{number}")
            ends.append((ledger, kill_one(http_endpoint(server), rings, ledger, chance)))
            if number % 50 == 49 or number == KILLS - 1:
                status, result, said = recover(http_endpoint(server), rings, "--quiet")
                assert status == 0 and result["rings_left"] == 0 and result["rings_damaged"] == 0, (status, result, said)
        assert [name for name in os.listdir(rings) if name.endswith(".ring")] == []
        seen = collections.Counter()
        for ledger, status in ends:
            check_kills(server, ledger, status, seen)
        print(f"# {dict(seen)}")
        assert seen["interrupted"] > KILLS / 3 and seen["ended"] > KILLS, seen


def case_next_start_recovers():
    """the next start of the same service sends what the last one left; another service's is left alone"""
    with harness.Server().start() as server, tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        env = environment("http://127.0.0.1:1", folder)
        process = subprocess.Popen([DRIVER, "open"], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        wanted = trace_id(process.stdout.readline())
        process.kill()
        process.wait()
        mode = os.stat(os.path.join(folder, os.listdir(folder)[0])).st_mode & 0o777
        assert mode == 0o600, oct(mode)
        other = environment(http_endpoint(server), folder, OTEL_SERVICE_NAME="another")
        run("spans", 1, env=other)
        assert server.spans(wanted) == [] and len(os.listdir(folder)) == 1
        said, trouble = run("spans", 1, env=environment(http_endpoint(server), folder))
        assert numbers(said)["recovered"] == 1, (said, trouble, os.listdir(folder))
        (span,) = server.spans(wanted)
        assert "interrupted" in json.dumps(attributes(span)["filigree.marks"]), span
        assert os.listdir(folder) == []


def case_recover_is_careful():
    """recover leaves living processes alone, keeps what no server takes, sets damaged files aside"""
    with harness.Server().start() as server, tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        env = environment("http://127.0.0.1:1", folder)
        process = subprocess.Popen([DRIVER, "open"], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        wanted = trace_id(process.stdout.readline())
        status, result, _ = recover(http_endpoint(server), folder)
        assert status == 0 and result["rings"] == 0 and len(os.listdir(folder)) == 1, result
        process.kill()
        process.wait()
        with Sink((503, {"Retry-After": "0"}, b"", 0)) as sink:
            status, result, said = recover(sink.endpoint, folder)
            assert status == 3 and result["rings_left"] == 1 and "503" in said, (status, result, said)
        with open(os.path.join(folder, "noise.ring"), "wb") as file:
            file.write(os.urandom(100000))
        for expected in (1, 0, 0):
            status, result, said = recover(http_endpoint(server), folder)
            assert status == expected, (status, result, said)
        assert len(server.spans(wanted)) == 1
        assert os.listdir(folder) == ["noise.ring.damaged"], os.listdir(folder)
        status, _, said = recover(http_endpoint(server), folder + "/none")
        assert status == 2 and "not found" in said, (status, said)


if __name__ == "__main__":
    sys.exit(harness.main(globals(), CASES))
