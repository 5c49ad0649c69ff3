"""Frozen dataclasses whose objects are made as fast as those of mutable ones.

The `__init__` of a frozen dataclass goes through `object.__setattr__` for each field, which takes
three times as long as an assignment, and a handshake makes a hundred such objects. Here frozen is
for the type checker, which sees every assignment of ours; at run time nothing stands in the way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def quick(cls: type[T]) -> type[T]:
    """Make a class what `@dataclass(frozen=True, slots=True)` would make it, without the guard."""
    hashes = "__hash__" in cls.__dict__
    return dataclass(slots=True, unsafe_hash=not hashes)(cls)
