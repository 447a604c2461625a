# `make run` and `make test` do all the set-up on a machine that has Python >= 3.11 and nothing else.
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11,$(if $(shell $(p) -c 'import sys, venv, ensurepip; print(sys.version_info >= (3, 11) or "")' 2>/dev/null | grep True),$(p))))
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
HOST ?= 127.0.0.1
PORT ?= 8000
MINUTES ?= 100
STAGE ?= dev
# The command line whose schema fits aws-cdk-lib; CDK_FLAGS is passed on to it.
CDK := npx --yes aws-cdk@2.1148.1
BY_TEACHERS := $(if $(TEACHERS),--teachers "$(TEACHERS)")

.PHONY: help run test coverage chaos lint format bench fuzz load contract lock audit licenses sbom swatches train-encoder train-decoder quality synth diff deploy destroy clean
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-13s %s\n", $$1, $$2}'

run: .venv/.run ## start the local service and its page
	$(BIN)/stylizer-server --host $(HOST) --port $(PORT)

test: .venv/.dev ## run every test; those of the page need Chromium (Debian: the package chromium)
	$(BIN)/python -m pytest

coverage: .venv/.dev ## run every test and tell which branches they take; fails where it is too few
	@mkdir -p build/coverage
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest --timeout 600
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage json --quiet
	$(BIN)/python -m coverage report --show-missing --skip-covered
	@PYTHONPATH=tests $(BIN)/python -m branches build/coverage/report.json

chaos: .venv/.dev ## kill, fill up, hold and garble everything under a few hundred jobs, and count what is lost
	PYTHONPATH=tests $(BIN)/python -m chaos $(CHAOS)

lint: .venv/.dev ## ruff and mypy, strict, over source and tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/.dev ## let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/.dev ## measure every method beside textbook yardsticks, and write docs/benchmarks.md [TEACHERS=dir BENCH=--resume]
	$(BIN)/python -m benchmarks $(BY_TEACHERS) $(BENCH)
	$(BIN)/python -m benchmarks.page

fuzz: .venv/.dev ## feed decoders with bombs, lies and a few thousand broken pictures [FUZZ="--inputs 6000 --seconds 270 --seed 1"]
	PYTHONPATH=tests $(BIN)/python -m fuzz $(FUZZ)

load: .venv/.dev ## real clients against a real server, stage by stage: requests a second, p50, p99, and what was refused
	PYTHONPATH=tests $(BIN)/python -m load

contract: .venv/.dev ## write docs/openapi.json anew
	$(BIN)/python -m functions.api.contract_file docs/openapi.json

lock: .venv/.dev ## pin and hash anew what is deployed [TORCH_CPU_INDEX=https://... for torch's CPU build]
	$(BIN)/python -m infra.locks

audit: .venv/.dev ## ask OSV whether a version that is locked or pinned is known to be vulnerable
	$(BIN)/python -m infra.audit

licenses: .venv/.dev ## list the license of everything that is deployed; fails where one is not allowed
	$(BIN)/python -m infra.licenses

sbom: .venv/.dev ## write what each deployable is made of, as CycloneDX, into build/sbom
	$(BIN)/python -m infra.sbom

swatches: .venv/.dev ## paint the built-in styles anew
	$(BIN)/python -m swatches

train-encoder: .venv/.training ## distill the compact encoder from CONTENT=dir, STYLE=dir [TEACHERS=dir MINUTES=100 OUT=dir]
	@test -d "$(CONTENT)" -a -d "$(STYLE)" || { echo "name two folders of pictures: make train-encoder CONTENT=photographs STYLE=artworks" >&2; exit 1; }
	$(BIN)/python -m training.distill --content "$(CONTENT)" --style "$(STYLE)" $(BY_TEACHERS) --minutes $(MINUTES) --out "$(or $(OUT),build/encoder)"
	$(BIN)/python -m training.export --run "$(or $(OUT),build/encoder)"
	$(BIN)/python -m training.evaluate --content "$(CONTENT)" --style "$(STYLE)" $(BY_TEACHERS)

train-decoder: .venv/.training ## train the feed-forward decoder; also needs EVAL_CONTENT=dir, EVAL_STYLE=dir to choose by
	@test -d "$(CONTENT)" -a -d "$(STYLE)" -a -d "$(EVAL_CONTENT)" -a -d "$(EVAL_STYLE)" || { echo "name four folders of pictures: make train-decoder CONTENT=photographs STYLE=artworks EVAL_CONTENT=others EVAL_STYLE=others" >&2; exit 1; }
	$(BIN)/python -m training.feedforward --content "$(CONTENT)" --style "$(STYLE)" $(BY_TEACHERS) --minutes $(MINUTES) --out "$(or $(OUT),build/decoder)"
	$(BIN)/python -m training.choose --run "$(or $(OUT),build/decoder)" --content "$(EVAL_CONTENT)" --style "$(EVAL_STYLE)" $(BY_TEACHERS)

quality: .venv/.training ## style and content distance of every method over CONTENT=dir, STYLE=dir [TEACHERS=dir]
	@test -d "$(CONTENT)" -a -d "$(STYLE)" || { echo "name two folders of pictures: make quality CONTENT=photographs STYLE=artworks" >&2; exit 1; }
	$(BIN)/python -m training.quality --content "$(CONTENT)" --style "$(STYLE)" $(BY_TEACHERS)

synth: .venv/.infra ## write the CloudFormation template of STAGE=dev into cdk.out, without Docker or an account
	rm -rf cdk.out
	STAGE="$(STAGE)" $(BIN)/python -m infra.app

diff: .venv/.infra ## say what a deploy of STAGE=dev would change
	@$(BIN)/python -m infra.preflight "$(STAGE)"
	$(CDK) diff -c stage="$(STAGE)" $(CDK_FLAGS)

deploy: .venv/.infra ## put STAGE=dev into the AWS account that you are logged in to, or bring it up to date
	@$(BIN)/python -m infra.deploy "$(STAGE)" --cdk="$(CDK)" $(if $(SKIP_QUOTAS),--skip-quotas) --flags="$(CDK_FLAGS)"

destroy: .venv/.infra ## take STAGE=dev out of the account again
	@$(BIN)/python -m infra.preflight "$(STAGE)"
	$(CDK) destroy -c stage="$(STAGE)" $(CDK_FLAGS)

clean: ## remove the virtual environment and every cache
	rm -rf .venv build cdk.out dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer with venv is needed, and none was found: name one with 'make PYTHON=/path/to/python3 ...'" >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.run: .venv/bin/python pyproject.toml constraints.txt
	$(PIP) --editable '.[local]'
	@touch $@

.venv/.infra: .venv/bin/python pyproject.toml constraints.txt
	$(PIP) --editable '.[infra]'
	@touch $@

.venv/.dev: .venv/bin/python pyproject.toml constraints.txt
	$(PIP) --editable '.[dev,swatches]'
	@touch $@ .venv/.run .venv/.infra

.venv/.training: .venv/bin/python pyproject.toml constraints.txt
	$(PIP) --editable '.[local,training]'
	@touch $@ .venv/.run
