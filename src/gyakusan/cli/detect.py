"""gyakusan detect: what this computer offers."""

from __future__ import annotations

from cyclopts import App

from gyakusan.cli.options import Output
from gyakusan.cli.writing import draw, write_json

app = App(name="detect", help="Show this computer's devices and memory.", help_format="plaintext")


@app.default
def detect(*, output: Output = Output()) -> int:
    """Run `gyakusan detect` and return its exit code."""
    from gyakusan.machines import this_computer_noted

    machine, notes = this_computer_noted()
    if output.json:
        from gyakusan.documents import machine as documents

        write_json(documents.machine(machine, notes), output)
    else:
        from gyakusan.show.machine import screen

        draw(*screen(machine, notes), output=output)
    return 0
