"""The commands that only look."""

from __future__ import annotations

import fnmatch
import platform
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import trio

import ikeactors
from ikeactors.actors.reports import Published, SubscriberTooSlow
from ikeactors.admin.arguments import LevelWord, Names, Nothing, Number, Text
from ikeactors.admin.conversation import Conversation, Numbered
from ikeactors.admin.differences import comparison_facts, difference_facts
from ikeactors.admin.facts import (
    Facts,
    connection_facts,
    plain,
    report_facts,
    tunnel_facts,
)
from ikeactors.admin.targets import find_connection, find_target
from ikeactors.admin.vocabulary import VERSION, ErrorCode, RequestRefused
from ikeactors.kernel.requests import KernelRefusal
from ikeactors.protocol.actions import Level
from ikeactors.protocol.settings import ConnectionSettings
from ikeactors.protocol.snapshot import AssociationSnapshot

SUBSCRIPTION_ENDED = "subscription-ended"


@dataclass(frozen=True, slots=True)
class OfConnection:
    """One connection, or all."""

    connection: Text = ""


@dataclass(frozen=True, slots=True)
class Events:
    """Which events: names may be patterns, as "ike-sa-*"; what is left out matches all."""

    names: Names = ()
    connection: Text = ""
    association: Number = 0
    level: LevelWord = Level.DEBUG

    def match(self, published: Published) -> bool:
        """Whether this event is wanted."""
        report = published.report
        return (
            report.level >= self.level
            and self.connection in ("", report.connection)
            and self.association in (0, published.association)
            and self._names_match(report.name)
        )

    def _names_match(self, name: str) -> bool:
        return not self.names or any(fnmatch.fnmatchcase(name, one) for one in self.names)


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Which subscription is to end."""

    subscription: Number


async def version(conversation: Conversation, arguments: Nothing) -> Facts:
    """Who we are, and which versions of this protocol we speak."""
    return {
        "daemon": "ikeactors",
        "version": ikeactors.__version__,
        "protocol_versions": [VERSION],
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
    }


async def status(conversation: Conversation, arguments: OfConnection) -> Facts:
    """The daemon, and every tunnel that is or should be."""
    surroundings = conversation.surroundings
    name = arguments.connection
    target = find_target(surroundings.settings(), name) if name else None
    chosen = (target.connection,) if target else surroundings.settings().connections
    numbered = conversation.numbered(target.connection.name if target else "")
    if target and target.child is not None:
        chosen, numbered = _only(target.child, chosen, numbered)
    await conversation.stream("tunnels", _tunnels(conversation, chosen, numbered))
    await conversation.stream_sas(numbered)
    now = surroundings.monotonic()
    return {
        "version": ikeactors.__version__,
        "pid": surroundings.pid,
        "uptime": now - surroundings.started_at,
        "kernel": surroundings.kernel,
        "kernel_reason": surroundings.kernel_reason,
        "connections": len(surroundings.settings().connections),
        "ike_sas": dict(Counter(one.state.upper() for _, one in numbered)),
        "child_sas": sum(len(one.children) for _, one in numbered),
        "log_levels": _levels(conversation),
        "statistics": plain(surroundings.statistics()),
    }


async def list_conns(conversation: Conversation, arguments: OfConnection) -> Facts:
    """The connections as configured."""
    chosen = _chosen(conversation, arguments.connection)
    await conversation.stream("conns", map(connection_facts, chosen))
    return {"count": len(chosen)}


async def list_sas(conversation: Conversation, arguments: OfConnection) -> Facts:
    """The IKE SAs and their Child SAs."""
    if arguments.connection:
        find_connection(conversation.surroundings.settings(), arguments.connection)
    numbered = conversation.numbered(arguments.connection)
    await conversation.stream_sas(numbered)
    return {"count": len(numbered)}


async def kernel(conversation: Conversation, arguments: Nothing) -> Facts:
    """What the data plane holds against what it should hold: looked at now, mended soon."""
    surroundings = conversation.surroundings
    try:
        comparison = await surroundings.compare()
    except KernelRefusal as refusal:
        raise RequestRefused(ErrorCode.FAILED, str(refusal)) from refusal
    await conversation.stream("differences", difference_facts(comparison.difference))
    return {
        "kernel": surroundings.kernel,
        "kernel_reason": surroundings.kernel_reason,
        **comparison_facts(comparison),
        "statistics": plain(surroundings.statistics().get("reconciler")),
    }


async def statistics(conversation: Conversation, arguments: Nothing) -> Facts:
    """What every actor counts."""
    return {name: plain(one) for name, one in conversation.surroundings.statistics().items()}


async def events(conversation: Conversation, arguments: Events) -> Facts:
    """Begin a subscription: its events follow until it is ended, or the client goes."""
    if arguments.connection:
        find_connection(conversation.surroundings.settings(), arguments.connection)
    number = conversation.request_id
    if number in conversation.subscriptions:
        raise RequestRefused(ErrorCode.INVALID_ARGUMENT, f"subscription {number} is there already")
    result: Facts = {"subscription": number}
    with (
        conversation.surroundings.hub.subscribe() as reports,
        trio.CancelScope() as scope,
    ):
        conversation.subscriptions[number] = scope
        conversation.finish(result)
        try:
            async for published in reports:
                if arguments.match(published):
                    conversation.event(number, report_facts(published))
        except SubscriberTooSlow as fault:
            conversation.event(number, {"name": SUBSCRIPTION_ENDED, "text": str(fault)})
        finally:
            del conversation.subscriptions[number]
    return result


async def unsubscribe(conversation: Conversation, arguments: Unsubscribe) -> Facts:
    """End a subscription of this client."""
    scope = conversation.subscriptions.get(arguments.subscription)
    if scope is None:
        text = f"no subscription {arguments.subscription} on this connection"
        raise RequestRefused(ErrorCode.NOT_FOUND, text)
    scope.cancel()
    return {"subscription": arguments.subscription}


def _only(
    name: str, connections: Sequence[ConnectionSettings], numbered: Sequence[Numbered]
) -> tuple[tuple[ConnectionSettings, ...], list[Numbered]]:
    """Connections and associations as if they had no other child than this."""
    named = tuple(
        replace(one, children=tuple(child for child in one.children if child.name == name))
        for one in connections
    )
    snapshots = [
        (number, replace(one, children=tuple(sa for sa in one.children if sa.name == name)))
        for number, one in numbered
    ]
    return named, snapshots


def _tunnels(
    conversation: Conversation, chosen: Iterable[ConnectionSettings], numbered: list[Numbered]
) -> Iterator[Facts]:
    snapshots: dict[str, list[AssociationSnapshot]] = defaultdict(list)
    for _, snapshot in numbered:
        snapshots[snapshot.connection].append(snapshot)
    failures = conversation.surroundings.failures()
    for one in chosen:
        yield tunnel_facts(one, snapshots[one.name], failures.get(one.name, ""))


def _chosen(conversation: Conversation, name: str) -> tuple[ConnectionSettings, ...]:
    settings = conversation.surroundings.settings()
    return (find_connection(settings, name),) if name else settings.connections


def _levels(conversation: Conversation) -> Facts:
    table = conversation.surroundings.levels.table()
    return {name or "*": one.name.lower() for name, one in table.items()}
