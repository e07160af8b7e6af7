#!/usr/bin/env python3
"""traffic.py: demo/traffic against a company in memory, which fails in ways of its own."""
import collections
import json
import os
import re
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import harness  # noqa: E402
from stand_in import Company  # noqa: E402

TRAFFIC = os.path.join(os.path.dirname(os.path.dirname(HERE)), "demo", "traffic")
FAST = ("--rate", "200", "--think-scale", "0.000001")


def begin(company, *options):
    return subprocess.Popen([sys.executable, "-X", "faulthandler", TRAFFIC, "--json", "--shop", company.shop, "--mes", company.mes, *options], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "no_proxy": "*"})


def run(company, *options):
    """Exit status and summary. One that does not end says where each of its threads is, and what was asked of the company."""
    process = begin(company, *options)
    try:
        out, said = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        said = process.communicate(timeout=20)[1]
        found = collections.Counter(order["status"] for order in company.orders.values())
        raise AssertionError(f"it does not end: {dict(found)}, {len(company.requests)} requests, {company.polls} looks\n{said}") from None
    assert out.strip(), said
    return process.returncode, json.loads(out)


def lives(company):
    """What was asked for each order, in its order: a sorted list, since numbers are given as they come."""
    of = collections.defaultdict(list)
    for api, method, path, body, _ in company.requests:
        found = re.match(r"/orders/(ORD-\d+)", path)
        if found:
            of[found[1]].append((api, method, path.replace(found[1], "…"), len(body) if method == "PUT" else body))
    return sorted(of.values())


def case_closed():
    """each order is closed, or cancelled as planned, and the summary says how many"""
    with Company() as company:
        status, summary = run(company, *FAST, "--orders", "60", "--seed", "7")
        assert status == 0 and summary["placed"] == 60 and summary["stuck"] == 0 == summary["on_their_way"], summary
        assert summary["cancelled"] > 0 and summary["closed"] + summary["cancelled"] == 60, summary
        found = collections.Counter(order["status"] for order in company.orders.values())
        assert found == {"CLOSED": summary["closed"], "CANCELLED": summary["cancelled"]}, found


def case_seed():
    """the same seed gives the same lives, another seed others"""
    found = []
    for seed in ("7", "7", "8"):
        with Company() as company:
            run(company, *FAST, "--orders", "30", "--seed", seed)
            found.append((lives(company), sorted((order["customer"], order["piece"]) for order in company.orders.values())))
    assert found[0] == found[1], "two runs of one seed differ"
    assert found[0] != found[2], "two seeds give the same"


def case_retries():
    """people try again when a service is away, and look whether it was done when an answer is lost"""
    with Company() as company:
        seen = collections.Counter()

        def trouble(_, method, path):
            """The first time each thing is asked it fails, in turn by 503 and by a lost answer."""
            if method == "GET" or path == "/orders":
                return None
            seen[path] += 1
            return (503 if len(seen) % 2 else "lost") if seen[path] == 1 else None
        company.trouble = trouble
        status, summary = run(company, *FAST, "--orders", "5", "--seed", "3")
        assert status == 0 and summary["closed"] + summary["cancelled"] == 5, summary
        assert all(count >= 2 for count in seen.values()), seen


def case_clicks_again():
    """who was told that all is well, and sees that nothing was done, clicks again, and the order goes on"""
    with Company() as company:
        submits = collections.Counter()

        def trouble(api, method, path):
            if not path.endswith("/submit"):
                return None
            submits[path] += 1
            return "skipped" if submits[path] <= 2 else None
        company.trouble = trouble
        status, summary = run(company, *FAST, "--orders", "4", "--seed", "3", "--again", "0.2")
        assert status == 0 and summary["closed"] + summary["cancelled"] == 4, summary
        assert summary["closed"] > 0 and all(count == 3 for count in submits.values()), (summary, submits)


def case_nobody_there():
    """who finds nobody there comes again"""
    ports = [harness.free_port() for _ in range(2)]
    with Company(ports=ports) as company:
        pass
    process = begin(company, *FAST, "--orders", "2", "--seed", "3")
    harness.wait_until(lambda: "placed" in process.stderr.readline(), "it says how it goes", 60)
    with Company(ports=ports) as company:
        out, said = process.communicate(timeout=120)
        assert process.returncode == 0 and json.loads(out)["closed"] + json.loads(out)["cancelled"] == 2, (out, said)


def case_stuck():
    """orders that go no further are stuck, with where and why, and the exit status says so"""
    with Company() as company:
        company.prices = False
        status, summary = run(company, *FAST, "--orders", "6", "--seed", "3", "--patience", "2")
        assert status == 1 and summary["stuck"] > 0 and summary["stuck"] + summary["cancelled"] == 6, summary
        assert list(summary["stuck_where"]) == ["after submit: SHOP API shows SUBMITTED, not PRICE_CALCULATED"], summary
        assert all(re.fullmatch(r"ORD-\d{6}", one["order"]) for one in summary["stuck_orders"]), summary
    with Company() as company:
        company.trouble = lambda api, method, path: 503 if (api, method) == ("MES", "POST") else None
        status, summary = run(company, *FAST, "--orders", "3", "--seed", "3", "--patience", "2")
        assert status == 1 and "start: MES API answers 503 told to fail" in summary["stuck_where"], summary


def case_stopped():
    """without an end it goes on until it is stopped, and sums up"""
    with Company() as company:
        process = begin(company, *FAST, "--orders", "0", "--alive-max", "20")  # a slow machine gets through with so many
        # Of more orders than may be on their way, and were not cancelled, traffic itself has seen one closed.
        harness.wait_until(lambda: sum(order["status"] != "CANCELLED" for order in list(company.orders.values())) > 20, "an order is closed", 60)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        summary = json.loads(out)
        assert process.returncode == 130 and summary["closed"] > 0 and summary["placed"] == len(company.orders), summary


def case_options():
    """wrong options are refused with a sentence"""
    for options in (["--rate", "0"], ["--orders", "-1"], ["--think-scale", "x"], ["--shop", "127.0.0.1:1"]):
        done = subprocess.run([sys.executable, TRAFFIC, "--shop", "http://127.0.0.1:1", "--mes", "http://127.0.0.1:1", *options], capture_output=True, text=True, check=False)
        assert done.returncode == 2 and options[0] in done.stderr, done


if __name__ == "__main__":
    sys.exit(harness.main(globals()))
