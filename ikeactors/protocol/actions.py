"""Everything an association can ask for. What can wait, refuse or fail is answered by an event."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from ikeactors.crypto.suite import IkeSuite
from ikeactors.iana import ExchangeType, ProtocolId
from ikeactors.kernel.requests import PolicyRequest, SaId, SaRequest
from ikeactors.protocol.events import Address, Endpoint
from ikeactors.protocol.settings import ChildSettings, Unique
from ikeactors.protocol.snapshot import ChildSnapshot
from ikeactors.quick import quick
from ikeactors.wire.identities import Identity
from ikeactors.wire.message import notation
from ikeactors.wire.payload import Payload
from ikeactors.wire.selectors import TrafficSelector

Detail = str | int | float | bool


@quick
class SendDatagram:
    """Send an IKE message; the socket adds the non-ESP marker where the port asks for it."""

    octets: bytes
    local: Endpoint
    remote: Endpoint
    dscp: int = 0


@dataclass(frozen=True, slots=True)
class SendKeepalive:
    """Send a NAT keepalive, one octet 0xFF (RFC 3948 section 2.3)."""

    local: Endpoint
    remote: Endpoint


@quick
class RegisterSpi:
    """Messages to this SPI of ours are for this association from now on."""

    spi: bytes


@quick
class ForgetSpi:
    """No message to this SPI of ours is for this association any more."""

    spi: bytes


@dataclass(frozen=True, slots=True)
class KeepAnswer:
    """An IKE SA has ended with this answer: repeat it for a while to who asks again."""

    spi: bytes
    message_id: int
    octets: bytes


@quick
class InstallChildSa:
    """Install SAs and policies, all or nothing: ChildSaInstalled or KernelRefused answers.

    Some come of what a checkpoint from before knows, a request of ours above all. These must be
    `kept_first`: after a crash the same keys would be made once more, and counted from the
    beginning. Others come with an answer of ours that has not left, and never would again.
    """

    ticket: int
    sas: tuple[SaRequest, ...]
    policies: tuple[PolicyRequest, ...] = ()
    kept_first: bool = False


@dataclass(frozen=True, slots=True)
class AdoptChildSa:
    """These SAs were installed before a restart: are they there still? Answered as an install is.

    They are never made anew: what has counted their packets would be gone with them. Where one is
    missing the others go. Those that were `due` just then were installed last of all: where the
    others are there nobody has flushed them, and what is missing of them is installed.
    """

    ticket: int
    sas: tuple[SaRequest, ...]
    policies: tuple[PolicyRequest, ...] = ()
    due: tuple[SaRequest, ...] = ()


@quick
class RemoveChildSa:
    """Remove SAs and give up policies; what is gone already is no error."""

    sas: tuple[SaId, ...]
    policies: tuple[PolicyRequest, ...] = ()


@dataclass(frozen=True, slots=True)
class MoveChildSa:
    """Replace SAs and policies by the same with other addresses or ports, losing no state."""

    old: tuple[SaId, ...]
    sas: tuple[SaRequest, ...]
    old_policies: tuple[PolicyRequest, ...] = ()
    policies: tuple[PolicyRequest, ...] = ()


@dataclass(frozen=True, slots=True)
class QueryUsage:
    """What has gone through these SAs so far? UsageReported answers."""

    ticket: int
    sa_ids: tuple[SaId, ...]


@quick
class ClaimIdentity:
    """Both ends are authenticated: may this IKE SA stand? IdentityClaimed answers.

    Who initiated it, when it began, when this is asked, the lower nonce of its IKE_SA_INIT and
    where the peer is decide where both ends have initiated at once.
    """

    ticket: int
    local: Identity
    remote: Identity
    unique: Unique
    initial_contact: bool
    initiated: bool = False
    began_at: float = 0.0
    claimed_at: float = 0.0
    lowest_nonce: bytes = b""
    place: Address | None = None


@dataclass(frozen=True, slots=True)
class CheckRevocation:
    """Is one of these certificates revoked? RevocationChecked answers.

    They are a valid path in DER, the end entity first and the anchor last. `answers` are what OCSP
    responders have said of them, as the peer has sent it along.
    """

    ticket: int
    chain: tuple[bytes, ...]
    answers: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckName:
    """Which addresses has this name by DNSSEC? NameChecked answers."""

    ticket: int
    name: str


@dataclass(frozen=True, slots=True)
class FetchCertificates:
    """Fetch certificates by their SHA-1 hashes from URLs. CertificatesFetched answers."""

    ticket: int
    names: tuple[tuple[bytes, str], ...]


@dataclass(frozen=True, slots=True)
class SignByToken:
    """Sign with this key of the configuration, which a token keeps. SignedByToken answers.

    `algorithm` is the AlgorithmIdentifier of the way to sign.
    """

    ticket: int
    key: str
    algorithm: bytes
    octets: bytes


@quick
class SuspectAddress:
    """A peer at this address, which is where it gets our answers, has failed to prove itself."""

    address: Address


@dataclass(frozen=True, slots=True)
class Reauthenticate:
    """Begin an association with these Child SAs that is to take the place of this one.

    Superseded or ReauthenticationFailed tells what came of it.
    """

    children: tuple[ChildSnapshot, ...]
    request_id: int | None


@dataclass(frozen=True, slots=True)
class BeginAgain:
    """This association is over: begin another with these children, or with none."""

    children: tuple[str, ...]
    request_id: int | None


@dataclass(frozen=True, slots=True)
class SetTraps:
    """The next packet for these children is to bring them up."""

    children: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HandOver:
    """All stands that the association had which this one reauthenticates: it may go.

    After a restart it is known by the `reqids` of its Child SAs.
    """

    reqids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class FollowChildSa:
    """Something outside follows this child, which carries traffic; `again` after a restart.

    `number` is that of the Child SA, what else there is are the facts that a script is told.
    """

    connection: str
    settings: ChildSettings
    number: int
    local: Endpoint
    remote: Endpoint
    local_id: str
    remote_id: str
    local_ts: tuple[TrafficSelector, ...]
    remote_ts: tuple[TrafficSelector, ...]
    protocol: ProtocolId
    reqid: int
    encapsulated: bool
    again: bool = False


@dataclass(frozen=True, slots=True)
class UnfollowChildSa:
    """The child of this name carries traffic no more."""

    child: str


class Level(enum.IntEnum):
    """How much a report matters."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40


