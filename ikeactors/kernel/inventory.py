"""What a data plane holds, and in what that differs from what it should hold."""

from __future__ import annotations

from dataclasses import dataclass

from ikeactors.kernel.requests import Direction, PolicyRequest, SaId
from ikeactors.quick import quick


@quick
class StrayPolicy:
    """A policy of ours that nobody asks for. Its name is the data plane's own affair."""

    name: bytes
    direction: Direction
    reqid: int
    text: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything that is there.

    `ours` are the SAs with our mark, `others` those without. `missing` are policies that were asked
    for and are not there, `replaced` those in whose place is one of another program.
    """

    ours: frozenset[SaId] = frozenset()
    others: frozenset[SaId] = frozenset()
    policies: int = 0
    foreign_policies: int = 0
    missing: tuple[PolicyRequest, ...] = ()
    replaced: tuple[PolicyRequest, ...] = ()
    strays: tuple[StrayPolicy, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """What is missing in a data plane, and what is there that should not be."""

    missing_sas: tuple[SaId, ...] = ()
    orphan_sas: tuple[SaId, ...] = ()
    missing_policies: tuple[PolicyRequest, ...] = ()
    replaced_policies: tuple[PolicyRequest, ...] = ()
    orphan_policies: tuple[StrayPolicy, ...] = ()

    def __bool__(self) -> bool:
        return self != _NONE


_NONE = Difference()
