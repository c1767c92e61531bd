"""On a page a name means the catalogue, whatever is on this computer or on the network."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.fakes import tiny

from gyakusan import machines, models
from gyakusan.doors.scope import catalogue_only, sees_computer, sees_files
from gyakusan.errors import BadReference, BadSetting, UnknownName
from gyakusan.learning import known


def test_the_scope_ends() -> None:
    with catalogue_only(computer=False):
        assert not sees_files()
        assert not sees_computer()
    with pytest.raises(ZeroDivisionError), catalogue_only(computer=False):
        _ = 1 / 0
    assert sees_files()
    assert sees_computer()


@pytest.mark.parametrize(
    "name", ["{folder}/tiny.gguf", "./tiny.gguf", "http://127.0.0.1:1/x.gguf", "~/tiny.gguf", "/etc/passwd"]
)
def test_no_file_and_no_address(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.gguf").write_bytes(tiny.gguf())
    with catalogue_only(computer=True), pytest.raises(BadReference, match="a page opens none"):
        models.load(name.format(folder=tmp_path))


@pytest.mark.parametrize(
    "name", ["ollama:127.0.0.1:1/foo/bar", "hf:acme/private", "https://huggingface.co/acme/private", "acme/private"]
)
def test_no_store_and_no_network(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the hub's cache nor Ollama's store is looked into, and nothing is asked."""
    from gyakusan.models.sources import hub, ollama

    def asked(*arguments: object, **options: object) -> None:
        raise AssertionError("it was looked up")

    for module, names in ((hub, ("cached", "listed")), (ollama, ("local", "remote"))):
        for one in names:
            monkeypatch.setattr(module, one, asked)
    with catalogue_only(computer=True), pytest.raises((UnknownName, Exception)) as error:
        models.load(name)
    assert not isinstance(error.value, AssertionError)


def test_whether_a_file_is_there_makes_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.txt").write_text("x")
    said = []
    for name in ("there.txt", "gone.txt"):
        with catalogue_only(computer=True), pytest.raises(UnknownName) as error:
            models.load(name)
        said.append(str(error.value).replace(name, "NAME"))
    assert said[0] == said[1]


def test_names_of_the_catalogue_are_loaded() -> None:
    for name in ("gpt-oss-20b", "unsloth/Qwen3.6-27B-GGUF:Q4_K_M", "hf.co/unsloth/Qwen3.6-27B-GGUF:Q4_K_M"):
        expected = models.load(name, offline=True)
        with catalogue_only(computer=False):
            assert models.load(name).name == expected.name


@pytest.mark.parametrize("device", [None, "cpu", "host"])
def test_no_computer(device: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(known.SWITCH, raising=False)
    assert known.is_on()
    with catalogue_only(computer=False):
        assert not known.is_on()
        with pytest.raises(BadSetting, match="shows nothing of its computer"):
            machines.parse(device)
