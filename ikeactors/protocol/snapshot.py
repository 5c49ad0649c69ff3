"""What an association looks like from outside at one instant: for status, never with a secret."""

from __future__ import annotations

from dataclasses import dataclass

from ikeactors.kernel.requests import SaId


@dataclass(frozen=True, slots=True)
class ChildSnapshot:
    """One Child SA. Ages and remaining times are seconds; `rekey_in` is None where none is due."""

    name: str
    state: str
    number: int
    mode: str
    protocol: str
    spi_in: int
    spi_out: int
    suite: str
    local_ts: tuple[str, ...]
    remote_ts: tuple[str, ...]
    reqid: int
    encapsulated: bool
    age: float
    rekey_in: float | None
    sa_ids: tuple[SaId, ...]


@dataclass(frozen=True, slots=True)
class AssociationSnapshot:
    """One association: its IKE SA and the Child SAs on it."""

    connection: str
    version: int
    state: str
    local: str
    remote: str
    local_id: str
    remote_id: str
    spi_i: str
    spi_r: str
    original_initiator: bool
    suite: str
    nat_local: bool
    nat_remote: bool
    age: float
    rekey_in: float | None
    reauthenticate_in: float | None
    children: tuple[ChildSnapshot, ...]
