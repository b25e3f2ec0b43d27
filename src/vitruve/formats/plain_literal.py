"""Plain values out of a pickled attribute, by disassembling it: nothing in it is ever run.

PyTables stores the column names of a pandas table as a pickle of plain values. A pickle is a program, so none
is loaded here: :func:`pickletools.genops` only takes it apart, and any instruction beyond building plain
values is refused.
"""

from __future__ import annotations

import pickletools
from typing import Any

_SIZE = 1 << 24
_NUMBERS = ("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "FLOAT", "BINFLOAT")
_BYTES = ("STRING", "BINSTRING", "SHORT_BINSTRING")
_TEXTS = ("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8")
_VALUES = frozenset((*_NUMBERS, *_BYTES, *_TEXTS))
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_MARK = object()


def plain_literal(data: bytes) -> Any:
    """The plain value that a pickled attribute describes.

    Args:
        data: The bytes of the attribute.

    Returns:
        Lists and tuples of strings, numbers, booleans and None.

    Raises:
        ValueError: It is damaged, or it describes anything but plain values.
    """
    if len(data) > _SIZE:
        raise ValueError("the attribute is too large to be a list of column names")
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    try:
        for instruction, argument, _ in pickletools.genops(data):
            if instruction.name == "STOP":
                return stack.pop()
            _step(instruction.name, argument, stack, memo)
    except (IndexError, KeyError, AttributeError) as error:
        raise ValueError("the attribute is damaged") from error
    raise ValueError("the attribute is cut short")


def _step(name: str, argument: Any, stack: list[Any], memo: dict[int, Any]) -> None:
    if name in _VALUES:
        stack.append(argument)
    elif name in _CONSTANTS:
        stack.append(_CONSTANTS[name])
    elif name == "MARK":
        stack.append(_MARK)
    elif name in ("LIST", "TUPLE"):
        values = _after_mark(stack)
        stack.append(values if name == "LIST" else tuple(values))
    elif name in ("EMPTY_LIST", "EMPTY_TUPLE"):
        stack.append([] if name == "EMPTY_LIST" else ())
    elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
        count = int(name[-1])
        stack[-count:] = [tuple(stack[-count:])]
    elif name == "APPEND":
        value = stack.pop()
        stack[-1].append(value)
    elif name == "APPENDS":
        values = _after_mark(stack)
        stack[-1].extend(values)
    elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
        memo[len(memo) if argument is None else argument] = stack[-1]
    elif name in ("GET", "BINGET", "LONG_BINGET"):
        stack.append(memo[argument])
    elif name not in ("PROTO", "FRAME"):
        raise ValueError(f"the attribute holds more than plain values (instruction {name})")


def _after_mark(stack: list[Any]) -> list[Any]:
    place = max(index for index, value in enumerate(stack) if value is _MARK)
    values = stack[place + 1 :]
    del stack[place:]
    return values
