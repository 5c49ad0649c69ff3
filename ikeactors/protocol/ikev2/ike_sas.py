"""The IKE SAs of an association: the one that stands, and the former ones on their way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikeactors.protocol.actions import ForgetSpi, RecordIkeKeys, RegisterSpi
from ikeactors.protocol.ikev2 import lifetimes
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
# Ours: as for Child SAs.
RETRY_AFTER = 10.0
RETRY_SPREAD = 20.0


class IkeSas:
    """The IKE SAs of one association, by our SPI."""

    __slots__ = ("_association", "_by_spi", "_current", "is_replacing")

    def __init__(self, association: Association) -> None:
        self._association = association
        self._by_spi: dict[bytes, IkeSa] = {}
        self._current: IkeSa | None = None
        self.is_replacing = False

    @property
    def current(self) -> IkeSa:
        """The IKE SA that stands; there must be one."""
        assert self._current is not None
        return self._current

    @property
    def exists(self) -> bool:
        """Whether there are keys yet."""
        return self._current is not None

    def find(self, spi: bytes) -> IkeSa | None:
        """The IKE SA that has this SPI of ours, or None."""
        return self._by_spi.get(spi)

    def numbered(self, number: int) -> IkeSa | None:
        """The IKE SA of this number, or None."""
        return next((one for one in self._by_spi.values() if one.number == number), None)

    def add(self, ike_sa: IkeSa, *, register: bool) -> None:
        """This one stands from now on."""
        association = self._association
        self._by_spi[ike_sa.spis.ours] = ike_sa
        self._current = ike_sa
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
        """The new IKE SA takes over; what waited on the old one goes on there."""
        association = self._association
        old.state = IkeSaState.REKEYED
        self.add(new, register=True)
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
        new.send_next(association)

    def delete_former(self, old: IkeSa) -> None:
        """Delete the IKE SA that we have rekeyed."""
        old.state = IkeSaState.DELETING
        old.ask(self._association, DeleteIkeInitiator("rekeyed", Request(None)))

    def forget(self, old: IkeSa) -> None:
        """A former IKE SA is gone on both ends."""
        association = self._association
        association.timers.stop(Timer.IKE_RETIRE, old.number)
        old.abandon(association, "the IKE SA was rekeyed")
        if self._by_spi.pop(old.spis.ours, None) is not None:
            association.emit(ForgetSpi(old.spis.ours))

    def forget_later(self, old: IkeSa) -> None:
        """The peer has deleted a former IKE SA: keep the answer for when it asks again."""
        association = self._association
        association.timers.start(Timer.IKE_RETIRE, association.now + FORGOTTEN_AFTER, old.number)

    def may_be_rekeyed(self, ike_sa: IkeSa) -> bool:
        """Whether the peer may rekey now: not while we create, rekey or delete (section 2.25)."""
        return ike_sa.requests.outstanding is None and not self.is_replacing

    def retry_rekey(self) -> None:
        """Rekey later: this time it could not be."""
        association = self._association
        delay = RETRY_AFTER + RETRY_SPREAD * association.surroundings.fraction()
        association.timers.start(Timer.IKE_REKEY, association.now + delay)

    def abandon_all(self, reason: str) -> None:
        """The association ends: nothing that is under way will be answered."""
        association = self._association
        for ike_sa in tuple(self._by_spi.values()):
            ike_sa.abandon(association, reason)
            association.emit(ForgetSpi(ike_sa.spis.ours))
        self._by_spi.clear()
