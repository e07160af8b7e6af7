#!/usr/bin/env python3
"""bench_sdk.py BENCH_SDK BENCH_SERVICE BUILD [--check] [--paste]: `make bench-sdk`.

What a span costs with libfiligree, beside it with the stock OpenTelemetry SDK for Go, and what tracing costs a small service. The
Go program is built under BUILD from modules in locked versions; without Go or the modules it is left out by name. With --check a
row above its floor is a failure; with --paste the table comes as doc/sdk.md has it.
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
            done = subprocess.run(["go", "build", "-buildvcs=false", "-o", "otel_go", "."], cwd=folder, capture_output=True, text=True, timeout=600, check=False)
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


def run(command, indent):
    """Its exit status; what it prints comes line by line."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            print(f"{indent}{line}".rstrip(), flush=True)
    return process.returncode


def main():
    bench, service, build = sys.argv[1:4]
    options = [option for option in sys.argv[4:] if option != "--paste"]
    indent = "    " if "--paste" in sys.argv else ""
    stock, why = build_stock(build)
    print(f"{indent}{os.cpu_count()} x {processor()}, Linux {platform.release()}; load {os.getloadavg()[0]:.1f}", flush=True)
    status = run([bench, *options, *(["--stock", stock] if stock else [])], indent)
    if not stock:
        print(f"{indent}the stock SDK for Go is left out: {why}")
    print(flush=True)
    return status or run([service, *options], indent)


if __name__ == "__main__":
    sys.exit(main())
