"""Who may use the admin socket: whoever could stop the daemon anyway, and a group of operators."""

from __future__ import annotations

import grp
import os
from dataclasses import dataclass

from ikeactors.actors.unix_socket import Caller
from ikeactors.errors import Fault

_ROOT = 0


class UnknownGroup(Fault):
    """The configuration names a group that this machine does not have."""


@dataclass(frozen=True, slots=True)
class Authority:
    """Root, the daemon's own user, and the members of a group."""

    uid: int
    group: int | None = None

    def permits(self, caller: Caller) -> bool:
        """Whether `caller` may ask anything; what may be read is as telling as what may be done."""
        if caller.uid in (_ROOT, self.uid):
            return True
        return self.group is not None and self.group in caller.groups


def authority_of(admin_group: str) -> Authority:
    """The authority for our own user and the group of this name, "" for none."""
    if not admin_group:
        return Authority(os.geteuid())
    try:
        return Authority(os.geteuid(), grp.getgrnam(admin_group).gr_gid)
    except KeyError as missing:
        raise UnknownGroup(f"admin_group: there is no group {admin_group!r}") from missing
