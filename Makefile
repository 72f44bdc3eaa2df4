# `make demo` and `make test` make a virtual environment and install what they need; nothing else is needed before.
PYTHON ?= python3
VENV ?= .venv
# On a machine without a GPU, the index https://download.pytorch.org/whl/cpu has smaller builds: PIP_FLAGS="--extra-index-url ...".
TORCH ?= torch==2.13.0
PIP_FLAGS ?=
BIN = $(VENV)/bin

.PHONY: install demo test test-integrations style quality docs clean

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

# The requirements of the frameworks exclude each other, so each has a separate environment.
FRAMEWORK ?= lm-eval

test-integrations:
	$(MAKE) install VENV=.venv-integrations/$(FRAMEWORK)
	.venv-integrations/$(FRAMEWORK)/bin/pip install --quiet "$(FRAMEWORK)"
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 .venv-integrations/$(FRAMEWORK)/bin/python -m pytest tests/integrations $(ARGS)

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

clean:
	rm -rf $(VENV) build dist outputs site *.egg-info
