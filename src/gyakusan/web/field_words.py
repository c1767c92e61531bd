"""The door between the words of the commands and those of the page: an option is said as the field that the page has for it.

Sentences are written once, for the commands: "Add --context 32k." On a page that has a field for it, the field is named instead.
Commands to type, and options without a field, stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gyakusan.engines.registry import NAMES
from gyakusan.message import Listed, Message, say
from gyakusan.text import Language, tell

_LOAD = {"context": say("Context for each person"), "users": say("People at once")}
_TASK = {"task": say("What people do"), "language": say("Language of the answers")}
_IMAGES = {"images": say("Images are sent too")}
FIELDS: Mapping[str, Mapping[str, Message]] = {
    "/fit": {
        **_LOAD, **_IMAGES, "model": say("Model"), "quant": say("Quantisation"), "engine": say("Server"),
        "device": say("Machine"), "kv-type": say("KV cache kept as"), "memory": say("Memory of the device"),
        "ram": say("RAM beside the GPU"), "reserve": say("Memory kept for other programs"),
        "bandwidth": say("Bandwidth of the RAM"), "prompt": say("Prompt length in tokens"), **_TASK,
    },
    "/plan": {
        **_LOAD, **_IMAGES, "device": say("Machine"), "budget": say("Budget"), **_TASK, "prefer": say("Prefer"),
        "speed": say("Least tokens/s for each person"), "model": say("Only this model"), "engine": say("Server"),
        "why-not": say("Why not"), "used": say("Consider used prices"), "currency": say("Currency"),
        "first": say("Most seconds to the first token"), "quality": say("Least quality"), "gpus": say("Most cards in a machine"),
        "kv-type": say("KV cache kept as"), "memory": say("Memory of the device"), "ram": say("RAM beside the GPU"),
        "bandwidth": say("Bandwidth of the RAM"), "prompt": say("Prompt length in tokens"),
    },
    "/compare": {**_LOAD, "currency": say("Currency"), "device": say("Machine"), "model": say("Model")},
    "/computer": {**_LOAD, "model": say("Model"), "engine": say("Server"), "name": say("Name")},
}  # fmt: skip
"""Page -> option -> the label of its field."""
TICKED = frozenset({"images", "used"})
"""Fields without a value."""
LISTED = "The catalogue lists the names."
NAMED_MODEL = "Give a name of the catalogue: the page Catalogue lists them."
OFF_LINE = "Pages read nothing from the network. Give a name of the catalogue."
PAGE_TEXTS = {
    "{told}; each: add --details N.": "{told}.",
    "{told}: --details N": "{told}",
    "{sign} files that are made first: --details N has the commands": (
        "{sign} files that are made first: the details of a plan have the commands"
    ),
    "Leave out --device and --memory, or leave out --budget. To extend a machine you own: gyakusan upgrade.": (
        "Leave out one of the two."
    ),
    "files are made first: add --details {n}": "files are made first: see the details of plan {n}",
    "The speed of its RAM is not known: gyakusan calibrate measures it; or add --bandwidth 80GB/s.": (
        "The speed of its RAM is not known: add --bandwidth 80GB/s."
    ),
    "gyakusan serve listens on port {port} in its place (--port)": "gyakusan serve listens on port {port} in its place",
    "this computer only, port {port}; for colleagues: {command} (makes a key)": "this computer only, port {port}",
    "Give a path, an address (https://...) or a name; for the names see `gyakusan catalog list models`.": NAMED_MODEL,
    "Give a name of the catalogue, or use gyakusan inspect.": NAMED_MODEL,
    "The names: gyakusan catalog list models": LISTED,
    "The names: gyakusan catalog list models, gyakusan catalog list devices": LISTED,
    "A family is how names of models begin, e.g. qwen3: gyakusan catalog list models": LISTED,
    "To read it from the network, write hf:{name}.": OFF_LINE,
    "Nearest: {near}. To read it from the network, write hf:{name}.": "Nearest: {near}. Pages read nothing from the network.",
    "Leave out --offline (or HF_HUB_OFFLINE), or {instead}.": OFF_LINE,
    'Write a name such as "RTX 5090", or give --memory 24GiB alone. gyakusan catalog list devices lists all.': (
        'Write a name such as "RTX 5090", or give --memory 24GiB alone.'
    ),
    "Name one of them; all: {command}": "Name one of them.",
    "Choose one: {command} lists them.": LISTED,
    "Lower tensor_parallel, pipeline_parallel or data_parallel.": "Name a machine with more GPUs, or choose another server.",
    "Plan it next to a chat model: --also embedding:model={name}.": "Choose a chat model.",
}
"""What is said of an option that no page needs -> what a page says."""
ASKED_TEXTS = {
    "How fast they would be is not known here: gyakusan calibrate measures it, or give --bandwidth 80GB/s.": (
        "bandwidth", "How fast they would be is not known here: add --bandwidth 80GB/s.",
    ),
}  # fmt: skip
"""What is said of an option and of a command -> the option, and what a page says that has its field."""
UNASKED_TEXTS = {
    ("memory", 'Write a name such as "RTX 5090", or give --memory 24GiB alone.'): 'Write a name such as "RTX 5090".',
    ("memory", "Name one of these sizes, or give the capacity with --memory."): "Name one of these sizes.",
    ("memory", "Name one of them, or give the capacity with --memory."): "Name one of them.",
    (
        "bandwidth",
        "How fast they would be is not known here: gyakusan calibrate measures it, or give --bandwidth 80GB/s.",
    ): "How fast they would be is not known here: gyakusan calibrate measures it.",
}
"""Option and what is said of it -> what a page says that has no field for the option."""
_OF_PLANS = frozenset({"memory", "bandwidth"})
"""Fields of the page Plan that a page with plans of it need not name: its own sentences say what to do without them."""
_KEYS: Mapping[str, str] = {"count": "gpus", "engines": "engine"}
"""Key of a request -> its name in an address, where they differ."""
_PROGRAMS = r"\b(?:gyakusan|pip|ollama|vllm|llama-server|docker|curl|git|nvidia-smi) [a-z\"'-]"
_COMMAND = re.compile(_PROGRAMS)
_ENGINES = [re.escape(short) for name in NAMES for short in (name.casefold(), name.casefold().removesuffix("-lm"))]
_VALUE = "|".join(['"[^"]*"', r"[^\s\"。、]*[0-9][^\s\"。、]*", "[A-Z][A-Z0-9_]*", "名前", *_ENGINES])
_OPTION = re.compile(
    rf"(?:(?P<verb>[Aa]dd|[Ss]ay) )?(?P<blank> ?)--(?P<name>[a-z]+(?:-[a-z]+)*)\b(?:[ =](?P<value>{_VALUE}))?"
    r"(?:(?P<added> ?を追加)|(?P<after> ?))"
)
_PLACEHOLDER = re.compile("N|NAME|FILE|MODEL|名前")


class Parameter(str):
    """A name of an address, e.g. "kv_type": a page says its field."""


def say_on(path: str, words: Message | str, language: Language) -> str:
    """Return words in the reader's language, with the fields of a page in the place of options. path: of the page."""
    fields = fields_of(path)
    told = tell(words if isinstance(words, str) else _renamed(words, fields, language), language)
    return in_fields(told, fields, language) if "--" in told else told


