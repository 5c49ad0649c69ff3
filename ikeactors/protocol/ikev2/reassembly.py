"""Reassembly: fragments of a message on their way to be one again (RFC 7383 section 2.6).

A message is split before it is sealed, so a fragment is proven to be the peer's before it is
stored. There is one set for each message that may come: the request expected next, those that may
overtake it in a wider window, and the responses to our outstanding requests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikeactors.errors import IntegrityFailed, InvalidSyntax
from ikeactors.iana import ExchangeType, PayloadType
from ikeactors.protocol.ikev2.fragments import follow
from ikeactors.protocol.ikev2.protection import Opened, open_payload, sealed_payload
from ikeactors.protocol.timers import Timer
from ikeactors.wire.payload import Encrypted, EncryptedFragment

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association
    from ikeactors.protocol.ikev2.ike_sa import IkeSa
    from ikeactors.protocol.ikev2.window import Early, Outstanding, ResponseWindow
    from ikeactors.wire.header import Header

    Holder = Outstanding | ResponseWindow | Early

# Ours: 64 KiB in datagrams of 576 octets. It bounds what the bookkeeping of a set costs.
MAX_FRAGMENTS = 128
# The specification's advice: no IKE message is larger (RFC 7383 section 5).
MAX_CONTENT = 65536
# Ours: how long a set may be incomplete. Shorter than a peer goes on trying, to conserve memory:
# a repeated message brings all its fragments.
REASSEMBLY_TIMEOUT = 30.0


class FragmentSet:
    """What has come of one message."""

    __slots__ = (
        "__weakref__",
        "_chunks",
        "_first",
        "_octets",
        "exchange",
        "expires_at",
        "largest",
        "total",
    )

    def __init__(self, exchange: ExchangeType, total: int, expires_at: float) -> None:
        self.exchange = exchange
        self.total = total
        self.expires_at = expires_at
        self.largest = 0
        self._first = PayloadType.NONE
        self._chunks: dict[int, bytes] = {}
        self._octets = 0

    def __len__(self) -> int:
        return len(self._chunks)

    def check(self, exchange: ExchangeType, number: int, total: int) -> None:
        """Raise a Fault for a fragment of an older set, or one that is here already."""
        if exchange is not self.exchange:
            raise InvalidSyntax("a fragment of another exchange type than those before")
        if total < self.total:
            raise InvalidSyntax("a fragment of an older set than those before")
        if total == self.total and number in self._chunks:
            raise InvalidSyntax("a fragment that came before")

    def add(self, number: int, opened: Opened, datagram_octets: int) -> None:
        """Store one that is proven to be the peer's."""
        if number == 1:
            self._first = opened.first
        self._chunks[number] = opened.plaintext
        self._octets += len(opened.plaintext)
        self.largest = max(self.largest, datagram_octets)

    @property
    def is_complete(self) -> bool:
        """Whether all have come."""
        return len(self._chunks) == self.total

    @property
    def is_excessive(self) -> bool:
        """Whether together they are larger than any IKE message."""
        return self._octets > MAX_CONTENT

    def merged(self) -> Opened:
        """The content of the message, as if it had come whole."""
        chunks = (self._chunks[number] for number in range(1, self.total + 1))
        return Opened(self._first, b"".join(chunks))


def open_message(
    association: Association,
    ike_sa: IkeSa,
    holder: Holder,
    octets: bytes,
    header: Header,
) -> Opened | None:
    """What a message holds that came whole, or whose last fragment this is; None for another one.

    Raises a Fault when it is not the peer's, or a fragment that is of no use.
    """
    sealed = sealed_payload(octets, header)
    if isinstance(sealed, Encrypted):
        return open_payload(ike_sa.incoming, octets, header, sealed)
    _check(association, sealed)
    if holder.partial is not None:
        holder.partial.check(header.exchange, sealed.number, sealed.total)
    opened = open_payload(ike_sa.incoming, octets, header, sealed)

    # Authenticated: from here on we may change.
    _store(association, holder, sealed, opened, header)
    return _take_complete(association, ike_sa, holder)


def check_repeated(association: Association, ike_sa: IkeSa, octets: bytes, header: Header) -> None:
    """Raise a Fault unless this asks for the last answer again (RFC 7383 section 2.6.1)."""
    sealed = sealed_payload(octets, header)
    if isinstance(sealed, EncryptedFragment):
        _check(association, sealed)
        if sealed.number != 1:
            raise InvalidSyntax("a later fragment of an answered request")
    open_payload(ike_sa.incoming, octets, header, sealed)


def _check(association: Association, fragment: EncryptedFragment) -> None:
    """Raise a Fault for a fragment that is not worth decrypting; number and total are sound."""
    if not association.fragmenting.agreed:
        raise IntegrityFailed("a fragment, and fragmentation was not negotiated")
    if fragment.total > MAX_FRAGMENTS:
        raise InvalidSyntax(f"a message in {fragment.total} fragments")


def _store(
    association: Association,
    holder: Holder,
    fragment: EncryptedFragment,
    opened: Opened,
    header: Header,
) -> None:
    """Store a fragment; one of a newer set takes the place of all before it.

    Raises a Fault where all peers together have too many.
    """
    partial = holder.partial
    if partial is None or partial.total < fragment.total:
        expires_at = association.now + REASSEMBLY_TIMEOUT
        partial = FragmentSet(header.exchange, fragment.total, expires_at)
    if not association.surroundings.holds(partial, len(opened.plaintext)):
        raise InvalidSyntax("there are too many fragments of all peers")
    holder.partial = partial
    partial.add(fragment.number, opened, header.length)


def _take_complete(association: Association, ike_sa: IkeSa, holder: Holder) -> Opened | None:
    """The whole content if nothing is missing; a set that grows too large is the end."""
    partial = holder.partial
    assert partial is not None
    if partial.is_complete or partial.is_excessive:
        holder.partial = None
    _watch(association, ike_sa, holder)
    if partial.is_excessive:
        _drop_connection(association, ike_sa)
        return None
    if not partial.is_complete:
        return None
    if partial.total > 1:
        follow(association, partial.largest)
    return partial.merged()


def expire(association: Association, ike_sa: IkeSa) -> None:
    """Free sets that were not completed in time: as if nothing of them had come."""
    for holder in _holders(ike_sa):
        if holder.partial is not None and holder.partial.expires_at <= association.now:
            holder.partial = None
            association.drop("fragments whose rest did not come in time")
    _watch(association, ike_sa)


def _watch(association: Association, ike_sa: IkeSa, *new: Holder) -> None:
    """Look again when the oldest set is to be complete; a `new` one may not be kept yet."""
    holders = (*_holders(ike_sa), *new)
    due = [one.partial.expires_at for one in holders if one.partial is not None]
    if due:
        association.timers.start(Timer.REASSEMBLY, min(due), ike_sa.number)
    else:
        association.timers.stop(Timer.REASSEMBLY, ike_sa.number)


def _holders(ike_sa: IkeSa) -> tuple[Holder, ...]:
    return (ike_sa.responses, *ike_sa.responses.held, *ike_sa.requests.outstanding)


def _drop_connection(association: Association, ike_sa: IkeSa) -> None:
    """The peer is broken or an attacker (RFC 7383 section 5)."""
    reason = f"the fragments of a message of {association.remote} are larger than any message"
    if ike_sa is not association.ike_sa:
        association.ike_sas.forget(ike_sa)
    elif association.half_open:
        association.turn_away(lambda: reason)
    else:
        association.fail(reason)
