# Filigree's front door. `make help` lists what can be asked; Meson and Ninja do the work.
#
# Each goal first sets up what it needs (tools/setup, done once) and builds. JOBS=2 bounds the compiler runs.

SHELL := /bin/bash
MAKEFLAGS += --no-print-directory
JOBS ?= $(shell nproc)
DATA ?= ./data
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
SOAK ?= 1h

NINJA = ninja -C $(1) -j $(JOBS) $(2)
SANITIZED = --buildtype=debugoptimized -Db_lundef=false -Djemalloc=false

.DEFAULT_GOAL := help
.PHONY: help run build test test-quick check asan tsan fuzz bench bench-ui bench-sdk crash-sdk soak soak-trace install clean setup-build setup-test

help: ## what can be asked
	@echo 'Filigree takes OpenTelemetry traces, keeps them, and says where an order is.'
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo 'Variables: DATA=./data (run), JOBS=N, PREFIX=/usr/local and DESTDIR= (install), FUZZ_SECONDS=60 a target (fuzz),'
	@echo '           BENCH="--duration 600s --connections 100" (bench: its options), SDKS="python go" (test: only these SDKs)'

run: build ## set up, build, and start the server on ./data
	@exec build/filigree serve --data $(DATA)

build: setup-build build/build.ninja ## set up and build; the binary is build/filigree
	@$(call NINJA,build,)

test: setup-test build ## every test; the last line is `N passed, N failed`
	@tools/setup 'sdk?' 'servers?'
	@tools/run-tests build

test-quick: setup-build build ## unit tests and fuzz corpora: under a minute
	@tools/run-tests build --suite unit --suite fuzz

check: build ## format, clang-tidy, cppcheck, includes, scripts
	@tools/setup check
	@tools/check

asan: setup-test ## build with AddressSanitizer and UBSan into build-asan, and test
	@[ -e build-asan/build.ninja ] || meson setup build-asan $(SANITIZED) -Darena_malloc=true -Db_sanitize=address,undefined
	@$(call NINJA,build-asan,)
	@tools/run-tests build-asan --suite unit --suite fuzz --suite sim

tsan: setup-test ## build with ThreadSanitizer into build-tsan, and test
	@[ -e build-tsan/build.ninja ] || meson setup build-tsan $(SANITIZED) -Db_sanitize=thread
	@$(call NINJA,build-tsan,)
	@tools/run-tests build-tsan --suite unit

fuzz: setup-build ## each fuzz target for FUZZ_SECONDS, with libFuzzer, in build-fuzz
	@tools/setup fuzz
	@[ -e build-fuzz/build.ninja ] || CC=clang-14 meson setup build-fuzz $(SANITIZED) -Dfuzzing=true -Db_sanitize=address,undefined
	@$(call NINJA,build-fuzz,fuzz-targets)
	@tools/fuzz build-fuzz $(FUZZ_SECONDS)

bench-ui: build ## measure the pages in Chromium: first picture, a trace of 100 000 spans, frames
	@tools/setup browser
	@python3 tests/browser/bench.py build/filigree $(BENCH)

bench-sdk: setup-build build/build.ninja ## measure what libfiligree costs its program
	@$(call NINJA,build,tests/bench/bench_sdk tests/bench/bench_service)
	@python3 tests/bench/bench_sdk.py build/tests/bench/bench_sdk build/tests/bench/bench_service build $(BENCH)

crash-sdk: setup-test build ## kill traced programs 2000 times (KILLS=N) and look for what is lost
	@KILLS=$${KILLS:-2000} SOURCE=$(CURDIR) python3 tests/sdk/sdk.py build/filigree build/tests/sdk/sdk_driver build/tests/sdk/sdk_example \
	  build/tests/sdk/sdk_unload build/sdk/libfiligree.so killed

bench: build ## measure the numbers to reach
	@build/filigree bench $(BENCH)

soak: build ## SOAK=1h of steady load, then what was acknowledged is looked up
	@build/filigree bench --duration $(SOAK) --rate 50000 $(BENCH)

soak-trace: build ## one trace of SPANS=1000000, read by every route and searched, beside small ones
	@SPANS=$${SPANS:-1000000} python3 tests/e2e/large.py build/filigree

install: build ## install under DESTDIR/PREFIX
	@meson configure build -Dprefix=$(PREFIX)
	@meson install -C build --quiet $(if $(DESTDIR),--destdir $(abspath $(DESTDIR)))

clean: ## remove what was built; ./data stays
	rm -rf build build-asan build-tsan build-fuzz

setup-build:
	@tools/setup build 'ui?' 'wrap?'

setup-test: setup-build
	@tools/setup test

build/build.ninja:
	meson setup build --prefix=$(PREFIX)
