"""gyakusan detect: what this computer offers."""

from __future__ import annotations

from cyclopts import App

from gyakusan.cli.options import Output

app = App(name="detect", help="What this computer offers.", help_format="plaintext")


@app.default
def detect(*, output: Output = Output()) -> int:
    from gyakusan.machines.detect import detect as ask

    machine, notes = ask()
    if output.json:
        import json

        from gyakusan.show.machine import document

        print(json.dumps(document(machine, notes, output.language), ensure_ascii=False, indent=2))
    else:
        from gyakusan.show.console import console
        from gyakusan.show.machine import table

        console(colour=output.color).print(table(machine, notes, output.language))
    return 0
