"""get: exactly the files that a server loads, whole and checked, or an error that names the mend; nothing broken stays."""

from __future__ import annotations

import random
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.fakes import fake_ollama
from tests.fakes.fake_download_hub import COMMIT, FakeHub, fake_hub, sha256

from gyakusan import errors
from gyakusan.fetching import places, transfer, wanted
from gyakusan.fetching.get import Ask, Getter, Got, Progress, gigabytes, held
from gyakusan.fetching.transfer import Patience
from gyakusan.models.sources import route

SEED = random.Random(13)
BIG = SEED.randbytes(3_000_000)
GGUFS = {
    "README.md": b"# tiny",
    "tiny-Q4_K_M.gguf": BIG,
    "tiny-Q8_0-00001-of-00002.gguf": SEED.randbytes(70_000),
    "tiny-Q8_0-00002-of-00002.gguf": SEED.randbytes(50_000),
    "mmproj-tiny-F16.gguf": SEED.randbytes(9_000),
}
QUICK = Patience(silence=20, tries=2, pause=0.01, longest_pause=0.5)
HASTY = Patience(silence=0.5, tries=2, pause=0.01, slowest=1000, window=0.5)


def get(text: str, images: bool = False, engine: str = "llama.cpp", **changes: Any) -> Got:
    return Getter(**{"patience": QUICK, **changes}).get(wanted.of_text(text, None, engine, images=images))


@pytest.fixture
def tiny(web: FakeHub) -> FakeHub:
    web.repositories["org/tiny-GGUF"] = dict(GGUFS)
    return web


def parts(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.rglob("*.incomplete"))


def test_a_file_is_fetched_into_the_hubs_own_layout(tiny: FakeHub, cache: Path) -> None:
    asked: list[Ask] = []
    seen: list[Progress] = []
    got = get("org/tiny-GGUF:Q4_K_M", on_ask=asked.append, report=seen.append)
    folder = cache / "models--org--tiny-GGUF"
    assert got.path == folder / "snapshots" / COMMIT / "tiny-Q4_K_M.gguf"
    assert got.path.read_bytes() == BIG
    assert got.path.resolve() == (folder / "blobs" / sha256(BIG)).resolve()
    assert (folder / "refs" / "main").read_text() == COMMIT
    assert (got.state, got.program, got.bytes, got.checked) == ("fetched", "Hugging Face", 3_000_000, True)
    assert (asked[0].missing, [r.name for r in asked[0].files]) == (3_000_000, ["tiny-Q4_K_M.gguf"])
    assert [s.file for s in asked[0].skipped] == ["mmproj-tiny-F16.gguf"]
    assert (seen[-1].done, seen[-1].total, seen[-1].files) == (3_000_000, 3_000_000, 1)
    assert [p.done for p in seen] == sorted(p.done for p in seen)
    assert parts(cache) == []


def test_what_was_fetched_is_found_without_the_network(tiny: FakeHub, cache: Path) -> None:
    get("org/tiny-GGUF:Q4_K_M")
    before = len(tiny.log)
    again = get("org/tiny-GGUF:Q4_K_M")
    assert (again.state, again.program, again.path) == ("here", "Hugging Face", next(cache.rglob("tiny-Q4_K_M.gguf")))
    assert len(tiny.log) == before


def test_parts_and_the_projector_are_fetched_where_images_are_sent(tiny: FakeHub) -> None:
    got = get("org/tiny-GGUF:Q8_0", images=True)
    assert [p.name for p in got.files] == [
        "tiny-Q8_0-00001-of-00002.gguf", "tiny-Q8_0-00002-of-00002.gguf", "mmproj-tiny-F16.gguf",
    ]  # fmt: skip
    assert got.projector is not None
    assert got.projector.read_bytes() == GGUFS["mmproj-tiny-F16.gguf"]
    assert all(p.read_bytes() == GGUFS[p.name] for p in got.files)


