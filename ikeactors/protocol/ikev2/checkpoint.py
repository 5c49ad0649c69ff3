"""An established association as data: all that it takes to go on with it after a restart.

Durations count from the instant at which it was taken, so that no clock need be the same. What is
under way and is only ours, an exchange or a Child SA on its way into the data plane, is in
`inflight`, in a form that is read by the same version alone: another one starts it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from ikeactors.crypto.keys import IkeKeys
from ikeactors.crypto.suite import IkeSuite
from ikeactors.kernel.requests import SaRequest
from ikeactors.protocol.events import Endpoint
from ikeactors.quick import quick
from ikeactors.wire.identities import Identity
from ikeactors.wire.selectors import TrafficSelector


@quick
class SavedRequest:
    """A request that is not answered: the same octets are sent again."""

    message_id: int
    exchange: int
    datagrams: tuple[bytes, ...]
    inflight: bytes = field(repr=False)
    payloads: tuple[Any, ...] = ()
    tries: int = 0


@quick
class SavedIkeSa:
    """An IKE SA: its keys, its windows, and what waits for its turn."""

    number: int
    spi_i: bytes
    spi_r: bytes
    original_initiator: bool
    suite: IkeSuite
    keys: IkeKeys
    state: str
    next_id: int
    window_size: int
    expected_id: int
    answers: tuple[tuple[int, tuple[bytes, ...]], ...]
    iv_counter: int
    token: bytes = field(default=b"", repr=False)
    outstanding: tuple[SavedRequest, ...] = ()
    queue: tuple[bytes, ...] = field(default=(), repr=False)


@quick
class SavedChildSa:
    """A Child SA: the pair of SAs, and what they do not say.

    Where `is_outbound_due` the data plane is about to be given the outbound SA, or has it already.
    """

    number: int
    name: str
    local_ts: tuple[TrafficSelector, ...]
    remote_ts: tuple[TrafficSelector, ...]
    inbound: SaRequest
    outbound: SaRequest
    state: str
    is_inbound_installed: bool
    is_outbound_installed: bool
    age: float
    successor: int = 0
    delete_sent: bool = False
    is_ours: bool = False
    unwanted: bool = False
    is_outbound_due: bool = False


@quick
class Checkpoint:
    """The whole association.

    `departed` are Child SAs that are gone and that something under way still names. `timers` are
    names, numbers and remaining seconds. `extras` has a place for each feature that needs one.
    """

    connection: str
    local_id: Identity
    remote_id: Identity
    local: Endpoint
    remote: Endpoint
    nat: tuple[bool, bool, bool]
    fragments: tuple[bool, int]
    age: float
    silence: float
    octets_heard: int
    numbers: int
    current: int
    ike_sas: tuple[SavedIkeSa, ...]
    children: tuple[SavedChildSa, ...]
    departed: tuple[SavedChildSa, ...]
    timers: tuple[tuple[str, int, float], ...]
    told: tuple[str, ...] = ()
    early: tuple[int, ...] | None = None
    wanted: tuple[tuple[int, str], ...] = ()
    is_replacing: bool = False
    patience: tuple[float, int] = (0.0, 0)
    rival: tuple[int, bytes, bytes] | None = None
    installs: tuple[bytes, ...] = field(default=(), repr=False)
    extras: Mapping[str, Any] = field(default_factory=dict)
