"""The connection that most tests of the lab use: one IKE SA `gw`, children for both families."""

from __future__ import annotations

from dataclasses import dataclass

from tests.lab.namespaces import Gateway, Network
from tests.lab.peer import Section

CONNECTION = "gw"
CHILD = {4: "net", 6: "net6"}
IDENTITIES = ["west.lab", "east.lab"]


@dataclass(frozen=True, slots=True)
class Suite:
    """The proposals of a connection and of its children, which have AH where that is said."""

    ike: str
    esp: str
    ah: str = ""

    @property
    def of_child(self) -> Section:
        """The one option of a child."""
        return {"ah_proposals": self.ah} if self.ah else {"esp_proposals": self.esp}

    def __str__(self) -> str:
        return f"AH {self.ah}" if self.ah else self.esp


GCM = Suite("aes128gcm16-prfsha256-x25519", "aes128gcm16-x25519")
CBC = Suite("aes256-sha256-ecp256", "aes256-sha256")
# What GCM prefers is the second choice here, so the first KE payload is of the wrong group.
OTHER_GROUP_FIRST = Suite("aes128gcm16-prfsha256-ecp256-x25519", "aes128gcm16-ecp256-x25519")
DEFAULT = Suite("default", "default")
AH = Suite("aes128gcm16-prfsha256-x25519", "", "sha256-x25519-esn")
CHACHA = Suite("chacha20poly1305-prfsha512-modp2048", "chacha20poly1305")


def connection(
    network: Network,
    local: Gateway,
    suite: Suite = GCM,
    version: int = 4,
    child: Section | None = None,
    options: Section | None = None,
) -> Section:
    """A configuration with `local`'s side of the connection alone."""
    settings = connection_settings(network, local, suite, version, child, options)
    return {"connections": {CONNECTION: settings}}


def connection_settings(
    network: Network,
    local: Gateway,
    suite: Suite = GCM,
    version: int = 4,
    child: Section | None = None,
    options: Section | None = None,
) -> Section:
    """`local`'s side of the connection over IP `version`; `child` is said of every child."""
    remote = network.east if local is network.west else network.west
    return {
        "version": 2,
        "local_addrs": local.outer[version],
        "remote_addrs": network.seen(remote, version),
        "proposals": suite.ike,
        "local": {"auth": "psk", "id": f"{local.label}.lab"},
        "remote": {"auth": "psk", "id": f"{remote.label}.lab"},
        "children": {
            name: {
                "local_ts": local.subnet[inner],
                "remote_ts": remote.subnet[inner],
                **suite.of_child,
                **(child or {}),
            }
            for inner, name in CHILD.items()
        },
        **(options or {}),
    }
