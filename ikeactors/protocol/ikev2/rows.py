"""A checkpoint as rows of plain numbers, octets and text, and back.

It is written with nearly every message, so nothing in it says what it is: its place does. A new
field goes to the end of its row, with a default. What is rare goes by its name, where it is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, fields
from ipaddress import ip_address
from operator import attrgetter
from typing import Any

import msgpack

from ikeactors.crypto.keys import IkeKeys
from ikeactors.crypto.suite import ChildSuite, IkeSuite
from ikeactors.errors import Fault
from ikeactors.iana import Encr, IdType, Integ, KeyExchangeMethod, Prf, ProtocolId
from ikeactors.kernel.requests import Direction, Encapsulation, Lifetime, Mode, SaRequest
from ikeactors.protocol.encoding import Undecodable, decode, encode
from ikeactors.protocol.events import Endpoint
from ikeactors.protocol.ikev2.checkpoint import (
    Checkpoint,
    SavedChildSa,
    SavedIkeSa,
    SavedRequest,
)
from ikeactors.wire.identities import Identity
from ikeactors.wire.selectors import TrafficSelector

Row = Sequence[Any]


def write_rows(schema: int, checkpoint: Checkpoint) -> bytes:
    """The octets of a checkpoint behind the number of its schema."""
    octets: bytes = msgpack.packb(
        (
            schema,
            _ENDS(checkpoint),
            tuple(map(_ike_sa_row, checkpoint.ike_sas)),
            tuple(map(_child_row, checkpoint.children)),
            tuple(map(_child_row, checkpoint.departed)),
            _REST(checkpoint),
            encode(dict(checkpoint.extras)) if checkpoint.extras else b"",
        )
    )
    return octets


def read_rows(rows: Row) -> Checkpoint:
    """The checkpoint in the rows behind the schema. Raises `Undecodable`."""
    try:
        ends, ike_sas, children, departed, rest, extras = rows
        connection, local_id, remote_id, local, remote = _ends(*ends)
        return Checkpoint(
            connection=connection,
            local_id=local_id,
            remote_id=remote_id,
            local=local,
            remote=remote,
            ike_sas=tuple(map(_ike_sa, ike_sas)),
            children=tuple(map(_child, children)),
            departed=tuple(map(_child, departed)),
            extras=decode(extras) if extras else {},
            **dict(zip(_REST_NAMES, rest, strict=False)),
        )
    except (TypeError, ValueError, Fault) as fault:
        raise Undecodable(f"no checkpoint: {fault}") from None


def _ends(connection: str, *parts: Any) -> tuple[str, Identity, Identity, Endpoint, Endpoint]:
    local_id, local_data, remote_id, remote_data, local, local_port, remote, remote_port = parts
    return (
        connection,
        Identity(IdType(local_id), local_data),
        Identity(IdType(remote_id), remote_data),
        Endpoint(ip_address(local), local_port),
        Endpoint(ip_address(remote), remote_port),
    )


def _ike_sa_row(saved: SavedIkeSa) -> Row:
    requests = tuple(map(_request_row, saved.outstanding))
    return (_SUITE(saved), _KEYS(saved.keys), requests, _IKE_SA(saved))


def _ike_sa(row: Row) -> SavedIkeSa:
    (encr, key_length, integ, prf, ke), keys, requests, rest = row
    return SavedIkeSa(
        suite=IkeSuite(Encr(encr), key_length, Integ(integ), Prf(prf), KeyExchangeMethod(ke)),
        keys=IkeKeys(*keys),
        outstanding=tuple(map(_request, requests)),
        **dict(zip(_IKE_SA_NAMES, rest, strict=False)),
    )


def _request_row(saved: SavedRequest) -> Row:
    payloads = encode(saved.payloads) if saved.payloads else b""
    return (payloads, *_REQUEST(saved))


def _request(row: Row) -> SavedRequest:
    payloads, *rest = row
    named = dict(zip(_REQUEST_NAMES, rest, strict=False))
    return SavedRequest(payloads=decode(payloads) if payloads else (), **named)


def _child_row(saved: SavedChildSa) -> Row:
    selectors = tuple(map(_SELECTOR, saved.local_ts)), tuple(map(_SELECTOR, saved.remote_ts))
    return (*selectors, _sa_row(saved.inbound), _sa_row(saved.outbound), _CHILD(saved))


def _child(row: Row) -> SavedChildSa:
    local_ts, remote_ts, inbound, outbound, rest = row
    return SavedChildSa(
        local_ts=tuple(map(_selector, local_ts)),
        remote_ts=tuple(map(_selector, remote_ts)),
        inbound=_sa(inbound),
        outbound=_sa(outbound),
        **dict(zip(_CHILD_NAMES, rest, strict=False)),
    )


def _selector(row: Row) -> TrafficSelector:
    protocol, start_port, end_port, start, end = row
    return TrafficSelector(protocol, start_port, end_port, ip_address(start), ip_address(end))


def _sa_row(request: SaRequest) -> Row:
    ports, rare = request.encapsulation, _RARE(request)
    named = None
    if rare != _USUAL:
        present = zip(_RARE_NAMES, rare, _USUAL, strict=True)
        named = encode({name: value for name, value, usual in present if value != usual})
    return (
        *_FREQUENT(request),
        _CHILD_SUITE(request.suite),
        _LIFETIME(request.lifetime),
        None if ports is None else (ports.source_port, ports.destination_port),
        named,
    )


def _sa(row: Row) -> SaRequest:
    spi, protocol, direction, source, destination, mode, *others = row
    reqid, encr_key, integ_key, window, suite, lifetime, ports, named = others
    kind, encr, key_length, integ, ke, esn = suite
    algorithms = Encr(encr), key_length, Integ(integ), KeyExchangeMethod(ke)
    return SaRequest(
        spi,
        ProtocolId(protocol),
        Direction(direction),
        ip_address(source),
        ip_address(destination),
        Mode(mode),
        reqid,
        ChildSuite(ProtocolId(kind), *algorithms, esn),
        encr_key,
        integ_key,
        window,
        None if ports is None else Encapsulation(*ports),
        lifetime=Lifetime(*lifetime),
        **({} if named is None else decode(named)),
    )


def _names(kind: Any, *others: str) -> tuple[str, ...]:
    """The fields of a class that are in no row of their own, the newest last."""
    return tuple(one.name for one in fields(kind) if one.name not in others)


_ENDS = attrgetter(
    "connection",
    *("local_id.type", "local_id.data", "remote_id.type", "remote_id.data"),
    *("local.address.packed", "local.port", "remote.address.packed", "remote.port"),
)
_REST_NAMES = _names(
    Checkpoint,
    *("connection", "local_id", "remote_id", "local", "remote"),
    *("ike_sas", "children", "departed", "extras"),
)
_REST = attrgetter(*_REST_NAMES)
_SUITE = attrgetter("suite.encr", "suite.key_length", "suite.integ", "suite.prf", "suite.ke")
_KEYS = attrgetter(*_names(IkeKeys))
_IKE_SA_NAMES = _names(SavedIkeSa, "suite", "keys", "outstanding")
_IKE_SA = attrgetter(*_IKE_SA_NAMES)
_REQUEST_NAMES = _names(SavedRequest, "payloads")
_REQUEST = attrgetter(*_REQUEST_NAMES)
_CHILD_NAMES = _names(SavedChildSa, "local_ts", "remote_ts", "inbound", "outbound")
_CHILD = attrgetter(*_CHILD_NAMES)
_SELECTOR = attrgetter("protocol", "start_port", "end_port", "start.packed", "end.packed")
_CHILD_SUITE = attrgetter("protocol", "encr", "key_length", "integ", "ke", "esn")
_LIFETIME = attrgetter(*_names(Lifetime))
_FREQUENT = attrgetter(
    *("spi", "protocol", "direction", "source.packed", "destination.packed", "mode.value"),
    *("reqid", "encr_key", "integ_key", "replay_window"),
)
_RARE_NAMES = _names(
    SaRequest,
    *("spi", "protocol", "direction", "source", "destination", "mode", "reqid", "suite"),
    *("encr_key", "integ_key", "replay_window", "encapsulation", "lifetime"),
)
_RARE = attrgetter(*_RARE_NAMES)
_USUAL = tuple(one.default for one in fields(SaRequest) if one.name in _RARE_NAMES)
assert MISSING not in _USUAL
