"""A key file is its owner's alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from gyakusan.errors import BadSetting
from gyakusan.serving.key_files import check_private


@pytest.mark.parametrize(
    ("mode", "private"), [(0o600, True), (0o400, True), (0o640, False), (0o604, False), (0o620, False)]
)
def test_a_key_file_is_ones_own(tmp_path: Path, mode: int, private: bool) -> None:
    """F10: a key file that others could read was taken."""
    file = tmp_path / "key"
    file.write_text("x")
    file.chmod(mode)
    if private:
        check_private(file)
    else:
        with pytest.raises(BadSetting, match=r"Other users .* can read the key.*chmod 600"):
            check_private(file)
    check_private(tmp_path / "gone")  # its reader says so
