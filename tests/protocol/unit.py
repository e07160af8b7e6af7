#!/usr/bin/env python3
"""unit.py FILIGREE UNIT [CASE...]: the systemd unit: systemd takes it, it gives up much, and it leaves the server what the server needs.

The unit's filter of system calls is put in force here as systemd does it, without systemd: by libseccomp, before the server is run.
"""
import contextlib
import ctypes
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.abspath(__file__)
sys.path.insert(0, os.path.dirname(os.path.dirname(HERE)))
ERRNO_EPERM, ALLOW, PR_SET_NO_NEW_PRIVS = 0x00050001, 0x7FFF0000, 38
WRITE_AND_EXECUTE, MASKED_EQUAL = 2 | 4, 7


class Compare(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def group(name):
    """The system calls of one of systemd's groups."""
    said = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True).stdout
    words = [line.strip() for line in said.splitlines()[1:]]
    return {one for word in words if word and word[0] != "#" for one in (group(word) if word[0] == "@" else {word})}


def left_by(unit):
    """What SystemCallFilter= leaves: the first line allows, others add, ~ takes away."""
    calls = group("@default")
    with open(unit, encoding="utf-8") as file:
        for line in re.findall(r"^SystemCallFilter=(.*)$", file.read(), re.M):
            takes, words = line.startswith("~"), line.lstrip("~").split()
            named = {one for word in words for one in (group(word) if word[0] == "@" else {word})}
            calls = calls - named if takes else calls | named
    return calls


def run_inside(unit, *command):
    lib = ctypes.CDLL("libseccomp.so.2")
    lib.seccomp_init.restype = ctypes.c_void_p
    filtered = ctypes.c_void_p(lib.seccomp_init(ERRNO_EPERM))
    for name in left_by(unit):
        number = lib.seccomp_syscall_resolve_name(name.encode())
        if number in (-1, -2, -3, -4) or number < 0:
            continue  # another machine's
        if name == "mmap":  # MemoryDenyWriteExecute=
            for wanted in (0, 2, 4):
                one = Compare(2, MASKED_EQUAL, WRITE_AND_EXECUTE, wanted)
                assert lib.seccomp_rule_add_array(filtered, ALLOW, number, 1, ctypes.byref(one)) == 0
        elif name in ("mprotect", "pkey_mprotect"):
            one = Compare(2, MASKED_EQUAL, 4, 0)
            assert lib.seccomp_rule_add_array(filtered, ALLOW, number, 1, ctypes.byref(one)) == 0
        else:
            assert lib.seccomp_rule_add_array(filtered, ALLOW, number, 0, None) == 0, name
    assert ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    assert lib.seccomp_load(filtered) == 0
    os.execv(command[0], command)


if sys.argv[1] == "inside":
    run_inside(*sys.argv[2:])

import harness  # noqa: E402
from harness import Server, Skip, request, span, wait_until  # noqa: E402

UNIT = sys.argv[2]


def analyze(*words):
    if not shutil.which("systemd-analyze"):
        raise Skip("systemd-analyze is not installed")
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, timeout=60, check=False)


def case_systemd_takes_it():
    """Every line of it is one that systemd knows."""
    with tempfile.TemporaryDirectory() as folder, open(UNIT, encoding="utf-8") as file:
        path = os.path.join(folder, "filigree.service")
        with open(path, "w", encoding="utf-8") as here:
            here.write(re.sub(r"ExecStart=\S+", f"ExecStart={os.path.abspath(harness.BINARY)}", file.read()))
        done = analyze("verify", "--man=no", path)
        assert done.returncode == 0 and not done.stderr, done
        done = analyze("security", "--offline=yes", "--threshold=15", path)
        assert done.returncode == 0, done.stdout[-500:]


def policies_of(process):
    """Of its threads; each chooses its own when it has begun, and one may just have ended."""
    found = set()
    for task in os.listdir(f"/proc/{process}/task"):
        with contextlib.suppress(ProcessLookupError):
            found.add(os.sched_getscheduler(int(task)))
    return found


def case_the_server_is_confined_under_it():
    """Under its filter the server goes without more: its own filter and Landlock hold as well, and its work goes on."""
    analyze("--version")
    try:
        ctypes.CDLL("libseccomp.so.2")
    except OSError as error:
        raise Skip("libseccomp is not installed") from error
    with Server().start() as plain:
        wanted = {by: plain.metrics()[f'filigree_confined{{by="{by}"}}'] for by in ("landlock", "seccomp")}
    with Server(wrapper=[sys.executable, HERE, "inside", UNIT]).start() as server:
        for by, is_so in wanted.items():
            assert server.metrics()[f'filigree_confined{{by="{by}"}}'] == is_so, server.words()
        trace = harness.new_trace_id()
        assert server.send(request(span(trace, name="under the unit", attributes={"a.key": "its value"})))[0] == 200
        for query in ("", "?q=" + "a.key%3D~%22its.*e%22"):
            status, body = server.get("/api/v1/traces" + query)
            assert status == 200 and trace.encode() in body, (query, status, body)
        with open(f"/proc/{server.process.pid}/status", encoding="ascii") as file:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        assert int(status["Seccomp_filters"]) == 1 + wanted["seccomp"], status
        wait_until(lambda: os.SCHED_BATCH in policies_of(server.process.pid), "work that may wait has its own turn")
        assert server.end() == 0, server.words()


if __name__ == "__main__":
    sys.exit(harness.main(globals(), sys.argv[3:]))