def test_nothing_is_fetched_in_a_dry_run(tiny: FakeHub, cache: Path) -> None:
    got = get("org/tiny-GGUF:Q8_0", dry_run=True)
    assert (got.state, got.bytes, got.missing, got.path) == ("planned", 120_000, 120_000, None)
    assert not cache.exists()
    assert tiny.asked("/cdn") == []


def test_a_folder_of_ones_own(tiny: FakeHub, tmp_path: Path) -> None:
    to = tmp_path / "models"
    got = get("org/tiny-GGUF:Q4_K_M", to=to)
    assert sorted(p.name for p in to.iterdir()) == ["tiny-Q4_K_M.gguf"]
    assert got.path == to / "tiny-Q4_K_M.gguf"
    assert get("org/tiny-GGUF:Q4_K_M", to=to).bytes == 3_000_000
    assert len(tiny.asked("/cdn")) == 1


def test_another_file_of_that_name_is_not_written_over(tiny: FakeHub, tmp_path: Path) -> None:
    (tmp_path / "tiny-Q4_K_M.gguf").write_bytes(b"mine")
    with pytest.raises(errors.BadSetting, match="exists and is another file"):
        get("org/tiny-GGUF:Q4_K_M", to=tmp_path)
    (tmp_path / "tiny-Q4_K_M.gguf").write_bytes(BIG[:-1] + b"?")
    with pytest.raises(errors.BadSetting, match="exists and is another file"):
        get("org/tiny-GGUF:Q4_K_M", to=tmp_path)
    assert (tmp_path / "tiny-Q4_K_M.gguf").read_bytes() == BIG[:-1] + b"?"


@pytest.mark.parametrize("cuts", [1, 3])
def test_a_connection_that_breaks_is_taken_up_again(tiny: FakeHub, cuts: int) -> None:
    tiny.lies.cut_at, tiny.lies.cuts = 700_000, cuts
    got = get("org/tiny-GGUF:Q4_K_M")
    assert got.path is not None
    assert got.path.read_bytes() == BIG
    starts = [int(r.removeprefix("bytes=").partition("-")[0]) for _, _, r, _ in tiny.asked("/cdn")]
    assert len(starts) == cuts + 1
    assert starts == sorted(starts)
    assert starts[-1] > 0


def test_a_broken_fetch_goes_on_where_it_was(tiny: FakeHub, cache: Path) -> None:
    tiny.lies.cut_at, tiny.lies.cuts = 700_000, 1
    tiny.lies.statuses = [0, 503, 503]
    with pytest.raises(errors.SourceError, match=r"127\.0\.0\.1 has a server error \(503\)"):
        get("org/tiny-GGUF:Q4_K_M")
    (part,) = parts(cache)
    assert part == f"{sha256(BIG)}.incomplete"
    there = next(cache.rglob("*.incomplete")).stat().st_size
    assert 0 < there <= 700_000
    assert list(cache.rglob("*.gguf")) == []
    tiny.log.clear()
    asked: list[Ask] = []
    got = get("org/tiny-GGUF:Q4_K_M", on_ask=asked.append)
    assert asked[0].missing == 3_000_000 - there
    assert [r for _, _, r, _ in tiny.asked("/cdn")] == [f"bytes={there}-2999999"]
    assert got.path is not None
    assert got.path.read_bytes() == BIG
    assert parts(cache) == []


def test_a_server_without_ranges_sends_the_whole_file_again(tiny: FakeHub, cache: Path) -> None:
    blobs = cache / "models--org--tiny-GGUF" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / f"{sha256(BIG)}.incomplete").write_bytes(b"x" * 1000)
    tiny.lies.no_ranges = True
    got = get("org/tiny-GGUF:Q4_K_M")
    assert got.path is not None
    assert got.path.read_bytes() == BIG


