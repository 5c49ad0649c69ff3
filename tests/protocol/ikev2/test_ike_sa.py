"""Every class of algorithms once from end to end, and the engine's queue."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from ikeactors.protocol.actions import SendDatagram
from ikeactors.protocol.choices import Fragmentation
from ikeactors.protocol.events import Endpoint, RekeyRequested
from ikeactors.protocol.ikev2 import ike_sa as engine
from ikeactors.protocol.ikev2.association import Association
from tests import pair as two_ends
from tests.pair import Pair, child, connection, esp, ike, opposite, selectors

IKE = [
    "aes128-sha1-modp2048",
    "aes192-sha256-modp3072",
    "aes256-sha384-ecp256",
    "aes256-sha512-ecp384",
    "aes128ctr-aesxcbc-prfaesxcbc-ecp521",
    "aes256ctr-aescmac-prfaescmac-x25519",
    "aes128gcm8-prfsha1-x448",
    "aes192gcm12-prfsha256-ecp256bp",
    "aes256gcm16-prfsha512-ecp384bp",
    "aes128ccm16-prfsha384-ecp512bp",
    "chacha20poly1305-prfsha256-x25519",
    "3des-md5-prfmd5-modp1024",
]
ESP = [
    "aes128-sha1",
    "aes256-sha512-x25519-esn",
    "aes192ctr-aesxcbc",
    "aes256-aescmac",
    "aes256gcm16-ecp256-esn-noesn",
    "aes128ccm8",
    "aes128gmac",
    "chacha20poly1305",
    "3des-md5",
    "null-sha256",
]


@pytest.mark.parametrize("words", IKE)
def test_every_class_of_ike_algorithms_works_end_to_end(words: str) -> None:
    pair = Pair(connection(proposals=ike(words))).establish()
    pair.give(pair.east, RekeyRequested())
    pair.settle()
    pair.give(pair.west, RekeyRequested(child="net"))
    pair.settle()
    pair.pass_time(6)
    pair.assert_one_pair()
    assert pair.west.said("ike-sa-rekeyed")


@pytest.mark.parametrize("words", ESP)
def test_every_class_of_esp_algorithms_works_end_to_end(words: str) -> None:
    pair = Pair(connection(children=(child(esp_proposals=esp(words)),))).establish()
    pair.assert_mirrored()
    pair.give(pair.east, RekeyRequested(child="net"))
    pair.settle()
    pair.pass_time(6)
    pair.assert_one_pair()
    for sa in pair.west.sas.values():
        assert len(sa.encr_key) == sa.suite.encr_key_octets
        assert len(sa.integ_key) == sa.suite.integ_key_octets
    ours, theirs = ({sa.encr_key + sa.integ_key for sa in end.sas.values()} for end in pair.ends())
    assert len(ours) == 2
    assert ours == theirs


def test_it_works_over_ipv6() -> None:
    west, east = (Endpoint(ip_address(f"2001:db8::{end}"), 500) for end in (1, 2))
    dynamic = (two_ends.ChildSettings("net", esp_proposals=esp("aes128gcm16")),)
    ours = connection(remote_addrs=(), children=dynamic)
    pair = Pair(ours, replace(opposite(ours), remote_addrs=()))
    pair.west.association = Association.initiating(
        pair.west_settings, ours, west, east, pair.west.association.surroundings
    )
    pair.east.association = Association.responding(
        pair.east_settings, east, west, pair.east.association.surroundings
    )
    pair.establish()
    pair.assert_mirrored()
    (one,) = pair.west.association.children
    assert [str(selector) for selector in one.agreement.local_ts] == ["2001:db8::1/128"]
    assert str(pair.west.association.snapshot(pair.now).remote) == "[2001:db8::2]:500"


def test_exchanges_wait_for_their_turn() -> None:
    """(RFC 7296 section 2.3)"""
    children = tuple(child(f"c{number}") for number in range(5))
    pair = Pair(connection(children=children)).establish()
    pair.trace.clear()
    for one in children:
        pair.give(pair.west, RekeyRequested(child=one.name))
    assert len(pair.trace) == 1
    assert not pair.west.association.ike_sa.is_idle
    pair.settle()
    assert len(pair.trace) == 20
    pair.pass_time(6)
    pair.assert_mirrored()
    assert len(pair.west.sas) == 10


def test_a_queue_that_is_full_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = Pair(connection()).establish()
    monkeypatch.setattr(engine, "MAX_QUEUED", 0)
    pair.give(pair.west, RekeyRequested(child="net", request_id=5))
    assert pair.west.answers[-1].text == "too many exchanges are waiting"


def test_no_iv_is_used_twice() -> None:
    for words in (
        "aes128gcm16-prfsha256-x25519",
        "aes128ctr-sha256-x25519",
        "aes128-sha256-x25519",
    ):
        pair = Pair(connection(proposals=ike(words), dpd_delay=1.0)).establish()
        pair.pass_time(100)
        length = pair.west.association.ike_sa.suite.cipher.iv_octets
        sent = [
            action.octets[32 : 32 + length]
            for action in pair.west.actions
            if isinstance(action, two_ends.SendDatagram) and action.octets[16] == 46
        ]
        assert len(sent) > 20
        assert len(set(sent)) == len(sent)


def test_messages_of_three_thousand_octets_are_sent_and_served() -> None:
    """(RFC 7296 section 2)"""
    networks = tuple(f"2001:db8:{number:x}::/48" for number in range(80))
    wide = child(local_ts=selectors(*networks), remote_ts=selectors("2001:db8:ffff::/48"))
    pair = Pair(connection(children=(wide,), fragmentation=Fragmentation.NO)).establish()
    sent = [one for one in pair.west.actions if isinstance(one, SendDatagram)]
    assert max(len(one.octets) for one in sent) > 3000
    (ours,) = pair.east.association.children
    assert len(ours.agreement.remote_ts) == 80
