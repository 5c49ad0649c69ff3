"""What seems to differ is looked up, and mended in the kernel actor's turn."""

from __future__ import annotations

import errno

from ikeactors.actors.installed import Installed
from ikeactors.actors.mending import Mender, Verify
from ikeactors.kernel.inventory import Difference
from ikeactors.kernel.requests import Direction, KernelRefusal
from ikeactors.protocol.events import SaExpired
from tests.fakes.kernel import Inbox, SimulatedKernel
from tests.fakes.sas import policy, sa

OUT, IN, ORPHAN = sa(0x1000), sa(0x2000, Direction.IN), sa(0x3000)
POLICIES = (policy(), policy("10.2.0.0/24", "10.1.0.0/24", Direction.IN))


class Bench:
    """A kernel with two SAs and two policies of an owner's, and one SA of nobody's."""

    def __init__(self) -> None:
        self.kernel, self.installed = SimulatedKernel(), Installed()
        self.expired: list[SaExpired] = []
        self.refused: list[KernelRefusal] = []
        self.found = Difference()
        self.mender = Mender(self.kernel, self.installed, self.expired.append, self.refused.append)

    async def set_up(self) -> None:
        await self.kernel.install((OUT, IN, ORPHAN), POLICIES)
        self.installed.add(1, Inbox(), (OUT, IN), POLICIES)

    async def verify(self, suspects: Difference, *, mends: bool = True) -> None:
        await self.mender.carry_out(Verify(suspects, self._note, mends))

    def _note(self, found: Difference) -> None:
        self.found = found


async def bench_of_all() -> Bench:
    """One that is set up."""
    made = Bench()
    await made.set_up()
    return made


async def test_a_suspicion_that_is_over_is_none() -> None:
    bench = await bench_of_all()
    await bench.verify(Difference((OUT.sa_id, IN.sa_id), (OUT.sa_id,), POLICIES))
    assert not bench.found
    assert not bench.expired
    assert len(bench.kernel.sas) == 3


async def test_what_nobody_asks_for_any_more_is_not_missing() -> None:
    bench = await bench_of_all()
    bench.kernel.sas.clear()
    bench.kernel.policies.clear()
    bench.installed.release(1, (OUT.sa_id, IN.sa_id), POLICIES)
    await bench.verify(Difference((OUT.sa_id,), (), POLICIES))
    assert not bench.found
    assert not bench.kernel.policies


async def test_policies_are_put_back_before_owners_hear_of_their_sas() -> None:
    bench = await bench_of_all()
    bench.kernel.sas.clear()
    bench.kernel.policies.clear()
    suspects = Difference((OUT.sa_id, IN.sa_id), (), POLICIES)
    await bench.verify(suspects)
    assert bench.found == suspects
    assert len(bench.kernel.policies) == 2
    assert bench.expired == [SaExpired(one.sa_id, hard=True) for one in (OUT, IN)]


async def test_an_orphan_is_removed() -> None:
    bench = await bench_of_all()
    await bench.verify(Difference(orphan_sas=(ORPHAN.sa_id,)))
    assert set(bench.kernel.sas) == {OUT.sa_id, IN.sa_id}


async def test_who_only_asks_changes_nothing() -> None:
    bench = await bench_of_all()
    bench.kernel.policies.clear()
    suspects = Difference((), (ORPHAN.sa_id,), POLICIES)
    await bench.verify(suspects, mends=False)
    assert bench.found == suspects
    assert ORPHAN.sa_id in bench.kernel.sas
    assert not bench.kernel.policies


async def test_a_policy_that_is_refused_keeps_no_other_from_its_place() -> None:
    bench = await bench_of_all()
    bench.kernel.policies.clear()
    # All at once, then the first of them alone.
    bench.kernel.refuse_next(errno.ENOMEM)
    bench.kernel.refuse_next(errno.ENOMEM)
    await bench.verify(Difference(missing_policies=POLICIES))
    assert list(bench.kernel.policies.values()) == [POLICIES[1]]
    assert [one.errno for one in bench.refused] == [errno.ENOMEM]
