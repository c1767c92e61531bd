"""Certificates for tests, made by the program openssl."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
NAMES = "DNS:localhost,IP:127.0.0.1"


def made(
    folder: Path, name: str, *, names: str = NAMES, days: int = 2, kind: tuple[str, ...] = EC
) -> tuple[Path, Path]:
    """A self-signed certificate and its key; days below 0: it has expired."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl")
    key, asked, certificate = (folder / f"{name}.{end}" for end in ("key", "csr", "crt"))
    told = folder / f"{name}.ext"
    told.write_text(f"subjectAltName={names}\n")
    _openssl("req", *kind, "-nodes", "-keyout", str(key), "-out", str(asked), "-subj", "/CN=box")
    sign = ("x509", "-req", "-in", str(asked), "-signkey", str(key), "-days", str(days))
    _openssl(*sign, "-out", str(certificate), "-extfile", str(told))
    key.chmod(0o600)
    return certificate, key


def _openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)
