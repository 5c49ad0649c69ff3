"""The commands that do something: up, down, rekey, log-level, install, uninstall, stop."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import trio

from ikeactors.actors.reports import Published, SubscriberTooSlow, Subscription, Ticket
from ikeactors.admin.arguments import Flag, LevelOrDefault, Name, Nothing, Spi, Text, Timeout
from ikeactors.admin.conversation import Conversation
from ikeactors.admin.facts import Facts, plain, report_facts
from ikeactors.admin.targets import Target, find_connection, find_target
from ikeactors.admin.vocabulary import ErrorCode, RequestRefused
from ikeactors.errors import Fault
from ikeactors.protocol.actions import AnswerRequest
from ikeactors.protocol.events import DeletionRequested, Event, RekeyRequested

# Longer than two retransmissions of a first request, shorter than an operator's patience.
DEFAULT_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class Up:
    """What to bring up, and how long to wait for it."""

    name: Name
    timeout: Timeout = DEFAULT_TIMEOUT


@dataclass(frozen=True, slots=True)
class Down:
    """What to take down: a connection, a child, or one Child SA by its inbound SPI."""

    name: Name
    spi: Spi = None
    timeout: Timeout = DEFAULT_TIMEOUT


@dataclass(frozen=True, slots=True)
class Rekey:
    """What to rekey: the Child SAs, or with `ike` the IKE SA; `reauth` makes a new one of it."""

    name: Name
    ike: Flag = False
    reauth: Flag = False
    spi: Spi = None
    timeout: Timeout = DEFAULT_TIMEOUT


@dataclass(frozen=True, slots=True)
class Policies:
    """Whose policies without a Child SA: a connection's, or a child's."""

    name: Name


@dataclass(frozen=True, slots=True)
class LogLevel:
    """How much to log, of one connection or of all; "default" takes a connection's own away."""

    level: LevelOrDefault
    connection: Text = ""


@dataclass(frozen=True, slots=True)
class Stop:
    """How to end: with `flush` what is established is not left to the next daemon."""

    flush: Flag = False


async def up(conversation: Conversation, arguments: Up) -> Facts:
    """Bring up a connection's children, or one, telling on the way what happens."""
    target = find_target(conversation.surroundings.settings(), arguments.name)
    children = () if target.child is None else (target.child,)

    def initiate(request_id: int) -> int:
        try:
            return conversation.surroundings.peers.initiate(
                target.connection.name, children, request_id
            )
        except LookupError as missing:
            raise RequestRefused(ErrorCode.NOT_FOUND, _sentence(missing)) from missing
        except ValueError as mistake:
            key = f"connections.{target.connection.name}.remote_addrs"
            text = f"{key}: {_sentence(mistake)}"
            raise RequestRefused(ErrorCode.INVALID_ARGUMENT, text) from mistake

    followed = Followed(conversation, f"{target} is not up", arguments.timeout)
    return await followed.run([initiate])


async def down(conversation: Conversation, arguments: Down) -> Facts:
    """Delete an IKE SA, or some of its Child SAs."""
    target = find_target(conversation.surroundings.settings(), arguments.name)
    numbers = _numbers_of(conversation, target)
    if arguments.spi is None:
        _check_child_is_up(conversation, target)

    def deletion(number: int) -> Callable[[int], int]:
        def delete(request_id: int) -> int:
            event = DeletionRequested(_child(target, arguments.spi), arguments.spi, request_id)
            return _sent(conversation, number, event)

        return delete

    followed = Followed(conversation, f"{target} is not down", arguments.timeout)
    return await followed.run([deletion(number) for number in numbers])


async def rekey(conversation: Conversation, arguments: Rekey) -> Facts:
    """Rekey an IKE SA, or some of its Child SAs."""
    target = find_target(conversation.surroundings.settings(), arguments.name)
    for name, is_given in (("ike", arguments.ike), ("reauth", arguments.reauth)):
        if is_given and (target.child is not None or arguments.spi is not None):
            raise RequestRefused(
                ErrorCode.INVALID_ARGUMENT, f"{name}: an IKE SA is named by its connection alone"
            )
    wanted = [
        (number, child)
        for number in _numbers_of(conversation, target)
        for child in _children_to_rekey(conversation, number, target, arguments)
    ]
    if not wanted:
        raise RequestRefused(ErrorCode.NOT_FOUND, f"{target} has no Child SA to rekey")

    def rekeying(number: int, child: str | None) -> Callable[[int], int]:
        def request(request_id: int) -> int:
            event = RekeyRequested(child, arguments.spi, request_id, arguments.reauth)
            return _sent(conversation, number, event)

        return request

    if arguments.reauth:
        # Another association comes, and is told of too.
        followed = Followed(
            conversation,
            f"{target} is not reauthenticated",
            arguments.timeout,
            target.connection.name,
        )
    else:
        followed = Followed(conversation, f"{target} is not rekeyed", arguments.timeout)
    return await followed.run([rekeying(number, child) for number, child in wanted])


async def log_level(conversation: Conversation, arguments: LogLevel) -> Facts:
    """Change how much is logged, from now on and until the daemon ends."""
    levels = conversation.surroundings.levels
    if arguments.connection:
        find_connection(conversation.surroundings.settings(), arguments.connection)
    elif arguments.level is None:
        raise RequestRefused(ErrorCode.INVALID_ARGUMENT, "level: only a connection has a default")
    levels.change(arguments.level, arguments.connection)
    return {one or "*": level.name.lower() for one, level in levels.table().items()}


async def reload_creds(conversation: Conversation, arguments: Nothing) -> Facts:
    """Read keys, certificates, CRLs and secrets again."""
    try:
        return {"text": await conversation.surroundings.reload()}
    except Fault as fault:
        raise RequestRefused(ErrorCode.FAILED, str(fault)) from fault


