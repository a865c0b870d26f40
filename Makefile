# The commands of photofeed; `make` alone lists them. They need Python 3.11 or newer and make. The
# first command that needs .venv makes it.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && exit; \
	done; echo python3)
RUN = .venv/bin/python
PIN = .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header
TOO_OLD = $(PYTHON) is missing or too old: photofeed needs Python 3.11 or newer. Install one, then \
	run make again; if it is not on PATH, name it: make PYTHON=/path/to/python3.12 up
# Two test processes, each with its own servers: one process would leave half of a small machine idle.
# A test that fails runs once more, and the result shows the rerun: a real fault fails twice, a
# time-out on a busy machine once.
SIDE_BY_SIDE = --numprocesses 2 --dist loadfile --no-loadscope-reorder --reruns 1 \
	--rerun-show-tracebacks
# A run prints its slowest tests and writes the time of every test to a file.
RECORD = --durations 25 --durations-min 1 --junit-xml .local/test/$(1).xml

# The linters of the API document are npm packages, pinned in tests/openapi/package-lock.json.
LINTERS = .local/openapi-linters
LINTED = $(LINTERS)/openapi.json

# With these variables Python would import modules from outside .venv.
unexport PYTHONPATH PYTHONHOME

# pip-audit and cyclonedx-bom have a virtual environment of their own: they need 50 packages.
SUPPLY = .local/supply
BILL = .local/sbom.json
LOCKS = requirements.txt requirements-dev.txt requirements-demo.txt requirements-supply.txt

.DEFAULT_GOAL := help
.PHONY: help up down status restart backup logs test test-system drill soak drill-alerts fuzz \
	fuzz-images bench bench-quick bench-compare check lint lint-openapi audit sbom format lock demo \
	packages tools python

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: packages  ## start everything in the foreground; Ctrl-C stops it (DETACH=1: in the background)
	@$(RUN) -m stack up $(if $(DETACH),--detach)

down: packages  ## stop the stack that DETACH=1 has started
	@$(RUN) -m stack down

status: packages  ## show which processes run
	@$(RUN) -m stack status

restart: packages  ## replace our processes one after the other, under load; the stores stay up
	@$(RUN) -m stack restart

backup: packages  ## write the graph to a file (FILE=…); Neo4j is stopped meanwhile
	@$(RUN) -m stack backup $(or $(FILE),.)

logs: packages  ## follow the logs (PART=api: the log of one part)
	@$(RUN) -m stack logs $(PART)

demo: packages  ## fill the running stack with a small town of people and photographs
	@$(RUN) -m demo

test: tools  ## run the tests of every package on real servers of their own (TESTS=tests/api: some)
	@$(RUN) -m stack fetch
	@$(RUN) -m pytest $(or $(TESTS),$(SIDE_BY_SIDE) $(call RECORD,test) --ignore tests/system tests) \
		$(PYTEST)

test-system: tools  ## kill, isolate and restart processes and whole stacks; drill for a minute
	@$(RUN) -m stack fetch
	@$(RUN) -m pytest $(SIDE_BY_SIDE) $(call RECORD,test-system) tests/system $(PYTEST)
	@PHOTOFEED_TEST_ASGI=1 $(RUN) -m pytest $(SIDE_BY_SIDE) $(call RECORD,test-asgi) \
		tests/api/endpoints tests/api/http tests/api/test_announcing.py $(PYTEST)

drill: tools  ## inject faults under load and check that nothing is lost (SECONDS=600 SEED=7)
	@$(RUN) -m stack fetch
	@$(RUN) -m drill --seconds $(or $(SECONDS),600) $(if $(SEED),--seed $(SEED)) \
		$(if $(CONTROL),--control $(CONTROL)) $(if $(GREEDY),--greedy)

soak: tools  ## an hour of load in which nothing that is cleared grows (MINUTES=60 SEED=7)
	@$(RUN) -m stack fetch
	@$(RUN) -m drill.soak --minutes $(or $(MINUTES),60) $(if $(SEED),--seed $(SEED))

drill-alerts: tools  ## troubles under load, and which alerts fire; needs prometheus (SEED=7)
	@$(RUN) -m stack fetch
	@$(RUN) -m drill.alerts $(if $(SEED),--seed $(SEED))

