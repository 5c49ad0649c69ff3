"""The IKE SAs of an association: the one that stands, and the former ones on their way out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ikeactors.protocol.actions import ForgetSpi, RecordIkeKeys, RegisterSpi
from ikeactors.protocol.ikev2 import lifetimes, succession
from ikeactors.protocol.ikev2.collisions import FRESH_PATIENCE, RivalIkeSa
from ikeactors.protocol.ikev2.ike_sa import IkeSa, IkeSaState
from ikeactors.protocol.ikev2.informational import DeleteIkeInitiator
from ikeactors.protocol.ikev2.requests import Request
from ikeactors.protocol.timers import Timer

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association

# Ours: how long a deleted former IKE SA goes on answering the peer's repeated Delete.
FORGOTTEN_AFTER = 10.0
# Ours: how long a former IKE SA waits for the Delete of the peer that rekeyed it: longer than
# that peer repeats its request when our answer is lost.
RETIRED_FOR = 200.0


class IkeSas:
    """The IKE SAs of one association, by our SPI."""

    __slots__ = ("_association", "_by_spi", "_current", "is_replacing", "patience", "rival")

    def __init__(self, association: Association) -> None:
        self._association = association
        self._by_spi: dict[bytes, IkeSa] = {}
        self._current: IkeSa | None = None
        self.patience = FRESH_PATIENCE
        self.is_replacing = False
        self.rival: RivalIkeSa | None = None

    @property
    def current(self) -> IkeSa:
        """The IKE SA that stands; there must be one."""
        assert self._current is not None
        return self._current

    @property
    def exists(self) -> bool:
        """Whether there are keys yet."""
        return self._current is not None

    def __iter__(self) -> Iterator[IkeSa]:
        return iter(tuple(self._by_spi.values()))

    def put_back(self, ike_sas: tuple[IkeSa, ...], current: int) -> None:
        """After a restart: these are there, and the one of this number stands."""
        self._by_spi = {one.spis.ours: one for one in ike_sas}
        self._current = self.numbered(current)

    def known_to_peer(self) -> tuple[IkeSa, ...]:
        """The one that stands, and before it those that the peer has rekeyed and not deleted.

        It may not have our answer to that, and then it knows nothing of the one that stands.
        """
        rival = None if self.rival is None else self.rival.ike_sa
        former = (one for one in self if one.state is IkeSaState.REKEYED)
        return (*(one for one in former if one not in (self._current, rival)), self.current)

    def find(self, spi: bytes) -> IkeSa | None:
        """The IKE SA that has this SPI of ours, or None."""
        return self._by_spi.get(spi)

    def serve_held(self) -> None:
        """Requests that came too early have their turn when the one before is answered."""
        for ike_sa in tuple(self._by_spi.values()):
            ike_sa.serve_held(self._association)

    def numbered(self, number: int) -> IkeSa | None:
        """The IKE SA of this number, or None."""
        return next((one for one in self._by_spi.values() if one.number == number), None)

    def add(self, ike_sa: IkeSa, *, register: bool) -> None:
        """This one stands from now on."""
        self._current = ike_sa
        self._keep(ike_sa, register=register)

    def _keep(self, ike_sa: IkeSa, *, register: bool) -> None:
        association = self._association
        self._by_spi[ike_sa.spis.ours] = ike_sa
        if register:
            association.emit(RegisterSpi(ike_sa.spis.ours))
        if association.settings.record_keys:
            keys = ike_sa.keys
            association.emit(
                RecordIkeKeys(
                    ike_sa.spis.spi_i,
                    ike_sa.spis.spi_r,
                    ike_sa.suite,
                    keys.sk_ei,
                    keys.sk_er,
                    keys.sk_ai,
                    keys.sk_ar,
                )
            )

    def succeed(self, old: IkeSa, new: IkeSa) -> None:
        """The new IKE SA takes over; what waited on the old one goes on there.

        Where the old one is to be deleted by an operator's wish, the new one inherits it.
        """
        association = self._association
        is_unwanted = old.state is IkeSaState.DELETING
        old.state = IkeSaState.REKEYED
        new.state = IkeSaState.DELETING if is_unwanted else IkeSaState.ESTABLISHED
        self.patience = FRESH_PATIENCE
        self.add(new, register=new.spis.ours not in self._by_spi)
        association.timers.stop(Timer.IKE_RETIRE, new.number)
        new.queue.extend(old.queue)
        old.queue.clear()
        association.timers.start(Timer.IKE_RETIRE, association.now + RETIRED_FOR, old.number)
        lifetimes.begin(association)
        association.report(
            "ike-sa-rekeyed",
            f"the IKE SA is rekeyed: {new.suite}",
            spi_i=new.spis.spi_i.hex(),
            spi_r=new.spis.spi_r.hex(),
        )
        succession.announce(association, new)
        new.send_next(association)

    # Both ends rekey at once (RFC 7296 section 2.8.2).

    def set_aside(self, rival: RivalIkeSa) -> None:
        """What the peer's exchange has made waits until the nonces of ours are known."""
        self.rival = rival
        self._keep_redundant(rival.ike_sa)

    def take_rival(self) -> RivalIkeSa | None:
        """What the peer's exchange has made, unless the peer has deleted it meanwhile."""
        rival, self.rival = self.rival, None
        return rival

    def drop_rival(self, ike_sa: IkeSa) -> None:
        """The peer has deleted what its exchange has made: it knows that it is redundant."""
        if self.rival is not None and self.rival.ike_sa is ike_sa:
            self.rival = None

    def inherit(self, old: IkeSa) -> bool:
        """The peer deletes `old`: its own successor takes over, and we forget about ours."""
        rival = self.take_rival()
        if rival is None:
            return False
        self.succeed(old, rival.ike_sa)
        old.abandon(self._association, "the peer has rekeyed the IKE SA")
        return True

    def delete_redundant(self, ike_sa: IkeSa) -> None:
        """Ours has the lowest nonce: delete it."""
        self._keep_redundant(ike_sa)
        self.delete_former(ike_sa)

    def _keep_redundant(self, ike_sa: IkeSa) -> None:
        ike_sa.state = IkeSaState.REKEYED
        self._keep(ike_sa, register=True)
        due_at = self._association.now + RETIRED_FOR
        self._association.timers.start(Timer.IKE_RETIRE, due_at, ike_sa.number)

    def delete_former(self, old: IkeSa) -> None:
        """Delete the IKE SA that we have rekeyed."""
        old.state = IkeSaState.DELETING
        old.ask(self._association, DeleteIkeInitiator("rekeyed", Request(None)))

    def forget(self, old: IkeSa) -> None:
        """A former IKE SA is gone on both ends."""
        association = self._association
        self.drop_rival(old)
        association.timers.stop(Timer.IKE_RETIRE, old.number)
        old.abandon(association, "the IKE SA was rekeyed")
        if self._by_spi.pop(old.spis.ours, None) is not None:
            association.emit(ForgetSpi(old.spis.ours))

    def forget_later(self, old: IkeSa) -> None:
        """The peer has deleted a former IKE SA: keep the answer for when it asks again."""
        association = self._association
        association.timers.start(Timer.IKE_RETIRE, association.now + FORGOTTEN_AFTER, old.number)

    # TEMPORARY_FAILURE (RFC 7296 section 2.25).

    def put_off(self) -> None:
        """The peer cannot now; when it cannot for minutes, the two ends are out of step."""
        association = self._association
        self.patience = self.patience.tried(association.now)
        if self.patience.is_over(association.now):
            reason = "the peer has answered TEMPORARY_FAILURE for minutes"
            association.delete_ike_sa(reason, Request(None))

    def succeeded(self) -> None:
        """The peer serves our requests."""
        self.patience = FRESH_PATIENCE

    def wait(self) -> float:
        """How long until what could not be is tried again."""
        return self.patience.wait(self._association.surroundings.fraction())

    def retry_rekey(self) -> None:
        """Rekey later: this time it could not be."""
        association = self._association
        association.timers.start(Timer.IKE_REKEY, association.now + self.wait())

    def outlive(self, ike_sa: IkeSa | None) -> bool:
        """Whether what has ended with this former one can go on with another."""
        return ike_sa is not None and self._association.established and ike_sa is not self._current

    def abandon_all(self, reason: str) -> None:
        """The association ends: nothing that is under way will be answered."""
        association = self._association
        for ike_sa in tuple(self._by_spi.values()):
            ike_sa.abandon(association, reason)
            association.emit(ForgetSpi(ike_sa.spis.ours))
        self._by_spi.clear()
        self.rival = None
