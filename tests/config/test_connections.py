from ipaddress import ip_address

import pytest

from ikeactors.config import load
from ikeactors.config.addresses import EXPECTED
from ikeactors.kernel.requests import CopyDscp, HeaderCopying, Mark, Mode
from ikeactors.protocol.choices import Fragmentation
from ikeactors.protocol.settings import (
    AddressPattern,
    ConnectionSettings,
    DownAction,
    Retransmission,
    StartAction,
    Unique,
)

SECRET = '[secrets.psk]\nsecret = "0123456789abcdef"\n'
CHILD = "[connections.gw.children.net]\n"


@pytest.fixture
def connection(write):
    """The connection `gw` of a text."""

    def connection(text: str) -> ConnectionSettings:
        (found,) = load(write(SECRET + text)).connections
        return found

    return connection


def of_connection(options: str) -> str:
    return f"[connections.gw]\n{options}\n{CHILD}"


def test_a_connection_has_the_words_of_swanctl(connection):
    found = connection(
        """
        [connections.gw]
        local_addrs = "192.0.2.1"
        remote_addrs = ["198.51.100.1", "198.51.100.7-198.51.100.9"]
        local_port = 4500
        remote_port = 4501
        proposals = "aes128-sha256-x25519, aes256gcm16-prfsha384-ecp384"
        dpd_delay = "30s"
        keepalive = 0
        encap = true
        fragmentation = "accept"
        fragment_size = 0
        window_size = 8
        quick_crash_detection = true
        unique = "replace"
        keyingtries = "%forever"
        send_initial_contact = false
        retransmit_timeout = 2
        retransmit_base = 1.5
        retransmit_tries = 3
        retransmit_limit = "10s"
        retransmit_jitter = 20
        log_level = "debug"
        [connections.gw.children.net]
        """
    )
    addresses = [("198.51.100.1", "198.51.100.1"), ("198.51.100.7", "198.51.100.9")]
    assert found.remote_addrs == tuple(
        AddressPattern(ip_address(first), ip_address(last)) for first, last in addresses
    )
    assert (found.local_port, found.remote_port) == (4500, 4501)
    assert [proposal.number for proposal in found.proposals] == [1, 2]
    assert (found.dpd_delay, found.keepalive, found.keyingtries) == (30.0, 0.0, 0)
    assert found.encap
    assert (found.fragmentation, found.fragment_size) == (Fragmentation.ACCEPT, 0)
    assert found.window_size == 8
    assert found.quick_crash_detection
    assert not found.send_initial_contact
    assert found.unique is Unique.REPLACE
    assert found.retransmission == Retransmission(2.0, 1.5, 3, 10.0, 20)
    assert found.log_level == "debug"


def test_a_child_has_the_words_of_swanctl(connection):
    found = connection(
        """
        [connections.gw]
        remote_addrs = "192.0.2.2"
        [connections.gw.children.net]
        local_ts = "10.1.0.0/16, 10.3.0.0/16"
        remote_ts = ["dynamic[tcp/80]"]
        mode = "transport"
        start_action = "start"
        dpd_action = "restart"
        close_action = "none"
        reqid = 7
        mark_in = "0x10/0xff"
        mark_out = 42
        replay_window = 4096
        priority = 100
        policies = false
        mark_in_sa = true
        set_mark_in = 3
        set_mark_out = "4/0xf"
        policies_fwd_out = true
        copy_df = false
        copy_ecn = false
        copy_dscp = "in"
        """
    )
    child = found.child("net")
    assert child is not None
    assert (len(child.local_ts), len(child.remote_ts)) == (2, 1)
    assert child.mode is Mode.TRANSPORT
    assert child.start_action is StartAction.START
    assert (child.dpd_action, child.close_action) == (DownAction.START, DownAction.CLEAR)
    assert (child.mark_in, child.mark_out) == (Mark(0x10, 0xFF), Mark(42))
    assert (child.reqid, child.replay_window, child.priority) == (7, 4096, 100)
    assert not child.policies
    assert child.mark_in_sa
    assert (child.set_mark_in, child.set_mark_out) == (Mark(3), Mark(4, 0xF))
    assert child.policies_fwd_out
    assert child.copying == HeaderCopying(df=False, ecn=False, dscp=CopyDscp.IN)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", (14400.0, 1440.0, 1440.0)),
        ('rekey_time = "1h"', (3600.0, 360.0, 360.0)),
        ('rekey_time = "1h"\nover_time = "10m"', (3600.0, 600.0, 600.0)),
        ('rekey_time = "1h"\nrand_time = 0', (3600.0, 360.0, 0.0)),
        ('rekey_time = "1h"\nover_time = "2h"', (3600.0, 7200.0, 1800.0)),
        ("rekey_time = 0", (0.0, 0.0, 0.0)),
        ('reauth_time = "3h"', (0.0, 1080.0, 1080.0)),
        ('reauth_time = "3h"\nrekey_time = "1h"', (3600.0, 1080.0, 1080.0)),
        ('reauth_time = "3h"\nrekey_time = "10m"', (600.0, 1080.0, 300.0)),
    ],
)
def test_the_times_of_an_ike_sa_follow_from_each_other(connection, options, expected):
    found = connection(of_connection(options))
    assert (found.rekey_time, found.over_time, found.rand_time) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", (3600.0, 3960.0, 360.0)),
        ('rekey_time = "10m"', (600.0, 660.0, 60.0)),
        ('life_time = "90m"', (3600.0, 5400.0, 1800.0)),
        ('life_time = "10h"', (3600.0, 36000.0, 1800.0)),
        ("life_time = 0", (3600.0, 0.0, 0.0)),
        ("rekey_time = 0", (0.0, 0.0, 0.0)),
        ('rekey_time = 0\nlife_time = "1h"', (0.0, 3600.0, 0.0)),
    ],
)
def test_the_times_of_a_child_follow_from_each_other(connection, options, expected):
    (child,) = connection(of_connection("") + options).children
    assert (child.rekey_time, child.life_time, child.rand_time) == expected


