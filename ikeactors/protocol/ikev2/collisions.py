"""Exchanges that cross: which of two successors survives, and how long patience lasts.

Both ends rekey the same Child SA at once (RFC 7296 section 2.8.1):

    Host A                                Host B
    -------------------------------------------------------------------
    send req1: N(REKEY_SA,SPIa1),
        SA(..,SPIa2,..),Ni1,..  -->
                                     <--  send req2: N(REKEY_SA,SPIb1),
                                              SA(..,SPIb2,..),Ni2
    recv req2 <--
    send resp2: SA(..,SPIa3,..),
        Nr1,..  -->
                                     -->  recv req1
                                     <--  send resp1: SA(..,SPIb3,..),
                                              Nr2,..
    recv resp1 <--
                                     -->  recv resp2

The successor made with the lowest of the four nonces is redundant. The end that asked for it
deletes it, the other one deletes the old SA. IKE SAs cross in the same way (section 2.8.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ikeactors.protocol.ikev2.child_sa import Agreement, ChildSa, ChildState

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association
    from ikeactors.protocol.ikev2.children import Children
    from ikeactors.protocol.ikev2.ike_sa import IkeSa

# Ours: Deletes that are remembered while an answer is out; the answer has only one SPI.
MAX_REMEMBERED = 16

# Ours: the first wait after TEMPORARY_FAILURE, doubled each time and spread up to twice as long,
# so that two ends of the same configuration do not meet again and again.
FIRST_WAIT = 5.0
LONGEST_WAIT = 60.0
# Ours: TEMPORARY_FAILURE for longer means that the two ends differ. A request that is lost over
# and over is repeated for less than three minutes, and legitimately causes it as long.
PATIENCE = 300.0


@dataclass(frozen=True, slots=True)
class NoncePair:
    """The two nonces of one exchange, compared octet by octet."""

    nonce_i: bytes
    nonce_r: bytes

    @property
    def lowest(self) -> bytes:
        """The lower of the two; one that is the beginning of the other is the lower."""
        return min(self.nonce_i, self.nonce_r)

    def loses_to(self, other: NoncePair) -> bool:
        """Whether what this exchange has made is the redundant one."""
        return self.lowest < other.lowest


@dataclass(frozen=True, slots=True)
class RivalChild:
    """The Child SA of the peer's exchange that crossed ours, and its nonces."""

    child: ChildSa
    nonces: NoncePair

    def prevails(
        self, children: Children, old: ChildSa | None, agreement: Agreement, ours: NoncePair
    ) -> bool:
        """Whether what our exchange has made is the redundant one (RFC 7296 section 2.8.1).

        `old` is what both replace, if anything. Where the peer has deleted its own, wrongly, and
        the old one still stands, ours is not, nor where we are deleting the peer's; it is in any
        case where the peer has deleted the old one.
        """
        if self.child.state is ChildState.DELETING:
            return False
        stands = children.lives(self.child)
        if old is None:
            return (
                stands and self.child.agreement.is_alike(agreement) and ours.loses_to(self.nonces)
            )
        if old.state is ChildState.RETIRED:
            return stands or ours.loses_to(self.nonces)
        return stands and ours.loses_to(self.nonces)

    def redundant_to(self, old: ChildSa | None, agreement: Agreement) -> ChildSa | None:
        """What the peer has to delete now that ours stays, or None."""
        if self.child.state is ChildState.DELETING:
            return None
        return self.child if old is not None or self.child.agreement.is_alike(agreement) else None


@dataclass(frozen=True, slots=True)
class RivalIkeSa:
    """The IKE SA of the peer's exchange that crossed ours, and its nonces."""

    ike_sa: IkeSa
    nonces: NoncePair


def report_crossing(association: Association, what: str, ours_goes: bool) -> None:
    """Both ends have made the same at once, and know now whose stays."""
    stays = "the peer's" if ours_goes else "ours"
    association.report("exchanges-crossed", f"both ends have made {what} at once: {stays} stays")


@dataclass(frozen=True, slots=True)
class Patience:
    """TEMPORARY_FAILURE in a row on one IKE SA (RFC 7296 section 2.25)."""

    since: float = 0.0
    refusals: int = 0

    def tried(self, now: float) -> Patience:
        """One more refusal."""
        return Patience(self.since if self.refusals else now, self.refusals + 1)

    def is_over(self, now: float) -> bool:
        """Whether the two ends must be out of step."""
        return self.refusals > 0 and now - self.since > PATIENCE

    def wait(self, fraction: float) -> float:
        """How long until the next attempt."""
        doublings = min(max(self.refusals - 1, 0), 8)
        return min(FIRST_WAIT * (1 << doublings), LONGEST_WAIT) * (1.0 + fraction)


FRESH_PATIENCE = Patience()
