"""No two modules need each other, not even for their types: each can be read, and taken out, by itself."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter

from house.sources import PACKAGE, package_files, tree


def needs() -> dict[str, set[str]]:
    """For each module, the modules of the package that it imports anywhere; a package is its ``__init__``."""
    paths = {
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
        for path in package_files()
    }
    found: dict[str, set[str]] = {}
    for name, path in paths.items():
        named = set()
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ImportFrom):
                inside = {f"{node.module}.{alias.name}" for alias in node.names}
                named |= (inside & paths.keys()) or {str(node.module)}
            elif isinstance(node, ast.Import):
                named |= {alias.name for alias in node.names}
        # The package itself holds the version, and offers the functions of the api to others.
        found[name] = named & paths.keys() - {name, PACKAGE.name}
    return found


def test_modules_do_not_import_in_circles() -> None:
    graph = needs()
    assert "vitruve.evaluation.report" in graph["vitruve.evaluation.page"], "imports are found"
    TopologicalSorter(graph).prepare()
