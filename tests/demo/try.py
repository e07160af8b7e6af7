#!/usr/bin/env python3
"""try.py BUILD: what `make try` shows: the recording of the company, replayed by demo/try as if it ran now."""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from company import DEMO, harness, is_listened_on, read_faults  # noqa: E402
from trial import moment  # noqa: E402

BUILD = os.path.dirname(os.path.abspath(sys.argv[1]))
RECORDING = os.path.join(DEMO, "recording", "company")
SECONDS = 120
CAUSES = 5
SLACK_SECONDS = 30  # a verdict stands until the order has gone on
BEGIN_SECONDS = 5   # by so much the replay may have begun before one read that it does; the faults are further apart


def recorded_faults():
    """(fault, from, to) in seconds of the recording."""
    faults = read_faults()
    with open(f"{RECORDING}.faults", encoding="utf-8") as file:
        return [(faults[what], float(begun), float(ended)) for what, begun, ended in (line.split("\t") for line in file)]


def past_seconds():
    with open(f"{RECORDING}.past", encoding="utf-8") as file:
        return int(file.read().strip().rstrip("s"))


def bare_path(folder):
    """A PATH of what each Debian has, and nothing else: `make try` sets up what the build needs, and no client of any kind."""
    if not shutil.which("dpkg-query"):
        return os.environ["PATH"]
    packages = subprocess.run(["dpkg-query", "-W", "-f", "${Essential} ${Package}\n"], stdout=subprocess.PIPE, text=True, check=True).stdout
    essential = [line.split()[1] for line in packages.splitlines() if line.startswith("yes ")]
    files = subprocess.run(["dpkg-query", "-L", *essential], stdout=subprocess.PIPE, text=True, check=True).stdout
    for file in files.splitlines():
        name = os.path.basename(file)
        if os.path.dirname(file) in ("/bin", "/usr/bin") and os.path.isfile(file) and not os.path.lexists(os.path.join(folder, name)):
            os.symlink(file, os.path.join(folder, name))
    for name in ("awk", "sh"):  # named by an alternative or a diversion
        if shutil.which(name) and not os.path.lexists(os.path.join(folder, name)):
            os.symlink(shutil.which(name), os.path.join(folder, name))
    assert os.path.exists(os.path.join(folder, "bash")) and not os.path.exists(os.path.join(folder, "curl")), os.listdir(folder)
    return folder


class Replay:
    def __enter__(self):
        self.tools = tempfile.TemporaryDirectory()
        self.ports = [harness.free_port() for _ in range(3)]
        self.url = f"http://127.0.0.1:{self.ports[0]}"
        env = {**os.environ, "PATH": bare_path(self.tools.name), "DEMO_BUILD": BUILD, "no_proxy": "*", **dict(zip(("FILIGREE_API", "FILIGREE_OTLP_HTTP", "FILIGREE_OTLP_GRPC"), map(str, self.ports)))}
        self.process = subprocess.Popen([os.path.join(DEMO, "try")], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        text=True, start_new_session=True, preexec_fn=harness.as_a_terminal_starts_it)
        self.begun = None
        for line in self.process.stdout:
            if "are being read" in line:
                self.begun = time.time() - past_seconds()
                return self
        raise AssertionError("demo/try ended before it read anything")

    def end(self, how):
        """As Ctrl-C does it, to all of its processes. The exit status, and what it said last."""
        os.killpg(self.process.pid, how)
        said, _ = self.process.communicate(timeout=90)
        return self.process.returncode, said

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.end(signal.SIGTERM)
        self.tools.cleanup()

    def groups(self):
        """What the front page shows as stopped: (kind, cause, since in seconds of the recording, an order)."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{self.url}/api/v1/board", timeout=60) as answer:
                board = json.load(answer)
        except urllib.error.HTTPError as answer:
            assert answer.code == 503, answer  # just after its start the server asks to come again
            return []
        return [(one["place"]["kind"], one["cause"]["code"], moment(one["since"]) - self.begun, one["value"]) for one in board["groups"]]


def is_right(group, faults):
    """Whether what it says was broken, and then."""
    kind, code, since, _ = group
    return any(kind == fault["kind"] and code == fault["code"] and begun - BEGIN_SECONDS <= since <= ended + SLACK_SECONDS for fault, begun, ended in faults)


def case_try():
    """within two minutes the front page shows orders that stopped, of at least five causes, each of which had been made; Ctrl-C ends all of it"""
    faults = recorded_faults()
    with Replay() as replay:
        def shown():
            found = replay.groups()
            return found if len({code for _, code, _, _ in found}) >= CAUSES and all(is_right(one, faults) for one in found) else None
        try:
            harness.wait_until(shown, "", SECONDS)
        except AssertionError:
            found = replay.groups()
            raise AssertionError(f"shown are {[(*one, is_right(one, faults)) for one in found]}, of {faults}") from None
        status, said = replay.end(signal.SIGINT)
        assert status == 0 and "stopped" in said, (status, said)
        for port in replay.ports:
            assert not is_listened_on(port), f"port {port} is still listened on"


if __name__ == "__main__":
    sys.exit(harness.main(globals(), sys.argv[2:]))
