"""The head of a README.md."""

from __future__ import annotations

import pytest

from gyakusan.models.formats import card

HEAD = """---
license: other
license_name: "my-licence" # ours
language:
- en
- 'ja'
tags: [a, "b", ]
extra: |
  long text
base_model: x/y
---
# Title
license: mit
"""


def test_texts_and_lists() -> None:
    found = card.facts(HEAD.encode())
    assert found == {
        "license": ("other",),
        "license_name": ("my-licence",),
        "language": ("en", "ja"),
        "tags": ("a", "b"),
        "base_model": ("x/y",),
    }


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"# Title\nlicense: mit\n",
        b"---\nlicense: mit\n",
        b"---\n" + b"- a\n" * 5000,
        b"\xff\xfe---\nlicense: mit\n---",
    ],
)
def test_what_has_no_head_says_nothing(raw: bytes) -> None:
    assert card.facts(raw) == {}


def test_a_long_list_is_cut_and_signs_are_dropped() -> None:
    found = card.facts(b"---\nlanguage:\n" + b"- en\x1b[0m\n" * 1500 + b"---\n")
    assert len(found["language"]) == card.ITEMS
    assert found["language"][0] == "en[0m"
