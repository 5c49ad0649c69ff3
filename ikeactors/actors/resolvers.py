"""The resolvers that are asked about DNSSEC: one question to one of them, over UDP or TCP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import dns.asyncbackend
import dns.asyncquery
import dns.exception
import dns.message

from ikeactors.actors.validation import Unproven
from ikeactors.protocol.events import Endpoint

# Ours: a resolver that has to ask others takes a second or two.
TIMEOUT = 4.0

Ask = Callable[[dns.message.Message], Awaitable[dns.message.Message]]


@dataclass(frozen=True, slots=True)
class Resolvers:
    """Asked one after the other, until one answers."""

    servers: Sequence[Endpoint]

    async def ask(self, query: dns.message.Message) -> dns.message.Message:
        """An answer to this question. Raises `Unproven`."""
        backend = dns.asyncbackend.get_backend("trio")
        problems: list[str] = []
        for one in self.servers:
            try:
                response, _ = await dns.asyncquery.udp_with_fallback(
                    query, str(one.address), TIMEOUT, one.port, backend=backend
                )
            except (dns.exception.DNSException, OSError, EOFError) as error:
                problems.append(f"{one}: {_reason(error)}")
            else:
                return response
        raise Unproven(f"no name server answers ({'; '.join(problems)})")


def _reason(error: Exception) -> str:
    if isinstance(error, dns.exception.Timeout):
        return f"it is not done within {TIMEOUT:g} s"
    return str(error) or type(error).__name__
