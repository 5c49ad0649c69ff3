"""XFRM interfaces that come and go with what is installed under their number.

An interface is there as long as an SA or a policy has its number. pyroute2 blocks: what it does is
done in a thread, by one caller at a time.
"""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import trio
from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from ikeactors.actors.backends import Backend, KernelEvent
from ikeactors.actors.routes import family_of
from ikeactors.kernel.interfaces import Interface, inner_mtu
from ikeactors.kernel.inventory import Inventory, StrayPolicy
from ikeactors.kernel.policies import PolicyKey, key_of
from ikeactors.kernel.requests import (
    Direction,
    KernelRefusal,
    PolicyRequest,
    SaId,
    SaRequest,
    SaUsage,
)

# What tells an interface that a killed daemon has left from one that the operator made.
_ALIAS = "ikeactors"
_ETHERNET_MTU = 1500
# What is made to try, and taken away again.
_TRIAL = Interface("ikeactors-try", 0xFFFFFFFF)

_LACKING = "the kernel has no XFRM interfaces (CONFIG_XFRM_INTERFACE, module xfrm_interface)"

_User = SaId | PolicyKey


class _Share(NamedTuple):
    """Under which interface something is, and the MTU it leaves there; 0 is any."""

    if_id: int
    mtu: int


class Interfaces:
    """The interfaces that are configured, and which SAs and policies are under each."""

    def __init__(
        self, interfaces: Iterable[Interface], mark: int, connect: Callable[[], Any] = IPRoute
    ) -> None:
        self._by_id = {one.if_id: one for one in interfaces}
        self._mark = mark
        self._connect = connect
        self._under: dict[_User, _Share] = {}
        # Under each interface how many leave which MTU.
        self._mtus: dict[int, Counter[int]] = {}
        self._indices: dict[int, int] = {}
        self._ours: set[int] = set()
        self._limiter = trio.CapacityLimiter(1)

    def index_of(self, if_id: int) -> int | None:
        """The device to route to for this number; None where routes are not ours to make."""
        interface = self._by_id.get(if_id)
        return self._indices.get(if_id) if interface is not None and interface.routes else None

    def concerns(self, requests: Iterable[SaRequest | PolicyRequest]) -> bool:
        """Whether any of these goes under an interface of ours."""
        return any(one.if_id in self._by_id for one in requests)

    def is_used_by(self, users: Iterable[_User]) -> bool:
        """Whether any of these is under an interface now."""
        return any(one in self._under for one in users)

    async def add(self, sas: Sequence[SaRequest], policies: Sequence[PolicyRequest]) -> None:
        """Make the interfaces of these, with the MTU that all SAs under them leave."""
        await trio.to_thread.run_sync(self._add, sas, policies, limiter=self._limiter)

    async def remove(self, users: Collection[_User]) -> None:
        """Take away the interfaces that only these have used."""
        await trio.to_thread.run_sync(self._remove, users, limiter=self._limiter)

    def _add(self, sas: Sequence[SaRequest], policies: Sequence[PolicyRequest]) -> None:
        with self._connect() as ip:
            requests: Sequence[SaRequest | PolicyRequest] = (*policies, *sas)
            for request in requests:
                interface = self._by_id.get(request.if_id)
                if interface is None:
                    continue
                name = request.sa_id if isinstance(request, SaRequest) else key_of(request)
                left = self._left_by(ip, interface, request)
                self._forget(name)
                self._under[name] = _Share(interface.if_id, left)
                self._mtus.setdefault(interface.if_id, Counter())[left] += 1
                self._make(ip, interface)
                self._set_mtu(ip, interface)

    def _remove(self, users: Collection[_User]) -> None:
        shares = [self._forget(user) for user in users]
        if_ids = {share.if_id for share in shares if share is not None}
        with self._connect() as ip:
            for if_id in if_ids:
                if self._mtus[if_id]:
                    self._set_mtu(ip, self._by_id[if_id])
                else:
                    del self._mtus[if_id]
                    self._unmake(ip, if_id)

    def _forget(self, user: _User) -> _Share | None:
        share = self._under.pop(user, None)
        if share is not None:
            mtus = self._mtus[share.if_id]
            mtus[share.mtu] -= 1
            if not mtus[share.mtu]:
                del mtus[share.mtu]
        return share

    def _make(self, ip: Any, interface: Interface) -> None:
        if interface.if_id in self._indices:
            return
        index = _found(ip, interface)
        is_ours = True
        if index is None:
            self._refusing(interface, ip.link, "add", **_description(ip, interface))
            (index,) = ip.link_lookup(ifname=interface.name)
            self._refusing(interface, ip.link, "set", index=index, ifalias=_ALIAS)
        else:
            is_ours = _alias(ip, index) == _ALIAS
        self._indices[interface.if_id] = index
        if is_ours:
            self._ours.add(interface.if_id)
        for one in interface.addresses:
            place = {"address": str(one.ip), "prefixlen": one.network.prefixlen}
            family = family_of(one.ip)
            self._refusing(interface, ip.addr, "replace", index=index, family=family, **place)
        self._refusing(interface, ip.link, "set", index=index, state="up")

    def _unmake(self, ip: Any, if_id: int) -> None:
        index = self._indices.pop(if_id, None)
        if index is None or if_id not in self._ours:
            return
        self._ours.discard(if_id)
        with suppress(NetlinkError):
            ip.link("del", index=index)

    def _set_mtu(self, ip: Any, interface: Interface) -> None:
        """What the SA with the most overhead leaves, unless the operator has said."""
        mtu = interface.mtu or min(filter(None, self._mtus[interface.if_id]), default=0)
        index = self._indices[interface.if_id]
        if mtu and _attribute(ip.link("get", index=index), "IFLA_MTU") != mtu:
            self._refusing(interface, ip.link, "set", index=index, mtu=mtu)

    def _left_by(self, ip: Any, interface: Interface, request: SaRequest | PolicyRequest) -> int:
        """The longest packet that an outbound SA leaves room for; 0 where nothing is known."""
        if interface.mtu or not isinstance(request, SaRequest):
            return 0
        if request.direction is not Direction.OUT:
            return 0
        return inner_mtu(request, self._path_mtu(ip, request))

    def _path_mtu(self, ip: Any, request: SaRequest) -> int:
        """The MTU of the device that packets to the peer leave by."""
        family = family_of(request.destination)
        wanted = {"dst": str(request.destination), "src": str(request.source), "mark": self._mark}
        try:
            device = _attribute(ip.route("get", family=family, **wanted), "RTA_OIF")
            mtu = _attribute(ip.link("get", index=device), "IFLA_MTU")
        except NetlinkError:
            return _ETHERNET_MTU
        return int(mtu or _ETHERNET_MTU)

    def _refusing(
        self, interface: Interface, call: Callable[..., object], *args: object, **kwargs: object
    ) -> None:
        try:
            call(*args, **kwargs)
        except NetlinkError as error:
            hint = f": {_LACKING}" if error.code == errno.EOPNOTSUPP else ""
            text = f"interfaces.{interface.name} was refused: {error}{hint}"
            raise KernelRefusal(error.code, text) from None


