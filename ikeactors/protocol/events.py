"""Everything that can happen to an association."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from ikeactors.crypto.pki.revocation import RevocationFinding
from ikeactors.kernel.requests import SaId, SaUsage
from ikeactors.protocol.snapshot import ChildSnapshot
from ikeactors.quick import quick
from ikeactors.wire.selectors import TrafficSelector

Address = IPv4Address | IPv6Address


@quick
class Endpoint:
    """An IP address and a UDP port."""

    address: Address
    port: int

    def __hash__(self) -> int:
        # An address hashes its number as text; datagrams are looked up by this.
        return hash((int(self.address), self.port))

    def __str__(self) -> str:
        if self.address.version == 6:
            return f"[{self.address}]:{self.port}"
        return f"{self.address}:{self.port}"


@quick
class DatagramReceived:
    """An IKE message came in, without its non-ESP marker."""

    octets: bytes
    local: Endpoint
    remote: Endpoint


@dataclass(frozen=True, slots=True)
class SendingFailed:
    """The host could not send our datagram; `text` is its reason ("Network is unreachable")."""

    text: str


@dataclass(frozen=True, slots=True)
class TimerExpired:
    """The association's `deadline` is reached."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """A packet of ours that needs a Child SA, as selectors that fit nothing else."""

    source: TrafficSelector
    destination: TrafficSelector


@dataclass(frozen=True, slots=True)
class InitiationRequested:
    """Bring up the IKE SA and these children; all of the connection when none is named.

    `beside` are the Child SAs of the IKE SA that this one reauthenticates, `trigger` is the packet
    that needs a Child SA, if it is one. With `childless` the IKE SA is to stand without any.
    """

    children: tuple[str, ...] = ()
    request_id: int | None = None
    beside: tuple[ChildSnapshot, ...] = ()
    trigger: Trigger | None = None
    childless: bool = False


@dataclass(frozen=True, slots=True)
class RekeyRequested:
    """Rekey the Child SAs of this name or inbound SPI; the IKE SA when both are None.

    `reauthenticate` asks for a new IKE SA from scratch instead.
    """

    child: str | None = None
    spi: int | None = None
    request_id: int | None = None
    reauthenticate: bool = False


@dataclass(frozen=True, slots=True)
class DeletionRequested:
    """Delete the Child SAs of this name or inbound SPI; the IKE SA when both are None."""

    child: str | None = None
    spi: int | None = None
    request_id: int | None = None


@quick
class ChildSaInstalled:
    """The data plane has what the InstallChildSa with this ticket asked for."""

    ticket: int


@dataclass(frozen=True, slots=True)
class KernelRefused:
    """The data plane refused the action with this ticket; nothing of it is installed."""

    ticket: int
    errno: int
    text: str


@quick
class IdentityClaimed:
    """The answer to ClaimIdentity: whether this association may stand beside the others.

    `beside` are the Child SAs of an older one that the peer seems to reauthenticate.
    """

    ticket: int
    granted: bool
    beside: tuple[ChildSnapshot, ...] = ()


@dataclass(frozen=True, slots=True)
class RevocationChecked:
    """The answer to CheckRevocation: of each certificate of the path but the anchor."""

    ticket: int
    findings: tuple[RevocationFinding, ...] = ()


@dataclass(frozen=True, slots=True)
class NameChecked:
    """The answer to CheckName: what DNSSEC proves, or why it proves nothing."""

    ticket: int
    name: str
    addresses: tuple[Address, ...] = ()
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class CertificatesFetched:
    """The answer to FetchCertificates: those there were, and why there were no others."""

    ticket: int
    certificates: tuple[bytes, ...] = ()
    failures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SignedByToken:
    """The answer to SignByToken: the signature, or why there is none.

    One by ECDSA is in DER, as all are here.
    """

    ticket: int
    signature: bytes = b""
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class UsageReported:
    """The answer to QueryUsage: of the SAs that are there."""

    ticket: int
    usages: tuple[SaUsage, ...]


@dataclass(frozen=True, slots=True)
class Superseded:
    """Another association has taken the place of this one: go, without a word if silent.

    Where it has been reauthenticated it leaves `gently`: nothing that is under way is lost.
    What is `unproven` goes only if it has not told the peer yet who we are.
    """

    silent: bool
    gently: bool = False
    unproven: bool = False


@dataclass(frozen=True, slots=True)
class Renewed:
    """The peer seems to reauthenticate it, and will delete it; we do, if it does not and `ends`.

    Or `is_lost`: both ends reauthenticate, and this one of the peer's loses.
    """

    ends: bool
    is_lost: bool = False


@dataclass(frozen=True, slots=True)
class RenewalGivenUp:
    """What the peer has begun in the place of this one is gone: this one goes on."""


@dataclass(frozen=True, slots=True)
class ReauthenticationFailed:
    """The association that was to take the place of this one is gone; None: do not try again."""

    text: str
    retry_in: float | None


@dataclass(frozen=True, slots=True)
class OlderEnded:
    """Another association between the same identities is gone."""


@dataclass(frozen=True, slots=True)
class SaExpired:
    """The data plane says that an SA's lifetime is over (soft: rekey; hard: it is gone)."""

    sa_id: SaId
    hard: bool


@dataclass(frozen=True, slots=True)
class SaMappingChanged:
    """Valid ESP of an SA now comes from another address or port (RFC 7296 section 2.23)."""

    sa_id: SaId
    remote: Endpoint


@dataclass(frozen=True, slots=True)
class LocalAddressesChanged:
    """This host's addresses or routes are others now: it is time to look at them."""


@dataclass(frozen=True, slots=True)
class Restored:
    """The association was made of a checkpoint: it goes on where it was."""


# What answers an action with a ticket.
Reply = (
    ChildSaInstalled
    | KernelRefused
    | IdentityClaimed
    | RevocationChecked
    | NameChecked
    | CertificatesFetched
    | SignedByToken
    | UsageReported
)

Event = (
    DatagramReceived
    | SendingFailed
    | TimerExpired
    | InitiationRequested
    | RekeyRequested
    | DeletionRequested
    | ChildSaInstalled
    | KernelRefused
    | IdentityClaimed
    | RevocationChecked
    | NameChecked
    | CertificatesFetched
    | SignedByToken
    | UsageReported
    | Superseded
    | Renewed
    | RenewalGivenUp
    | ReauthenticationFailed
    | OlderEnded
    | SaExpired
    | SaMappingChanged
    | LocalAddressesChanged
    | Restored
)
