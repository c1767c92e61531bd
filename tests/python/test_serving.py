"""Python's detect and serve."""

from __future__ import annotations

from pathlib import Path

import pytest

import gyakusan
from gyakusan.core.machine import Machine


def test_detect_gives_this_computer() -> None:
    found = gyakusan.detect()
    assert isinstance(found, Machine)
    assert found.to_dict()["cores"] == found.cores
    assert repr(found).splitlines()[0] == found.name


def test_serve_takes_the_options_of_the_command(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("secret\nmore\n")
    with pytest.raises(gyakusan.GyakusanError, match="Other users of this computer can read"):
        gyakusan.serve(context=2048, key_file=key, device="cpu")
    key.chmod(0o600)
    server = gyakusan.serve(context=2048, users=2, key_file=key, log_file=tmp_path / "log", device="cpu", port=1234)
    assert server.options.server.key == "secret"
    assert server.options.server.port == 1234
    assert server.options.server.log_file == tmp_path / "log"
    assert gyakusan.serve(context=2048, options={"alias": "smol"}).options.server.alias == "smol"


def test_limits_follow_the_load_and_can_be_given() -> None:
    limits = gyakusan.serve(context=2048, users=2, limits={"key_tokens": 500}, device="cpu").options.limits
    assert limits is not None
    assert (limits.slots, limits.key_tokens) == (2, 500)
    assert limits.body > 2048 * 16


@pytest.mark.parametrize(("text", "problem"), [("", "is empty"), (" \n\n", "is empty"), (None, "does not exist")])
def test_a_file_without_a_key_is_refused(tmp_path: Path, text: str | None, problem: str) -> None:
    if text is not None:
        (tmp_path / "key").write_text(text)
        (tmp_path / "key").chmod(0o600)
    with pytest.raises(gyakusan.GyakusanError, match=problem):
        gyakusan.serve(context=2048, key_file=tmp_path / "key", device="cpu")


def test_serve_refuses_what_does_not_fit_where_it_is_told_to() -> None:
    with pytest.raises(gyakusan.GyakusanError, match="does not fit"):
        gyakusan.serve("llama3.1-405b", device="RTX 4090", anyway=False)
