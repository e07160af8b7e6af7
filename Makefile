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
.PHONY: help demo demo-tls demo-tls-test demo-down demo-faults demo-trouble try run build test test-quick check asan tsan fuzz bench bench-ui bench-sdk crash-sdk soak soak-trace healthy install clean setup-build setup-test setup-demo program company monitor-faults pictures

help: ## what can be asked
	@echo 'Filigree takes OpenTelemetry traces, keeps them, and says where an order is.'
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo 'Variables: DATA=./data (run), JOBS=N, PREFIX=/usr/local and DESTDIR= (install), FUZZ_SECONDS=60 a target (fuzz),'
	@echo '           BENCH="--duration 600s --connections 100" (bench: its options), SDKS="python go" (test: only these SDKs)'

demo: setup-demo company ## the example company on real servers, traced: starts, breaks, heals, and runs on
	@demo/show

demo-tls: setup-demo company ## the same with every hop over TLS
	@demo/show --tls

demo-tls-test: setup-demo company ## what `make demo-tls` promises: no hop in plain text, and orders go on as without
	@python3 tests/demo/tls.py build/filigree

demo-down: ## stop what `make demo` started
	@demo/down

demo-faults: setup-demo company ## break the company in every place and way; a table of what Filigree says
	@python3 tests/demo/table.py build/filigree $(FAULTS)

demo-trouble: setup-demo company ## what `make demo` says where it can't start, and Ctrl-C at each stage: nothing is left running
	@python3 tests/demo/trouble.py build/filigree

try: program ## a recording of the example company, replayed as if it ran now: none of its servers is needed
	@demo/try

run: program ## set up, build, and start the server on ./data
	@exec build/filigree serve --data $(DATA)

build: setup-build build/build.ninja ## set up and build; the binary is build/filigree
	@$(call NINJA,build,)

test: setup-test build ## every test; the last line is `N passed, N failed`
	@tools/setup 'sdk?' 'servers?' 'browser?'
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

pictures: build ## pictures of every page into doc/pictures, from the recording of the example company
	@tools/setup browser
	@python3 tests/browser/pictures.py build/filigree

bench-sdk: setup-build build/build.ninja ## measure what libfiligree costs its program
	@$(call NINJA,build,tests/bench/bench_sdk tests/bench/bench_service)
	@python3 tests/bench/bench_sdk.py build/tests/bench/bench_sdk build/tests/bench/bench_service build $(BENCH)

# The server is always the one in build; only the traced programs and their library are sanitized. A report ends its program at
# once, with a status that no kill has; the faults are the program's own, not the sanitizer's.
SDK_BUILD = $(if $(SANITIZE),build-sdk-$(SANITIZE),build)
SDK_PROGRAMS = $(SDK_BUILD)/tests/sdk/sdk_driver $(SDK_BUILD)/tests/sdk/sdk_example $(SDK_BUILD)/tests/sdk/sdk_unload $(SDK_BUILD)/sdk/libfiligree.so
crash-sdk: setup-test build ## kill traced programs 2000 times (KILLS=N) and look for what is lost; SANITIZE=address or thread: under it
	@[ -e $(SDK_BUILD)/build.ninja ] || meson setup $(SDK_BUILD) $(SANITIZED) -Db_sanitize=$(SANITIZE)
	@$(call NINJA,$(SDK_BUILD),tests/sdk/sdk_driver tests/sdk/sdk_example tests/sdk/sdk_unload)
	@export KILLS=$${KILLS:-2000} SOURCE=$(CURDIR) ASAN_OPTIONS=handle_segv=0:handle_abort=0:handle_sigill=0:exitcode=66 \
	  TSAN_OPTIONS=handle_segv=0:handle_abort=0:halt_on_error=1:exitcode=66; \
	  python3 tests/sdk/sdk.py build/filigree $(SDK_PROGRAMS) killed && python3 tests/sdk/bad_input.py build/filigree $(SDK_PROGRAMS)

bench: build ## measure the numbers to reach
	@build/filigree bench $(BENCH)

healthy: build ## 10 000 orders that go well, Filigree and each service restarted meanwhile: no alarm
	@python3 tests/e2e/healthy.py build/filigree $(HEALTHY)

monitor-faults: setup-test build ## break real servers in each way that monitors must see; prints fault, expected, seen, seconds
	@tools/setup 'servers?'
	@FAULTS=all python3 tests/monitors/faults.py build/filigree

soak: build ## SOAK=1h of steady load, then what was acknowledged is looked up
	@build/filigree bench --duration $(SOAK) --rate 50000 $(BENCH)

soak-trace: build ## one trace of SPANS=1000000, read by every route and searched, beside small ones
	@SPANS=$${SPANS:-1000000} python3 tests/e2e/large.py build/filigree

install: build ## install under DESTDIR/PREFIX
	@meson configure build -Dprefix=$(PREFIX)
	@meson install -C build --quiet $(if $(DESTDIR),--destdir $(abspath $(DESTDIR)))

clean: ## remove what was built; ./data stays
	rm -rf build build-asan build-tsan build-fuzz build-sdk-*

setup-build:
	@tools/setup build 'ui?' 'wrap?'

# What is run takes half as long to compile as all: tests are left to `build`.
program: setup-build build/build.ninja
	@$(call NINJA,build,filigree)

# Its libraries may have come after Meson had looked for them.
company: setup-build build/build.ninja
	@grep -q '^build demo/demo-shop-api:' build/build.ninja || meson setup --reconfigure build
	@$(call NINJA,build,filigree demo/demo-shop-api demo/demo-mes-api demo/demo-packing)

setup-demo: setup-build
	@tools/setup wrap servers ui test 'browser?'

setup-test: setup-build
	@tools/setup test

build/build.ninja:
	meson setup build --prefix=$(PREFIX)
