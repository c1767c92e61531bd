"""Faults that a model somebody sends once had: F1, F2, F8, F9, F11 of the first attack, and others of their kinds. F15 is in
tests/models/formats/test_gguf_loadable.py.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from benchmarks.attack_cases.guard import STEERS, crashed
from tests.fakes import tiny
from tests.models import building
from tests.models.building import STRING, U32

from gyakusan.cli import main
from gyakusan.doors import parse
from gyakusan.errors import BadModel, GyakusanError, Malformed
from gyakusan.models import assemble, repository
from gyakusan.models.formats import gguf
from gyakusan.models.sources import hub

Run = Callable[..., tuple[int, str, str]]
STEERING = "m\x1b]52;c;cm0gLXJmIH4=\x07\x1b[1A\x1b[2K\x9b31m\u202e\u2066\nok: fits, 99 GiB left"
"""A name that writes to the clipboard, deletes lines, turns the direction of writing and forges a verdict."""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command in a home of its own: exit code, stdout, stderr; no crash report is left."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home" / "state"))
    monkeypatch.chdir(tmp_path)

    def ran(*words: str) -> tuple[int, str, str]:
        code = main(words)
        out, err = capsys.readouterr()
        assert crashed(tmp_path) == ""
        return code, out, err

    return ran


def header(*pairs: bytes) -> bytes:
    return building.padded(building.header(list(pairs), [building.tensor("token_embd.weight", (64, 3), 8, 0)]), 224)


def named(name: str) -> bytes:
    data = bytearray(tiny.gguf())
    at = data.find(b"general.architecture") - 8
    data[16:24] = (int.from_bytes(data[16:24], "little") + 1).to_bytes(8, "little")
    data[at:at] = building.pair("general.name", STRING, name)
    whole = bytes(data)
    return whole + bytes(-len(whole) % 32)


@pytest.mark.parametrize(
    "words", [(), ("--engine", "all"), ("--lang", "ja"), ("--why",), ("--json",)], ids=lambda w: " ".join(w) or "plain"
)
def test_f1_a_name_in_the_metadata_steers_nothing(words: tuple[str, ...], run: Run, tmp_path: Path) -> None:
    """F1: general.name, under which a file of a store is shown."""
    blob = tmp_path / ("sha256-" + "a" * 64)
    blob.write_bytes(named(STEERING))
    code, out, err = run("inspect", str(blob), *words)
    assert code == 0, err
    assert "ok: fits" in out, "the name is shown"
    assert STEERS.search(out + err) is None
    assert not re.search(r"(?m)^\s*ok: fits", out)


def test_f1_a_long_name_is_shortened(run: Run, tmp_path: Path) -> None:
    """F1: a name of 900,000 characters printed 912,672."""
    blob = tmp_path / ("sha256-" + "b" * 64)
    blob.write_bytes(named("x" * 900_000))
    code, out, _ = run("inspect", str(blob))
    assert (code, len(out) < 10_000) == (0, True)


def test_f1_errors_and_file_names_steer_nothing(run: Run, tmp_path: Path) -> None:
    """F1: the architecture and values of a config.json in errors, the name of a file."""
    (tmp_path / "a.gguf").write_bytes(header(building.pair("general.architecture", STRING, STEERING)))
    (tmp_path / STEERING.replace("/", "")).write_bytes(tiny.gguf())
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "config.json").write_bytes(tiny.config(model_type=STEERING))
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "config.json").write_bytes(tiny.config(hidden_size=STEERING))
    for what, expected in (("a.gguf", 2), (STEERING.replace("/", ""), 0), ("c", 2), ("d", 2)):
        for more in ((), ("--lang", "ja"), ("--json",)):
            code, out, err = run("inspect", f"./{what}", *more)
            assert code == expected, err
            assert STEERS.search(out + err) is None
            assert err.count("\n") <= 1


def test_f2_a_key_that_occurs_twice_is_found_in_linear_time() -> None:
    """F2: 40,000 keys took 37 s."""
    text = "{" + ",".join(f'"k{i}":1' for i in range(150_000)) + ',"k149999":2}'
    begun = time.process_time()
    with pytest.raises(Malformed, match="'k149999' occurs twice"):
        parse.json_value(text, lambda why: Malformed("{why}", why=why))
    assert time.process_time() - begun < 5


def test_f11_labels_of_a_large_listing_are_told_apart_in_linear_time() -> None:
    """F11: 99,000 files of a hub took more than 20 s."""
    files: dict[str, int | None] = {f"d{i % 7}/m-{i}-Q4_K_M.gguf": 1 for i in range(40_000)}
    begun = time.process_time()
    assert len(repository.choices(hub.Listing(hub.Repository("o/n"), files))) == 40_000
    assert time.process_time() - begun < 5


def test_f11_parts_share_one_limit() -> None:
    """F11: each of 1,000 parts might have 65,536 tensors."""
    n = 30_000
    rows = [building.tensor(f"t.{i}", (1,), 0, 32 * i) for i in range(n)]

    def part(i: int) -> bytes:
        split = [
            building.pair("split.no", U32, i),
            building.pair("split.count", U32, 3),
            building.pair("split.tensors.count", U32, 3 * n),
        ]
        named = [r.replace(b"t.", b"%c." % (97 + i), 1) for r in rows]
        return building.padded(building.header(split, named), 32 * n)

    names = [f"m-0000{i}-of-00003.gguf" for i in (1, 2, 3)]
    files = {name: part(i) for i, name in enumerate(names)}
    with pytest.raises(BadModel, match=r"The parts of .* have more than 65536 tensors"):
        gguf.read_parts(names[0], lambda name: building.Memory(files[name], name, files))


@pytest.mark.parametrize("name", ["zz[/b]-1b", "zz[red]-1b", "[link=file:///etc/passwd]x[/link]-1b", "{0}{x}-%s"])
def test_f9_markup_in_a_name_is_text(name: str, run: Run, tmp_path: Path) -> None:
    """F9: rich took [/b] in a model's name for markup: MarkupError."""
    file = tmp_path / (name.replace("/", "") + ".gguf")
    file.write_bytes(tiny.gguf())
    for words in (("inspect", str(file)), ("compare", "RTX 4090", "--model", str(file))):
        code, out, err = run(*words)
        assert code == 0, err
        assert name.replace("/", "") in out.replace("\n", "")


