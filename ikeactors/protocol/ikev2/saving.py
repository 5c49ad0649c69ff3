"""Taking a checkpoint of an established association.

A request of the peer that is being served is not in it: the peer sends it again, and it is served
again. So the Child SA that its answer waits for is left out, and what that was to replace goes on.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ikeactors.protocol.ikev2.checkpoint import (
    Checkpoint,
    SavedChildSa,
    SavedIkeSa,
    SavedRequest,
)
from ikeactors.protocol.ikev2.child_sa import ChildSa
from ikeactors.protocol.ikev2.collisions import RivalIkeSa
from ikeactors.protocol.ikev2.ike_sa import IkeSa
from ikeactors.protocol.ikev2.inflight import children_in, freeze
from ikeactors.protocol.ikev2.installing import (
    InstallDemanded,
    InstallOffered,
    OutboundInstalled,
)
from ikeactors.protocol.ikev2.phases import Established
from ikeactors.protocol.timers import Timer

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association


def take(association: Association, now: float) -> Checkpoint:
    """The checkpoint at this instant."""
    phase = association.phase
    assert isinstance(phase, Established)
    demanded = due = _NOBODY
    offered: tuple[InstallOffered, ...] = ()
    kept = tuple(association.children)
    waiting = association.waiting
    if waiting:
        demanded = _numbers(waiting, InstallDemanded)
        due = _numbers(waiting, OutboundInstalled)
        offered = tuple(one for one in waiting if isinstance(one, InstallOffered))
        kept = tuple(one for one in kept if one.number not in demanded)
    named = _named(association, kept, offered)
    departed = {one.number: one for one in named if one not in association.children}
    ike_sas, rival = association.ike_sas, association.ike_sas.rival
    patience, fragmenting, nat = ike_sas.patience, association.fragmenting, association.nat
    return Checkpoint(
        connection=association.connection.name,
        local_id=phase.local,
        remote_id=phase.remote,
        local=association.local,
        remote=association.remote,
        nat=(nat.supported, nat.local, nat.remote),
        fragments=(fragmenting.agreed, fragmenting.size),
        age=now - association.created_at,
        silence=now - association.last_heard_at,
        octets_heard=association.octets_heard,
        numbers=association.numbers,
        current=association.ike_sa.number,
        ike_sas=tuple(_ike_sa(one, demanded) for one in ike_sas),
        children=tuple(_child(one, demanded, due, now) for one in kept),
        departed=tuple(_child(one, demanded, due, now) for one in departed.values()),
        timers=_timers(association, now),
        told=association.children.told,
        early=association.children.early,
        wanted=tuple((one, it.name) for one, it in association.children.wanted.items()),
        is_replacing=ike_sas.is_replacing,
        patience=(now - patience.since, patience.refusals),
        rival=None if rival is None else _rival(rival),
        extras=_extras(association),
        installs=tuple(freeze(one, demanded) for one in offered),
    )


def _numbers(
    waiting: Iterable[Any], kind: type[InstallDemanded | OutboundInstalled]
) -> frozenset[int]:
    return frozenset(one.child.number for one in waiting if isinstance(one, kind))


def _extras(association: Association) -> dict[str, tuple[Any, ...]]:
    """What features of their own have, by name."""
    extras: dict[str, tuple[Any, ...]] = {}
    mobike, overlap = association.mobike, association.overlap
    if mobike is not None:
        extras["mobike"] = (mobike.decides, mobike.peers, mobike.told, mobike.mapping)
    phase = association.phase
    if isinstance(phase, Established) and phase.proof is not None:
        extras["proof"] = (phase.proof,)
    if overlap is not None:
        extras["overlap"] = (overlap.older, overlap.is_lost, overlap.is_ours)
    return extras


def _rival(rival: RivalIkeSa) -> tuple[int, bytes, bytes]:
    return rival.ike_sa.number, rival.nonces.nonce_i, rival.nonces.nonce_r


def _named(
    association: Association, children: Iterable[ChildSa], offered: Iterable[Any]
) -> list[ChildSa]:
    """The Child SAs that anything names."""
    exchanges = [
        exchange
        for ike_sa in association.ike_sas
        for exchange in (*(one.exchange for one in ike_sa.requests.outstanding), *ike_sa.queue)
    ]
    found = list(children_in((*exchanges, *offered)))
    found += [one.successor for one in (*children, *found) if one.successor is not None]
    return found


def _ike_sa(ike_sa: IkeSa, absent: frozenset[int]) -> SavedIkeSa:
    requests, responses = ike_sa.requests, ike_sa.responses
    return SavedIkeSa(
        number=ike_sa.number,
        spi_i=ike_sa.spis.spi_i,
        spi_r=ike_sa.spis.spi_r,
        original_initiator=ike_sa.spis.original_initiator,
        suite=ike_sa.suite,
        keys=ike_sa.keys,
        state=ike_sa.state.value,
        next_id=requests.next_id,
        window_size=requests.size,
        expected_id=responses.expected_id,
        answers=responses.answers,
        iv_counter=ike_sa.iv_counter,
        token=ike_sa.token,
        outstanding=tuple(
            SavedRequest(
                one.message_id,
                int(one.exchange.exchange),
                one.datagrams,
                freeze(one.exchange, absent),
                one.payloads,
                one.tries,
            )
            for one in requests.outstanding
        ),
        queue=tuple(filter(None, (freeze(one, absent) for one in ike_sa.queue))),
    )


def _child(
    child: ChildSa, demanded: frozenset[int], due: frozenset[int], now: float
) -> SavedChildSa:
    successor = child.successor
    is_named = successor is not None and successor.number not in demanded
    return SavedChildSa(
        number=child.number,
        name=child.name,
        local_ts=child.agreement.local_ts,
        remote_ts=child.agreement.remote_ts,
        inbound=child.inbound,
        outbound=child.outbound,
        state=child.state.value,
        is_inbound_installed=child.inbound_installed,
        is_outbound_installed=child.outbound_installed,
        age=now - child.created_at,
        successor=successor.number if is_named and successor is not None else 0,
        delete_sent=child.delete_sent,
        is_ours=child.is_ours,
        unwanted=child.unwanted,
        is_outbound_due=child.number in due,
    )


def _timers(association: Association, now: float) -> tuple[tuple[str, int, float], ...]:
    running = association.timers.running
    return tuple(
        (timer.value, number, due_at - now)
        for (timer, number), due_at in running
        if timer not in _NOT_KEPT
    )


_NOBODY: frozenset[int] = frozenset()
# They belong to what is under way, and start again with it.
_NOT_KEPT = frozenset({Timer.RETRANSMIT, Timer.REASSEMBLY})
