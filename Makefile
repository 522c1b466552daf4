# `make course` runs the core lessons, `make test` checks everything, `make lab` opens JupyterLab on the lessons.
# The first call makes the environment in .venv and fetches the data; later calls need no network.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c

is_3_11 := -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null
export PYTHON ?= $(or $(shell for p in python3.11 python3; do $$p $(is_3_11) && echo $$p && break; done),python3)
PROFILE ?= standard
# The core; `make course LESSONS=` runs all of them, `make course LESSONS="03 03b"` these two.
LESSONS ?= 0 1 2 3 4 5 6
# Paths are relative, and what a person types reaches the shell as a variable: a folder's name may hold spaces, quotes
# and dollar signs. The packages are called as modules, since their scripts name the folder in their first line.
VENV := .venv
BIN := $(VENV)/bin
COURSE := $(BIN)/python -m course_lib
override export SUBMISSIONS := $(value SUBMISSIONS)

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export HF_HUB_OFFLINE := 1
export TOKENIZERS_PARALLELISM := false

# An environment whose Python was removed, moved or never there: a link to nowhere, a file.
ifneq ($(MAKECMDGOALS),clean)
ifneq ($(shell { [ -L $(VENV) ] || [ -f $(VENV) ] || [ -e $(BIN)/pip ]; } && ! $(BIN)/python -c '' 2>/dev/null && echo broken),)
$(error $(VENV) is no environment with a Python that runs: delete it (make clean), and run the same command again)
endif
endif

.PHONY: course test test-all lab fetch doctor bench release progress grade lock clean
.DELETE_ON_ERROR:

course: $(VENV)/course
	@$(COURSE) run --profile $(PROFILE) $(LESSONS)

# The lessons without solutions, in a folder that is the student's own; Binder does the same, with the same settings.
lab: $(VENV)/course
	@$(COURSE) fetch
	@$(COURSE) handout
	@$(COURSE) progress
	@JUPYTER_CONFIG_PATH="$$PWD/binder" $(BIN)/python -m jupyterlab

fetch doctor bench release progress: $(VENV)/course
	@$(COURSE) $@

# Points, feedback and a report for a class: docs/instructors.md
grade: $(VENV)/course
	@test -n "$$SUBMISSIONS" || { echo "Name the folder or the zip of what was handed in: make grade SUBMISSIONS=class"; exit 1; }
	@$(COURSE) grade -- "$$SUBMISSIONS"

# In standard run the lessons of the core and those deeper ones that changed since their outputs were stored, all others in
# quick; `make test-all` runs everything in standard. nbval leaves the figures of its run in a fresh folder, where tests/notebooks compares them with the committed ones. Two
# tests or notebooks at a time, each with one thread, on two cores: that is faster than one after the other with two.
test test-all: export CI := true
test test-all: export PATH := $(CURDIR)/$(BIN):$(value PATH)
test test-all: $(VENV)/test
	python -m course_lib fetch
	ruff check .
	ruff format --check .
	python -m mypy
	OMP_NUM_THREADS=1 python -m pytest -n 2 tests/unit tests/classroom
	@figures=$$(mktemp -d) && trap 'rm -r "$$figures"' EXIT && export COURSE_BUILD=$$figures && \
	notebooks=$$(python -m course_lib.classroom.due $(if $(filter test-all,$@),--all)) && set -x && \
	OMP_NUM_THREADS=1 python -m pytest -n 2 --dist loadscope --nbval-lax --nbval-current-env --nbval-cell-timeout=900 \
	$$notebooks && python -m pytest tests/notebooks

clean:
	rm -rf build $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis

# --- the environment: made again only when the lock or pyproject.toml is newer ---

# $(call install,ARGUMENTS): pip, with its own words and one sentence where it fails; its whole story stays in a log.
install = FORCE_COLOR= NO_COLOR=1 $(BIN)/python -m pip install $(if $(CI),--quiet) $(1) 2>$(VENV)/install.log || { \
	sed -E $$'s/\e\\[[0-9;]*m//g' $(VENV)/install.log | grep -v -e '^ *$$' -e '^WARNING' -e '^\[notice' | tail -4 || true; \
	case "$$(cat $(VENV)/install.log)" in \
	*"No module named pip"*) advice="the environment has no pip, so delete $(VENV) (make clean)" ;; \
	*"No space left"*) advice="make room on the disk" ;; \
	*"from versions: none"*|*"NewConnectionError"*|*"Failed to establish"*|*"imed out"*|*"Network is unreachable"*) \
	advice="connect to the network" ;; \
	*) advice="mend what pip says above" ;; esac; \
	echo "The packages could not be installed (all that pip said is in $(VENV)/install.log): $$advice, and run the same" \
	"command again; it goes on where it stopped."; exit 1; }

$(VENV)/bin/pip:
	@"$$PYTHON" $(is_3_11) || { \
	echo "The course needs Python 3.11, and '$$PYTHON' is $$("$$PYTHON" --version 2>&1 | tail -1): install it, or name" \
	"it: make $(or $(MAKECMDGOALS),course) PYTHON=/path/to/python3.11"; exit 1; }
	@said=$$("$$PYTHON" -m venv $(VENV) 2>&1) || { \
	echo "No environment could be made in $(VENV):" $$said; exit 1; }

$(VENV)/course: requirements.lock pyproject.toml | $(VENV)/bin/pip
	@echo "Installing the packages of the course into $(VENV): about 2 GB and a few minutes, this once."
	@$(call install,-r requirements.lock)
	@$(call install,--no-deps --editable .)
	@touch $@

$(VENV)/test: requirements-test.lock $(VENV)/course
	@$(call install,-r requirements.lock -r requirements-test.lock)
	@touch $@

# Versions of everything, found anew from pyproject.toml. torch is written without its build, and without the packages
# for NVIDIA cards that some builds of it name: they come with it on the machines that have one.
compile = build/lock/bin/python -m piptools compile --quiet --allow-unsafe --strip-extras --no-annotate --no-header \
	--no-emit-options --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --output-file - $(1) pyproject.toml | \
	sed -E -e 's/\+cpu$$//' -e '/^(nvidia|cuda|triton|\#|$$)/d'

lock:
	"$$PYTHON" -m venv build/lock
	build/lock/bin/python -m pip install --quiet pip-tools==7.6.2
	{ sed -n '/^#/!q;p' requirements.lock && $(compile); } > build/requirements.lock
	{ sed -n '/^#/!q;p' requirements-test.lock && \
	$(call compile,--extra test --constraint build/requirements.lock) | grep -vxFf build/requirements.lock; } \
	> build/requirements-test.lock
	mv build/requirements.lock build/requirements-test.lock .
