.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Tests run in parallel; integration tests share one control plane, and mostly wait.
JOBS ?= 5

.PHONY: help
help: ## List the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# A PYTHON that is given and has another version than .venv makes .venv anew.
ifneq ($(origin PYTHON),file)
ifneq ($(wildcard $(VENV)/.ready),)
ifneq ($(shell $(PYTHON) -V),$(shell $(BIN)/python -V))
.PHONY: other-python
other-python:
$(VENV)/.ready: other-python
endif
endif
endif

$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "execloop needs Python 3.11 or newer; set PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(if $(filter other-python,$^),--clear )$(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: venv
venv: $(VENV)/.ready ## Make the virtual environment .venv with every tool

.PHONY: demo
demo: venv ## Converge a plan here, then Plans on a real API server (KEEP=1 leaves it running)
	@$(BIN)/python -m examples.demo $(if $(KEEP),--keep)

.PHONY: test
test: venv ## Run every test that this machine can run
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal tests --ignore=tests/e2e

.PHONY: simulate
simulate: venv ## Live LIVES simulated lives of the operator, from the seed FIRST on (SEED=N prints one of them)
	@$(BIN)/python -m tests.simulation $(if $(SEED),--seed=$(SEED) --all,--first=$(or $(FIRST),1) --lives=$(or $(LIVES),10000))

.PHONY: mutants
mutants: venv ## Undo one rule of the operator at a time, and write to docs/reliability.md which simulated life notices (20 minutes)
	@$(BIN)/python -m tests.simulation.mutants --write

.PHONY: test-pythons
test-pythons: venv ## Run the unit tests under every Python from 3.11 that this machine has
	@$(BIN)/python -m tests.pythons

.PHONY: test-next-kopf
test-next-kopf: venv ## Run the operator's tests on Kopf's next minor version, when the registry has one
	@$(BIN)/python -m tests.next_kopf

.PHONY: e2e
e2e: venv ## Install the chart in a kind cluster and live through a release (EXECLOOP_APT=1 may install Debian packages)
	EXECLOOP_E2E=1 $(BIN)/python -m pytest -v --durations=10 tests/e2e

.PHONY: check
check: venv ## Format, lint, types, layers, generated files, words
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m release.crds --check crds
	$(BIN)/python -m release.chart --check
	$(BIN)/python -m release.library --check docs/library
	$(BIN)/python -m release.reference --check
	$(BIN)/python -m pytest --quiet tests/unit/test_words.py tests/unit/test_structure.py

.PHONY: bench-engine
bench-engine: venv ## Measure the engine beside its peers, write docs/benchmarks/engine.md and .svg
	$(BIN)/python -m benchmarks.engine

.PHONY: format
format: venv ## Format the code and fix what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: crds
crds: venv ## Generate crds/ from the Pydantic models
	$(BIN)/python -m release.crds crds

.PHONY: library
library: venv ## Generate the tables of parameters in docs/library/ from the plans' models
	$(BIN)/python -m release.library docs/library

.PHONY: reference
reference: venv ## Generate docs/reference/ of the command and of the library from the code
	$(BIN)/python -m release.reference

.PHONY: chart
chart: venv ## Generate the chart's values.yaml, README and templates from its schema and crds/
	$(BIN)/python -m release.chart

.PHONY: kustomize
kustomize: venv ## Generate kustomize/ from the chart; needs helm (HELM=its path)
	$(BIN)/python -m release.kustomize $(or $(HELM),helm)

.PHONY: image
image: venv ## Build the operator's image (BASE=an image with Python, IMAGE=its name)
	@$(BIN)/python -m release.image $(if $(BASE),--base=$(BASE)) $(if $(IMAGE),--tag=$(IMAGE)) \
	  --revision=$$(git rev-parse HEAD 2>/dev/null || echo unknown)

.PHONY: sbom
sbom: venv ## Write a CycloneDX bill of what the image installs to dist/
	$(BIN)/python -m release.sbom dist/execloop.cdx.json

.PHONY: audit
audit: venv ## Look for known vulnerabilities (DATABASE=OSV's export for PyPI)
	@$(BIN)/python -m release.audit $(DATABASE)

.PHONY: release
release: venv ## Make and check all that a release publishes, in dist/release; publish nothing
	@$(BIN)/python -m release.candidate $(addprefix --helm=,$(or $(HELM),$(shell command -v helm)))

.PHONY: lock
lock: venv ## Refresh requirements.lock from pyproject.toml
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --all-extras \
	  --group dev --generate-hashes --no-emit-index-url --no-header --no-annotate -o requirements.lock

.PHONY: bench
bench: venv ## Measure all of it in one sitting (25 minutes on 2 cores), and write the pages of docs/benchmarks
	$(BIN)/python -m benchmarks

.PHONY: bench-operator
bench-operator: venv ## Measure the operator beside others, write docs/benchmarks/operator.md and .svg
	$(BIN)/python -m benchmarks.operator

.PHONY: bench-crowd
bench-crowd: venv ## Measure 10,000 Plans on one operator, and a new Plan beside them (4 minutes)
	$(BIN)/python -m benchmarks.crowd

.PHONY: bench-100k
bench-100k: venv ## The same with 100,000 Plans: memory, start and rest (half an hour, 4 GiB)
	$(BIN)/python -m benchmarks.crowd --plans 100000

.PHONY: bench-scale
bench-scale: venv ## Measure how the operator's own work and memory grow with the number of Plans; no cluster is needed
	$(BIN)/python -m benchmarks.operator.memory
	$(BIN)/python -m benchmarks.scale

.PHONY: bench-flux
bench-flux: venv ## Measure `manifests` beside Flux's kustomize-controller (built at the first run), write docs/benchmarks/flux.md and .svg
	$(BIN)/python -m benchmarks.flux

.PHONY: recovery
recovery: venv ## Kill, stop and cut off the operator on a real API server, and write docs/reliability.md (12 minutes)
	@$(BIN)/python -m tests.faults.recovery $(TRIALS)

.PHONY: soak
soak: venv ## Let 1,000 Plans fail and drift for MINUTES=10, and write docs/benchmarks/soak.md and .svg
	@$(BIN)/python -m tests.faults.soak --minutes $(or $(MINUTES),10)

.PHONY: nightly
nightly: venv ## What takes too long for each change: 20,000 lives, the faults, ten minutes of trouble, every Python (about an hour)
	$(MAKE) simulate LIVES=20000 FIRST=$$(date +%Y%m%d)0000
	$(MAKE) recovery
	$(MAKE) soak MINUTES=10
	$(MAKE) test-pythons

.PHONY: cluster
cluster: venv ## Leave a control plane running; the last line is the path of its kubeconfig
	@$(BIN)/python -m tests.cluster up

.PHONY: cluster-down
cluster-down: venv ## End the control plane of `make cluster`
	@$(BIN)/python -m tests.cluster down

.PHONY: site
site: venv ## Build the documentation as a site into dist/site, and check its links
	@$(BIN)/python -m release.site dist/site

.PHONY: clean
clean: ## Remove what the other targets made (the cache of built binaries stays)
	@[ ! -d .cluster ] || [ ! -x $(BIN)/python ] || $(BIN)/python -m tests.cluster down
	rm -rf $(VENV) .cluster dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find operator tests examples benchmarks release kustomize -name __pycache__ -type d -prune -exec rm -rf {} +
