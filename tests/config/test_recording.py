"""What is recorded is sealed, or not recorded."""

from __future__ import annotations

import pytest

from ikeactors.config import load

KEY = "0123456789abcdef"
CONNECTION = """
[connections.gw]
remote_addrs = "192.0.2.2"
record = true
[connections.gw.remote]
id = "gw.example.org"
[connections.gw.children.net]
[secrets.psk]
secret = "sixteen octets!!"
"""


def test_the_key_of_recordings_is_read_from_its_file(write):
    write(f"{KEY}\n", "record.key")
    configuration = load(write(f'[daemon]\nrecord_key_file = "record.key"\n{CONNECTION}'))
    assert configuration.record_key == KEY.encode()
    assert configuration.connections[0].record
    assert configuration.daemon.record_size == 16 << 20
    assert KEY not in repr(configuration)


def test_nothing_is_recorded_without_a_key(mistakes_in):
    assert mistakes_in(CONNECTION) == [
        "ike.toml:4: connections.gw.record: "
        "a recording is written sealed: [daemon] needs a record_key_file"
    ]


@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [
        (KEY, 0o644, "its mode 0644 lets others at it: chmod 600 record.key"),
        ("short", 0o600, "a key of 5 octets: at least 16 expected"),
        ("", 0o600, "the secret is empty"),
    ],
)
def test_a_key_that_is_none_is_a_mistake(write, mistakes_in, content, mode, why):
    write(content, "record.key", mode)
    (mistake,) = mistakes_in(f'[daemon]\nrecord_key_file = "record.key"\n{CONNECTION}')
    assert mistake.startswith("ike.toml:2: daemon.record_key_file: ")
    assert mistake.endswith(why)
