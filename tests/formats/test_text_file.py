from __future__ import annotations

from pathlib import Path

import pytest

from vitruve.errors import InputError
from vitruve.formats.text_file import read_text


def test_text_is_read_and_anything_else_is_said_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("names: [Öhr]\n", encoding="utf-8")
    assert read_text(path, "a YAML file") == "names: [Öhr]\n"
    path.write_bytes(b"\xff\xfe\x00")
    for wrong, words in ((path, "not UTF-8 text"), (tmp_path / "none", "No such file"), (tmp_path, "cannot be read")):
        with pytest.raises(InputError, match=f"{words}.*; give a YAML file") as caught:
            read_text(wrong, "a YAML file")
        assert "\n" not in str(caught.value)
