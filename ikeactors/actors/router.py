"""Which association a datagram is for, and what becomes of one that is for none.

`Router.deliver` is called by the socket actor for every IKE message: it reads the header's 28
octets, looks one of our SPIs up and leaves the datagram in a mailbox, without waiting and without
an exception for any octets. What no association owns goes into a bounded queue; the router actor
asks admission about it. So a fault that a stranger could find in admission never stops messages
of those who have an association, nor the socket.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import trio

from ikeactors.actors.budgets import Budgets
from ikeactors.actors.last_answers import LastAnswers
from ikeactors.actors.mailbox import Mailbox
from ikeactors.actors.reports import ReportHub
from ikeactors.iana import ExchangeType
from ikeactors.protocol.actions import Detail, Level, Report
from ikeactors.protocol.events import Address, DatagramReceived, Endpoint

# IKE header (RFC 7296 section 3.1): SPIi, SPIr, next payload, version, exchange type, flags,
# message ID, length.
_HEADER = struct.Struct(">8s8sBBBBII")
_INITIATOR = 0x08
_RESPONSE = 0x20
_NO_SPI = bytes(8)
_IKE_SA_INIT = int(ExchangeType.IKE_SA_INIT)

# Strangers' datagrams that wait for admission: a few milliseconds of its work. The socket buffer
# behind it holds the rest of a burst, and all of them will be sent again.
STRANGERS_LIMIT = 1024
# A turn of the loop for each would cost as much as admission itself.
_STRANGERS_IN_A_TURN = 16
# Reasons of drops that are counted apart; what admission says beyond that is "other".
_REASONS_LIMIT = 64


class Refusal(Protocol):
    """Admission's no: what to answer, if anything, and why."""

    @property
    def reply(self) -> bytes | None:
        """Octets for the sender."""
        ...

    @property
    def reason(self) -> str:
        """A word to count it under."""
        ...


# Admission, with everything but the datagram and the clock bound to it: None is yes.
Consider = Callable[[DatagramReceived, float], Refusal | None]


@dataclass(frozen=True, slots=True)
class RouterStatistics:
    """What was delivered, what waits, what was dropped and why."""

    spis: int
    delivered: int
    admitted: int
    waiting: int
    dropped: tuple[tuple[str, int], ...]


