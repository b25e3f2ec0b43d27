# make demo: the whole way on a rendered example.   make test: every check.   Needs Python 3.11 or newer, nothing else.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed

# mkdocs-material prints an advertisement for its successor without this.
export NO_MKDOCS_2_WARNING := true

.PHONY: demo test docs clean help

help:
	@echo "make demo   train, predict and evaluate a rendered example"
	@echo "make test   style, types, layers, tests and documentation"
	@echo "make docs   build the documentation into site/"
	@echo "make clean  remove what these made"

$(INSTALLED): pyproject.toml constraints.txt
	@$(if $(PYTHON),:,echo "Vitruve needs Python 3.11 or newer, and there is no python3 here" >&2; exit 1)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Vitruve needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1): make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Installing into $(VENV); this takes a few minutes once"
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "No virtual environment could be made; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(INSTALLED)
	@$(BIN)/python scripts/demo.py

test: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 --dist loadfile
	$(BIN)/mkdocs build --strict --quiet

docs: $(INSTALLED)
	$(BIN)/mkdocs build --strict --quiet
	@echo "Documentation: site/index.html"

clean:
	rm -rf $(VENV) site build dist outputs/demo .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
