"""What a connection is configured to be: the words of swanctl.conf as frozen data.

`ikeactors.config` makes these from TOML and has checked them. Durations are seconds, 0 is "off"
or "never" as in swanctl.conf. Proposals are templates: SPI empty, several transforms of a type
are alternatives in order of preference.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field

from ikeactors.crypto.pki.address_blocks import AddressBlocks
from ikeactors.crypto.pki.bindings import AddressBinding
from ikeactors.crypto.pki.policies import ANY_OR_NO_POLICY, PolicyDemand
from ikeactors.crypto.pki.profile import ExtendedKeyUsage
from ikeactors.crypto.pki.revocation import RevocationPolicy
from ikeactors.crypto.signature_constraints import ANY_SIGNATURE, SignatureConstraint
from ikeactors.kernel.requests import (
    USUAL_COPYING,
    HeaderCopying,
    HwOffload,
    Mark,
    Mode,
    PolicyRequest,
)
from ikeactors.protocol.choices import Childless, Fragmentation, InBandOcsp, SendCertificate
from ikeactors.protocol.index import Index
from ikeactors.protocol.patterns import ANYBODY
from ikeactors.protocol.patterns import Address as Address
from ikeactors.protocol.patterns import AddressPattern as AddressPattern
from ikeactors.protocol.patterns import IdentityPattern as IdentityPattern
from ikeactors.protocol.patterns import SelectorTemplate as SelectorTemplate
from ikeactors.protocol.secrets import Secret as Secret
from ikeactors.protocol.secrets import Secrets
from ikeactors.wire.identities import Identity
from ikeactors.wire.proposals import Proposal


class Unique(enum.Enum):
    """What happens to older IKE SAs between the same identities."""

    NO = "no"
    REPLACE = "replace"
    KEEP = "keep"
    NEVER = "never"


class StartAction(enum.Enum):
    """What happens to a child when its connection is loaded."""

    NONE = "none"
    START = "start"
    TRAP = "trap"
    TRAP_START = "trap|start"

    @property
    def starts(self) -> bool:
        """Whether it is brought up, and kept up."""
        return self in (StartAction.START, StartAction.TRAP_START)

    @property
    def traps(self) -> bool:
        """Whether a packet for it brings it up."""
        return self in (StartAction.TRAP, StartAction.TRAP_START)


class DownAction(enum.Enum):
    """What happens to a child whose peer is dead (dpd_action) or closed it (close_action)."""

    CLEAR = "clear"
    START = "start"
    TRAP = "trap"


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """One end's authentication: "psk", "pubkey" or "null", who it is, and what its key has to be.

    `certificates` and `authorities` are DER, `public_keys` a SubjectPublicKeyInfo each: of our end
    those to use, of the peer's those to believe, all that are loaded where none is named.
    """

    auth: str = "psk"
    id: IdentityPattern = ANYBODY
    constraint: SignatureConstraint = ANY_SIGNATURE
    certificates: tuple[bytes, ...] = ()
    authorities: tuple[bytes, ...] = ()
    public_keys: tuple[bytes, ...] = ()
    usage: ExtendedKeyUsage = ExtendedKeyUsage.IF_PRESENT
    policies: PolicyDemand = ANY_OR_NO_POLICY
    match_address: bool = True
    revocation: RevocationPolicy = RevocationPolicy.RELAXED
    revocation_recheck: float = 0.0
    cert_uri_base: str = ""
    cert_urls: tuple[str, ...] = ()
    address_blocks: AddressBlocks = AddressBlocks.IF_PRESENT
    dnssec: bool = False
    ipseckey: bool = False
    address_binding: AddressBinding = AddressBinding.EXACT
    cert_uri_bundle: bool = False

    @property
    def by_public_key(self) -> bool:
        """Whether this end signs, rather than prove a pre-shared key."""
        return self.auth == "pubkey"

    @property
    def is_null(self) -> bool:
        """Whether this end proves nothing of who it is."""
        return self.auth == "null"

    @property
    def demand(self) -> str:
        """What is asked of this end, in words."""
        return str(self.constraint) if self.by_public_key else _DEMANDS[self.auth]


@dataclass(frozen=True, slots=True)
class Retransmission:
    """When an unanswered request is sent again: timeout * base ** n, at most `limit` (0: no limit).

    `jitter` is the percentage by which each wait is shortened at random.
    """

    timeout: float = 4.0
    base: float = 1.8
    tries: int = 5
    limit: float = 0.0
    jitter: int = 0


@dataclass(frozen=True, slots=True)
class ChildSettings:
    """A child: what is to be protected, and how."""

    name: str
    local_ts: tuple[SelectorTemplate, ...] = (SelectorTemplate(),)
    remote_ts: tuple[SelectorTemplate, ...] = (SelectorTemplate(),)
    esp_proposals: tuple[Proposal, ...] = ()
    ah_proposals: tuple[Proposal, ...] = ()
    mode: Mode = Mode.TUNNEL
    rekey_time: float = 3600.0
    life_time: float = 3960.0
    rand_time: float = 360.0
    rekey_bytes: int = 0
    life_bytes: int = 0
    rand_bytes: int = 0
    rekey_packets: int = 0
    life_packets: int = 0
    rand_packets: int = 0
    start_action: StartAction = StartAction.NONE
    dpd_action: DownAction = DownAction.CLEAR
    close_action: DownAction = DownAction.CLEAR
    reqid: int = 0
    mark_in: Mark | None = None
    mark_out: Mark | None = None
    mark_in_sa: bool = False
    set_mark_in: Mark | None = None
    set_mark_out: Mark | None = None
    if_id_in: int = 0
    if_id_out: int = 0
    replay_window: int = 32
    priority: int = 0
    policies: bool = True
    blocks: bool = False
    single_pair: bool = False
    policies_fwd_out: bool = False
    updown: str = ""
    nft_set: str = ""
    nft_set6: str = ""
    tfc_padding: int = 0
    hw_offload: HwOffload = HwOffload.NO
    copying: HeaderCopying = USUAL_COPYING
    ipcomp: bool = False

    @property
    def proposals(self) -> tuple[Proposal, ...]:
        """What protects it: AH where that is configured, or else ESP."""
        return self.ah_proposals or self.esp_proposals

    @property
    def is_followed(self) -> bool:
        """Whether anything outside of the daemon is to know when it goes up and down."""
        return bool(self.updown or self.nft_set or self.nft_set6)


@dataclass(frozen=True, slots=True)
class Shunt:
    """A child that is only policies: what passes without protection, or is dropped."""

    name: str
    policies: tuple[PolicyRequest, ...]


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """A connection: with whom, proving what, under which proposals."""

    name: str
    version: int = 2
    local_addrs: tuple[AddressPattern, ...] = ()
    remote_addrs: tuple[AddressPattern, ...] = ()
    local_port: int = 500
    remote_port: int = 500
    proposals: tuple[Proposal, ...] = ()
    local: AuthSettings = AuthSettings()
    remote: AuthSettings = AuthSettings()
    children: tuple[ChildSettings, ...] = ()
    shunts: tuple[Shunt, ...] = ()
    rekey_time: float = 14400.0
    over_time: float = 1440.0
    rand_time: float = 1440.0
    reauth_time: float = 0.0
    dpd_delay: float = 0.0
    dpd_timeout: float = 0.0
    keepalive: float = 20.0
    encap: bool = False
    dscp: int = 0
    fragmentation: Fragmentation = Fragmentation.YES
    fragment_size: int = 1280
    window_size: int = 1
    quick_crash_detection: bool = False
    unique: Unique = Unique.NO
    keyingtries: int = 0
    send_initial_contact: bool = True
    send_cert: SendCertificate = SendCertificate.IF_ASKED
    send_certreq: bool = True
    if_id_in: int = 0
    if_id_out: int = 0
    retransmission: Retransmission = Retransmission()
    log_level: str = ""
    record: bool = False
    mobike: bool = True
    local_names: tuple[str, ...] = ()
    remote_names: tuple[str, ...] = ()
    make_before_break: bool = True
    childless: Childless = Childless.ALLOW
    ocsp: InBandOcsp = InBandOcsp.REPLY
    ppk_id: IdentityPattern | None = None
    ppk_required: bool = False
    later_local: tuple[AuthSettings, ...] = ()
    later_remote: tuple[AuthSettings, ...] = ()

    @property
    def local_rounds(self) -> tuple[AuthSettings, ...]:
        """All that we prove, one after the other."""
        return (self.local, *self.later_local)

    @property
    def remote_rounds(self) -> tuple[AuthSettings, ...]:
        """All that the peer has to prove."""
        return (self.remote, *self.later_remote)

    @property
    def has_rounds(self) -> bool:
        """Whether an end proves itself more than once."""
        return bool(self.later_local or self.later_remote)

    @property
    def is_local(self) -> bool:
        """Whether there is nothing in it to negotiate: it has no peer."""
        return bool(self.shunts) and not self.children

    @property
    def uniqueness(self) -> Unique:
        """What becomes of older IKE SAs: nothing where anybody can say to be the same peer.

        INITIAL_CONTACT says nothing there, either (RFC 7619 section 2.3).
        """
        return Unique.NEVER if self.remote.is_null else self.unique

    def child(self, name: str) -> ChildSettings | None:
        """The child of this name, or None."""
        return next((child for child in self.children if child.name == name), None)

    def takes(
        self, local: Address, remote: Address, names_of: Callable[[Address], tuple[str, ...]]
    ) -> bool:
        """Whether a peer at `remote`, talking to our `local`, may use this connection."""
        ours = _any_matches(self.local_addrs, self.local_names, local, names_of)
        return ours and _any_matches(self.remote_addrs, self.remote_names, remote, names_of)

    def takes_local(self, local: Address) -> bool:
        """Whether the connection may use this address of ours; a name may be of any."""
        return bool(self.local_names) or _any_matches(self.local_addrs, (), local, nameless)


def nameless(address: Address) -> tuple[str, ...]:
    """No address has a name."""
    return ()


@dataclass(frozen=True, slots=True)
class Settings:
    """All an association may know of the configuration.

    `names_of` tells which of the configuration's DNS names an address has now.
    """

    connections: tuple[ConnectionSettings, ...] = ()
    secrets: tuple[Secret, ...] = ()
    record_keys: bool = False
    names_of: Callable[[Address], tuple[str, ...]] = field(
        default=nameless, repr=False, compare=False
    )
    _by_name: dict[str, ConnectionSettings] = field(init=False, repr=False, compare=False)
    _by_address: Index[Address | str, ConnectionSettings] = field(
        init=False, repr=False, compare=False
    )
    _found: Secrets = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._index()

    def renew(
        self, connections: tuple[ConnectionSettings, ...], secrets: tuple[Secret, ...]
    ) -> None:
        """For whoever looks from now on: it is the one thing here that ever changes."""
        object.__setattr__(self, "connections", connections)
        object.__setattr__(self, "secrets", secrets)
        self._index()

    def _index(self) -> None:
        by_address: Index[Address | str, ConnectionSettings] = Index()
        for connection in self.connections:
            addresses = (one.single for one in connection.remote_addrs)
            by_address.add((*addresses, *connection.remote_names), connection)
        by_name = {connection.name: connection for connection in reversed(self.connections)}
        object.__setattr__(self, "_by_name", by_name)
        object.__setattr__(self, "_by_address", by_address)
        object.__setattr__(self, "_found", Secrets(self.secrets))

    def connection(self, name: str) -> ConnectionSettings | None:
        """The connection of this name, or None."""
        return self._by_name.get(name)

    def candidates(self, local: Address, remote: Address) -> tuple[ConnectionSettings, ...]:
        """The connections a peer at `remote` may use, in the order of the configuration."""
        found = self._by_address.find(remote, *self.names_of(remote))
        return tuple(one for one in found if one.takes(local, remote, self.names_of))

    def secret_for(self, local: Identity, remote: Identity) -> bytes | None:
        """The pre-shared key between two identities: the one that names them best."""
        return self._found.between(local, remote)

    def ppk_for(self, name: bytes) -> bytes | None:
        """The post-quantum pre-shared key that goes by a name."""
        return self._found.ppks.get(name)

    @property
    def has_ppks(self) -> bool:
        """Whether there is any post-quantum pre-shared key."""
        return bool(self._found.ppks)


def _any_matches(
    patterns: tuple[AddressPattern, ...],
    names: tuple[str, ...],
    address: Address,
    names_of: Callable[[Address], tuple[str, ...]],
) -> bool:
    """Whether an address is one of these, or has one of these names; with neither all are."""
    if not patterns and not names:
        return True
    if any(pattern.matches(address) for pattern in patterns):
        return True
    return bool(names) and not set(names).isdisjoint(names_of(address))


_DEMANDS = {"psk": "a pre-shared key", "null": "no authentication"}
