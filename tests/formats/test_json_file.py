from __future__ import annotations

from pathlib import Path

import pytest

from vitruve.errors import InputError
from vitruve.formats.json_file import read_json, read_json_rows


def test_what_a_file_holds(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text('{"a": [1, null]}')
    assert read_json(file) == {"a": [1, None]}
    file.write_text('[{"a": 1}, {}]')
    assert read_json_rows(file, "a list of rows") == [{"a": 1}, {}]


@pytest.mark.parametrize(
    ("text", "keys", "rows"),
    [
        ("[1]", "holds a list; expected keys with values", "must be a list of rows"),
        ('"a"', "holds a str; expected keys with values", "must be a list of rows"),
        ("{\n", "line 2: not JSON", "line 2: not JSON"),
        (None, "cannot be read", "cannot be read"),
    ],
)
def test_other_files_are_named_in_one_line(text: str | None, keys: str, rows: str, tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(InputError, match=f"a.json: {keys}"):
        read_json(file)
    with pytest.raises(InputError, match=f"a.json: {rows}"):
        read_json_rows(file, "a list of rows")
