"""Keys, certificates, CRLs and secrets read again while the daemon runs.

What is read holds from the next authentication on; what stands, stands. Where anything of it
cannot be read nothing changes, and that is said. The directories are watched, so that nobody need
tell of a renewed certificate.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import trio

from ikeactors.actors.reports import ReportHub
from ikeactors.config import Configuration, ConfigurationFaults
from ikeactors.config.certificates import DIRECTORIES
from ikeactors.errors import Fault
from ikeactors.expiring import ExpiryNotice
from ikeactors.protocol.actions import Level, Report
from ikeactors.protocol.settings import AuthSettings, ConnectionSettings, Settings
from ikeactors.trust import Trust

# Ours: how often the directories are looked at, in seconds.
LOOK_EVERY = 60.0

# Name, time and size of every file.
Look = tuple[tuple[str, int, int], ...]


class NotReloaded(Fault):
    """Everything is as it was; the text says why."""


@dataclass(frozen=True, slots=True)
class Reloading:
    """Reads again. `settings` are all that look at connections and secrets.

    `carry` calls a function in a thread.
    """

    load: Callable[[], Configuration]
    directory: Path
    settings: tuple[Settings, ...]
    trust: Trust
    hub: ReportHub
    notice: ExpiryNotice
    wall_clock: Callable[[], float] = time.time
    carry: Callable[..., Awaitable[Any]] = trio.to_thread.run_sync

    async def reload(self) -> str:
        """Read all of it; what has come of that. Raises `NotReloaded`."""
        try:
            configuration = await self.carry(self.load)
        except ConfigurationFaults as faults:
            text = f"credentials are not reloaded, those before stay in use: {faults}"
            self.hub.publish(Report("credentials-not-reloaded", text, Level.ERROR))
            raise NotReloaded(text) from None
        self.trust.replace(configuration)
        for settings in self.settings:
            connections = tuple(_renewed(settings.connections, configuration))
            settings.renew(connections, configuration.secrets)
        text = f"credentials are reloaded from {self.directory}"
        self.hub.publish(Report("credentials-reloaded", text))
        return text

    async def try_reload(self) -> None:
        """The same where nobody waits for an answer: the report says what came of it."""
        try:
            await self.reload()
        except NotReloaded:
            return

    async def watch(self) -> None:
        """The actor: reload when a file has come, gone or changed; tell what expires."""
        seen = await self.carry(look_at, self.directory)
        while True:
            self.notice.look(self.trust.expirations(), self.wall_clock())
            await trio.sleep(LOOK_EVERY)
            now = await self.carry(look_at, self.directory)
            if now != seen or await self._token_has_come():
                seen = now
                await self.try_reload()

    async def _token_has_come(self) -> bool:
        """Whether a token is there now that was not when all was read."""
        tokens = self.trust.tokens.settings
        return tokens is not None and bool(tokens.missing) and await self.carry(tokens.has_come)


def look_at(directory: Path) -> Look:
    """What is in the directories, as far as it shows without reading it."""
    found: list[tuple[str, int, int]] = []
    for name in DIRECTORIES:
        try:
            entries = list(os.scandir(directory / name))
        except OSError:
            continue
        for entry in entries:
            try:
                status = entry.stat()
            except OSError:
                continue
            found.append((entry.path, status.st_mtime_ns, status.st_size))
    return tuple(sorted(found))


def _renewed(
    connections: Iterable[ConnectionSettings], configuration: Configuration
) -> Iterable[ConnectionSettings]:
    """The same connections with the certificates and keys that their files have now."""
    known = {one.name: one for one in configuration.connections}
    for one in connections:
        new = known.get(one.name)
        if new is None:
            yield one
        else:
            local, *later_local = map(_end, one.local_rounds, new.local_rounds)
            remote, *later_remote = map(_end, one.remote_rounds, new.remote_rounds)
            yield replace(
                one,
                local=local,
                remote=remote,
                later_local=(*later_local, *one.later_local[len(later_local) :]),
                later_remote=(*later_remote, *one.later_remote[len(later_remote) :]),
            )


def _end(old: AuthSettings, new: AuthSettings) -> AuthSettings:
    if not old.by_public_key or not new.by_public_key:
        return old
    return replace(
        old,
        id=new.id,
        certificates=new.certificates,
        authorities=new.authorities,
        public_keys=new.public_keys,
    )
