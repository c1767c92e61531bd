"""The rule that decides which models are proposed where nobody names one: by measured scores and by use.

A model is proposed unless one of these holds; the first gives the reason:

base      it is a base model, an experiment or made for a single task: it does not answer people
toy       it has fewer than SMALLEST weights
files     nobody is known to publish its weights
shape     our count of its weights is not the published one, so that its memory is not known
unknown   it has fewer than ENOUGH scores, its maker's own among them, and neither youth nor use make up for that: one score is
          enough for a model that is younger than YOUNG or used; without any, a model must be both
replaced  its maker published a later model of its size class, no slower, whose own scores are at least as good
stale     a model that is younger by a GENERATION, hardly larger and no slower, is better beyond the error of the scores

A later model stands for an earlier one only if it reads as much (images, sound), was trained for as long a context, has a
licence that is no stricter, answers without thinking where the earlier one does, is not surely worse in Japanese or in code, and
is no coder where the earlier one is none. What was tuned from a model does not stand for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gyakusan.catalog.listing import LARGER, SMALLEST, Why
from gyakusan.core.quality import Score, better

ENOUGH = 3
"""Scores that need nothing else."""
YOUNG = 12
"""Age up to which a model is young, counted back from the newest model. [months]"""
USED = 10_000
"""Downloads a month that show use."""
GENERATION = 12
"""Age over that of a model that makes another one stale, whoever made them. [months]"""
MANY = 3
"""Publishers of its weights that show use, too."""
LONG = 262_144
"""Contexts beyond this are not compared. [tokens]"""
SAME_CLASS = (0.5, LARGER)
"""Size of a successor over that of the model that it replaces. [ratio]"""
SAME_SPEED = 1.25
"""How many more weights of a later model may work on a token. [ratio]"""
SURE = 0.95
"""Probability from which a model is better beyond the error."""
LIKELY = 0.8
"""The same where the earlier model was never scored: what is assumed of it has a wide error."""
SURELY_WORSE = 0.1
"""Probability to be better, below which a successor is surely worse."""
ALWAYS_THINKS = re.compile(
    r"think|reason|-r1|qwq|magistral|gpt-oss|minimax-m|cascade|ring-|nemotron-nano-8b|swallow.*-rl"
)
"""Names of models that cannot answer without thinking."""
OPEN = ("apache", "mit", "bsd", "cc-by-4.0", "openmdw", "modified-mit")
"""How licences begin that allow nearly every use."""
RESEARCH = ("cc-by-nc", "mrl", "mnpl", "qwen-research", "exaone", "")
"""Licences that forbid selling what is made with the model, and unknown ones."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model as the rule sees it.

    name: of the catalogue
    maker: owner of its first repository
    origin: name of the model that it was tuned from, "" = none or not known
    special: a base model, or one made for a single task
    coder: made for programming: judged by its score in code
    released: ISO 8601, "" = not known
    parameters: all weights [values]
    active: weights that work on one token [values]
    context: that it was trained for, 0 = not known [tokens]
    license: as the record has it
    modalities: what it reads
    counted: our count of its weights is the published one
    publishers: owners of repositories with its weights
    downloads: of its repositories in a month, 0 = not known
    scores: number of its scores, in the mode that has most
    overall: in its best mode [points]
    japanese: in that mode [points]
    coding: in that mode [points]
    """

    name: str
    maker: str
    origin: str
    special: bool
    coder: bool
    released: str
    parameters: float
    active: float
    context: int
    license: str
    modalities: frozenset[str]
    counted: bool
    publishers: frozenset[str]
    downloads: int
    scores: int
    overall: Score
    japanese: Score
    coding: Score

    @property
    def judged(self) -> Score:
        """The score that it is compared by."""
        return self.coding if self.coder else self.overall


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a model is not proposed.

    why: which part of the rule
    other: the model that stands for it, "" = none
    """

    why: Why
    other: str = ""


