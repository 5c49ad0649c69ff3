"""Policies without a Child SA, as operators install and uninstall them."""

from __future__ import annotations

from dataclasses import replace

import trio

from ikeactors.actors.kernel import KernelRequest, open_commands
from ikeactors.actors.reports import ReportHub
from ikeactors.actors.restarting import Locator
from ikeactors.actors.standing import StandingPolicies
from ikeactors.actors.traps import Traps
from ikeactors.kernel.requests import PolicyAction
from ikeactors.protocol.actions import InstallChildSa, RemoveChildSa
from ikeactors.protocol.settings import Settings, Shunt
from tests.fakes.sas import WEST, policy
from tests.pair import child, connection

SHUNT = Shunt("printer", (replace(policy(), action=PolicyAction.PASS),))
CONNECTION = replace(connection(children=(child(), child("voice"))), shunts=(SHUNT,))


class Bench:
    """Nothing is trapped, and the shunt is in force."""

    def __init__(self) -> None:
        kernel, self._commands = open_commands()
        hub, locator = ReportHub(lambda: 0.0), Locator(lambda _: WEST, 500)
        self.traps = Traps(Settings((CONNECTION,)), locator, kernel, hub, lambda *_: None)
        self.standing = StandingPolicies(self.traps, kernel)

    def asked(self) -> list[object]:
        """What the data plane is asked for."""
        found: list[object] = []
        while True:
            try:
                command = self._commands.receive_nowait()
            except trio.WouldBlock:
                return found
            assert isinstance(command, KernelRequest)
            found.append(command.action)


async def test_children_are_trapped_and_no_more() -> None:
    bench = Bench()
    assert await bench.standing.uninstall(CONNECTION, "net") == ()
    assert await bench.standing.install(CONNECTION, "net") == ("net",)
    assert bench.traps.has(CONNECTION.name, "net")
    assert await bench.standing.install(CONNECTION, None) == ("voice",)
    assert await bench.standing.uninstall(CONNECTION, "voice") == ("voice",)
    assert not bench.traps.has(CONNECTION.name, "voice")


async def test_a_shunt_is_there_from_the_start_once() -> None:
    bench = Bench()
    assert await bench.standing.install(CONNECTION, "printer") == ()
    assert await bench.standing.uninstall(CONNECTION, "printer") == ("printer",)
    assert await bench.standing.uninstall(CONNECTION, "printer") == ()
    assert await bench.standing.install(CONNECTION, "printer") == ("printer",)
    assert bench.asked() == [
        RemoveChildSa((), SHUNT.policies),
        InstallChildSa(0, (), SHUNT.policies),
    ]
