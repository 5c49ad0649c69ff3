"""Quick crash detection, both roles (RFC 6290 section 3): an end that has lost its state proves it.

    HDR, SK {IDi, AUTH, N(QCD_TOKEN), SAi2, TSi, TSr}  -->
                             <--  HDR, SK {IDr, AUTH, N(QCD_TOKEN), SAr2, TSi, TSr}
                   (the responder forgets everything)
    HDR, SK {}  -->
                             <--  HDR, N(INVALID_IKE_SPI), N(QCD_TOKEN)

Whoever gets a token keeps it; whoever gets it again, unprotected, knows that its maker has nothing
of the IKE SA any more, and begins anew at once.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from ikeactors.errors import Fault
from ikeactors.iana import NotifyType, PayloadType, ProtocolId
from ikeactors.protocol.actions import Level
from ikeactors.protocol.ikev2.exchange import Payloads
from ikeactors.wire.message import notifies, read_message
from ikeactors.wire.notify import MAX_QCD_TOKEN, MIN_QCD_TOKEN
from ikeactors.wire.payload import Notify

if TYPE_CHECKING:
    from ikeactors.protocol.events import DatagramReceived
    from ikeactors.protocol.ikev2.association import Association
    from ikeactors.protocol.ikev2.ike_sa import IkeSa, Spis

# The specification's: tokens in one message, of as many generations of the maker's secret (RFC
# 6290 section 4.5).
MAX_TOKENS = 4


def token_notify(token: bytes) -> Notify:
    """N(QCD_TOKEN)."""
    return Notify(NotifyType.QUICK_CRASH_DETECTION, token, ProtocolId.IKE)


def token_for(association: Association, spis: Spis) -> tuple[Notify, ...]:
    """Our token for an IKE SA, where the connection wants it and we can make one."""
    if not association.connection.quick_crash_detection:
        return ()
    token_of = association.surroundings.token_of
    token = token_of(spis.spi_i, spis.spi_r, spis.original_initiator)
    return (token_notify(token),) if token else ()


def keep(association: Association, ike_sa: IkeSa, payloads: Payloads) -> None:
    """Keep the peer's token, the newest one, which came protected (RFC 6290 section 4.4)."""
    if not association.connection.quick_crash_detection:
        return
    for notify in notifies(payloads, NotifyType.QUICK_CRASH_DETECTION):
        if MIN_QCD_TOKEN <= len(notify.data) <= MAX_QCD_TOKEN:
            ike_sa.token = notify.data


def present(association: Association, ike_sa: IkeSa, datagram: DatagramReceived) -> bool:
    """Take a token that comes unprotected, from whatever address; False where this has none.

    The peer says that it has nothing of this IKE SA: if it proves it, nor have we. What does not
    verify is told, and changes nothing.
    """
    presented = _presented(datagram.octets) if ike_sa.token else ()
    if not presented:
        return False
    if not any(hmac.compare_digest(ike_sa.token, one.data) for one in presented):
        if association.surroundings.complaints.take(association.now):
            text = f"{datagram.remote} presents a token that is not the peer's"
            association.report("token-refused", text, Level.WARNING)
        return True

    # Authenticated: from here on we may change.
    if ike_sa is not association.ike_sa:
        association.ike_sas.forget(ike_sa)
        return True
    association.fail(
        f"the peer {association.remote} has lost the IKE SA and proves it by its token"
    )
    return True


def _presented(octets: bytes) -> tuple[Notify, ...]:
    """The tokens of a message in clear; a look at the header tells those that are protected."""
    if octets[_NEXT_PAYLOAD_AT] != PayloadType.NOTIFY:
        return ()
    try:
        payloads = read_message(octets).payloads
    except Fault:
        return ()
    return tuple(notifies(payloads, NotifyType.QUICK_CRASH_DETECTION))[:MAX_TOKENS]


_NEXT_PAYLOAD_AT = 16
