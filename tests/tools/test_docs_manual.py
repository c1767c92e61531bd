"""The manual page, as man's own programs judge it."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from gyakusan.cli.app import COMMANDS
from tools import docs, docs_manual

MAN = docs.ROOT / "docs" / "man"
FILES = {"en": MAN / "man1" / "gyakusan.1", "ja": MAN / "ja" / "man1" / "gyakusan.1"}


def formatted(text: str) -> tuple[str, str]:
    """What groff makes of a page, and what it complains of."""
    if shutil.which("groff") is None:
        pytest.skip("no groff here")
    command = ["groff", "-Kutf8", "-man", "-ww", "-Wbreak", "-Tutf8", "-P-c"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
    return re.sub(r".\x08", "", done.stdout), done.stderr


@pytest.mark.parametrize("language", FILES)
def test_groff_has_nothing_to_complain_of(language: str) -> None:
    shown, complaints = formatted(FILES[language].read_text("utf-8"))
    assert complaints == ""
    for command in COMMANDS:
        assert re.search(rf"^   {command}$", shown, re.MULTILINE), command


@pytest.mark.parametrize("language", FILES)
def test_it_is_of_the_commands_as_they_are(language: str) -> None:
    old = FILES[language].read_text("utf-8")
    assert FILES[language] in docs.pages()
    assert docs.written(FILES[language], old) == old, "python tools/docs.py"


def test_a_wrong_macro_is_complained_of() -> None:
    assert "XX" in formatted(FILES["en"].read_text("utf-8") + ".XX\n")[1]


def test_every_option_is_there_as_it_is_typed() -> None:
    shown, _ = formatted(FILES["en"].read_text("utf-8"))
    for option in ("--people-keys", "--most-replicas INT", "--mmap, --no-mmap", "--tls-cert STR"):
        assert option in shown
    assert "--help" not in re.sub(r"gyakusan COMMAND --help", "", shown)


def test_the_name_is_found_by_apropos() -> None:
    if shutil.which("lexgrog") is None:
        pytest.skip("no lexgrog here")
    done = subprocess.run(["lexgrog", FILES["en"]], capture_output=True, text=True, timeout=60, check=True)
    assert '"gyakusan - Plan a local LLM endpoint backwards' in done.stdout


def test_text_is_no_request() -> None:
    assert docs_manual.plain(".so /etc/passwd") == "\\&.so /etc/passwd"
    assert docs_manual.plain("a\\fB --b\n'c") == "a\\efB \\-\\-b 'c"
