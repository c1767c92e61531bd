"""gyakusan: from the memory of a GPU backwards to the local LLM endpoint that fits it.

inspect(model, ...)                what a model needs on a device, its speed and its quality
quantizations(repository)          every quantisation of a repository
compare(*devices, model=...)       devices and models side by side
plan(device=..., ...)              what fits a device or a budget
several(device=..., also=...)      several models on one machine
upgrade(device=..., ...)           what to buy next
fleet(users=200, ...)              how many machines serve many people
detect()                           this computer
get(model, ...), get_list()        the files of a model, and all models on this computer
serve(model, ...)                  a running endpoint
bench(endpoint, ...)               what people get from a running endpoint; bench_list, bench_show, bench_import
calibrate()                        measure this computer and learn from it; calibrate_export, calibrate_import
catalog_list, catalog_show, catalog_sources, catalog_check, catalog_add, catalog_update, catalog_verify
accuracy_memory, accuracy_speed    how right the predictions are

One function for each command, arguments called as its options. Every answer has `to_dict()` and `to_json()`, the document
of the command's --json. Everything is imported on first use (PEP 562): `import gyakusan` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gyakusan._version import __version__

if TYPE_CHECKING:
    from gyakusan.errors import GyakusanError
    from gyakusan.python.accuracy import accuracy_memory, accuracy_speed
    from gyakusan.python.benching import bench, bench_import, bench_list, bench_show
    from gyakusan.python.calibrating import calibrate, calibrate_export, calibrate_import
    from gyakusan.python.comparing import compare
    from gyakusan.python.getting import get, get_list
    from gyakusan.python.inspection import inspect, quantizations
    from gyakusan.python.planning import fleet, plan, several, upgrade
    from gyakusan.python.records import (
        catalog_add,
        catalog_check,
        catalog_list,
        catalog_show,
        catalog_sources,
        catalog_update,
        catalog_verify,
    )
    from gyakusan.python.serving import detect, serve

__all__ = [
    "GyakusanError",
    "__version__",
    "accuracy_memory",
    "accuracy_speed",
    "bench",
    "bench_import",
    "bench_list",
    "bench_show",
    "calibrate",
    "calibrate_export",
    "calibrate_import",
    "catalog_add",
    "catalog_check",
    "catalog_list",
    "catalog_show",
    "catalog_sources",
    "catalog_update",
    "catalog_verify",
    "compare",
    "detect",
    "fleet",
    "get",
    "get_list",
    "inspect",
    "plan",
    "quantizations",
    "serve",
    "several",
    "upgrade",
]

_HOMES = {
    "GyakusanError": "gyakusan.errors",
    **dict.fromkeys(("inspect", "quantizations"), "gyakusan.python.inspection"),
    **dict.fromkeys(("fleet", "plan", "several", "upgrade"), "gyakusan.python.planning"),
    **dict.fromkeys(("detect", "serve"), "gyakusan.python.serving"),
    **dict.fromkeys(("bench", "bench_import", "bench_list", "bench_show"), "gyakusan.python.benching"),
    **dict.fromkeys(("calibrate", "calibrate_export", "calibrate_import"), "gyakusan.python.calibrating"),
    **dict.fromkeys(("accuracy_memory", "accuracy_speed"), "gyakusan.python.accuracy"),
    **dict.fromkeys((n for n in __all__ if n.startswith("catalog_")), "gyakusan.python.records"),
    **dict.fromkeys(("get", "get_list"), "gyakusan.python.getting"),
    "compare": "gyakusan.python.comparing",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'gyakusan' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