def test_wrong_bytes_are_removed(tiny: FakeHub, cache: Path) -> None:
    tiny.lies.bytes["tiny-Q4_K_M.gguf"] = BIG[:-1] + b"?"
    with pytest.raises(errors.SourceError, match=r"tiny-Q4_K_M.gguf is damaged: its checksum is .* It was removed"):
        get("org/tiny-GGUF:Q4_K_M")
    assert parts(cache) == []
    assert list(cache.rglob("*.gguf")) == []


def test_a_damaged_part_is_noticed_in_the_end(tiny: FakeHub, cache: Path) -> None:
    blobs = cache / "models--org--tiny-GGUF" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / f"{sha256(BIG)}.incomplete").write_bytes(b"x" * 1000)
    with pytest.raises(errors.SourceError, match="is damaged"):
        get("org/tiny-GGUF:Q4_K_M")
    assert get("org/tiny-GGUF:Q4_K_M").bytes == 3_000_000


@pytest.mark.parametrize("said", [2_999_999, 3_000_001])
def test_a_hub_that_lies_about_sizes(tiny: FakeHub, cache: Path, said: int) -> None:
    tiny.lies.listed["tiny-Q4_K_M.gguf"] = said
    with pytest.raises(errors.SourceError, match=f"lists tiny-Q4_K_M.gguf with {said} bytes, and sends 3000000"):
        get("org/tiny-GGUF:Q4_K_M")
    assert list(cache.rglob("*.gguf")) == []


def test_a_content_network_that_lies_about_sizes(tiny: FakeHub) -> None:
    tiny.lies.total["tiny-Q4_K_M.gguf"] = 10**15
    with pytest.raises(errors.SourceError, match="sends 1000000000000000"):
        get("org/tiny-GGUF:Q4_K_M")


def test_a_hub_that_hangs(tiny: FakeHub) -> None:
    tiny.lies.hang = 30
    with pytest.raises(
        errors.SourceError, match=r"127\.0\.0\.1 did not answer for 0.5 seconds\. Try again, or name a mirror"
    ):
        get("org/tiny-GGUF:Q4_K_M", patience=HASTY)


def test_a_hub_that_drips(tiny: FakeHub, cache: Path) -> None:
    tiny.lies.drip = 0.02
    with pytest.raises(errors.SourceError, match=r"sent less than 1000 bytes/s for \d+ seconds"):
        get("org/tiny-GGUF:Q4_K_M", patience=HASTY)
    assert len(parts(cache)) == 1


def test_a_hub_that_breaks_off_after_each_few_bytes(tiny: FakeHub) -> None:
    tiny.lies.cut_at, tiny.lies.cuts = 1, 10**6
    patience = Patience(silence=0.5, tries=2, pause=0.05, slowest=10**6, window=0.4)
    with pytest.raises(errors.SourceError, match=r"sent less than|broke"):
        get("org/tiny-GGUF:Q4_K_M", patience=patience)


def test_500_once_is_no_failure(tiny: FakeHub) -> None:
    tiny.lies.statuses = [500]
    assert get("org/tiny-GGUF:Q4_K_M").bytes == 3_000_000


def test_429_waits_as_long_as_is_asked_for(tiny: FakeHub) -> None:
    tiny.lies.statuses, tiny.lies.retry_after = [429], "0"
    assert get("org/tiny-GGUF:Q4_K_M").bytes == 3_000_000
    tiny.lies.statuses, tiny.lies.retry_after = [429], "900"
    with pytest.raises(errors.SourceError, match=r"limits the number of requests \(429\)\. Try again in 900 seconds"):
        get("org/tiny-GGUF:Q8_0")
    assert tiny.lies.statuses == []


