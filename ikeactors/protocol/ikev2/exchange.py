"""The two sides of an exchange, as the engine sees them.

The initiator's side is an object: it waits for the response and holds what it then needs. The
responder's side is a function from a request to an `Answer`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ikeactors.iana import ExchangeType
from ikeactors.protocol.ikev2.protection import Opened
from ikeactors.quick import quick
from ikeactors.wire.payload import Payload

if TYPE_CHECKING:
    from ikeactors.protocol.events import Reply
    from ikeactors.protocol.ikev2.association import Association
    from ikeactors.protocol.ikev2.child_sa import ChildSa
    from ikeactors.protocol.ikev2.ike_sa import IkeSa

Payloads = tuple[Payload, ...]


class Exchange(Protocol):
    """The initiator's side of an exchange on an IKE SA."""

    exchange: ExchangeType

    @property
    def children(self) -> tuple[str, ...] | None:
        """The names of the children it is about: no other exchange about one of these goes beside
        it. None where no other exchange does at all.
        """
        ...

    def request(self, association: Association, ike_sa: IkeSa) -> Payloads | None:
        """The payloads of the request, made when its turn comes; None when there is no need."""
        ...

    def answered(
        self, association: Association, ike_sa: IkeSa, opened: Opened, payloads: Payloads
    ) -> None:
        """The response is here, its integrity proven."""
        ...

    def abandoned(self, association: Association, reason: str) -> None:
        """No response will come: the IKE SA is gone."""
        ...


def may_overlap(exchange: Exchange, other: Exchange) -> bool:
    """Whether two requests may be out at a time; the peer may serve them in any order."""
    ours, theirs = exchange.children, other.children
    return ours is not None and theirs is not None and not set(ours) & set(theirs)


@quick
class Answer:
    """A responder's answer.

    `install` is the Child SA whose inbound SA must be in the data plane before the answer leaves;
    where the data plane refuses it, `otherwise` is sent instead. `inbound_only` leaves the
    outbound SA for later. `close` is why the IKE SA ends with this answer.
    """

    payloads: Payloads
    install: ChildSa | None = None
    otherwise: Payloads = ()
    inbound_only: bool = False
    close: str = ""


class Continuation(Protocol):
    """What goes on when the surroundings have answered an action."""

    def resumed(
        self,
        association: Association,
        event: Reply,
    ) -> None:
        """Go on with the answer."""
        ...
