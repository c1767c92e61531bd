"""Formulas in the reader's language: of every engine, no English word is left on a Japanese screen."""

from __future__ import annotations

import re

import pytest

from gyakusan import api
from gyakusan.core.load import Load
from gyakusan.show.formula import formula
from gyakusan.text import tell

ASKED = [
    ("gpt-oss-20b", "RTX 4090", "llama.cpp"),
    ("deepseek-v3.2", "M3 Ultra 512GB", "llama.cpp"),
    ("qwen3-next-80b", "2x RTX 3090", "llama.cpp"),
    ("qwen3.6-27b", "H100", "vllm"),
    ("llama3.1-8b", "M4 Max 128GB", "mlx"),
    ("gemma3-27b", "RTX 4090", "ollama"),
]
KEPT = r"Attention|MiB|GiB|[BKIQ]\w*\d\w*|F16|F32|BF16|MXFP4|NVFP4|AWQ|FP8|x|B|[A-Z_]{4,}|max|min|ceil|e9|_?[MS]"
"""Units, element types, and the names of variables that a server reads."""


@pytest.mark.parametrize(("model", "device", "engine"), ASKED)
def test_no_english_word_is_left(model: str, device: str, engine: str) -> None:
    ledger = api.deployment(model, load=Load(2, 8192), device=device, server=engine).ledger
    told = [tell(formula(line.formula), "ja") for a in ledger.accounts for line in a.lines if line.formula]
    assert told
    for text in told:
        words = re.findall(r"[A-Za-z][A-Za-z0-9_]*", text)
        assert [w for w in words if not re.fullmatch(KEPT, w)] == [], text


def test_english_stays_as_it_is() -> None:
    text = "12 layers x 4 x 768 cells x (512 F16 + 512 F16)"
    assert tell(formula(text), "en") == text
    assert tell(formula(text), "ja") == "12層 x 4 x 768セル x (512 F16 + 512 F16)"
    assert formula("1 + 2") == "1 + 2"
