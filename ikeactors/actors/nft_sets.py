"""Sets of nftables that hold the remote networks of the children that are up.

A set is ours alone: what else is in it goes when we first write it. Networks that overlap are one
element, as a set of intervals wants it.
"""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, collapse_addresses

import trio

from ikeactors.protocol.actions import FollowChildSa

Network = IPv4Network | IPv6Network
WriteRules = Callable[[str], Awaitable[None]]

# Ours: nft answers within milliseconds, for thousands of elements within a second.
_TIME_LIMIT = 30.0
_MAX_WORDS = 500


class NftFailed(Exception):
    """nft did not take what we told it; the text says why."""


class NftSets:
    """What should be in each set, and what is."""

    def __init__(self, write: WriteRules) -> None:
        self._write = write
        self._of_child: dict[Hashable, tuple[tuple[str, Network], ...]] = {}
        self._wanted: dict[str, Counter[Network]] = {}
        # Without an entry nobody knows what is in the set.
        self._there: dict[str, frozenset[Network]] = {}
        self._changed: dict[str, None] = {}
        self._is_writing = False

    @property
    def is_current(self) -> bool:
        """Whether all sets are what they should be, as far as we have told."""
        return not self._changed and not self._is_writing

    def claim(self, names: Iterable[str]) -> None:
        """These sets are ours: they are emptied."""
        self._changed |= dict.fromkeys(names)

    def add(self, child: Hashable, action: FollowChildSa) -> None:
        """The networks of a child that is up."""
        self.remove(child)
        elements = tuple(dict.fromkeys(_elements(action)))
        self._of_child[child] = elements
        for name, network in elements:
            self._wanted.setdefault(name, Counter())[network] += 1
            self._changed[name] = None

    def remove(self, child: Hashable) -> None:
        """The child is down."""
        for name, network in self._of_child.pop(child, ()):
            wanted = self._wanted[name]
            wanted[network] -= 1
            if not wanted[network]:
                del wanted[network]
            self._changed[name] = None

    async def write(self) -> dict[str, str]:
        """Write what has changed, each set for itself; what went wrong, by set."""
        self._is_writing = True
        try:
            return await self._write_all(tuple(self._changed))
        finally:
            self._is_writing = False

    async def _write_all(self, names: Iterable[str]) -> dict[str, str]:
        failures = {}
        for name in names:
            del self._changed[name]
            after = frozenset(_collapsed(self._wanted.get(name, Counter())))
            before = self._there.pop(name, None)
            try:
                await self._write(script(name, before, after))
            except NftFailed as failure:
                failures[name] = str(failure)
            else:
                self._there[name] = after
        return failures


def script(name: str, before: frozenset[Network] | None, after: frozenset[Network]) -> str:
    """What nft has to do, in one transaction; with `before` None the set is emptied first."""
    place = name.replace("/", " ")
    lines = [f"flush set {place}\n"] if before is None else []
    for verb, networks in (("delete", (before or frozenset()) - after),
                           ("add", after - (before or frozenset()))):  # fmt: skip
        if networks:
            elements = ", ".join(sorted(map(str, networks)))
            lines.append(f"{verb} element {place} {{ {elements} }}\n")
    return "".join(lines)


async def run_nft(rules: str) -> None:
    """Have nft carry out a transaction. Raises `NftFailed`."""
    if not rules:
        return
    try:
        with trio.fail_after(_TIME_LIMIT):
            done = await trio.run_process(
                ["nft", "-f", "-"],
                stdin=rules.encode(),
                stdout=subprocess.DEVNULL,
                capture_stderr=True,
                check=False,
            )
    except trio.TooSlowError:
        raise NftFailed(f"nft did not answer within {_TIME_LIMIT:.0f} s") from None
    except OSError as error:
        raise NftFailed(f"nft cannot be run: {error.strerror}") from None
    if done.returncode:
        text = (done.stderr or b"").decode("ascii", "backslashreplace").strip()
        raise NftFailed(text.partition("\n")[0][:_MAX_WORDS] or f"exit status {done.returncode}")


def _elements(action: FollowChildSa) -> Iterable[tuple[str, Network]]:
    names: Mapping[int, str] = {4: action.settings.nft_set, 6: action.settings.nft_set6}
    for selector in action.remote_ts:
        name = names[selector.start.version]
        if name:
            yield from ((name, network) for network in selector.networks())


def _collapsed(networks: Iterable[Network]) -> Iterable[Network]:
    by_version: dict[int, list[Network]] = {}
    for network in networks:
        by_version.setdefault(network.version, []).append(network)
    for of_one in by_version.values():
        yield from collapse_addresses(of_one)  # type: ignore[type-var]
