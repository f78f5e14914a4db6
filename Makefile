# Bearing's commands; `make` alone lists them. Everything lands in .venv and .bearing, both ignored by git.
.DEFAULT_GOAL := help
SHELL := /bin/sh
.SUFFIXES:
# Python does not find itself when the environment is empty.
export PATH := $(or $(PATH),/usr/local/bin:/usr/bin:/bin)
.DELETE_ON_ERROR:

PORT ?=
ONCE ?=
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet
EMBEDDED := $(BIN)/python -m registry.embedded
# A step is done when its stamp carries the checksum of what it was made from.
RUNTIME := $(VENV)/.runtime-$(shell cat requirements.txt constraints.txt pyproject.toml | cksum | cut -d' ' -f1)
TOOLS := $(VENV)/.tools-$(shell cat requirements.txt requirements-dev.txt constraints.txt pyproject.toml | cksum | cut -d' ' -f1)

.PHONY: help
help:  ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' Makefile

.PHONY: install
install: $(RUNTIME) $(TOOLS)  ## set up .venv with everything, the `bearing` command in it
	@echo "ready: $(BIN)/bearing --help, make demo"

.PHONY: demo
demo: $(RUNTIME)  ## the main job, as a user does it, then serve; ONCE=1 ends instead and writes demo-result.json
	@$(EMBEDDED) demo $(if $(ONCE),--once) $(if $(PORT),--port $(PORT))

.PHONY: serve
serve: $(RUNTIME)  ## web and one worker on the data of `make demo`; PORT=8000
	@$(EMBEDDED) serve $(if $(PORT),--port $(PORT))

.PHONY: test
test: $(RUNTIME) $(TOOLS)  ## all tests on real servers; ARGS="tests/registry/runs -k lease" runs some
	@$(BIN)/python tests/chromium.py
	@# Three processes keep two cores busy, for many tests wait for a server. What is compiled is kept, also where the
	@# environment says not to: each of some fifty processes would compile it anew.
	@PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist worksteal $(ARGS)

.PHONY: fuzz
fuzz: $(RUNTIME) $(TOOLS)  ## ask every operation of the OpenAPI document 300 times and more, about 20 minutes; FUZZ_EXAMPLES=1000
	@FUZZ_EXAMPLES=$(or $(FUZZ_EXAMPLES),300) OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/api/test_schemathesis.py -n 2 --timeout 3600 $(ARGS)

.PHONY: test-engines
test-engines: $(RUNTIME) $(TOOLS)  ## vectors in llama.cpp, repeng and steering-vectors: 5 minutes, and 15 to install them the first time
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/engines --timeout 3600 $(ARGS)

.PHONY: test-hub
test-hub: $(RUNTIME) $(TOOLS)  ## huggingface_hub 2.x and 0.x against the whole service, a minute
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/hub $(ARGS)

.PHONY: screenshots
screenshots: $(RUNTIME) $(TOOLS)  ## pictures of every page into docs/screenshots/, minutes; ARGS="--data .bearing/shots --only vector"
	@$(BIN)/python tests/chromium.py
	@PYTHONPATH=. $(BIN)/python tests/screenshots.py $(ARGS)

.PHONY: check
check: lint types contracts service-check openapi-check deploy-check  ## lint, types, contracts, migrations, settings, OpenAPI, containers

.PHONY: lint
lint: $(TOOLS)
	@echo "lint: ruff"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .

.PHONY: types
types: $(TOOLS)
	@echo "types: mypy"
	@SECRET_KEY=types DATABASE_URL=postgresql://localhost/types REDIS_URL=redis://localhost $(BIN)/mypy

.PHONY: contracts
contracts: $(TOOLS)
	@echo "contracts: import-linter"
	@$(BIN)/lint-imports --no-cache

.PHONY: service-check
service-check: $(TOOLS)
	@echo "service: migrations and production settings"
	@$(EMBEDDED) run -- $(BIN)/python manage.py makemigrations --check --dry-run
	@$(EMBEDDED) run --production -- $(BIN)/python manage.py check --deploy --fail-level WARNING