def why_no_interfaces(connect: Callable[[], Any] = IPRoute) -> str:
    """Why the kernel makes no XFRM interface; empty where it has made one to try."""
    with connect() as ip:
        try:
            ip.link("add", **_description(ip, _TRIAL))
        except NetlinkError as error:
            return _LACKING if error.code == errno.EOPNOTSUPP else f"it is refused: {error}"
        for index in ip.link_lookup(ifname=_TRIAL.name):
            ip.link("del", index=index)
    return ""


class InterfacedBackend:
    """A back end whose SAs and policies have their XFRM interfaces with them."""

    def __init__(self, backend: Backend, interfaces: Interfaces) -> None:
        self._backend = backend
        self._interfaces = interfaces

    @property
    def name(self) -> str:
        return self._backend.name

    async def install(self, sas: Sequence[SaRequest], policies: Sequence[PolicyRequest]) -> None:
        if not self._interfaces.concerns((*sas, *policies)):
            await self._backend.install(sas, policies)
            return
        names = _names([request.sa_id for request in sas], policies)
        # What was there before stays where these are refused.
        new = [one for one in names if not self._interfaces.is_used_by((one,))]
        try:
            await self._interfaces.add(sas, policies)
            await self._backend.install(sas, policies)
        except KernelRefusal:
            await self._interfaces.remove(new)
            raise

    async def remove(self, sas: Sequence[SaId], policies: Sequence[PolicyRequest]) -> None:
        await self._backend.remove(sas, policies)
        names = _names(sas, policies)
        if self._interfaces.is_used_by(names):
            await self._interfaces.remove(names)

    async def move(
        self,
        old: Sequence[SaId],
        sas: Sequence[SaRequest],
        old_policies: Sequence[PolicyRequest],
        policies: Sequence[PolicyRequest],
    ) -> None:
        await self._backend.move(old, sas, old_policies, policies)
        if self._interfaces.concerns((*sas, *policies)):
            await self._interfaces.add(sas, policies)
        kept = set(_names([request.sa_id for request in sas], policies))
        gone = [one for one in _names(old, old_policies) if one not in kept]
        if self._interfaces.is_used_by(gone):
            await self._interfaces.remove(gone)

    async def usage(self, sa_ids: Sequence[SaId]) -> list[SaUsage]:
        return await self._backend.usage(sa_ids)

    async def inventory(self) -> Inventory:
        return await self._backend.inventory()

    async def lacking(self, policies: Sequence[PolicyRequest]) -> list[PolicyRequest]:
        return await self._backend.lacking(policies)

    async def restore(self, policies: Sequence[PolicyRequest]) -> None:
        # Their interfaces are there.
        await self._backend.restore(policies)

    async def clear(self, strays: Sequence[StrayPolicy]) -> None:
        await self._backend.clear(strays)

    def events(self) -> AsyncIterator[KernelEvent]:
        return self._backend.events()

    async def aclose(self) -> None:
        # Interfaces stay with what is left installed: without one its packets would be dropped.
        await self._backend.aclose()