def decide(candidates: Sequence[Candidate]) -> dict[str, Verdict | None]:
    """Return for every model why it is not proposed, None if it is."""
    newest = max((months(c.released) for c in candidates if c.released), default=0)
    alone = {c.name: _alone(c, newest) for c in candidates}
    rivals = [c for c in candidates if alone[c.name] is None and c.scores]
    return {c.name: alone[c.name] or _surpassed(c, rivals) for c in candidates}


def _alone(model: Candidate, newest: int) -> Verdict | None:
    """Judge a model by itself. newest: date of the newest model, in months since the year 0."""
    if model.special:
        return Verdict("base")
    if model.parameters < SMALLEST:
        return Verdict("toy")
    if not model.publishers:
        return Verdict("files")
    if not model.counted:
        return Verdict("shape")
    return None if _evidence(model, newest) else Verdict("unknown")


def _evidence(model: Candidate, newest: int) -> bool:
    """Return True if enough is known of a model, by scores or by use."""
    young = bool(model.released) and newest - months(model.released) < YOUNG
    used = model.downloads >= USED or len(model.publishers) >= MANY
    if model.scores:
        return model.scores >= ENOUGH or young or used
    return used and young


def _surpassed(model: Candidate, rivals: Iterable[Candidate]) -> Verdict | None:
    """Return which later model stands for this one: the best successor of its line, else the best of all."""
    later = [r for r in rivals if model.name not in (r.name, r.origin) and _stands_for(r, model)]
    for why, surpasses in _SURPASSED.items():
        found = [r for r in later if surpasses(r, model)]
        if found:
            return Verdict(why, max(found, key=lambda r: _column(r, model).value).name)
    return None


def _stands_for(later: Candidate, earlier: Candidate) -> bool:
    """Return True if a later model can do what an earlier one can."""
    return (
        bool(earlier.released)
        and earlier.released[:7] < later.released[:7]
        and later.active <= SAME_SPEED * earlier.active
        and later.modalities >= earlier.modalities
        and later.coder <= earlier.coder
        and later.context >= min(earlier.context, LONG)
        and strictness(later.license) <= strictness(earlier.license)
        and (not thinks_always(later) or thinks_always(earlier))
        and float(better(later.japanese, earlier.japanese)) > SURELY_WORSE
        and float(better(later.coding, earlier.coding)) > SURELY_WORSE
    )


def _succeeds(later: Candidate, earlier: Candidate) -> bool:
    """Return True if a model replaces an earlier one of its maker and size class."""
    low, high = SAME_CLASS
    same = later.maker == earlier.maker and low <= later.parameters / earlier.parameters <= high
    return same and bool(_column(later, earlier).value >= earlier.judged.value)


def _beats(later: Candidate, earlier: Candidate) -> bool:
    """Return True if a model makes an earlier one stale, whoever made them."""
    sure = SURE if earlier.scores else LIKELY
    fits = later.parameters <= LARGER * earlier.parameters
    younger = months(later.released) - months(earlier.released) >= GENERATION
    return fits and younger and float(better(_column(later, earlier), earlier.judged)) >= sure


_SURPASSED: dict[Why, Callable[[Candidate, Candidate], bool]] = {"replaced": _succeeds, "stale": _beats}


def _column(model: Candidate, compared: Candidate) -> Score:
    """Return the score that counts against another model."""
    return model.coding if compared.coder else model.overall


def thinks_always(model: Candidate) -> bool:
    """Return True if a model cannot answer without thinking."""
    return ALWAYS_THINKS.search(model.name) is not None


def strictness(license_: str) -> int:
    """Return how much a licence forbids: 0 hardly anything, 1 some uses or users, 2 selling, or it is not known."""
    plain = license_.casefold()
    if plain.startswith(OPEN):
        return 0
    return 2 if not plain or plain.startswith(tuple(r for r in RESEARCH if r)) else 1


def months(date: str) -> int:
    """Return the months of a date since the year 0. A year alone is its January."""
    year, _, rest = date.partition("-")
    return int(year) * 12 + int(rest[:2] or 1) - 1
