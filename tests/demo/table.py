#!/usr/bin/env python3
"""table.py BUILD [--no-monitors] [PLACE:WAY...]: what `make demo-faults` prints.

While people order, the company is broken in each way of demo/faults.tsv, and healed. A row is right where `filigree where` names the state,
the place, the service and the cause of the table within ten seconds of the error or the deadline, never names another place surely on the way there, and
where all orders go on after the healing. With --no-monitors Filigree has only spans to go by: then it may say what the table's column `spans`
allows, and less surely, but nothing else.
"""
import os
import re
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from company import DEMO, Company, harness, read_faults  # noqa: E402
from trial import HEALED_SECONDS, STOPPED, Trial, matches, place_of, say  # noqa: E402

SECONDS_MAX = 10
SURE = 0.85  # from here on somebody will act on it without looking further


class People:
    """demo/traffic all the while, at a rate that leaves the machine room."""

    def __init__(self, company):
        self.words = tempfile.TemporaryFile()
        self.process = subprocess.Popen([os.path.join(DEMO, "traffic"), "--orders", "0", "--rate", "0.3", "--seed", "faults", "--patience", "3600"],
                                        env=company.env, stdin=subprocess.DEVNULL, stdout=self.words, stderr=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def end(self):
        """What it says of its orders, and how many of them are stuck."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        said = harness.said_in(self.words)
        return said, int(re.search(r"(\d+) stuck", said)[1])


def is_allowed(company, verdict, fault):
    """Without monitors: the right verdict, or a less precise one of the column `spans`, said with less than certainty. That a person
    has to act is true also where he can't see it."""
    if matches(company, verdict, fault):
        return True
    kind, code, _ = place_of(verdict)
    return f"{kind}/{code}" in fault["spans"].split("|") and (kind == "person" or verdict.get("confidence", 1) < SURE)


def judge(trial):
    """Whether a row is right, and what is to be said beside it."""
    if not trial.is_seen:
        return "WRONG", ""
    wrong = [f"{said} ({confidence})" for said, confidence in trial.on_the_way if confidence >= SURE]
    if wrong:
        return "WRONG", f"first, and surely: {', '.join(wrong)}"
    if trial.after > SECONDS_MAX:
        return "LATE", ""
    return "ok", "; ".join(f"first {said} ({confidence})" for said, confidence in trial.on_the_way)


def print_row(*cells):
    print(f"{cells[0]:20} {cells[1]:36} {cells[2]:6} {cells[3]:56} {cells[4]:>5} {cells[5]:>7} {cells[6]:>7}  {cells[7]}".rstrip(), flush=True)


def stopped_orders(company):
    """Orders that Filigree says stand still, which none may when all is healed."""
    answer = company.ask("GET", f"http://127.0.0.1:{company.api}/api/v1/journeys?limit=50&state=" + ",".join(STOPPED))[1]
    return [f"{one['value']}: {say(one)}" for one in answer.get("journeys", []) if one.get("state") in STOPPED]


def run_table(company, names, is_right, people):
    faults = read_faults()
    right = wrong = 0
    print_row("what", "expected", "", "filigree where", "sure", "verdict", "healed", "")
    for what in names or faults:
        fault = faults[what]
        expected = f"{fault['state'].split('|')[0]} {fault['kind']}/{fault['code']}"
        try:
            trial = Trial(company, fault, is_right).run()
            company.wait_watched_well()
        except harness.Skip as reason:
            print_row(what, expected, "skip", str(reason), "", "", "", "")
            continue
        except AssertionError as trouble:
            print_row(what, expected, "FAILED", str(trouble), "", "", "", "")
            wrong += 1
            company.script("heal")
            continue
        result, note = judge(trial)
        right += result == "ok"
        wrong += result != "ok"
        print_row(what, expected, result, say(trial.verdict), f"{trial.verdict.get('confidence', 0):.2f}", f"{trial.after:.1f} s",
                  f"{trial.healed:.1f} s", note)
    try:
        harness.wait_until(lambda: not stopped_orders(company), "no order stands still any more", HEALED_SECONDS)
    except AssertionError as trouble:
        wrong += 1
        print(f"{trouble}: {', '.join(stopped_orders(company))}")
    said, stuck = people.end()
    print(f"the orders of the people meanwhile: {said.strip()}")
    print(f"{right} of {right + wrong} are right")
    return 1 if wrong or stuck else 0


def main():
    build, words = sys.argv[1], sys.argv[2:]
    build = os.path.dirname(os.path.abspath(build)) if os.path.isfile(build) else os.path.abspath(build)
    is_watched = "--no-monitors" not in words
    names = [word for word in words if not word.startswith("--")]
    unknown = [word for word in words if word.startswith("--") and word != "--no-monitors"] + [name for name in names if name not in read_faults()]
    if unknown:
        sys.exit(f"table.py: no such option or fault: {', '.join(unknown)}")
    try:
        with Company(build, is_watched=is_watched) as company:
            status = company.carry(company.place(), HEALED_SECONDS)
            assert status == "CLOSED", f"a healthy order stays {status}: {company.trouble}"
            company.wait_watched_well()
            with People(company) as people:
                return run_table(company, names, matches if is_watched else is_allowed, people)
    except harness.Skip as reason:
        print(reason)
        return 77


if __name__ == "__main__":
    sys.exit(main())
