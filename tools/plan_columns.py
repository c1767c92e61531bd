"""Write catalog/data/columns.json: what planning has to know of every model of the catalogue.

python tools/plan_columns.py          write what changed (exit code 0)
python tools/plan_columns.py --check  exit code 1 if a record changed since the file was written
python tools/plan_columns.py --new    work everything out anew
"""

from __future__ import annotations

import sys

from gyakusan.planning.candidates import build_model_table, model_table


def main() -> int:
    """Write, or say what is stale."""
    stale = build_model_table.stale()
    if "--check" in sys.argv:
        print("".join(f"stale: {name}\n" for name in stale), end="")
        return 1 if stale else 0
    build_model_table.write(everything="--new" in sys.argv)
    print(f"{len(stale)} of {len(model_table.load().models)} models were worked out anew")
    return 0


if __name__ == "__main__":
    sys.exit(main())
