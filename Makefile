# The two commands of the README are ./install.sh --sandbox and make test.
SHELL := /bin/sh
VENV := .venv-dev
PYTHON := $(VENV)/bin/python
STAMP := $(VENV)/.installed
FUZZER := .venv-fuzz

.PHONY: sandbox test nightly fuzz chaos install-test lint bench bench-scale exposure lock clean system

sandbox:
	./install.sh --sandbox

test: $(STAMP) system
	bats tests/install/flags.bats
	$(PYTHON) -m pytest -n 2 --dist loadgroup $(TESTS)

# A hundred times as many stories, broken messages and requests; takes more than an hour.
nightly: $(STAMP) system
	HYPOTHESIS_PROFILE=nightly $(PYTHON) -m pytest -n 2 --dist loadgroup --timeout 14400 tests/flows tests/web/test_described.py

# Bytes that find their own way into what reads strangers' words, for so many seconds each; what
# they break is in artifacts/fuzz. The fuzzer has no wheel for arm64, so the tests do without it.
SECONDS := 60
fuzz: $(STAMP) $(FUZZER)/.installed
	PYTHONPATH=$(FUZZER) $(PYTHON) -m tests.fuzz --seconds $(SECONDS)

# Random schedules of customers and faults: `make chaos N=10000 SEED=1`; prints JSON.
N := 1000
chaos: $(STAMP) system
	$(PYTHON) -m tests.chaos --count $(N) $(if $(SEED),--seed $(SEED))

# A box's whole life on a fresh Debian 12: as root, some minutes, from Debian's mirror the first time.
install-test: $(STAMP)
	command -v debootstrap >/dev/null || apt-get install -y -qq debootstrap >/dev/null
	$(PYTHON) -m pytest -x --timeout 900 tests/install/debian.py

lint: $(STAMP) system
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(PYTHON) -m tests.provisioning.samples
	$(PYTHON) -m tests.audit
	shellcheck install.sh appliance/installer/*.sh .ci/run tests/system.sh tests/install/systemctl \
		tests/install/flags.bats

# All but what a long life costs; `make bench PART=cost` for one part of it.
bench: $(STAMP)
	$(PYTHON) -m tests.bench $(if $(PART),--$(PART))

bench-scale: $(STAMP)
	$(PYTHON) -m tests.bench --scale --mongodb

# How much of the system a unit could reach if a stranger got into it: from 0, nothing, to 10.
exposure:
	@for unit in appliance/systemd/*.service; do \
		systemd-analyze security --no-pager --offline=yes $$unit | grep -o 'Overall exposure.*' || exit 1; \
	done

# What the tests need of Debian; says what is missing where it may not install.
system:
	@sh tests/system.sh

$(STAMP): requirements-dev.lock requirements-build.lock pyproject.toml
	python3 -m venv --clear $(VENV)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-build.lock
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(FUZZER)/.installed: $(STAMP) requirements-fuzz.lock
	rm -rf $(FUZZER)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: --target $(FUZZER) -r requirements-fuzz.lock
	touch $@

# Needs uv; run after a change of the dependencies in pyproject.toml.
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header
lock:
	$(LOCK) pyproject.toml -o requirements.lock
	$(LOCK) --prerelease=if-necessary-or-explicit --extra dev pyproject.toml -o requirements-dev.lock
	echo 'hatchling>=1.27\neditables' | $(LOCK) - -o requirements-build.lock
	echo 'atheris>=3,<3.1' | $(LOCK) - -o requirements-fuzz.lock

clean:
	rm -rf $(VENV) $(FUZZER) .venv artifacts build dist
