"""Signatures that are awaited: each is answered, whatever becomes of the token."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from ikeactors.actors.tokens import (
    MAX_PENDING,
    PATIENCE,
    TokenReference,
    TokenRefused,
    Tokens,
    TokenSettings,
)
from ikeactors.crypto.signature_schemes import SCHEMES, SignatureScheme

ALGORITHM = SCHEMES[0].identifier
KEY = TokenReference("gw", "/lib/module.so", b"\x01")
OTHER = TokenReference("other", "/lib/other.so", b"\x02")


class FakeModules:
    def __init__(self) -> None:
        self.there = False

    def sign(self, reference: TokenReference, scheme: SignatureScheme, octets: bytes) -> bytes:
        if octets == b"refuse":
            raise TokenRefused(f"{reference}: the PIN is wrong")
        return b"signed " + octets

    def is_there(self, reference: TokenReference) -> bool:
        return self.there


class Heard(list):
    def __call__(self, signature: bytes, refusal: str) -> None:
        self.append((signature, refusal))


def tokens_of(hanging: tuple[str, ...] = ()) -> Tokens:
    """In threads that are none: one of a module that hangs does not come back."""

    async def carry(work, *, abandon_on_cancel, limiter):
        async with limiter:
            if work.args[1].reference.module in hanging:
                await trio.sleep_forever()
            return work()

    tokens = Tokens(carry)
    tokens.configure(TokenSettings(FakeModules(), (KEY, OTHER)))
    return tokens


async def test_a_signature_is_answered(autojump_clock, nursery) -> None:
    tokens, heard = tokens_of(), Heard()
    nursery.start_soon(tokens.run)
    tokens.sign("gw", ALGORITHM, b"this", heard)
    tokens.sign("gw", ALGORITHM, b"refuse", heard)
    await trio.testing.wait_all_tasks_blocked()
    assert sorted(heard) == [(b"", f"{KEY}: the PIN is wrong"), (b"signed this", "")]
    assert (tokens.statistics().signed, tokens.statistics().refused) == (1, 1)


async def test_a_module_that_hangs_is_waited_for_so_long_and_holds_up_no_other(
    autojump_clock, nursery
) -> None:
    tokens, slow, quick = tokens_of((KEY.module,)), Heard(), Heard()
    nursery.start_soon(tokens.run)
    tokens.sign("gw", ALGORITHM, b"this", slow)
    tokens.sign("other", ALGORITHM, b"that", quick)
    await trio.testing.wait_all_tasks_blocked()
    assert (slow, quick) == ([], [(b"signed that", "")])
    await trio.sleep(PATIENCE + 1)
    assert slow == [(b"", f"{KEY}: no answer within {PATIENCE:g} s")]


async def test_who_asks_too_much_is_refused_at_once() -> None:
    tokens, heard = tokens_of(), Heard()
    for _ in range(MAX_PENDING + 1):
        tokens.sign("gw", ALGORITHM, b"this", heard)
    assert heard == [(b"", f"{KEY}: too many signatures are waiting for it")]


async def test_a_key_that_a_reload_has_taken_away_signs_no_more() -> None:
    tokens, heard = tokens_of(), Heard()
    tokens.configure(None)
    tokens.sign("gw", ALGORITHM, b"this", heard)
    assert heard == [(b"", "secrets.gw names no key on a token any more")]


async def test_what_the_actor_has_died_over_is_answered(autojump_clock) -> None:
    tokens, heard = tokens_of((KEY.module,)), Heard()
    tokens.sign("gw", ALGORITHM, b"this", heard)
    for _ in range(2):
        with trio.move_on_after(0.5):
            await tokens.run()
    assert heard == [(b"", f"{KEY}: the signature was interrupted")]


@pytest.mark.parametrize("there", [True, False])
def test_a_missing_token_is_looked_for(there: bool) -> None:
    modules = FakeModules()
    modules.there = there
    assert TokenSettings(modules, (KEY, OTHER), (KEY,)).has_come() is there
    assert not TokenSettings(modules, (KEY, OTHER)).has_come()
