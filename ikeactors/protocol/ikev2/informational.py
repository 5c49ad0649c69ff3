"""INFORMATIONAL, both roles: delete and liveness (RFC 7296 section 1.4).

Initiator                         Responder
-------------------------------------------------------------------
HDR, SK {[N,] [D,] ...}  -->
                             <--  HDR, SK {[N,] [D,] ...}
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikeactors.errors import ProtocolFault
from ikeactors.iana import ExchangeType, NotifyType, ProtocolId
from ikeactors.protocol.ikev2 import crash_detection, mobike, reauthentication, update_addresses
from ikeactors.protocol.ikev2.child_sa import ChildSa, ChildState
from ikeactors.protocol.ikev2.exchange import Answer, Payloads
from ikeactors.protocol.ikev2.ike_sa import IkeSa, IkeSaState, error_of
from ikeactors.protocol.ikev2.requests import Request
from ikeactors.protocol.ikev2.window_size import announced, announcement
from ikeactors.wire.payload import Delete, Notify

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association
    from ikeactors.protocol.ikev2.protection import Opened


class LivenessInitiator:
    """An empty request: is the peer alive? (RFC 7296 section 2.4)

    Behind a NAT, with MOBIKE, it also asks what the peer sees us as.
    """

    exchange = ExchangeType.INFORMATIONAL
    children = ()

    __slots__ = ()

    def request(self, association: Association, ike_sa: IkeSa) -> Payloads | None:
        """Nothing but the envelope, and what shows a NAT that maps us anew."""
        known = association.mobike
        if known is None or not known.decides or not association.nat.local:
            return ()
        return mobike.detection(association, ike_sa.spis)

    def answered(
        self, association: Association, ike_sa: IkeSa, opened: Opened, payloads: Payloads
    ) -> None:
        """It is alive; that we heard of it is noted by the engine."""
        ike_sa.requests.widen(announced(payloads))
        if association.mobike is not None:
            update_addresses.compare_mapping(association, payloads)

    def abandoned(self, association: Association, reason: str) -> None:
        """The IKE SA is gone."""


class DeleteChildInitiator:
    """Delete Child SAs: the peer answers with its halves (RFC 7296 section 1.4.1)."""

    exchange = ExchangeType.INFORMATIONAL

    __slots__ = ("_children", "_request")

    def __init__(self, children: tuple[ChildSa, ...], request: Request) -> None:
        self._children = children
        self._request = request

    @property
    def children(self) -> tuple[str, ...] | None:
        """Those that are to be deleted."""
        return tuple(child.name for child in self._children)

    def request(self, association: Association, ike_sa: IkeSa) -> Payloads | None:
        """D with our inbound SPIs; nothing where the peer has deleted them meanwhile."""
        self._children = tuple(
            child
            for child in self._children
            if child in association.children
            and child.state is not ChildState.RETIRED
            and not child.delete_sent
        )
        if not self._children:
            self._request.finish_part(association)
            return None
        spis: dict[ProtocolId, list[bytes]] = {}
        for child in self._children:
            child.delete_sent = True
            protocol = ProtocolId(child.agreement.suite.protocol)
            spis.setdefault(protocol, []).append(child.spi_in.to_bytes(4, "big"))
        return tuple(Delete(protocol, tuple(ours)) for protocol, ours in spis.items())

    def answered(
        self, association: Association, ike_sa: IkeSa, opened: Opened, payloads: Payloads
    ) -> None:
        """Whatever the peer says, our half is over."""
        self._end(association)

    def abandoned(self, association: Association, reason: str) -> None:
        """The IKE SA is gone, and with the last one all Child SAs, none of which sends any more.

        Where all are about to go with it, those that the peer has not heard of serve until then.
        """
        if association.closed or association.ike_sa.state is IkeSaState.DELETING:
            self._request.finish_part(association)
        else:
            self._end(association)

    def _end(self, association: Association) -> None:
        for child in self._children:
            if child in association.children:
                association.children.ended(child, "deleted")
        self._request.finish_part(association)


class DisownChildInitiator:
    """Delete a Child SA that the peer has made and we did not (RFC 7296 section 1.3.1)."""

    exchange = ExchangeType.INFORMATIONAL
    children = ()

    __slots__ = ("_protocol", "_spi")

    def __init__(self, protocol: ProtocolId, spi: int) -> None:
        self._protocol = protocol
        self._spi = spi

    def request(self, association: Association, ike_sa: IkeSa) -> Payloads | None:
        """D with the SPI that we offered."""
        return (Delete(self._protocol, (self._spi.to_bytes(4, "big"),)),)

    def answered(
        self, association: Association, ike_sa: IkeSa, opened: Opened, payloads: Payloads
    ) -> None:
        """The peer has let go."""

    def abandoned(self, association: Association, reason: str) -> None:
        """The IKE SA is gone, and the peer's Child SA with it."""


