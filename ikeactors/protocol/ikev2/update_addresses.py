"""MOBIKE's exchanges, both roles (RFC 4555 sections 3.5 to 3.8).

    Initiator                         Responder
    -------------------------------------------------------------------
    HDR, SK {N(UPDATE_SA_ADDRESSES),
        N(NAT_DETECTION_SOURCE_IP),
        N(NAT_DETECTION_DESTINATION_IP),
        N(COOKIE2)}  -->
                                 <--  HDR, SK {N(NAT_DETECTION_SOURCE_IP),
                                          N(NAT_DETECTION_DESTINATION_IP),
                                          N(COOKIE2)}
                                 <--  HDR, SK {N(COOKIE2)}
    HDR, SK {N(COOKIE2)}  -->

Child SAs move when their new end has proven that it receives what is sent there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from ikeactors.iana import ExchangeType, NotifyType
from ikeactors.protocol.actions import Level
from ikeactors.protocol.events import Endpoint
from ikeactors.protocol.ikev2 import mobike, paths
from ikeactors.protocol.ikev2.exchange import Exchange, Payloads
from ikeactors.protocol.ikev2.nat import NatSituation, detect
from ikeactors.protocol.ikev2.requests import Request
from ikeactors.protocol.ikev2.retransmission import send_all_again
from ikeactors.protocol.timers import Timer
from ikeactors.wire.message import notifies
from ikeactors.wire.payload import Notify

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association
    from ikeactors.protocol.ikev2.ike_sa import IkeSa
    from ikeactors.protocol.ikev2.protection import Opened

# The specification's: 8 to 64 octets (RFC 4555 section 4.2.5).
COOKIE2_OCTETS = 16

_DETECTION = (NotifyType.NAT_DETECTION_SOURCE_IP, NotifyType.NAT_DETECTION_DESTINATION_IP)


class UpdateInitiator:
    """We use other addresses from now on (RFC 4555 section 3.5).

    `came_from` is the path that was in use before.
    """

    exchange = ExchangeType.INFORMATIONAL
    children = None

    __slots__ = ("_came_from", "_cookie", "_on", "_path", "_tries")

    def __init__(self, came_from: paths.Ends) -> None:
        self._came_from = came_from
        self._cookie = b""
        self._path = came_from
        self._on: IkeSa | None = None
        self._tries = 0

    def request(self, association: Association, ike_sa: IkeSa) -> Payloads | None:
        """The addresses are those in the IP header; the list of all others goes with them."""
        assert association.mobike is not None
        self._path = paths.ends(association)
        self._on = ike_sa
        _tell_former(association, ike_sa, partial(UpdateInitiator, self._came_from))
        self._cookie = association.surroundings.entropy.octets(COOKIE2_OCTETS)
        association.mobike.told = association.surroundings.addresses()
        return (
            Notify(NotifyType.UPDATE_SA_ADDRESSES),
            *mobike.detection(association, ike_sa.spis),
            *mobike.prohibition(association),
            *mobike.additional(association),
            Notify(NotifyType.COOKIE2, self._cookie),
        )

    def answered(
        self, association: Association, ike_sa: IkeSa, opened: Opened, payloads: Payloads
    ) -> None:
        """The peer knows; an answer to what is not true any more says nothing."""
        if not _is_echoed(association, self._cookie, payloads):
            return
        if paths.ends(association) != self._path:
            return
        if notifies(payloads, NotifyType.UNEXPECTED_NAT_DETECTED):
            self._passed_nat(association, ike_sa)
        elif notifies(payloads, NotifyType.UNACCEPTABLE_ADDRESSES):
            self._refused(association, "does not accept them (UNACCEPTABLE_ADDRESSES)")
        else:
            assert association.mobike is not None
            association.mobike.mapping = _mapping(payloads)
            _move_children(association, _situation(payloads, ike_sa, self._path))

    def _passed_nat(self, association: Association, ike_sa: IkeSa) -> None:
        """Somebody changes the addresses: again, for it may have been one packet's attacker."""
        self._tries += 1
        if self._tries <= association.connection.retransmission.tries:
            ike_sa.ask(association, self)
        else:
            self._refused(association, "sees others: there is a NAT, and it knows nothing of NATs")

    def _refused(self, association: Association, why: str) -> None:
        """Back to where we came from, if that is still there; else this is the end."""
        text = f"the peer {association.remote} was told of new addresses and {why}"
        association.report("addresses-refused", text, Level.WARNING)
        local, remote = self._came_from
        if self._came_from != self._path and local.address in association.surroundings.addresses():
            association.local, association.remote = local, remote
        else:
            association.delete_ike_sa(text, Request(None))

    def abandoned(self, association: Association, reason: str) -> None:
        """The IKE SA is gone; where it has a successor the peer is told on that."""
        if association.ike_sas.outlive(self._on) and paths.ends(association) == self._path:
            update(association, self._came_from)


