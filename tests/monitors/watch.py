"""A Filigree that watches real servers, and the table of faults: what was done, what was expected, what was seen, how soon."""
import calendar
import contextlib
import json
import os
import time

import harness

ALL = os.environ.get("FAULTS") == "all"  # `make monitor-faults`; otherwise the more telling half


class Table:
    """Rows as they come; printed as comments of the test."""
    FORMAT = "# {:<44} {:<30} {:<46} {:>7}"

    def __init__(self):
        self.has_head = False

    def row(self, fault, expected, seen, seconds):
        if not self.has_head:
            print(self.FORMAT.format("fault", "expected", "seen", "seconds"), flush=True)
            self.has_head = True
        print(self.FORMAT.format(fault[:44], expected[:30], seen[:46], seconds), flush=True)


TABLE = Table()


class Watch:
    """`filigree serve` with these monitors, each a dict as in the file. Secrets are given in the file's folder."""

    def __init__(self):
        self.server = harness.Server()
        self.monitors = {}
        self.excused = {}  # from, to: not healthy, and rightly so
        self.well_from = 0

    def add(self, *monitors):
        for one in monitors:
            self.monitors[one["name"]] = {"interval": "250ms", "confirm": 1, "time-limit": "5s", **one}
            self.excused[one["name"]] = []

    def secret(self, name, text):
        path = os.path.join(self.server.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def __enter__(self):
        path = os.path.join(self.server.folder, "monitors.yaml")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"monitors": list(self.monitors.values())}, file)
        self.server.options += ["--monitors", path]
        self.server.start()
        return self

    def __exit__(self, *_):
        self.server.__exit__()

    def look(self, name):
        """Looks now; the monitor as the API shows it."""
        deadline = time.monotonic() + 60
        while True:  # just after its start the server may ask to come again
            status, _, body = self.server.request("POST", f"/api/v1/monitors/{name}/run", b"", {"Content-Type": "application/json"})
            if status != 503 or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        assert status == 200, (status, body[:300])
        return json.loads(body)

    def get(self, name):
        status, body = self.server.get(f"/api/v1/monitors/{name}?start={time.time_ns() - 3600 * 10**9}")
        assert status == 200, (status, body[:300])
        return json.loads(body)

    def until(self, name, result, code=None, seconds=120):
        """Looks until this is what is believed; returns the monitor."""
        last = {}

        def is_so():
            last.update(self.look(name))
            codes = [finding["code"] for finding in last["findings"]]
            return last["result"] == result and (code is None or code in codes) and (result != "ok" or not codes)
        try:
            harness.wait_until(is_so, "", seconds)
        except AssertionError:
            raise AssertionError(f"{name} is not {result} {code or ''} within {seconds} s, but {last.get('result')}: {last.get('findings')}") from None
        return last

    def is_well(self, looks, seconds=900):
        """Waits until each monitor was found well this often in a row, all by itself."""
        begun = {name: self.until(name, "ok")["runs"] for name in self.monitors}
        self.well_from = time.time_ns()
        start = time.monotonic()
        for name, first in begun.items():
            harness.wait_until(lambda: self.get(name)["runs"] >= first + looks, f"{looks} looks of {name}", seconds)  # noqa: B023
        TABLE.row(f"none: {looks} looks by each of {len(begun)}", "no change", "no change", f"{time.monotonic() - start:.1f}")

    @contextlib.contextmanager
    def fault(self, text, name, result, code, also=(), words=(), seconds=120):
        """The body makes the fault, and gives what mends it to the function that it is handed; then it is waited for, mended, and
        the monitor's return to health is waited for, and that of those that it touches too."""
        others = [name, *also]
        start = time.time_ns()
        mends = []
        begun = time.monotonic()
        try:
            yield mends.append
            view = self.until(name, result, code, seconds)
            seen = [finding["text"] for finding in view["findings"] if finding["code"] == code]
            telling = [one for one in seen if all(word in one for word in words)]
            assert telling, (words, seen)
            TABLE.row(text, f"{result} {code}", f"{view['result']} {code}", f"{time.monotonic() - begun:.1f}")
            print("#     " + telling[0], flush=True)
        except AssertionError:
            TABLE.row(text, f"{result} {code}", "NOT SEEN", f"{time.monotonic() - begun:.1f}")
            raise
        finally:
            for mend in mends:
                mend()
        mended = time.monotonic()
        for other in others:
            self.until(other, "ok", seconds=180)
            self.excused[other].append((start, time.time_ns()))
        TABLE.row("    mended", "ok", "ok", f"{time.monotonic() - mended:.1f}")

    def is_excused(self, moment):
        """A look that began before a fault, and ended in it, too."""
        return any(start - 15 * 10**9 <= moment <= stop for windows in self.excused.values() for start, stop in windows)

    def check_no_false_change(self):
        """From the spans: whatever was not well lies within a fault that was made."""
        for name in self.monitors:
            periods = self.get(name)["history"]
            assert periods, name
            for period in periods:
                begin, end = nanoseconds(period["start"]), nanoseconds(period["end"])
                if period["result"] == "ok" or begin < self.well_from:
                    continue
                assert any(start - 10**9 <= begin and end <= stop + 10**9 for start, stop in self.excused[name]), (name, period)


def nanoseconds(text):
    """RFC 3339 in UTC."""
    seconds, _, fraction = text.rstrip("Z").partition(".")
    whole = time.strptime(seconds, "%Y-%m-%dT%H:%M:%S")
    return calendar.timegm(whole) * 10**9 + int((fraction + "000000000")[:9])

