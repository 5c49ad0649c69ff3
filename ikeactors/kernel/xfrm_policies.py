"""Which XFRM policies there are, and whose: different policies may come apart into the same ones.

Of the ranges 10.1.0.0-10.1.2.255 and 10.1.2.0-10.1.3.255 both need one for 10.1.2.0/24, and a
kernel has only one of each selector, direction, mark and if_id. The holder that would go first
among policies is in force, and the last to go takes it along: the packets of those that stay must
not leave in the clear.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterable, KeysView, Sequence
from typing import NamedTuple

from ikeactors.kernel.policies import key_of, priority_of
from ikeactors.kernel.requests import PolicyRequest
from ikeactors.kernel.xfrm import index_of, selectors_of
from ikeactors.kernel.xfrm_selectors import XfrmSelector
from ikeactors.quick import quick

# Direction, mark and mask, if_id.
SCOPE = struct.Struct("=BIII")


@quick
class Piece:
    """An XFRM policy: its index, and who holds it, in the order in which they came."""

    index: int
    holders: tuple[PolicyRequest, ...]

    @property
    def in_force(self) -> PolicyRequest:
        """Whose template and priority count; of equal ones who came last."""
        if len(self.holders) == 1:
            return self.holders[0]
        return min(reversed(self.holders), key=priority_of)

    def held_by(self, policy: PolicyRequest) -> Piece:
        """With a holder more; one that is there already keeps its place."""
        key, holders = key_of(policy), list(self.holders)
        for place, holder in enumerate(holders):
            if key_of(holder) == key:
                holders[place] = policy
                return Piece(self.index, tuple(holders))
        return Piece(self.index, (*holders, policy))

    def without(self, policy: PolicyRequest) -> Piece:
        """With a holder less."""
        key = key_of(policy)
        return Piece(self.index, tuple(one for one in self.holders if key_of(one) != key))


class Change(NamedTuple):
    """A piece as it was and as it will be; there is none where nobody holds it.

    `about` is a policy of that selector, direction, mark and if_id, whoever holds it.
    """

    name: bytes
    selector: XfrmSelector
    about: PolicyRequest
    before: Piece | None
    after: Piece | None


class XfrmPolicies:
    """The XFRM policies that are in force. What changes is told before it is noted."""

    def __init__(self, first_number: int) -> None:
        self._numbers = itertools.count(first_number)
        # By octets: they take less memory than what they say.
        self._pieces: dict[bytes, Piece] = {}

    def adding(self, policies: Iterable[PolicyRequest]) -> list[Change]:
        """What changes when these are put in force."""
        changes: dict[bytes, Change] = {}
        for policy in policies:
            for selector in selectors_of(policy):
                name = name_of(policy, selector)
                before = self._pieces.get(name)
                known = changes[name].after if name in changes else before
                after = self._new(policy) if known is None else known.held_by(policy)
                changes[name] = Change(name, selector, policy, before, after)
        return list(changes.values())

    def removing(self, policies: Iterable[PolicyRequest]) -> list[Change]:
        """What changes when these are taken out of force."""
        changes: dict[bytes, Change] = {}
        for policy in policies:
            for selector in selectors_of(policy):
                name = name_of(policy, selector)
                before = self._pieces.get(name)
                known = changes[name].after if name in changes else before
                left = None if known is None else known.without(policy)
                after = left if left is not None and left.holders else None
                changes[name] = Change(name, selector, policy, before, after)
        return list(changes.values())

    def note(self, changes: Sequence[Change]) -> None:
        """They are made."""
        for change in changes:
            if change.after is not None:
                self._pieces[change.name] = change.after
            elif change.before is not None:
                del self._pieces[change.name]

    def __contains__(self, name: bytes) -> bool:
        return name in self._pieces

    @property
    def names(self) -> KeysView[bytes]:
        """The names of all."""
        return self._pieces.keys()

    def in_force(self, names: Iterable[bytes]) -> tuple[PolicyRequest, ...]:
        """The policies that pieces are of, each once."""
        found = [self._pieces[name].in_force for name in names if name in self._pieces]
        return tuple({key_of(policy): policy for policy in found}.values())

    def _new(self, policy: PolicyRequest) -> Piece:
        return Piece(index_of(next(self._numbers), policy.direction), (policy,))


def name_of(policy: PolicyRequest, selector: XfrmSelector) -> bytes:
    """What the kernel tells one policy from another by."""
    mark = (
        (0, 0) if policy.mark is None else (policy.mark.value & policy.mark.mask, policy.mark.mask)
    )
    return selector.octets() + SCOPE.pack(policy.direction, *mark, policy.if_id)
