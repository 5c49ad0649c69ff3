"""HTTP within bounds, against servers on the loopback that behave as badly as they can."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from ipaddress import ip_address

import pytest
import trio

from ikeactors.actors.fetching import Fetcher, Unfetchable, Wanted, is_public
from ikeactors.protocol.events import Address

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

Serve = Callable[[trio.SocketStream], Awaitable[None]]


Listen = Callable[[Serve], Awaitable[int]]
Fetched = Callable[..., Awaitable[bytes]]


@pytest.fixture
def listen(nursery: trio.Nursery) -> Listen:
    """Starts a server on the loopback; its port."""

    async def listen(serve: Serve) -> int:
        async def served(stream: trio.SocketStream) -> None:
            async with stream:
                with suppress(trio.BrokenResourceError):
                    await serve(stream)

        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, served, listeners)
        port: int = listeners[0].socket.getsockname()[1]
        return port

    return listen


def answering(*answers: bytes, requests: list[bytes] | None = None) -> Serve:
    waiting = list(answers)

    async def serve(stream: trio.SocketStream) -> None:
        request = await stream.receive_some(65536)
        if requests is not None:
            requests.append(bytes(request))
        await stream.send_all(waiting.pop(0))

    return serve


async def nobody(name: str) -> list[Address]:
    raise OSError("there is no such name")


@pytest.fixture
def fetched(listen: Listen) -> Fetched:
    """Fetches from a server that does so."""

    async def fetched(serve: Serve, path: str = "/crl", **changes: float) -> bytes:
        fetcher = Fetcher(nobody, anywhere=True, **changes)  # type: ignore[arg-type]
        return await fetcher.fetch(Wanted(f"http://127.0.0.1:{await listen(serve)}{path}", 100))

    return fetched


async def test_a_body_is_fetched(fetched: Fetched) -> None:
    requests: list[bytes] = []
    assert await fetched(answering(OK, requests=requests), path="/a/b?c=d") == b"hello"
    assert requests[0].startswith(b"GET /a/b?c=d HTTP/1.1\r\nHost: 127.0.0.1:")


async def test_a_body_of_unknown_length_is_fetched(fetched: Fetched) -> None:
    assert await fetched(answering(b"HTTP/1.0 200 OK\r\n\r\nhello")) == b"hello"


async def test_a_question_is_posted(listen: Listen) -> None:
    requests: list[bytes] = []
    port = await listen(answering(OK, requests=requests))
    wanted = Wanted(f"http://127.0.0.1:{port}", 9, b"question", "application/ocsp-request")
    assert await Fetcher(nobody, anywhere=True).fetch(wanted) == b"hello"
    assert requests[0].startswith(b"POST / HTTP/1.1\r\n")
    assert b"application/ocsp-request" in requests[0]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "it answers 404"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n", "it has 1000000000 octets"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + bytes(1000), "it has more than 100 octets"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", "it speaks no HTTP"),
        (b"SSH-2.0-OpenSSH\r\n", "it speaks no HTTP"),
        (b"", "it speaks no HTTP"),
        (b"HTTP/1.1 302 F\r\nLocation: file:///etc/passwd\r\n\r\n", 'a URL of "file"'),
        (b"HTTP/1.1 302 F\r\nLocation: ldap://x/\r\n\r\n", 'a URL of "ldap"'),
        (b"HTTP/1.1 302 F\r\nLocation: http://[\r\n\r\n", "it redirects, and not to http"),
    ],
)
async def test_what_is_no_good_answer_is_told(fetched: Fetched, answer: bytes, reason: str) -> None:
    """Case E20."""
    with pytest.raises(Unfetchable) as refused:
        await fetched(answering(answer))
    assert reason in str(refused.value)


async def test_a_redirect_is_followed(fetched: Fetched) -> None:
    moved = b"HTTP/1.1 301 Moved\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n"
    assert await fetched(answering(moved, OK)) == b"hello"


async def test_redirects_that_never_end_are_left(fetched: Fetched) -> None:
    moved = b"HTTP/1.1 301 Moved\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n"
    with pytest.raises(Unfetchable, match="more than 3 redirects"):
        await fetched(answering(*[moved] * 9))


async def test_a_server_that_drips_is_left_at_the_deadline(fetched: Fetched) -> None:
    """Case E20."""

    async def drip(stream: trio.SocketStream) -> None:
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n")
        while True:
            await stream.send_all(b".")
            await trio.sleep(0.01)

    with pytest.raises(Unfetchable, match=r"not done within 0\.1 s"):
        await fetched(drip, patience=0.1)


async def test_a_body_without_end_costs_no_more_than_its_limit(fetched: Fetched) -> None:
    """Case E20."""
    sent = 0

    async def flood(stream: trio.SocketStream) -> None:
        nonlocal sent
        await stream.send_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await stream.send_all(b"100000\r\n" + bytes(1 << 20) + b"\r\n")
            sent += 1 << 20

    with pytest.raises(Unfetchable, match="more than 100 octets"):
        await fetched(flood)
    assert sent < 64 << 20


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "169.254.169.254", "10.0.0.1", "[::1]", "[fe80::1]", "[::ffff:127.0.0.1]"]
)
async def test_addresses_that_are_not_public_are_not_gone_to(host: str) -> None:
    """Case E20."""
    with pytest.raises(Unfetchable, match="is no public address"):
        await Fetcher(nobody).fetch(Wanted(f"http://{host}/", 9))


async def test_a_name_is_judged_by_its_addresses() -> None:
    gone_to: list[Address] = []

    async def lookup(name: str) -> list[Address]:
        return [ip_address("127.0.0.1"), ip_address("8.8.8.8")]

    async def connect(address: Address, port: int) -> trio.abc.Stream:
        gone_to.append(address)
        raise ConnectionRefusedError(111, "Connection refused")

    fetcher = Fetcher(lookup, connect=connect)
    with pytest.raises(Unfetchable, match=r"8\.8\.8\.8, port 80: Connection refused"):
        await fetcher.fetch(Wanted("http://crl.example/", 9))
    assert gone_to == [ip_address("8.8.8.8")]


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ldap://x/", "http://", "http://u@h/"])
async def test_other_urls_are_refused(url: str) -> None:
    """Case E20."""
    with pytest.raises(Unfetchable):
        await Fetcher(nobody, anywhere=True).fetch(Wanted(url, 9))


async def test_a_name_that_does_not_resolve_is_told() -> None:
    with pytest.raises(Unfetchable, match="there is no such name"):
        await Fetcher(nobody).fetch(Wanted("http://crl.example/", 9))


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("0.0.0.0", False),
        ("fc00::1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::808:808", True),
        ("2002:7f00:1::", False),
    ],
)
def test_what_is_public(address: str, public: bool) -> None:
    assert is_public(ip_address(address)) is public
