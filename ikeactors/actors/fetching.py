"""HTTP and LDAP, as far as revocation needs them: one request, one answer, within bounds.

A URL in a certificate is a stranger's wish, so where it leads is looked at before we go there: the
address itself is judged and connected to, whatever the name resolves to a moment later. That, and
an end to everything at one deadline, is why this stands on `h11`, which reads and writes HTTP and
opens no socket, and on no complete client.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import SplitResult, urljoin, urlsplit

import h11
import trio

from ikeactors import __version__
from ikeactors.actors import directories
from ikeactors.actors.names import Lookup
from ikeactors.errors import Fault
from ikeactors.protocol.events import Address

_HTTP = {"http": 80, "https": 443}
_LDAP = {"ldap": 389, "ldaps": 636}
_PORTS = _HTTP | _LDAP
_ENCRYPTED = frozenset({"https", "ldaps"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Ours: a name moved once, and from http to https.
_MAX_REDIRECTS = 3
# Ours: each address may take as long as a packet lost twice.
_MAX_ADDRESSES = 4
_CONNECT_PATIENCE = 5.0
_CHUNK = 65536

Connect = Callable[[Address, int], Awaitable[trio.abc.Stream]]


class Unfetchable(Fault):
    """There is nothing to be had at a URL; the text says why."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is fetched: with a body it is a POST. More than `limit` octets are not read."""

    url: str
    limit: int
    body: bytes = b""
    kind: str = ""


async def connect_to(address: Address, port: int) -> trio.abc.Stream:
    """A TCP connection."""
    return await trio.open_tcp_stream(str(address), port)


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Fetches by http and https, with `directories` by ldap and ldaps as well.

    `anywhere` permits addresses that are not public, too.
    """

    lookup: Lookup
    anywhere: bool = False
    patience: float = 60.0
    connect: Connect = connect_to
    directories: bool = False

    async def fetch(self, wanted: Wanted) -> bytes:
        """The body of a successful answer. Raises `Unfetchable`."""
        with trio.move_on_after(self.patience):
            try:
                return await self._followed(wanted)
            except (OSError, trio.BrokenResourceError, ssl.SSLError) as error:
                raise Unfetchable(_reason(error)) from None
            except directories.NotFound as error:
                raise Unfetchable(str(error)) from None
            except h11.ProtocolError as error:
                raise Unfetchable(f"it speaks no HTTP: {error}") from None
        raise Unfetchable(f"it is not done within {self.patience:g} s")

    async def _followed(self, wanted: Wanted) -> bytes:
        url = wanted.url
        for _ in range(_MAX_REDIRECTS + 1):
            target = _parts(url)
            answer = await self._ask(target, wanted)
            if isinstance(answer, bytes):
                return answer
            url = _followable(url, answer, wanted)
        raise Unfetchable(f"more than {_MAX_REDIRECTS} redirects")

    async def _ask(self, target: SplitResult, wanted: Wanted) -> bytes | _Redirect:
        """The body, or where it is said to be."""
        assert target.hostname is not None
        is_directory = target.scheme in _LDAP
        if is_directory and (wanted.body or not self.directories):
            raise Unfetchable("by LDAP lists alone are fetched, and with revocation_ldap = true")
        stream = await self._open(target.hostname, target.port or _PORTS[target.scheme])
        if target.scheme in _ENCRYPTED:
            context = ssl.create_default_context()
            stream = trio.SSLStream(
                stream, context, server_hostname=target.hostname, https_compatible=True
            )
        try:
            if is_directory:
                return await directories.obtain(stream, target.geturl(), wanted.limit)
            return await _converse(stream, target, wanted)
        finally:
            await trio.aclose_forcefully(stream)

    async def _open(self, host: str, port: int) -> trio.abc.Stream:
        failure = Unfetchable(f"{host} has no address")
        for address in await self._addresses(host):
            try:
                with trio.fail_after(_CONNECT_PATIENCE):
                    return await self.connect(address, port)
            except (OSError, trio.TooSlowError) as error:
                failure = Unfetchable(f"{address}, port {port}: {_reason(error)}")
        raise failure

    async def _addresses(self, host: str) -> tuple[Address, ...]:
        try:
            found: tuple[Address, ...] = (ip_address(host),)
        except ValueError:
            found = tuple(await self.lookup(host))[:_MAX_ADDRESSES]
        permitted = tuple(one for one in found if self.anywhere or is_public(one))
        if found and not permitted:
            listed = ", ".join(map(str, found))
            raise Unfetchable(
                f"{listed} is no public address, and only those are gone to "
                "(revocation_private = false)"
            )
        return permitted


def is_public(address: Address) -> bool:
    """Whether an address is of the whole world; what is within an IPv6 address counts."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or _translated(address)
        if inner is not None:
            return is_public(inner)
        if address.is_site_local or address.teredo is not None:
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _translated(address: IPv6Address) -> IPv4Address | None:
    """The address behind a NAT64 (RFC 6052 section 2.1)."""
    is_translated = int(address) >> 32 == 0x64FF9B << 64
    return IPv4Address(int(address) & 0xFFFFFFFF) if is_translated else None


