"""What is under way as data: exchanges that are out or wait, and Child SAs to be installed.

An object is its class's name and the values of its slots, where Child SAs and IKE SAs are numbers
and children are names. That follows the code as it is, so it is read by the version that wrote it
alone. What another one wrote is forgotten: its request is sent again until it is answered, and
what it was about starts anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ikeactors.errors import Fault
from ikeactors.iana import ExchangeType, KeyExchangeMethod
from ikeactors.protocol.encoding import Undecodable, decode, encode
from ikeactors.protocol.ikev2.child_negotiation import Offer
from ikeactors.protocol.ikev2.child_sa import ChildSa
from ikeactors.protocol.ikev2.collisions import NoncePair, RivalChild, RivalIkeSa
from ikeactors.protocol.ikev2.create_child_sa import CreateChildInitiator
from ikeactors.protocol.ikev2.exchange import Continuation, Exchange, Payloads
from ikeactors.protocol.ikev2.groups import GroupChoice, Half
from ikeactors.protocol.ikev2.ike_sa import IkeSa
from ikeactors.protocol.ikev2.informational import (
    DeleteChildInitiator,
    DeleteIkeInitiator,
    DisownChildInitiator,
    LivenessInitiator,
)
from ikeactors.protocol.ikev2.installing import InstallOffered
from ikeactors.protocol.ikev2.nat import NatSituation
from ikeactors.protocol.ikev2.overlap import SettledInitiator
from ikeactors.protocol.ikev2.reauthentication import ArrivalInitiator, Turn
from ikeactors.protocol.ikev2.rekey_ike_sa import RekeyIkeInitiator
from ikeactors.protocol.ikev2.requests import Request
from ikeactors.protocol.ikev2.succession import SuccessionInitiator
from ikeactors.protocol.ikev2.update_addresses import (
    AnnounceInitiator,
    RoutabilityInitiator,
    UpdateInitiator,
)
from ikeactors.protocol.settings import ChildSettings

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association
    from ikeactors.protocol.ikev2.protection import Opened


class Forgotten:
    """A request of a former version: its answer ends it, and says no more."""

    children = None

    __slots__ = ("exchange",)

    def __init__(self, exchange: ExchangeType) -> None:
        self.exchange = exchange

    def request(self, association: Association, ike_sa: IkeSa) -> Payloads | None:
        """It went out before."""
        return None

    def answered(
        self, association: Association, ike_sa: IkeSa, opened: Opened, payloads: Payloads
    ) -> None:
        """What it was about is not known any more."""

    def abandoned(self, association: Association, reason: str) -> None:
        """Nobody waits."""


def freeze(thing: Exchange | Continuation, absent: frozenset[int] = frozenset()) -> bytes:
    """The octets of an exchange or a continuation; none where it is not kept.

    Child SAs whose numbers are `absent` will not be there, and are not named.
    """
    kind = type(thing)
    if kind.__name__ not in _KINDS:
        return b""
    slots = {name: _plain(getattr(thing, name), absent) for name in _slots(kind)}
    if "_request_id" in slots:
        # Who asked is gone, and another one may come to have the number.
        slots["_request_id"] = ("value", None)
    return encode((kind.__name__, slots))


def thaw(association: Association, departed: dict[int, ChildSa], octets: bytes) -> Any:
    """What was frozen; None where it cannot be known any more."""
    try:
        match decode(octets):
            case (str(name), dict(slots)):
                return _thawed(_Reader(association, departed), _KINDS[name], slots)
            case _:
                return None
    except (Undecodable, KeyError, Fault):
        return None


def _thawed(reader: _Reader, kind: Any, slots: dict[str, Any]) -> Any:
    if set(slots) != set(_slots(kind)):
        return None
    thing = kind.__new__(kind)
    for name, plain in slots.items():
        object.__setattr__(thing, name, reader.read(plain))
    return thing


def children_in(things: Iterable[Any]) -> Iterable[ChildSa]:
    """The Child SAs that such objects name."""
    for thing in things:
        for name in _slots(type(thing)) if type(thing).__name__ in _KINDS else ():
            value = getattr(thing, name)
            for one in value if isinstance(value, tuple) else (value,):
                if isinstance(one, RivalChild):
                    yield one.child
                elif isinstance(one, ChildSa):
                    yield one


def _slots(kind: type) -> tuple[str, ...]:
    slots: tuple[str, ...] = kind.__slots__  # type: ignore[attr-defined]
    return slots


def _plain(value: Any, absent: frozenset[int]) -> Any:
    """What a value is, and what it is made of."""
    if _is_absent(value, absent):
        return ("value", None)
    for kind, name, parts in _REFERENCES:
        if isinstance(value, kind):
            return (name, *parts(value))
    if type(value) is tuple:
        there = (one for one in value if not _is_absent(one, absent))
        return ("tuple", *(_plain(one, absent) for one in there))
    return ("value", value)


def _is_absent(value: Any, absent: frozenset[int]) -> bool:
    named = value.child if isinstance(value, RivalChild) else value
    return isinstance(named, ChildSa) and named.number in absent


class _Reader:
    """Makes values of what `_plain` has made."""

    def __init__(self, association: Association, departed: dict[int, ChildSa]) -> None:
        self._association = association
        self._departed = departed

    def read(self, plain: Any) -> Any:
        name, *parts = plain
        return getattr(self, f"_{name.replace('-', '_')}")(*parts)

    def _value(self, value: Any) -> Any:
        return value

    def _tuple(self, *parts: Any) -> tuple[Any, ...]:
        return tuple(self.read(part) for part in parts)

    def _request(self) -> Request:
        # Who asked is gone.
        return Request(None)

    def _child(self, number: int) -> ChildSa:
        return self._association.children.get(number) or self._departed[number]

    def _ike_sa(self, number: int) -> IkeSa | None:
        return self._association.ike_sas.numbered(number)

    def _settings(self, name: str) -> ChildSettings:
        settings = self._association.connection.child(name)
        if settings is None:
            raise KeyError(name)
        return settings

    def _groups(self, method: int, *tried: int) -> GroupChoice:
        choice = GroupChoice(KeyExchangeMethod(method))
        choice.tried = {KeyExchangeMethod(one) for one in tried}
        return choice

    def _nat(self, *parts: bool) -> NatSituation:
        return NatSituation(*parts)

    def _half(self, method: int, seed: bytes) -> Half:
        return Half(KeyExchangeMethod(method), seed)

    def _offer(self, name: str, *parts: Any) -> Offer:
        return Offer(self._settings(name), *parts)

    def _rival_child(self, number: int, *nonces: bytes) -> RivalChild:
        return RivalChild(self._child(number), NoncePair(*nonces))


_REFERENCES: tuple[tuple[type, str, Callable[[Any], tuple[Any, ...]]], ...] = (
    (Request, "request", lambda value: ()),
    (ChildSa, "child", lambda value: (value.number,)),
    (IkeSa, "ike-sa", lambda value: (value.number,)),
    (ChildSettings, "settings", lambda value: (value.name,)),
    (GroupChoice, "groups", lambda value: (int(value.method), *sorted(map(int, value.tried)))),
    (NatSituation, "nat", lambda value: (value.supported, value.local, value.remote)),
    (Half, "half", lambda value: (int(value.method), value.seed)),
    (Offer, "offer", lambda value: (value.settings.name, *_offered(value))),
    (RivalChild, "rival-child", lambda value: (value.child.number, *_nonces(value))),
)


def _offered(offer: Offer) -> tuple[Any, ...]:
    return offer.proposals, offer.local_ts, offer.remote_ts, offer.spi_in, offer.reqid, offer.cpi


def _nonces(rival: RivalChild | RivalIkeSa) -> tuple[bytes, bytes]:
    return rival.nonces.nonce_i, rival.nonces.nonce_r


_KINDS: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        AnnounceInitiator,
        ArrivalInitiator,
        CreateChildInitiator,
        DeleteChildInitiator,
        DeleteIkeInitiator,
        DisownChildInitiator,
        InstallOffered,
        LivenessInitiator,
        RekeyIkeInitiator,
        RoutabilityInitiator,
        SettledInitiator,
        SuccessionInitiator,
        Turn,
        UpdateInitiator,
    )
}
