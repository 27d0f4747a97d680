# One word runs everything. PYTHON may name another interpreter: make test PYTHON=python3.13;
# BOT another bundled bot: make demo BOT=service_desk
PYTHON ?= python3
VENV ?= .venv
BOT ?= pool_alerts
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

# The files that take longest go first, so that nothing waits for them at the end.
LONGEST := $(wildcard tests/endtoend/test_replay_*.py) tests/endtoend/test_variants.py \
	tests/endtoend/test_wheel.py

.PHONY: demo test quick check wheel bench bench-analyze bench-replay docs format clean help

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## Scan a bundled bot, replay its traffic before and after, write report.md
	$(BIN)/perfscan demo $(BOT) -o perfscan-demo

test: $(VENV)/.test ## All tests
	$(BIN)/pytest -n 2 -m "not endtoend"
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder -m endtoend \
		$(LONGEST) $(filter-out $(LONGEST),$(wildcard tests/endtoend/test_*.py))

quick: $(VENV)/.test ## Unit tests only
	$(BIN)/pytest -n 2 -m "not endtoend"

check: $(VENV)/.check ## Formatter, linter, types, and perfscan on itself
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/perfscan analyze perfscan analyzers cli replay reports tools benchmarks \
		fixtures/simulation --fail-on low
	$(BIN)/python tools/typecheck_tree.py
	$(BIN)/mypy
	set -e; for bot in fixtures/bots/*/optimized; do \
		(cd $$bot && $(abspath $(BIN))/mypy --strict --config-file "" --cache-dir $(abspath .mypy_cache)/bots --explicit-package-bases .); \
	done

wheel: $(VENV)/.check ## Build the wheel and test it in a clean environment
	rm -rf build dist $(VENV)-wheel
	$(BIN)/python -m build --outdir dist . >/dev/null
	$(PYTHON) -m venv $(VENV)-wheel
	$(VENV)-wheel/bin/python -m pip --quiet --disable-pip-version-check install --upgrade pip
	$(VENV)-wheel/bin/python -m pip --quiet install "$$(ls dist/*.whl)[demo]" --group test
	$(VENV)-wheel/bin/pytest -n 2 -m "not endtoend"
	$(VENV)-wheel/bin/pytest tests/endtoend/test_bench_replay.py -k "same_work or dropped"

bench: $(VENV)/.demo ## The full before/after measurement of a bundled bot
	$(BIN)/perfscan bench replay fixtures/bots/$(BOT)/scenario.yaml --report report.md -o run.json

bench-analyze: $(VENV)/.demo ## How long scans take, beside other tools; writes the README's table
	$(BIN)/python benchmarks/analyze.py --tools $(VENV)-bench --readme README.md $(PROJECTS)

bench-replay: $(VENV)/.test ## What the replay engine must hold, each as a ratio in one run
	$(BIN)/python benchmarks/replay $(SECTIONS)

docs: $(VENV)/.demo ## Write the generated parts of the documents
	$(BIN)/python tools/rule_docs.py
	$(BIN)/python tools/precision_docs.py
	$(BIN)/python tools/scenario_docs.py

format: $(VENV)/.check ## Format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Remove everything that the other targets made
	rm -rf $(VENV) $(VENV)-wheel $(VENV)-bench .typecheck build dist perfscan-demo *.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.venv:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "perfscan needs Python 3.11 or newer; try: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade pip
	@touch $@

$(VENV)/.demo: $(VENV)/.venv pyproject.toml
	@echo "setting up $(VENV) ..."
	$(PIP) install --editable ".[demo]"
	@touch $@

$(VENV)/.test: $(VENV)/.demo
	$(PIP) install --group test
	@touch $@

$(VENV)/.check: $(VENV)/.test
	$(PIP) install --group check
	@touch $@
