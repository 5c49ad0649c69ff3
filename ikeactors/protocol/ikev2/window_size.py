"""SET_WINDOW_SIZE: how many requests each end may have out (RFC 7296 section 2.3).

    HDR, SK {IDi, [IDr,] AUTH, [N(SET_WINDOW_SIZE),]
        SAi2, TSi, TSr}  -->
                                 <--  HDR, SK {IDr, AUTH, [N(SET_WINDOW_SIZE),]
                                          SAr2, TSi, TSr}

A successor of the IKE SA begins with one again, and is told anew: see `succession`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikeactors.iana import NotifyType
from ikeactors.protocol.ikev2.exchange import Payloads
from ikeactors.wire.message import notifies
from ikeactors.wire.notify import read_u32, write_u32
from ikeactors.wire.payload import Notify

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association

# The specification's.
SIZE_OCTETS = 4


def announcement(association: Association) -> tuple[Notify, ...]:
    """Our N(SET_WINDOW_SIZE), where the peer may have more than one request out."""
    size = association.connection.window_size
    return (Notify(NotifyType.SET_WINDOW_SIZE, write_u32(size)),) if size > 1 else ()


def announced(payloads: Payloads) -> int:
    """How many requests the peer keeps state for; 1 where it does not say so, or wrongly."""
    said = (one.data for one in notifies(payloads, NotifyType.SET_WINDOW_SIZE))
    return max((read_u32(data) for data in said if len(data) == SIZE_OCTETS), default=1)