@quick
class Report:
    """Something an operator may want to know: a log line, an event on the admin socket.

    `name` is stable and lower-case with dashes ("ike-sa-established"), `text` one sentence for
    people, `details` typed values. Nothing in it is secret; peers' octets are escaped.
    """

    name: str
    text: str
    level: Level = Level.INFO
    connection: str = ""
    details: Mapping[str, Detail] = field(default_factory=dict)


@quick
class Trace:
    """A message sent or received; its text is made only where somebody reads it."""

    sent: bool
    exchange: ExchangeType
    message_id: int
    is_response: bool
    protected: bool
    payloads: tuple[Payload, ...]
    remote: Endpoint
    connection: str = ""

    level: ClassVar[Level] = Level.DEBUG

    @property
    def name(self) -> str:
        """The stable name of the report."""
        return "message-sent" if self.sent else "message-received"

    @property
    def text(self) -> str:
        """The message in the RFC's notation, with an arrow for its direction."""
        arrow = "-->" if self.sent else "<--"
        return f"{arrow} {notation(self.exchange, self.is_response, self.payloads, self.protected)}"

    @property
    def details(self) -> Mapping[str, Detail]:
        """Exchange type, message ID and the other end."""
        return {
            "exchange": self.exchange.name,
            "message_id": self.message_id,
            "remote": str(self.remote),
        }


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """The operator's request with this id has ended; `text` says why when it failed."""

    request_id: int
    succeeded: bool
    text: str
    details: Mapping[str, Detail] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RecordIkeKeys:
    """Keys of an IKE SA for the key log; made only where the configuration asks for one."""

    spi_i: bytes
    spi_r: bytes
    suite: IkeSuite
    sk_ei: bytes = field(repr=False)
    sk_er: bytes = field(repr=False)
    sk_ai: bytes = field(repr=False)
    sk_ar: bytes = field(repr=False)


Action = (
    SendDatagram
    | SendKeepalive
    | RegisterSpi
    | ForgetSpi
    | KeepAnswer
    | InstallChildSa
    | AdoptChildSa
    | RemoveChildSa
    | MoveChildSa
    | QueryUsage
    | ClaimIdentity
    | CheckRevocation
    | CheckName
    | FetchCertificates
    | SignByToken
    | Reauthenticate
    | BeginAgain
    | SetTraps
    | HandOver
    | Report
    | Trace
    | AnswerRequest
    | RecordIkeKeys
    | SuspectAddress
    | FollowChildSa
    | UnfollowChildSa
)
