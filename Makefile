# `make course` runs the core lessons, `make test` checks everything, `make lab` opens JupyterLab on the lessons.
# The first call makes the environment in .venv and fetches the data; later calls need no network.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c

is_3_11 := -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null
PYTHON ?= $(or $(shell for p in python3.11 python3; do $$p $(is_3_11) && echo $$p && break; done),python3)
PROFILE ?= standard
# The core; `make course LESSONS=` runs all of them, `make course LESSONS="03 03b"` these two.
LESSONS ?= 0 1 2 3 4 5 6
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export HF_HUB_OFFLINE := 1
export TOKENIZERS_PARALLELISM := false

.PHONY: course test lab fetch doctor bench release progress grade lock clean
.DELETE_ON_ERROR:

course: $(VENV)/course
	@$(BIN)/course run --profile $(PROFILE) $(LESSONS)

# The lessons without solutions, in a folder that is the student's own; Binder does the same, with the same settings.
lab: $(VENV)/course
	@$(BIN)/course fetch
	@$(BIN)/course handout
	@$(BIN)/course progress
	@JUPYTER_CONFIG_PATH=$(CURDIR)/binder $(BIN)/jupyter lab

fetch doctor bench release progress: $(VENV)/course
	@$(BIN)/course $@

# Points, feedback and a report for a class: docs/instructors.md
grade: $(VENV)/course
	@test -n "$(SUBMISSIONS)" || { echo "Name the folder or the zip of what was handed in: make grade SUBMISSIONS=class"; exit 1; }
	@$(BIN)/course grade "$(SUBMISSIONS)"

# nbval leaves the figures of its run in a fresh folder, where tests/notebooks compares them with the committed ones. Two
# tests or notebooks at a time, each with one thread, on two cores: that is faster than one after the other with two.
test: export CI := true
test: export PATH := $(BIN):$(PATH)
test: $(VENV)/test
	course fetch
	ruff check .
	ruff format --check .
	mypy
	OMP_NUM_THREADS=1 pytest -n 2 tests/unit tests/classroom
	@figures=$$(mktemp -d) && trap 'rm -r "$$figures"' EXIT && export COURSE_BUILD=$$figures && set -x && \
	OMP_NUM_THREADS=1 pytest -n 2 --dist loadscope --nbval-lax --nbval-current-env --nbval-cell-timeout=900 notebooks && \
	pytest tests/notebooks

clean:
	rm -rf build $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis

# --- the environment: made again only when the lock or pyproject.toml is newer ---

# $(call install,ARGUMENTS): pip with one sentence where it fails; its whole story stays in a log.
install = $(BIN)/pip install $(if $(CI),--quiet) $(1) 2>$(VENV)/install.log || { \
	grep -m1 '^ERROR' $(VENV)/install.log || true; \
	echo "The packages could not be installed (all that pip said is in $(VENV)/install.log): connect to the network or" \
	"make room on the disk, and run the same command again; it goes on where it stopped."; exit 1; }

$(VENV)/bin/pip:
	@$(PYTHON) $(is_3_11) || { \
	echo "The course needs Python 3.11, and '$(PYTHON)' is $$($(PYTHON) --version 2>&1 | tail -1): install it, or name" \
	"it: make $(or $(MAKECMDGOALS),course) PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

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
compile = build/lock/bin/pip-compile --quiet --allow-unsafe --strip-extras --no-annotate --no-header --no-emit-options \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --output-file - $(1) pyproject.toml | \
	sed -E -e 's/\+cpu$$//' -e '/^(nvidia|cuda|triton|\#|$$)/d'

lock:
	$(PYTHON) -m venv build/lock
	build/lock/bin/pip install --quiet pip-tools==7.6.2
	{ sed -n '/^#/!q;p' requirements.lock && $(compile); } > build/requirements.lock
	{ sed -n '/^#/!q;p' requirements-test.lock && \
	$(call compile,--extra test --constraint build/requirements.lock) | grep -vxFf build/requirements.lock; } \
	> build/requirements-test.lock
	mv build/requirements.lock build/requirements-test.lock .