class DeleteIkeInitiator:
    """Delete an IKE SA and all that hangs on it."""

    exchange = ExchangeType.INFORMATIONAL
    children = None

    __slots__ = ("_reason", "_request")

    def __init__(self, reason: str, request: Request) -> None:
        self._reason = reason
        self._request = request

    def request(self, association: Association, ike_sa: IkeSa) -> Payloads | None:
        """D for the IKE SA."""
        return (Delete(ProtocolId.IKE),)

    def answered(
        self, association: Association, ike_sa: IkeSa, opened: Opened, payloads: Payloads
    ) -> None:
        """The peer has let go."""
        self._end(association, ike_sa)

    def abandoned(self, association: Association, reason: str) -> None:
        """The peer does not answer any more, or deleted it at the same time."""
        self._request.finish_part(association)

    def _end(self, association: Association, ike_sa: IkeSa) -> None:
        if ike_sa is association.ike_sa:
            association.close(self._reason)
        else:
            association.ike_sas.forget(ike_sa)
        self._request.finish_part(association)


class FailureInitiator:
    """Tell a responder that its half of IKE_AUTH is no good (RFC 7296 section 2.21.2)."""

    exchange = ExchangeType.INFORMATIONAL
    children = None

    __slots__ = ("_notify",)

    def __init__(self, notify: Notify) -> None:
        self._notify = notify

    def request(self, association: Association, ike_sa: IkeSa) -> Payloads | None:
        """The notify alone."""
        return (self._notify,)

    def answered(
        self, association: Association, ike_sa: IkeSa, opened: Opened, payloads: Payloads
    ) -> None:
        """It knows."""

    def abandoned(self, association: Association, reason: str) -> None:
        """It will find out by itself."""


def tell_failure(
    association: Association, ike_sa: IkeSa, fault: ProtocolFault, reason: str
) -> None:
    """The responder believes that the IKE SA stands: tell it that it does not, and end."""
    ike_sa.state = IkeSaState.DELETING
    ike_sa.ask(association, FailureInitiator(Notify(fault.notify, fault.data)))
    association.fail(reason)


def respond(association: Association, ike_sa: IkeSa, opened: Opened, payloads: Payloads) -> Answer:
    """Serve INFORMATIONAL: deletes are answered with our halves, little else with anything."""
    error = error_of(payloads)
    if error is not None and error.type in FATAL:
        return Answer((), close=f"the peer reports {error.type.name}")
    ike_sa.requests.widen(announced(payloads))
    crash_detection.keep(association, ike_sa, payloads)
    reauthentication.obey(association, reauthentication.announced_lifetime(payloads))
    deletes = [payload for payload in payloads if isinstance(payload, Delete)]
    if any(delete.protocol is ProtocolId.IKE for delete in deletes):
        return _delete_ike_sa(association, ike_sa)
    told = update_addresses.respond(association, ike_sa, payloads)
    return Answer((*_delete_children(association, deletes), *announcement(association), *told))


def _delete_ike_sa(association: Association, ike_sa: IkeSa) -> Answer:
    """The peer closes it: where it has rekeyed it, its successor goes on (section 2.25.2)."""
    if ike_sa is association.ike_sa and not association.ike_sas.inherit(ike_sa):
        return Answer((), close="the peer deleted the IKE SA")
    association.ike_sas.drop_rival(ike_sa)
    ike_sa.state = IkeSaState.DELETING
    association.ike_sas.forget_later(ike_sa)
    return Answer(())


def _delete_children(association: Association, deletes: list[Delete]) -> tuple[Delete, ...]:
    """Our halves of the Child SAs that the peer deletes, where there is one to name."""
    if not deletes:
        return ()
    by_spi = {child.spi_out: child for child in association.children}
    halves: dict[ProtocolId, list[bytes]] = {}
    for delete in deletes:
        for spi in dict.fromkeys(delete.spis):
            child = by_spi.get(int.from_bytes(spi, "big"))
            if child is None or child.agreement.suite.protocol != delete.protocol:
                association.children.remember_deleted(int.from_bytes(spi, "big"))
                continue
            ours = _delete_child(association, child)
            if ours is not None:
                halves.setdefault(delete.protocol, []).append(ours)
    return tuple(Delete(protocol, tuple(spis)) for protocol, spis in halves.items())


def _delete_child(association: Association, child: ChildSa) -> bytes | None:
    """Our half of a Child SA; None where it is gone.

    Where we are deleting it too, our own exchange names our half (RFC 7296 section 1.4.1).
    """
    if child.state is ChildState.RETIRED:
        return None
    crossing = child.delete_sent
    association.children.deleted_by_peer(child)
    return None if crossing else child.spi_in.to_bytes(4, "big")


# Errors that end an IKE SA without a Delete payload (RFC 7296 sections 2.21.2 and 2.21.3).
FATAL = frozenset(
    {
        NotifyType.AUTHENTICATION_FAILED,
        NotifyType.INVALID_SYNTAX,
        NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD,
    }
)
