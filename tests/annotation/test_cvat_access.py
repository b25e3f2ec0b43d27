"""Tokens come from the environment or a file of one's own, and show up nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitruve.annotation.cvat.access import Access, read_key, server_url
from vitruve.errors import InputError

SECRET = "abc.def-123"


def key(folder: Path, content: str = SECRET + "\n", mode: int = 0o600) -> Path:
    file = folder / "key"
    file.write_text(content)
    file.chmod(mode)
    return file


def test_where_a_token_is_found(tmp_path: Path) -> None:
    def found(**given: str) -> Access:
        return Access.find(environment=given)

    assert found(CVAT_ACCESS_TOKEN=SECRET).token == SECRET
    assert found(CVAT_ACCESS_TOKEN="x", VITRUVE_CVAT_TOKEN=SECRET + "\n").token == SECRET
    assert found(VITRUVE_CVAT_KEY_FILE=str(key(tmp_path))).token == SECRET
    assert Access.find(SECRET, environment={"CVAT_ACCESS_TOKEN": "x"}).token == SECRET
    assert Access.find(key_file=key(tmp_path), environment={"CVAT_ACCESS_TOKEN": "x"}).token == SECRET
    own = Access.find(user="me", environment={"VITRUVE_CVAT_PASSWORD": SECRET, "CVAT_ACCESS_TOKEN": "x"})
    assert (own.token, own.user, own.password) == ("", "me", SECRET)
    assert SECRET not in repr(own) + repr(found(CVAT_ACCESS_TOKEN=SECRET))


def test_what_is_missing_is_said() -> None:
    with pytest.raises(InputError, match="no access to CVAT: set CVAT_ACCESS_TOKEN to a personal access token, or"):
        Access.find(environment={})
    with pytest.raises(InputError, match="user me: no password; set VITRUVE_CVAT_PASSWORD"):
        Access.find(user="me", environment={})


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(InputError, match=r"key: others can read this key; run chmod 600 .*, and make a new token"):
        read_key(key(tmp_path, mode=mode))


def test_a_file_that_is_no_key(tmp_path: Path) -> None:
    for content in ("", "\n" + SECRET, f"token: {SECRET}"):
        with pytest.raises(InputError, match="its first line must be an access token and nothing else") as caught:
            read_key(key(tmp_path, content))
        assert SECRET not in str(caught.value)
    with pytest.raises(InputError, match="absent: no key file that can be read"):
        read_key(tmp_path / "absent")


def test_addresses() -> None:
    assert server_url("cvat.example.org/", {}) == "https://cvat.example.org"
    assert server_url(None, {"VITRUVE_CVAT_URL": "http://127.0.0.1:8080/"}) == "http://127.0.0.1:8080"
    with pytest.raises(InputError, match="no CVAT server: give --server URL, or set VITRUVE_CVAT_URL"):
        server_url(None, {})
    for bad in ("ftp://x", "http://", "http://x:port", "http://x:99999"):
        with pytest.raises(InputError, match="no address of a web server"):
            server_url(bad, {})
    with pytest.raises(InputError, match="holds a user or password") as caught:
        server_url(f"https://me:{SECRET}@x.org", {})
    assert SECRET not in str(caught.value)
