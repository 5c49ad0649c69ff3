"""What an association asks of a data plane, whichever it is: SAs, policies, lifetimes.

The XFRM codec, the userspace data plane and the simulated kernel all take these. Addresses are
`ipaddress` objects, SPIs of ESP and AH are integers, durations are seconds (0 is unlimited).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from ikeactors.crypto.suite import ChildSuite
from ikeactors.errors import Fault
from ikeactors.iana import ProtocolId
from ikeactors.quick import quick
from ikeactors.wire.selectors import TrafficSelector

Address = IPv4Address | IPv6Address


class Mode(enum.Enum):
    """How packets are carried (RFC 4301 section 4.1)."""

    TUNNEL = "tunnel"
    TRANSPORT = "transport"


class Direction(enum.IntEnum):
    """The direction of a policy or an SA, in the kernel's numbers."""

    IN = 0
    OUT = 1
    FWD = 2


class PolicyAction(enum.Enum):
    """What happens to a packet that a policy selects (RFC 4301 section 4.4.1)."""

    PROTECT = "protect"
    PASS = "pass"  # noqa: S105 - RFC 4301 says BYPASS; swanctl's word is kept
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Mark:
    """A packet mark and the bits of it that count."""

    value: int
    mask: int = 0xFFFFFFFF


@quick
class Lifetime:
    """When the kernel reports an SA as expiring (soft) and drops it (hard); 0 is never."""

    soft_seconds: int = 0
    hard_seconds: int = 0
    soft_bytes: int = 0
    hard_bytes: int = 0
    soft_packets: int = 0
    hard_packets: int = 0

    def is_worn_by(self, usage: SaUsage) -> bool:
        """Whether so much went through an SA that it is to be rekeyed."""
        return 0 < self.soft_bytes <= usage.octets or 0 < self.soft_packets <= usage.packets


class CopyDscp(enum.Enum):
    """Where the DSCP goes: OUT to the outer header, IN to the inner one of what has come in."""

    OUT = "out"
    IN = "in"
    YES = "yes"
    NO = "no"


@dataclass(frozen=True, slots=True)
class HeaderCopying:
    """What a tunnel copies between inner and outer header (RFC 4301 section 5.1.2)."""

    df: bool = True
    ecn: bool = True
    dscp: CopyDscp = CopyDscp.OUT


USUAL_COPYING = HeaderCopying()


class HwOffload(enum.Enum):
    """Whether a network device seals and opens the packets; AUTO is where one can."""

    NO = "no"
    CRYPTO = "crypto"
    AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Encapsulation:
    """UDP encapsulation of ESP: the ports of the outer header (RFC 3948)."""

    source_port: int
    destination_port: int


@quick
class SaId:
    """What names an SA in the SAD (RFC 4301 section 4.4.2.1)."""

    spi: int
    protocol: ProtocolId
    source: Address
    destination: Address
    mark: Mark | None = None

    def __hash__(self) -> int:
        # An address hashes its number as text, and an SPI is all but unique.
        return hash((self.spi, int(self.destination)))


@quick
class SaRequest:
    """One SA, one direction. For transport mode `selectors` is (source, destination).

    `output_mark` is what the kernel marks the SA's own packets with, before it routes them, and
    inbound what it marks packets with when they are out of the SA. `tfc_padding` is the length that
    packets are padded to, at most what the path takes. `cpi` names the association that compresses
    what the SA protects; with 0 none does.
    """

    spi: int
    protocol: ProtocolId
    direction: Direction
    source: Address
    destination: Address
    mode: Mode
    reqid: int
    suite: ChildSuite
    encr_key: bytes = field(repr=False)
    integ_key: bytes = field(repr=False)
    replay_window: int = 32
    encapsulation: Encapsulation | None = None
    mark: Mark | None = None
    output_mark: Mark | None = None
    if_id: int = 0
    lifetime: Lifetime = Lifetime()
    selectors: tuple[TrafficSelector, TrafficSelector] | None = None
    copying: HeaderCopying = USUAL_COPYING
    tfc_padding: int = 0
    offload: HwOffload = HwOffload.NO
    cpi: int = 0

    @property
    def sa_id(self) -> SaId:
        """The name of this SA in the SAD."""
        return SaId(self.spi, self.protocol, self.source, self.destination, self.mark)


@quick
class PolicyRequest:
    """One policy: packets from `source` to `destination` in `direction`.

    `tunnel_source` and `tunnel_destination` are the outer addresses of the template. `priority`
    0 asks the data plane to compute one: more specific selectors first. With `on_demand` there is
    no SA before a packet needs it: the data plane then asks for one, and holds the packet. Where it
    `blocks` nothing of it leaves in the clear, not even when the daemon is gone.
    """

    direction: Direction
    source: TrafficSelector
    destination: TrafficSelector
    tunnel_source: Address
    tunnel_destination: Address
    protocol: ProtocolId
    mode: Mode
    reqid: int
    action: PolicyAction = PolicyAction.PROTECT
    mark: Mark | None = None
    if_id: int = 0
    priority: int = 0
    on_demand: bool = False
    compressed: bool = False
    blocks: bool = False


@dataclass(frozen=True, slots=True)
class SaUsage:
    """What has gone through an SA so far; instants are seconds since the epoch, 0 is never."""

    sa_id: SaId
    octets: int
    packets: int
    last_used_at: float


class KernelRefusal(Fault):
    """The data plane refused. `errno` is its number (0 where there is none), the text says why."""

    def __init__(self, errno: int, text: str) -> None:
        super().__init__(text)
        self.errno = errno
