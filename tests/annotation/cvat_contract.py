"""Checks of what goes over the wire against CVAT's own OpenAPI document, in both directions."""

from __future__ import annotations

import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

SCHEMA = Path(os.environ.get("VITRUVE_DATA") or Path(__file__).parents[3] / "shared" / "data") / "cvat/cvat_schema.yml"
JSON_TYPES = ("application/json", "application/vnd.cvat+json")
_DOCUMENT = "urn:cvat"
# Newer than the document: it describes CVAT 2.72, and the client is of a later version.
_NEWER_QUERIES = {"import_mode", "conv_mask_to_poly"}


class Contract:
    """CVAT's OpenAPI document.

    Args:
        file: The document.
    """

    def __init__(self, file: Path = SCHEMA) -> None:
        import yaml
        from referencing import Registry, Resource
        from referencing.jsonschema import DRAFT4

        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        self._document = yaml.load(file.read_text(encoding="utf-8"), Loader=loader)
        _admit_null(self._document)
        _name_document(self._document)
        self._registry = Registry().with_resource(_DOCUMENT, Resource.from_contents(self._document, DRAFT4))
        self._templates = [
            (re.compile(re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(path)).rstrip("/") + "/?"), path)
            for path in self._document["paths"]
        ]
        self._validator = cache(self._make)

    def faults(self, method: str, path: str, query: dict[str, str], sent: Any, status: int, answered: Any) -> list[str]:
        """What of one exchange is not as the document says.

        Args:
            method: In capitals.
            path: Without the query.
            query: The query.
            sent: JSON of the request, or None.
            status: Of the response.
            answered: JSON of the response, or None.

        Returns:
            One line a fault.
        """
        template = next((item for pattern, item in self._templates if pattern.fullmatch(path)), None)
        if template is None:
            # Of what CVAT answers beyond its document there are the parts of an upload and the files of an export.
            return [] if re.search(r"/(data|annotations)/[^/]+$|/download$", path) else [f"{method} {path}: unknown"]
        operation = self._document["paths"][template].get(method.lower())
        if operation is None:
            return [] if method == "HEAD" else [f"{method} {path}: not among the methods"]
        known = {item["name"] for item in operation.get("parameters", [])} | _NEWER_QUERIES
        found = [f"{method} {path}: unknown parameter {name}" for name in query if name not in known]
        if sent is not None:
            found += self._compare(f"{method} {path} request", template, method, "request", sent)
        if answered is not None and status < 300:
            found += self._compare(f"{method} {path} response", template, method, str(status), answered)
        return found

    def _compare(self, where: str, template: str, method: str, part: str, value: Any) -> list[str]:
        validator = self._validator(template, method.lower(), part)
        if validator is None:
            return []
        return [f"{where}: {'/'.join(map(str, e.path))}: {e.message[:200]}" for e in validator.iter_errors(value)]

    def _make(self, template: str, method: str, part: str) -> Any:
        from openapi_schema_validator import OAS30ReadValidator, OAS30WriteValidator

        operation = self._document["paths"][template][method]
        holder = operation.get("requestBody", {}) if part == "request" else operation["responses"].get(part, {})
        content = next((item for kind, item in holder.get("content", {}).items() if kind in JSON_TYPES), None)
        if content is None:
            return None
        kind = OAS30WriteValidator if part == "request" else OAS30ReadValidator
        return kind(content["schema"], registry=self._registry)


@cache
def contract() -> Contract | None:
    """The document, or None where it is not here."""
    return Contract() if SCHEMA.is_file() else None


def as_json(kind: str, content: bytes) -> Any:
    """What is sent as JSON; None for anything else."""
    return json.loads(content) if kind.split(";")[0].strip() in JSON_TYPES and content else None


def _admit_null(node: Any) -> None:
    """Let null be what is nullable and composed: validators of OpenAPI 3.0 look at ``nullable`` beside a type alone."""
    if isinstance(node, dict):
        if node.get("nullable") and "type" not in node:
            parts = node.pop("allOf", None) or node.pop("oneOf", None)
            if parts:
                node["anyOf"] = [*parts, {"enum": [None]}]
        for item in node.values():
            _admit_null(item)
    elif isinstance(node, list):
        for item in node:
            _admit_null(item)


def _name_document(node: Any) -> None:
    """Let references name the document: a part of it that is looked at alone has none of its own."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            node["$ref"] = _DOCUMENT + node["$ref"]
        for item in node.values():
            _name_document(item)
    elif isinstance(node, list):
        for item in node:
            _name_document(item)
