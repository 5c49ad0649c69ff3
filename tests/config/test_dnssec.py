"""DNSSEC: whom to ask and what to believe has to be said where a connection wants it."""

from __future__ import annotations

import pytest

from ikeactors.config import load

ANCHOR = f"lab. 300 IN DS 1 13 2 {'00' * 32}\n"
DAEMON = '[daemon]\ndns_servers = "127.0.0.1@5353"\n'


def connection(remote: str) -> str:
    return f"""
[connections.gw]
remote_addrs = "192.0.2.2"
remote = {{ {remote} }}
[connections.gw.children.net]
[secrets.psk]
secret = "sixteen octets!!"
"""


REQUIRED = connection('id = "gw.example.org", dnssec = "require"')
KEYED = 'auth = "pubkey", ipseckey = true'


def test_a_resolver_on_this_host_is_believed(write):
    configuration = load(write(DAEMON + REQUIRED))
    assert configuration.connections[0].remote.dnssec
    assert [str(one) for one in configuration.dns.servers] == ["127.0.0.1:5353"]
    assert not configuration.dns.anchors


def test_with_anchors_a_server_may_be_anywhere(write):
    write(ANCHOR, "root.key")
    text = '[daemon]\ndns_servers = ["192.0.2.53"]\ndnssec_anchors = "root.key"\n' + REQUIRED
    assert load(write(text)).dns.anchors == ANCHOR


def test_nothing_is_needed_where_nobody_asks(write):
    assert load(write(connection('id = "gw.example.org"'))).dns is None


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (REQUIRED, "remote.dnssec: [daemon] needs dns_servers, whom to ask"),
        ('[daemon]\ndns_servers = "192.0.2.53"\n' + REQUIRED, "is not believed without proof"),
        (
            DAEMON + connection(f'id = "*.example.org", {KEYED}'),
            "the keys of one name are asked for: remote.id has to be it",
        ),
        (
            DAEMON + connection('id = "gw.example.org", ipseckey = true'),
            'remote.ipseckey: it needs auth = "pubkey"',
        ),
        ('[daemon]\ndns_servers = "127.0.0.1@dns"\n' + REQUIRED, "a port expected"),
        (DAEMON + 'dnssec_anchors = "none.key"\n' + REQUIRED, "no trust anchors"),
        (REQUIRED.replace("require", "maybe"), "ignore, require"),
    ],
)
def test_what_is_missing_is_told(mistakes_in, text, mistake):
    assert any(mistake in one for one in mistakes_in(text)), mistakes_in(text)


def test_a_file_without_anchors_is_told(write, mistakes_in):
    write("gw.lab. 300 IN A 192.0.2.1\n", "root.key")
    found = mistakes_in(DAEMON + 'dnssec_anchors = "root.key"\n' + REQUIRED)
    assert any("there is no DS or DNSKEY record in it" in one for one in found)
