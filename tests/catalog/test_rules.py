"""Bad records: each is refused with its file, its line, and a sentence that says what is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.catalog.some import DEVICE
from tests.japanese import english

from gyakusan.catalog import check
from gyakusan.errors import BadRecord
from gyakusan.text import tell

MODEL = """[[model]]
name = "some-model"
parameters = 1000
tensors = 10
tied = false
quantization = "Q4_K_M"
basis = "read"
source = "somewhere"
checked = "2026-01-02"

[model.metadata]
"general.architecture" = "llama"
"""


def refused(text: str, where: Path) -> str:
    path = where / "some.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(BadRecord) as error:
        check.check(where)
    return str(error.value)


def test_the_examples_are_good(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(DEVICE + "\n" + MODEL)
    assert check.check(tmp_path) == 2


BAD = {
    'bandwidth_gb_s = "93 GiB/s"': (7, "multiply GiB/s by 1.073741824"),
    "bandwidth_gib_s = 93": (7, "multiply GiB/s by 1.073741824"),
    "bandwidth_gb_s = 1008000": (7, "bandwidth_gb_s cannot be right: 1,008,000 GB/s"),
    "bandwidth_gb_s = 0": (7, "bandwidth_gb_s cannot be right"),
}


@pytest.mark.parametrize("line", BAD)
def test_bandwidths(line: str, tmp_path: Path) -> None:
    number, problem = BAD[line]
    message = refused(DEVICE.replace("bandwidth_gb_s = 100", line), tmp_path)
    assert message.startswith(("some.toml, line 7,", "some.toml, line 1,"))
    assert problem in message
    assert "Some GPU" in message
    assert number


MORE = {
    'prices = [{ amount = 1, date = "2026", source = "a shop" }]': "a price needs a currency (ISO 4217), such as JPY",
    'prices = [{ amount = 1, currency = "yen", date = "2026", source = "a shop" }]': "'yen' is no currency",
    'prices = [{ amount = 1, currency = "JPY", date = "today", source = "a shop" }]': "an amount, a date and a source",
    'rule = "apple"': "kind and rule contradict each other",
    'memory_mib = 4096\nmemory_source = "seen"': "memory_mib and sizes_gib contradict each other: 4096 MiB of 8 GiB",
    'channels = 2\nmemory_type = "DDR5-6000"': "contradicts its channels, which make 96.0 GB/s",
}


@pytest.mark.parametrize("line", MORE)
def test_contradictions_and_prices(line: str, tmp_path: Path) -> None:
    message = refused(DEVICE + line + "\n", tmp_path)
    assert MORE[line] in message
    assert re.match(r"some\.toml, line (7|11), record 'Some GPU': ", message)


def test_dates_contradict(tmp_path: Path) -> None:
    message = refused(DEVICE.replace("2026-01-01", "2026-09-01"), tmp_path)
    assert message == (
        "some.toml, line 8, record 'Some GPU': it was released after it was checked. Correct the catalogue file."
    )


MODELS = {
    "published = 2000\n": "parameters and published contradict each other: 1,000 and 2,000; say what is beside",
    "active = 5000\n": "active and parameters contradict each other",
    'derived_from = "nothing"\n': "no model is called 'nothing'",
    'like = "nothing"\n': "no model is called 'nothing'",
    'role = "toy"\n': "role cannot be 'toy'",
}


@pytest.mark.parametrize("line", MODELS)
def test_models(line: str, tmp_path: Path) -> None:
    message = refused(MODEL.replace("tensors", line + "tensors"), tmp_path)
    assert MODELS[line] in message
    assert message.startswith("some.toml, line 4, record 'some-model'")


def test_an_assumed_record_is_not_listed(tmp_path: Path) -> None:
    message = refused(MODEL.replace('"read"', '"assumed"\nlisted = true'), tmp_path)
    assert "an assumed record is not listed" in message


def test_duplicate_names_are_shown_with_both_places(tmp_path: Path) -> None:
    (tmp_path / "first.toml").write_text("\n" + DEVICE)
    message = refused(DEVICE.replace("Some GPU", "some-gpu"), tmp_path)
    assert message.startswith(
        "some.toml, line 2, record 'some-gpu': 'some 8 GiB' also means 'Some GPU' in first.toml, line 2"
    )


def test_broken_toml_says_its_line(tmp_path: Path) -> None:
    assert refused(DEVICE + "colour = \n", tmp_path).startswith("some.toml, line 11: ")


def test_a_file_from_the_future(tmp_path: Path) -> None:
    assert "line 1: its format is 99" in refused("schema = 99\n" + DEVICE, tmp_path)


def test_a_machine_of_nothing(tmp_path: Path) -> None:
    text = '[[machine]]\nname = "Box"\ndevice = "Nothing"\nsizes_gib = [8]\nsource = "x"\nchecked = "2026"\n'
    assert "line 3, record 'Box': no device is called 'Nothing'" in refused(text, tmp_path)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('gguf = ["a/b; rm -rf ~"]', "is no repository"),
        ('gguf = ["b"]', "is no repository"),
        ('mlx = ["a/$(id)"]', "is no repository"),
        (f'mlx = ["a/{"b" * 200}"]', "is no repository"),
        ('aliases = ["a/b c"]', "is no repository"),
        ('aliases = ["a\\nExecStart=b"]', "control characters"),
        ('aliases = ["a\\u001b[2J"]', "control characters"),
    ],
)
def test_what_commands_are_made_of(line: str, problem: str, tmp_path: Path) -> None:
    assert problem in refused(MODEL.replace("tied =", f"{line}\ntied ="), tmp_path)


def test_other_names_may_be_of_any_script(tmp_path: Path) -> None:
    names = 'aliases = ["日本語 8B", "a/b"]\ngguf = ["a/b.C_d-GGUF"]\n'
    (tmp_path / "a.toml").write_text(MODEL.replace("tied =", f"{names}tied ="), "utf-8")
    assert check.check(tmp_path) == 1


KINDS = {
    "an embedding model": MODEL.replace("[[model]]", "[[embedding]]"),
    "a machine": '[[machine]]\nname = "Box"\ndevice = "Nothing"\nsizes_gib = [8]\nsource = "x"\nchecked = "2026"\n',
    "no table": "[[toy]]\n",
    "no name": DEVICE.replace('name = "Some GPU"\n', ""),
    "no TOML": "[[device\n",
    "a row too many": "[[ 'device' ]]\n" + DEVICE,
    "no list": DEVICE.replace("sizes_gib = [8]", "sizes_gib = 8"),
    "unified": DEVICE.replace('kind = "gpu"', 'kind = "unified"'),
    "no figure": MODEL.replace("parameters = 1000", "parameters = 0"),
    "no date": DEVICE.replace("2026-01-01", "soon"),
    "no source": MODEL.replace('"somewhere"', '" "'),
    "no architecture": MODEL.replace("general.architecture", "other"),
    "a missing field": MODEL.replace("tensors = 10\n", ""),
    "listed": MODEL.replace('"read"', '"assumed"\nlisted = true'),
    "released too late": DEVICE.replace("2026-01-01", "2026-09-01"),
    **{line: DEVICE + line + "\n" for line in MORE},
    **{line: DEVICE.replace("bandwidth_gb_s = 100", line) for line in BAD},
    **{line: MODEL.replace("tensors", line + "tensors") for line in MODELS},
    "a command": MODEL.replace("tied =", 'gguf = ["a/b; rm"]\ntied ='),
    "a control character": MODEL.replace("tied =", 'aliases = ["a\\nb"]\ntied ='),
}


@pytest.mark.parametrize("text", KINDS.values(), ids=KINDS)
def test_each_is_refused_in_japanese(text: str, tmp_path: Path) -> None:
    """Names of fields and what was written stay as they are."""
    (tmp_path / "some.toml").write_text(text, "utf-8")
    with pytest.raises(BadRecord) as error:
        check.check(tmp_path)
    told = tell(error.value.message, "ja")
    assert english(told) == []
    typed = r"「[^」]*」|name = \"...\"|role = \"embedding\""
    assert not re.search(r"[\"'`]|cannot|missing|is no", re.sub(typed, "", told))
