#!/usr/bin/env python3
"""pictures.py FILIGREE [FOLDER] [--only NAME]...: what `make pictures` does: pictures of every page, 1440 and 390 px wide, light and dark, into
doc/pictures, as WebP. They show the recording of the example company (demo/recording) in the middle of a fault: it is replayed as
if that moment were now, so that the same command makes the same pages again.
"""
import argparse
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from harness import Server, wait_until  # noqa: E402
import stage  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NOW_S = 335  # of the recording: the object store is full, and orders hang behind a lock
TOTAL_BYTES_MAX = 3_000_000


def first_start(line):
    return min(int(span["startTimeUnixNano"]) for resource in json.loads(line)["resourceSpans"] for scope in resource["scopeSpans"] for span in scope["spans"])


def recording():
    """Its lines up to the moment that is now."""
    text = subprocess.run(["zstd", "-dc", os.path.join(ROOT, "demo", "recording", "company.jsonl.zst")], capture_output=True, check=True).stdout
    lines = text.splitlines(keepends=True)
    begin = first_start(lines[0])
    return b"".join(line for line in lines if first_start(line) - begin < NOW_S * 10**9)


def replay(server):
    done = subprocess.run([server.binary, "import", "-", "--replay", f"{NOW_S}s", "--server", f"http://127.0.0.1:{server.http}"], input=recording(),
                          capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def first(server, path, of):
    """The first of the list at path, once there is one."""
    return wait_until(lambda: json.loads(server.get(path)[1])[of], f"{path} names one", 60)[0]


def pages(server):
    """(name, address, what it says when it is there, what is done before)."""
    incident = first(server, "/api/v1/incidents?state=open", "incidents")
    order = next(one for state in ("broken", "stuck", "late") for one in json.loads(server.get(f"/api/v1/journeys?state={state}&limit=1")[1])["journeys"])
    trace = first(server, "/api/v1/traces?limit=1&q=status:error%20trace.spans%3E12", "traces")
    alike = first(server, "/api/v1/traces?limit=1&q=trace.spans%3E25%20trace.errors%3D0", "traces")
    others = json.loads(server.get("/api/v1/traces?limit=2&q=trace.spans%3E25%20trace.errors%3D0")[1])["traces"]
    return [
        ("front", "/", "Wrong right now"),
        ("board", "/board", "By step and state"),
        ("order", f"/order/{order['key']}/{order['value']}", "Why we say so"),
        ("incidents", "/incidents", "Open now"),
        ("incident", f"/incidents/{incident['id']}", "Timeline"),
        ("flows", "/flows", "The way that orders take"),
        ("scorecard", "/scorecard?days=1", "Time to resolve"),
        ("search", "/search?range=15m&chart=heat", "newest first"),
        ("search-builder", "/search?range=15m&chart=dots&build=1&q=service%3Ames-api%20status%3Aerror", "newest first"),
        ("trace", f"/trace/{trace['trace_id']}", "First cause"),
        ("trace-flame", f"/trace/{alike['trace_id']}?view=flame", "total"),
        ("trace-compare", f"/trace/{others[0]['trace_id']}?view=compare&with={others[-1]['trace_id']}", "Ways only in the other"),
        ("services", "/services?range=15m", "All services"),
        ("service", "/services/mes-api?range=15m", "Operations"),
        ("components", "/components", "Worth doing next"),
        ("store", "/store", "Work in the background"),
    ]


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("binary")
    options.add_argument("folder", nargs="?", default=os.path.join(ROOT, "doc", "pictures"))
    options.add_argument("--only", action="append", help="the name of a page")
    given = options.parse_args()
    stage.PICTURES, stage.FORMAT = given.folder, "webp"
    with Server(binary=given.binary, options=["--flows", os.path.join(ROOT, "demo", "flow.yaml")]) as server:
        shown = stage.Stage(server.start(), lambda: replay(server))
        try:
            shown.browser()
            for name, address, ready in pages(server):
                if not given.only or name in given.only:
                    shown.pictures(name, address, ready)
                    print(name, flush=True)
        finally:
            shown.close()
    total = sum(os.path.getsize(os.path.join(given.folder, one)) for one in os.listdir(given.folder))
    print(f"{total} bytes in {given.folder}")
    return 0 if total <= TOTAL_BYTES_MAX else 1


if __name__ == "__main__":
    sys.exit(main())