def fields_of(path: str) -> Mapping[str, Message]:
    """Return the fields of a page, none for one without."""
    if path == "/compare":  # its plans are questions of the page Plan
        plans = {option: label for option, label in FIELDS["/plan"].items() if option not in _OF_PLANS}
        return {**plans, **FIELDS[path]}
    return next((fields for page, fields in FIELDS.items() if path == page or path.startswith(f"{page}/")), {})


def in_fields(told: str, fields: Mapping[str, Message], language: Language) -> str:
    """Return a sentence that names fields where it named options; a command to type, up to the end, stays as it is."""
    typed = _COMMAND.search(told)
    end = typed.start() if typed else len(told)

    def replaced(match: re.Match[str]) -> str:
        label = fields.get(match["name"])
        return match[0] if label is None else _said(match, tell(label, language), language)

    return _OPTION.sub(replaced, told[:end]) + told[end:]


def _said(match: re.Match[str], label: str, language: Language) -> str:
    """Return what stands in the place of an option."""
    value, rest = _value(match["value"] or "")
    if language == "ja":
        if match["added"]:
            return (
                f"「{label}」を選択" if match["name"] in TICKED else f"「{label}」{f'に{value}' if value else ''}を指定"
            )
        return f"「{label}」{value}{rest}"
    verb = match["verb"]
    if not verb:
        return f"{match['blank']}“{label}”{' ' if value else ''}{value}{rest}{match['after']}"
    ticked = match["name"] in TICKED
    told = f"tick “{label}”" if ticked else f"set “{label}” to {value}" if value else f"use “{label}”"
    return (told[0].upper() + told[1:] if verb[0].isupper() else told) + rest + match["after"]


def _value(text: str) -> tuple[str, str]:
    """Return a value and the signs that end its sentence; one that only stands for a value is none."""
    plain = text.rstrip(".,;:)")
    return ("" if _PLACEHOLDER.fullmatch(plain) else plain), text[len(plain) :]


def _renamed(message: Message, fields: Mapping[str, Message], language: Language) -> Message:
    """Return a message with the page's own sentence, and with fields in the place of parameters."""
    template = PAGE_TEXTS.get(message.template, message.template)
    option, asked = ASKED_TEXTS.get(template, ("", ""))
    template = asked if option in fields else template
    unasked = (told for (option, words), told in UNASKED_TEXTS.items() if words == template and option not in fields)
    template = next(unasked, template)
    return Message(template, {k: _fact(_keyed(k, v), fields, language) for k, v in message.facts.items()})


def _keyed(name: str, value: Any) -> Any:
    """Return the key of a request by its name in an address."""
    return Parameter(_KEYS.get(value, value)) if name == "key" and type(value) is str else value


def _fact(value: Any, fields: Mapping[str, Message], language: Language) -> Any:
    if isinstance(value, Listed):
        return Listed(tuple(_renamed(m, fields, language) for m in value.messages))
    if isinstance(value, Message):
        return _renamed(value, fields, language)
    if isinstance(value, Parameter) and (label := fields.get(value.removeprefix("--").replace("_", "-"))) is not None:
        told = tell(label, language)
        return f"「{told}」" if language == "ja" else f"“{told}”"
    return value
