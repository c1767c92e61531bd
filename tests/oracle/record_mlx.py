"""Ask the real MLX-LM and keep its answers in tests/truth/mlx_cache.json.gz. Run: python -m tests.oracle.record_mlx"""

from __future__ import annotations

import gzip
import json
import sys
from importlib.metadata import version
from pathlib import Path

from tests.oracle.mlx_zoo import CONFIGS

OUT = Path(__file__).parents[1] / "truth" / "mlx_cache.json.gz"
LENGTHS = (2, 40, 49, 65, 100, 257, 300)
STEP = 64


def main() -> None:
    """Every family: lengths, two users, quantised caches; weights plain and quantised. A refusal is a row too."""
    from tests.oracle.mlx_real import build, fill, weights

    rows = []
    for name, config in CONFIGS.items():
        model = build(config)
        asked = [(n, 1, None) for n in LENGTHS] + [(100, 2, None), (300, 3, None), (300, 1, 8), (300, 1, 4)]
        for tokens, users, bits in asked:
            about = {"family": name, "tokens": tokens, "step": STEP, "users": users, "bits": bits}
            try:
                rows.append({**about, **fill(model, tokens, STEP, users, bits)})
            except Exception as error:  # noqa: BLE001 - what the library refuses is the answer
                rows.append({**about, "refused": f"{type(error).__name__}: {error}"[:160]})
        sizes = {str(bits): weights(config, bits) for bits in (None, 4, 8)}
        rows.append({"family": name, "weights": sizes})
        print(name, sizes, file=sys.stderr)
    versions = {name: version(name) for name in ("mlx", "mlx-lm")}
    document = {"versions": versions, "configs": CONFIGS, "rows": rows}
    OUT.write_bytes(gzip.compress(json.dumps(document, separators=(",", ":")).encode(), mtime=0))


if __name__ == "__main__":
    main()
