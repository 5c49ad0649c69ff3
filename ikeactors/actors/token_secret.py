"""The secret that tokens of quick crash detection are made of, in a file that survives us.

It is made once and kept (RFC 6290 section 5.1). Whoever reads it can end our peers' IKE SAs, so it
belongs to the daemon's user, with mode 0600, or it is refused.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

from ikeactors.actors.reports import ReportHub
from ikeactors.errors import Fault
from ikeactors.protocol.actions import Level, Report
from ikeactors.protocol.tokens import SECRET_OCTETS, TokenMaker, TokenOf, no_token

FILE = "token.secret"

_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class SecretRefused(Fault):
    """There is no secret to be had there; the text says why."""


def token_maker(directory: Path, entropy: Callable[[int], bytes]) -> TokenMaker:
    """Read the secret, or make it the first time. Raises `SecretRefused`."""
    path = directory / FILE
    try:
        with contextlib.suppress(FileNotFoundError):
            return TokenMaker(_read(path))
        _make(path, entropy(SECRET_OCTETS))
        return TokenMaker(_read(path))
    except OSError as error:
        raise SecretRefused(f"{path}: {error.strerror}") from None


def token_of_unless_refused(
    wanted: bool, directory: Path, entropy: Callable[[int], bytes], hub: ReportHub
) -> TokenOf:
    """Who makes tokens, where a connection wants them; without a secret only peers do."""
    if not wanted:
        return no_token
    try:
        return token_maker(directory, entropy).make
    except SecretRefused as refused:
        text = f"peers will not notice quickly when this daemon loses its state: {refused}"
        hub.publish(Report("no-tokens", text, Level.WARNING))
        return no_token


def _read(path: Path) -> bytes:
    with open(path, "rb", opener=_opener) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_uid not in (0, os.geteuid()):
            raise SecretRefused(f"{path}: not a file of root or of ours")
        if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise SecretRefused(f"{path}: its mode lets others at it: chmod 600 {path}")
        octets = file.read(SECRET_OCTETS + 1)
    if len(octets) != SECRET_OCTETS:
        raise SecretRefused(f"{path}: not {SECRET_OCTETS} octets: remove it, and it is made anew")
    return octets


def _make(path: Path, secret: bytes) -> None:
    """Whole or not at all, also where the power fails meanwhile."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with open(fresh, "xb", opener=_opener) as file:
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | _FLAGS, 0o600)
