"""Real servers beside the one under test: PostgreSQL, RabbitMQ and an S3 object store, each on a folder and ports of its own.

They are started by the scripts in tools/servers, which end with their standard input: what a killed test leaves behind ends
by itself. Where a package is missing the case is skipped, and the skip names it.
"""
import os
import shutil
import subprocess
import tempfile

import harness

PORTS_MAX = 6  # an object store's front, and its servers
SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools", "servers")


class RealServer:
    """`postgres`, `rabbitmq` or `swift`. Used with `with`; all of it is gone at the end."""

    def __init__(self, kind, *options):
        self.kind = kind
        self.script = os.path.join(SCRIPTS, kind)
        self.options = options
        self.process = None
        self.port = 0
        self.words = {}
        # The user that PostgreSQL runs as must reach it, and Swift wants extended attributes, which not every /tmp has.
        self.folder = tempfile.mkdtemp(prefix=f"filigree-{kind}-", dir=os.environ.get("TMPDIR") or "/var/tmp")
        os.chmod(self.folder, 0o711)

    def start(self):
        """Starts it, after a stop on the same data and port, and waits until it answers. Each of its ports is nobody else's."""
        with open(os.path.join(self.folder, "ports"), "w", encoding="ascii") as file:
            file.writelines(f"{harness.free_port()}\n" for _ in range(PORTS_MAX))
        self.process = subprocess.Popen([self.script, "run", self.folder, str(self.port), *self.options], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            name, value = line.split()
            self.words[name] = int(value)
            if name == "port":
                self.port = int(value)
                return self
        status = self.process.wait()
        trouble = self.process.stderr.read().strip()
        self.remove()
        if status == 77:
            raise harness.Skip(trouble)
        raise AssertionError(f"{self.kind} did not start: {trouble}")

    def stop(self):
        if self.process:
            self.process.communicate()
            self.process = None

    def crash(self, signal="KILL"):
        self.call("stop", signal)
        self.stop()

    def call(self, verb, *words):
        """Another verb of the script; returns what it prints."""
        done = subprocess.run([self.script, verb, self.folder, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{self.kind} {verb}: {done.stderr}"
        return done.stdout.strip()

    def process_id(self, name=None):
        """Of one of its processes, as DIR/run names them."""
        with open(os.path.join(self.folder, "run", name or self.kind), encoding="ascii") as file:
            return int(file.read().split()[0])

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start() if self.process is None else self

    def __exit__(self, *_):
        self.stop()
        self.remove()