class Router:
    """The tables of our SPIs, and the queue of strangers; both outlive the router actor."""

    def __init__(self, hub: ReportHub, budgets: Budgets | None = None) -> None:
        self._hub = hub
        self.budgets = budgets or Budgets()
        self._by_spi: dict[bytes, Mailbox] = {}
        self._by_request: dict[tuple[bytes, Endpoint], Mailbox] = {}
        self.last_answers = LastAnswers()
        self._strangers: deque[DatagramReceived] = deque()
        self._idle = trio.lowlevel.ParkingLot()
        self._delivered = 0
        self._admitted = 0
        self._dropped: dict[str, int] = {}

    def deliver(self, datagram: DatagramReceived) -> None:
        """Leave an IKE message where it belongs. Never waits, never raises."""
        octets = datagram.octets
        if len(octets) < _HEADER.size:
            self.dropped("short")
            return
        spi_i, spi_r, _, _, exchange, flags, _, _ = _HEADER.unpack_from(octets)
        mailbox = self._by_spi.get(spi_r if flags & _INITIATOR else spi_i)
        if mailbox is None and exchange == _IKE_SA_INIT and spi_r == _NO_SPI:
            mailbox = self._by_request.get((spi_i, datagram.remote))
        if mailbox is None:
            self._leave_for_admission(datagram)
        elif not self.budgets.allows(mailbox, trio.current_time()):
            self.dropped("over-budget")
        elif mailbox.post(datagram):
            self._delivered += 1
        else:
            self.dropped("mailbox-full")

    def register(self, spi: bytes, mailbox: Mailbox) -> None:
        """Messages to this SPI of ours go to `mailbox` from now on."""
        assert self._by_spi.get(spi, mailbox) is mailbox, "two associations chose one SPI"
        self._by_spi[spi] = mailbox

    def forget(self, spi: bytes) -> None:
        """Messages to this SPI are a stranger's again."""
        self._by_spi.pop(spi, None)

    def expect(self, spi_i: bytes, remote: Endpoint, mailbox: Mailbox) -> None:
        """Retransmissions of this IKE_SA_INIT request go to the responder made for it."""
        self._by_request[(spi_i, remote)] = mailbox

    def expect_no_more(self, spi_i: bytes, remote: Endpoint) -> None:
        """The responder made for this IKE_SA_INIT request is past it, or gone."""
        self._by_request.pop((spi_i, remote), None)

    def is_expected(self, datagram: DatagramReceived) -> bool:
        """Whether `deliver` would find an association by now: one made since it began to wait."""
        spi_i, spi_r, _, _, exchange, flags, _, _ = _HEADER.unpack_from(datagram.octets)
        if (spi_r if flags & _INITIATOR else spi_i) in self._by_spi:
            return True
        is_first = exchange == _IKE_SA_INIT and spi_r == _NO_SPI
        return is_first and (spi_i, datagram.remote) in self._by_request

    async def wait_for_stranger(self) -> None:
        """Wait until there is a datagram that no association owns; always a checkpoint."""
        if self._strangers:
            await trio.lowlevel.checkpoint()
        while not self._strangers:
            await self._idle.park()

    def next_stranger(self) -> DatagramReceived | None:
        """The oldest datagram that no association owns, if there is one."""
        return self._strangers.popleft() if self._strangers else None

    def admitted(self) -> None:
        """Count a responder association."""
        self._admitted += 1

    def dropped(self, reason: str) -> None:
        """Count a drop; told at each power of two, so that a flood is a few lines."""
        if reason not in self._dropped and len(self._dropped) >= _REASONS_LIMIT:
            reason = "other"
        count = self._dropped[reason] = self._dropped.get(reason, 0) + 1
        if count & (count - 1) == 0:
            text = f"{count} datagrams dropped so far: {reason}"
            details: dict[str, Detail] = {"reason": reason, "count": count}
            self._hub.publish(Report("datagram-dropped", text, Level.DEBUG, details=details))

    def statistics(self) -> RouterStatistics:
        """What the admin socket shows."""
        return RouterStatistics(
            len(self._by_spi),
            self._delivered,
            self._admitted,
            len(self._strangers),
            tuple(sorted(self._dropped.items())),
        )

    def _leave_for_admission(self, datagram: DatagramReceived) -> None:
        if len(self._strangers) >= STRANGERS_LIMIT:
            self.dropped("admission-full")
            return
        self._strangers.append(datagram)
        self._idle.unpark()


class Responders(Protocol):
    """Who makes responder associations, and how many of them are half open."""

    @property
    def half_open(self) -> int:
        """All of them."""
        ...

    def half_open_of(self, address: Address) -> int:
        """Those of one address."""
        ...

    def respond(self, datagram: DatagramReceived) -> None:
        """Make a responder association for this IKE_SA_INIT request."""
        ...


Send = Callable[[bytes, Endpoint, Endpoint], object]


async def run_router(
    router: Router, consider: Consider, responders: Responders, send: Send
) -> None:
    """Ask admission about strangers, one after the other."""
    while True:
        await router.wait_for_stranger()
        for _ in range(_STRANGERS_IN_A_TURN):
            datagram = router.next_stranger()
            if datagram is None:
                break
            _admit(datagram, router, consider, responders, send)


def _admit(
    datagram: DatagramReceived,
    router: Router,
    consider: Consider,
    responders: Responders,
    send: Send,
) -> None:
    if router.is_expected(datagram):
        router.deliver(datagram)
        return
    now = trio.current_time()
    again = router.last_answers.again(datagram, now)
    if again is not None:
        send(again, datagram.local, datagram.remote)
        return
    refusal = consider(datagram, now)
    if refusal is None:
        router.admitted()
        responders.respond(datagram)
        return
    router.dropped(refusal.reason)
    if refusal.reply is not None:
        send(refusal.reply, datagram.local, datagram.remote)
