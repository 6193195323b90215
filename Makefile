# Two commands do everything: make demo, make test. Python 3.11 to 3.13 and make are all they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Which tests, as paths: make test TESTS=tests/video; all of them where nothing is given.
TESTS ?=
STAMP := $(VENV)/.installed
# Errors alone; make PIP_SAYS=-v setup shows everything.
PIP_SAYS ?= --quiet --quiet --disable-pip-version-check

.PHONY: setup demo test test-quick test-all torture gpu check format constraints clean

setup: $(STAMP)

# The torchcodec decoder is optional and needs the system's FFmpeg; doctor says what is missing and how to get it.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] <= (3, 13) else f"Python 3.11 to 3.13 is needed, this is {sys.version.split()[0]}: make PYTHON=python3.12 setup")'
	@echo "Installing vidcls and what it needs into $(VENV): a few minutes, some 7 GB."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install $(PIP_SAYS) --upgrade pip
	@$(BIN)/python -m pip install $(PIP_SAYS) -c constraints.txt -e '.[dev,torchcodec,timm,transformers,imagenet,tensorboard,mlflow,sweep,ray,remote,hub,export,serve]'
	@$(BIN)/python scripts/check_opencv.py
	@touch $(STAMP)
	@echo "Installed. Next: make demo"

demo: setup
	$(BIN)/vidcls demo

test: setup
	$(BIN)/python -m pytest -m 'not slow' -n 2 --dist loadfile --durations=40 $(TESTS)

# Some tests of every package, in less than a minute.
test-quick: setup
	$(BIN)/python -m pytest -m 'not slow' -n 2 --dist loadfile @tests/quick.txt

test-all: setup
	$(BIN)/python -m pytest

# Kills, broken files, full disks and long runs by the thousand; the table at the end says what was lost.
torture: setup
	VIDCLS_TORTURE=full $(BIN)/python -m pytest tests/torture -n 2 --dist loadfile

# What one GPU gives, in six minutes. Without .venv it takes the Python that is there, which has torch and what vidcls imports.
gpu:
	$(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON)) benchmarks/gpu.py --output gpu.json

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The exact set that the tests ran on: a fresh environment with the newest versions, frozen.
constraints:
	rm -rf $(VENV)-fresh
	$(PYTHON) -m venv $(VENV)-fresh
	$(VENV)-fresh/bin/python -m pip install --quiet --upgrade pip
	$(VENV)-fresh/bin/python -m pip install --quiet -e '.[dev,torchcodec,timm,transformers,imagenet,tensorboard,mlflow,sweep,ray,remote,hub,export,serve]'
	(echo '# Made by: make constraints'; $(VENV)-fresh/bin/python -m pip freeze --exclude-editable) > constraints.txt
	rm -rf $(VENV)-fresh

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
