"""Ends that are killed and restored from what was durable; the data plane goes on meanwhile."""

from __future__ import annotations

from typing import Any

from ikeactors.iana import PayloadType
from ikeactors.kernel.requests import SaId, SaRequest
from ikeactors.protocol.actions import Action, AdoptChildSa, InstallChildSa, SendDatagram
from ikeactors.protocol.events import ChildSaInstalled, Event, KernelRefused, Restored
from ikeactors.protocol.ikev2.association import Association
from ikeactors.protocol.ikev2.stored import read_checkpoint, write_checkpoint
from ikeactors.wire.header import HEADER_LENGTH, read_header
from tests.pair import End, Pair


class DurablePair(Pair):
    """Each end's state is durable before a datagram of its leaves, and now and then beside that.

    `forgets` makes it durable only then: what happened since is lost with a kill. `loses_plane`
    takes the data plane along.
    """

    forgets = False
    loses_plane = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.saved: dict[str, tuple[float, bytes]] = {}
        self.left: dict[str, dict[SaId, SaRequest]] = {"west": {}, "east": {}}
        self.restarts = 0
        self._sent: dict[tuple[object, ...], bytes] = {}
        super().__init__(*arguments, **options)

    def give(self, end: End, event: Event) -> None:
        self._order_nonces(end, event)
        association = end.association
        actions = association.handle(event, self.now)
        if association.closed:
            self.saved.pop(end.name, None)
        elif association.established and self._is_due(end, actions):
            self.saved[end.name] = self.now, write_checkpoint(association.checkpoint(self.now))
        for action in actions:
            end.actions.append(action)
            answer = self._carry_out(end, action)
            if answer is not None and self.slow is not None:
                self.slow.append((end, answer))
            elif answer is not None:
                self.give(end, answer)

    def _is_due(self, end: End, actions: list[Action]) -> bool:
        if not self.forgets or end.name not in self.saved:
            return True
        return any(
            isinstance(action, SendDatagram)
            or (isinstance(action, InstallChildSa) and action.kept_first)
            for action in actions
        )

    def _carry_out(self, end: End, action: Action) -> Event | None:
        if not isinstance(action, AdoptChildSa):
            return super()._carry_out(end, action)
        left = self.left[end.name]
        if any(left.get(one.sa_id) != one for one in action.sas):
            return KernelRefused(action.ticket, 3, "No such process")
        self._add(end, (*action.sas, *action.due), action.policies)
        return ChildSaInstalled(action.ticket)

    def _send(self, end: End, action: SendDatagram) -> None:
        self._audit(end, action.octets)
        super()._send(end, action)

    def _audit(self, end: End, octets: bytes) -> None:
        """A message ID stands for the same octets always, and so does an IV."""
        header = read_header(octets)
        if header.next_payload not in (PayloadType.SK, PayloadType.SKF):
            return
        is_fragment = header.next_payload is PayloadType.SKF
        at = HEADER_LENGTH + 4
        place = octets[at : at + 4] if is_fragment else b""
        iv = octets[at + len(place) : at + len(place) + 8]
        of_sa = (end.name, header.spi_i, header.spi_r)
        for name in ((header.message_id, header.is_response, place), (iv,)):
            assert self._sent.setdefault((*of_sa, *name), octets) == octets, name

    def _remove(self, end: End, sas: tuple[SaId, ...], policies: tuple[Any, ...]) -> None:
        # What was not adopted may be given up before that is heard of.
        is_there = not sas or any(sa_id in end.sas for sa_id in sas)
        super()._remove(end, sas, policies if is_there else ())

    def kill(self, end: End) -> bool:
        """Kill an end and start it again; False where nothing was durable yet."""
        if end.name not in self.saved:
            return False
        self.restarts += 1
        if self.slow is not None:
            self.slow = [(one, event) for one, event in self.slow if one is not end]
        saved_at, octets = self.saved[end.name]
        settings = self.west_settings if end is self.west else self.east_settings
        end.association = Association.restored(
            settings,
            read_checkpoint(octets),
            self._surroundings[end.name],
            self.now,
            self.now - saved_at,
        )
        self.left[end.name] = {} if self.loses_plane else dict(end.sas)
        end.sas.clear()
        end.policies.clear()
        self.give(end, Restored())
        return True
