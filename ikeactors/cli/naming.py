"""What DNSSEC proves of a peer's name, as the daemon would ask it. Needs the extra `dnssec`."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import trio

from ikeactors.errors import Fault
from ikeactors.iana import IdType
from ikeactors.protocol.ikev2.revocation import PATIENCE

if TYPE_CHECKING:
    from ikeactors.config.dnssec import DnsSettings
    from ikeactors.wire.identities import Identity


class NotProven(Fault):
    """Nothing is proven of the name; the text says why."""


def proven_addresses(dns: DnsSettings, identity: Identity) -> str:
    """The addresses of the name, as a sentence lists them. Raises NotProven."""
    if identity.type is not IdType.FQDN:
        raise NotProven(f"{identity} is no name of a host")
    return trio.run(partial(_ask, dns, str(identity)))


async def _ask(dns: DnsSettings, name: str) -> str:
    from ikeactors.actors.resolvers import Resolvers
    from ikeactors.actors.validation import Validator, read_anchors

    anchors = read_anchors(dns.anchors) if dns.anchors else None
    validator = Validator(Resolvers(dns.servers).ask, anchors, time.time)
    with trio.move_on_after(PATIENCE):
        try:
            return ", ".join(map(str, (await validator.addresses(name)).addresses))
        except Fault as fault:
            raise NotProven(str(fault)) from None
    raise NotProven(f"it is not done within {PATIENCE:g} s")
