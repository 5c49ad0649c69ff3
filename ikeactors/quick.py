"""Frozen dataclasses whose objects are made as fast as those of mutable ones.

The `__init__` of a frozen dataclass goes through `object.__setattr__` for each field, which takes
three times as long as an assignment, and a handshake makes a hundred such objects. Here frozen is
for the type checker, which sees every assignment of ours; at run time nothing stands in the way.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar

T = TypeVar("T")


def quick(cls: type[T]) -> type[T]:
    """Give a dataclass with frozen=True and slots=True a quick `__init__`."""
    described = fields(cls)  # type: ignore[arg-type]
    assert all(one.init for one in described)
    names: dict[str, Any] = {"_missing": MISSING}
    lines = [f"self.{one.name} = {_value(one, names)}" for one in described]
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    parameters = ", ".join(["self", *(_parameter(one, names) for one in described)])
    source = f"def __init__({parameters}) -> None:\n    " + "\n    ".join(lines)
    exec(source, names)  # noqa: S102 - as `dataclass` does it; the names are the class's own
    made = names["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    type.__setattr__(cls, "__init__", made)
    for guard in ("__setattr__", "__delattr__"):
        type.__delattr__(cls, guard)
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
