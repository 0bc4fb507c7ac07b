# Two commands do everything on a machine with Python >= 3.11, make and a package index: `make demo` and `make test`.
# Each makes .venv where it is missing; a second run finds the stamp file and starts at once.

PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14 python; do \
  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PEERS_VENV := .venv-peers
BACKENDS ?= tensorflow jax torch
PYTEST_ARGS ?=
PIP := -m pip --disable-pip-version-check install --quiet

export TF_CPP_MIN_LOG_LEVEL ?= 3

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test lint types bench scoreboard docs parity zoo test-matrix test-ray fuzz clean

help:
	@echo "make demo    explain a photograph; writes pictures and a page to demo-out/"
	@echo "make test    every test, in one process for each of: $(BACKENDS)"
	@echo "make lint    ruff; make types: mypy"
	@echo "make bench   the cost of every method against one forward pass; PEERS=1 measures its peers too"
	@echo "make parity  our maps against those of other packages; writes docs/parity.md"
	@echo "make zoo     every network of keras.applications; writes docs/models.md (half an hour)"
	@echo "make scoreboard  the field guide on networks whose marks are known; writes docs/scoreboard.md and birds-maps.md (two hours, the first time)"
	@echo "make docs    the documentation as a site; open site/index.html, no network needed"
	@echo "make test-matrix  the tests on the oldest and newest versions promised; writes docs/versions.md"
	@echo "make test-ray  runs on clusters of their own: several nodes, one of them lost; from outside, by ray://"
	@echo "make fuzz    1000 damaged files through the command line"
	@echo "make clean   remove the environments and what they built"

demo: $(VENV)/.demo
	$(BIN)/fieldmark demo --out demo-out

# One process a backend, as Keras fixes its backend when it is imported; two run at a time.
test: $(VENV)/.dev
	@$(BIN)/python tests/every_backend.py $(BACKENDS) -- $(PYTEST_ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

bench: $(VENV)/.demo $(if $(PEERS),$(PEERS_VENV)/.peers)
	KERAS_BACKEND=tensorflow $(BIN)/python -m benchmarks $(if $(PEERS),--peers $(PEERS_VENV)/bin/python)

# Trains some 80 small networks where they are missing, which takes an hour; measuring them takes another, and goes on
# where it was broken off. ONLY=TEXT measures some and prints what was found.
scoreboard: $(VENV)/.dev
	$(BIN)/python -m benchmarks.scoreboard $(if $(ONLY),--only '$(ONLY)')
	$(if $(ONLY),,$(BIN)/python -m benchmarks.scoreboard.maps)

# Runs other packages beside ours and writes docs/parity.md.
parity: $(VENV)/.dev $(PEERS_VENV)/.peers
	FIELDMARK_PARITY_TABLE=docs/parity.md KERAS_BACKEND=tensorflow $(BIN)/python -m pytest tests/parity

# Builds every network of keras.applications with random weights, explains it, and writes docs/models.md.
zoo: $(VENV)/.dev
	FIELDMARK_ZOO_PAGE=docs/models.md KERAS_BACKEND=tensorflow $(BIN)/python -m pytest tests/zoo -k "every_network and explained" -q

# A warning is an error, a link that leads nowhere is a warning. Open site/index.html from disk; the search works there too.
docs: $(VENV)/.dev
	rm -rf site
	$(BIN)/python -m sphinx --nitpicky --fail-on-warning --keep-going --quiet --builder html docs site
	@echo "site/index.html"

# Each environment is built, tested and removed; frameworks are large, so this takes half an hour and a network.
test-matrix: $(BIN)/python
	$(BIN)/python tests/matrix/run.py --again $(MATRIX)

# Runs on Ray, with a worker and a node killed half-way, and from outside a cluster: minutes on two cores.
test-ray: $(VENV)/.dev
	FIELDMARK_RAY=1 KERAS_BACKEND=tensorflow $(BIN)/python -m pytest tests/run/test_ray.py -q

fuzz: $(VENV)/.dev
	KERAS_BACKEND=tensorflow $(BIN)/python -W ignore -m tests.messages.fuzz --count $(or $(COUNT),1000)

clean:
	rm -rf $(VENV) $(PEERS_VENV) build dist demo-out site bench.json

$(BIN)/python $(PEERS_VENV)/bin/python:
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 or newer was not found; install it, or say where: make PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv $(@D:/bin=)
	$@ $(PIP) --upgrade pip

$(VENV)/.demo: pyproject.toml | $(BIN)/python
	@echo "Installing fieldmark with TensorFlow into $(VENV) (a minute or two, the first time)"
	$(BIN)/python $(PIP) --editable '.[tensorflow,demo,guide]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	@echo "Installing fieldmark, three backends and the test tools into $(VENV) (a few minutes, the first time)"
	$(BIN)/python $(PIP) --editable '.[tensorflow,jax,torch,onnx,tflite,demo,docs,guide,dev]' torch==2.13.0
	@touch $@ $(VENV)/.demo

# The peers disagree with each other about dependencies, so they never share an environment with fieldmark's own.
$(PEERS_VENV)/.peers: pyproject.toml benchmarks/peers.txt benchmarks/peers-bare.txt | $(PEERS_VENV)/bin/python
	@echo "Installing the peers into $(PEERS_VENV) (several minutes, the first time)"
	$(PEERS_VENV)/bin/python $(PIP) torch==2.13.0 --requirement benchmarks/peers.txt
	$(PEERS_VENV)/bin/python $(PIP) --no-deps --requirement benchmarks/peers-bare.txt
	@touch $@
