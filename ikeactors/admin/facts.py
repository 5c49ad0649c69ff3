"""What is told about SAs, connections and actors, as maps of plain values. Never a secret.

SPIs are hexadecimal digits, ages and remaining times seconds, absent values None. Everything is
picked by name: a field somebody adds elsewhere is not told before somebody adds it here.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable, Mapping, Sequence

from ikeactors.actors.reports import Published
from ikeactors.kernel.requests import SaId, SaUsage
from ikeactors.protocol.settings import (
    ChildSettings,
    ConnectionSettings,
    SelectorTemplate,
)
from ikeactors.protocol.snapshot import AssociationSnapshot, ChildSnapshot
from ikeactors.wire.proposals import Proposal

Facts = dict[str, object]
Usages = Mapping[SaId, SaUsage]

DOWN = "DOWN"
# A paragraph that explains a failure.
MAX_PARAGRAPH = 2048


def association_facts(number: int, snapshot: AssociationSnapshot, usages: Usages) -> Facts:
    """An IKE SA and the Child SAs on it."""
    return {
        "association": number,
        "connection": snapshot.connection,
        "version": snapshot.version,
        "state": snapshot.state.upper(),
        "local": snapshot.local,
        "remote": snapshot.remote,
        "local_id": snapshot.local_id,
        "remote_id": snapshot.remote_id,
        "spi_i": snapshot.spi_i,
        "spi_r": snapshot.spi_r,
        "original_initiator": snapshot.original_initiator,
        "suite": snapshot.suite,
        "nat_local": snapshot.nat_local,
        "nat_remote": snapshot.nat_remote,
        "age": snapshot.age,
        "rekey_in": snapshot.rekey_in,
        "reauthenticate_in": snapshot.reauthenticate_in,
        "children": [child_facts(child, usages) for child in snapshot.children],
    }


def child_facts(child: ChildSnapshot, usages: Usages) -> Facts:
    """A Child SA and what went through it; `*_in` and `*_out` are None where nobody can say."""
    inbound = _usage_of(child.spi_in, child.sa_ids, usages)
    outbound = _usage_of(child.spi_out, child.sa_ids, usages)
    return {
        "name": child.name,
        "state": child.state.upper(),
        "number": child.number,
        "mode": child.mode,
        "protocol": child.protocol,
        "spi_in": f"{child.spi_in:08x}",
        "spi_out": f"{child.spi_out:08x}",
        "suite": child.suite,
        "local_ts": list(child.local_ts),
        "remote_ts": list(child.remote_ts),
        "reqid": child.reqid,
        "encapsulated": child.encapsulated,
        "age": child.age,
        "rekey_in": child.rekey_in,
        "octets_in": inbound and inbound.octets,
        "packets_in": inbound and inbound.packets,
        "octets_out": outbound and outbound.octets,
        "packets_out": outbound and outbound.packets,
        "last_used_at": _last_used(inbound, outbound),
    }


def tunnel_facts(
    connection: ConnectionSettings, snapshots: Sequence[AssociationSnapshot], failure: str
) -> Facts:
    """A configured connection, up or down, and those of its children that have no SA."""
    present = {child.name for snapshot in snapshots for child in snapshot.children}
    return {
        "connection": connection.name,
        "version": connection.version,
        "state": snapshots[0].state.upper() if snapshots else DOWN,
        "ike_sas": len(snapshots),
        "last_failure": failure[:MAX_PARAGRAPH],
        "children_down": [
            {
                "name": child.name,
                "local_ts": [_template(one) for one in child.local_ts],
                "remote_ts": [_template(one) for one in child.remote_ts],
            }
            for child in connection.children
            if child.name not in present
        ],
    }


def connection_facts(connection: ConnectionSettings) -> Facts:
    """A connection as it is configured."""
    return {
        "name": connection.name,
        "version": connection.version,
        "local_addrs": [*map(str, connection.local_addrs), *connection.local_names],
        "remote_addrs": [*map(str, connection.remote_addrs), *connection.remote_names],
        "local_port": connection.local_port,
        "remote_port": connection.remote_port,
        "local": {"auth": connection.local.auth, "id": str(connection.local.id)},
        "remote": {"auth": connection.remote.auth, "id": str(connection.remote.id)},
        "proposals": [str(proposal) for proposal in connection.proposals],
        "rekey_time": connection.rekey_time,
        "reauth_time": connection.reauth_time,
        "dpd_delay": connection.dpd_delay,
        "unique": connection.unique.value,
        "keyingtries": connection.keyingtries,
        "children": [_child_settings(child) for child in connection.children],
    }


def report_facts(published: Published) -> Facts:
    """A report as an event."""
    sequence, at, association, report = published
    return {
        "sequence": sequence,
        "time": at,
        "association": association,
        "name": report.name,
        "text": report.text,
        "level": report.level.name.lower(),
        "connection": report.connection,
        "details": {key: plain(value) for key, value in report.details.items()},
    }


def plain(value: object) -> object:
    """Statistics as plain values, fields by their names; octets are never shown."""
    if isinstance(value, enum.Enum):
        return value.name
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: plain(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if field.repr
        }
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(one) for one in value]
    return f"({type(value).__name__})"


def _usage_of(spi: int, sa_ids: Iterable[SaId], usages: Usages) -> SaUsage | None:
    return next((usages[one] for one in sa_ids if one.spi == spi and one in usages), None)


def _last_used(*usages: SaUsage | None) -> float | None:
    latest = max((usage.last_used_at for usage in usages if usage is not None), default=0.0)
    return latest or None


def _child_settings(child: ChildSettings) -> Facts:
    return {
        "name": child.name,
        "mode": child.mode.value,
        "local_ts": [_template(one) for one in child.local_ts],
        "remote_ts": [_template(one) for one in child.remote_ts],
        "esp_proposals": [] if child.ah_proposals else _texts(child.esp_proposals),
        "ah_proposals": _texts(child.ah_proposals),
        "rekey_time": child.rekey_time,
        "life_time": child.life_time,
        "start_action": child.start_action.value,
        "dpd_action": child.dpd_action.value,
        "close_action": child.close_action.value,
    }


def _texts(proposals: Iterable[Proposal]) -> list[str]:
    return [str(proposal) for proposal in proposals]


def _template(template: SelectorTemplate) -> str:
    if template.selector is not None:
        return str(template.selector)
    if not template.protocol:
        return "dynamic"
    if (template.start_port, template.end_port) == (0, 65535):
        return f"dynamic[{template.protocol}]"
    return f"dynamic[{template.protocol}/{template.start_port}-{template.end_port}]"
