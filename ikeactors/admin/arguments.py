"""The arguments of commands: what each may be, said once, in the words a refusal repeats.

A command's arguments are a dataclass whose fields have the types below: each carries the function
that reads it, and that raises ValueError with what would be right.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar, get_type_hints

from ikeactors.admin.vocabulary import LEVELS, ErrorCode, RequestRefused
from ikeactors.protocol.actions import Level

# The longest name of a connection or child that is worth looking up.
MAX_NAME = 256
# A day: whoever waits longer subscribes to events.
MAX_TIMEOUT = 86400.0
# Filters are checked for every event.
MAX_FILTERS = 64

T = TypeVar("T")
Reader = Callable[[object], object]


def read_arguments(kind: type[T], given: Mapping[str, object]) -> T:
    """The arguments as the dataclass `kind`. Raises `RequestRefused`."""
    assert dataclasses.is_dataclass(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for word in given:
        if word not in fields:
            raise _refused(f"{word[:MAX_NAME]}: unknown argument{_nearest(word, list(fields))}")
    for word, field in fields.items():
        if field.default is dataclasses.MISSING and word not in given:
            raise _refused(f"{word}: missing")
    readers = _readers(kind)
    return kind(**{word: _value(word, readers[word], value) for word, value in given.items()})


@dataclasses.dataclass(frozen=True, slots=True)
class Nothing:
    """For a command that takes no arguments."""


def _name(value: object) -> str:
    """The name of something configured."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME:
        raise ValueError(f"must be a string of 1 to {MAX_NAME} characters")
    return value


def _text(value: object) -> str:
    """A name, or nothing."""
    if not isinstance(value, str) or len(value) > MAX_NAME:
        raise ValueError(f"must be a string of at most {MAX_NAME} characters")
    return value


def _flag(value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _number(value: object) -> int:
    """An association's or a subscription's number."""
    if type(value) is not int or value < 0:
        raise ValueError("must be an integer, not negative")
    return value


def _timeout(value: object) -> float:
    """Seconds to wait; 0 is for ever."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number of seconds")
    if not 0 <= value <= MAX_TIMEOUT:
        raise ValueError(f"must be from 0 (wait for ever) to {MAX_TIMEOUT:.0f} seconds")
    return float(value)


def _level(value: object) -> Level:
    """How much is to be told."""
    if isinstance(value, str) and value.upper() in Level.__members__:
        return Level[value.upper()]
    raise ValueError(f"must be one of {', '.join(LEVELS)}")


def _level_or_none(value: object) -> Level | None:
    """A level, or the word "default"."""
    return None if value == "default" else _level(value)


def _spi(value: object) -> int | None:
    """The inbound SPI of a Child SA, in eight hexadecimal digits as listings show it."""
    if isinstance(value, str):
        try:
            found = int(value, 16)
        except ValueError:
            found = 0
        if 0 < found < 1 << 32:
            return found
    raise ValueError("must be an SPI in hexadecimal digits")


def _names(value: object) -> tuple[str, ...]:
    """Several names."""
    if not isinstance(value, list) or len(value) > MAX_FILTERS:
        raise ValueError(f"must be a list of at most {MAX_FILTERS} strings")
    return tuple(_name(one) for one in value)


Name = Annotated[str, _name]
Text = Annotated[str, _text]
Flag = Annotated[bool, _flag]
Number = Annotated[int, _number]
Timeout = Annotated[float, _timeout]
LevelWord = Annotated[Level, _level]
LevelOrDefault = Annotated[Level | None, _level_or_none]
Spi = Annotated[int | None, _spi]
Names = Annotated[tuple[str, ...], _names]


@functools.cache
def _readers(kind: type[Any]) -> dict[str, Reader]:
    hints = get_type_hints(kind, include_extras=True)
    return {word: hint.__metadata__[0] for word, hint in hints.items()}


def _value(word: str, reader: Reader, given: object) -> object:
    try:
        return reader(given)
    except ValueError as mistake:
        raise _refused(f"{word}: {mistake}") from mistake


def _nearest(wrong: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(wrong, known, 1)
    return f"; nearest: {near[0]}" if near else ""


def _refused(text: str) -> RequestRefused:
    return RequestRefused(ErrorCode.INVALID_ARGUMENT, text)
