"""Which associations stand between two identities, and which of them yield to a new one.

Where both ends initiate at once, each sees two associations in the making, one of its own and one
of its peer. The one with the lowest of the four nonces yields: the end that initiated it deletes
it, as it is with SAs that are rekeyed at once (RFC 7296 section 2.8.1). So both ends keep the same
one, in whatever order they come to stand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice

from ikeactors.iana import IdType
from ikeactors.protocol.actions import ClaimIdentity
from ikeactors.protocol.settings import Address, Unique
from ikeactors.quick import quick
from ikeactors.wire.identities import Identity

_CASE_INSENSITIVE = frozenset({IdType.FQDN, IdType.RFC822_ADDR})

# Ours: of those behind one address that may all have one identity the latest are looked at. Who
# reauthenticates or initiates at the same time as we is one of them; a NAT may have thousands.
_MAX_NEIGHBOURS = 16

_Pair = tuple[int, bytes, int, bytes]


@quick
class Verdict:
    """Whether the claim is granted, and who has to go for it, silently or with a Delete.

    `yielding` are those of our own that lose against one of the peer's: they go with a Delete.
    `survivor` is the one in whose favour the claimant itself yields.
    `yielded` are those of the peer's that lose against ours: the peer deletes them.
    `renewed` are those that are being reauthenticated: who does that deletes them itself.
    """

    granted: bool
    superseded: tuple[int, ...] = ()
    silent: bool = False
    yielding: tuple[int, ...] = ()
    survivor: int = 0
    yielded: tuple[int, ...] = ()
    renewed: tuple[int, ...] = ()


def _nobody(_: int) -> bool:
    return False


class Claims:
    """The associations of each pair of identities, by number.

    Where several peers may have one identity (unique = never) there can be thousands between two,
    so they are kept by the address of the peer as well: those elsewhere are somebody else's.
    """

    def __init__(self) -> None:
        self._numbers: dict[_Pair, tuple[int, ...]] = {}
        self._near: dict[_Pair, dict[Address | None, dict[int, None]]] = {}
        self._pairs: dict[int, _Pair] = {}
        self._claims: dict[int, ClaimIdentity] = {}

    def __len__(self) -> int:
        return len(self._pairs)

    def __contains__(self, number: int) -> bool:
        return number in self._pairs

    def claim(
        self,
        number: int,
        claim: ClaimIdentity,
        is_renewed: Callable[[int], bool] = _nobody,
        is_renewing: Callable[[int], bool] = _nobody,
        predecessor: int = 0,
    ) -> Verdict:
        """Decide about an association that both ends have authenticated.

        `is_renewed` tells of an older one whether this one seems to reauthenticate it, and
        `is_renewing` whether that is ours and itself to take the place of another: whatever the
        peer begins before that is done has crossed it, for where ours stands it does not begin.
        `predecessor` is the one that ours is to renew, wherever its peer is.
        INITIAL_CONTACT says that the peer has no other IKE SA with us: the older ones are dead
        and go without a word (RFC 7296 section 2.4).
        """
        pair = (*_folded(claim.local), *_folded(claim.remote))
        standing = tuple(one for one in self._neighbours(pair, claim) if one != number)
        if self._pairs.get(predecessor) == pair and predecessor not in standing:
            standing = (predecessor, *standing)
        crossing = tuple(
            one for one in standing if _crosses(claim, self._claims[one], is_renewing(one))
        )
        older = tuple(one for one in standing if one not in crossing)
        renewed = () if claim.initial_contact else tuple(filter(is_renewed, older))
        verdict = _judge(claim, tuple(one for one in older if one not in renewed))
        if verdict.granted:
            verdict = self._crossed(number, claim, crossing, replace(verdict, renewed=renewed))
            for one in (number, *verdict.superseded):
                self._remove(one)
            self._add(number, pair, claim)
        return verdict

    def move(self, number: int, place: Address) -> None:
        """The peer of an association is elsewhere now."""
        claim = self._claims.get(number)
        if claim is not None and claim.place != place:
            pair = self._pairs[number]
            self._remove(number)
            self._add(number, pair, replace(claim, place=place))

    def _crossed(
        self, number: int, claim: ClaimIdentity, crossing: tuple[int, ...], verdict: Verdict
    ) -> Verdict:
        """Ours that lose and the peer's: the new one, or those that it crosses."""
        lower = tuple(
            one for one in crossing if self._claims[one].lowest_nonce < claim.lowest_nonce
        )
        higher = tuple(one for one in crossing if one not in lower)
        new = (number,) if higher else ()
        if not claim.initiated:
            return replace(verdict, yielding=lower, yielded=new)
        return replace(verdict, yielding=new, yielded=lower, survivor=(*higher, 0)[0])

    def have_crossed(self, one: int, other: int) -> bool:
        """Whether both ends initiated these two at once."""
        earlier, later = sorted(
            (self._claims[one], self._claims[other]), key=lambda claim: claim.claimed_at
        )
        return _crosses(later, earlier, False)

    def stands(self, local: Identity, remote: Identity) -> bool:
        """Whether an association stands between these two."""
        pair = (*_folded(local), *_folded(remote))
        return pair in self._numbers or pair in self._near

    def release(self, number: int) -> tuple[int, ...]:
        """The association is no more: who else stands between the two, at the same address."""
        pair, claim = self._pairs.get(number), self._claims.get(number)
        if pair is None or claim is None:
            return ()
        self._remove(number)
        return self._neighbours(pair, claim)

    def _neighbours(self, pair: _Pair, claim: ClaimIdentity) -> tuple[int, ...]:
        """Those that a claim may have to do with, the oldest first."""
        named, near = self._numbers.get(pair, ()), self._near.get(pair, {})
        if claim.unique is not Unique.NEVER:
            return (*named, *(one for here in near.values() for one in here))
        latest = tuple(islice(reversed(near.get(claim.place, {})), _MAX_NEIGHBOURS))
        return (*named, *reversed(latest))

    def _add(self, number: int, pair: _Pair, claim: ClaimIdentity) -> None:
        self._pairs[number] = pair
        self._claims[number] = claim
        if claim.unique is Unique.NEVER:
            self._near.setdefault(pair, {}).setdefault(claim.place, {})[number] = None
        else:
            self._numbers[pair] = (*self._numbers.get(pair, ()), number)

    def _remove(self, number: int) -> None:
        pair, claim = self._pairs.pop(number, None), self._claims.pop(number, None)
        if pair is None or claim is None:
            return
        if claim.unique is Unique.NEVER:
            self._remove_near(number, pair, claim.place)
            return
        left = tuple(one for one in self._numbers[pair] if one != number)
        if left:
            self._numbers[pair] = left
        else:
            del self._numbers[pair]

    def _remove_near(self, number: int, pair: _Pair, place: Address | None) -> None:
        near = self._near[pair]
        del near[place][number]
        if not near[place]:
            del near[place]
        if not near:
            del self._near[pair]


def _crosses(claim: ClaimIdentity, standing: ClaimIdentity, is_renewing: bool) -> bool:
    """Whether both ends initiated at once: the new one began before the other stood.

    Where several peers may have one identity (unique = never), it is the one at the same address.
    """
    if claim.unique is Unique.NEVER and claim.place != standing.place:
        return False
    if claim.initiated is standing.initiated:
        return False
    return claim.began_at <= standing.claimed_at or is_renewing


def _judge(claim: ClaimIdentity, older: tuple[int, ...]) -> Verdict:
    if claim.unique is Unique.NEVER or not older:
        return Verdict(granted=True)
    if claim.initial_contact:
        return Verdict(granted=True, superseded=older, silent=True)
    if claim.unique is Unique.REPLACE:
        return Verdict(granted=True, superseded=older)
    return Verdict(granted=claim.unique is not Unique.KEEP)


def _folded(identity: Identity) -> tuple[int, bytes]:
    folds = identity.type in _CASE_INSENSITIVE
    return int(identity.type), identity.data.lower() if folds else identity.data
