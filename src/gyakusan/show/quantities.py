"""A number stays on the line of its unit: 14.1 GiB, 54トークン/秒, 2 people.

The words of a page stay as they are, and so does what is copied from it: there is only a span around each number with its unit.
"""

from __future__ import annotations

import re

_SILENT = r"<!--.*?-->|<(?P<name>script|style|code|pre|kbd|option|textarea|svg|title)\b.*?</(?P=name)>|<[^>]*>"
"""What has no words to keep together: tags, commands, fields, drawings."""
_NUMBER = r"(?<![A-Za-z0-9_.,/:#-])±?[0-9][0-9,.]*"
_LATIN = (
    "[ \u00a0](?:[KMGT]i?B(?:/s)?|TFLOPS|Gbit/s|tokens/s|tokens?|people|person|yen|USD|EUR|CHF|points?|cards?|GPUs"
    "|min|ms|[Wsh]|kWh|%)(?![A-Za-z0-9_/])"
)
_JAPANESE = (
    "(?:トークン|人|枚|台|件|個|回|層|点|円|ドル|ユーロ|倍|秒|分|時間|か月|年|月|日|ポイント|モデル|ブロック|%)(?:/秒)?"
)
_WHOLE = re.compile(rf"{_SILENT}|(?P<quantity>{_NUMBER}(?:{_LATIN}|{_JAPANESE}))", re.DOTALL)


def kept_whole(page: str) -> str:
    """Return a page, or a part of one, in which no line ends between a number and its unit. Commands stay as they are."""
    return _WHOLE.sub(lambda found: f'<span class="q">{found[0]}</span>' if found["quantity"] else found[0], page)
