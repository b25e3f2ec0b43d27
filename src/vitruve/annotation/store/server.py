"""Counts and maps of an annotation store over HTTP, at the addresses of OBDB's analytics service."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from vitruve.annotation.store.maps import DOTS, PICTURES, Maps
from vitruve.annotation.store.stats import store_statistics
from vitruve.annotation.store.store import open_store
from vitruve.errors import InputError, VitruveError
from vitruve.local_server import HOST, JSON, TEXT, Answer, LocalServer

PORT = 5001
HELP = """Vitruve's annotation store
GET /stats                            counts by class, shape type and task, as JSON
GET /<task>/run_tsne                  begin a map of a task, or of "all"; blanks in names are _
GET /<task>/tsne_status               how far it is, as JSON
GET /tsne/<task>/tsne_plot.png        the map as dots, coloured by class
GET /tsne/<task>/tsne_plot_imgs.png   the map as pictures
"""


class StoreServer:
    """Serves while a block runs.

    Args:
        store: Address of the store.
        images: The folder that names of images start from.
        maps: Folder for the maps.
        host: Where to listen; by default this machine alone can ask.
        port: 0 for any that is free.
        network: What makes points of crops: arguments of :func:`~vitruve.curation.embedding.open_embedder`.

    Raises:
        InputError: The port is taken, or there is no store.
    """

    def __init__(
        self,
        store: str | Path | None,
        images: Path,
        maps: Path,
        host: str = HOST,
        port: int = PORT,
        network: Mapping[str, Any] | None = None,
    ) -> None:
        with open_store(store):
            self._store = store
        self.maps = Maps(store, images, maps, network)
        self._host = host
        try:
            self._server = LocalServer(host, port, self.answer)
        except (OSError, OverflowError) as error:
            raise InputError(f"--host {host} --port {port}: cannot be listened at ({error}); take another") from error

    @property
    def address(self) -> str:
        """What to open in a browser."""
        return f"http://{self._host}:{self._server.port}/"

    def __enter__(self) -> Self:
        self._server.start()
        self.maps.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.maps.stop()
        self._server.stop()

    def wait(self) -> None:
        """Serve until the program is stopped."""
        self._server.wait()

    def answer(self, path: str) -> Answer:
        """What is at an address.

        Args:
            path: Of the address.

        Returns:
            Status, kind and content.
        """
        try:
            return self._answer([unquote(part) for part in urlsplit(path).path.strip("/").split("/")])
        except InputError as error:
            return HTTPStatus.NOT_FOUND, TEXT, f"{error}\n".encode()
        except VitruveError as error:
            return HTTPStatus.BAD_GATEWAY, TEXT, f"{error}\n".encode()

    def _answer(self, parts: list[str]) -> Answer:
        if parts == [""]:
            return HTTPStatus.OK, TEXT, HELP.encode()
        if parts == ["stats"]:
            with open_store(self._store) as store:
                return _json(store_statistics(store).to_dict())
        if len(parts) == 2 and parts[1] == "run_tsne":
            self.maps.ask(self.maps.key(parts[0]))
            # What OBDB's service says.
            return HTTPStatus.OK, TEXT, b"200"
        if len(parts) == 2 and parts[1] == "tsne_status":
            return _json(dataclasses.asdict(self.maps.progress(self.maps.key(parts[0]))))
        if len(parts) == 3 and parts[0] == "tsne" and parts[2] in (DOTS, PICTURES):
            file = self.maps.file(self.maps.key(parts[1]), parts[2])
            if file.is_file():
                return HTTPStatus.OK, "image/png", file.read_bytes()
            raise InputError(f"{parts[1]}: has no map yet; GET /{parts[1]}/run_tsne begins it")
        raise InputError(f"/{'/'.join(parts)}: nothing there; GET / says what there is")


def store_serve(
    images: str | Path,
    *,
    store: str | Path | None = None,
    maps: str | Path = "tsne",
    host: str = HOST,
    port: int = PORT,
    backbone: str = "resnet18",
    weights: str | Path | None = None,
    run: str | Path | None = None,
) -> None:
    """Serve counts and maps of a store until the program is stopped.

    Args:
        images: The folder that names of images start from.
        store: Address of the store.
        maps: Folder for the maps.
        host: Where to listen; by default this machine alone can ask.
        port: 0 for any that is free.
        backbone: A timm network that makes points of crops.
        weights: A safetensors file with its weights.
        run: A run, whose own network is taken instead.

    Raises:
        InputError: The port is taken, or there is no store.
    """
    files = {name: None if file is None else Path(file) for name, file in (("weights", weights), ("run", run))}
    with StoreServer(store, Path(images), Path(maps), host, port, {"backbone": backbone, **files}) as server:
        print(f"{server.address} (Ctrl-C ends it)", flush=True)
        server.wait()


def _json(value: object) -> Answer:
    text = json.dumps(value, ensure_ascii=False, indent=1) + "\n"
    return HTTPStatus.OK, JSON, text.encode()