METHODS = ("gptq", "awq", "fp8", "mxfp4", "bitsandbytes", "modelopt", "nvfp4", "compressed-tensors", "auto-round", "")
WEIGHTS = {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 32, "symmetric": True}
QUANTIZED: dict[str, Any] = {
    "bits": 4,
    "w_bit": 4,
    "group_size": 128,
    "q_group_size": 128,
    "weight_block_size": [128, 128],
    "sym": True,
    "zero_point": True,
    "modules_to_not_convert": ["lm_head"],
    "kv_cache_scheme": {"num_bits": 8, "type": "float"},
    "quantization": {"quant_algo": "NVFP4", "group_size": 16},
    "config_groups": {"group_0": {"weights": WEIGHTS, "format": "pack-quantized"}},
    "format": "pack-quantized",
    "load_in_4bit": True,
}
SEEING: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "depth": 2,
    "patch_size": 14,
    "temporal_patch_size": 2,
    "image_size": 224,
    "num_position_embeddings": 256,
    "spatial_merge_size": 2,
    "out_hidden_size": 64,
    "deepstack_visual_indexes": [1, 2],
    "model_type": "x",
}
WRONG: tuple[Any, ...] = (
    *(0, -1, 5, 2**70, 0.5, float("nan"), float("inf"), 1e308, True, None, "x", "", {}, {"": None}),
    *([], [0], [-1], ["x"], [None], [[1]], [2**70], [float("inf")], [1] * 300),
)


def variants(table: dict[str, Any]) -> list[dict[str, Any]]:
    """The table with each value of it, also of tables inside, replaced by each wrong one."""
    found = []
    for key, value in table.items():
        found += [{**table, key: wrong} for wrong in WRONG]
        if isinstance(value, dict):
            found += [{**table, key: inner} for inner in variants(value)]
    return found


@pytest.mark.parametrize("method", METHODS)
def test_f8_what_a_config_says_of_its_quantisation(method: str) -> None:
    """F8: weight_block_size ["x"] was a ValueError, [null] a TypeError; each key of each method gets each wrong value."""
    for said in variants({"quant_method": method, **QUANTIZED}):
        check({**tiny.CONFIG, "quantization_config": said})


def test_f8_what_a_config_says_of_its_eyes() -> None:
    """F8: deepstack_visual_indexes 5 was a TypeError, patch_size 0 a ZeroDivisionError; sizes stay sizes."""
    for said in variants(SEEING):
        check({**tiny.CONFIG, "vision_config": said})


@pytest.mark.parametrize("extra", [{"text_config": tiny.CONFIG}, {}])
def test_f8_other_keys(extra: dict[str, Any]) -> None:
    """F8: the same for the keys of the language part."""
    more = {"rope_scaling": {"type": "llama3", "factor": 8.0}, "layer_types": ["full_attention"] * 2, "head_dim": 64}
    for said in variants({**tiny.CONFIG, **more, **extra}):
        check(said)


def check(config: dict[str, Any]) -> None:
    """A config is read, or refused in words; its sizes are positive and finite."""
    try:
        model = assemble.from_config(config, None, name="x", source="x")
    except GyakusanError:
        return
    assert model.checkpoint is not None
    assert 0 <= model.checkpoint.encoders < 2**90


def test_f8_names_of_tensors_that_are_no_blocks(run: Run, tmp_path: Path) -> None:
    """F8: int("x") of a tensor called blk.x, in every command."""
    for name in ("blk.x", "blk..weight", "blk.1e9.attn_q.weight", "blk.٣.attn_q.weight", "blk.", "blk.-1.x"):
        data = tiny.gguf(more=(tiny.model().tensors[-1].__class__(name, (32,), "F32"),))
        (tmp_path / "m.gguf").write_bytes(data)
        for words in (
            ("inspect", "m.gguf"),
            ("compare", "RTX 4090", "--model", "m.gguf"),
            ("serve", "m.gguf", "--dry-run"),
        ):
            code, _, err = run(*words)
            assert (code, "belongs to none of its 2 blocks" in err) == (2, True), err
