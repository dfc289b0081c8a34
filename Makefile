# Everything a newcomer needs: `make demo` and `make test`. Both install what is missing into .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Waiting threads sleep: on a busy machine spinning ones cost twentyfold.
export OMP_WAIT_POLICY ?= PASSIVE
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: demo digits report test test-slow test-faults lint types unit docs regression ui serve unlock clean

# Two stages at a time, one thread each: networks this small gain nothing from a second thread.
FLOW := python -m flows.benchmark --workers 2
# A fresh clone has the scores, which are in git. Where networks come out as they were, DVC would not measure them again.
ANEW := test -d artifacts/digits || rm -rf results/digits/scores

# Table 1 of the digits suite.
demo: $(VENV)/installed
	$(ANEW)/main
	$(FLOW) cells@T1 figures@T1
	python -m stages.show --suite digits --table T1

# All its tables and figures.
digits: $(VENV)/installed
	$(ANEW)
	$(FLOW) tables figures
	python -m stages.report

# Every suite's tables and figures on one page, and the README's table, from what is in results/.
report: $(VENV)/installed
	python -m stages.report

test: lint types unit

lint: $(VENV)/installed
	ruff check .
	ruff format --check .

types: $(VENV)/installed
	mypy

# A process for each core, one thread each: the networks are small. A file's tests stay together, as they share runs.
unit: $(VENV)/installed
	OMP_NUM_THREADS=1 pytest --ignore=tests/faults --numprocesses auto --dist loadfile

# What takes long and needs no kill: examples, documents to the letter, Dask, DVC's own commands, every network of the docs.
test-slow: $(VENV)/installed
	OMP_NUM_THREADS=1 pytest -m slow --ignore=tests/faults --numprocesses auto --dist loadfile

# Killed, interrupted, starved and damaged runs of the real pipeline, and what a change re-runs: minutes.
test-faults: $(VENV)/installed
	pytest tests/faults

# The site of docs/, in site/; it needs no network, neither to build nor to read. A warning is an error.
docs: $(VENV)/installed
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict

# Recompute the digits suite, or its TABLES alone, and compare it with the numbers of BASE.
BASE ?= HEAD
TABLES ?=
regression: $(VENV)/installed
	$(ANEW)$(if $(TABLES),/main)
	$(FLOW) $(if $(TABLES),$(TABLES:%=cells@%),tables figures)
	python -m bench.regress --base $(BASE) --suite digits $(if $(TABLES),--table $(TABLES))

# Prefect's server and pages on this machine; Ctrl-C ends it.
PORT ?= 4200
ui: $(VENV)/installed
	python -m flows.ui --port $(PORT)

$(VENV)/installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python: expected 3.11 or newer, found " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	pip install --quiet --no-compile --requirement requirements.lock
	python -m compileall -qq -j 0 $(VENV)/lib || true  # on all cores: pip takes one, for a third of its time
	pip install --quiet --no-deps --editable .
	touch $@

# Wait for the time to run TARGETS and compare their cells with those of HEAD, e.g. CRON="0 2 * * *".
CRON ?=
TARGETS ?= tables figures
serve: $(VENV)/installed
	python -m flows.serve $(if $(CRON),--cron "$(CRON)") $(TARGETS)

# After a crash: plain `dvc repro` works again. The targets above do it by themselves.
unlock: $(VENV)/installed
	python -m flows.unlock

clean:
	rm -rf artifacts .scratch site
