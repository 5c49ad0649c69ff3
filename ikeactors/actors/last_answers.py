"""The last answers of IKE SAs that have ended: a lost one is repeated to who asks again.

An association that answers a Delete, or refuses a proof, is gone with its answer. Without this
the peer would repeat its request for minutes and then report silence where there was a reason.
"""

from __future__ import annotations

from dataclasses import dataclass

from ikeactors.iana import PayloadType
from ikeactors.protocol.actions import KeepAnswer
from ikeactors.protocol.events import DatagramReceived
from ikeactors.wire.header import FLAG_INITIATOR, FLAG_RESPONSE

# For the first repetitions of the usual schedules.
_KEPT_FOR = 30.0
# Each of some hundred octets: more IKE SAs than end in that time, and little memory.
_KEPT_LIMIT = 1024
# Who repeats more often than that is no peer that lost an answer.
_REPEATS_LIMIT = 8

# Behind the header and the generic header of the payload.
_FRAGMENT_NUMBER = slice(32, 34)


@dataclass(slots=True)
class _Kept:
    """An answer, until when it is repeated, and how often still."""

    answer: KeepAnswer
    until: float
    left: int = _REPEATS_LIMIT


class LastAnswers:
    """Answers by our SPI of the IKE SA that is no more."""

    def __init__(self) -> None:
        self._by_spi: dict[bytes, _Kept] = {}

    def __len__(self) -> int:
        return len(self._by_spi)

    def keep(self, answer: KeepAnswer, now: float) -> None:
        """Keep one more; the oldest goes where there are too many."""
        if len(self._by_spi) >= _KEPT_LIMIT:
            del self._by_spi[next(iter(self._by_spi))]
        self._by_spi[answer.spi] = _Kept(answer, now + _KEPT_FOR)

    def again(self, datagram: DatagramReceived, now: float) -> bytes | None:
        """The octets to send if this may be the answered request, come again; else None."""
        octets = datagram.octets
        flags, message_id = octets[19], int.from_bytes(octets[20:24], "big")
        spi = octets[8:16] if flags & FLAG_INITIATOR else octets[:8]
        kept = self._by_spi.get(spi)
        if kept is None or flags & FLAG_RESPONSE or message_id != kept.answer.message_id:
            return None
        if _is_later_fragment(octets):
            return None
        kept.left -= 1
        if now >= kept.until or kept.left < 0:
            del self._by_spi[spi]
            return None
        return kept.answer.octets


def _is_later_fragment(octets: bytes) -> bool:
    """Of a request in fragments the first asks for the answer, for all of them come again."""
    return octets[16] == PayloadType.SKF and octets[_FRAGMENT_NUMBER] != b"\0\1"