.PHONY: openapi-check
openapi-check: $(TOOLS)
	@echo "openapi: docs/openapi.json in step"
	@$(EMBEDDED) run -- $(BIN)/python manage.py spectacular --format openapi-json --validate --fail-on-warn --file $(VENV)/openapi.json
	@cmp -s $(VENV)/openapi.json docs/openapi.json || { echo "docs/openapi.json is behind the code; run: make openapi" >&2; exit 1; }

.PHONY: deploy-check
deploy-check: $(TOOLS)
	@echo "deploy: compose schema and Dockerfile"
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec docker-compose.yml
	@$(BIN)/hadolint Dockerfile

.PHONY: openapi
openapi: $(TOOLS)  ## write docs/openapi.json from the code
	@$(EMBEDDED) run -- $(BIN)/python manage.py spectacular --format openapi-json --validate --fail-on-warn --file docs/openapi.json

.PHONY: format
format: $(TOOLS)  ## let ruff lay the code out
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format --quiet .

.PHONY: demo-model
demo-model: $(RUNTIME)  ## train the demo language model again from its seed; prints its quality beside the shipped one's
	@$(BIN)/python -m steering_core.demo

.PHONY: bench-extraction
bench-extraction: $(RUNTIME)  ## extraction beside its peers, about 15 minutes; ARGS="--model tiny --pairs 8" or ARGS=--help
	@$(BIN)/python -m benchmarks.extraction $(ARGS)

.PHONY: bench-verdict
bench-verdict: $(RUNTIME)  ## whether the verdict tells good vectors from bad ones, about an hour; ARGS="--family random" or ARGS=--help
	@$(BIN)/python -m benchmarks.verdict $(ARGS)

.PHONY: bench-injection
bench-injection: $(RUNTIME)  ## steering beside its peers, about 15 minutes; ARGS="--model tiny --rounds 30" or ARGS=--help
	@$(BIN)/python -m benchmarks.injection $(ARGS)

.PHONY: bench-search
bench-search: $(RUNTIME)  ## searches among many vectors, some minutes to fill; ARGS="--vectors 1000000 --data FOLDER" or ARGS=--help
	@$(BIN)/python -m benchmarks.search $(ARGS)

.PHONY: bench-pages
bench-pages: $(RUNTIME) $(TOOLS)  ## the catalog's pages in a slowed browser and on the server, some minutes; ARGS="--data FOLDER" or ARGS=--help
	@$(BIN)/python -m benchmarks.pages $(ARGS)

.PHONY: bench-mixer
bench-mixer: $(RUNTIME)  ## the mixer's first word and twenty people at once, about 3 minutes; ARGS="--people 5" or ARGS=--help
	@$(BIN)/python -m benchmarks.mixer $(ARGS)

.PHONY: bench-registry
bench-registry: $(RUNTIME)  ## the registry beside MLflow's and a plain file server, about 5 minutes; needs nginx and wrk; ARGS=--help
	@$(BIN)/python -m benchmarks.registry $(ARGS)

.PHONY: clean
clean:  ## stop the embedded servers; delete their data, the virtual environment and caches
	@if [ -x $(BIN)/python ]; then $(EMBEDDED) erase; fi
	@rm -rf $(VENV) .bearing staticfiles build bearing.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- set-up steps, skipped when done ---

$(BIN)/python:
	@python=; \
	for candidate in python3.11 python3.12 python3.13 python3 python; do \
	  if $$candidate -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "Bearing needs Python 3.11 or newer with the venv module, and found none on PATH." >&2; \
	  echo "On Debian and Ubuntu: apt-get install python3 python3-venv. Elsewhere: https://www.python.org/downloads/" >&2; \
	  exit 1; \
	fi; \
	echo "set-up: virtual environment in $(VENV), from $$($$python --version)"; \
	$$python -m venv $(VENV)

$(RUNTIME): | $(BIN)/python
	@echo "set-up: packages of requirements.txt (some minutes the first time)"
	@$(PIP) install -r requirements.txt setuptools -c constraints.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@rm -f $(VENV)/.runtime-*
	@touch $@

$(TOOLS): | $(RUNTIME)
	@echo "set-up: packages of requirements-dev.txt"
	@$(PIP) install -r requirements-dev.txt -c constraints.txt
	@rm -f $(VENV)/.tools-*
	@touch $@
