"""English that is left in Japanese text: two words or more in a row that are no name, no command and no address."""

from __future__ import annotations

import re
from collections.abc import Iterable

_PROGRAMS = (
    "gyakusan|pip|uv|conda|brew|winget|curl|git|make|ollama|docker|podman|systemctl|hf|sudo"
    "|kubectl|helm|llama-server|vllm|ray"
)
_TYPED = re.compile(
    r"https?://\S+|(?:[\w.<>~-]*/)+[\w.<>~-]*|`[^`]*`|「[^」\n]*」|\"[^\"\n]*\"|'[^'\n]*'"
    rf"|--?[a-z][\w-]*(?:[ =][\w.,:=/]+)?|\b(?:{_PROGRAMS})(?: [\w.:@=+-]+)+"
)
"""What is typed or quoted: addresses, paths, code, quotations, options, commands."""
_GLOSS = re.compile(r"(?:(?<=[ぁ-ゖァ-ヺー一-龠*])|(?<=MoE))\([A-Za-z ]+\)")
"""The English of a Japanese word, right behind it."""
_RUN = re.compile(r"(?<![\w.])[A-Za-z][a-z']+(?:,? [a-z][a-z']+)+(?!\w)")
"""Words in a row of which all but the first are lower case."""


def english(text: str, names: Iterable[str] = ()) -> list[str]:
    """Return the runs of English words; lists of single words ("on, off") are values, and `names` may be folded."""
    for name in sorted(names, key=len, reverse=True):
        text = re.sub(r"\s+".join(map(re.escape, name.split())), "・", text)
    plain = _TYPED.sub(" ・ ", _GLOSS.sub("", text))
    return [run[0] for run in _RUN.finditer(plain) if any(" " in part for part in run[0].split(", "))]
