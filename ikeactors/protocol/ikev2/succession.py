"""What a successor of the IKE SA is told, because the old one's word does not hold for it.

    HDR, SK {[N(SET_WINDOW_SIZE),] [N(QCD_TOKEN)]}  -->
                                 <--  HDR, SK {[N(SET_WINDOW_SIZE)]}

Its original initiator says it; the responder says its token with CREATE_CHILD_SA, and its window
size with any answer to INFORMATIONAL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikeactors.iana import ExchangeType
from ikeactors.protocol.ikev2 import crash_detection, window_size
from ikeactors.protocol.ikev2.exchange import Payloads

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association
    from ikeactors.protocol.ikev2.ike_sa import IkeSa
    from ikeactors.protocol.ikev2.protection import Opened


def announce(association: Association, successor: IkeSa) -> None:
    """Say what there is to say on a new IKE SA that the peer has by now."""
    notifies = _notifies(association, successor)
    if notifies and successor.spis.original_initiator:
        successor.ask(association, SuccessionInitiator())


def _notifies(association: Association, ike_sa: IkeSa) -> Payloads:
    token = crash_detection.token_for(association, ike_sa.spis)
    return (*window_size.announcement(association), *token)


class SuccessionInitiator:
    """Our window size and our token (RFC 6290 section 4.3)."""

    exchange = ExchangeType.INFORMATIONAL
    children = ()

    __slots__ = ()

    def request(self, association: Association, ike_sa: IkeSa) -> Payloads | None:
        """Both, or the one there is."""
        return _notifies(association, ike_sa)

    def answered(
        self, association: Association, ike_sa: IkeSa, opened: Opened, payloads: Payloads
    ) -> None:
        """The peer knows, and may have said the same."""
        ike_sa.requests.widen(window_size.announced(payloads))

    def abandoned(self, association: Association, reason: str) -> None:
        """The IKE SA is gone."""
