"""Build hook of hatchling: a wheel carries the compiled catalogue, an editable installation compiles its own."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CatalogueHook(BuildHookInterface[Any]):
    """Compile the TOML files of the catalogue with the code of this source tree."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the compiled file, beside the TOML files if the installation is editable."""
        sys.path.insert(0, str(Path(self.root, "src")))
        from gyakusan.catalog.compile import COMPILED, compile_catalogue
        from gyakusan.catalog.places import DATA

        if version == "editable":
            compile_catalogue(DATA)
            return
        target = Path(tempfile.mkdtemp(prefix="gyakusan-"), COMPILED)
        compile_catalogue(DATA, target, packaged=True)
        build_data["force_include"][str(target)] = f"gyakusan/catalog/data/{COMPILED}"
