# The menu of the project: `make` alone prints it. What needs more than three lines is done in backend/scripts.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo dev grpc envoy setup tools seed test test-backend test-postgres test-postgres-e2e test-frontend test-e2e \
	conformance smoke soak bench lint lint-backend lint-frontend lint-protos check-protos protos fmt fuzz lock clean

# Any Python 3 will do to start with: the script looks for one that is new enough, or takes the one that PYTHON names.
ANY_PYTHON := $(firstword $(foreach name,python3 python3.13 python3.12 python3.11 $(PYTHON),$(shell command -v $(name) 2>/dev/null)))
# Each worker has servers and databases of its own; ARGS="-n 0" is for a debugger. Tests wait for those servers, those
# without a browser half of the time, so that there are more workers than cores. With whole files they start fewer servers.
workers = -n $(shell expr $$(getconf _NPROCESSORS_ONLN) + $(1))
PROJECT = $(or $(ANY_PYTHON),$(error Python 3.11 or newer is needed, and no python3 was found)) backend/scripts/project.py
PIP_COMPILE := ../../.venv/bin/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host

help: ## Print this menu
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## Install what is missing and serve the site on http://127.0.0.1:8000 (another port: PORT=9000)
	@$(PROJECT) demo

dev: ## The same with reload of Python, templates and frontend, and with error pages
	@$(PROJECT) dev

grpc: ## Serve native gRPC on 127.0.0.1:50051 with reload (another port: PORT=50052)
	@$(PROJECT) grpc

envoy: ## The demo and native gRPC behind Envoy on http://127.0.0.1:8080 (another port: ENVOY_PORT=8081)
	@$(PROJECT) envoy

test: lint test-backend test-frontend test-e2e ## Run all checks and tests, installing what they need

lint: lint-backend lint-frontend lint-protos check-protos ## Run all checks: style, types, imports, migrations, protos

fmt: tools ## Format all sources and fix what can be fixed by a tool
	cd backend && ../.venv/bin/ruff check --fix . ; ../.venv/bin/ruff format .
	cd frontend && npm run --silent fmt
	cd protos && ../.venv/bin/buf format --write

protos: tools ## Generate code from the .proto files
	.venv/bin/python protos/generate.py

check-protos: tools ## Fail if the generated code does not match the .proto files
	.venv/bin/python protos/generate.py --check

test-backend: tools ## Python tests, without the browser (ARGS="-k word" picks some)
	cd backend && ../.venv/bin/pytest $(call workers,2) --dist loadfile --ignore=tests/e2e $(ARGS)

test-postgres: tools ## The same on PostgreSQL: one that DATABASE_URL names, or one that is started from an installed package
	cd backend && ../.venv/bin/python scripts/postgres.py ../.venv/bin/pytest $(call workers,2) --dist worksteal --ignore=tests/e2e $(ARGS)

test-postgres-e2e: tools ## Browser tests on PostgreSQL, found or started in the same way
	@env -u DATABASE_URL $(PROJECT) setup
	chromium=$$(.venv/bin/python backend/scripts/browser.py) && cd backend && \
		CHROMIUM="$$chromium" ../.venv/bin/python scripts/postgres.py ../.venv/bin/pytest tests/e2e --dist worksteal $(call workers,1) $(ARGS)

test-frontend: tools ## JavaScript tests
	cd frontend && npm test

test-e2e: setup ## Browser tests; $CHROMIUM names the browser, or one is found or installed
	chromium=$$(.venv/bin/python backend/scripts/browser.py) && cd backend && \
		CHROMIUM="$$chromium" ../.venv/bin/pytest tests/e2e --dist worksteal $(call workers,1) $(ARGS)

conformance: tools ## The public gRPC conformance suite against the bridge; needs Go (ARGS=--quick for half of it)
	cd backend && ../.venv/bin/python -m tests.conformance.run $(ARGS)

smoke: tools ## Check a running site: URL=http://127.0.0.1:8000 ENVOY_URL=http://127.0.0.1:8080 GRPC=127.0.0.1:50051
	cd backend && ../.venv/bin/python -m tests.smoke $(or $(URL),http://127.0.0.1:8000) \
		$(if $(ENVOY_URL),--envoy $(ENVOY_URL)) $(if $(GRPC),--grpc $(GRPC))

fuzz: tools ## Search for requests that break the bridge, for 30 seconds (ARGS="--seconds 300 --seed 1")
	cd backend && ../.venv/bin/python -m tests.fuzz $(ARGS)

soak: tools ## Load, restarts and slow callers against all servers, for some minutes (ARGS="restarts" picks a part)
	cd backend && ../.venv/bin/python -m tests.soak $(ARGS)

bench: ## Measure the bridge beside its peers, for some six minutes (ARGS="--only micro,unary" picks some tables)
	@$(PROJECT) bench $(ARGS)

lint-backend: tools
	cd backend && ../.venv/bin/ruff check . && ../.venv/bin/ruff format --check .
	cd backend && ../.venv/bin/mypy && ../.venv/bin/lint-imports
	cd backend && DJANGO_SQLITE_PATH=:memory: ../.venv/bin/python manage.py makemigrations --check --dry-run

lint-frontend: tools
	cd frontend && npm run --silent lint

lint-protos: tools
	image=$$(mktemp) && trap 'rm -f "$$image"' EXIT && .venv/bin/python protos/generate.py --image "$$image" && \
		.venv/bin/buf lint "$$image#format=binpb" --config protos/buf.yaml
	.venv/bin/buf format --diff --exit-code protos

setup: ## Install, build and migrate everything, and run nothing
	@$(PROJECT) setup

seed: tools ## Create the demo users, products and orders where they are missing
	.venv/bin/python backend/manage.py seed

lock: tools ## Lock the versions and hashes of the Python packages that requirements/*.in name
	cd backend/requirements && for name in base dev envoy bench; do \
		CUSTOM_COMPILE_COMMAND="make lock" $(PIP_COMPILE) --output-file $$name.txt $$name.in || exit 1; done

clean: ## Remove all that was installed or built; the database stays
	rm -rf .venv backend/bench/.venv frontend/node_modules frontend/dist backend/staticfiles backend/test-results
	rm -rf backend/.*_cache backend/.hypothesis
	find backend protos -type d -name __pycache__ -prune -exec rm -rf {} +

tools:
	@$(PROJECT) tools
