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
    server = gyakusan.serve(context=2048, users=2, key_file=key, log_file=tmp_path / "log", device="cpu", port=1234)
    assert server.options.key == "secret"
    assert server.options.port == 1234
    assert server.options.log_file == tmp_path / "log"
    assert gyakusan.serve(context=2048, options={"alias": "smol"}).options.alias == "smol"


def test_serve_refuses_what_does_not_fit_where_it_is_told_to() -> None:
    with pytest.raises(gyakusan.GyakusanError, match="does not fit"):
        gyakusan.serve("llama3.1-405b", device="RTX 4090", anyway=False)
