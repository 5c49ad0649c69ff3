"""Frozen dataclasses whose objects are made as fast as those of mutable ones.

The `__init__` of a frozen dataclass goes through `object.__setattr__` for each field, which takes
three times as long as an assignment, and a handshake makes a hundred such objects. Here an object
is of a mutable class with the same slots until its fields are set; it is frozen from then on.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar

T = TypeVar("T")


def quick(cls: type[T]) -> type[T]:
    """Give a dataclass with frozen=True and slots=True a quick `__init__`, to the same effect."""
    described = fields(cls)  # type: ignore[arg-type]
    assert all(one.init for one in described)
    # The same slots in the same order, or objects could not change from one class to the other.
    mutable = type(cls.__name__, (), {"__slots__": tuple(one.name for one in described)})
    names: dict[str, Any] = {
        "_change": object.__setattr__,
        "_mutable": mutable,
        "_frozen": cls,
        "_missing": MISSING,
    }
    lines = ['_change(self, "__class__", _mutable)']
    for one in described:
        lines.append(f"self.{one.name} = {_value(one, names)}")
    lines.append("self.__class__ = _frozen")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    parameters = ", ".join(["self", *(_parameter(one, names) for one in described)])
    source = f"def __init__({parameters}) -> None:\n    " + "\n    ".join(lines)
    exec(source, names)  # noqa: S102 - as `dataclass` does it; the names are the class's own
    made = names["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    type.__setattr__(cls, "__init__", made)
    return cls


def _parameter(field: Field[Any], names: dict[str, Any]) -> str:
    if field.default is not MISSING:
        names[f"_default_{field.name}"] = field.default
        return f"{field.name}=_default_{field.name}"
    return field.name if field.default_factory is MISSING else f"{field.name}=_missing"


def _value(field: Field[Any], names: dict[str, Any]) -> str:
    if field.default_factory is MISSING:
        return field.name
    names[f"_make_{field.name}"] = field.default_factory
    return f"_make_{field.name}() if {field.name} is _missing else {field.name}"
