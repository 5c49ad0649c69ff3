"""Child SAs that are to be negotiated later, unless they come about until then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikeactors.protocol.ikev2.requests import Request
from ikeactors.protocol.settings import ChildSettings
from ikeactors.protocol.timers import Timer

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association

# Ours: a Child SA that is to be up always, and was refused, is tried again after so long, or up to
# twice as long: refusals are mostly matters of configuration, which take people.
FAILED_WAIT = 30.0


def create_later(association: Association, settings: ChildSettings, delay: float) -> None:
    """Negotiate a new Child SA unless one comes about until then."""
    number = association.next_number()
    association.children.wanted[number] = settings
    association.timers.start(Timer.CHILD_CREATE, association.now + delay, number)


def create_wanted(association: Association, number: int) -> None:
    """The time of `create_later` has come."""
    children = association.children
    settings = children.wanted.pop(number, None)
    if settings is not None and not children.stands(settings.name):
        children.create(settings, Request(None))


def keep_up(association: Association, settings: ChildSettings) -> None:
    """One that is to be up always has not come about, or not stayed: it is tried again."""
    if not settings.start_action.starts:
        return
    if settings not in association.children.wanted.values():
        delay = FAILED_WAIT * (1.0 + association.surroundings.fraction())
        create_later(association, settings, delay)


def give_up(association: Association, name: str) -> None:
    """An operator does not want it any more: it is not tried again."""
    wanted = association.children.wanted
    for number in [number for number, one in wanted.items() if one.name == name]:
        del wanted[number]
        association.timers.stop(Timer.CHILD_CREATE, number)
