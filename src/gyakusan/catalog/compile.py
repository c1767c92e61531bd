"""Write the index of the catalogue: where each record stands, and what finds it. The tests refuse a stale one.

python -m gyakusan.catalog.compile
"""

from __future__ import annotations

from pathlib import Path

from gyakusan.catalog.records import DATA, INDEX, KINDS, index_of


def compile_index(data: Path = DATA) -> None:
    """One file for each folder of records."""
    (data / INDEX).mkdir(exist_ok=True)
    for folder in KINDS:
        name = folder.removesuffix(".toml")
        if (data / folder).exists():
            (data / INDEX / f"{name}.tsv").write_text(index_of(data, folder), "utf-8")


if __name__ == "__main__":
    compile_index()
