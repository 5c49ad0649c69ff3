"""The daemon's own policies, as the kernel actor is asked for them."""

from __future__ import annotations

from ikeactors.actors.shunts import shunts
from ikeactors.protocol.events import ChildSaInstalled
from ikeactors.protocol.settings import ConnectionSettings, Shunt
from tests.fakes.sas import policy


def test_each_shunt_is_asked_for_by_itself() -> None:
    one, other = Shunt("one", (policy(),)), Shunt("other", (policy(destination="10.9.0.0/24"),))
    asked = list(shunts((ConnectionSettings("a", shunts=(one, other)), ConnectionSettings("b"))))
    assert [request.action.policies for request in asked] == [one.policies, other.policies]
    assert {request.owner for request in asked} == {0}
    assert not any(request.action.sas for request in asked)


def test_answers_go_nowhere() -> None:
    (request,) = shunts((ConnectionSettings("a", shunts=(Shunt("one", (policy(),)),)),))
    request.mailbox.post_assured(ChildSaInstalled(0))
    assert request.mailbox.post(ChildSaInstalled(0))