fuzz: tools  ## fuzz the API by its document, and what it parses (CASES=5000 or SECONDS=600, SEED=7)
	@$(RUN) -m stack fetch
	@$(RUN) -m tests.fuzz.api $(if $(SECONDS),--seconds $(SECONDS),--cases $(or $(CASES),5000)) \
		$(if $(SEED),--seed $(SEED))
	@FUZZ_SCALE=20 $(if $(SEED),FUZZ_SEED=$(SEED)) $(RUN) -m pytest -o timeout=1800 \
		tests/fuzz/parsers tests/api/http/test_odd_requests.py

fuzz-images: tools  ## decode mangled pictures in the real child (SECONDS=600 SEED=7)
	@$(RUN) -m tests.fuzz.images --seconds $(or $(SECONDS),600) $(if $(SEED),--seed $(SEED))

bench: tools  ## measure against peers and limits (ROWS=F1,R1 SEED=7 GROWTH=1)
	@$(RUN) -m stack fetch
	@$(RUN) -m bench $(if $(ROWS),--rows $(ROWS)) $(if $(SEED),--seed $(SEED)) \
		$(if $(GROWTH),--growth) $(BENCH)

bench-quick: tools  ## prove each row's result at small sizes; times are not judged
	@$(RUN) -m stack fetch
	@$(RUN) -m bench --quick $(if $(ROWS),--rows $(ROWS)) $(if $(SEED),--seed $(SEED))

bench-compare: tools  ## show two result files side by side (A=… B=…)
	@$(RUN) -m bench compare $(A) $(B)

check: lint  ## the same as lint

lint: tools  ## check rules, format, types and import contracts
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	.venv/bin/lint-imports

lint-openapi: tools $(LINTERS)/node_modules  ## check the API document with spectral and redocly (needs npm)
	@$(RUN) -m tests.openapi $(LINTED)
	$(LINTERS)/node_modules/.bin/spectral lint --fail-severity hint \
		--ruleset tests/openapi/spectral.yaml $(LINTED)
	REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true \
		$(LINTERS)/node_modules/.bin/redocly lint --config tests/openapi/redocly.yaml $(LINTED)

$(LINTERS)/node_modules: tests/openapi/package-lock.json
	@mkdir -p $(LINTERS)
	@cp tests/openapi/package.json tests/openapi/package-lock.json $(LINTERS)
	npm ci --ignore-scripts --no-audit --no-fund --silent --prefix $(LINTERS)
	@touch $@

audit: $(SUPPLY)/ready  ## look up known vulnerabilities of all Python packages (needs pypi.org)
	@for lock in $(LOCKS); do $(SUPPLY)/bin/pip-audit --strict --disable-pip --require-hashes \
		--progress-spinner off --requirement $$lock || exit 1; done

sbom: tools $(SUPPLY)/ready  ## write a bill of materials of all packages and jars (CycloneDX 1.6)
	@$(SUPPLY)/bin/cyclonedx-py requirements --of JSON --sv 1.6 --output-reproducible \
		-o $(BILL) requirements.txt
	@$(RUN) -m stack add-jars $(BILL)

$(SUPPLY)/ready: requirements-supply.txt | tools
	@$(PYTHON) -m venv --clear $(SUPPLY)
	@$(SUPPLY)/bin/python -m pip install --quiet --require-hashes -r requirements-supply.txt
	@touch $@

format: tools  ## format the code, and fix what ruff can fix
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

lock: tools  ## resolve and pin requirements*.in, the bench's peers and Neo4j's jars
	for name in requirements requirements-dev requirements-supply; do $(PIN) $$name.in -o $$name.txt || exit 1; done
	for name in stream textbook webpush; do \
		$(PIN) bench/peers/$$name.in -o bench/peers/$$name.txt || exit 1; done
	$(PIN) --no-deps requirements-demo.in -o requirements-demo.txt
	$(RUN) -m stack lock

packages: python
	@$(PYTHON) -P stack/setup.py

tools: python
	@$(PYTHON) -P stack/setup.py --tools

python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "$(TOO_OLD)" >&2; exit 1; }
