"""What is public is documented: functions with arguments and what they return, settings in one line."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from house.sources import modules
from vitruve.algorithms import registry
from vitruve.config.schema import Config

Function = Callable[..., Any]


def public_functions() -> Iterator[tuple[str, Function]]:
    """Functions and methods; a method that fulfils a contract is documented where the contract stands."""
    for module in modules():
        for found, value in vars(module).items():
            if found.startswith("_") or getattr(value, "__module__", None) != module.__name__:
                continue
            if inspect.isclass(value):
                for method, function in _own_methods(value):
                    yield f"{module.__name__}.{found}.{method}", function
            elif inspect.isfunction(inspect.unwrap(value)):
                yield f"{module.__name__}.{found}", inspect.unwrap(value)


def _own_methods(kind: type) -> Iterator[tuple[str, Function]]:
    for method, value in vars(kind).items():
        if method.startswith("_") or any(method in vars(base) for base in kind.__mro__[1:]):
            continue
        if isinstance(value, property | cached_property):
            continue
        function = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        if inspect.isfunction(function):
            yield method, inspect.unwrap(function)


def missing(function: Function) -> list[str]:
    """What a docstring does not say. One line is enough where there is nothing to say of the arguments."""
    text = inspect.getdoc(function) or ""
    if not text:
        return ["a docstring"]
    signature = inspect.signature(function)
    names = [item for item in signature.parameters if item not in ("self", "cls")]
    if not names or re.search(r"\bas\s+for\b|\bLike :", text):
        return []
    lost = []
    if "Args:" in text:
        described = text.split("Args:", 1)[1]
        lost += [item for item in names if not re.search(rf"^ +\*{{0,2}}{item}\b.*:", described, re.MULTILINE)]
        returns = str(signature.return_annotation)
        if returns not in ("None", "NoReturn") and not re.search(r"^(Returns|Yields):", text, re.MULTILINE):
            lost.append("Returns")
    elif len(names) > 2:
        lost.append("Args")
    return lost


def test_every_public_function_is_documented() -> None:
    # Those of the verbs are shown to users by --help, which lists the arguments itself.
    lost = {
        place: found
        for place, function in public_functions()
        if not re.fullmatch(r"vitruve\.cli\.(?!main\.)\w+\.\w+", place) and (found := missing(function))
    }
    assert lost == {}


def test_every_public_class_is_documented() -> None:
    lost = [
        f"{module.__name__}.{found}"
        for module in modules()
        for found, value in vars(module).items()
        if inspect.isclass(value) and value.__module__ == module.__name__ and not found.startswith("_")
        if not (vars(value).get("__doc__") or "").strip()
    ]
    assert lost == []


def sections(kind: type[BaseModel], key: str = "") -> Iterator[tuple[str, str | None]]:
    for field, info in kind.model_fields.items():
        yield f"{key}{field}", info.description
        for inner in (info.annotation, *get_args(info.annotation)):
            if inspect.isclass(inner) and issubclass(inner, BaseModel):
                yield from sections(inner, f"{key}{field}.")


@pytest.mark.parametrize(
    "kind", [Config, *(item.Config for item in registry.available().values())], ids=lambda k: k.__name__
)
def test_every_setting_says_what_it_does(kind: type[BaseModel]) -> None:
    described = list(sections(kind))
    assert len(described) > 5
    assert [key for key, text in described if not text or not text.endswith(".")] == []


def test_the_check_sees_what_it_looks_for() -> None:
    def silent(one: int, two: int, three: int) -> int:
        """Adds."""
        return one + two + three

    def partial(one: int, two: int) -> int:
        """Adds.

        Args:
            one: A number.
        """
        return one + two

    assert missing(silent) == ["Args"]
    assert missing(partial) == ["two", "Returns"]
