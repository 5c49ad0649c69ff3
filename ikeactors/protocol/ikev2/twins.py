"""Child SAs of the same traffic that both ends have made at once (RFC 7296 section 2.8.1).

The RFC has nothing for Child SAs that are created at once, so it is as with those that are rekeyed
at once: the one with the lowest nonce is deleted by the end that made it. Until then they have one
reqid, so that the policies of either end are good for both, and the second one sends only when the
first is gone: its maker may still be waiting for our answer.
"""

from __future__ import annotations

from collections.abc import Iterable

from ikeactors.protocol.ikev2.child_sa import Agreement, ChildSa
from ikeactors.protocol.settings import ChildSettings


def twin_of(
    children: Iterable[ChildSa], settings: ChildSettings, agreement: Agreement
) -> ChildSa | None:
    """One for the same traffic of the same child that there is already, and stays, or None."""
    return next(
        (
            one
            for one in children
            if one.settings is settings and not one.is_going and one.agreement.is_alike(agreement)
        ),
        None,
    )


def beside(children: Iterable[ChildSa], child: ChildSa) -> list[ChildSa]:
    """The others whose policies are the same: twins, and what replaces them."""
    return [
        one
        for one in children
        if one is not child and one.reqid == child.reqid and one.settings is child.settings
    ]


def has_sender_beside(children: Iterable[ChildSa], child: ChildSa) -> bool:
    """Whether the same traffic leaves by another one still."""
    return any(one.outbound_installed for one in beside(children, child))
