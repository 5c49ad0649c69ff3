"""Lists from LDAP servers on the loopback, which behave as badly as they can."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio

from ikeactors.actors.fetching import Fetcher, Unfetchable, Wanted
from ikeactors.wire.ldap import Place, write_search
from tests.actors.test_fetching import Listen, Serve, answering, nobody
from tests.actors.test_fetching import listen as listen

PATH = "/CN=root,O=x?certificateRevocationList;binary"
LIMIT = 100

Fetched = Callable[..., Awaitable[bytes]]


def element(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return bytes((tag, 0x82)) + len(body).to_bytes(2, "big") + body


def message(tag: int, *parts: bytes) -> bytes:
    return element(0x30, b"\x02\x01\x01", element(tag, *parts))


def entry(*values: bytes) -> bytes:
    found = element(0x31, *(element(4, value) for value in values))
    attribute = element(0x30, element(4, b"certificateRevocationList;binary"), found)
    return message(0x64, element(4, b"CN=root,O=x"), element(0x30, attribute))


def done(code: int = 0) -> bytes:
    return message(0x65, bytes((0x0A, 1, code)), element(4), element(4))


@pytest.fixture
def fetched(listen: Listen) -> Fetched:
    async def fetched(serve: Serve, path: str = PATH, **changes: object) -> bytes:
        permitted = {"anywhere": True, "directories": True, **changes}
        fetcher = Fetcher(nobody, **permitted)  # type: ignore[arg-type]
        return await fetcher.fetch(Wanted(f"ldap://127.0.0.1:{await listen(serve)}{path}", LIMIT))

    return fetched


async def test_the_value_of_the_attribute_is_fetched(fetched: Fetched) -> None:
    requests: list[bytes] = []
    referral = message(0x73, element(4, b"ldap://elsewhere/"))
    serve = answering(referral + entry(b"list") + done(), requests=requests)
    assert await fetched(serve) == b"list"
    assert requests == [write_search(Place("CN=root,O=x", "certificateRevocationList;binary"))]


async def test_answers_come_in_pieces(fetched: Fetched) -> None:
    async def dripping(stream: trio.SocketStream) -> None:
        await stream.receive_some(65536)
        for octet in entry(b"list") + done():
            await stream.send_all(bytes((octet,)))

    assert await fetched(dripping) == b"list"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (done(32), "it answers noSuchObject"),
        (done(), "the entry has 0 values of certificateRevocationList;binary"),
        (entry(b"a", b"b") + done(), "the entry has 2 values"),
        (entry(bytes(LIMIT + 1)) + done(), "it has more than 100 octets"),
        (b"\x30\x84\x7f\xff\xff\xff", "it answers with 2147483653 octets"),
        (entry(b"list"), "it has hung up"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "it speaks no LDAP"),
        (entry(b"list") * 17, "more than 16 answers"),
        (b"", "it has hung up"),
    ],
)
async def test_what_is_no_good_answer_is_told(fetched: Fetched, answer: bytes, reason: str) -> None:
    """Case E20."""
    with pytest.raises(Unfetchable) as refused:
        await fetched(answering(answer))
    assert reason in str(refused.value)


async def test_a_server_that_says_nothing_is_left(fetched: Fetched) -> None:
    async def silent(stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    with pytest.raises(Unfetchable, match="it is not done within"):
        await fetched(silent, patience=0.05)


async def test_a_url_that_names_no_entry_is_refused(fetched: Fetched) -> None:
    with pytest.raises(Unfetchable, match="names no entry"):
        await fetched(answering(b""), path="/")


@pytest.mark.parametrize("changes", [{"directories": False}, {"anywhere": False}])
async def test_no_server_is_asked_that_should_not_be(
    fetched: Fetched, changes: dict[str, bool]
) -> None:
    """Case E20."""
    requests: list[bytes] = []
    with pytest.raises(Unfetchable, match="revocation_"):
        await fetched(answering(b"", requests=requests), **changes)
    assert requests == []
