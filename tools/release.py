"""Make the publisher's key, and make and sign a release of the catalogue.

    python tools/release.py keys FOLDER               publisher.key (secret, stays out of every repository) and publisher.pub
    python tools/release.py sign FOLDER --key FILE    catalog.json, catalog-DATE.json and catalog.json.minisig in FOLDER
    python tools/release.py sign FOLDER               the first two; then: minisign -S -s FILE -m FOLDER/catalog.json

The files are minisign's own (a secret key without a password, as `minisign -G -W` makes it), so that either tool can sign.
The public key goes into `PUBLISHER` of src/gyakusan/catalog/release.py.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gyakusan.catalog.release import MANIFEST, SIGNATURE, bundle

if TYPE_CHECKING:
    from nacl.signing import SigningKey

_HEAD = b"Ed" + bytes(2) + b"B2" + bytes(48)
"""Of a secret key: algorithm, no password, checksum by BLAKE2b, salt and limits that nobody asks for."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret key. number: 8 bytes that name it; key: of Ed25519."""

    number: bytes
    key: SigningKey

    @property
    def public(self) -> str:
        """The public key as minisign prints it."""
        return base64.b64encode(b"Ed" + self.number + bytes(self.key.verify_key)).decode()

    @property
    def text(self) -> str:
        """The file of a secret key."""
        pair = bytes(self.key) + bytes(self.key.verify_key)
        check = hashlib.blake2b(b"Ed" + self.number + pair, digest_size=32).digest()
        raw = base64.b64encode(_HEAD + self.number + pair + check).decode()
        return f"untrusted comment: minisign secret key of a publisher of gyakusan's catalogue\n{raw}\n"

    @classmethod
    def new(cls) -> Secret:
        from nacl.signing import SigningKey  # not where tests are only listed

        return cls(os.urandom(8), SigningKey.generate())

    @classmethod
    def read(cls, text: str) -> Secret:
        from nacl.signing import SigningKey

        raw = base64.b64decode(text.splitlines()[1])
        if len(raw) != 158 or raw[:6] != _HEAD[:6]:
            raise SystemExit("This is not a secret key without a password; sign with minisign -S.")
        return cls(raw[54:62], SigningKey(raw[62:94]))

    def sign(self, text: bytes, comment: str) -> str:
        """The file of a signature. comment: signed with it."""
        signature = self.key.sign(hashlib.blake2b(text).digest()).signature
        whole = self.key.sign(signature + comment.encode()).signature
        first = base64.b64encode(b"ED" + self.number + signature).decode()
        return (
            "untrusted comment: signature of a release of gyakusan's catalogue\n"
            f"{first}\ntrusted comment: {comment}\n{base64.b64encode(whole).decode()}\n"
        )


def make_keys(folder: Path) -> str:
    """Write a new pair of keys, and return the public one."""
    folder.mkdir(parents=True, exist_ok=True)
    inside = subprocess.run(
        ["git", "-C", folder, "rev-parse", "--is-inside-work-tree"], capture_output=True, check=False
    )
    if inside.stdout.strip() == b"true":
        raise SystemExit(f"{folder} is in a git repository. Name a folder outside of every repository.")
    secret = Secret.new()
    with open(os.open(folder / "publisher.key", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secret.text)
    (folder / "publisher.pub").write_text(f"untrusted comment: minisign public key\n{secret.public}\n")
    return secret.public


def make_release(folder: Path, secret: Secret | None) -> str:
    """Write a release, signed if there is a key, and return its date."""
    manifest = bundle(folder)
    if secret is not None:
        text = (folder / MANIFEST).read_bytes()
        (folder / SIGNATURE).write_text(secret.sign(text, f"gyakusan catalogue {manifest.release}"))
    return manifest.release


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["keys", "sign"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--key", type=Path)
    asked = parser.parse_args(arguments)
    if asked.what == "keys":
        print(make_keys(asked.folder))
    else:
        print(make_release(asked.folder, Secret.read(asked.key.read_text()) if asked.key else None))


if __name__ == "__main__":
    main(sys.argv[1:])