class AnnounceInitiator:
    """Our additional addresses are others; those in use stay (RFC 4555 section 3.6)."""

    exchange = ExchangeType.INFORMATIONAL
    children = None

    __slots__ = ("_on",)

    def __init__(self) -> None:
        self._on: IkeSa | None = None

    def request(self, association: Association, ike_sa: IkeSa) -> Payloads | None:
        """The whole list, as it is when the request's turn comes."""
        assert association.mobike is not None
        self._on = ike_sa
        _tell_former(association, ike_sa, AnnounceInitiator)
        association.mobike.told = association.surroundings.addresses()
        return (*mobike.additional(association), *mobike.prohibition(association))

    def answered(
        self, association: Association, ike_sa: IkeSa, opened: Opened, payloads: Payloads
    ) -> None:
        """The peer knows."""

    def abandoned(self, association: Association, reason: str) -> None:
        """The IKE SA is gone; where it has a successor the peer is told on that."""
        if association.ike_sas.outlive(self._on):
            announce(association)


class RoutabilityInitiator:
    """Is the peer where it says it is? Only then Child SAs go there (RFC 4555 section 3.7)."""

    exchange = ExchangeType.INFORMATIONAL
    children = ()

    __slots__ = ("_cookie", "_nat", "_on", "_path")

    def __init__(self, nat: NatSituation, path: paths.Ends) -> None:
        self._nat = nat
        self._path = path
        self._on: IkeSa | None = None
        self._cookie = b""

    def request(self, association: Association, ike_sa: IkeSa) -> Payloads | None:
        """What only who receives it can repeat; nothing where the peer has moved on."""
        if paths.ends(association) != self._path:
            return None
        self._on = ike_sa
        self._cookie = association.surroundings.entropy.octets(COOKIE2_OCTETS)
        return (Notify(NotifyType.COOKIE2, self._cookie),)

    def answered(
        self, association: Association, ike_sa: IkeSa, opened: Opened, payloads: Payloads
    ) -> None:
        """It is there, unless the request went to other places too."""
        if not _is_echoed(association, self._cookie, payloads):
            return
        if paths.ends(association) == self._path:
            _move_children(association, self._nat)

    def abandoned(self, association: Association, reason: str) -> None:
        """The IKE SA is gone; where it has a successor the peer is asked on that."""
        if association.ike_sas.outlive(self._on):
            again = RoutabilityInitiator(self._nat, self._path)
            association.ike_sa.ask_first(association, again)


# What tells the whole list of our addresses, as it is when its turn comes.
_TELLING = (UpdateInitiator, AnnounceInitiator)


def update(association: Association, came_from: paths.Ends) -> None:
    """Tell the peer where we are, before anything else that waits for its turn."""
    for ike_sa in association.ike_sas.known_to_peer():
        if not any(isinstance(one, UpdateInitiator) for one in ike_sa.queue):
            # It has the whole list too.
            ike_sa.queue = [one for one in ike_sa.queue if not isinstance(one, AnnounceInitiator)]
            ike_sa.ask_first(association, UpdateInitiator(came_from))


def announce(association: Association) -> None:
    """Tell the peer where else we are."""
    for ike_sa in association.ike_sas.known_to_peer():
        if not any(isinstance(one, _TELLING) for one in ike_sa.queue):
            ike_sa.ask_first(association, AnnounceInitiator())


def _tell_former(association: Association, ike_sa: IkeSa, exchange: Callable[[], Exchange]) -> None:
    """What goes on the IKE SA that stands goes on those too that the peer may still rely on."""
    if ike_sa is not association.ike_sa:
        return
    for former in association.ike_sas.known_to_peer():
        if former is not ike_sa and not any(isinstance(one, _TELLING) for one in former.queue):
            former.ask_first(association, exchange())


