# What a developer runs. Each target makes the environment it needs; only Python >= 3.11 has to be there.
#
#   make demo        few labels on digits: a table and a picture, in about a minute
#   make test        everything, doctests and README included; scikit-learn's checks over a covering array of the parts
#   make test-fast   without the tests marked slow, in about a minute
#   make test-matrix scikit-learn's checks over every combination of the parts, in about twenty minutes; before a release
#   make test-floor  the contract tests with the lowest supported versions
#   make docs        the site, examples included, in docs/_build/html: about eight minutes
#   make linkcheck   links to other sites; needs the network
#   make dist        of the last commit, a source distribution and a wheel in dist/, checked for upload
#   make test-dist   make dist; the contract tests of that source distribution with that wheel installed
#   make test-docs-install  make dist; each page's install line in a clean environment with that wheel, then the page
#   make coverage    the fast tests, with the share of lines and branches they run; htmlcov/index.html shows which
#   make lint        style and spelling
#   make clean       remove the environments and everything that was built

PYTHON ?= python3
WORKERS ?= auto

ENV := .venv
FLOOR := .venv-floor
BUILD := .venv-build
DIST := .venv-dist
CONTRACTS := $(addprefix tests/test_,checks.py searches.py determinism.py mixed_tables.py images.py) tests/fitting tests/persistence

SPHINX := $(ENV)/bin/python -m sphinx --fail-on-warning --keep-going --quiet
# In a variable, since a comma would end an argument of call.
EXTRAS := active,dev
PYTEST := -m pytest -n $(WORKERS) --maxprocesses 8 --dist worksteal

.PHONY: help demo test test-fast test-matrix test-floor docs linkcheck dist test-dist test-docs-install coverage lint clean

# Each of pytest's workers has a core. Compiled tests are kept, whatever the environment says: compiling them takes each
# worker five seconds.
test test-fast test-matrix test-floor test-dist test-docs-install coverage: export OMP_NUM_THREADS = 1
test test-fast test-matrix test-floor coverage: export PYTHONDONTWRITEBYTECODE =

help:
	@sed -n 's/^#   //p' Makefile

demo: $(ENV)/installed
	$(ENV)/bin/python docs/examples/few_labels.py

test: $(ENV)/installed
	$(ENV)/bin/python $(PYTEST)

test-fast: $(ENV)/installed
	$(ENV)/bin/python $(PYTEST) -m "not slow"

test-matrix: $(ENV)/installed
	SKLEARN_TWINS_FULL_MATRIX=1 SCIPY_ARRAY_API=1 $(ENV)/bin/python $(PYTEST) tests/test_checks.py

test-floor: $(FLOOR)/installed
	$(FLOOR)/bin/python $(PYTEST) $(CONTRACTS)

docs: $(ENV)/docs
	$(SPHINX) -b html docs docs/_build/html
	$(ENV)/bin/python docs/check_links.py docs/_build/html

linkcheck: $(ENV)/docs
	$(SPHINX) -b linkcheck -D plot_gallery=0 docs docs/_build/linkcheck

# From what is committed: whatever else lies around, an old build/ or pages of the site, cannot get in. The wheel is
# made from the source distribution.
dist: $(BUILD)/installed
	@test -z "$$(git status --porcelain)" || echo "What is not committed is left out"
	rm -rf dist build && mkdir -p build/source
	git archive HEAD | tar -x -C build/source
	$(BUILD)/bin/python -m build --outdir dist build/source
	$(BUILD)/bin/twine check --strict dist/*

# The tests run where no other sklearn_twins can be imported than the one from the wheel; tests/test_distribution.py
# makes sure of it. The wheel is another one each time, so it is installed by itself.
test-dist: dist $(DIST)/installed
	$(DIST)/bin/python -m pip install --quiet --force-reinstall --no-deps dist/*.whl
	mkdir build/tests
	tar -xf dist/*.tar.gz -C build/tests --strip-components 1 --exclude '*/sklearn_twins' --exclude '*.egg-info'
	cd build/tests && SKLEARN_TWINS_WHEEL=1 $(abspath $(DIST))/bin/python $(PYTEST) $(CONTRACTS) tests/test_distribution.py

# The environments are new each time, one for each set of requirements on top of one with what the package needs.
test-docs-install: dist
	$(PYTHON) docs/check_install.py dist/*.whl build/environments

coverage: $(ENV)/installed
	$(ENV)/bin/python $(PYTEST) -m "not slow" --cov --cov-report=term --cov-report=html

lint: $(ENV)/installed
	$(ENV)/bin/ruff check .
	$(ENV)/bin/ruff format --check .
	$(ENV)/bin/codespell

clean:
	rm -rf $(ENV) $(FLOOR) $(BUILD) $(DIST) build dist *.egg-info .pytest_cache .ruff_cache .coverage* htmlcov
	rm -rf docs/_build docs/api docs/gallery docs/examples/*.png few_labels.png mixed_tables.png pictures.png
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(ENV)/installed: pyproject.toml constraints.txt
	$(call install,$(ENV),constraints.txt,-e ".[$(EXTRAS)]")

$(ENV)/docs: $(ENV)/installed
	$(ENV)/bin/python -m pip install --quiet -c constraints.txt -e ".[docs]"
	@touch $@

$(FLOOR)/installed: pyproject.toml constraints-floor.txt
	$(call install,$(FLOOR),constraints-floor.txt,-e ".[dev]")

$(BUILD)/installed: constraints.txt
	$(call install,$(BUILD),constraints.txt,build twine)

$(DIST)/installed: pyproject.toml constraints.txt | dist
	$(call install,$(DIST),constraints.txt,"$$(echo dist/*.whl)[dev]")

# The stamp comes last, so that an interrupted installation is taken up again by the next call.
define install
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python >= 3.11 is needed; set PYTHON=...")'
	@echo "Installing into $(1) (a few minutes the first time)"
	test -x $(1)/bin/python || $(PYTHON) -m venv $(1)
	$(1)/bin/python -m pip install --quiet -c $(2) $(3)
	@touch $@
endef
