"""Packets that wait for the SA which they have made us ask for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ikeactors.kernel.policies import PolicyKey

# Ours: packets of all policies that wait, at most a hundred kilobytes; the oldest give way.
MAX_HELD = 64
# Ours: seconds a packet waits. Who has sent it sends it again by then, or has given up.
HELD_FOR = 10.0
# Ours: seconds until another packet under the same policy asks again.
ASK_AGAIN_AFTER = 5.0
# Ours: policies whose asking is remembered; with more of them some ask sooner.
MAX_ASKED = 4096


@dataclass(frozen=True, slots=True)
class _Waiting:
    packet: bytes
    until: float


class Held:
    """The packets, the oldest first, and when each policy has asked last."""

    def __init__(self) -> None:
        self._waiting: deque[_Waiting] = deque(maxlen=MAX_HELD)
        self._asked_at: dict[PolicyKey, float] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def hold(self, policy: PolicyKey, packet: bytes, now: float) -> bool:
        """Keep a packet; whether it is time to ask for an SA."""
        self._waiting.append(_Waiting(packet, now + HELD_FOR))
        asked_at = self._asked_at.get(policy)
        if asked_at is not None and now < asked_at + ASK_AGAIN_AFTER:
            return False
        if len(self._asked_at) >= MAX_ASKED:
            self._asked_at.clear()
        self._asked_at[policy] = now
        return True

    def take(self, now: float, has_sa: Callable[[bytes], bool]) -> list[bytes]:
        """The packets that have an SA by now; those that have waited too long are dropped."""
        young = [one for one in self._waiting if now < one.until]
        self._waiting.clear()
        ready = []
        for one in young:
            if has_sa(one.packet):
                ready.append(one.packet)
            else:
                self._waiting.append(one)
        return ready

    def settle(self, policy: PolicyKey) -> None:
        """There is an SA: without one again, the first packet asks at once."""
        self._asked_at.pop(policy, None)