async def install(conversation: Conversation, arguments: Policies) -> Facts:
    """Have the next packet bring children up; put shunts in force again."""
    surroundings = conversation.surroundings
    target = find_target(surroundings.settings(), arguments.name, with_shunts=True)
    return {"installed": list(await surroundings.standing.install(target.connection, target.child))}


async def uninstall(conversation: Conversation, arguments: Policies) -> Facts:
    """Take traps and shunts out of force; Child SAs stay."""
    surroundings = conversation.surroundings
    target = find_target(surroundings.settings(), arguments.name, with_shunts=True)
    gone = await surroundings.standing.uninstall(target.connection, target.child)
    return {"uninstalled": list(gone)}


async def stop(conversation: Conversation, arguments: Stop) -> Facts:
    """End the daemon; its answer only says that it has begun to."""
    result: Facts = {"stopping": True}
    conversation.finish(result)
    conversation.surroundings.stop(arguments.flush)
    return result


class Followed:
    """What associations are asked to do, followed to its end or until patience ends.

    With a connection named, all associations of it are followed.
    """

    def __init__(
        self, conversation: Conversation, not_done: str, timeout: float, connection: str = ""
    ) -> None:
        self._conversation = conversation
        self._not_done = not_done
        self._timeout = timeout or math.inf
        self._numbers: set[int] = set()
        self._connection = connection
        self._last = ""

    async def run(self, requests: Sequence[Callable[[int], int]]) -> Facts:
        """Make every request, each with its id, tell what happens, and return what came of it."""
        surroundings = self._conversation.surroundings
        with ExitStack() as stack:
            reports = stack.enter_context(surroundings.hub.subscribe())
            tickets: list[Ticket] = []
            for request in requests:
                request_id = next(surroundings.request_ids)
                tickets.append(surroundings.answers.expect(request_id))
                stack.callback(surroundings.answers.forget, request_id)
                self._numbers.add(request(request_id))
            answers = await self._awaited(reports, tickets)
        failed = next((answer for answer in answers if not answer.succeeded), None)
        if failed is not None:
            details = {key: plain(value) for key, value in failed.details.items()}
            raise RequestRefused(ErrorCode.FAILED, failed.text or self._not_done, details)
        return await self._result(answers)

    async def _awaited(
        self, reports: Subscription, tickets: Sequence[Ticket]
    ) -> list[AnswerRequest]:
        answers: list[AnswerRequest] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._tell, reports)
            with trio.move_on_after(self._timeout):
                for ticket in tickets:
                    answers.append(await ticket())
            # What was reported before the end is still told.
            reports.close()
        if len(answers) < len(tickets):
            raise RequestRefused(ErrorCode.TIMEOUT, self._timed_out())
        return answers

    async def _tell(self, reports: Subscription) -> None:
        try:
            async for published in reports:
                if self._is_followed(published):
                    self._last = published.report.text
                    self._conversation.progress(report_facts(published))
        except SubscriberTooSlow:
            return

    def _is_followed(self, published: Published) -> bool:
        if published.association in self._numbers:
            return True
        return bool(self._connection) and published.report.connection == self._connection

    def _timed_out(self) -> str:
        text = f"{self._not_done} after {self._timeout:g} seconds; the daemon goes on trying."
        return f"{text} The last that happened: {self._last}" if self._last else text

    async def _result(self, answers: Sequence[AnswerRequest]) -> Facts:
        if self._connection:
            self._numbers.update(self._conversation.surroundings.peers.numbers_of(self._connection))
        numbered = [one for one in self._conversation.numbered() if one[0] in self._numbers]
        return {
            "associations": sorted(self._numbers),
            "text": " ".join(answer.text for answer in answers if answer.text),
            "sas": await self._conversation.described(numbered),
        }


def _sent(conversation: Conversation, number: int, event: Event) -> int:
    try:
        conversation.surroundings.peers.send(number, event)
    except LookupError as gone:
        raise RequestRefused(ErrorCode.NOT_FOUND, _sentence(gone)) from gone
    return number


def _child(target: Target, spi: int | None) -> str | None:
    return target.child if spi is None else None


def _numbers_of(conversation: Conversation, target: Target) -> list[int]:
    numbers = conversation.surroundings.peers.numbers_of(target.connection.name)
    if not numbers:
        raise RequestRefused(ErrorCode.NOT_FOUND, f"{target} is not up")
    return numbers


def _check_child_is_up(conversation: Conversation, target: Target) -> None:
    """While an IKE SA is still coming up, a child's name cancels it."""
    snapshots = [one for _, one in conversation.numbered(target.connection.name)]
    is_settled = snapshots and all(one.state == "established" for one in snapshots)
    there = {child.name for one in snapshots for child in one.children}
    if target.child is not None and is_settled and target.child not in there:
        raise RequestRefused(ErrorCode.NOT_FOUND, f"{target} is not up")


def _children_to_rekey(
    conversation: Conversation, number: int, target: Target, arguments: Rekey
) -> list[str | None]:
    """The names of the children to rekey on this association; None is for the IKE SA or an SPI."""
    if arguments.ike or arguments.reauth or arguments.spi is not None:
        return [None]
    if target.child is not None:
        return [target.child]
    names: list[str | None] = []
    for own, snapshot in conversation.numbered(target.connection.name):
        if own == number:
            names += dict.fromkeys(child.name for child in snapshot.children)
    return names


def _sentence(fault: LookupError | ValueError) -> str:
    """The text of a fault; a KeyError would quote it."""
    return str(fault.args[0]) if fault.args else type(fault).__name__
