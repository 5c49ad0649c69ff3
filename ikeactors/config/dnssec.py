"""What DNSSEC takes: who is asked, and what is believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ikeactors.config.mistakes import Mistakes, Place
from ikeactors.config.schema import Section
from ikeactors.config.sources import Unreadable, read_file
from ikeactors.iana import IdType
from ikeactors.protocol.events import Endpoint
from ikeactors.protocol.settings import ConnectionSettings


@dataclass(frozen=True, slots=True)
class DnsSettings:
    """The resolvers, and the trust anchors as a zone file has them; none where they validate."""

    servers: tuple[Endpoint, ...] = ()
    anchors: str = ""


def read_dnssec(
    daemon: Section,
    connections: Sequence[tuple[ConnectionSettings, Place]],
    mistakes: Mistakes,
) -> DnsSettings | None:
    """What is needed for the connections that ask for it; nothing where none does."""
    asking = [
        (place.of("remote", "dnssec" if end.dnssec else "ipseckey"), end)
        for one, place in connections
        for end in one.remote_rounds
        if end.dnssec or end.ipseckey
    ]
    for place, remote in asking:
        identity = remote.id.identity
        if remote.ipseckey and (identity is None or identity.type is not IdType.FQDN):
            message = "the keys of one name are asked for: remote.id has to be it"
            mistakes.add(place, message)
    if not asking:
        return None
    first, _ = asking[0]
    servers = daemon["dns_servers"]
    if not servers:
        mistakes.add(first, "[daemon] needs dns_servers, whom to ask")
    elif not daemon["dnssec_anchors"] and not all(one.address.is_loopback for one in servers):
        message = (
            "who is not on this host is not believed without proof: dns_servers has to be on the "
            "loopback, or [daemon] needs dnssec_anchors"
        )
        mistakes.add(first, message)
    return DnsSettings(servers, _anchors(daemon, first, mistakes))


def _anchors(daemon: Section, place: Place, mistakes: Mistakes) -> str:
    try:
        from ikeactors.actors.validation import read_anchors
    except ImportError:
        mistakes.add(place, 'it needs dnspython: the extra "dnssec" of ikeactors')
        return ""
    if not daemon["dnssec_anchors"]:
        return ""
    path = daemon.place.source.path.parent / Path(daemon["dnssec_anchors"])
    try:
        octets, _ = read_file(path)
        found = octets.decode("ascii", "replace")
        read_anchors(found)
    except (Unreadable, ValueError) as fault:
        mistakes.add_file(path, f"no trust anchors: {fault}")
        return ""
    return found
