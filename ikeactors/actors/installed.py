"""Who has what installed in the data plane. Made by the daemon, it outlives the kernel actor.

A policy may be claimed several times: by an IKE SA and its successor, by two associations. The
latest claim is in force; when it goes, the one below is put back; the last takes the policy along.
"""

from __future__ import annotations

from collections.abc import Iterable, KeysView, Sequence
from typing import Protocol

from ikeactors.iana import ProtocolId
from ikeactors.kernel.policies import PolicyKey, key_of
from ikeactors.kernel.requests import Address, PolicyRequest, SaId, SaRequest
from ikeactors.protocol.events import Event
from ikeactors.quick import quick

# Associations are counted from 1. What the daemon itself wants is below what they want: it is in
# force where there is no Child SA, whenever it was asked for.
OURSELVES = 0
# What blocks is not removed when the daemon stops.
BLOCKING = -1

# SPI, protocol and destination: all that some of a kernel's events tell of an SA.
_ShortName = tuple[int, ProtocolId, Address]


class Inbox(Protocol):
    """Where an association's events go."""

    def post(self, event: Event) -> bool: ...

    def post_assured(self, event: Event) -> None: ...


@quick
class Holding:
    """An SA that is installed, and whose it is."""

    sa_id: SaId
    owner: int
    inbox: Inbox


@quick
class Claim:
    """A policy as one owner wants it."""

    owner: int
    policy: PolicyRequest


@quick
class Release:
    """What giving up claims means for the data plane."""

    gone: tuple[PolicyRequest, ...]
    restored: tuple[PolicyRequest, ...]


@quick
class _Owned:
    """All SAs and claims of an owner. Tuples: there is one of these for every IKE SA."""

    sas: tuple[SaId, ...] = ()
    policies: tuple[PolicyRequest, ...] = ()


_NOTHING = _Owned()


class Installed:
    """The SAs and the claims of policies, by owner."""

    def __init__(self) -> None:
        self._holdings: dict[SaId, Holding] = {}
        self._short_names: dict[_ShortName, SaId] = {}
        self._claims: dict[PolicyKey, tuple[Claim, ...]] = {}
        self._owned: dict[int, _Owned] = {}

    def add(
        self,
        owner: int,
        inbox: Inbox,
        sas: Iterable[SaRequest],
        policies: tuple[PolicyRequest, ...],
    ) -> None:
        """Note SAs, and claims that stand above the earlier ones."""
        names = tuple([request.sa_id for request in sas])
        for sa_id in names:
            self._holdings[sa_id] = Holding(sa_id, owner, inbox)
            self._short_names[_short(sa_id)] = sa_id
        for policy in policies:
            key = key_of(policy)
            below = self._claims.get(key)
            claim = Claim(owner, policy)
            if below is None:
                self._claims[key] = (claim,)
            elif owner > OURSELVES:
                self._claims[key] = (*below, claim)
            else:
                self._claims[key] = _under_the_others(below, claim)
        owned = self._owned.get(owner)
        if owned is not None:
            names = (*(one for one in owned.sas if one not in names), *names)
            policies = owned.policies + policies
        self._owned[owner] = _Owned(names, policies)

    def releasing(self, owner: int, policies: Sequence[PolicyRequest]) -> Release:
        """What `release` of these would mean, while nothing is changed yet."""
        gone: list[PolicyRequest] = []
        restored: list[PolicyRequest] = []
        for key, claims in self._left_by_key(owner, policies).items():
            before = self._claims[key][-1].policy
            if not claims:
                gone.append(before)
            elif claims[-1].policy != before:
                restored.append(claims[-1].policy)
        return Release(tuple(gone), tuple(restored))

    def release(self, owner: int, sas: Sequence[SaId], policies: Sequence[PolicyRequest]) -> None:
        """Forget an owner's SAs and claims; what is not there is no error."""
        left = self._left_by_key(owner, policies)
        for sa_id in sas:
            if self.is_held_by(owner, sa_id):
                del self._holdings[sa_id]
                self._short_names.pop(_short(sa_id), None)
        for key, claims in left.items():
            if claims:
                self._claims[key] = tuple(claims)
            else:
                del self._claims[key]
        self._disown(owner, frozenset(sas), policies)

    def _disown(self, owner: int, sas: frozenset[SaId], policies: Sequence[PolicyRequest]) -> None:
        owned = self._owned.pop(owner, _NOTHING)
        kept = list(owned.policies)
        for policy in policies:
            if policy in kept:
                kept.remove(policy)
        left = _Owned(tuple(one for one in owned.sas if one not in sas), tuple(kept))
        if left != _NOTHING:
            self._owned[owner] = left

    def owned_by(self, owner: int) -> tuple[tuple[SaId, ...], tuple[PolicyRequest, ...]]:
        """All SAs and claims of an owner."""
        owned = self._owned.get(owner, _NOTHING)
        return owned.sas, owned.policies

    def owners(self) -> list[int]:
        """All who have anything installed."""
        return list(self._owned)

    def in_force(self, policies: Iterable[PolicyRequest]) -> tuple[PolicyRequest, ...]:
        """The policies that should be in force where these have been."""
        keys = dict.fromkeys(key_of(policy) for policy in policies)
        return tuple(self._claims[key][-1].policy for key in keys if key in self._claims)

    def is_covered(self, policy: PolicyRequest) -> bool:
        """Whether an association wants a policy in its place."""
        claims = self._claims.get(key_of(policy))
        return claims is not None and claims[-1].owner > OURSELVES

    def holding(self, sa_id: SaId) -> Holding | None:
        """Whose an SA is; SPI, protocol and destination are enough to find it by."""
        exact = self._holdings.get(sa_id)
        if exact is not None:
            return exact
        known = self._short_names.get(_short(sa_id))
        return None if known is None else self._holdings[known]

    def is_held_by(self, owner: int, sa_id: SaId) -> bool:
        """Whether this SA was installed for this owner."""
        holding = self._holdings.get(sa_id)
        return holding is not None and holding.owner == owner

    def sa_ids(self) -> list[SaId]:
        """The names of all SAs."""
        return list(self._holdings)

    @property
    def policy_keys(self) -> KeysView[PolicyKey]:
        """What tells the policies that should be there from each other."""
        return self._claims.keys()

    @property
    def policy_count(self) -> int:
        """How many policies there are, however often claimed."""
        return len(self._claims)

    def _left_by_key(
        self, owner: int, policies: Iterable[PolicyRequest]
    ) -> dict[PolicyKey, list[Claim]]:
        """The claims that are left without these of an owner's, the oldest of equal ones first."""
        left: dict[PolicyKey, list[Claim]] = {}
        for policy in policies:
            key = key_of(policy)
            if key not in self._claims:
                continue
            claims = left.setdefault(key, list(self._claims[key]))
            claim = Claim(owner, policy)
            if claim in claims:
                claims.remove(claim)
        return left


def _under_the_others(claims: tuple[Claim, ...], claim: Claim) -> tuple[Claim, ...]:
    own = sum(one.owner <= OURSELVES for one in claims)
    return (*claims[:own], claim, *claims[own:])


def _short(sa_id: SaId) -> _ShortName:
    return sa_id.spi, sa_id.protocol, sa_id.destination
