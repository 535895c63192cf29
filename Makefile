# Everything a person or CI runs. `make` alone lists it.

# One profile for all: tests, demo and bench share what is compiled.
CARGO := cargo
BUILD := $(CARGO) build --release --workspace
BIN   := $(or $(CARGO_TARGET_DIR),target)/release
# Most tests wait for something (a heartbeat, a retry) most of the time.
TEST_THREADS := 4
# Random inputs per property when fuzzing.
FUZZ_CASES := 200000

.DEFAULT_GOAL := help
.PHONY: help setup build demo stack test faults bench fuzz clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what is missing (redis-server, postgresql, a C compiler)
	@.ci/setup

build: ## Build both binaries
	$(BUILD)

demo: setup ## The whole system with simulated cameras [WAN_OUTAGE=30s RATE=100 DURATION=1m]
	@$(BUILD)
	@exec $(BIN)/demo $(ARGS)

stack: setup ## The whole system for tests in any language; prints one JSON line [EDGES=1 CENTRALS=1]
	@$(BUILD)
	@exec $(BIN)/stack $(ARGS)

test: setup ## All that CI runs
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

faults: setup ## The long fault and load runs
	$(BUILD)
	SMARTPICK_LONG=1 RUST_TEST_THREADS=2 $(CARGO) test --release -p tests --test system

bench: setup ## Measure speed beside the limits of this machine; prints a table, writes JSON
	$(BUILD)
	@exec $(BIN)/bench $(ARGS)

fuzz: ## Throw many random inputs at every decoder of foreign bytes [FUZZ_CASES=200000]
	PROPTEST_CASES=$(FUZZ_CASES) $(CARGO) test --release --lib -p common -p edge -- foreign_ any_flipped any_values a_cut_

clean: ## Remove what was built
	$(CARGO) clean
