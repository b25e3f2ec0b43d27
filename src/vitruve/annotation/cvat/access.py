"""Who asks a CVAT server: a personal access token or a user's password, never kept, written or shown."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from vitruve.errors import InputError

TOKEN_VARIABLES = ("VITRUVE_CVAT_TOKEN", "CVAT_ACCESS_TOKEN")
"""Environment variables that hold a personal access token; the first one that is set counts."""
KEY_FILE_VARIABLE = "VITRUVE_CVAT_KEY_FILE"
"""Environment variable that names a file with the token."""
PASSWORD_VARIABLE = "VITRUVE_CVAT_PASSWORD"
"""Environment variable with the password of a user who is named."""
URL_VARIABLE = "VITRUVE_CVAT_URL"
"""Environment variable with the address of the server."""


@dataclass(frozen=True)
class Access:
    """What a server lets somebody in by.

    Attributes:
        token: A personal access token, or empty.
        user: A user's name, or empty.
        password: The user's password.
    """

    token: str = field(default="", repr=False)
    user: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def find(
        cls,
        token: str | None = None,
        key_file: str | Path | None = None,
        user: str | None = None,
        password: str | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> Access:
        """What was given, or else what the environment holds.

        Args:
            token: A personal access token.
            key_file: A file that holds one in its first line, and that nobody else may read.
            user: A user's name.
            password: The password; by default that of the environment.
            environment: The environment.

        Returns:
            The access.

        Raises:
            InputError: There is none, the file can be read by others, or it holds no token.
        """
        if token:
            return cls(token)
        if key_file is not None:
            return cls(read_key(Path(key_file)))
        if user:
            word = password or environment.get(PASSWORD_VARIABLE, "")
            if not word:
                raise InputError(f"user {user}: no password; set {PASSWORD_VARIABLE}, or use an access token")
            return cls(user=user, password=word)
        found = next((environment[name] for name in TOKEN_VARIABLES if environment.get(name)), "")
        if found:
            return cls(found.strip())
        if environment.get(KEY_FILE_VARIABLE):
            return cls(read_key(Path(environment[KEY_FILE_VARIABLE])))
        raise InputError(
            f"no access to CVAT: set {TOKEN_VARIABLES[1]} to a personal access token, or {KEY_FILE_VARIABLE} to a file "
            "that holds one"
        )


def read_key(file: Path) -> str:
    """The token in a key file.

    Args:
        file: Its first line is the token. Only its owner may read it.

    Returns:
        The token.

    Raises:
        InputError: It is missing, empty, or others can read it.
    """
    try:
        mode = file.stat().st_mode
        lines = file.read_text(encoding="utf-8").split("\n", 1)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: no key file that can be read; give a text file with an access token") from error
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise InputError(f"{file}: others can read this key; run chmod 600 {file}, and make a new token")
    token = lines[0].strip()
    if not token or any(letter.isspace() for letter in token):
        raise InputError(f"{file}: its first line must be an access token and nothing else")
    return token


def server_url(url: str | None, environment: Mapping[str, str] = os.environ) -> str:
    """The address of the server that was given, or else that of the environment.

    Args:
        url: Such as ``https://cvat.example.org``; without ``http://`` or ``https://`` the latter is meant.
        environment: The environment.

    Returns:
        The address, without a slash at its end.

    Raises:
        InputError: There is none, it is none of a web server, or it holds a password.
    """
    given = url or environment.get(URL_VARIABLE, "")
    if not given:
        raise InputError(f"no CVAT server: give --server URL, or set {URL_VARIABLE}")
    whole = given if "://" in given else f"https://{given}"
    try:
        place = urlsplit(whole)
        well = place.scheme in ("http", "https") and bool(place.hostname) and (place.port or 1) > 0
    except ValueError:
        well = False
    if not well:
        raise InputError(f"--server {given}: no address of a web server; give one such as https://cvat.example.org")
    if place.username or place.password:
        raise InputError(
            f"--server {place.hostname}: holds a user or password, which others would see; give the address alone, and "
            "--user"
        )
    return whole.rstrip("/")