def respond(association: Association, ike_sa: IkeSa, payloads: Payloads) -> Payloads:
    """What MOBIKE adds to the answer to an INFORMATIONAL request, and does about it."""
    known = association.mobike
    if known is None:
        return ()
    served = ike_sa.responses.served
    cookies = tuple(notifies(payloads, NotifyType.COOKIE2)[:1])
    is_update = not known.decides and bool(notifies(payloads, NotifyType.UPDATE_SA_ADDRESSES))
    if is_update or mobike.speaks_of_addresses(payloads):
        if mobike.is_prohibited(payloads, served.local, served.remote):
            return (Notify(NotifyType.UNEXPECTED_NAT_DETECTED), *cookies)
        if is_update and not _is_acceptable(association, served.local, served.remote):
            return (Notify(NotifyType.UNACCEPTABLE_ADDRESSES), *cookies)
    if mobike.speaks_of_addresses(payloads):
        known.peers = mobike.read_additional(payloads)
        if known.decides and association.remote.address not in (
            served.remote.address,
            *known.peers,
        ):
            _follow_responder(association, ike_sa, served.local, served.remote)
    if is_update:
        _take_update(association, ike_sa, payloads, served.local, served.remote)
    detection: Payloads = ()
    if any(notifies(payloads, kind) for kind in _DETECTION) and association.nat.supported:
        detection = mobike.detection_at(association, ike_sa.spis, served.local, served.remote)
    return (*detection, *cookies)


def _is_acceptable(association: Association, local: Endpoint, remote: Endpoint) -> bool:
    """Whether the connection takes a peer there: as it would if the peer began anew."""
    candidates = association.settings.candidates(local.address, remote.address)
    if any(one.name == association.connection.name for one in candidates):
        return True
    text = (
        f"the peer {association.remote} wants to move to {remote}, which remote_addrs of "
        f"connection {association.connection.name} does not name"
    )
    association.report("addresses-refused", text, Level.WARNING)
    return False


def _follow_responder(
    association: Association, ike_sa: IkeSa, local: Endpoint, remote: Endpoint
) -> None:
    """The address that we use is none of the peer's any more: go on where it speaks from."""
    came_from = paths.ends(association)
    association.report("path-chosen", f"the peer is now at {remote}, no longer at {came_from[1]}")
    association.local, association.remote = local, remote
    send_all_again(association)
    ike_sa.queue_first(UpdateInitiator(came_from))


def _take_update(
    association: Association, ike_sa: IkeSa, payloads: Payloads, local: Endpoint, remote: Endpoint
) -> None:
    is_proven = association.remote.address == remote.address
    association.local, association.remote = local, remote
    send_all_again(association)
    nat = _situation(payloads, ike_sa, (local, remote))
    if is_proven:
        _move_children(association, nat)
    else:
        ike_sa.queue_first(RoutabilityInitiator(nat, (local, remote)))


def compare_mapping(association: Association, payloads: Payloads) -> None:
    """Does the peer see us as before? If not, a NAT maps us anew (RFC 4555 section 3.8)."""
    known = association.mobike
    mapping = _mapping(payloads)
    if known is None or not mapping:
        return
    if known.mapping != mapping:
        text = f"the NAT before us maps {association.local} otherwise than the peer was told"
        association.report("nat-mapping-changed", text)
        update(association, paths.ends(association))
    known.mapping = mapping


def _situation(payloads: Payloads, ike_sa: IkeSa, path: paths.Ends) -> NatSituation:
    return detect(payloads, ike_sa.spis.spi_i, ike_sa.spis.spi_r, *path)


def _move_children(association: Association, nat: NatSituation) -> None:
    """The peer is there and knows: NATs are where it says, and the Child SAs follow."""
    if nat.supported:
        association.nat = nat
    connection, timers = association.connection, association.timers
    timers.stop(Timer.KEEPALIVE)
    if connection.keepalive and association.nat.local:
        timers.start(Timer.KEEPALIVE, association.now + connection.keepalive)
    text = f"the IKE SA is now between {association.local} and {association.remote}"
    association.report("path-changed", text)
    paths.move_children(association)


def _is_echoed(association: Association, cookie: bytes, payloads: Payloads) -> bool:
    """Whether the peer has repeated what it was sent; where not, the IKE SA is closed."""
    if [one.data for one in notifies(payloads, NotifyType.COOKIE2)] == [cookie]:
        return True
    reason = f"the peer {association.remote} has not repeated COOKIE2 as it was"
    association.delete_ike_sa(reason, Request(None))
    return False


def _mapping(payloads: Payloads) -> bytes:
    """What the peer sees us as."""
    found = notifies(payloads, NotifyType.NAT_DETECTION_DESTINATION_IP)
    return found[0].data if found else b""
