"""Signatures by keys on tokens: who waits for one, and where it is asked for.

A token may take seconds, and its module may never come back. So a thread asks, one for each module,
and every wait ends at a deadline: associations go on meanwhile, and those with other keys notice
nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import trio

from ikeactors.crypto.signature_schemes import BY_IDENTIFIER, SignatureScheme
from ikeactors.errors import Fault

# Ours: less than an association waits (see protocol/ikev2/revocation.py); cards take a second.
PATIENCE = 20.0
# Ours: who wants a signature while so many wait is refused at once: no token makes more in time.
MAX_PENDING = 256

# Takes the signature, or why there is none.
Signed = Callable[[bytes, str], None]
# Has a key of the configuration sign in a way, given by its AlgorithmIdentifier.
Sign = Callable[[str, bytes, bytes, Signed], None]


class TokenRefused(Fault):
    """There is no signature, or no key; the text names the module, the token and the key."""


@dataclass(frozen=True, slots=True)
class TokenReference:
    """Where a key of the configuration is: `handle` is its CKA_ID, on any token if none is said."""

    name: str
    module: str
    handle: bytes
    slot: int | None = None
    label: str = ""
    pin: str = field(default="", repr=False)

    def __str__(self) -> str:
        places = [f"token {self.label!r}"] if self.label else []
        places += [f"slot {self.slot}"] if self.slot is not None else []
        place = ", ".join(places) or "any token"
        return f"key {self.handle.hex()} of secrets.{self.name} ({place}, module {self.module})"


class TokenModules(Protocol):
    """Whoever calls modules: threads do, and wait there. Each call raises `TokenRefused`."""

    def sign(self, reference: TokenReference, scheme: SignatureScheme, octets: bytes) -> bytes: ...
    def is_there(self, reference: TokenReference) -> bool: ...


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """The keys of the configuration that are on tokens; `missing` are those nobody could read."""

    modules: TokenModules
    references: tuple[TokenReference, ...]
    missing: tuple[TokenReference, ...] = ()

    def has_come(self) -> bool:
        """Whether one that was missing is there now. For threads."""
        return any(map(self.modules.is_there, self.missing))


@dataclass(frozen=True, slots=True)
class TokenStatistics:
    """Signatures that are awaited, that were made, and that were refused."""

    pending: int
    signed: int
    refused: int


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    reference: TokenReference
    scheme: SignatureScheme
    octets: bytes
    answer: Signed


class Tokens:
    """Signatures that are awaited; it outlives the actor. `carry` calls a function in a thread."""

    def __init__(self, carry: Callable[..., Awaitable[Any]] = trio.to_thread.run_sync) -> None:
        self._carry = carry
        self.settings: TokenSettings | None = None
        self._references: dict[str, TokenReference] = {}
        self._limiters: dict[str, trio.CapacityLimiter] = {}
        self._waiting: deque[_Job] = deque()
        self._begun: list[_Job] = []
        self._filled = trio.Event()
        self._signed = 0
        self._refused = 0

    def configure(self, settings: TokenSettings | None) -> None:
        """These keys there are from now on."""
        self.settings = settings
        self._references = {one.name: one for one in settings.references} if settings else {}

    def sign(self, key: str, algorithm: bytes, octets: bytes, answer: Signed) -> None:
        """Have a token sign."""
        reference = self._references.get(key)
        if reference is None:
            self._refuse(answer, f"secrets.{key} names no key on a token any more")
        elif len(self._waiting) + len(self._begun) >= MAX_PENDING:
            self._refuse(answer, f"{reference}: too many signatures are waiting for it")
        else:
            self._waiting.append(_Job(reference, BY_IDENTIFIER[algorithm], octets, answer))
            self._filled.set()

    @property
    def is_used(self) -> bool:
        """Whether any key is on a token."""
        return bool(self._references)

    def statistics(self) -> TokenStatistics:
        """What the admin socket shows."""
        pending = len(self._waiting) + len(self._begun)
        return TokenStatistics(pending, self._signed, self._refused)

    async def run(self) -> None:
        """The actor: begin each signature as soon as it is asked for."""
        for job in tuple(self._begun):
            self._settle(job, b"", f"{job.reference}: the signature was interrupted")
        async with trio.open_nursery() as nursery:
            while True:
                while not self._waiting:
                    self._filled = trio.Event()
                    await self._filled.wait()
                job = self._waiting.popleft()
                self._begun.append(job)
                nursery.start_soon(self._carry_out, job)

    async def _carry_out(self, job: _Job) -> None:
        assert self.settings is not None
        module = job.reference.module
        limiter = self._limiters.setdefault(module, trio.CapacityLimiter(1))
        work = partial(_signature, self.settings.modules, job)
        signature, refusal = b"", f"{job.reference}: no answer within {PATIENCE:g} s"
        with trio.move_on_after(PATIENCE):
            signature, refusal = await self._carry(work, abandon_on_cancel=True, limiter=limiter)
        self._settle(job, signature, refusal)

    def _settle(self, job: _Job, signature: bytes, refusal: str) -> None:
        self._begun.remove(job)
        if refusal:
            self._refuse(job.answer, refusal)
            return
        self._signed += 1
        job.answer(signature, "")

    def _refuse(self, answer: Signed, refusal: str) -> None:
        self._refused += 1
        answer(b"", refusal)


def sign_nothing(key: str, algorithm: bytes, octets: bytes, answer: Signed) -> None:
    """Where there are no tokens."""
    answer(b"", f"secrets.{key}: this daemon asks no tokens")


def _signature(modules: TokenModules, job: _Job) -> tuple[bytes, str]:
    try:
        return modules.sign(job.reference, job.scheme, job.octets), ""
    except TokenRefused as refused:
        return b"", str(refused)
