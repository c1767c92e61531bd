"""gyakusan upgrade: from what is owned to what next, for the money."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from gyakusan.cli.computing import computing, import_numpy
from gyakusan.cli.options import Output, Where, _
from gyakusan.cli.plan import Limits, Needs, Wishes, said
from gyakusan.cli.reader_currency import with_currency
from gyakusan.cli.writing import draw, write_json

app = App(name="upgrade", help="Find the best next purchase for a machine you own.", help_format="plaintext")


@app.default
def upgrade(
    file: Annotated[Path | None, Parameter(help=_("A request in TOML or JSON; options win over it."))] = None,
    *,
    resale: Annotated[
        str | None,
        Parameter(help=_("Resale value of the old machine where it is replaced, e.g. 40000JPY (default 0).")),
    ] = None,
    needs: Needs = Needs(),
    where: Where = Where(),
    limits: Limits = Limits(),
    wishes: Wishes = Wishes(),
    output: Output = Output(),
) -> int:
    """Run `gyakusan upgrade` and return its exit code."""
    import_numpy()
    from gyakusan.cli import saved
    from gyakusan.planning.upgrade.recommend import parse_upgrade_request
    from gyakusan.planning.upgrade.recommend import upgrade as answer

    with computing():
        given = said(file, needs, where, limits, wishes, "upgrade")
        given = given if resale is None else {**given, "resale": resale}
        found = answer(parse_upgrade_request(with_currency(given, output.language)))
    if output.json:
        from gyakusan.documents import upgrade as documents

        write_json(documents.upgrade(found), output)
    else:
        from gyakusan.show import upgrade as show

        draw(*show.screen(found), output=output)
    saved.asked_since("upgrade")
    return 1 if found.keep else 0
