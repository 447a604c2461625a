# `make run` and `make test` do all the set-up on a machine that has Python >= 3.11 and nothing else.
# Of $(1), the first Python that serves; pyenv's are found even where they are not enabled.
serving = $(shell for p in $(foreach name,$(1),$(name) $(wildcard $(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions/*/bin/$(name))); do "$$p" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
CHOSEN := $(call serving,$(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11))
# Bytecode is kept even where an image sets this: the tests start hundreds of processes, and each would compile all that it
# imports.
export PYTHONDONTWRITEBYTECODE :=
BIN := .venv/bin
INSTALL := $(BIN)/python tools/install.py
# A PYTHON that is named and of another version than that of .venv replaces it.
version = $(shell "$(1)" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
OTHER := $(and $(PYTHON),$(wildcard $(BIN)/python),$(filter-out $(call version,$(or $(CHOSEN),none)),$(call version,$(BIN)/python)))
HOST ?= 127.0.0.1
PORT ?= 8000
MINUTES ?= 100
STAGE ?= dev
# The tests of `make test-isa`: all whose outcome is computed by torch.
NUMERICAL ?= tests/research $(addprefix tests/core/,features feedforward methods synthesis $(foreach of,color lbfgs losses style_transfer_loss painting painting_runs style_cache strips style_folder,test_$(of).py))
# The command line whose schema fits aws-cdk-lib; CDK_FLAGS is passed on to it.
CDK := npx --yes aws-cdk@2.1148.1
# $(call lock,NAME,ARGUMENTS): compile for both processors of Lambda into build/locks/NAME.txt; fail where they differ.
COMPILE := $(BIN)/uv pip compile --quiet --constraints constraints.txt --generate-hashes --only-binary :all: --python-version 3.13 --no-header --no-annotate --no-emit-index-url
lock = $(foreach machine,aarch64 x86_64,$(COMPILE) --python-platform $(machine)-manylinux_2_34 --output-file build/locks/$(1).$(machine) $(2) > /dev/null &&) cmp build/locks/$(1).aarch64 build/locks/$(1).x86_64 && mv build/locks/$(1).aarch64 build/locks/$(1).txt
# What torch's CUDA build brings and its CPU build does without.
CUDA := ^(torch=|triton|cuda-|nvidia-)
# $(call sbom,DEPLOYABLE,LOCKS)
sbom = cat $(patsubst %,locks/%.txt,$(2)) | $(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --mc-type application --sv 1.6 --of JSON --output-reproducible --validate -o build/sbom/$(1).cdx.json -
BY_TEACHERS := $(if $(TEACHERS),--teachers "$(TEACHERS)")

.PHONY: help other-python run chromium test test-isa coverage chaos lint format bench fuzz load contract lock audit licenses sbom swatches train-encoder train-decoder train-coarse-decoder train-finisher quality synth diff deploy destroy clean
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-20s %s\n", $$1, $$2}'

run: .venv/.run ## start the local service and its page
	$(BIN)/stylizer-server --host $(HOST) --port $(PORT)

chromium: .venv/.dev ## find or install Chromium for tests/browser
	@$(BIN)/python -m tools.chromium

test: .venv/.dev chromium ## run every test [PYTHON=python3.13]
	$(BIN)/python -m pytest

test-isa: .venv/.dev ## run the numerical tests with the instruction sets of other CPUs, as far as this one has them
	@failed=; for kernels in ONEDNN_MAX_CPU_ISA=AVX2 ONEDNN_MAX_CPU_ISA=AVX512_CORE ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16 ONEDNN_MAX_CPU_ISA=AVX512_CORE_AMX ATEN_CPU_CAPABILITY=avx2; do echo "== $$kernels"; env $$kernels $(BIN)/python -m pytest $(NUMERICAL) || failed="$$failed $$kernels"; done; test -z "$$failed" || { echo "failed with$$failed" >&2; exit 1; }

coverage: .venv/.dev chromium ## run every test with branch coverage; fails below 95 % of the core or the service layer
	@mkdir -p build/coverage
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage json --quiet
	$(BIN)/python -m coverage report --show-missing --skip-covered
	@PYTHONPATH=tests $(BIN)/python -m branches build/coverage/report.json

chaos: .venv/.dev ## inject faults while a few hundred jobs run, and count lost and repeated ones
	PYTHONPATH=tests $(BIN)/python -m tools.chaos $(CHAOS)

lint: .venv/.dev ## check source and tests with ruff, codespell and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/mypy

format: .venv/.dev ## apply ruff's fixes and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/.dev ## measure every method and textbook baselines, and write docs/benchmarks.md [TEACHERS=dir BENCH=--resume]
	$(BIN)/python -m benchmarks $(BY_TEACHERS) $(BENCH)
	$(BIN)/python -m benchmarks.page

fuzz: .venv/.dev ## fuzz the decoders with thousands of malformed pictures and clips [FUZZ="--inputs 6000 --seconds 270 --seed 1"]
	PYTHONPATH=tests $(BIN)/python -m tools.fuzz $(FUZZ)
	PYTHONPATH=tests $(BIN)/python -m tools.fuzz.clips $(FUZZ)

load: .venv/.dev ## load test a server: requests per second, p50, p99, rejections
	PYTHONPATH=tests $(BIN)/python -m tools.load

contract: .venv/.dev ## regenerate docs/openapi.json
	$(BIN)/python -m stylizer_api.contract_file docs/openapi.json

lock: .venv/.dev ## pin and hash the deployed packages [TORCH_CPU_INDEX=https://... for torch's CPU build]
	@rm -rf build/locks && mkdir -p build/locks
	@printf '%s\n' numpy rich safetensors torch typer > build/locks/core-only.txt # the layer ships without the core
	$(call lock,layer,pyproject.toml --extra layer --excludes build/locks/core-only.txt)
	$(call lock,images,pyproject.toml --extra painter)
	@grep -o 'torchvision==[0-9.]*' pyproject.toml | head -n 1 > build/locks/vgg19.in
	$(call lock,vgg19,build/locks/vgg19.in --no-deps)
	@awk '/^[a-z]/ {cuda = /$(CUDA)/} !cuda' build/locks/images.txt > build/locks/painter.txt
	@awk '/^[a-z]/ {cuda = /$(CUDA)/} cuda' build/locks/images.txt > build/locks/torch-cuda.txt
	@grep -o '^torch==[0-9.]*' build/locks/torch-cuda.txt | sed 's/$$/+cpu/' > build/locks/torch-cpu.in
ifdef TORCH_CPU_INDEX
	$(call lock,torch-cpu,build/locks/torch-cpu.in --no-deps --index $(TORCH_CPU_INDEX) --index-strategy unsafe-best-match)
else
	@if grep -qF "$$(cat build/locks/torch-cpu.in)" locks/torch-cpu.txt; then grep -v '^# Written' locks/torch-cpu.txt; else cat build/locks/torch-cpu.in; fi > build/locks/torch-cpu.txt
endif
	@for name in layer painter torch-cpu torch-cuda vgg19; do { echo '# Written by `make lock`. docs/security.md describes the locks.'; cat build/locks/$$name.txt; } > locks/$$name.txt; done

audit: .venv/.dev ## ask OSV for known vulnerabilities in every locked or pinned version; fails if it cannot be asked
	$(BIN)/pip-audit --strict --disable-pip --no-deps --progress-spinner off --vulnerability-service osv --timeout 15 --desc off $(AUDIT_FLAGS) $(patsubst %,--requirement %,$(filter-out locks/torch-cpu.txt,$(wildcard locks/*.txt)) constraints.txt)

licenses: .venv/.dev ## list the licenses of deployed packages; fails if one is not in [tool.pip-licenses]
	$(BIN)/pip-licenses --packages $(shell grep -ohE '^[A-Za-z0-9._-]+' locks/layer.txt locks/painter.txt locks/torch-cpu.txt | sort -u)

sbom: .venv/.dev ## write a CycloneDX bill of materials of each deployable into build/sbom
	@mkdir -p build/sbom
	$(call sbom,layer,layer)
	$(call sbom,painter-lambda,painter torch-cpu)
	$(call sbom,painter-sagemaker,painter torch-cuda)

swatches: .venv/.dev ## redraw the swatches of the styles generated by code
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

train-coarse-decoder: .venv/.training ## train the coarse decoder; TEACHERS=dir must hold the compressed VGG-19
	@test -d "$(CONTENT)" -a -d "$(STYLE)" -a -d "$(TEACHERS)" || { echo "name three folders: make train-coarse-decoder CONTENT=photographs STYLE=artworks TEACHERS=weights" >&2; exit 1; }
	$(BIN)/python -m training.coarse_decoder --content "$(CONTENT)" --style "$(STYLE)" --teachers "$(TEACHERS)" --minutes $(MINUTES) --out "$(or $(OUT),build/coarse_decoder)"

train-finisher: .venv/.training ## train the finisher of drafts; TEACHERS=dir must contain the compressed VGG-19
	@test -d "$(CONTENT)" -a -d "$(STYLE)" -a -d "$(TEACHERS)" || { echo "name three folders: make train-finisher CONTENT=photographs STYLE=artworks TEACHERS=weights" >&2; exit 1; }
	$(BIN)/python -m training.drafts --content "$(CONTENT)" --style "$(STYLE)" --out "$(or $(OUT),build/finisher)/drafts"
	$(BIN)/python -m training.finisher --drafts "$(or $(OUT),build/finisher)/drafts" --teachers "$(TEACHERS)" --minutes $(MINUTES) --out "$(or $(OUT),build/finisher)"

quality: .venv/.training ## measure style and content distance of every method over CONTENT=dir, STYLE=dir [TEACHERS=dir]
	@test -d "$(CONTENT)" -a -d "$(STYLE)" || { echo "name two folders of pictures: make quality CONTENT=photographs STYLE=artworks" >&2; exit 1; }
	$(BIN)/python -m training.quality --content "$(CONTENT)" --style "$(STYLE)" $(BY_TEACHERS)

synth: .venv/.infra ## write the CloudFormation template of STAGE=dev into cdk.out, without Docker or an account
	rm -rf cdk.out
	STAGE="$(STAGE)" $(BIN)/python -m infra.app

diff: .venv/.infra ## show what a deploy of STAGE=dev would change
	@$(BIN)/python -m infra.preflight "$(STAGE)"
	$(CDK) diff -c stage="$(STAGE)" $(CDK_FLAGS)

deploy: .venv/.infra ## create or update STAGE=dev in the current AWS account
	@$(BIN)/python -m infra.deploy "$(STAGE)" --cdk="$(CDK)" $(if $(SKIP_QUOTAS),--skip-quotas) --flags="$(CDK_FLAGS)"

destroy: .venv/.infra ## delete STAGE=dev
	@$(BIN)/python -m infra.preflight "$(STAGE)"
	$(CDK) destroy -c stage="$(STAGE)" $(CDK_FLAGS)

clean: ## delete the virtual environment, build outputs and caches
	rm -rf .venv build cdk.out dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python: $(if $(OTHER),other-python)
	@test -n "$(CHOSEN)" || { echo "Python 3.11 or newer with venv is needed, and $(or $(PYTHON),no other) does not qualify: name one with 'make PYTHON=/path/to/python3 ...'" >&2; exit 1; }
	$(CHOSEN) -m venv --clear .venv

.venv/.run: .venv/bin/python pyproject.toml constraints.txt tools/install.py
	$(INSTALL) --editable '.[local]'
	@touch $@

.venv/.infra: .venv/bin/python pyproject.toml constraints.txt tools/install.py
	$(INSTALL) --group infra
	@touch $@

.venv/.dev: .venv/bin/python pyproject.toml constraints.txt tools/install.py
	$(INSTALL) --editable '.[layer,local,painter,vgg19]' --group dev --group swatches
	@touch $@ .venv/.run .venv/.infra

.venv/.training: .venv/bin/python pyproject.toml constraints.txt tools/install.py
	$(INSTALL) --editable '.[local,vgg19]' --group training
	@touch $@ .venv/.run
