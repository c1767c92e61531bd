"""Find figures of a record that nothing can have, or that contradict each other, although their types are right."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from gyakusan.doors.parse import misfit
from gyakusan.doors.text import is_clean
from gyakusan.message import Message, quoted, say

Row = Mapping[str, Any]
Problem = tuple[Message, str]
"""A sentence, and the field that it is about."""

DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")
REPOSITORY = re.compile(r"[A-Za-z0-9._-]+/[A-Za-z0-9._-]+")
"""An id of the hub: letters, digits and "._-", which no shell reads as anything else."""
LONGEST = 200
"""No name is longer. [characters]"""
_POSITIVE = ("bandwidth_gb_s", "power_w", "memory_mib", "parameters", "tensors", "amount")
_BINARY = re.compile(r"(bandwidth|nvlink)_?(gib|mib|tib)_?s|gib_?s|gibps", re.IGNORECASE)
MAX_BANDWIDTH = 50_000
"""No memory of 2026 moves more, so a larger figure is in MB/s. [GB/s]"""
COUNT_TOLERANCE = 0.01
"""How far our count of parameters may be from the published one. [fraction]"""


def problems(kind: str, row: Row) -> Iterator[Problem]:
    """Yield everything that cannot be right in a record. kind: one of entry.PLACES."""
    yield from _plain(row)
    yield from {"device": _device, "model": _model, "embedding": _embedding}.get(kind, _none)(row)
    for price in row.get("prices", ()):
        yield from _price(price)


def _plain(row: Row) -> Iterator[Problem]:
    """Signs, dates, sources."""
    for field in _POSITIVE:
        if row.get(field, 1) <= 0:
            yield say("{field} cannot be right", field=field), field
    for field in ("checked", "released", "date"):
        if not DATE.fullmatch(row.get(field) or "2026"):
            yield say("{field} cannot be right: a date is written 2026-11-23, 2026-11 or 2026", field=field), field
    for field in ("source", "checked"):
        if field in row and not str(row[field]).strip():
            yield say("{field} cannot be right: every figure has a source and a date", field=field), field
    if row.get("released", "") > row.get("checked", "9999"):
        yield say("it was released after it was checked"), "released"


def _price(price: Row) -> Iterator[Problem]:
    if price["amount"] <= 0 or not price["source"].strip() or not DATE.fullmatch(price["date"]):
        yield say("prices cannot be right: each has an amount, a date and a source"), "prices"
    if not re.fullmatch("[A-Z]{3}", price["currency"]):
        currency = quoted(price["currency"])
        yield (
            say("prices cannot be right: {currency} is no currency of ISO 4217, such as JPY", currency=currency),
            "prices",
        )


def _device(row: Row) -> Iterator[Problem]:
    if min(row["sizes_gib"], default=0) < 1:
        yield say("{field} cannot be right", field="sizes_gib"), "sizes_gib"
    if bool(row.get("memory_mib")) != bool(row.get("memory_source")):
        yield say("memory_source cannot be right: a reported memory and its source belong together"), "memory_mib"
    if row.get("memory_mib"):
        yield from _reported(row)
    if row["kind"] == "unified" and not row.get("rule"):
        yield say("rule cannot be right: where memory is shared, a rule says how much of it is usable"), "rule"
    if row["kind"] == "gpu" and row.get("rule"):
        yield say("kind and rule contradict each other: a card's own memory needs no rule"), "rule"
    if row["bandwidth_gb_s"] > MAX_BANDWIDTH:
        rate = f"{row['bandwidth_gb_s']:,}"
        yield say("bandwidth_gb_s cannot be right: {rate} GB/s", rate=rate), "bandwidth_gb_s"
    yield from _channels(row)


def _reported(row: Row) -> Iterator[Problem]:
    sizes = row["sizes_gib"]
    if len(sizes) != 1:
        yield say("memory_mib cannot be right: a reported memory is that of one size"), "memory_mib"
    elif not 0.9 * sizes[0] <= row["memory_mib"] / 1024 <= sizes[0]:
        template = "memory_mib and sizes_gib contradict each other: {mib} MiB of {gib} GiB"
        yield Message(template, {"mib": row["memory_mib"], "gib": sizes[0]}), "memory_mib"


def _channels(row: Row) -> Iterator[Problem]:
    """Compare a processor's bandwidth with channels x 8 B x transfers per second."""
    rate = re.fullmatch(r"DDR\d-(\d{4,5})", row.get("memory_type", ""))
    if rate and row.get("channels"):
        expected = row["channels"] * 8 * int(rate[1]) / 1000
        if abs(expected - row["bandwidth_gb_s"]) > 0.02 * expected:
            template = "bandwidth_gb_s contradicts its channels, which make {rate} GB/s"
            yield Message(template, {"rate": f"{expected:,.1f}"}), "bandwidth_gb_s"


