"""The Child SAs of an association: which there are, and what becomes of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ikeactors.iana import ProtocolId
from ikeactors.kernel.requests import PolicyRequest, SaRequest
from ikeactors.protocol.actions import Level, SetTraps
from ikeactors.protocol.ikev2 import following, joining, overlap, survivors, twins, wanting
from ikeactors.protocol.ikev2.child_sa import Agreement, ChildSa, ChildState
from ikeactors.protocol.ikev2.collisions import MAX_REMEMBERED
from ikeactors.protocol.ikev2.create_child_sa import CreateChildInitiator
from ikeactors.protocol.ikev2.informational import DeleteChildInitiator, DisownChildInitiator
from ikeactors.protocol.ikev2.installing import install_outbound, remove, retire
from ikeactors.protocol.ikev2.requests import Request
from ikeactors.protocol.settings import ChildSettings, DownAction
from ikeactors.protocol.timers import Timer

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association

# Ours: the end that did not ask for an expired Child SA leaves the new one to its peer for so long.
RECREATE_AFTER = 2.0
# Ours: how long a rekeyed Child SA waits for the Delete of the peer that rekeyed it: longer than
# that peer repeats its request when our answer is lost.
REKEYED_FOR = 200.0
# Ours: how long the loser of a collision has to delete what it has made. A Delete of ours that
# crosses its own does no harm.
REDUNDANT_FOR = 30.0


class Children:
    """The Child SAs of one association, by number."""

    __slots__ = ("_association", "_by_number", "early", "joined", "told", "wanted")

    def __init__(self, association: Association) -> None:
        self._association = association
        self._by_number: dict[int, ChildSa] = {}
        self.early: tuple[int, ...] | None = None
        self.joined: tuple[tuple[str, Request], ...] = ()
        self.told: tuple[str, ...] = ()
        self.wanted: dict[int, ChildSettings] = {}

    def __iter__(self) -> Iterator[ChildSa]:
        return iter(tuple(self._by_number.values()))

    def __len__(self) -> int:
        return len(self._by_number)

    def __contains__(self, child: ChildSa) -> bool:
        return self._by_number.get(child.number) is child

    def lives(self, child: ChildSa) -> bool:
        """Whether it is among ours and more than retired: what is retired only receives."""
        return child in self and child.state is not ChildState.RETIRED

    def get(self, number: int) -> ChildSa | None:
        """The Child SA of this number, or None."""
        return self._by_number.get(number)

    def by_spi_in(self, spi: int) -> ChildSa | None:
        """The Child SA that we receive with this SPI, or None."""
        return next((one for one in self._by_number.values() if one.spi_in == spi), None)

    def by_spi_out(self, spi: int) -> ChildSa | None:
        """The Child SA that the peer receives with this SPI, or None."""
        return next((one for one in self._by_number.values() if one.spi_out == spi), None)

    def by_cpi(self, cpi: int) -> ChildSa | None:
        """The Child SA for which an end receives what is compressed with this CPI, or None."""
        return next((one for one in self._by_number.values() if cpi in one.agreement.cpis), None)

    def named(self, name: str) -> list[ChildSa]:
        """The Child SAs of this name that carry traffic."""
        return [one for one in self._by_number.values() if one.name == name and one.is_up]

    def stands(self, name: str) -> bool:
        """Whether a Child SA of this name carries traffic, or is about to."""
        return bool(self.standing(name))

    def standing(self, name: str) -> list[ChildSa]:
        """The Child SAs of this name that carry traffic, or are about to."""
        named = (one for one in self._by_number.values() if one.name == name)
        return [one for one in named if one.is_up or one.state is ChildState.INSTALLING]

    def add(
        self,
        settings: ChildSettings,
        agreement: Agreement,
        sas: tuple[SaRequest, SaRequest],
        policies: tuple[PolicyRequest, ...],
    ) -> ChildSa:
        """A Child SA that is about to be installed."""
        number, now = self._association.next_number(), self._association.now
        child = self._by_number[number] = ChildSa(number, settings, agreement, sas, policies, now)
        return child

    def put_back(self, child: ChildSa) -> None:
        """After a restart: it is there."""
        self._by_number[child.number] = child

    def discard(self, child: ChildSa) -> None:
        """Forget a Child SA of which the data plane has nothing."""
        self.replacement_lost(child)
        self.stop_timers(child)
        self._association.timers.stop(Timer.CHILD_RETIRE, child.number)
        self._by_number.pop(child.number, None)
        joining.missed(self._association, child.name)

    def replaced_by(self, child: ChildSa) -> ChildSa | None:
        """The Child SA in whose place this one comes, or None."""
        return next((one for one in self._by_number.values() if one.successor is child), None)

    def superseded(self, old: ChildSa) -> None:
        """The peer has rekeyed `old`: its successor sends when the peer deletes `old`."""
        old.state = ChildState.REKEYED
        self.stop_timers(old)
        due_at = self._association.now + REKEYED_FOR
        self._association.timers.start(Timer.CHILD_EXPIRE, due_at, old.number)

    def went_on(self, old: ChildSa) -> None:
        """No successor of ours came about: the peer's is, or `old` goes on and is rekeyed later."""
        if old.state is not ChildState.REKEYING:
            return
        if old.successor is not None:
            self.superseded(old)
            return
        old.state = ChildState.INSTALLED
        self.retry_rekey(old)

    def successor_deleted(self, old: ChildSa) -> None:
        """The peer has deleted ours before it was up: `old` goes too, as if it had been later."""
        if old.state is ChildState.REKEYING and old.successor is None:
            self.delete(old, Request(None))
            if old.settings.close_action is DownAction.START:
                self.create(old.settings, Request(None))
        self.went_on(old)

    def replacement_lost(self, child: ChildSa) -> None:
        """Whatever way a successor goes: the one it was to replace goes on, or has the next."""
        old = self.replaced_by(child)
        if old is None:
            return
        following = child.successor
        old.successor = following if following is not None and self.lives(following) else None
        if old.state is ChildState.REKEYED and old.successor is None:
            self.goes_on(old)

    def goes_on(self, old: ChildSa) -> None:
        """The peer's successor of it did not come about: it is as it was, and rekeyed later."""
        old.state = ChildState.INSTALLED
        self._age(old)
        self.retry_rekey(old)

    def prevailed(self, child: ChildSa, old: ChildSa, rival: ChildSa | None) -> None:
        """Ours is in the data plane in place of `old`: what the peer has made is redundant."""
        old.successor = child
        if rival is not None and self.lives(rival):
            self.make_redundant(rival)
            child.successor = rival

    def make_redundant(self, child: ChildSa) -> None:
        """The peer deletes it; where it is late, we do, or what we have made goes instead."""
        child.state = ChildState.REDUNDANT
        self.stop_timers(child)
        due_at = self._association.now + REDUNDANT_FOR
        self._association.timers.start(Timer.CHILD_EXPIRE, due_at, child.number)

    def went_up(self, child: ChildSa, replaced: ChildSa | None = None) -> None:
        """It is in the data plane, perhaps in the place of another: from now on it ages."""
        association, settings = self._association, child.settings
        child.state = ChildState.INSTALLED
        if settings.rekey_time:
            spread = settings.rand_time * association.surroundings.fraction()
            due_at = association.now + max(settings.rekey_time - spread, settings.rekey_time / 2)
            association.timers.start(Timer.CHILD_REKEY, due_at, child.number)
        self._age(child)
        joining.settle(association, child.name)
        word = "rekeyed" if replaced is not None else "added"
        if child.name not in self.told:
            self.told = (*self.told, child.name)
            word = "up"
            following.tell_up(association, child)
        if association.outbox.hears(Level.INFO):
            self._tell(word, child, str(child.agreement))

    def _age(self, child: ChildSa) -> None:
        timers = self._association.timers
        timers.stop(Timer.CHILD_EXPIRE, child.number)
        if child.settings.life_time:
            due_at = child.created_at + child.settings.life_time
            timers.start(Timer.CHILD_EXPIRE, due_at, child.number)

    def went_down(self, child: ChildSa, reason: str) -> None:
        """Say so, once, unless another of its name carries on."""
        if child.name not in self.told or self.stands(child.name):
            return
        self.told = tuple(name for name in self.told if name != child.name)
        following.tell_down(self._association, child)
        self._tell("down", child, reason)

    def _tell(self, word: str, child: ChildSa, text: str) -> None:
        self._association.report(
            f"child-sa-{word}",
            f"Child SA {child.name} is {word}: {text}",
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
        wanting.keep_up(self._association, settings)

    def create(self, settings: ChildSettings, request: Request) -> None:
        """Negotiate a new Child SA on the IKE SA that stands."""
        self._association.ike_sa.ask(self._association, CreateChildInitiator(settings, request))

    def rekey(self, child: ChildSa, request: Request) -> None:
        """Replace a Child SA by a fresh one."""
        exchange = CreateChildInitiator(child.settings, request, child)
        self._association.ike_sa.ask(self._association, exchange)

    def retry_rekey(self, child: ChildSa) -> None:
        """Rekey later: this time it could not be."""
        due_at = self._association.now + self._association.ike_sas.wait()
        self._association.timers.start(Timer.CHILD_REKEY, due_at, child.number)

    def delete(self, child: ChildSa, request: Request, *, first: bool = False) -> None:
        """Delete one Child SA on both ends; `first` of all that waits for its turn."""
        self.ask_to_delete((child,), request, first)

    def delete_line(self, child: ChildSa, request: Request) -> None:
        """Delete a Child SA with all that it replaces, and that replaces it.

        A successor that is still being negotiated is deleted when it is there.
        """
        line = {child.number: child}
        grown = 0
        while grown != len(line):
            grown = len(line)
            for one in self:
                following = one.successor
                if following is not None and (one.number in line or following.number in line):
                    line[one.number], line[following.number] = one, following
        line |= {one.number: one for one in twins.beside(self, child) if self.lives(one)}
        for one in line.values():
            one.unwanted = True
        self.ask_to_delete(tuple(line.values()), request)

    def ask_to_delete(
        self, children: tuple[ChildSa, ...], request: Request, first: bool = False
    ) -> None:
        """Delete those of them that live on both ends, with one request."""
        chosen = tuple(one for one in children if self.lives(one))
        for one in chosen:
            one.state = ChildState.DELETING
        association = self._association
        ask = association.ike_sa.ask_first if first else association.ike_sa.ask
        ask(association, DeleteChildInitiator(chosen, request))

    def disown(self, protocol: ProtocolId, spi_in: int) -> None:
        """The peer has made a Child SA of our offer that we cannot accept."""
        self._association.ike_sa.ask(self._association, DisownChildInitiator(protocol, spi_in))

    def expect_answer(self) -> None:
        """A request for a Child SA is out: Deletes may overtake its answer."""
        self.early = self.early or ()

    def remember_deleted(self, spi_out: int) -> None:
        """The peer deletes what we do not have, or not yet."""
        if self.early is not None:
            self.early = (*self.early, spi_out)[-MAX_REMEMBERED:]

    def answer_came(self, *, is_last: bool) -> tuple[int, ...]:
        """The SPIs that the peer has deleted while we waited; forgotten with the last answer."""
        early = self.early or ()
        if is_last:
            self.early = None
        return early

    def lost(self, child: ChildSa, request: Request) -> None:
        """The peer does not have it any more: negotiate it anew (RFC 7296 section 2.25).

        One that the peer has replaced or deleted meanwhile is not missed. Where the peer has not
        deleted what this one replaces, our answer that makes it may be under way: there are peers
        who do not think of that.
        """
        if child.state is not ChildState.REKEYING:
            request.finish_part(self._association, self.fate(child))
            return
        replaced = self.replaced_by(child)
        if replaced is not None and replaced.state is ChildState.REKEYED and not child.successor:
            self.went_on(child)
            request.finish_part(self._association, "the peer does not know of it yet")
            return
        if child.successor is not None:
            self.deleted_by_peer(child)
            request.finish_part(self._association)
            return
        retire(self._association, child)
        self.went_down(child, "the peer does not have it any more")
        self.create(child.settings, request)

    def fate(self, child: ChildSa) -> str:
        """Why it could not be rekeyed; nothing where another has come in its place."""
        following = child.successor
        if following is not None and (following.is_up or following.state is ChildState.REKEYED):
            return ""
        return "it was deleted meanwhile"

    def deleted_by_peer(self, child: ChildSa) -> None:
        """The peer has let go of it: its successor, where there is one, sends from now on."""
        is_missed = child.is_up and child.settings.close_action is DownAction.START
        self.ended(child, "deleted by the peer")
        if is_missed and not self.stands(child.name):
            self.create(child.settings, Request(None))
        elif child.settings.close_action is DownAction.TRAP:
            self._association.emit(SetTraps((child.name,)))

    def ended(self, child: ChildSa, reason: str) -> None:
        """It is deleted on both ends; what comes in its place sends from now on."""
        self._hand_over(child)
        retire(self._association, child)
        self.went_down(child, reason)

    def _hand_over(self, child: ChildSa) -> None:
        successor = child.successor
        if successor is None or not self.lives(successor):
            survivors.hand_over(self._association, child)
            return
        if successor.state is ChildState.REDUNDANT:
            self.went_up(successor, child)
        if successor.is_up or successor.state is ChildState.REKEYED:
            install_outbound(self._association, successor)

    def expire(self, child: ChildSa, hard: bool) -> None:
        """Its lifetime is over: soft, it is rekeyed; hard, it goes."""
        timers = self._association.timers
        if not hard and overlap.is_held(self._association):
            timers.start(Timer.CHILD_REKEY, timers.due_at(Timer.RENEWED), child.number)
        elif not hard:
            if child.state is ChildState.INSTALLED:
                self.rekey(child, Request(None))
        elif child.is_up:
            self.delete(child, Request(None))
            if child.is_ours:
                self.create(child.settings, Request(None))
            else:
                wanting.create_later(self._association, child.settings, RECREATE_AFTER)
        elif child.state is ChildState.REDUNDANT and self.replaced_by(child) is None:
            survivors.keep(self._association, child)
        elif child.state in (ChildState.REKEYED, ChildState.REDUNDANT):
            # Whether the peer has what came in its place, the answer to the Delete says.
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
        children = tuple(self)
        for child in children:
            self.remove(child)
        for child in children:
            self.went_down(child, reason)
