"""One fault of faults.tsv, tried on the running company: broken, watched until Filigree says what it is, healed."""
import datetime
import os
import queue
import re
import subprocess
import threading
import time

from company import DEMO, harness

VERDICT_SECONDS = 120
HEALED_SECONDS = 300
HUMAN_SECONDS = 15  # demo/flow.yaml's `within`: what a person has begun should not take longer
# Orders that are placed while it is broken, and which of them the verdict is asked of: queues have to fill.
CROWDS = {"5:slow": (3, 2), "9:full": (4, 3), "9:full_drop": (4, 1)}
STOPPED = ("broken", "stuck", "late")


def place_of(verdict):
    place, cause = verdict.get("place") or {}, verdict.get("cause") or {}
    return place.get("kind", "-"), cause.get("code", "-"), place.get("service", "-")


def say(verdict):
    kind, code, service = place_of(verdict)
    return f"{verdict.get('state', '?')} {kind}/{code} at {service}"


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() if text else None


def matches(company, verdict, fault):
    """Whether it is the right verdict: state, kind of place, cause, and the service at fault."""
    kind, code, service = place_of(verdict)
    return (verdict.get("state") in fault["state"].split("|") and kind == fault["kind"] and code == fault["code"]
            and service in company.names_of(fault["service"]))


class Trial:
    """What was seen of one fault. `verdict`: the last; `after`: seconds from the error or the deadline until it was right."""

    def __init__(self, company, fault, is_right=matches):
        self.company, self.fault, self.what = company, fault, fault["what"]
        self.is_right = is_right
        self.orders, self.order = [], None
        self.verdict, self.is_seen = {}, False
        self.after = self.healed = None
        self.on_the_way = []  # other verdicts that came before it, each once

    def run(self):
        try:
            self.prepare()
            self.company.must("break", self.what)
            self.broken_at = time.time()
            try:
                if self.fault["meets"] == "page":
                    self.watch_page()
                else:
                    self.watch()
            finally:
                self.heal()
        finally:
            self.company.trouble.clear()
        return self

    # -- Before

    def prepare(self):
        """Orders that will meet the fault: as many as it takes, as far as they come before it."""
        if self.fault["meets"] == "page":
            return
        count, watched = CROWDS.get(self.what, (1, 0))
        self.orders = [self.company.place() for _ in range(count)]
        self.order = self.orders[watched]
        if self.fault["meets"] != "upload":
            for order in self.orders:
                status = self.company.carry(order, HEALED_SECONDS, "MODEL_UPLOADED")
                assert status == "MODEL_UPLOADED", f"{order} stays {status}: {self.company.trouble.get(order)}"

    # -- While it is broken

    def look(self):
        """Asks Filigree once. True: it says the right thing."""
        verdict = self.company.where(self.order)
        now = time.time()
        self.is_seen = self.is_right(self.company, verdict, self.fault)
        if not self.is_seen and verdict.get("state") in STOPPED:
            said = (say(verdict), round(verdict.get("confidence", 0), 2))
            if said not in self.on_the_way:
                self.on_the_way.append(said)
        self.verdict = verdict
        self.after = max(0.0, now - self.due(verdict, now))
        return self.is_seen

    def due(self, verdict, now):
        """From when on it could be known: the error; when it began, where a person waits or a page shows it; otherwise the deadline."""
        since, deadline = (moment(verdict.get(name)) for name in ("since", "deadline"))
        if since is None:
            return now
        if verdict.get("state") in ("broken", "waiting") or place_of(verdict)[0] == "page":
            return max(since, self.broken_at)
        return deadline if deadline and deadline < now else max(since, self.broken_at) + HUMAN_SECONDS

    def watch(self):
        for one in self.orders:
            if one != self.order:
                self.company.carry(one, 10, "SUBMITTED")
        is_over = threading.Event()

        def carry():  # people go on trying while one looks; a click may take long
            while not is_over.is_set():
                self.company.carry(self.order, 0.5)
        people = threading.Thread(target=carry, daemon=True)
        people.start()
        end = time.monotonic() + VERDICT_SECONDS
        try:
            while not self.look() and time.monotonic() < end:
                time.sleep(0.2)
        finally:
            is_over.set()
            people.join(90)
        assert self.is_seen or self.verdict.get("state") != "done", f"{self.order} was not stopped by it; on the way it was said {self.on_the_way}"

    def watch_page(self):
        """A browser clicks through an order as far as the page lets it, while Filigree is asked."""
        browser = subprocess.Popen([os.path.join(DEMO, "browser"), "--orders", "1", "--patience", "20", "--seed", self.what], env=self.company.env,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        words = queue.SimpleQueue()
        reader = threading.Thread(target=lambda: [words.put(line) for line in browser.stdout] and None, daemon=True)
        reader.start()
        said = ""
        try:
            end = time.monotonic() + 2 * VERDICT_SECONDS
            while time.monotonic() < end:
                while not words.empty():
                    said += words.get()
                found = re.search(r"ORD-\d+", said)
                if found and not self.order:
                    self.order = found.group(0)
                    self.orders = [self.order]
                if self.order and self.look():
                    break
                if not self.order and browser.poll() is not None and words.empty() and not reader.is_alive():
                    if browser.returncode == 77:
                        raise harness.Skip(said.strip().splitlines()[-1])
                    break
                time.sleep(0.2)
        finally:
            browser.terminate()
            browser.wait(60)
            reader.join(60)
        assert self.order, f"the browser placed no order: {said}"

    # -- Afterwards

    def heal(self):
        """Every order goes on to its end, or is said to be lost."""
        begun = time.monotonic()
        said = self.company.must("heal")
        lost = set(re.findall(r"lost: (ORD-\d+)", said))
        for order in self.orders:
            status = self.company.carry(order, HEALED_SECONDS)
            assert status == "CLOSED" or order in lost, f"{order} stays {status} after the healing: {self.company.trouble.get(order)}; heal said: {said}"
        self.healed = time.monotonic() - begun
