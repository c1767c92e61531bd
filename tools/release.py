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

from gyakusan.catalog.minisign import verify
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
        raw = base64.b64encode(_HEAD + self.number + pair + _checksum(self.number, pair)).decode()
        return f"untrusted comment: minisign secret key of a publisher of gyakusan's catalogue\n{raw}\n"

    @classmethod
    def new(cls) -> Secret:
        from nacl.signing import SigningKey  # not where tests are only listed

        return cls(os.urandom(8), SigningKey.generate())

    @classmethod
    def read(cls, text: str) -> Secret:
        """The key of a file. Raises SystemExit for a damaged one: what it signs is worth nothing to anybody."""
        from nacl.signing import SigningKey

        try:
            raw = base64.b64decode(text.splitlines()[1], validate=True)
        except (IndexError, ValueError):
            raise SystemExit("This is not a file of a secret key: a comment, and a line of letters.") from None
        if raw[:2] != _HEAD[:2] or raw[2:4] != _HEAD[2:4]:
            raise SystemExit("This is not a secret key without a password; sign with minisign -S.")
        key, number, public, check = SigningKey(raw[62:94].ljust(32)), raw[54:62], raw[94:126], raw[126:]
        if check != _checksum(number, raw[62:126]) or bytes(key.verify_key) != public:
            raise SystemExit("This secret key is damaged: its checksum is another one. Take the copy that you kept.")
        return cls(number, key)

    def sign(self, text: bytes, comment: str) -> str:
        """The file of a signature. comment: signed with it."""
        signature = self.key.sign(hashlib.blake2b(text).digest()).signature
        whole = self.key.sign(signature + comment.encode()).signature
        first = base64.b64encode(b"ED" + self.number + signature).decode()
        return (
            "untrusted comment: signature of a release of gyakusan's catalogue\n"
            f"{first}\ntrusted comment: {comment}\n{base64.b64encode(whole).decode()}\n"
        )


def _checksum(number: bytes, pair: bytes) -> bytes:
    """The checksum of a secret key, of its number, its secret and its public half, as minisign computes it."""
    return hashlib.blake2b(b"Ed" + number + pair, digest_size=32).digest()


def secret_in(file: Path) -> Secret:
    """The secret key of a file. Raises SystemExit for one that cannot be read."""
    try:
        return Secret.read(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SystemExit(f"{file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise SystemExit(f"{file} is not a file of a secret key: it is no text.") from None


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
        signature = secret.sign(text, f"gyakusan catalogue {manifest.release}")
        verify(text, signature.encode(), secret.public)  # what is published is what everybody's program takes
        (folder / SIGNATURE).write_text(signature)
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
        print(make_release(asked.folder, secret_in(asked.key) if asked.key else None))


if __name__ == "__main__":
    main(sys.argv[1:])
