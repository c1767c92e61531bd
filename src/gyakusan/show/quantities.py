"""A number stays on the line of its unit: 14.1 GiB, 54トークン/秒, 2 people; a day and a name with hyphens stay whole too.

The words of a page stay as they are, and so does what is copied from it: there is only a span around each number with its unit.
"""

from __future__ import annotations

import re

_SILENT = r"<!--.*?-->|<(?P<name>script|style|code|pre|kbd|option|textarea|svg|title)\b.*?</(?P=name)>|<[^>]*>"
"""What has no words to keep together: tags, commands, fields, drawings."""
_TIME = "(?<![0-9])[0-9]{1,6}(?:時間|分)[0-9]{1,2}[分秒]"
_FIGURE = "±?[0-9][0-9,.]*"
_NUMBER = rf"(?<![A-Za-z0-9_.,/:#-]){_FIGURE}"
_LATIN = (
    "[ \u00a0](?:[KMGT]i?B(?:/s)?|TFLOPS|Gbit/s|tokens/s|tokens?|people|person|yen|USD|EUR|CHF|points?|cards?|GPUs"
    "|min|ms|[Wsh]|kWh|%)(?![A-Za-z0-9_/])"
)
_JAPANESE = (
    "(?:トークン|人|枚|台|件|個|回|層|点|円|ドル|ユーロ|倍|秒|分|時間|か月|年|月|日|ポイント|モデル|ブロック|%)(?:/秒)?"
)
_DAY = r"(?<![0-9-])[0-9]{4}-[0-9]{2}(?:-[0-9]{2})?(?![0-9-])|[0-9]{4}年[0-9]{1,2}月(?:[0-9]{1,2}日)?"
_THING = rf"\b[A-Z]{{2,4}}[ \u00a0]{_FIGURE}(?:枚|台)(?:以[上下])?"
"""A thing and how many of it: GPU 2枚以下."""
_NAME = r"(?<![A-Za-z0-9_.,/:#@&=-])[a-z][a-z0-9.]*(?:-[a-z0-9.]*[a-z0-9]){2,}(?![A-Za-z0-9_/:-])"
"""A name with hyphens, as models have: a browser would end a line behind each."""
_LONGEST = 24
"""A longer name may be broken: it has no room on a telephone. [letters]"""
_WHOLE = re.compile(
    rf"{_SILENT}|(?P<quantity>{_DAY}|{_TIME}|{_THING}|{_NUMBER}(?:{_LATIN}|{_JAPANESE})(?:以[上下内])?)|(?P<called>{_NAME})",
    re.DOTALL,
)


def kept_whole(page: str) -> str:
    """Return a page, or a part of one, in which no line ends inside a quantity, a day or a name. Commands stay as they are."""

    def kept(found: re.Match[str]) -> str:
        whole = found["quantity"] or (found["called"] and len(found[0]) <= _LONGEST)
        return f'<span class="q">{found[0]}</span>' if whole else found[0]

    return _WHOLE.sub(kept, page)
