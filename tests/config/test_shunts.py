"""Children that only let pass or drop: their policies, and what has no meaning for them."""

from __future__ import annotations

from ikeactors.config import load
from ikeactors.kernel.requests import Direction, Mark, PolicyAction
from ikeactors.wire.selectors import TrafficSelector
from tests.fakes.sas import selector

SECRET = '[secrets.x]\nsecret = "0123456789abcdef"\n'
SHUNT = """
[connections.local]
[connections.local.children.dns]
mode = "pass"
local_ts = "10.1.0.0/16"
remote_ts = "10.2.0.53/32[udp/53]"
priority = 9
mark_in = 1
mark_out = 2
if_id_out = 3
"""


def test_a_shunt_is_policies_in_all_directions(write):
    """(RFC 4301 section 4.4.1)"""
    (connection,) = load(write(SHUNT)).connections
    (shunt,) = connection.shunts
    assert (shunt.name, connection.children) == ("dns", ())
    here, there = selector("10.1.0.0/16"), selector("10.2.0.53/32", 17, (53, 53))
    assert [(one.direction, one.source, one.destination) for one in shunt.policies] == [
        (Direction.IN, there, here),
        (Direction.OUT, here, there),
        (Direction.FWD, there, here),
    ]
    assert {one.action for one in shunt.policies} == {PolicyAction.PASS}
    assert {one.priority for one in shunt.policies} == {9}
    assert [(one.mark, one.if_id) for one in shunt.policies] == [
        (Mark(1), 0),
        (Mark(2), 3),
        (Mark(1), 0),
    ]


def test_without_a_peer_it_needs_no_secret_and_nobody_may_use_it(write):
    configuration = load(write(SHUNT))
    assert configuration.warnings == ()
    assert configuration.settings().connections == ()


def test_dynamic_is_every_address(write):
    text = '[connections.local.children.rest]\nmode = "drop"\nremote_ts = "dynamic[tcp/25]"'
    (connection,) = load(write(text)).connections
    (shunt,) = connection.shunts
    assert len(shunt.policies) == 6
    ends: set[TrafficSelector] = {one.destination for one in shunt.policies if one.direction == 1}
    assert ends == {selector("0.0.0.0/0", 6, (25, 25)), selector("::/0", 6, (25, 25))}


def test_beside_others_it_is_not_negotiated(write):
    text = f"{SECRET}{SHUNT}\n[connections.local.children.net]\n"
    (connection,) = load(write(text)).settings().connections
    assert [one.name for one in connection.children] == ["net"]
    assert [one.name for one in connection.shunts] == ["dns"]


def test_what_has_no_meaning_is_a_warning(write):
    (warning,) = load(write(f'{SHUNT}esp_proposals = "default"\nstart_action = "start"')).warnings
    assert str(warning).endswith('esp_proposals: without meaning where mode = "pass"')
