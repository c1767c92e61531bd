"""`gyakusan serve --dry-run`: what a start would check is checked, what it would refuse is said, and nothing is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyakusan.cli.numbered import is_plan
from gyakusan.cli.starting import check_sense, model_file
from gyakusan.cli.writing import warn, write_generated
from gyakusan.errors import UsageError
from gyakusan.text import tell

if TYPE_CHECKING:
    from gyakusan.cli.options import Output, Sharing
    from gyakusan.cli.starting import Life, Listen
    from gyakusan.engines.deployment import Deployment
    from gyakusan.serving.tls import Tls


def check_front(listen: Listen, sharing: Sharing) -> Tls | None:
    """Return what a server encrypts with. Raises for certificates, limits and keys of people that no start takes."""
    sharing.changes  # noqa: B018  it is read for what it raises
    if sharing.people_keys:
        from gyakusan.serving.front.people import place, read

        read(place())
    return listen.tls


def warn_of_refusals(asked: Deployment, typed: str, output: Output, *, anyway: bool) -> bool:
    """Say on stderr what a start would refuse besides what the screen says, and return True if there was anything.

    That is the machine, the context, files that lack.

    typed: the model as it was typed; anyway: a start was told to look away from sense
    """
    said = False
    for check in (() if anyway or asked.refusals else (check_sense,)) + (model_file,):
        try:
            check(asked, typed)
        except UsageError as error:
            parts = [tell(m, output.language) for m in (error.message, error.mend) if m is not None]
            warn(f"gyakusan: {parts[0]}{'' if parts[0].endswith('。') else ' '}{''.join(parts[1:])}".rstrip())
            said = True
    return said


def print_unit(model: str, life: Life) -> None:
    """Print the unit that --systemd would write. model: as typed, or its name in a plan. Raises BadSetting, ServerError."""
    from contextlib import closing

    from gyakusan.cli.unit import check_place, unit
    from gyakusan.serving.background import Named
    from gyakusan.typed_words import typed

    with closing(Named.of(model, life.name, life.log_file)) as named:
        check_place(named.name)
        write_generated(unit(named.name, typed()))


def name_of(asked: Deployment, typed: str) -> str:
    """Return what a server is called after: the model as it was typed, of a plan its name."""
    return asked.name if is_plan(typed) else typed
