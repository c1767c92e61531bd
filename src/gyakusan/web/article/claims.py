"""The claims of the article in its order, and how many of them hold."""

from __future__ import annotations

from collections import Counter

from gyakusan.documents.article import ArticleJson, ClaimJson
from gyakusan.message import Message, say
from gyakusan.web.article import hardware_claims, memory_claims
from gyakusan.web.article.claim import Claim, Judged

CLAIMS: tuple[Claim, ...] = (*memory_claims.CLAIMS, *hardware_claims.CLAIMS)
JUDGED_TEXTS: dict[Judged, str] = {"right": "Right", "conditions": "Right under conditions", "corrected": "Corrected"}
TONES: dict[Judged, str] = {"right": "good", "conditions": "caution", "corrected": "bad"}


def verdict() -> Message:
    """Return the first sentence of the page: how many claims hold."""
    counts = Counter[str](claim.judged for claim in CLAIMS)
    return say(
        "Of {n} claims {right} are right, {conditions} under conditions; {corrected} are corrected.",
        n=len(CLAIMS),
        **counts,
    )


def document() -> ArticleJson:
    """Return the claims with what is found, for programs. Raises GyakusanError."""
    claims = tuple(
        ClaimJson(name=c.name, said=c.said, judged=c.judged, found=c.find().words, try_it=c.to) for c in CLAIMS
    )
    return ArticleJson(verdict=verdict(), claims=claims)
