"""Speed and quality in the JSON of `gyakusan inspect` and `compare`."""

from __future__ import annotations

from msgspec import Struct

from gyakusan.core.quality import Score
from gyakusan.documents.common import MeasuredHereJson, measured_here
from gyakusan.planning.predict.assessment import Assessment
from gyakusan.planning.predict.speed import Estimate


class CoveredFigureJson(Struct, frozen=True):
    """A figure with its 80 % interval, and how often such intervals held.

    value: the figure
    low: low end
    high: high end
    basis: derived, measured, measured_here or assumed
    coverage: share of test measurements inside such intervals, null if not tested
    """

    value: float
    low: float
    high: float
    basis: str
    coverage: float | None


class TurnJson(Struct, frozen=True):
    """A turn of a conversation.

    users: served at the same time
    prompt: its length [tokens]
    answer: its length [tokens]
    depth: of the conversation before the prompt [tokens]
    """

    users: int
    prompt: float
    answer: float
    depth: float


class AssessedSpeedJson(Struct, frozen=True):
    """Speeds for a load.

    prefill: prompts read [tokens/s]
    decode_each: answer of each user [tokens/s]
    decode_all: answers of all users together [tokens/s]
    throughput: answers of all when everyone asks again at once, prompts included [tokens/s]
    ttft: time to the first token [s]
    tpot: time for each further token [s]
    binds: what a decode step waits for
    chip: whose figures were used
    asked: the turn that they are for
    measured_points: published measurements of this chip and model that were used
    measured_here: measurements of this computer that were used, null without any
    """

    prefill: CoveredFigureJson
    decode_each: CoveredFigureJson
    decode_all: CoveredFigureJson
    throughput: CoveredFigureJson
    ttft: CoveredFigureJson
    tpot: CoveredFigureJson
    binds: str
    chip: str
    asked: TurnJson
    measured_points: int
    measured_here: MeasuredHereJson | None


class ScoreJson(Struct, frozen=True):
    """A score; llama3.1-8b has 35, gpt-oss-120b 70; what is beyond 0 or 100 is given as 0 or 100.

    value: [points]
    error: one standard error [points]
    """

    value: float
    error: float


class QualityJson(Struct, frozen=True):
    """Quality of the answers.

    japanese: in Japanese
    coding: of code: mean of agentic coding and of single functions
    agentic: of work as an agent in whole repositories
    reasoning: of reasoning
    overall: of everything, less what the quantisation costs
    basis: measured, few, vendor or assumed
    mode: reasoning off, on, or at a low, medium or high effort
    sources: lists of scores, with the number of scores from each
    """

    japanese: ScoreJson
    coding: ScoreJson
    agentic: ScoreJson
    reasoning: ScoreJson
    overall: ScoreJson
    basis: str
    mode: str
    sources: tuple[str, ...]


def assessed_speed(value: Assessment) -> AssessedSpeedJson | None:
    """Return speeds with what such intervals held."""
    pace = value.speed
    if pace is None:
        return None
    return AssessedSpeedJson(
        prefill=_covered(pace.prefill),
        decode_each=_covered(pace.decode_each),
        decode_all=_covered(pace.decode_all),
        throughput=_covered(pace.throughput),
        ttft=_covered(pace.ttft),
        tpot=_covered(pace.tpot),
        binds=pace.bottleneck,
        chip=pace.chip,
        asked=TurnJson(value.turn.users, value.turn.prompt, value.turn.answer, value.turn.depth),
        measured_points=len(pace.points),
        measured_here=measured_here(pace),
    )


def assessed_quality(value: Assessment) -> QualityJson | None:
    """Return scores, and what they rest on."""
    if value.quality is None or value.overall is None:
        return None
    quality = value.quality
    return QualityJson(
        japanese=_score(quality.japanese),
        coding=_score(quality.coding),
        agentic=_score(quality.agentic),
        reasoning=_score(quality.reasoning),
        overall=_score(value.overall),
        basis=quality.basis,
        mode=quality.mode,
        sources=quality.sources,
    )


def _covered(figure: Estimate) -> CoveredFigureJson:
    return CoveredFigureJson(figure.value, figure.low, figure.high, figure.basis, figure.coverage)


def _score(score: Score) -> ScoreJson:
    return ScoreJson(float(score.value), float(score.error))