def _names(sas: Iterable[SaId], policies: Iterable[PolicyRequest]) -> list[_User]:
    return [*sas, *map(key_of, policies)]


def _description(ip: Any, interface: Interface) -> dict[str, object]:
    wanted: dict[str, object] = {
        "ifname": interface.name,
        "kind": "xfrm",
        "xfrm_if_id": interface.if_id,
    }
    if interface.device:
        found = ip.link_lookup(ifname=interface.device)
        if not found:
            text = f"interfaces.{interface.name}: there is no device {interface.device}"
            raise KernelRefusal(errno.ENODEV, text)
        wanted["xfrm_link"] = found[0]
    return wanted


def _found(ip: Any, interface: Interface) -> int | None:
    """The device of this name, if it is there; one of another kind is nothing to route to."""
    found = ip.link_lookup(ifname=interface.name)
    if not found:
        return None
    (link,) = ip.link("get", index=found[0])
    description = link.get_nested("IFLA_LINKINFO", "IFLA_INFO_DATA", "IFLA_XFRM_IF_ID")
    if description != interface.if_id:
        text = (
            f"interfaces.{interface.name}: there is a device of that name already, and it is no "
            f"XFRM interface with if_id {interface.if_id}"
        )
        raise KernelRefusal(errno.EEXIST, text)
    return int(found[0])


def _alias(ip: Any, index: int) -> object:
    return _attribute(ip.link("get", index=index), "IFLA_IFALIAS")


def _attribute(messages: Iterable[Any], name: str) -> Any:
    (message,) = messages
    return dict(message["attrs"]).get(name)
