"""The running company, for its tests: demo/up on ports and a folder of its own, orders that are carried through it step by step, and
Filigree's word on them. What of the servers is missing is a skip that names it.
"""
import contextlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.realpath(os.path.join(HERE, "..", ".."))
DEMO = os.path.join(ROOT, "demo")
sys.path.insert(0, os.path.join(HERE, ".."))
sys.path.insert(0, DEMO)
import harness  # noqa: E402
import stl  # noqa: E402

MODEL = stl.make("ring", 60)
ORDER = ("INITIATED", "MODEL_UPLOADED", "SUBMITTED", "PRICE_CALCULATED", "MANUFACTURING_APPROVED", "MANUFACTURING_STARTED",
         "MANUFACTURING_COMPLETED", "PACKAGING", "SHIPPED", "CLOSED")
START_TRIES = 3
PORTS = (1, 2, 3, 4, 11, 12, 13, 14, 21, 22, 31)


def free_base():
    """A DEMO_PORT of whose ports none is listened on."""
    for base in range(int(os.environ.get("DEMO_PORT") or 21000 + os.getpid() % 50 * 200), 65000, 40):
        if all(is_free(base + offset) for offset in PORTS):
            return base
    raise AssertionError("no free ports")


def is_listened_on(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def read_faults():
    """The table of faults.tsv, by PLACE:WAY."""
    with open(os.path.join(DEMO, "faults.tsv"), encoding="utf-8") as file:
        names = ("what", "meets", "state", "kind", "code", "service", "spans", "text")
        rows = [dict(zip(names, line.rstrip("\n").split("\t"))) for line in file if not line.startswith("#")]
    return {row["what"]: row for row in rows}


class Company:
    """Used with `with`; stopped, and its data removed, at the end. keep: an environment of a company that runs already."""

    def __init__(self, build, stage=4, is_watched=True, tls=False):
        self.folder = tempfile.mkdtemp(prefix="filigree-demo-", dir=os.environ.get("TMPDIR") or "/var/tmp")
        os.chmod(self.folder, 0o711)
        self.stage = stage
        self.is_watched = is_watched
        self.scheme = "https" if tls else "http"
        self.filigree = os.path.join(build, "filigree")
        self.env = {**os.environ, "DEMO_DATA": os.path.join(self.folder, "data"), "DEMO_BUILD": build, "no_proxy": "*"}
        self.choose_ports()
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self.trouble = {}  # what was said last of an order
        self.known = {}    # the status that was seen last

    def choose_ports(self):
        self.base = free_base()
        self.api, *others = (harness.free_port() for _ in range(3))
        self.env.update(zip(("DEMO_PORT", "FILIGREE_API", "FILIGREE_OTLP_HTTP", "FILIGREE_OTLP_GRPC"), map(str, (self.base, self.api, *others))))
        self.shop, self.mes = (f"{self.scheme}://127.0.0.1:{self.base + offset}" for offset in (1, 3))

    def script(self, name, *words, seconds=600):
        return subprocess.run([os.path.join(DEMO, name), *words], env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=seconds, check=False)

    def must(self, name, *words):
        done = self.script(name, *words)
        assert done.returncode == 0, f"demo/{name} {' '.join(words)}: {done.stdout[-1500:]}{done.stderr[-1500:]}"
        return done.stdout

    def start(self):
        for _ in range(START_TRIES):
            done = self.script("up", "--stage", str(self.stage), *([] if self.is_watched else ["--no-monitors"]), *(["--tls"] if self.scheme == "https" else []))
            if "taken: port" not in done.stderr:
                break
            self.choose_ports()  # another process was faster
        trouble = done.stderr.strip()
        if done.returncode == 77 or "not installed" in trouble or "is not built" in trouble or "could not install" in trouble:
            raise harness.Skip(trouble.splitlines()[-1] if trouble else "demo/up was skipped")
        for line in trouble.splitlines():
            if "can't reach" in line:  # a folder above is closed to the servers' users
                raise harness.Skip(line.strip())
        assert done.returncode == 0, f"demo/up: {done.stdout[-1500:]}{trouble[-2500:]}"
        if self.scheme == "https":
            self.env["FILIGREE_CA"] = self.ca = os.path.join(self.env["DEMO_DATA"], "certs", "ca.pem")
            context = ssl.create_default_context(cafile=self.ca)
            self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
        return self

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        self.script("down")
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- Orders

    def ask(self, method, url, body=None, seconds=12):
        """Status and object; 0 and the reason where there was no answer."""
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
        try:
            with self.opener.open(request, timeout=seconds) as answer:
                return answer.status, json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as answer:
            with contextlib.suppress(ValueError):
                return answer.code, json.loads(answer.read())
            return answer.code, {}
        except OSError as trouble:
            return 0, {"error": "no answer", "message": str(trouble)}

    def place(self, seconds=60):
        """A new order's number. Placing is tried again until it is there."""
        end = time.monotonic() + seconds
        while True:
            status, answer = self.ask("POST", f"{self.shop}/orders", {"customer": "customer-17", "piece": "ring"})
            if status == 201:
                return answer["id"]
            assert time.monotonic() < end, f"an order can't be placed: {status} {answer}"
            time.sleep(0.2)

    def act(self, order, status):
        """What somebody does with an order in this status; None: it is a machine's turn."""
        shop, mes = f"{self.shop}/orders/{order}", f"{self.mes}/orders/{order}"
        if status == "PRICE_CALCULATED" and not self.is_listed(order, status):
            return 0, {"error": "not_listed", "message": "the seller's list does not show it"}
        what = {"INITIATED": ("PUT", f"{shop}/model", MODEL), "MODEL_UPLOADED": ("POST", f"{shop}/submit", {}),
                "PRICE_CALCULATED": ("POST", f"{shop}/approve", {"seller": "Tony"}),
                "MANUFACTURING_APPROVED": ("POST", f"{mes}/start", {"operator": "Ken"}), "MANUFACTURING_STARTED": ("POST", f"{mes}/finish", {}),
                "MANUFACTURING_COMPLETED": ("POST", f"{mes}/pack", {}), "PACKAGING": ("POST", f"{mes}/ship", {}),
                "SHIPPED": ("POST", f"{shop}/close", {})}.get(status)
        return self.ask(*what, seconds=60 if status == "INITIATED" else 12) if what else None

    def is_listed(self, order, status):
        answer = self.ask("GET", f"{self.shop}/orders?limit=500&status={status}")[1]
        return any(one["id"] == order for one in answer.get("orders", []))

    def status_of(self, order):
        return self.ask("GET", f"{self.shop}/orders/{order}")[1].get("status")

    def carry(self, order, seconds, until="CLOSED"):
        """Takes an order on until it has the status, or the time is over; people try again what did not work. The status it has."""
        end = time.monotonic() + seconds
        done = None  # nobody does a thing twice that went well
        while True:
            status = self.status_of(order)
            if status and ORDER.index(status) >= ORDER.index(until):
                return status
            self.known[order] = status or self.known.get(order)  # who can't look it up goes by what was seen last
            if self.known[order] and self.known[order] != done:
                answer = self.act(order, self.known[order])
                if answer and answer[0] in (200, 201):
                    done = self.known[order]
                elif answer:
                    self.trouble[order] = answer
            if time.monotonic() > end:
                return status
            time.sleep(0.1 if status else 0.5)

    # -- Filigree's word

    def names_of(self, service):
        """How spans may name a part: a service by its name, a server by its address."""
        offsets = {"shop-db": (11, 12), "mes-db": (13, 14), "rabbit": (21, 22), "s3": (31,)}
        return {service, *(f"127.0.0.1:{self.base + offset}" for offset in offsets.get(service, ()))}

    def where(self, order):
        done = subprocess.run([self.filigree, "where", order, "--json", "--server", f"{self.scheme}://127.0.0.1:{self.api}"], env=self.env,
                              capture_output=True, text=True, check=False, timeout=60)
        with contextlib.suppress(ValueError):
            return json.loads(done.stdout)
        return {"state": "unknown", "error": (done.stdout + done.stderr).strip()}

    def wait_watched_well(self, seconds=120):
        """Waits until each of Filigree's monitors finds its part well; that messages came back from the broker is remembered for a while."""
        def unwell():
            answer = self.ask("GET", f"http://127.0.0.1:{self.api}/api/v1/monitors")[1]
            codes = {one["name"]: [finding["code"] for finding in one["findings"]] for one in answer.get("monitors", []) if one["result"] != "ok"}
            return {name: found for name, found in codes.items() if set(found) != {"unroutable"}}
        try:
            harness.wait_until(lambda: not unwell(), "", seconds)
        except AssertionError:
            raise AssertionError(f"not within {seconds} s well: {unwell()}") from None

    def spans(self, order):
        """(service, name, kind, attributes) of every span of the order's traces."""
        found = []
        for trace in self.where(order).get("traces", []):
            answer = self.ask("GET", f"{self.scheme}://127.0.0.1:{self.api}/api/v1/traces/{trace}")[1]
            for resource in answer.get("resourceSpans", []):
                service = next((one["value"].get("stringValue") for one in resource["resource"]["attributes"] if one["key"] == "service.name"), "")
                for scope in resource.get("scopeSpans", []):
                    for span in scope.get("spans", []):
                        attributes = {one["key"]: next(iter(one["value"].values()), None) for one in span.get("attributes", [])}
                        found.append((service, span["name"], span.get("kind"), attributes))
        return found
