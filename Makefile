# `make help` lists the targets. PYTHON=python3.12 chooses the interpreter, VENV=path the folder of
# the virtual environment.
PYTHON ?= python3
VENV ?= .venv

BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TOOLS := $(VENV)/.tools
BUILT := $(VENV)/built
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(BIN)/python requirements/install.py

.DEFAULT_GOAL := help
.PHONY: help install doctor tools test matrix test-main test-fairseq check smoke quickstart docs dist bench fuzz clean

help:  ## list the targets
	@sed -n 's/^\([a-z%-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 18

install: $(STAMP)  ## make .venv with torch, torchaudio, torchvision, fairseq and this plugin

$(STAMP): setup.py pyproject.toml $(wildcard requirements/*.txt)
	@started=$$(date +%s); set -e; \
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV); $(PIP) install -q uv 2>/dev/null || true; \
	echo "1/4 torch (the largest part), while fairseq is built from source"; rm -rf $(BUILT); \
	$(PIP) wheel -q --no-deps -w $(BUILT) fairseq==0.12.2 & building=$$!; \
	$(INSTALL) -r requirements/torch.txt; \
	echo "2/4 what fairseq needs"; $(INSTALL) -r requirements/fairseq.txt; \
	echo "3/4 fairseq"; wait $$building; $(INSTALL) --no-deps $(BUILT)/fairseq-*.whl; rm -rf $(BUILT); \
	echo "4/4 this plugin"; $(INSTALL) -e '.[audio,text,image]' -r requirements/commands.txt; \
	$(INSTALL) --only-binary :all: 'flashlight-text>=0.0.7' >/dev/null 2>&1 || \
	echo "installed without beam search: flashlight-text has no wheel for this Python (only for 3.9 to 3.12)"; \
	seconds=$$(( $$(date +%s) - started )); \
	echo $$seconds > $(VENV)/.install_seconds; touch $@; \
	echo "installed into $(VENV) in $$seconds s; \`. $(VENV)/bin/activate\` puts data2vec on the PATH"

$(TOOLS): $(STAMP)
	@echo "installing what tests and checks require"; $(INSTALL) -e '.[dev]'; touch $@

doctor: $(STAMP)  ## show what is installed, patched or missing
	@$(BIN)/data2vec doctor

tools: $(TOOLS)

test: $(TOOLS)  ## install if needed, then run the tests
	@$(BIN)/python -m pytest -q -n 3 --dist loadgroup -m "not source"

matrix:  ## run the tests on each Python, torch, NumPy and hydra that is found (HOSTS="3.9-old 3.13": only these)
	@$(PYTHON) tests/hosts/matrix.py $(HOSTS)

test-main:  ## run the tests on a checkout of fairseq main (FAIRSEQ=path)
	@test -n "$(FAIRSEQ)" || { echo "give the checkout: make test-main FAIRSEQ=path"; exit 2; }
	@$(PYTHON) tests/hosts/matrix.py $(or $(HOSTS),3.11) --fairseq $(FAIRSEQ)

test-fairseq: $(TOOLS)  ## run fairseq 0.12.2's own tests (FAIRSEQ=checkout of v0.12.2; HOSTS="3.9-old 3.13": on these)
	@test -n "$(FAIRSEQ)" || { echo "give the checkout of fairseq v0.12.2: make test-fairseq FAIRSEQ=path"; exit 2; }
	@cd tests && $(abspath $(BIN))/python -m hosts.fairseq_tests $(HOSTS) --fairseq $(abspath $(FAIRSEQ))

check: $(TOOLS)  ## linter, types, duplicated lines, and tests of what source and documents say
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/pylint --disable=all --enable=duplicate-code --score=n data2vec_compat data2vec_plugin
	@$(BIN)/python -m pytest -q -n 2 -m source

smoke: $(TOOLS)  ## run each recipe for two updates with the real fairseq-hydra-train
	@test ! -d tests/smoke || $(BIN)/python -m pytest -q -n 2 tests/smoke

quickstart: $(STAMP)  ## pre-train on synthesised speech and compare, ten minutes on a CPU (METHOD=2: data2vec 2.0; PROFILE=long)
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python examples/quickstart/run.py --profile $(or $(PROFILE),quick) \
		--method $(or $(METHOD),1)

quickstart-%: $(STAMP)  ## the same for text, image (METHOD=2: data2vec 2.0) or multimodal, with data from pip packages
	@test -f examples/$*/run.py || { echo "no such target; expected quickstart, quickstart-text, -image or -multimodal"; exit 2; }
	@test $* != text || $(BIN)/python -c 'import gensim' 2>/dev/null || $(INSTALL) 'gensim>=4.3'
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python examples/$*/run.py $(if $(METHOD),--method $(METHOD))

docs: $(STAMP)  ## build the documents as a site, with a check of links: outputs/site/index.html
	@$(BIN)/python -c 'import material' 2>/dev/null || $(INSTALL) -e '.[docs]'
	@$(BIN)/python docs/build_site.py

dist: $(STAMP)  ## build source archive and wheel in dist/ (HOSTS="3.11 3.13": test them in empty environments)
	@$(BIN)/python -c 'import build, twine' 2>/dev/null || $(INSTALL) build twine
	@rm -rf dist && $(BIN)/python -m build -q && $(BIN)/python -m twine check --strict dist/*
	@test -z "$(HOSTS)" || (cd tests && $(abspath $(BIN))/python -m hosts.packages $(HOSTS))

bench: $(TOOLS)  ## measure speed and memory against the reference figures
	@$(BIN)/python -m benchmarks

fuzz: $(TOOLS)  ## test readers with random files, longer than in the tests (EXAMPLES=2000 of each kind)
	@DATA2VEC_FUZZ=$(or $(EXAMPLES),2000) $(BIN)/python -m pytest -q -n 2 tests/fuzz

clean:  ## remove .venv, outputs and caches
	rm -rf $(VENV) .hosts build dist outputs *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
