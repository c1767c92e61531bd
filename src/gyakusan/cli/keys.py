"""gyakusan keys: keys for the people who may use a shared server."""

from __future__ import annotations

import sys
from datetime import date
from typing import Annotated

from cyclopts import App, Parameter

from gyakusan.cli.options import Output, Screen, _, whole
from gyakusan.cli.writing import draw, terminal, write_json
from gyakusan.errors import BadSetting
from gyakusan.message import quoted
from gyakusan.units import parse_count

app = App(name="keys", help="Give people keys for shared servers, list and revoke them.", help_format="plaintext")
Name = Annotated[str, Parameter(help=_("Name of a person or a program, e.g. aiko@example.org."))]


@app.command(name="add", help="Make a key for somebody; it is shown once, and only its hash is kept.")
def add(
    name: Name,
    *,
    until: Annotated[str | None, Parameter(help=_("Last day on which the key is valid, e.g. 2027-03-31."))] = None,
    requests: Annotated[
        int, Parameter(converter=whole, help=_("Requests in a minute; 0: what the server allows everybody."))
    ] = 0,
    tokens: Annotated[
        str, Parameter(help=_("Tokens in a minute, e.g. 100k for 100,000; 0: what the server allows everybody."))
    ] = "0",
    output: Output = Output(),
) -> int:
    """Run `gyakusan keys add` and return its exit code."""
    from gyakusan.serving.front import people

    if requests < 0:
        raise BadSetting("--{name} takes {least} or more, not {value}.", name="requests", value=requests, least=0)
    most = parse_count(tokens, at_least=0, length=False)
    key = people.add(name, until=_day(until), requests=requests, tokens=most, today=date.today())
    try:
        _show(name, key, output)
    except OSError:  # nobody has seen it
        people.revoke(name)
        raise
    return 0


def _show(name: str, key: str, output: Output) -> None:
    if output.json:
        from gyakusan.documents.keys import KeyMadeJson

        write_json(KeyMadeJson(name=name, key=key), output)
        return
    from gyakusan.serving.running_servers import running
    from gyakusan.show.keys import made

    draw(*made(name, key, running()), output=output)
    sys.stdout.flush()


@app.command(name="list", help="List who has a key; the keys themselves are kept nowhere.")
def list_keys(*, output: Output = Output()) -> int:
    """Run `gyakusan keys list` and return its exit code."""
    from gyakusan.serving.front import people

    found = people.read(people.place())
    if output.json:
        from gyakusan.documents.keys import keys

        write_json(keys(found), output)
        return 0
    from gyakusan.show.keys import listed

    draw(*listed(found, date.today()), output=output)
    return 0


@app.command(name="revoke", help="End a key: running servers refuse it within a second.")
def revoke(name: Name, *, screen: Screen = Screen()) -> int:
    """Run `gyakusan keys revoke` and return its exit code."""
    from gyakusan.serving.front import people
    from gyakusan.show.keys import revoked

    terminal(screen).show(*revoked(people.revoke(name).name))
    return 0


def _day(text: str | None) -> date | None:
    """Return a day. Raises BadSetting."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise BadSetting(
            "{value} is no day.", value=quoted(text, 40, mark='"'), mend="Write it as year-month-day, e.g. 2027-03-31."
        ) from None
