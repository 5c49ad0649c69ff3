"""Associations of before a restart, until they have asked the data plane for what they had."""

from __future__ import annotations

import trio


class Returns:
    """The numbers of those that are still to come."""

    def __init__(self) -> None:
        self._expected: set[int] = set()
        self._waiters = trio.lowlevel.ParkingLot()

    def expect(self, number: int) -> None:
        """This one is on its way."""
        self._expected.add(number)

    def arrived(self, number: int) -> None:
        """This one is there, or will not come."""
        if number in self._expected:
            self._expected.discard(number)
            if not self._expected:
                self._waiters.unpark_all()

    async def all_there(self) -> None:
        """Wait for the last of them."""
        while self._expected:
            await self._waiters.park()
