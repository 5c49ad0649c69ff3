"""Fragmentation of IKE messages: what the two ends agreed on, and splitting (RFC 7383 section 2).

    Initiator                         Responder
    -------------------------------------------------------------------
    HDR, SAi1, KEi, Ni,
       [N(IKEV2_FRAGMENTATION_SUPPORTED)]  -->
                                 <--  HDR, SAr1, KEr, Nr,
                                         [N(IKEV2_FRAGMENTATION_SUPPORTED)]
    HDR, SKF(1 of 2) {...},
    HDR, SKF(2 of 2) {...}  -->

How they are put together again is in `reassembly`.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING

from ikeactors.iana import ExchangeType, NotifyType, PayloadType
from ikeactors.protocol.choices import Fragmentation
from ikeactors.protocol.ikev2.exchange import Payloads
from ikeactors.protocol.ikev2.protection import (
    room_in_fragment,
    seal,
    seal_content,
)
from ikeactors.quick import quick
from ikeactors.wire.message import find, notifies
from ikeactors.wire.payload import (
    Notify,
    Payload,
    PuzzleSolution,
    write_payloads,
)

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association
    from ikeactors.protocol.ikev2.ike_sa import IkeSa
    from ikeactors.protocol.ikev2.window import Datagrams, Outstanding

# The specification's: octets of an IP datagram that is not an IKE message, and the sizes of IP
# datagrams that are recommended for each IP version (RFC 7383 section 2.5.1).
IP_HEADER = {4: 20, 6: 40}
UDP_HEADER = 8
NON_ESP_MARKER = 4
RECOMMENDED = {4: 576, 6: 1280}

# Ours: what is tried when large datagrams seem not to pass, from the configured size downwards:
# what every IPv6 link carries and tunnels leave of an Ethernet, then what every IPv4 host takes.
SIZES = (1280, 576)
# Ours: how often a large message is sent again before smaller fragments are tried.
TRIES_OF_A_SIZE = 2

_FRONT = struct.Struct("!HH")


@quick
class Fragmenting:
    """Whether both ends announced fragmentation, and the size of IP datagrams known to pass.

    `size` 0 is the connection's.
    """

    agreed: bool = False
    size: int = 0


UNFRAGMENTED = Fragmenting()


def announcement(association: Association) -> tuple[Notify, ...]:
    """Our N(IKEV2_FRAGMENTATION_SUPPORTED), unless it is configured away (RFC 7383 section 2.3)."""
    if association.connection.fragmentation is Fragmentation.NO:
        return ()
    return (Notify(NotifyType.FRAGMENTATION_SUPPORTED),)


def agree(association: Association, theirs: tuple[Payload, ...]) -> None:
    """Both ends have to announce it, or there are no fragments (RFC 7383 section 2.4)."""
    announced = notifies(theirs, NotifyType.FRAGMENTATION_SUPPORTED)
    wanted = association.connection.fragmentation is not Fragmentation.NO
    association.fragmenting = Fragmenting(True) if announced and wanted else UNFRAGMENTED


def answer(association: Association, theirs: tuple[Payload, ...]) -> tuple[Notify, ...]:
    """Agree to what the initiator announced: our half of it."""
    agree(association, theirs)
    return announcement(association) if association.fragmenting.agreed else ()


def seal_message(
    association: Association,
    ike_sa: IkeSa,
    exchange: ExchangeType,
    message_id: int,
    payloads: Payloads,
    is_response: bool,
) -> Datagrams:
    """The datagrams of a protected message: one, or as many as it takes."""
    payloads, clear = apart(payloads)
    whole = seal(
        ike_sa.outgoing,
        ike_sa.next_iv(association),
        ike_sa.spis.spi_i,
        ike_sa.spis.spi_r,
        exchange,
        message_id,
        payloads,
        is_response=is_response,
        from_original_initiator=ike_sa.spis.original_initiator,
        clear=clear,
    )
    if not _may_fragment(association) or len(whole) <= (limit := _limit(association)):
        return (whole,)
    return _seal_fragments(
        association, ike_sa, exchange, message_id, payloads, is_response, limit, clear
    )


def apart(payloads: Payloads) -> tuple[Payloads, bytes]:
    """What is to be encrypted, and the octets of what is not: a puzzle's solution (RFC 8019 section
    7.2.2)."""
    solution = find(payloads, PuzzleSolution)
    if solution is None:
        return payloads, b""
    inner = tuple(one for one in payloads if one is not solution)
    return inner, write_payloads((solution,))[1]


def _seal_fragments(
    association: Association,
    ike_sa: IkeSa,
    exchange: ExchangeType,
    message_id: int,
    payloads: Payloads,
    is_response: bool,
    limit: int,
    clear: bytes,
) -> Datagrams:
    """Chunks of the content, each sealed apart with an IV of its own (RFC 7383 section 2.5).

    What stands in clear is in the first alone (section 2.5.3); there is room for it in all.
    """
    first, content = write_payloads(payloads)
    room = room_in_fragment(ike_sa.outgoing, limit - len(clear))
    starts = range(0, len(content), room)
    return tuple(
        seal_content(
            ike_sa.outgoing,
            ike_sa.next_iv(association),
            ike_sa.spis.spi_i,
            ike_sa.spis.spi_r,
            exchange,
            message_id,
            (PayloadType.SKF, PayloadType.NONE if start else first, _FRONT.pack(at, len(starts))),
            content[start : start + room],
            is_response=is_response,
            from_original_initiator=ike_sa.spis.original_initiator,
            clear=b"" if start else clear,
        )
        for at, start in enumerate(starts, 1)
    )


def _may_fragment(association: Association) -> bool:
    accepts_only = association.connection.fragmentation is Fragmentation.ACCEPT
    return association.fragmenting.agreed and not accepts_only


def _size(association: Association) -> int:
    """The size of IP datagrams in force."""
    configured = association.connection.fragment_size
    version = association.remote.address.version
    return association.fragmenting.size or configured or RECOMMENDED[version]


def _limit(association: Association) -> int:
    """The longest IKE message that an IP datagram of this size carries."""
    return _size(association) - _around(association)


def _around(association: Association) -> int:
    marked = association.local.port == association.surroundings.nat_port
    around = IP_HEADER[association.remote.address.version] + UDP_HEADER
    return around + NON_ESP_MARKER if marked else around


def is_size_refuted(association: Association, outstanding: Outstanding) -> bool:
    """Whether a request was repeated often enough to try it in smaller fragments."""
    tries = min(TRIES_OF_A_SIZE, association.connection.retransmission.tries)
    return outstanding.tries > tries and _may_fragment(association)


def shrink(association: Association, ike_sa: IkeSa, outstanding: Outstanding) -> bool:
    """Make more and smaller fragments of a request that does not come through.

    The schedule starts over, and what follows is of the smaller size from the start. False when
    it is small enough: then it is repeated as it is (RFC 7383 section 2.5.2).
    """
    before, current = association.fragmenting, _size(association)
    for size in (one for one in SIZES if one < current):
        association.fragmenting = replace(before, size=size)
        datagrams = seal_message(
            association,
            ike_sa,
            outstanding.exchange.exchange,
            outstanding.message_id,
            outstanding.payloads,
            False,
        )
        if len(datagrams) > len(outstanding.datagrams):
            outstanding.datagrams, outstanding.tries = datagrams, 0
            association.report(
                "fragments-shrunk",
                f"{outstanding.exchange.exchange.name} is not answered: it is sent again in "
                f"{len(datagrams)} fragments of at most {size} octets",
                size=size,
                fragments=len(datagrams),
            )
            return True
    association.fragmenting = before
    return False


def follow(association: Association, largest: int) -> None:
    """The peer takes smaller fragments than we do: it may know why, so ours get no larger.

    Never smaller than the least we would try ourselves.
    """
    seen = max(largest + _around(association), SIZES[-1])
    if seen < _size(association):
        association.fragmenting = replace(association.fragmenting, size=seen)
