#!/usr/bin/env python3
"""stages.py BUILD: the company as a small team introduces Filigree to it: demo/up --stage 1, 2 and 3 one after the other, on the same data.

Stage 4 is what all other tests run on.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from company import Company, harness  # noqa: E402
from trial import HEALED_SECONDS, STOPPED  # noqa: E402

BUILD = os.path.dirname(os.path.abspath(sys.argv[1])) if os.path.isfile(sys.argv[1]) else os.path.abspath(sys.argv[1])
TRACED = {1: set(), 2: {"shop-api"}, 3: {"shop-api", "mes-api", "crm-api"}}
WATCHED = {"shop-api", "crm-api", "mes-api", "packing", "shop-db", "shop-db-replica", "mes-db", "mes-db-replica", "rabbit", "s3"}


class Staged:
    """The one company of all cases."""
    company = None

    @classmethod
    def at(cls, stage):
        """Started at this stage, with an order carried through it."""
        if cls.company:
            cls.company.must("down")
        cls.company = cls.company or Company(BUILD)
        cls.company.stage = stage
        cls.company.start().wait_watched_well()
        order = cls.company.place()
        status = cls.company.carry(order, HEALED_SECONDS)
        assert status == "CLOSED", f"{order} stays {status}: {cls.company.trouble.get(order)}"
        return cls.company, order


def get(company, path):
    return company.ask("GET", f"http://127.0.0.1:{company.api}/api/v1/{path}")[1]


def services(company):
    """Those that have sent spans; what monitors have found are spans too."""
    return {one["service"] for one in get(company, "services")["services"]} - {"filigree-monitor"}


def check(stage):
    company, order = Staged.at(stage)
    try:
        harness.wait_until(lambda: services(company) == TRACED[stage], "")
    except AssertionError:
        raise AssertionError(f"stage {stage} has spans of {sorted(services(company))}, not of {sorted(TRACED[stage])}") from None
    assert {one["name"] for one in get(company, "monitors")["monitors"]} == WATCHED
    stopped = get(company, "journeys?limit=50&state=" + ",".join(STOPPED)).get("journeys", [])
    assert not stopped, f"who is not traced yet was taken for a fault: {stopped}"
    return company, order


def case_1():
    """at stage 1 nothing sends a span, and each part is watched"""
    company, order = check(1)
    assert company.where(order).get("state", "unknown") == "unknown", company.where(order)


def case_2():
    """at stage 2 the SHOP API alone is traced: where an order is it tells by itself, and the others are no fault"""
    company, order = check(2)
    harness.wait_until(lambda: company.where(order).get("state") == "done", f"{order} is done", 60)


def case_3():
    """at stage 3 the MES API and the CRM API are traced too, the pages not yet"""
    company, order = check(3)
    harness.wait_until(lambda: company.where(order).get("state") == "done", f"{order} is done", 60)
    assert not company.ask("GET", f"{company.shop}/config.json")[1].get("otlp_endpoint"), "the pages are told where to send spans"


if __name__ == "__main__":
    try:
        STATUS = harness.main(globals(), sys.argv[2:])
    finally:
        if Staged.company:
            Staged.company.__exit__()
    sys.exit(STATUS)
