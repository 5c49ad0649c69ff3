"""The daemon's options about DNSSEC."""

from __future__ import annotations

from ikeactors.config.addresses import address
from ikeactors.config.mistakes import Refused
from ikeactors.config.schema import Option
from ikeactors.config.values import listed, port, text
from ikeactors.protocol.events import Endpoint

_DNS_PORT = 53


def _server(value: object) -> Endpoint:
    """Like "127.0.0.1" or "127.0.0.1@5353"."""
    host, at, number = text(value).partition("@")
    try:
        found = int(number) if at else _DNS_PORT
    except ValueError:
        raise Refused((value, 'a port expected behind the "@"')) from None
    return Endpoint(address(host), port(found))


DNSSEC = (
    Option(
        "dns_servers",
        listed(_server),
        "[]",
        'Resolvers asked for dnssec = "require" and ipseckey: "127.0.0.1", "127.0.0.1@5353".',
    ),
    Option(
        "dnssec_anchors",
        text,
        '""',
        "A file with DS or DNSKEY records that are believed; if empty a resolver on this host is.",
    ),
)
