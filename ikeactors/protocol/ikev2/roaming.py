"""What becomes of an association when this host's addresses or routes change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ikeactors.protocol.actions import Level
from ikeactors.protocol.events import Address
from ikeactors.protocol.ikev2 import liveness, paths, probing
from ikeactors.protocol.ikev2.mobike import Mobike, own_addresses
from ikeactors.protocol.ikev2.retransmission import send_all_again
from ikeactors.protocol.ikev2.update_addresses import announce, update

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association


def look_around(association: Association) -> None:
    """Is the way to the peer still there, and still the best? (RFC 4555 section 3.5)"""
    addresses = association.surroundings.addresses()
    if not association.established or not addresses:
        return
    known = association.mobike
    if known is None:
        _miss_address(association, addresses)
    elif known.decides:
        _decide(association, known, addresses)
    else:
        _stay(association, known, addresses)


def _miss_address(association: Association, addresses: tuple[Address, ...]) -> None:
    """Without MOBIKE an address cannot be changed: is ours still there?

    Where it is not, the peer is asked, which ends in an answer when the address comes back soon.
    """
    if association.local.address not in addresses:
        text = f"our address {association.local.address} is gone from this host"
        association.report("local-address-lost", text, Level.WARNING)
        liveness.ask(association)


def _decide(association: Association, known: Mobike, addresses: tuple[Address, ...]) -> None:
    """The addresses are ours to choose: take the best way there is."""
    here, way = paths.ends(association), probing.best_way(association)
    if way is None:
        _strand(association, known)
    elif way != here:
        _go(association, way)
        update(association, here)
    elif _are_others(association, known, addresses):
        send_all_again(association)
        announce(association)


def _stay(association: Association, known: Mobike, addresses: tuple[Address, ...]) -> None:
    """The peer chooses the addresses; only where ours is gone we take another at once.

    That is the one case in which a responder moves its Child SAs by itself (RFC 4555 section 3.5).
    """
    if association.local.address not in addresses:
        way = probing.best_way(association)
        if way is None:
            _strand(association, known)
            return
        _go(association, way)
        paths.move_children(association)
        announce(association)
    elif _are_others(association, known, addresses):
        send_all_again(association)
        announce(association)


def _go(association: Association, way: paths.Ends) -> None:
    text = f"from {association.local} to {association.remote} no more: from {way[0]} to {way[1]}"
    association.report("path-chosen", text)
    association.local, association.remote = way
    send_all_again(association)


def _strand(association: Association, known: Mobike) -> None:
    """Nothing can be sent; when that changes, what is under way is sent again at once."""
    if known.told:
        text = f"no address of this host has a route to the peer {association.remote}: waiting"
        association.report("path-lost", text, Level.WARNING)
    known.told = ()


def _are_others(association: Association, known: Mobike, addresses: tuple[Address, ...]) -> bool:
    """Whether the peer is to be told of other additional addresses than it knows."""
    if addresses is known.told:
        return False
    before, now = known.told, addresses
    return own_addresses(association, before) != own_addresses(association, now) or not before
