"""The article, checked: its claims one by one, with its figures drawn anew and a way to ask the same question."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gyakusan.message import say
from gyakusan.web.article.claims import CLAIMS, JUDGED_TEXTS, TONES, verdict
from gyakusan.web.rendering import page

ARTICLE = "https://qiita.com/vfuji/items/76a63ed27dc0845436b6"
"""Where the article stands; only a reader who follows the link goes there."""


def draw(request: Request) -> Response:
    """Return the page. Raises GyakusanError."""
    rows = [(c, JUDGED_TEXTS[c.judged], TONES[c.judged], c.find()) for c in CLAIMS]
    return page(request, "article.html", say("The article, checked"), verdict=verdict(), rows=rows, article=ARTICLE)
