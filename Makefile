# The two commands of the README work from a bare clone: only Python 3.11+ and make are needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := runs/demo
export OMP_NUM_THREADS ?= 1

.PHONY: demo test lint types slow golden clean

# The environment is made anew when the declared dependencies change.
$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	-$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[synthetic]"
	touch $@

demo: $(VENV)/.ready
	$(BIN)/tlg build --source sample --out $(RUN)
	$(BIN)/tlg preview --source sample --groups 1
	$(BIN)/tlg audit $(RUN)
	$(BIN)/tlg train-rm $(RUN) --recipe tiny -o $(RUN)-rm
	$(BIN)/tlg eval-rm $(RUN)-rm --on $(RUN)
	$(BIN)/tlg convert $(RUN) --to tracelift -o $(RUN).jsonl
	$(BIN)/tlg view $(RUN) --rm $(RUN)-rm

test: $(VENV)/.ready
	$(BIN)/python -m pytest -q -m "not slow and not gpu and not network"

slow: $(VENV)/.ready
	$(BIN)/python -m pytest -q -m "slow and not gpu and not network"

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.ready
	$(BIN)/mypy

# The shipped sample groups; a test compares them with what the engine makes.
golden: $(VENV)/.ready
	$(BIN)/tlg preview --source sample --groups 3 --json --limit 3 > $(VENV)/golden.jsonl
	$(BIN)/python -c "import json, sys; from tracelift_groups.formats import to_tracelift; \
	from tracelift_groups.records import Group; \
	[print(json.dumps(to_tracelift(Group.model_validate_json(l)), ensure_ascii=False)) \
	for l in sys.stdin]" < $(VENV)/golden.jsonl > data/groups/sample.jsonl

clean:
	rm -rf $(VENV) $(RUN) $(RUN)-rm $(RUN).jsonl
