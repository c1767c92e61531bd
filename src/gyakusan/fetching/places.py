"""Where fetched files are kept: the hub's cache in its own layout, so that every program finds them, or a plain folder.

Source of the layout: huggingface_hub 2.4.0, file_download.py (_hf_hub_download_to_cache_dir): blobs/ETAG, links to them in
snapshots/COMMIT, the commit of a branch in refs, and locks in .locks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec import Struct

from gyakusan import posix
from gyakusan.errors import BadSetting, SourceError
from gyakusan.fetching.transfer import Remote, digest, unwritable
from gyakusan.models.sources import hub

PART = ".incomplete"
"""Ending of a file that is not whole; huggingface_hub before 2.4 goes on with such a file, too."""


class HubCache(Struct, frozen=True):
    """The hub's cache.

    root: its folder, e.g. ~/.cache/huggingface/hub
    repository: whose files they are
    commit: of the files
    """

    root: Path
    repository: hub.Repository
    commit: str

    @property
    def folder(self) -> Path:
        """The folder in which a server finds the files."""
        return self._home / "snapshots" / self.commit

    @property
    def _home(self) -> Path:
        return self.root / f"models--{self.repository.id.replace('/', '--')}"

    def path(self, remote: Remote) -> Path:
        """Return where a server finds a file."""
        return self.folder / remote.name

    def has(self, remote: Remote) -> bool:
        """Return True if the file is there, with the size that is listed."""
        return _has(self.path(remote), remote)

    def part(self, remote: Remote) -> Path:
        """Return the file that is not whole yet; of one without a checksum nothing is kept from other commits."""
        return self._home / "blobs" / f"{remote.digest or _plain(remote.name, self.commit)}{PART}"

    def keep(self, remote: Remote, found: str) -> Path:
        """Make a whole file visible, and return its path. found: its checksum. Raises SourceError."""
        path, part = self.path(remote), self.part(remote)
        blob = part.with_name(remote.digest or found)
        try:
            os.replace(part, blob)
            path.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):
                path.unlink()
            _link(blob, path)
            self._point()
        except OSError as error:
            raise unwritable(self.root, error) from None
        return path

    @contextmanager
    def lock(self, remote: Remote) -> Iterator[None]:
        """Hold the lock that huggingface_hub takes for a file. Raises SourceError if another program has it."""
        name = f"{remote.digest or _plain(remote.name, self.commit)}.lock"
        with _locked(self.root / ".locks" / self._home.name / name, remote):
            try:
                (self._home / "blobs").mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise unwritable(self.root, error) from None
            yield

    def _point(self) -> None:
        """Write which commit the branch has."""
        if self.repository.at == self.commit:
            return
        ref = self._home / "refs" / self.repository.at
        ref.parent.mkdir(parents=True, exist_ok=True)
        fresh = ref.with_name(f"{ref.name}.{os.getpid()}")
        fresh.write_text(self.commit, "ascii")
        os.replace(fresh, ref)


class Folder(Struct, frozen=True):
    """A folder that a person names with --to.

    root: the folder
    """

    root: Path

    @property
    def folder(self) -> Path:
        """The folder in which a server finds the files."""
        return self.root

    def path(self, remote: Remote) -> Path:
        """Return where a server finds a file."""
        return self.root / remote.name

    def has(self, remote: Remote) -> bool:
        """Return True if the file is there. Raises BadSetting for another file of that name: it is not written over."""
        path = self.path(remote)
        if not os.path.lexists(path):
            return False
        kind = "sha1" if len(remote.digest) == 40 else "sha256"
        same = _has(path, remote)
        if same and (not remote.digest or digest(path, kind, path.stat().st_size) == remote.digest):
            return True
        raise BadSetting(
            "{file} exists and is another file.", file=str(path), mend="Move it away, or name another folder with --to."
        )

    def part(self, remote: Remote) -> Path:
        """Return the file that is not whole yet."""
        path = self.path(remote)
        return path.with_name(f"{path.name}{'.' + remote.digest[:12] if remote.digest else ''}{PART}")

    def keep(self, remote: Remote, found: str) -> Path:
        """Make a whole file visible, and return its path. found: its checksum. Raises SourceError."""
        try:
            os.replace(self.part(remote), self.path(remote))
        except OSError as error:
            raise unwritable(self.root, error) from None
        return self.path(remote)

    @contextmanager
    def lock(self, remote: Remote) -> Iterator[None]:
        """Hold a lock for a file. Raises SourceError if another program has it."""
        part = self.part(remote)
        with _locked(part.with_name(part.name + ".lock"), remote):
            try:
                yield
            finally:
                part.with_name(part.name + ".lock").unlink(missing_ok=True)


Place = HubCache | Folder


def free_bytes(folder: Path) -> int | None:
    """Return what is free on the disk that holds a folder, or is to hold it; None where it cannot be asked [B]."""
    import shutil

    there = next((p for p in (folder, *folder.parents) if p.is_dir()), None)
    try:
        return None if there is None else shutil.disk_usage(there).free
    except OSError:
        return None


def _has(path: Path, remote: Remote) -> bool:
    try:
        size = path.stat().st_size
    except OSError:
        return False
    return path.is_file() and (remote.bytes is None or size == remote.bytes)


def _plain(name: str, commit: str) -> str:
    """Return a file name of a file without a checksum."""
    return f"{commit}-{name.replace('/', '--')}"[-200:]


def _link(blob: Path, path: Path) -> None:
    """Link a snapshot's file to its blob; where the disk has no links, move it, as huggingface_hub does. Raises OSError."""
    try:
        path.symlink_to(os.path.relpath(blob, path.parent))
    except (OSError, NotImplementedError):
        os.replace(blob, path)


@contextmanager
def _locked(path: Path, remote: Remote) -> Iterator[None]:
    """Hold a lock file as filelock does (flock)."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise unwritable(path.parent, error) from None
    try:
        try:
            posix.lock(handle, wait=False)
        except OSError:
            raise SourceError(
                "Another program is fetching {file}.", file=remote.name, mend="Wait until it is done, or stop it."
            ) from None
        yield
    finally:
        os.close(handle)
