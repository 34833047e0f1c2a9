# The menu. Every target sets itself up: nothing but Python >= 3.11 and make is needed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
TEST := $(BIN)/python -m pytest --numprocesses 2

.PHONY: demo test check gallery fix bench figure constraints clean

## demo: train a network on bundled data to the edge of stability and watch its sharpness
demo: $(VENV)/installed
	$(BIN)/edgewise demo

## test: the fast tests; with CI=true the slow ones after them
test: $(VENV)/installed-dev
	$(TEST) -m "not slow"
	@if [ "$$CI" = true ]; then echo 'Second stage: the slow tests'; $(TEST) -m slow; fi

## check: style, types, architecture, spelling, and the examples in docstrings
check: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell src tests benchmarks README.md CONTRIBUTING.md CHANGELOG.md
	$(BIN)/python -m pytest --quiet --doctest-modules src/edgewise

## gallery: re-run every paper at its smallest scale and compare with the golden numbers; minutes
gallery: $(VENV)/installed
	$(BIN)/edgewise reproduce --all --golden check --store $${TMPDIR:-/tmp}/edgewise-gallery-$$$$

## fix: let ruff mend what it can
fix: $(VENV)/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

## bench: products and seconds beside the peers; minutes, on a quiet machine
bench: $(VENV)/installed-bench
	$(BIN)/python -m benchmarks

## figure: draw the README's figure again from a fresh demo run
figure: $(VENV)/installed
	$(BIN)/edgewise demo --no-figure
	$(BIN)/edgewise show latest --figure docs/demo.png

## constraints: write constraints.txt anew from what .venv holds
constraints: $(VENV)/installed-dev $(VENV)/installed-bench
	head -2 constraints.txt > constraints.new
	$(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu//' | sort -f >> constraints.new
	mv constraints.new constraints.txt

clean:
	rm -rf $(VENV) runs

$(VENV)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo '$(PYTHON) is too old: edgewise needs Python 3.11 or newer. Type make PYTHON=python3.12 demo'; exit 2; }
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/installed: $(VENV)/python pyproject.toml constraints.txt
	@echo 'Installing edgewise into $(VENV) (PyTorch is large; once)'
	$(INSTALL) --editable .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(INSTALL) --editable '.[dev]'
	touch $@

$(VENV)/installed-bench: $(VENV)/installed
	$(INSTALL) --editable '.[bench]'
	touch $@