def test_a_gated_model_says_what_to_do(tiny: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.lies.gated, tiny.token = True, "hf_right"
    with pytest.raises(errors.SourceError) as caught:
        get("org/tiny-GGUF:Q4_K_M")
    told = str(caught.value)
    assert told.startswith("org/tiny-GGUF is gated: its maker wants you to agree to a licence first.")
    assert f"1. Agree at {tiny.base}/org/tiny-GGUF. 2. hf auth login. 3." in told
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(errors.SourceError, match="your token has no access") as caught:
        get("org/tiny-GGUF:Q4_K_M")
    assert "hf_wrong" not in str(caught.value)
    monkeypatch.setenv("HF_TOKEN", "hf_right")
    assert get("org/tiny-GGUF:Q4_K_M").bytes == 3_000_000


def test_a_token_goes_to_the_hub_only(tiny: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with fake_hub() as other:
        other.repositories["org/tiny-GGUF"] = dict(GGUFS)
        tiny.lies.moved_to = f"{other.base}/cdn/org/tiny-GGUF/tiny-Q4_K_M.gguf"
        with pytest.raises(errors.SourceError, match=r"another server without encryption") as caught:
            get("org/tiny-GGUF:Q4_K_M")
        assert "hf_secret" not in str(caught.value)
        assert other.log == []
        monkeypatch.setattr(route, "check_public", lambda *_: None)
        monkeypatch.setattr(route, "check_address", lambda *_: None)
        got = get("org/tiny-GGUF:Q4_K_M")
        assert got.bytes == 3_000_000
        assert [said for *_, said in other.log] == [""]
        assert {said for *_, said in tiny.log} == {"Bearer hf_secret"}


def test_a_full_disk_is_said_before(tiny: FakeHub, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 256 * 2**20 + 2_999_999})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(errors.SourceError, match=r"3 MB are to be fetched, and 271 MB are free in .*hub\. Make room"):
        get("org/tiny-GGUF:Q4_K_M")
    assert not cache.exists()


def test_a_disk_that_fills_up_keeps_what_is_there(tiny: FakeHub, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, room = transfer.write, [1_500_000]

    def narrow(file: Any, block: bytes) -> None:
        if len(block) > room[0]:
            raise OSError(28, "No space left on device")
        room[0] -= len(block)
        real(file, block)

    monkeypatch.setattr(transfer, "write", narrow)
    with pytest.raises(errors.SourceError, match=r"The disk of .*blobs is full\. Make room"):
        get("org/tiny-GGUF:Q4_K_M")
    there = next(cache.rglob("*.incomplete")).stat().st_size
    assert 0 < there <= 1_500_000
    monkeypatch.setattr(transfer, "write", real)
    tiny.log.clear()
    assert get("org/tiny-GGUF:Q4_K_M").bytes == 3_000_000
    assert tiny.asked("/cdn")[0][2].startswith(f"bytes={there}-")


def test_ctrl_c_keeps_what_is_there(tiny: FakeHub, cache: Path) -> None:
    def stop(progress: Progress) -> None:
        if progress.done > 1_000_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get("org/tiny-GGUF:Q4_K_M", report=stop)
    there = next(cache.rglob("*.incomplete")).stat().st_size
    assert 1_000_000 < there < 3_000_000
    assert get("org/tiny-GGUF:Q4_K_M").bytes == 3_000_000


def test_two_at_once_do_not_write_one_file(tiny: FakeHub) -> None:
    started, go = threading.Event(), threading.Event()

    def wait(progress: Progress) -> None:
        started.set()
        assert go.wait(10)

    thread = threading.Thread(target=get, args=("org/tiny-GGUF:Q4_K_M",), kwargs={"report": wait})
    thread.start()
    assert started.wait(10)
    with pytest.raises(errors.SourceError, match=r"Another program is fetching tiny-Q4_K_M\.gguf"):
        get("org/tiny-GGUF:Q4_K_M")
    go.set()
    thread.join()
    assert get("org/tiny-GGUF:Q4_K_M").state == "here"


def test_offline_asks_nobody(tiny: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(errors.SourceError, match="the network is switched off"):
        get("org/tiny-GGUF:Q4_K_M", offline=True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(errors.SourceError, match="the network is switched off"):
        get("org/tiny-GGUF:Q4_K_M")
    assert tiny.log == []


def test_a_tag_that_is_not_there_names_those_that_are(tiny: FakeHub) -> None:
    with pytest.raises(errors.BadReference, match=r"org/tiny-GGUF has no 'Q2_K'\. It has .*Q4_K_M"):
        get("org/tiny-GGUF:Q2_K")


def test_a_hub_without_checksums_says_so(tiny: FakeHub) -> None:
    tiny.lies.no_digests = True
    got = get("org/tiny-GGUF:Q4_K_M")
    assert (got.bytes, got.checked) == (3_000_000, False)


def test_a_repository_that_is_not_there(web: FakeHub) -> None:
    with pytest.raises(errors.SourceError, match="org/none does not exist, or is private or gated"):
        get("org/none:Q4_K_M")


CONFIG = b'{"architectures": ["LlamaForCausalLM"], "model_type": "llama"}'
CHECKPOINT = {
    "README.md": b"#",
    "config.json": CONFIG,
    "tokenizer.json": b"{}",
    "model.safetensors.index.json": b'{"weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}}',
    "model-1-of-2.safetensors": SEED.randbytes(4000),
    "model-2-of-2.safetensors": SEED.randbytes(5000),
    "extra.safetensors": b"x" * 100,
    "original/consolidated.00.pth": b"x" * 100,
    "modeling.py": b"import os",
}


@pytest.mark.parametrize(("engine", "code"), [("vllm", False), ("mlx", True)])
def test_a_checkpoint_is_what_its_server_loads(web: FakeHub, engine: str, code: bool) -> None:
    web.repositories["org/tiny"] = dict(CHECKPOINT)
    got = get("org/tiny", engine=engine)
    expected = {
        "config.json", "tokenizer.json", "model.safetensors.index.json", "model-1-of-2.safetensors",
        "model-2-of-2.safetensors", *(["modeling.py"] if code else []),
    }  # fmt: skip
    assert {p.name for p in got.files} == expected
    assert got.path is not None
    assert got.path.is_dir()
    assert got.checked
    assert get("org/tiny", engine=engine).state == "here"
    (got.path / "model-2-of-2.safetensors").unlink()
    assert get("org/tiny", engine=engine).state == "fetched"


def test_a_small_file_is_checked_by_gits_sum(web: FakeHub) -> None:
    web.repositories["org/tiny"] = dict(CHECKPOINT)
    web.lies.bytes["config.json"] = CONFIG  # only the content network lies; small files come from resolve
    got = get("org/tiny", engine="vllm")
    config = next(p for p in got.files if p.name == "config.json")
    assert transfer.digest(config, "sha1", len(CONFIG)) == config.resolve().name


@pytest.mark.parametrize(
    ("size", "up", "said"),
    [
        (16_799_999_999, False, "16.7 GB"),
        (16_700_000_001, True, "16.8 GB"),
        (999_999, True, "1 MB"),
        (212_900_000_000, False, "212 GB"),
    ],
)
def test_sizes_can_be_trusted(size: int, up: bool, said: str) -> None:
    assert gigabytes(size, up=up) == said


def test_what_the_disk_has_is_asked_of_the_nearest_folder(tmp_path: Path) -> None:
    free = places.free_bytes(tmp_path / "not" / "yet")
    assert free is not None
    assert free > 0


def test_a_pulled_file_is_found_by_its_name(home: Path) -> None:
    fake_ollama.pull(home / "ollama", "hf.co/org/tiny-GGUF", "Q4_K_M", [("model", BIG, {})])
    got = get("org/tiny-GGUF:Q4_K_M", offline=True)
    assert (got.state, got.program) == ("here", "Ollama")
    assert got.path is not None
    assert got.path.read_bytes() == BIG


def test_what_is_here_has_the_nearest_size() -> None:
    """The small model of the README, 98 MB, was listed with 99 MB, and checked with 93.81 MiB."""
    assert (held(98_362_432), held(12_249_000_000), held(999_600_000)) == ("98 MB", "12.2 GB", "1.0 GB")
