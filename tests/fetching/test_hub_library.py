"""huggingface_hub is the judge of our cache, and the rows of decision 29: if one of these fails, the decision is asked again."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.fake_download_hub import COMMIT, FakeHub, sha256
from tests.fetching.test_get import BIG, GGUFS, get

library = pytest.importorskip("huggingface_hub")


@pytest.fixture
def tiny(web: FakeHub, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    web.repositories["org/tiny-GGUF"] = dict(GGUFS)
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    return web


def download(web: FakeHub, cache: Path, **changes: Any) -> str:
    """The library's download. Its content network has another host name, as the real one has."""
    web.lies.moved_to = f"{web.base.replace('127.0.0.1', 'localhost')}/cdn/org/tiny-GGUF/tiny-Q4_K_M.gguf"
    asked = {"cache_dir": cache, "endpoint": web.base, "token": False, **changes}
    try:
        return str(library.hf_hub_download("org/tiny-GGUF", "tiny-Q4_K_M.gguf", **asked))
    finally:
        web.lies.moved_to = ""


def test_what_we_fetched_is_found_by_the_library(tiny: FakeHub, cache: Path) -> None:
    got = get("org/tiny-GGUF:Q4_K_M")
    assert download(tiny, cache, local_files_only=True) == str(got.path)
    (repository,) = library.scan_cache_dir(cache).repos
    assert (repository.repo_id, repository.size_on_disk, set(repository.refs)) == ("org/tiny-GGUF", 3_000_000, {"main"})
    assert library.scan_cache_dir(cache).warnings == []


def test_what_the_library_fetched_is_found_by_us(tiny: FakeHub, cache: Path) -> None:
    path = download(tiny, cache)
    before = len(tiny.log)
    got = get("org/tiny-GGUF:Q4_K_M")
    assert (got.state, str(got.path), len(tiny.log)) == ("here", path, before)


def test_the_library_does_not_begin_where_we_have_the_lock(tiny: FakeHub, cache: Path) -> None:
    """Both lock the same file: .locks/models--.../SHA256.lock."""
    from filelock import FileLock, Timeout

    from gyakusan.fetching.places import HubCache
    from gyakusan.fetching.transfer import Remote
    from gyakusan.models.sources.hub import Repository

    place = HubCache(cache, Repository("org/tiny-GGUF"), COMMIT)
    with place.lock(Remote("tiny-Q4_K_M.gguf", tiny.base, len(BIG), sha256(BIG))):
        lock = cache / ".locks" / "models--org--tiny-GGUF" / f"{sha256(BIG)}.lock"
        with pytest.raises(Timeout):
            FileLock(lock).acquire(timeout=0.05)


def test_row_resume_the_library_keeps_nothing_of_a_broken_download(
    tiny: FakeHub, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import file_download

    def broken(url: str, file: Any, **_: Any) -> None:
        file.write(BIG[:1000])
        raise OSError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(file_download, "http_get", broken)
    with pytest.raises(OSError, match="Broken pipe"):
        download(tiny, cache)
    assert list(cache.rglob("*.incomplete")) == []


def test_row_checksum_the_library_keeps_wrong_bytes(tiny: FakeHub, cache: Path) -> None:
    wrong = BIG[:-1] + bytes([BIG[-1] ^ 1])
    tiny.lies.bytes["tiny-Q4_K_M.gguf"] = wrong
    path = Path(download(tiny, cache))
    assert path.read_bytes() == wrong
    assert path.resolve().name == sha256(BIG)
