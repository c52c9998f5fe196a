# Langganan: `make help` lists what can be done.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SERVICES := customers loyalty credit notify
UV := $(BIN)/uv --quiet
WORKERS ?= 2

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  \033[1m%-12s\033[0m %s\n", $$1, $$2}'

.PHONY: setup
setup: $(VENV)/.installed ## Install everything into .venv (Python 3.11 or later and the registries are enough)

$(VENV)/.locked: requirements.lock
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the locked packages into $(VENV) (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements.lock
	@touch $@

PROTO_SOURCES := $(shell find proto/langganan -name '*.proto') proto/hatch_build.py proto/pyproject.toml proto/service_config.json

$(VENV)/.proto: $(VENV)/.locked $(PROTO_SOURCES)
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --force-reinstall ./proto
	@touch $@

$(VENV)/.installed: $(VENV)/.proto kit/pyproject.toml $(SERVICES:%=services/%/pyproject.toml)
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation $(SERVICES:%=-e ./services/%) -e ./kit
	@touch $@

.PHONY: proto
proto: $(VENV)/.proto ## Generate the contract's stubs and install them

COMPILE := $(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-annotate --custom-compile-command "make lock"

.PHONY: lock
lock: ## Make requirements.lock again from requirements.in, and those of the images
	$(COMPILE) requirements.in -o requirements.lock
	$(COMPILE) deploy/images/run.in -c requirements.lock -o deploy/images/run.lock \
		$(foreach p,proto kit $(SERVICES),--no-emit-package langganan-$(p))
	$(COMPILE) deploy/images/build.in -c requirements.lock -o deploy/images/build.lock
	$(COMPILE) deploy/images/parts.in -c requirements.lock -o deploy/images/parts.lock
	$(COMPILE) deploy/images/tills.in -c requirements.lock --no-emit-package pandas -o deploy/images/tills.lock

.PHONY: up
up: setup ## Run all of Langganan on this machine until Ctrl-C (data in .local/)
	@$(BIN)/python -m local up

.PHONY: reset
reset: setup ## Empty the data of `make up` and `make demo`
	@$(BIN)/python -m local reset

.PHONY: token
token: setup ## Print a token for grpcurl (MERCHANT=…)
	@$(BIN)/python -m local token $(if $(MERCHANT),--merchant $(MERCHANT))

.PHONY: demo
demo: setup ## Play real baskets through the stack and reconcile (BASKETS=2000, REPORT=file.json)
	@$(BIN)/python -m local demo

.PHONY: chaos
chaos: setup ## Kill everything now and then while baskets are sold (KILLS=20, SEED=7), then outages of a minute
	@$(BIN)/python -m local chaos
	@OUTAGE_SECONDS=60 $(BIN)/pytest -q tests/system/test_outages.py

.PHONY: smoke
smoke: setup ## Run the rendered overlay local here, as a kubelet would: sell, roll, scale, break, kill (root)
	@$(BIN)/python -m local.rendered --whole

.PHONY: mutate
mutate: setup ## Change the models of credit a bit at a time and see that a test notices (a few minutes)
	@$(BIN)/python -m local.mutation

.PHONY: schema
schema: setup ## Write each schema.sql again from its migrations
	@$(BIN)/python -m local schema

.PHONY: settings-doc
settings-doc: setup ## Write docs/settings.md again from the settings classes
	@$(BIN)/python -m local.settings_doc

.PHONY: manifests
manifests: setup ## Render every overlay of deploy/ and check it against the published schemas
	@$(BIN)/python -m local.manifests

.PHONY: bench
bench: setup ## Measure credit's hot path against what the machine can do (QUICK=1, REPORT=file.json)
	@$(BIN)/python -m bench

PYTHON_CODE := kit/kit $(foreach s,$(SERVICES),services/$(s)/$(s)) local bench proto/hatch_build.py deploy/images/pip_conf.py

.PHONY: lint
lint: setup ## Check style, types, imports, the contract and the migrations
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .
	$(BIN)/mypy $(PYTHON_CODE)
	$(BIN)/lint-imports --config pyproject.toml
	cd proto && ../$(BIN)/buf lint
	proto/check-breaking $(BIN)/buf
	$(BIN)/squawk --config .squawk.toml $$(git ls-files '*/migrations/*.sql')

.PHONY: images
images: setup ## Build the images with buildah (TAG=local, BASE=debootstrap, IMAGES="credit parts", OUT=folder)
	@deploy/images/build $(IMAGES)

.PHONY: image-base
image-base: ## Make a base image with debootstrap, where no registry of images is within reach
	@deploy/images/base

.PHONY: image-test
image-test: setup ## Build images, run them read-only as 10001, ask their health, kill the parts (BASE=debootstrap)
	@$(BIN)/python -m tests.deploy.images_run

.PHONY: test-cluster
test-cluster: setup ## Break the product on a cluster for tests (KUBECONFIG; CHECKS=roll,kill KEEP=1 LEVEL=apiserver)
	@$(BIN)/python -m local.cluster

.PHONY: test
test: setup ## Run every test against a real Postgres and a real Kafka (WORKERS=2 at once, each with its own)
	@$(BIN)/pytest -n $(WORKERS) --dist loadfile
