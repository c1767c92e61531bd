"""What every answer of the Python functions can do: its JSON document, and a `repr` that fits a screen."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from gyakusan.core.records import shallow

if TYPE_CHECKING:
    from gyakusan.core.quality import Score
    from gyakusan.planning.predict.speed import SpeedEstimate
    from gyakusan.planning.select.plan import Plan
    from gyakusan.show.report import Report

MOST_LINES = 20
"""Lines of a `repr`."""
A = TypeVar("A", bound="Answer")


class Answer:
    """What a command answers: the same document as its --json, and a short `repr`."""

    __slots__ = ()
    lines_of_repr: ClassVar[int] = MOST_LINES

    @abstractmethod
    def document(self) -> object:
        """Return the document that --json prints, a struct or a sequence of them."""

    @abstractmethod
    def summary(self) -> Iterable[str]:
        """Yield the lines of the `repr`, the most important first."""

    def to_dict(self, lang: Literal["en", "ja"] | None = None) -> Any:
        """Return what `json.loads` makes of the command's --json: dicts, or a list of them.

        lang: language of the sentences, None = that of the environment
        """
        from gyakusan.documents.writer import plain
        from gyakusan.text import choose

        return plain(self.document(), choose(lang))

    def to_json(self, lang: Literal["en", "ja"] | None = None, *, indent: int | None = 2) -> str:
        """Return the command's --json as text. indent: None for one line."""
        from gyakusan.documents.writer import written
        from gyakusan.text import choose

        return written(self.document(), choose(lang), indent=indent)

    def report(self) -> Report:
        """Return the answer with its charts, as notebooks show it: here the lines of the `repr` only."""
        from gyakusan.show.report import other_report
        from gyakusan.show.tree import Text

        return other_report("", tuple(Text(line) for line in repr(self).splitlines()))

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the screen and the charts, in the language of the environment."""
        from gyakusan.show.report import fragment
        from gyakusan.text import choose, tell

        language = choose(None)
        return fragment(self.report(), language, lambda w: w if isinstance(w, str) else tell(w, language))

    def __repr__(self) -> str:
        lines = [line for line in self.summary() if line]
        if len(lines) > self.lines_of_repr:
            left = len(lines) - self.lines_of_repr + 1
            lines = [*lines[: self.lines_of_repr - 1], f"... and {left} more"]
        return "\n".join(lines)


def extended(kind: type[A], value: object, **more: Any) -> A:
    """Return `value` as a record of `kind`, which has its fields and `more`."""
    return kind(**shallow(value), **more)


def plan_line(number: int, plan: Plan, price: str = "") -> str:
    """Return one line of a plan: model, engine, machine, speed, quality, price and roles."""
    what = f"{plan.name} {plan.quantization}, {plan.engine} on {plan.offer.machine.name}"
    figures = (speed_words(plan.pace), quality_words(plan.score), price, " ".join(plan.roles))
    return f"{number}. {what}: {', '.join(filter(None, figures))}"


def speed_words(speed: SpeedEstimate | None) -> str:
    """Return the speed of each user in words."""
    return "speed unknown" if speed is None else f"{speed.decode_each.value:.3g} tokens/s each"


def quality_words(score: Score | None) -> str:
    """Return a quality in words."""
    return "quality unknown" if score is None else f"quality {float(score.value):.0f} ±{float(score.error):.0f}"
