"""What every peer of the lab can do, and a configuration that each writes in its own format.

A configuration is nested mappings in swanctl.conf's words, which are also ours, so the same
mapping becomes TOML for one peer and swanctl.conf for the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from tests.lab.namespaces import Gateway

Value = str | int | float | bool | list[str] | Mapping[str, "Value"]
Section = Mapping[str, Value]

SECRET = "lab-secret-0123456789"


@dataclass(frozen=True, slots=True)
class Child:
    """One Child SA as a peer lists it."""

    name: str
    state: str
    spi_in: str
    spi_out: str
    octets_in: int
    octets_out: int


NEGOTIATING = frozenset({"CONNECTING", "FRESH", "HALF-OPEN", "AUTHENTICATING"})
"""The states of an IKE SA that is not authenticated yet, as charon and ikeactors name them."""


@dataclass(frozen=True, slots=True)
class Sa:
    """One IKE SA as a peer lists it."""

    connection: str
    state: str
    spi_i: str
    spi_r: str
    children: tuple[Child, ...]

    @property
    def installed(self) -> tuple[Child, ...]:
        """The Child SAs that carry traffic."""
        return tuple(child for child in self.children if child.state == "INSTALLED")


class Peer(Protocol):
    """A running IKE daemon in a namespace."""

    gateway: Gateway

    def up(self, connection: str, child: str) -> None: ...
    def down(self, connection: str) -> None: ...
    def down_child(self, connection: str, child: str) -> None: ...
    def rekey_ike(self, connection: str) -> None: ...
    def reauthenticate(self, connection: str) -> None: ...
    def rekey_child(self, connection: str, child: str) -> None: ...
    def sas(self) -> list[Sa]: ...
    def stop(self) -> int: ...
    def kill(self) -> None: ...


def authenticated(peer: Peer) -> list[Sa]:
    """The IKE SAs but those that are being negotiated.

    What a responder keeps of a negotiation its peer has called off stays until its time is over.
    """
    return [sa for sa in peer.sas() if sa.state not in NEGOTIATING]


def established(peer: Peer, connection: str) -> Sa | None:
    """The connection's IKE SA that is up and not being replaced, or None."""
    return next(
        (sa for sa in peer.sas() if sa.connection == connection and sa.state == "ESTABLISHED"),
        None,
    )


def only_child(peer: Peer, connection: str, name: str) -> Child | None:
    """The installed Child SA of that name if there is exactly one, or None."""
    sa = established(peer, connection)
    found = [child for child in sa.installed if child.name == name] if sa else []
    return found[0] if len(found) == 1 else None
