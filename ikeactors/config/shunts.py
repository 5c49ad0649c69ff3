"""Children with mode = "pass" or "drop": policies that nobody negotiates.

They are the BYPASS and DISCARD of an SPD (RFC 4301 section 4.4.1).
"""

from __future__ import annotations

import itertools
from ipaddress import ip_network

from ikeactors.config.child_options import CHILD
from ikeactors.config.mistakes import Mistakes
from ikeactors.config.schema import Section
from ikeactors.iana import ProtocolId
from ikeactors.kernel.requests import Direction, Mode, PolicyAction, PolicyRequest
from ikeactors.protocol.settings import SelectorTemplate, Shunt
from ikeactors.wire.selectors import TrafficSelector

_EVERYWHERE = {version: ip_network(text) for version, text in ((4, "0.0.0.0/0"), (6, "::/0"))}

_WITH_MEANING = frozenset(
    {
        "mode",
        "local_ts",
        "remote_ts",
        "priority",
        "mark_in",
        "mark_out",
        "if_id_in",
        "if_id_out",
        "start_action",
    }
)


def is_shunt(section: Section) -> bool:
    """Whether a child's section is one of these."""
    return isinstance(section["mode"], PolicyAction)


def read_shunt(name: str, section: Section, connection: Section, mistakes: Mistakes) -> Shunt:
    """The policies of such a child; they are in force as long as the daemon runs."""
    action = section["mode"]
    for key in sorted(section.written & CHILD.keys() - _WITH_MEANING):
        mistakes.warn(section.place.of(key), f'without meaning where mode = "{action.value}"')
    policies: list[PolicyRequest] = []
    pairs = itertools.product(_all(section["local_ts"]), _all(section["remote_ts"]))
    for local, remote in pairs:
        if local.start.version != remote.start.version:
            continue
        for direction in Direction:
            ends = (local, remote) if direction is Direction.OUT else (remote, local)
            policies.append(_policy(direction, *ends, section, connection))
    return Shunt(name, tuple(policies))


def _policy(
    direction: Direction,
    source: TrafficSelector,
    destination: TrafficSelector,
    section: Section,
    connection: Section,
) -> PolicyRequest:
    side = "out" if direction is Direction.OUT else "in"
    return PolicyRequest(
        direction,
        source,
        destination,
        # There is no tunnel: these only say which family it would have.
        source.start,
        destination.start,
        ProtocolId.ESP,
        Mode.TUNNEL,
        reqid=0,
        action=section["mode"],
        mark=section[f"mark_{side}"],
        if_id=section[f"if_id_{side}"] or connection[f"if_id_{side}"],
        priority=section["priority"],
    )


def _all(templates: tuple[SelectorTemplate, ...]) -> list[TrafficSelector]:
    """The selectors; without an outer address "dynamic" is every address."""
    found: list[TrafficSelector] = []
    for one in templates:
        if one.selector is not None:
            found.append(one.selector)
            continue
        ports = (one.start_port, one.end_port)
        found += [
            TrafficSelector.of_network(network, one.protocol, ports)
            for network in _EVERYWHERE.values()
        ]
    return found
