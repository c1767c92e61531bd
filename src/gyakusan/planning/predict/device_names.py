"""Names of devices as people write them: as short as they still mean one device."""

from __future__ import annotations

from gyakusan import catalog
from gyakusan.errors import GyakusanError

SHORTEST_NAME = 6
"""Shorter names of devices say too little. [letters]"""


def short_device_name(title: str) -> str:
    """Return the shortest run of a device's words that means the same device: without its maker, without its edition."""
    words = title.split()
    runs = (words[i:j] for i in range(len(words)) for j in range(i + 1, len(words) + 1))
    for run in sorted(runs, key=lambda r: (len(r), r)):
        name = " ".join(run)
        if name[0].isalpha() and len(name) >= SHORTEST_NAME and catalog.knows_device(name) and _means(name, title):
            return name
    return title


def _means(name: str, title: str) -> bool:
    try:
        return catalog.device(name).title == title
    except GyakusanError:
        return False