def test_the_amounts_of_a_child_follow_from_each_other_as_whole_numbers(connection):
    (child,) = connection(of_connection("") + 'rekey_bytes = "1G"\nrekey_packets = 1000').children
    gigabyte = 1 << 30
    amounts = (child.rekey_bytes, child.life_bytes, child.rand_bytes)
    assert amounts == (gigabyte, gigabyte + gigabyte // 10, gigabyte // 10)
    assert (child.rekey_packets, child.life_packets, child.rand_packets) == (1000, 1100, 100)
    assert all(isinstance(amount, int) for amount in amounts)


def test_a_child_has_the_interface_of_its_connection_unless_it_says_its_own(connection):
    (child,) = connection(of_connection("if_id_in = 5\nif_id_out = 6") + "if_id_in = 7").children
    assert (child.if_id_in, child.if_id_out) == (7, 6)


def test_a_connection_without_children_is_a_warning(write, tmp_path):
    (warning,) = load(write(f"{SECRET}[connections.gw]")).warnings
    assert (
        str(warning) == f"{tmp_path}/ike.toml:3: connections.gw: no children: it protects nothing"
    )


def test_a_child_may_have_ah_in_place_of_esp(connection):
    found = connection(of_connection("") + 'ah_proposals = "sha256-x25519, sha512"')
    assert list(map(str, found.children[0].proposals)) == [
        "AH:HMAC_SHA2_256_128/CURVE25519/NO_ESN",
        "AH:HMAC_SHA2_512_256/NO_ESN",
    ]
    found = connection(of_connection("") + 'ah_proposals = "default"')
    (default,) = found.children[0].proposals
    assert str(default).endswith("HMAC_SHA2_512_256/ESN/NO_ESN")


def test_ah_is_never_in_udp(mistakes_in):
    text = of_connection("encap = true") + 'ah_proposals = "sha256"'
    (mistake,) = mistakes_in(SECRET + text)
    assert mistake.endswith(
        "ah_proposals: AH does not go in UDP: leave out encap in the connection"
    )


def test_weak_algorithms_are_permitted_by_a_word_of_the_connection(connection):
    found = connection(
        of_connection('allow_weak = true\nproposals = "3des-md5-modp1024"')
        + 'esp_proposals = "null-sha256"'
    )
    assert str(found.proposals[0]) == "IKE:TRIPLE_DES/HMAC_MD5_96/PRF_HMAC_MD5/MODP_1024"
    assert str(found.children[0].esp_proposals[0]) == "ESP:NULL/HMAC_SHA2_256_128/NO_ESN"


WEAK = "is weak: only with allow_weak = true in the connection"
ONE_PLACE = "needs a connection whose remote_addrs is a single address, or a name"
AT_ONCE = "not less than rekey_time: it could be rekeyed at once, again and again"
REAUTH_AT_ONCE = AT_ONCE.replace("rekey_time", "reauth_time")

BAD_CONNECTION = [
    ('proposals = "aes129-sha256-x25519"', 'proposals: "aes129": unknown keyword; nearest: aes192'),
    ("proposals = []", "proposals: []: at least one expected"),
    (
        'proposals = ["aes128-sha256-x25519", "aes-sha-modp2048-esn"]',
        'proposals: "aes-sha-modp2048-esn": esn and noesn are for ESP only',
    ),
    (
        'proposals = ["aes128-sha256-x25519", "aes-sha2_256-curve25519"]',
        'proposals: "aes-sha2_256-curve25519": given twice',
    ),
    ('proposals = "3des-sha256-x25519"', f'proposals: "3des-sha256-x25519": 3des {WEAK}'),
    ("version = 1", "version: 1: IKEv1 is not available yet: write 2"),
    ("version = 0", "version: 0: IKEv1 is not available yet: write 2"),
    ("version = 3", "version: 3: there is no such IKE version: write 2"),
    ('reauth_time = "0.5s"', 'reauth_time: "0.5s": '),
    ('reauth_time = "1h"\nrand_time = "1h"', f"rand_time: {REAUTH_AT_ONCE}"),
    (
        'remote_addrs = "gw_example..org"',
        f'remote_addrs: "gw_example..org": {EXPECTED}',
    ),
    (
        'local_addrs = "192.0.2.1"\nremote_addrs = "2001:db8::1"',
        "remote_addrs: local_addrs and remote_addrs have no address family in common",
    ),
    ("local_port = 501", "local_port: 501: the daemon listens on 500 and 4500 only"),
    ("rekey_time = true", "rekey_time: true: a duration expected: seconds, "),
    ('rand_time = "5h"', f"rand_time: {AT_ONCE}"),
    ("retransmit_base = 0.5", "retransmit_base: 0.5: out of range: 1 to 10"),
    (
        'unique = "kepp"',
        'unique: "kepp": one of these expected: no, replace, keep, never; nearest: keep',
    ),
    ("[connections.gw.local]\nauth = 'eap'", 'local.auth: "eap": "eap" is not available yet'),
    (
        "local.auth = 'null'\nremote = { auth = 'null', id = 'a.example' }",
        'remote.id: nothing proves it with auth = "null": leave it out',
    ),
    (
        "[connections.gw.remote]\nauth = 'null'",
        'local.auth: the other end has auth = "null": who shares a key with it can prove that, too',
    ),
    (
        "[connections.gw.local]\nauth = 'null'",
        'remote.auth: the other end has auth = "null": who shares a key with it can prove that',
    ),
    ("ppk_required = true", "ppk_required: which one? write its ppk_id, too"),
    ("ppk_id = 'none'", 'ppk_id: no key none: add [secrets.NAME] with type = "ppk" and its ids'),
    ("ppk_id = '*.example'", 'ppk_id: the name of one key expected, or "%any"'),
    ("[connections.gw.local10]", "local10: unknown key"),
    (
        "local1.id = 'a'\nlocal2.id = 'b'\nlocal3.id = 'c'\nlocal4.id = 'd'\nlocal5.id = 'e'",
        "local5: an end proves 4 identities at most",
    ),
    ("[connections.gw.remote]\nid = 'a*b'", 'remote.id: "a*b": a pattern begins with "*." or "*@"'),
    ("[connections.gw.local]\nidd = 'a'", "local.idd: unknown key; nearest: id"),
    ("proposal = 'x'", "proposal: unknown key; nearest: proposals"),
    ("children = 5", "children: 5: a section expected: [connections.gw.children]"),
]

BAD_CHILD = [
    ('esp_proposals = "aes128"', 'esp_proposals: "aes128": no integrity algorithm: add one'),
    ('esp_proposals = "null-sha1"', f'esp_proposals: "null-sha1": null {WEAK}'),
    ('esp_proposals = "default, aes128-md5"', f'esp_proposals: "aes128-md5": md5 {WEAK}'),
    ('ah_proposals = "aes128-sha256"', 'ah_proposals: "aes128-sha256": AH does not encrypt'),
    ('ah_proposals = "x25519"', 'ah_proposals: "x25519": no integrity algorithm: add one'),
    ('ah_proposals = "md5"', f'ah_proposals: "md5": md5 {WEAK}'),
    (
        'ah_proposals = "sha256"\nesp_proposals = "default"',
        "ah_proposals: a child has AH or ESP: leave out ah_proposals or esp_proposals",
    ),
    ('start_action = "trap"', f"start_action: trap {ONE_PLACE}"),
    ('start_action = "trap|start"', f"start_action: trap|start {ONE_PLACE}"),
    ('dpd_action = "trap"', f"dpd_action: trap {ONE_PLACE}"),
    ('close_action = "trap"', f"close_action: trap {ONE_PLACE}"),
    (
        'start_action = "start"',
        "start_action: start needs a connection whose remote_addrs is a single address",
    ),
    (
        'life_time = "30m"',
        "life_time: not more than rekey_time: it would end before it is rekeyed",
    ),
    (
        'rekey_bytes = "1G"\nlife_bytes = "1G"',
        "life_bytes: not more than rekey_bytes: it would end before it is rekeyed",
    ),
    ('rand_time = "1h"', f"rand_time: {AT_ONCE}"),
    ("replay_window = 4097", "replay_window: 4097: out of range: 0 to 4096"),
    (
        'mark_in = "0x100/0xff"',
        'mark_in: "0x100/0xff": the mark has bits outside of its mask',
    ),
    (
        'local_ts = "10.0.0.0/8"\nremote_ts = "2001:db8::/32"',
        "remote_ts: local_ts and remote_ts have no address family in common",
    ),
    ('local_ts = "10.0.0.1/8"', 'local_ts: "10.0.0.1/8": bits are set behind the prefix; nearest'),
    ("policies = 'no'", 'policies: "no": true or false expected: write false, without quotes'),
]


@pytest.mark.parametrize(("options", "message"), BAD_CONNECTION)
def test_a_mistake_in_a_connection_is_one_line(mistakes_in, options, message):
    (line,) = mistakes_in(f"{SECRET}[connections.gw]\n{options}")
    assert line.partition(": connections.gw.")[2].startswith(message)


@pytest.mark.parametrize(("options", "message"), BAD_CHILD)
def test_a_mistake_in_a_child_is_one_line(mistakes_in, options, message):
    (line,) = mistakes_in(f"{SECRET}{CHILD}{options}")
    assert line.partition(": connections.gw.children.net.")[2].startswith(message)


@pytest.mark.parametrize("name", ["a b", "", "a/b", "x" * 65, "-x", "\\u001b[31m"])
def test_names_that_cannot_be_typed_are_refused(mistakes_in, name):
    (line,) = mistakes_in(f'{SECRET}[connections."{name}".children.net]')
    assert line.endswith("a name has up to 64 letters, digits, and any of _.:@-")
    assert "\x1b" not in line


def test_a_faulty_option_has_no_consequences(mistakes_in):
    lines = mistakes_in(f'{SECRET}{CHILD}rekey_time = "x"\nlife_time = "1m"\nrand_time = "5h"')
    assert len(lines) == 1


def test_a_faulty_address_does_not_forbid_to_start(mistakes_in):
    lines = mistakes_in(
        f"{SECRET}[connections.gw]\nremote_addrs = '1.2'\n{CHILD}start_action = 'start'"
    )
    assert len(lines) == 1


def test_names_stand_beside_addresses(connection):
    options = 'remote_addrs = ["GW.example.org", "192.0.2.1"]\nlocal_addrs = "me.example.org"'
    found = connection(of_connection(options))
    assert found.remote_names == ("gw.example.org",)
    assert [one.single for one in found.remote_addrs] == [ip_address("192.0.2.1")]
    assert found.local_names == ("me.example.org",)
    assert found.local_addrs == ()


def test_a_child_may_start_where_the_peer_has_a_name(connection):
    found = connection(of_connection('remote_addrs = "gw.example.org"') + 'start_action = "start"')
    assert found.children[0].start_action is StartAction.START


def test_a_peer_that_proves_nothing_should_have_its_own_address_alone(write) -> None:
    """(RFC 7619 section 2.5)"""
    text = """
[connections.gw]
remote_addrs = "192.0.2.2"
local = { auth = "null" }
remote = { auth = "null" }
[connections.gw.children.own]
[connections.gw.children.net]
remote_ts = "10.2.0.0/16"
"""
    configuration = load(write(text))
    (warning,) = configuration.warnings
    assert "children.net.remote_ts: anybody can take these addresses" in str(warning)
    assert configuration.connections[0].local.is_null


def test_rounds_are_in_the_order_of_their_numbers_or_of_the_file(write) -> None:
    """(RFC 4739 section 2)"""
    text = f"""{SECRET}
[connections.gw]
local-1 = {{ id = "first.example", round = 1 }}
local-0 = {{ id = "zeroth.example" }}
remote = {{ id = "one.example" }}
remote2 = {{ id = "two.example" }}
[connections.gw.children.net]
"""
    (gw,) = load(write(text)).connections
    assert [str(one.id.identity) for one in gw.local_rounds] == ["zeroth.example", "first.example"]
    assert [str(one.id.identity) for one in gw.remote_rounds] == ["one.example", "two.example"]
    assert gw.has_rounds
