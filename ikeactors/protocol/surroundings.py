"""What every association of a daemon shares: where chance and numbers come from, and the ports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ikeactors.errors import AuthenticationFailed
from ikeactors.protocol.actions import Level
from ikeactors.protocol.allowance import Allowance
from ikeactors.protocol.credentials import Credentials, NoCredentials
from ikeactors.protocol.entropy import Entropy
from ikeactors.protocol.events import Address
from ikeactors.protocol.tokens import TokenOf, no_token
from ikeactors.wire.identities import Identity

IKE_PORT = 500
NAT_PORT = 4500

# Ours: the low bits of the first octet of each SPI we choose name the process that owns it, so
# that several processes can share the ports one day. One process: shard 0.
SHARD_BITS = 6


# Ours: unprotected refusals a second, whoever asks, so that we are no amplifier and nobody can
# make us spend our time on answers (RFC 7296 section 2.21.4); of these, how many are worth a line
# in the log.
REFUSALS_PER_SECOND = 100.0
COMPLAINTS_PER_SECOND = 2.0
COMPLAINTS_AT_ONCE = 20.0


def _refusals() -> Allowance:
    return Allowance(REFUSALS_PER_SECOND, REFUSALS_PER_SECOND)


def _complaints() -> Allowance:
    return Allowance(COMPLAINTS_PER_SECOND, COMPLAINTS_AT_ONCE)


def _half_a_minute() -> float:
    return 30.0


def _everything(level: Level, connection: str) -> bool:
    return True


def _nobody(local: Identity, remote: Identity) -> bool:
    return False


def _no_addresses() -> tuple[Address, ...]:
    return ()


def _no_way(remote: Address) -> Address | None:
    return None


def _none(connection: str, place: Address | None) -> bool:
    return False


def _beginning_of_time() -> float:
    return 0.0


def _no_staple(certificate: bytes) -> bytes:
    return b""


def _any_amount(holder: object, octets: int) -> bool:
    return True


def _no_keys(name: str) -> tuple[bytes, ...]:
    raise AuthenticationFailed(f"nobody asks DNS for the keys of {name}")


def _no_puzzle() -> int:
    return 0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Shared by all associations.

    `nat_port` is the local port that speaks UDP encapsulation (RFC 3948), `encapsulate` whether
    the data plane carries ESP in UDP only, so that a NAT has to be feigned, `compresses` whether it
    knows IP compression. A peer that asked for an IKE SA has `half_open_timeout()` seconds to
    prove who it is, fewer under attack. A puzzle of more than `puzzle_max_difficulty` bits is not
    solved, and none if it is 0. `refusals`
    bounds what strangers are told, `complaints` what the operator is told of them. `is_heard`
    tells whether reports of a level about a connection have a hearer: what nobody hears is not
    put into words. `stands` tells whether there is an IKE SA between two identities already,
    `is_up` whether there is one of a connection, with a peer at this address if one is given.
    `holds` tells whether there is room for octets of fragments, which are counted as long as what
    holds them exists. `auth_difficulty` is how hard a puzzle IKE_AUTH has for who has solved one
    before, 0 where it has none.
    `token_of` makes the token by which a peer knows that we have lost its IKE SA. `addresses` tells
    this host's addresses, none where they are not known, and `source_for` from which of them the
    routes lead to an address. `wall_clock` tells the time of day in seconds since 1970, by which
    certificates are valid; `credentials` are our keys and whom we believe, and `staple_of` tells
    what OCSP says of a certificate of ours, nothing where it is not known. `keys_of` tells which
    public keys a name has by DNSSEC; AuthenticationFailed says why it has none.
    """

    entropy: Entropy
    nat_port: int = NAT_PORT
    encapsulate: bool = False
    compresses: bool = False
    puzzle_max_difficulty: int = 16
    half_open_timeout: Callable[[], float] = _half_a_minute
    refusals: Allowance = field(default_factory=_refusals)
    complaints: Allowance = field(default_factory=_complaints)
    is_heard: Callable[[Level, str], bool] = _everything
    stands: Callable[[Identity, Identity], bool] = _nobody
    is_up: Callable[[str, Address | None], bool] = _none
    token_of: TokenOf = no_token
    holds: Callable[[object, int], bool] = _any_amount
    auth_difficulty: Callable[[], int] = _no_puzzle
    addresses: Callable[[], tuple[Address, ...]] = _no_addresses
    source_for: Callable[[Address], Address | None] = _no_way
    wall_clock: Callable[[], float] = _beginning_of_time
    staple_of: Callable[[bytes], bytes] = _no_staple
    credentials: Credentials = field(default_factory=NoCredentials)
    keys_of: Callable[[str], tuple[bytes, ...]] = _no_keys

    def choose_ike_spi(self) -> bytes:
        """A fresh SPI for an IKE SA: eight octets, never all zero."""
        octets = bytearray(self.entropy.octets(8))
        octets[0] &= 0xFF << SHARD_BITS & 0xFF
        octets[7] |= 1
        return bytes(octets)

    def choose_child_spi(self) -> int:
        """A fresh SPI for an ESP or AH SA; 0 to 255 are reserved (RFC 4303 section 2.1)."""
        value = int.from_bytes(self.entropy.octets(4), "big")
        return value | 0x100 if value < 0x100 else value

    def fraction(self) -> float:
        """A number from 0 up to 1, for spreading timers."""
        return int.from_bytes(self.entropy.octets(4), "big") / 2**32
