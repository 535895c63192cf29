# Everything a person or CI runs. `make` alone lists it.

# One profile for tests, demo and bench, which share what is compiled; `make deb` has its own.
CARGO := cargo
BUILD := $(CARGO) build --release --workspace
BIN   := $(or $(CARGO_TARGET_DIR),target)/release
# The supervisors' page and headquarters'; what they share is in common/ui.
UIS   := edge/ui central/ui
PYTHON := target/python
# As .ci/setup leaves it.
PROMTOOL := $(or $(shell command -v promtool),$(abspath target/promtool))
# The browser of the page's tests; any recent chromium will do.
CHROMIUM ?= $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)
# Most tests wait for something (a heartbeat, a retry) most of the time.
TEST_THREADS := 4
# Random inputs per property when fuzzing.
FUZZ_CASES := 200000

.DEFAULT_GOAL := help
.PHONY: help setup ui build demo stack test test-ui test-api test-consumer test-monitoring test-units test-deb deb openapi screenshots faults bench fuzz clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what is missing (redis-server, postgresql, nodejs, npm, chromium, a C compiler)
	@.ci/setup

# make's own dates decide whether anything is done. `npm ci` is asked again only when the lock changes.
NPM_CI := npm ci --no-audit --no-fund --no-update-notifier --loglevel=error
%/node_modules/.package-lock.json: %/package-lock.json
	@cd $* && $(NPM_CI) >&2
	@touch $@

%/dist/index.html: %/node_modules/.package-lock.json %/build.mjs $(shell find common/ui $(UIS:=/src) -type f)
	@cd $* && node build.mjs

ui: $(UIS:=/dist/index.html) ## Build both pages, which the binaries then embed

build: ui ## Build both binaries
	$(BUILD)

demo: setup ui ## The whole system with simulated cameras [WAN_OUTAGE=30s RATE=100 DURATION=1m]
	@$(BUILD)
	@exec $(BIN)/demo $(ARGS)

stack: setup ui ## The whole system for tests in any language; prints one JSON line [EDGES=1 CENTRALS=1]
	@$(BUILD)
	@exec $(BIN)/stack $(ARGS)

test: setup ui ## All that CI runs
	$(CARGO) fmt --all --check
	$(CARGO) clippy --release --workspace --all-targets --quiet -- -D warnings
	RUSTDOCFLAGS='-D warnings -A rustdoc::private-intra-doc-links' $(CARGO) doc --release --workspace --no-deps --document-private-items --quiet
	@if $(CARGO) deny --version >/dev/null 2>&1; then \
		$(CARGO) deny check bans licenses sources; \
	else \
		echo 'Skipped: cargo-deny is not installed (cargo install cargo-deny), so licences were not checked.'; \
	fi
	$(BUILD)
	RUST_TEST_THREADS=$(TEST_THREADS) $(CARGO) test --release --workspace
	@$(MAKE) --no-print-directory test-units test-ui test-api test-consumer test-monitoring

test-ui: ui tests/ui/node_modules/.package-lock.json ## The pages: types, pure parts, and in a browser against a real edge and headquarters
	@for ui in $(UIS); do (cd $$ui && node_modules/.bin/tsc --noEmit && npm test --silent) || exit 1; done
	$(BUILD)
	cd tests/ui && BIN=$(abspath $(BIN)) CHROMIUM=$(CHROMIUM) npm test --silent

# Tests in Python have packages of their own, which go with `make clean`.
$(PYTHON)/.ready: tests/requirements.txt
	@python3 -m venv $(PYTHON) && $(PYTHON)/bin/pip install -q --disable-pip-version-check -r $< >&2
	@touch $@

test-api: ui $(PYTHON)/.ready ## Both binaries against their own OpenAPI documents, with made-up requests [ARGS='--seed N']
	$(BUILD)
	$(PYTHON)/bin/python tests/api/run.py $(BIN)/stack $(ARGS)

test-consumer: ui $(PYTHON)/.ready ## The example consumer of the consolidated stream
	$(BUILD)
	$(PYTHON)/bin/python tests/consumer/check.py $(BIN)/stack

test-monitoring: ui $(PYTHON)/.ready ## Alert rules and dashboards against the metrics that there are
	$(BUILD)
	$(PYTHON)/bin/python tests/monitoring/check.py $(PROMTOOL) $(BIN)/stack

# Neither this machine's paths nor its time are in what is shipped, so that one commit may give the same bytes wherever it is built.
# Rust and C are told of the paths each in its own way. Its own flags make cargo keep it beside what the other targets build.
CARGO_HOME_DIR := $(or $(CARGO_HOME),$(HOME)/.cargo)
TARGET_DIR := $(abspath $(or $(CARGO_TARGET_DIR),target))
REMAPPED = $(foreach path,$(CURDIR)=/smartpick $(TARGET_DIR)=/smartpick/target $(CARGO_HOME_DIR)=/cargo,$1=$(path))
deb: export RUSTFLAGS := $(call REMAPPED,--remap-path-prefix)
deb: export CFLAGS := $(call REMAPPED,-ffile-prefix-map)
deb: setup ui ## Both .deb packages, in target/deb
	$(CARGO) build --profile dist --locked --package edge --package central
	@CARGO='$(CARGO)' packaging/deb/build
	@packaging/deb/check

test-deb: ## The packages of `make deb` in a booted Debian; needs root, debootstrap and systemd-container
	@python3 -B tests/deb/run.py target/deb

test-units: ## The systemd units: sound, and hardly exposed
	@tests/units/check

openapi: ui ## Write packaging/openapi-*.json anew, after a change of the API
	SMARTPICK_WRITE_OPENAPI=1 $(CARGO) test --release --workspace --lib --quiet -- the_committed_document

screenshots: ui tests/ui/node_modules/.package-lock.json ## Pictures of the pages' main states, in target/screenshots
	$(BUILD)
	cd tests/ui && BIN=$(abspath $(BIN)) CHROMIUM=$(CHROMIUM) node screenshots.mjs $(abspath target/screenshots)

faults: setup ui ## The long fault and load runs
	$(BUILD)
	SMARTPICK_LONG=1 RUST_TEST_THREADS=2 $(CARGO) test --release -p tests --test system

bench: setup ui ## Measure speed beside the limits of this machine; prints a table, writes JSON
	$(BUILD)
	@exec $(BIN)/bench $(ARGS)

fuzz: ## Throw many random inputs at every decoder of foreign bytes [FUZZ_CASES=200000]
	PROPTEST_CASES=$(FUZZ_CASES) $(CARGO) test --release --lib -p common -p edge -- foreign_ any_flipped any_values a_cut_

clean: ## Remove what was built
	$(CARGO) clean
	rm -rf $(UIS:=/dist) $(UIS:=/test-dist) $(UIS:=/node_modules) tests/ui/node_modules
