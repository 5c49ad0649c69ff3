"""What ends share: pre-shared keys by who uses them, post-quantum ones by what they are called."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ikeactors.protocol.index import Index
from ikeactors.protocol.patterns import IdentityPattern, Owner, owner_of
from ikeactors.wire.identities import Identity


@dataclass(frozen=True, slots=True)
class Secret:
    """A pre-shared key and who uses it; with no owners it is anybody's.

    With a `file` it is no pre-shared key, but the passphrase of that private key. A post-quantum
    one (`is_ppk`) authenticates nobody, and its owners are the names that it goes by.
    """

    name: str
    owners: tuple[IdentityPattern, ...]
    secret: bytes = field(repr=False)
    file: str = ""
    is_ppk: bool = False


class Secrets:
    """Finds them."""

    __slots__ = ("_by_owner", "ppks")

    def __init__(self, secrets: Iterable[Secret]) -> None:
        self._by_owner: Index[Owner, Secret] = Index()
        self.ppks: dict[bytes, bytes] = {}
        for secret in secrets:
            if secret.is_ppk:
                named = (one.identity for one in secret.owners if one.identity is not None)
                self.ppks |= {one.data: secret.secret for one in named}
            else:
                self._by_owner.add((one.owner for one in secret.owners), secret)

    def between(self, local: Identity, remote: Identity) -> bytes | None:
        """The pre-shared key between two identities: the one that names them best."""
        best, found = 0, None
        for secret in self._by_owner.find(owner_of(remote)):
            quality = _quality(secret, local, remote)
            if quality > best:
                best, found = quality, secret.secret
        return found


def _quality(secret: Secret, local: Identity, remote: Identity) -> int:
    """0 when it is not for these two; the remote end's match counts more than ours."""
    if not secret.owners:
        return 1
    remote_quality = max(owner.quality(remote) for owner in secret.owners)
    local_quality = max(owner.quality(local) for owner in secret.owners)
    if not remote_quality:
        return 0
    return 1 + 4 * remote_quality + local_quality
