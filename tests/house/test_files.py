"""Sizes, names and words of files, and nothing in them that runs what a file holds."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from house.sources import ROOT, name, package_files, python_files, text_files, tree

LONGEST = 400

# Put together here so that this file does not hold them itself.
UNFINISHED = ["TO" + "DO", "FIX" + "ME", "XX" + "X:"]
PLACES = ["/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/", "/tm" + "p/", "/opt/whe" + "els"]
HOSTS = [
    "pypi" + ".org",
    "python" + "hosted.org",
    "--index" + "-url",
    "--extra-index" + "-url",
    "--find" + "-links",
]
# Named as on the pages of Lightning Pose: what its users type.
PAGES = {"predict_new_vids.py"}
STALE_NAMES = re.compile(r"(^|_)(utils?|helpers?|misc|legacy|old|new|v\d+)(_|\.|$)")

RUNS_CODE = {"eval", "exec", "compile", "__import__"}
PICKLES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


@pytest.mark.parametrize("path", python_files(), ids=name)
def test_a_file_is_short_and_says_what_it_is_for(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= LONGEST, "split it: one reason a file"
    assert path.name in PAGES or not STALE_NAMES.search(path.name), "name it after what is in it"
    module = tree(path)
    if "tests" not in path.parts:
        assert ast.get_docstring(module), "say in one line what the module is for"
    if any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in ast.walk(module)):
        assert "from __future__ import annotations" in text


@pytest.mark.parametrize("path", [path for path in text_files() if path.suffix in (".js", ".css", ".html")], ids=name)
def test_what_browsers_are_given_is_short_too(path: Path) -> None:
    assert path.read_text(encoding="utf-8").count("\n") <= LONGEST


@pytest.mark.parametrize("path", text_files(), ids=name)
def test_nothing_unfinished_and_no_place_of_one_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert [word for word in [*UNFINISHED, *PLACES, *HOSTS] if word in text] == []


def test_nothing_raises_not_implemented() -> None:
    raised = "NotImplemented" + "Error"
    found = [name(path) for path in package_files() if re.search(rf"raise {raised}", path.read_text(encoding="utf-8"))]
    assert found == [], "finish it, or leave it out"


@pytest.mark.parametrize("path", package_files(), ids=name)
def test_nothing_read_from_a_file_is_run(path: Path) -> None:
    assert list(_runs_code(tree(path))) == []


def _runs_code(syntax: ast.Module) -> Iterator[str]:
    for node in ast.walk(syntax):
        place = f"line {getattr(node, 'lineno', 0)}: "
        imported: list[str] = []
        if isinstance(node, ast.Import):
            imported = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            imported = [node.module or ""]
        if PICKLES & {module.split(".")[0] for module in imported}:
            yield place + ast.unparse(node)
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            options = {word.arg: ast.unparse(word.value) for word in node.keywords}
            if (
                called in RUNS_CODE
                or called in ("os.system", "os.popen", "torch.load")
                or called.endswith(("read_pickle", "yaml.unsafe_load"))
                or options.get("shell") == "True"
                or options.get("allow_pickle") == "True"
                or (called == "yaml.load" and not _is_safe(options, syntax))
            ):
                yield place + ast.unparse(node)[:80]


def _is_safe(options: dict[str, str], module: ast.Module) -> bool:
    """Whether the loader that is named is SafeLoader or made from it in the same module."""
    bases = {
        node.name: [ast.unparse(base) for base in node.bases] for node in module.body if isinstance(node, ast.ClassDef)
    }
    loader = options.get("Loader", "")
    return "SafeLoader" in loader or any("SafeLoader" in base for base in bases.get(loader, []))


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "eval(text)",
        "subprocess.run(text, shell=True)",
        "np.load(path, allow_pickle=True)",
        "torch.load(path)",
        "yaml.load(text, Loader=yaml.Loader)",
    ],
)
def test_the_check_sees_what_it_looks_for(source: str) -> None:
    assert list(_runs_code(ast.parse(source)))


def test_the_licence_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
