"""What of a child is dropped while it is down has to be known before there is a peer."""

from __future__ import annotations

from ikeactors.config import load

HEAD = """
[secrets.x]
secret = "0123456789abcdef"
[connections.b]
local = {auth = "psk", id = "a"}
remote = {auth = "psk", id = "b"}
remote_addrs = "192.0.2.2"
[connections.b.children.net]
"""
NETWORKS = 'local_ts = "10.1.0.0/16"\nremote_ts = "10.2.0.0/16"\n'


def test_what_is_down_is_blocked_where_that_is_said(write):
    (connection,) = load(write(HEAD + NETWORKS + 'policy_on_down = "block"')).connections
    assert connection.children[0].blocks
    (connection,) = load(write(HEAD + NETWORKS)).connections
    assert not connection.children[0].blocks


def test_what_depends_on_the_peer_cannot_be_blocked(mistakes_in):
    (mistake,) = mistakes_in(HEAD + 'local_ts = "10.1.0.0/16"\npolicy_on_down = "block"')
    assert "policy_on_down" in mistake
    assert 'without "dynamic"' in mistake


def test_nothing_is_blocked_without_policies(mistakes_in):
    (mistake,) = mistakes_in(HEAD + NETWORKS + 'policies = false\npolicy_on_down = "block"')
    assert "nothing is blocked without policies" in mistake
