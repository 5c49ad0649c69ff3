"""An index of things that name whom they are for, in their order: a router may have thousands."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Index(Generic[K, T]):
    """Things by the keys they name; those that do not say, or say None, may be for any key."""

    __slots__ = ("_any", "_by_key", "_count")

    def __init__(self) -> None:
        self._by_key: dict[K, list[tuple[int, T]]] = {}
        self._any: list[tuple[int, T]] = []
        self._count = 0

    def add(self, keys: Iterable[K | None], thing: T) -> None:
        """Add a thing behind all others."""
        named = set(keys)
        place, self._count = self._count, self._count + 1
        if not named or None in named:
            self._any.append((place, thing))
            return
        for key in named:
            if key is not None:
                self._by_key.setdefault(key, []).append((place, thing))

    def find(self, *keys: K) -> Iterator[T]:
        """The things that may be for one of these keys, each once, in the order of their adding."""
        lists = [named for key in keys if (named := self._by_key.get(key))]
        if not lists:
            return (thing for _, thing in self._any)
        placed = merge(*lists, self._any, key=itemgetter(0))
        return (next(same)[1] for _, same in groupby(placed, key=itemgetter(0)))
