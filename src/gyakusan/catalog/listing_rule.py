"""The rule that decides which models are proposed where nobody names one: by measured scores and by use.

A model is proposed unless one of these holds; the first gives the reason:

base      it is a base model, an experiment or made for a single task: it does not answer people
toy       it has fewer than SMALLEST weights
files     nobody is known to publish its weights
shape     our count of its weights is not the published one, so that its memory is not known
unknown   it has fewer than ENOUGH scores, its maker's own among them, and neither youth nor use make up for that: one score is
          enough for a model that is younger than YOUNG or used; without any, a model must be both
replaced  its maker published a later model of its size class, no slower, that is likely better
stale     a model that is younger by a GENERATION, hardly larger and no slower, is better beyond the error of the scores

A later model stands for an earlier one only if it reads as much (images, sound), was trained for as long a context, has a
licence that is no stricter, answers without thinking where the earlier one does, is not surely worse in Japanese or in code, is
no coder where the earlier one is none, and was not tuned to fewer languages. It has ENOUGH scores. Models are compared in the
same mode of thinking: in the default mode of the earlier one, and in no mode that was tested may the later one be worse. Where
nobody tested the later one in a mode, what its other scores tell of it counts, with the wider error. What was tuned from a
model does not stand for it. The model that is named is proposed itself: of several the best; where none of them is, the one
that stands for them in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
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
"""The same within a line of models, and where the earlier model has fewer than ENOUGH scores: its error is wide."""
WORSE = 0.5
"""Probability to be better, below which a successor is worse."""
SURELY_WORSE = 0.1
"""Probability to be better, below which a successor is surely worse."""
OPEN = ("apache", "mit", "bsd", "cc-by-4.0", "openmdw", "modified-mit")
"""How licences begin that allow nearly every use."""
RESEARCH = ("cc-by-nc", "mrl", "mnpl", "qwen-research", "exaone", "")
"""Licences that forbid selling what is made with the model, and unknown ones."""


@dataclass(frozen=True, slots=True)
class ModeScores:
    """Scores of a model with or without thinking.

    tested: somebody tested it in this mode; else the scores are what those of the other mode tell
    scores: number of scores behind the figures, those of the other mode where this one is not tested
    overall: quality [points]
    japanese: quality in Japanese [points]
    coding: quality in programming [points]
    """

    tested: bool
    scores: int
    overall: Score
    japanese: Score
    coding: Score


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
    languages: that it speaks, ISO 639
    thinks_always: it cannot answer without thinking
    narrow: languages that it was tuned to, none = as many as other models
    mode: its default
    modes: its scores "off" and "on", where it can answer so
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
    languages: frozenset[str]
    thinks_always: bool
    narrow: frozenset[str]
    mode: str
    modes: Mapping[str, ModeScores]

    @property
    def scores(self) -> int:
        """Number of its scores, in the mode that has most."""
        return max((m.scores for m in self.modes.values() if m.tested), default=0)

    @property
    def judged(self) -> str:
        """Mode in which it is compared: its default, unless only the other was tested."""
        tested = [name for name, m in self.modes.items() if m.tested]
        return self.mode if self.mode in tested or not tested else tested[0]

    def at(self, mode: str) -> ModeScores | None:
        """Return its scores against a model in a mode: without thinking where it does not think; None = it cannot answer so."""
        return self.modes.get(mode) or (self.modes.get("off") if mode == "on" else None)


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
    rivals = [c for c in candidates if alone[c.name] is None and c.scores >= ENOUGH]
    found: dict[str, Verdict | None] = {}
    for model in sorted(candidates, key=lambda c: c.released, reverse=True):
        found[model.name] = alone[model.name] or _surpassed(model, rivals, found)
    return {c.name: found[c.name] for c in candidates}


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


def _surpassed(model: Candidate, rivals: Iterable[Candidate], known: Mapping[str, Verdict | None]) -> Verdict | None:
    """Return which later model stands for this one: the best successor of its line, else the best of all.

    known: verdicts of all later models
    """
    later = [r for r in rivals if model.name not in (r.name, r.origin) and _stands_for(r, model)]
    for why, surpasses in _SURPASSED.items():
        found = [r for r in later if surpasses(r, model)]
        if not found:
            continue
        proposed = [r for r in found if known[r.name] is None]
        best = max(proposed or found, key=lambda r: float(_column(r, model, model.judged).value))
        return Verdict(why, best.name) if proposed else known[best.name]
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
        and later.thinks_always <= earlier.thinks_always
        and (not later.narrow or later.narrow >= earlier.languages)
        and all(_holds_in(later, earlier, mode) for mode in _compared(earlier))
    )


def _compared(model: Candidate) -> tuple[str, ...]:
    """Return the modes in which a model is compared: those that were tested, else its default."""
    return tuple(name for name, m in model.modes.items() if m.tested) or (model.mode,)


def _holds_in(later: Candidate, earlier: Candidate, mode: str) -> bool:
    """Return True if a later model is not worse in a mode, and not surely worse in Japanese or in code."""
    new, old = later.at(mode), earlier.modes[mode]
    return (
        new is not None
        and new.scores >= ENOUGH
        and float(better(_score(new, earlier), _score(old, earlier))) >= WORSE
        and float(better(new.japanese, old.japanese)) > SURELY_WORSE
        and float(better(new.coding, old.coding)) > SURELY_WORSE
    )


def _succeeds(later: Candidate, earlier: Candidate) -> bool:
    """Return True if a model replaces an earlier one of its maker and size class."""
    low, high = SAME_CLASS
    same = later.maker == earlier.maker and low <= later.parameters / earlier.parameters <= high
    return same and _probability(later, earlier) >= LIKELY


def _beats(later: Candidate, earlier: Candidate) -> bool:
    """Return True if a model makes an earlier one stale, whoever made them."""
    sure = SURE if earlier.scores >= ENOUGH else LIKELY
    fits = later.parameters <= LARGER * earlier.parameters
    younger = months(later.released) - months(earlier.released) >= GENERATION
    return fits and younger and _probability(later, earlier) >= sure


_SURPASSED: dict[Why, Callable[[Candidate, Candidate], bool]] = {"replaced": _succeeds, "stale": _beats}


def _probability(later: Candidate, earlier: Candidate) -> float:
    """Return the probability that a later model is better, in the mode in which the earlier one is judged."""
    mode = earlier.judged
    return float(better(_column(later, earlier, mode), _column(earlier, earlier, mode)))


def compared_scores(later: Candidate, earlier: Candidate) -> tuple[Score, Score]:
    """Return the scores that the rule compared: of the earlier model and of the later one."""
    mode = earlier.judged
    return _column(earlier, earlier, mode), _column(later, earlier, mode)


def _column(model: Candidate, compared: Candidate, mode: str) -> Score:
    """Return the score in a mode that counts against another model."""
    found = model.at(mode)
    assert found is not None, (model.name, mode)
    return _score(found, compared)


def _score(scores: ModeScores, compared: Candidate) -> Score:
    """Return code for a coder, the mean of all else."""
    return scores.coding if compared.coder else scores.overall


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