def _model(row: Row) -> Iterator[Problem]:
    yield from _names(row)
    parameters, published = row["parameters"], row.get("published", 0)
    if published and not row.get("beside") and abs(parameters - published) > COUNT_TOLERANCE * published:
        template = "parameters and published contradict each other: {parameters} and {published}; say what is beside"
        yield Message(template, {"parameters": f"{parameters:,}", "published": f"{published:,}"}), "published"
    if row.get("active", 0) > 1.05 * max(parameters, published):
        yield say("active and parameters contradict each other"), "active"
    if row.get("listed", True) and row["basis"] == "assumed" and "listed" in row:
        yield say("listed and basis contradict each other: an assumed record is not listed"), "listed"
    if "general.architecture" not in row.get("metadata", {}) and not row.get("like"):
        yield say("metadata cannot be right: general.architecture is missing"), "metadata"


def _names(row: Row) -> Iterator[Problem]:
    """Commands are made of these: repositories are ids of the hub, and no name ends a line."""
    for field in ("gguf", "mlx"):
        for text in row.get(field, ()):
            if not REPOSITORY.fullmatch(text) or len(text) > LONGEST:
                yield _no_repository(field, text)
    for text in (row.get("name", ""), *row.get("aliases", ())):
        if not is_clean(text) or len(text) > LONGEST:
            field = "name" if text == row.get("name") else "aliases"
            template = "{field} cannot be right: {text} has control characters or is too long"
            yield Message(template, {"field": field, "text": quoted(text, 80)}), field
        elif text in row.get("aliases", ()) and "/" in text and not REPOSITORY.fullmatch(text):
            yield _no_repository("aliases", text)


def _no_repository(field: str, text: str) -> Problem:
    template = "{field} cannot be right: {text} is no repository like owner/name"
    return Message(template, {"field": field, "text": quoted(text, 80)}), field


def _embedding(row: Row) -> Iterator[Problem]:
    yield from _model(row)
    if row.get("role") != "embedding" or not row.get("pooling"):
        yield say("role cannot be right: an embedding model has the role embedding, and a pooling"), "role"


def _none(_: Row) -> Iterator[Problem]:
    return iter(())


_ABSENT, _UNKNOWN = "Object missing required field `", "Object contains unknown field `"
"""How msgspec begins to say that a field of a record is missing, or is none."""


def explained(row: Row, error: str) -> Message:
    """Return a schema error with a hint where people often go wrong. error: what msgspec says."""
    told = _told(error)
    odd = next((k for k in row if _BINARY.search(k)), None)
    texts = [str(v) for v in row.values() if isinstance(v, str)]
    if odd or ("bandwidth_gb_s" in error and any(re.search(r"\d ?GiB/s", v) for v in texts)):
        template = (
            "{told}; a bandwidth is a number in GB/s (10^9 B/s): multiply GiB/s by 1.073741824 for bandwidth_gb_s"
        )
        return Message(template, {"told": told})
    if "currency" in error:
        return say("{told}; a price needs a currency (ISO 4217), such as JPY", told=told)
    return told


def _told(error: str) -> Message:
    """Return a schema error in words: a record is not named as the whole of anything."""
    if " - at " not in error and (name := field_of(error)):
        if error.startswith(_ABSENT):
            return say("{field} is missing", field=name)
        if error.startswith(_UNKNOWN):
            return say("no field is called {field}", field=name)
    return misfit(error)


def field_of(error: str) -> str:
    """Return the field that a schema error is about, "" if it names none."""
    named = re.search(r"\$\.([a-z_]+)", error) or re.search(r"field `([a-z_]+)`", error)
    return named[1] if named else ""
