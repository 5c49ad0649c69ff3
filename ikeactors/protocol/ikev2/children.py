"""The Child SAs of an association: which there are, and what becomes of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ikeactors.iana import ProtocolId
from ikeactors.kernel.requests import PolicyRequest, SaRequest
from ikeactors.protocol.actions import Level
from ikeactors.protocol.ikev2.child_sa import Agreement, ChildSa, ChildState
from ikeactors.protocol.ikev2.create_child_sa import CreateChildInitiator
from ikeactors.protocol.ikev2.informational import DeleteChildInitiator, DisownChildInitiator
from ikeactors.protocol.ikev2.installing import install_outbound, remove, retire
from ikeactors.protocol.ikev2.requests import Request
from ikeactors.protocol.settings import ChildSettings, DownAction
from ikeactors.protocol.timers import Timer

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association

# Ours: how long a rekeying that failed for the moment waits before it is tried again, spread so
# that two ends of the same configuration do not meet again (RFC 7296 section 2.25).
RETRY_AFTER = 5.0
RETRY_SPREAD = 10.0


class Children:
    """The Child SAs of one association, by number."""

    __slots__ = ("_association", "_by_number", "_replaced_by")

    def __init__(self, association: Association) -> None:
        self._association = association
        self._by_number: dict[int, ChildSa] = {}
        self._replaced_by: dict[int, int] = {}

    def __iter__(self) -> Iterator[ChildSa]:
        return iter(tuple(self._by_number.values()))

    def __len__(self) -> int:
        return len(self._by_number)

    def __contains__(self, child: ChildSa) -> bool:
        return self._by_number.get(child.number) is child

    def get(self, number: int) -> ChildSa | None:
        """The Child SA of this number, or None."""
        return self._by_number.get(number)

    def by_spi_in(self, spi: int) -> ChildSa | None:
        """The Child SA that we receive with this SPI, or None."""
        return next((one for one in self._by_number.values() if one.spi_in == spi), None)

    def by_spi_out(self, spi: int) -> ChildSa | None:
        """The Child SA that the peer receives with this SPI, or None."""
        return next((one for one in self._by_number.values() if one.spi_out == spi), None)

    def named(self, name: str) -> list[ChildSa]:
        """The Child SAs of this name that carry traffic."""
        return [one for one in self._by_number.values() if one.name == name and one.is_up]

    def add(
        self,
        settings: ChildSettings,
        agreement: Agreement,
        sas: tuple[SaRequest, SaRequest],
        policies: tuple[PolicyRequest, ...],
    ) -> ChildSa:
        """A Child SA that is about to be installed."""
        number = self._association.next_number()
        child = ChildSa(number, settings, agreement, sas, policies, self._association.now)
        self._by_number[number] = child
        return child

    def discard(self, child: ChildSa) -> None:
        """Forget a Child SA of which the data plane has nothing."""
        self._by_number.pop(child.number, None)
        self._replaced_by.pop(child.number, None)

    def replace(self, old: ChildSa, new: ChildSa) -> None:
        """The peer has rekeyed `old`: `new` sends when the peer deletes `old`."""
        self._replaced_by[old.number] = new.number

    def replaced_by(self, child: ChildSa) -> ChildSa | None:
        """The Child SA in whose place this one comes, or None."""
        for old_number, new_number in self._replaced_by.items():
            if new_number == child.number:
                return self._by_number.get(old_number)
        return None

    def replacement_lost(self, child: ChildSa) -> None:
        """A data plane refused the successor, ours or the peer's: the old one goes on."""
        old = self.replaced_by(child)
        if old is not None:
            del self._replaced_by[old.number]
            if old.state is ChildState.REKEYED:
                old.state = ChildState.INSTALLED

    def went_up(self, child: ChildSa, replaced: ChildSa | None = None) -> None:
        """It is in the data plane, perhaps in the place of another: from now on it ages."""
        association, settings = self._association, child.settings
        child.state = ChildState.INSTALLED
        if settings.rekey_time:
            spread = settings.rand_time * association.surroundings.fraction()
            due_at = association.now + max(settings.rekey_time - spread, settings.rekey_time / 2)
            association.timers.start(Timer.CHILD_REKEY, due_at, child.number)
        if settings.life_time:
            due_at = association.now + settings.life_time
            association.timers.start(Timer.CHILD_EXPIRE, due_at, child.number)
        agreement = child.agreement
        word = "up" if replaced is None else "rekeyed"
        association.report(
            f"child-sa-{word}",
            f"Child SA {child.name} is {word}: "
            f"{', '.join(map(str, agreement.local_ts))} === "
            f"{', '.join(map(str, agreement.remote_ts))}, {agreement.suite}",
            child=child.name,
            number=child.number,
            spi_in=f"{child.spi_in:08x}",
            spi_out=f"{child.spi_out:08x}",
        )

    def went_down(self, child: ChildSa, reason: str) -> None:
        """Say so, once, unless its successor has taken its place."""
        if child.state in (ChildState.RETIRED, ChildState.REKEYED) or not child.inbound_installed:
            return
        self._association.report(
            "child-sa-down",
            f"Child SA {child.name} is down: {reason}",
            child=child.name,
            number=child.number,
            spi_in=f"{child.spi_in:08x}",
            spi_out=f"{child.spi_out:08x}",
        )

    def failed(self, settings: ChildSettings, reason: str, request: Request) -> None:
        """A Child SA did not come about."""
        text = f"Child SA {settings.name} failed: {reason}"
        self._association.report("child-sa-failed", text, Level.WARNING, child=settings.name)
        request.finish_part(self._association, text)

    def create(self, settings: ChildSettings, request: Request) -> None:
        """Negotiate a new Child SA on the IKE SA that stands."""
        exchange = CreateChildInitiator(settings, request)
        self._association.ike_sa.ask(self._association, exchange)

    def rekey(self, child: ChildSa, request: Request) -> None:
        """Replace a Child SA by a fresh one."""
        exchange = CreateChildInitiator(child.settings, request, child)
        self._association.ike_sa.ask(self._association, exchange)

    def retry_rekey(self, child: ChildSa) -> None:
        """Rekey later: this time it could not be."""
        delay = RETRY_AFTER + RETRY_SPREAD * self._association.surroundings.fraction()
        due_at = self._association.now + delay
        self._association.timers.start(Timer.CHILD_REKEY, due_at, child.number)

    def delete(self, child: ChildSa, request: Request) -> None:
        """Delete a Child SA on both ends."""
        exchange = DeleteChildInitiator(child, request)
        self._association.ike_sa.ask(self._association, exchange)

    def disown(self, protocol: ProtocolId, spi_in: int) -> None:
        """The peer has made a Child SA of our offer that we cannot accept."""
        exchange = DisownChildInitiator(protocol, spi_in)
        self._association.ike_sa.ask(self._association, exchange)

    def lost(self, child: ChildSa, request: Request) -> None:
        """The peer does not have it any more: negotiate it anew (RFC 7296 section 2.25).

        One that the peer has deleted meanwhile is not missed.
        """
        if child.state is ChildState.RETIRED:
            request.finish_part(self._association, "the peer has deleted it")
            return
        self.went_down(child, "the peer does not have it any more")
        retire(self._association, child)
        self.create(child.settings, request)

    def deleted_by_peer(self, child: ChildSa) -> None:
        """The peer has let go of it: its successor, where there is one, sends from now on."""
        association = self._association
        successor = self._hand_over(child)
        was_up = child.is_up
        self.replacement_lost(child)
        self.went_down(child, "deleted by the peer")
        retire(association, child)
        if was_up and successor is None and child.settings.close_action is DownAction.START:
            self.create(child.settings, Request(None))

    def _hand_over(self, child: ChildSa) -> ChildSa | None:
        """The successor that the peer has made of it, if there is one, sends from now on."""
        successor = self._by_number.get(self._replaced_by.pop(child.number, -1))
        if successor is not None and successor.state is not ChildState.RETIRED:
            install_outbound(self._association, successor)
        return successor

    def expire(self, child: ChildSa, hard: bool) -> None:
        """Its lifetime is over: soft, it is rekeyed; hard, it goes."""
        if not hard:
            if child.state is ChildState.INSTALLED:
                self.rekey(child, Request(None))
            return
        if child.is_up:
            self.delete(child, Request(None))
            self.create(child.settings, Request(None))
        elif child.number in self._replaced_by:
            self._hand_over(child)
            self.delete(child, Request(None))

    def stop_timers(self, child: ChildSa) -> None:
        """It is to be neither rekeyed nor expired any more."""
        for timer in (Timer.CHILD_REKEY, Timer.CHILD_EXPIRE):
            self._association.timers.stop(timer, child.number)

    def remove(self, child: ChildSa) -> None:
        """Take it out of the data plane and forget it."""
        remove(self._association, child)

    def remove_all(self, reason: str) -> None:
        """The IKE SA is gone, and all of them with it."""
        for child in self:
            if child.state is not ChildState.INSTALLING:
                self.went_down(child, reason)
            self.remove(child)
