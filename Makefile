# Everything is done with the system's python3 (3.11 or newer), make and git. `make` alone says what there is.

PYTHON ?= python3
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
IN := .venv/bin/python -m

# The compiler of the locks. It is no part of the product, and lives apart from it.
UV := uv==0.13.9
PIP := .build/uv/bin/python $(wildcard stack/vendor/pip-*.whl)/pip
COMPILE := .build/uv/bin/uv --cache-dir .build/uv-downloads pip compile --quiet --universal --generate-hashes \
	--no-annotate --no-header --python-version 3.11

# $(call part,NAME,COMMAND): runs a part of the tests, and says how long it took.
define part
	@echo "-- $(1)"; begun=$$(date +%s); $(2); code=$$?; echo "-- $(1): $$(($$(date +%s) - begun)) s"; exit $$code
endef

# $(call tests,NAME,FOLDER,OPTIONS): the tests of a folder, or a line that there are none.
define tests
	$(call part,$(1) tests,if [ -d $(2) ]; then $(IN) pytest -q $(3) $(2); else echo "there are none in $(2)"; fi)
endef

# Two processes, those tests of a file in one of them, which has their servers.
TWO := -n 2 --dist loadfile

.PHONY: help run test test-setup lint test-unit test-property test-integration test-faults bench chaos soak stops fuzz peers audit lock clean python

help:
	@echo "make run                everything on this machine, to try it; Ctrl-C ends it"
	@echo "make run ARGS=--help    what it can be told"
	@echo "make test               lint, types and all tests; make lint, test-unit, test-property,"
	@echo "                        test-integration and test-faults are its parts"
	@echo "make bench              measures; the last figures are in docs/performance.md; ARGS='--only menus'"
	@echo "                        measures one part alone: a, b (turns), mix, codec, pairs, menus, swaps, core"
	@echo "make chaos              breaks the whole system in every way: kills, failpoints, lost answers, floods, attackers;"
	@echo "                        ARGS='kills --scale 0.1 --seed 7' a tenth of one campaign; ARGS=--list names them"
	@echo "make soak               for long: half an hour of load with a fault a minute, money against a plain model;"
	@echo "                        EXAMPLES=5000 (default 2000); then simulated worlds; SEEDS=20000 (default 5000)"
	@echo "make stops              SIGTERM of the engine under load; STOPS=50 (default 50)"
	@echo "make fuzz               octets changed at random against the SMPP layer; CASES=100000 (default 10000000)"
	@echo "make peers              fetches what the tests talk to that is not ours into .peers: node-smpp, tshark, Net::SMPP"
	@echo "make audit              our source through bandit, the locks through pip-audit: known vulnerabilities"
	@echo "make lock               writes the locks anew; UPGRADE=--upgrade takes newer versions"
	@echo "make clean              removes what was installed and made here, the data too"

run: python
	@$(PYTHON) stack/bootstrap.py
	@exec $(IN) stack.run $(ARGS)

test: test-setup
	$(call part,make test,$(MAKE) lint && $(MAKE) test-unit && $(MAKE) test-property && \
	$(MAKE) test-integration && $(MAKE) test-faults)

test-setup: python
	@$(PYTHON) stack/bootstrap.py --dev

lint: test-setup
	$(call part,ruff check,.venv/bin/ruff check --quiet)
	$(call part,ruff format,.venv/bin/ruff format --check --quiet)
	$(call part,mypy,$(IN) mypy --no-error-summary)

# Whatever is in no other folder is a unit test.
test-unit: test-setup
	$(call part,unit tests,$(IN) pytest -q $(TWO) tests --ignore tests/property --ignore tests/integration \
	--ignore tests/peers --ignore tests/faults)

test-property: test-setup
	$(call tests,property,tests/property,$(TWO))

test-integration: test-setup peers
	$(call tests,integration,tests/integration,$(TWO))
	$(call tests,peer,tests/peers)

# Those that say how long somebody waits have the machine to themselves.
test-faults: test-setup
	$(call tests,fault,tests/faults,$(TWO) --timeout 300 --ignore tests/faults/alone)
	$(call tests,lone fault,tests/faults/alone,--timeout 300)

bench: test-setup
	@exec $(IN) bench $(ARGS)

chaos: test-setup
	@exec $(IN) chaos $(ARGS)

soak: test-setup
	@$(IN) chaos soak $(ARGS)
	@SOAK_EXAMPLES=$(or $(EXAMPLES),2000) $(IN) pytest -q --timeout 0 -s tests/property/test_money_machine.py
	@$(IN) simulation --seeds $(or $(SEEDS),5000)

stops: test-setup
	@ENGINE_STOPS=$(or $(STOPS),50) $(IN) pytest -q --timeout 0 -s tests/integration/engine/test_stopping.py

fuzz: test-setup
	@exec $(IN) tests.fuzz --cases $(or $(CASES),10000000)

# What the tests talk to that is not ours: smpplib comes with the development lock; node-smpp, tshark and Net::SMPP are
# put in .peers, and nowhere else. What cannot be had is said loudly, and its tests are skipped; under CI=true they fail.
peers: test-setup
	@peers/install.sh

# A vulnerability that is found fails; a service that cannot be asked is said loudly, and fails nobody's build.
audit: test-setup
	$(call part,audit,$(IN) stack.audit)

lock: python
	@test -x .build/uv/bin/uv || { echo "installing $(UV) in .build"; $(PYTHON) -m venv --without-pip .build/uv && \
	$(PIP) install --quiet --no-cache-dir $(UV); }
	@echo "compiling requirements.lock"
	@$(COMPILE) $(UPGRADE) -o requirements.lock pyproject.toml
	@echo "compiling requirements-dev.lock"
	@$(COMPILE) $(UPGRADE) --extra dev --constraint requirements.lock -o requirements-dev.lock pyproject.toml
	@echo "compiling audit.lock"
	@$(COMPILE) $(UPGRADE) --group audit --constraint requirements-dev.lock -o audit.lock

clean:
	@rm -rf .venv .build .peers .data .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

python:
	@command -v $(PYTHON) >/dev/null || { echo "make: there is no $(PYTHON) on PATH: install Python 3.11 or newer" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $$($(PYTHON) -V 2>&1) is too old: \
	install Python 3.11 or newer, or name one: make run PYTHON=python3.11" >&2; exit 1; }
