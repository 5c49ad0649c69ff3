"""Other programs, and an administrator, at the SAs and policies of a host."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from ipaddress import ip_address
from random import Random

from ikeactors.kernel.requests import PolicyRequest, SaRequest
from ikeactors.protocol.events import Address
from tests.fakes.sas import policy, sa
from tests.simulation.kernel import HostKernel

# To whom nobody in a run talks: what is put in stands in nobody's way.
_NOBODY = ip_address("192.0.2.250")
_REQID = 77


def _flush(kernel: HostKernel, _: Random, __: Address) -> None:
    kernel.flush()


def _flush_policies(kernel: HostKernel, _: Random, __: Address) -> None:
    kernel.flush_policies()


def _flush_both(kernel: HostKernel, _: Random, __: Address) -> None:
    kernel.flush()
    kernel.flush_policies()


def _remove_one(kernel: HostKernel, chance: Random, _: Address) -> None:
    if kernel.sas:
        kernel.lose(chance.choice(list(kernel.sas)))


def _leave_orphans(kernel: HostKernel, chance: Random, address: Address) -> None:
    """As a process that was killed does."""
    kernel.put_in(_sa(chance, address), _policy(chance))


def _make_foreign(kernel: HostKernel, chance: Random, address: Address) -> None:
    """Of another program: they stay."""
    kernel.put_in(_sa(chance, address), _policy(chance), foreign=True)


def _sa(chance: Random, address: Address) -> SaRequest:
    made = sa(chance.randrange(1 << 31, 1 << 32), reqid=_REQID)
    keys = {"encr_key": chance.randbytes(len(made.encr_key)), "integ_key": b""}
    return replace(made, source=address, destination=_NOBODY, **keys)


def _policy(chance: Random) -> PolicyRequest:
    made = policy(f"10.250.{chance.randrange(256)}.0/24", "10.251.0.0/24")
    return replace(made, reqid=_REQID)


MEDDLE: Mapping[str, Callable[[HostKernel, Random, Address], None]] = {
    "ip xfrm state flush": _flush,
    "ip xfrm policy flush": _flush_policies,
    "ip xfrm state flush; ip xfrm policy flush": _flush_both,
    "ip xfrm state delete": _remove_one,
    "entries of ours that nobody asks for": _leave_orphans,
    "entries of another program": _make_foreign,
}
