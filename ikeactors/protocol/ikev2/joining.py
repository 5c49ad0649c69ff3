"""Operators who want a Child SA that is on its way into the data plane already.

They hear when it is there, or that it did not come about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikeactors.protocol.ikev2.requests import Request

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association


def join(association: Association, name: str, request: Request) -> None:
    """Answer when a Child SA of this name is up; it is, or is being installed."""
    children = association.children
    if children.named(name):
        request.finish_part(association)
    else:
        children.joined = (*children.joined, (name, request))


def settle(association: Association, name: str, problem: str = "") -> None:
    """A Child SA of this name is up; with a problem, there is none."""
    children = association.children
    if not children.joined:
        return
    answered = [request for one, request in children.joined if one == name]
    children.joined = tuple(one for one in children.joined if one[0] != name)
    for request in answered:
        request.finish_part(association, problem)


def missed(association: Association, name: str) -> None:
    """One of this name is gone: whoever waits for it hears that, unless there is another."""
    if association.children.joined and not association.children.stands(name):
        settle(association, name, "it did not come about")