@dataclass(frozen=True, slots=True)
class _Redirect:
    """The answer is elsewhere."""

    location: str


async def _converse(
    stream: trio.abc.Stream, target: SplitResult, wanted: Wanted
) -> bytes | _Redirect:
    connection = h11.Connection(our_role=h11.CLIENT)
    for part in _request(target, wanted):
        await stream.send_all(connection.send(part) or b"")
    body = bytearray()
    while True:
        event: object = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(bytes(await stream.receive_some(_CHUNK)))
        elif isinstance(event, h11.Response):
            redirect = _checked(event, wanted.limit)
            if redirect is not None:
                return redirect
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > wanted.limit:
                raise Unfetchable(f"it has more than {wanted.limit} octets")
        elif isinstance(event, h11.EndOfMessage):
            return bytes(body)
        elif not isinstance(event, h11.InformationalResponse):
            raise Unfetchable("it has hung up")


def _request(target: SplitResult, wanted: Wanted) -> list[h11.Event]:
    path = target.path or "/"
    if target.query:
        path = f"{path}?{target.query}"
    headers = [
        ("Host", target.netloc),
        ("User-Agent", f"ikeactors/{__version__}"),
        ("Connection", "close"),
    ]
    if wanted.body:
        headers += [("Content-Type", wanted.kind), ("Content-Length", str(len(wanted.body)))]
    method = "POST" if wanted.body else "GET"
    request: list[h11.Event] = [h11.Request(method=method, target=path, headers=headers)]
    if wanted.body:
        request.append(h11.Data(data=wanted.body))
    return [*request, h11.EndOfMessage()]


def _checked(response: h11.Response, limit: int) -> _Redirect | None:
    headers = {name: value.decode("latin-1") for name, value in response.headers}
    if response.status_code in _REDIRECTS:
        return _Redirect(headers.get(b"location", ""))
    if response.status_code != 200:
        raise Unfetchable(f"it answers {response.status_code}")
    length = headers.get(b"content-length", "0")
    if int(length) > limit:
        raise Unfetchable(f"it has {length} octets, at most {limit} are read")
    return None


def _parts(url: str) -> SplitResult:
    try:
        target = urlsplit(url)
        _ = target.port
    except ValueError as error:
        raise Unfetchable(f"no URL: {error}") from None
    if target.scheme not in _PORTS:
        raise Unfetchable(f'a URL of "{target.scheme[:20]}", not of http, https or ldap')
    if not target.hostname or target.username is not None:
        raise Unfetchable("the URL names no host, or a user")
    return target


def _followable(url: str, redirect: _Redirect, wanted: Wanted) -> str:
    """Where a redirect leads: never from https to less."""
    if wanted.body:
        raise Unfetchable("it redirects a POST")
    try:
        location = urljoin(url, redirect.location)
        target = _parts(location)
        if target.scheme not in _HTTP:
            raise Unfetchable(f'a URL of "{target.scheme}"')
    except (ValueError, Unfetchable) as error:
        raise Unfetchable(f"it redirects, and not to http or https: {error}") from None
    if url.lower().startswith("https:") and target.scheme != "https":
        raise Unfetchable("it redirects from https to http")
    return location


def _reason(error: BaseException) -> str:
    if isinstance(error, trio.TooSlowError):
        return f"no connection within {_CONNECT_PATIENCE:g} s"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not believed: {error.verify_message}"
    cause = error.__cause__
    if isinstance(error, trio.BrokenResourceError) and cause is not None:
        return _reason(cause)
    strerror = error.strerror if isinstance(error, OSError) else None
    return strerror or str(error) or type(error).__name__
