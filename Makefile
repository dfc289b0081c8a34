# Everything a newcomer needs: `make demo` and `make test`. Both install what is missing into .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Waiting threads sleep: on a busy machine spinning ones cost twentyfold.
export OMP_WAIT_POLICY ?= PASSIVE
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: demo digits test test-faults lint types unit regression ui serve clean

demo: digits
	python -m stages.show --suite digits

# Two stages at a time, one thread each: networks this small gain nothing from a second thread.
digits: export OMP_NUM_THREADS = 1
digits: $(VENV)/installed
	dvc repro pretrain_digits local_models_digits
	dvc --wait-for-lock repro --single-item baseline_digits ablate_digits & other=$$!; \
	dvc --wait-for-lock repro --single-item localize_insert_digits select_digits evaluate_digits && wait $$other
	dvc repro tables@digits figures@digits

test: lint types unit

lint: $(VENV)/installed
	ruff check .
	ruff format --check .

types: $(VENV)/installed
	mypy

unit: $(VENV)/installed
	pytest --ignore=tests/faults

# Killed, interrupted, starved and damaged runs of the real pipeline, and what a change re-runs: minutes.
test-faults: $(VENV)/installed
	pytest tests/faults

# Recompute the digits suite and compare it with the numbers of BASE.
BASE ?= HEAD
regression: digits
	pnc-regress --base $(BASE) --suite digits

# Prefect's server and pages on this machine; Ctrl-C ends it.
PORT ?= 4200
ui: $(VENV)/installed
	python -m flows.ui --port $(PORT)

$(VENV)/installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python: expected 3.11 or newer, found " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	pip install --quiet --requirement requirements.lock
	pip install --quiet --no-deps --editable .
	touch $@

# Wait for the time to run TARGETS and compare their cells with those of HEAD, e.g. CRON="0 2 * * *".
CRON ?=
TARGETS ?= tables@digits figures@digits
serve: $(VENV)/installed
	python -m flows.serve $(if $(CRON),--cron "$(CRON)") $(TARGETS)

clean:
	rm -rf artifacts .scratch
