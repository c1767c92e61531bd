"""gyakusan catalog: facts and their sources; records of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from gyakusan.cli.options import Output, _, whole
from gyakusan.cli.writing import draw, terminal, write_json
from gyakusan.python import records
from gyakusan.python.records import Kind

if TYPE_CHECKING:
    from gyakusan.python.records import Notice

app = App(name="catalog", help="Show catalogue facts with their sources; add your own.", help_format="plaintext")


@app.command(name="list", help="List devices, computers, models or embedding models.")
def every(
    kind: Annotated[Kind, Parameter(help=_("What to list."))] = "devices",
    *,
    search: Annotated[str, Parameter(help=_("Only names that contain this text."))] = "",
    memory: Annotated[str | None, Parameter(help=_("Only devices with at least this much memory, e.g. 24GiB."))] = None,
    language: Annotated[str, Parameter(help=_("Only models for this language, e.g. ja."))] = "",
    all_: Annotated[
        bool, Parameter(name="--all", help=_("Include fine-tunes, base models and older models."), negative="")
    ] = False,
    output: Output = Output(),
) -> int:
    """Run `gyakusan catalog list` and return its exit code."""
    from gyakusan.show import catalog as shown

    found = records.catalog_list(kind, search=search, memory=memory, language=language, all=all_)
    if output.json:
        write_json(found.document(), output)
    else:
        values = [r.record for r in found.records]
        draw(*getattr(shown, "models" if kind == "embeddings" else kind)(values), output=output)
    return 0 if found.records else 1


@app.command(name="show", help="Show one record: every value with its source and date.")
def show(
    name: Annotated[str, Parameter(help=_("A device, a computer or a model, e.g. 'RTX 5090' or qwen2.5:14b."))],
    *,
    output: Output = Output(),
) -> int:
    """Run `gyakusan catalog show` and return its exit code."""
    from gyakusan.show import catalog as shown

    found = records.catalog_show(name)
    if output.json:
        write_json(found.document(), output)
    else:
        draw(*shown.record(found.record, found.entry, found.tags), output=output)
    return 0


@app.command(name="sources", help="Show where the values come from, and their licences.")
def sources(*, output: Output = Output()) -> int:
    """Run `gyakusan catalog sources` and return its exit code."""
    from gyakusan.show import catalog as shown

    found = records.catalog_sources()
    if output.json:
        write_json(found.document(), output)
    else:
        draw(*shown.sources(found.sources), output=output)
    return 0


@app.command(name="check", help="Check every record, or a file of your own.")
def check(
    file: Annotated[
        Path | None, Parameter(help=_("A file of records; default: the catalogue and your own records."))
    ] = None,
    *,
    output: Output = Output(),
) -> int:
    """Run `gyakusan catalog check` and return its exit code: 1 if a file of the user's own is broken."""
    found = records.catalog_check(file)
    _say(found, output)
    return 1 if found.facts["broken"] else 0


@app.command(
    name="add", help="Add a model or records of your own: from a folder, a GGUF file, a repository or a TOML file."
)
def add(
    source: Annotated[
        str,
        Parameter(
            help=_(
                "A folder with config.json, a GGUF file, hf:owner/name, a TOML file of records, or its https:// address."
            )
        ),
    ],
    *,
    name: Annotated[str, Parameter(help=_("Name of the model; default: that of its folder, file or repository."))] = "",
    license_: Annotated[
        str,
        Parameter(name="--license", help=_("Licence of the model, e.g. apache-2.0, where its files do not say it.")),
    ] = "",
    languages: Annotated[
        str, Parameter(help=_("Languages of the model, e.g. en,ja, where its files do not say them."))
    ] = "",
    released: Annotated[str, Parameter(help=_("Date of the model's release, e.g. 2026-05."))] = "",
    replace: Annotated[
        bool, Parameter(help=_("Replace a file of the same name; its records win over the catalogue's."), negative="")
    ] = False,
    output: Output = Output(),
) -> int:
    """Run `gyakusan catalog add` and return its exit code."""
    spoken = [part for part in languages.split(",") if part.strip()]
    return _say(
        records.catalog_add(source, replace=replace, name=name, license=license_, languages=spoken, released=released),
        output,
    )


@app.command(name="update", help="Use a newer catalogue release, verified by its signature, or go back.")
def update(
    *,
    online: Annotated[bool, Parameter(help=_("Use the network; without it nothing is fetched."), negative="")] = False,
    address: Annotated[str, Parameter(help=_("Address where releases are published; none is built in."))] = "",
    key: Annotated[str, Parameter(help=_("Minisign public key of the publisher; default: the project's."))] = "",
    older: Annotated[bool, Parameter(help=_("Take a release that is older than the one in use."), negative="")] = False,
    back: Annotated[bool, Parameter(help=_("Use the release before the one in use."), negative="")] = False,
    built_in: Annotated[bool, Parameter(help=_("Use the release of this version."), negative="")] = False,
    output: Output = Output(),
) -> int:
    """Run `gyakusan catalog update` and return its exit code."""
    return _say(
        records.catalog_update(online=online, address=address, key=key, older=older, back=back, built_in=built_in),
        output,
    )


@app.command(name="verify", help="Ask the hub whether published files are still there, and as large.")
def verify(
    model: Annotated[str, Parameter(help=_("Only the files of this model; default: of all models."))] = "",
    *,
    limit: Annotated[int, Parameter(converter=whole, help=_("Ask for this many repositories at most; 0 = all."))] = 0,
    output: Output = Output(),
) -> int:
    """Run `gyakusan catalog verify` and return its exit code: 1 if something differs."""
    from time import monotonic

    from gyakusan.message import say
    from gyakusan.show.verification import screen

    progress, began = terminal(output, stderr=True).progress(), monotonic()

    def on_progress(done: int, count: int) -> None:
        if done == count or done % 20 == 0:
            progress(say("{done} of {count} repositories", done=done, count=count), monotonic() - began)

    try:
        found = records.catalog_verify(model, limit=limit, on_progress=on_progress)
    finally:
        progress.close()
    if output.json:
        write_json(found.document(), output)
    else:
        draw(*screen(found.verification), output=output)
    return 1 if found.verification.findings else 0


def _say(found: Notice, output: Output) -> int:
    """One sentence, or its facts."""
    if output.json:
        write_json(found.document(), output)
    else:
        from gyakusan.text import tell

        print(tell(found.message, output.language))
    return 0
