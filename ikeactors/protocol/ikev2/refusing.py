"""What a fault in the peer's message leads to: an answer, a deletion, or the end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ikeactors.errors import (
    ChildSaNotFound,
    InvalidSyntax,
    ProtocolFault,
    UnsupportedCriticalPayload,
)
from ikeactors.protocol.actions import Level
from ikeactors.protocol.ikev2.exchange import Answer, Exchange
from ikeactors.protocol.ikev2.ike_sa import IkeSa
from ikeactors.protocol.ikev2.informational import DeleteIkeInitiator, tell_failure
from ikeactors.protocol.ikev2.requests import Request
from ikeactors.wire.payload import Notify

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association


def refuse(association: Association, fault: ProtocolFault) -> Answer:
    """A request's fault turned into its answer (RFC 7296 section 2.21.3)."""
    association.report("request-refused", f"a request was refused: {fault}", Level.WARNING)
    notify = Notify(fault.notify, fault.data)
    if isinstance(fault, ChildSaNotFound):
        notify = replace(notify, data=b"", protocol=fault.protocol, spi=fault.data)
    close = str(fault) if isinstance(fault, InvalidSyntax) or not association.established else ""
    return Answer((notify,), close=close)


def response_failed(
    association: Association, ike_sa: IkeSa, exchange: Exchange, fault: ProtocolFault
) -> None:
    """A response that is proven to be the peer's makes no sense: the states differ."""
    reason = f"the peer's {exchange.exchange.name} response is malformed: {fault}"
    exchange.abandoned(association, reason)
    if ike_sa is not association.ike_sa:
        association.ike_sas.forget(ike_sa)
    elif association.established and isinstance(exchange, DeleteIkeInitiator):
        association.close(reason)
    elif association.established:
        association.delete_ike_sa(reason, Request(None))
    elif isinstance(fault, UnsupportedCriticalPayload):
        association.fail(reason)
    else:
        tell_failure(association, ike_sa, fault, reason)
