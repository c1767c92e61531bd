"""gyakusan doctor: what this computer has for serving, and what mends what is missing."""

from __future__ import annotations

from cyclopts import App

from gyakusan.cli.options import Output
from gyakusan.cli.writing import draw, write_json

app = App(name="doctor", help="Show what this computer has for serving, and what is missing.", help_format="plaintext")


@app.default
def doctor(*, output: Output = Output()) -> int:
    """Run `gyakusan doctor` and return its exit code: 0 if a server can be started."""
    from gyakusan.serving.checkup import can_serve, checkup

    found = checkup()
    if output.json:
        from gyakusan.documents.checkup import doctor as document

        write_json(document(found), output)
    else:
        from gyakusan.show.checkup import screen

        draw(*screen(found), output=output)
    return 0 if can_serve(found) else 1
