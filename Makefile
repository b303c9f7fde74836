# Everything below works in a fresh clone, as any user, and writes to .venv and .build only.
# Wants: git, bash, Python 3.10 or newer with venv. `make help` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# the parts of `test` one after the other, so that their output can be read
.NOTPARALLEL:

PYTHON ?= python3
# more arguments for the tools: make unit PYTEST_ARGS="-k store -x", make sanity SANITY_ARGS="--test pylint"
PYTEST_ARGS ?=
SANITY_ARGS ?=

# Tests that wait for services and playbooks leave half of a processor idle.
JOBS ?= $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) * 2 )))

BUILD := $(CURDIR)/.build
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export ANSIBLE_COLLECTIONS_PATH := $(BUILD)/collections
export ANSIBLE_HOME := $(BUILD)/ansible
# neither the machine's nor the user's Ansible settings decide a test
export ANSIBLE_CONFIG := $(CURDIR)/tests/ansible.cfg
export HYPOTHESIS_STORAGE_DIRECTORY := $(BUILD)/cache/hypothesis
# ansible-core refuses any encoding but UTF-8
export LC_ALL := C.UTF-8
unexport PYTHONPATH PYTHONHOME

.PHONY: help
help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: python
python:
	@command -v "$(PYTHON)" >/dev/null || { echo "$(PYTHON) is missing: install Python 3.10 or newer, or name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "$$("$(PYTHON)" --version) is too old for a controller: Python 3.10 or newer is needed. Name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { echo "$$("$(PYTHON)" --version) cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

# Two stamps, so that a first `make demo` does not wait for the linters.
.venv/.runtime: requirements/runtime.txt | python
	"$(PYTHON)" -m venv --clear .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/runtime.txt
	@touch $@

.venv/.dev: requirements/dev.txt .venv/.runtime
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	@touch $@

.PHONY: venv
venv: .venv/.dev link  ## make .venv with the development tools

# Ansible and the tests find the collection by its name, so the checkout has to stand where a collection stands.
.PHONY: link
link:
	@mkdir -p .build/collections/ansible_collections/aims
	@ln -sfn ../../../.. .build/collections/ansible_collections/aims/licensing

.PHONY: demo
demo: .venv/.runtime link  ## rehearse a migration on this machine, no root and no license needed
	python tools/demo/run.py

.PHONY: bench
bench: .venv/.dev link  ## time a migration against what Ansible itself costs, and seats against an empty answer
	python tools/bench/run.py
	python tools/bench/seats.py

# How many pairs at once.
PAIRS ?= 1 5 10 25

.PHONY: bench-fleet
bench-fleet: .venv/.dev link  ## time migrations of many pairs over SSH beside one written by hand; wants root and podman; docs/bench.md
	python tools/bench/fleet.py --pairs $(PAIRS)

.PHONY: test
test: lint tests sanity  ## all of the checks below but the whole of what is long

.PHONY: tests
tests: unit some-faults some-integration

.PHONY: lint
lint: venv  ## ruff, mypy, shellcheck, ansible-lint
	ruff check .
	mypy --package ansible_collections.aims.licensing.plugins
	git grep --untracked -lzE '^#!.*[/ ](ba)?sh$$' | xargs -0 shellcheck
	ansible-lint

.PHONY: unit
unit: venv  ## pytest
	PYTHONPATH="$(BUILD)/collections" python -m pytest --numprocesses=$(JOBS) $(PYTEST_ARGS)

.PHONY: faults
faults: venv  ## the fault matrix, then migrations killed between any two tasks; docs/faults.md
	PYTHONPATH="$(BUILD)/collections:tests" python tests/faults/run.py
	AIMS_FAULTS_LONG=1 PYTHONPATH="$(BUILD)/collections" python -m pytest --numprocesses=auto \
	  tests/playbooks/test_killed_between_tasks.py tests/playbooks/test_two_controllers.py tests/playbooks/test_secrets.py $(PYTEST_ARGS)

.PHONY: some-faults
some-faults: venv  ## of the fault matrix some of each kind, and a kill at each failpoint
	PYTHONPATH="$(BUILD)/collections:tests" python tests/faults/run.py --bounded

# Inputs for each format.
INPUTS ?= 100000

.PHONY: fuzz
fuzz: venv  ## property tests with 100,000 inputs for each format, for hours; fewer with INPUTS=…
	TMPDIR="$(firstword $(wildcard /dev/shm /tmp))" AIMS_FUZZ="$(INPUTS)" PYTHONPATH="$(BUILD)/collections" \
	  python -m pytest --numprocesses=auto --dist=worksteal tests/fuzz $(PYTEST_ARGS)

.PHONY: integration
integration: venv  ## playbooks on hosts as alternate roots, what the documents tell to run, the pages in Chromium
	PYTHONPATH="$(BUILD)/collections" python -m pytest --numprocesses=$(JOBS) --dist=worksteal tests/playbooks tests/docs tests/browser $(PYTEST_ARGS)

.PHONY: some-integration
some-integration: export AIMS_SOME_TESTS = 1
some-integration: integration  ## of these playbooks' tests some of each file, and all of the others

.PHONY: vendor
vendor: venv  ## the vendor's server on stand-ins for its hosts; wants root and podman, for Windows Wine and its companions, and says so
	PYTHONPATH="$(BUILD)/collections" python -m pytest tests/vendor $(PYTEST_ARGS)

.PHONY: some-vendor
some-vendor: export AIMS_SOME_TESTS = 1
some-vendor: vendor  ## of these tests all moves and all of Linux hosts, and of Windows hosts some of each file

.PHONY: hosts
hosts: venv  ## migrations on fresh hosts with systemd, over SSH; wants root and podman, and says so
	PYTHONPATH="$(BUILD)/collections" python -m pytest tests/hosts $(PYTEST_ARGS)

.PHONY: hosts-image
hosts-image: | python  ## make the image of those hosts where it is missing, and print its name
	"$(PYTHON)" tests/hosts/image.py

# One scenario: make molecule SCENARIO=offline. All of them but the one of virtual machines, and the one of the user's own.
SCENARIO ?=
MOLECULE := COLUMNS=160 MOLECULE_COMMAND_BORDERS=0 molecule

.PHONY: molecule
molecule: venv  ## Molecule's scenarios on fresh hosts with systemd, over SSH; wants root, gets what it needs
	python tests/hosts/image.py --install
	env $$(python tests/support/module_cache.py) \
	  $(MOLECULE) test $(if $(SCENARIO),--scenario-name $(SCENARIO),--all --exclude vm --exclude rehearse)

.PHONY: molecule-vm
molecule-vm: venv  ## Molecule's scenario on virtual machines
	python tests/hosts/disk.py --install
	$(MOLECULE) test --scenario-name vm

# Fewer of them: make versions VERSIONS_ARGS="--core 2.21 --host 3.9".
VERSIONS_ARGS ?=

.PHONY: versions
versions: link | python  ## playbooks with each ansible-core on hosts with each Python; wants all of these, and says so
	"$(PYTHON)" tools/versions/run.py $(VERSIONS_ARGS)

.PHONY: sanity
sanity: venv  ## ansible-test sanity, in a copy
	python tests/run_ansible_test.py sanity $(SANITY_ARGS)

.PHONY: build
build: .venv/.runtime  ## the collection's tarball, into .build
	ansible-galaxy collection build --force --output-path .build .

.PHONY: clean
clean:  ## remove .venv and .build
	rm -rf .venv .build
