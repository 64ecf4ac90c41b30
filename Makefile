# `make help` lists the targets. CMake's presets do the work; this file gives the common walks short names and installs
# what they need first (tools/packages.txt says what and why).

JOBS ?= $(shell nproc 2>/dev/null || echo 2)
SECONDS ?= 60
PROMPT ?= Once upon a time
export JOBS

.PHONY: build demo serve deb test test-clients test-page test-dashboard reliability serve-speed bench bench-growth bench-start bench-peers lint asan asan-unit tsan fuzz clean help
.DEFAULT_GOAL := build

build: ## leave the program in build/orrery
	@tools/build.sh release orrery

demo: build ## install what is missing, build, generate text from the embedded model
	@echo "== build/orrery run demo -p '$(PROMPT)' --temperature 0.7 --top-k 40 --seed 1"
	@build/orrery run demo -p '$(PROMPT)' --max-tokens 256 --temperature 0.7 --top-k 40 --seed 1
	@echo "== make serve opens it to clients, with a page that shows it at work"

# A small engine, so that a page full of requests comes to its limits.
serve: build ## OpenAI-compatible server and live page at http://127.0.0.1:8000
	@build/orrery serve demo --num-kv-blocks 256 --max-num-seqs 32 --max-num-batched-tokens 64

deb: build ## a Debian package of the program, its manual, completions and service in build/
	@tools/setup.sh package
	@cpack --config build/CPackConfig.cmake

test: ## install what is missing, build, run the whole test suite
	@tools/build.sh release
	@tools/run_tests.sh build

test-clients: build ## the server with real clients: openai SDK, LangChain, curl, lm-eval's requests (needs PyPI)
	@tests/server/clients/run.sh build/orrery

test-page: build ## the live page in a headless Chromium (needs the package chromium)
	@python3 tests/browser/live_page_test.py build/orrery

test-dashboard: build ## the Grafana dashboard against a real Prometheus (needs the package prometheus)
	@tests/server/dashboard.py build/orrery

reliability: build ## 10,000 connections, 2,000 streams, signals, kills, memory over time; LONG=1: 1,000 signals, 100 kills, an hour
	@tests/server/reliability.py build/orrery $(if $(LONG),--sigterms 1000 --kills 100 --soak 3600)

serve-speed: build ## the server beside the engine alone, its intake of prompts, what a viewer of the page costs
	@tests/server/speed.py build/orrery
	@python3 tests/browser/live_page_cost.py build/orrery viewers

bench: build ## prefill and decode speed beside this machine's limits
	@build/orrery bench latency

bench-growth: build ## how speed goes with batch, context, prompt, threads and model (a quarter of an hour)
	@bench/growth/growth.py

bench-start: build ## second start: time to the first token and peak memory (START="--tokenizer FILE", Llama 3's ranks)
	@python3 bench/start/start.py $(START)

bench-peers: build ## speed, servers and perplexity beside llama.cpp (bench/peers/README.md says what it needs)
	@bench/peers/compare.py $(PEERS)

lint: ## format, static analysis, layers
	@LINT_SINCE='$(LINT_SINCE)' tools/lint.sh

asan: ## the test suite under AddressSanitizer and UndefinedBehaviorSanitizer
	@tools/build.sh asan
	@tools/run_tests.sh build/asan

asan-unit: ## the same for the unit tests of the rooms alone
	@tools/build.sh asan unit_tests
	@tools/run_tests.sh build/asan -E '_NOT_BUILT$$'

tsan: ## what runs on several threads (pool, loader of tokenizers, engine, service, server, live page), under ThreadSanitizer
	@tools/build.sh tsan base_test tokenizer_test engine_test engine_model_test service_test http_test live_test
	@tools/run_tests.sh build/tsan -E '_NOT_BUILT$$'

fuzz: ## every fuzz target for SECONDS=60
	@tools/build.sh fuzz
	@tools/fuzz.sh $(SECONDS)

clean: ## remove build/
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 22
