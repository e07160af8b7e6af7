#!/usr/bin/env python3
"""bench_sdk.py BENCH_SDK BENCH_SERVICE BUILD [--check]: `make bench-sdk`.

What a span costs with libfiligree, beside it with the stock OpenTelemetry SDK for Go, and what tracing costs a small service. The
Go program is built under BUILD from modules in locked versions; without Go or the modules it is left out by name. With --check a
row above its floor is a failure.
"""
import hashlib
import os
import platform
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def build_stock(build):
    """The Go program; None with a word why not."""
    if not shutil.which("go"):
        return None, "go is not installed"
    source = os.path.join(HERE, "otel_go")
    state = hashlib.sha256()
    for name in sorted(os.listdir(source)):
        with open(os.path.join(source, name), "rb") as file:
            state.update(file.read())
    folder = os.path.join(build, "bench", f"otel_go-{state.hexdigest()[:16]}")
    program = os.path.join(folder, "otel_go")
    if not os.path.exists(program):
        shutil.copytree(source, folder, dirs_exist_ok=True)
        try:
            done = subprocess.run(["go", "build", "-o", "otel_go", "."], cwd=folder, capture_output=True, text=True, timeout=600, check=False)
        except subprocess.TimeoutExpired:
            return None, "its modules did not come within ten minutes"
        if done.returncode != 0:
            return None, (done.stderr.strip().splitlines() or ["no word"])[-1]
    return program, ""


def processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


def main():
    bench, service, build = sys.argv[1:4]
    options = sys.argv[4:]
    stock, why = build_stock(build)
    print(f"{os.cpu_count()} x {processor()}, Linux {platform.release()}; load {os.getloadavg()[0]:.1f}")
    sys.stdout.flush()
    status = subprocess.run([bench, *options, *(["--stock", stock] if stock else [])], check=False).returncode
    if not stock:
        print(f"the stock SDK for Go is left out: {why}")
    print(flush=True)
    return status or subprocess.run([service, *options], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
