"""Certificates and raw public keys, between ikeactors and strongSwan in either role.

One pair serves all: each case is a connection of its own, with keys and identities of its own.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509

from ikeactors.iana import IdType
from ikeactors.wire.general_names import write_general_name
from tests.lab.commands import wait_until
from tests.lab.ikeactors import IkeactorsPeer
from tests.lab.namespaces import Network, direct
from tests.lab.pair import SETTLED_SECONDS
from tests.lab.peer import Section, established
from tests.lab.pki import Pki, Wanted
from tests.lab.strongswan import StrongswanPeer
from tests.lab.traffic import ping
from tests.lab.tunnels import CHILD, connection_settings

pytestmark = pytest.mark.interop

IKEACTORS, STRONGSWAN = ENDS = ("ikeactors", "strongswan")
ADDRESSES = {
    "ipv4": {IKEACTORS: "10.77.0.1", STRONGSWAN: "10.77.0.2"},
    "ipv6": {IKEACTORS: "fd77::1", STRONGSWAN: "fd77::2"},
}


@dataclass(frozen=True, slots=True)
class Case:
    """What keys and names the ends of a connection have, and how they authenticate.

    `ours` and `options` are what we are told otherwise, `shared` who has a pre-shared key,
    `older` what we take where there are the older methods only: strongSwan's RSA needs SHA-1 then.
    """

    key: str = "ecdsa-256"
    auth: str = "pubkey"
    issuer: str = "root"
    id: str = "name"
    ours: str = ""
    shared: str = ""
    older: str = ""
    usage: str = "ipsecIKE"
    options: Mapping[str, bool | str] = field(default_factory=dict)


CASES = {
    "rsa-2048": Case("rsa-2048", "rsa", older="ike:rsa-sha1"),
    "rsa-2048-v15": Case("rsa-2048", "ike:rsa-sha256", ours="ike:rsa/pkcs1-sha256"),
    "rsa-2048-pss": Case("rsa-2048", "ike:rsa/pss-sha256"),
    "rsa-3072-v15": Case("rsa-3072", "ike:rsa-3072-sha256", ours="ike:rsa/pkcs1-3072-sha256"),
    "rsa-3072-pss": Case("rsa-3072", "ike:rsa/pss-sha384"),
    "rsa-4096-v15": Case("rsa-4096", "ike:rsa-sha512", ours="ike:rsa/pkcs1-sha512"),
    "rsa-4096-pss": Case("rsa-4096", "ike:rsa/pss-sha512"),
    "brainpool-256": Case("brainpool-256"),
    "brainpool-384": Case("brainpool-384"),
    "brainpool-512": Case("brainpool-512"),
    "p-256": Case("ecdsa-256", "ike:ecdsa-sha256"),
    # A strength is asked of the authorities' keys by strongSwan, "ike:" or not.
    "p-384": Case("ecdsa-384", "ike:ecdsa-sha384", ours="ike:ecdsa-384-sha384"),
    "p-521": Case("ecdsa-521", "ike:ecdsa-sha512", ours="ike:ecdsa-521-sha512"),
    # strongSwan has no word for it.
    "ed25519": Case("ed25519", "pubkey", ours="ed25519"),
    "ed448": Case("ed448", "pubkey", ours="ed448"),
    "chain": Case("rsa-2048", issuer="branch", older="ike:pubkey-sha1"),
    "email": Case(id="email"),
    "ipv4": Case(id="ipv4"),
    "ipv6": Case(id="ipv6", options={"match_address": False}),
    "dn": Case(id="dn"),
    "dn-wildcard": Case(id="dn", options={"id": "O=ikeactors lab, CN=*"}),
    "dn-reordered": Case(
        id="dn", options={"id": "CN=*, O=ikeactors lab", "rdn_matching": "reordered"}
    ),
    "keyid": Case(id="keyid"),
    "raw": Case(id="raw"),
    "mixed": Case(shared=STRONGSWAN),
    "mixed-ours": Case(shared=IKEACTORS),
    # strongSwan compares it with no certificate.
    "general-name": Case(id="general-name", shared=STRONGSWAN),
    "strict": Case(usage="serverAuth", options={"eku": "require"}),
}
REFUSED = "strict"
# What there is a method for that is older than RFC 7427.
OLDER = ("rsa-2048", "p-256", "p-384", "p-521", "chain", "raw", "mixed")
NO_RFC_7427 = "signature_authentication = no"


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """Two holders for each case, and a folder of all credentials of either end."""
    pki = Pki(tmp_path_factory.mktemp("pki")).init(key="rsa-3072")
    for name, case in CASES.items():
        for end in ENDS:
            is_named = case.shared != end and case.id not in ("dn", "keyid")
            names = [identity(pki, name, end)] if is_named else []
            folder = pki.issue(f"{name}-{end}", Wanted(names, case.key, case.issuer, [case.usage]))
            shutil.copytree(folder, pki.directory / "all" / end, dirs_exist_ok=True)
    for name in CASES:
        if CASES[name].id == "raw":
            exchange_raw_keys(pki.directory / "all", name)
    return pki


@dataclass(frozen=True, slots=True)
class Lab:
    """The two daemons, each with all connections."""

    network: Network
    daemon: IkeactorsPeer
    charon: StrongswanPeer

    def up(self, name: str, initiator: str) -> None:
        """Bring up a case's connection; both ends have it by its name then, and no other."""
        first = self.daemon if initiator == IKEACTORS else self.charon
        first.up(name, CHILD[4])
        wait_until(lambda: self._has(name), SETTLED_SECONDS, f"{name} is up at both ends")

    def down(self, name: str) -> None:
        """Take it down again."""
        self.daemon.down(name)
        wait_until(lambda: not self.charon.sas(), SETTLED_SECONDS, f"{name} is down")

    def _has(self, name: str) -> bool:
        return all(established(peer, name) for peer in (self.daemon, self.charon))


@pytest.fixture(scope="module")
def lab(pki: Pki) -> Iterator[Lab]:
    with direct() as network:
        yield from laid_out(pki, network, "")


@pytest.fixture(scope="module")
def older_lab(pki: Pki) -> Iterator[Lab]:
    """One in which strongSwan does not know RFC 7427."""
    with direct() as network:
        yield from laid_out(pki, network, NO_RFC_7427)


@pytest.mark.parametrize("initiator", ENDS)
@pytest.mark.parametrize("name", [one for one in CASES if one != REFUSED])
def test_a_tunnel_is_authenticated_by_signatures(lab: Lab, name: str, initiator: str) -> None:
    lab.up(name, initiator)
    assert ping(lab.network.west, lab.network.east) == 3
    lab.down(name)


@pytest.mark.parametrize("initiator", ENDS)
@pytest.mark.parametrize("name", OLDER)
def test_a_tunnel_is_authenticated_by_the_older_methods(
    older_lab: Lab, name: str, initiator: str
) -> None:
    older_lab.up(name, initiator)
    older_lab.down(name)


def test_a_chain_comes_in_fragments(lab: Lab) -> None:
    lab.up("chain", IKEACTORS)
    lab.down("chain")
    lines = [line for line in lab.charon.log.splitlines() if "[ EF(" in line]
    for words in ("parsed IKE_AUTH request", "generating IKE_AUTH response"):
        assert [line for line in lines if words in line], words


def test_a_refusal_names_the_certificate_and_the_step(lab: Lab) -> None:
    lab.daemon.attempt("up", "strict", "--timeout", "20s")
    lab.daemon.expect_logged("its extended key usage has serverAuth only", "ipsecIKE is asked for")


def laid_out(pki: Pki, network: Network, options: str) -> Iterator[Lab]:
    """The pair; strongSwan with these options of charon's."""
    everything = pki.directory / "all"
    secret_of = [identity(pki, one, end) for one in CASES if CASES[one].shared for end in ENDS]
    theirs = connections(pki, network, STRONGSWAN)
    ours = connections(pki, network, IKEACTORS, older=options == NO_RFC_7427)
    with (
        StrongswanPeer(
            network.east, theirs, secret_of, credentials=everything / STRONGSWAN, options=options
        ) as charon,
        IkeactorsPeer(network.west, ours, secret_of, credentials=everything / IKEACTORS) as daemon,
    ):
        yield Lab(network, daemon, charon)


def connections(pki: Pki, network: Network, end: str, *, older: bool = False) -> Section:
    """All connections as one end has them. kernel-libipsec takes ESP in UDP only."""
    gateway, other = (network.west, STRONGSWAN) if end == IKEACTORS else (network.east, IKEACTORS)
    common = connection_settings(network, gateway, options={"encap": True})
    return {
        "connections": {
            name: {
                **common,
                "local": authentication(pki, name, end, writer=end, older=older),
                "remote": authentication(pki, name, other, writer=end, older=older),
            }
            for name in CASES
        }
    }


def authentication(pki: Pki, name: str, end: str, *, writer: str, older: bool) -> Section:
    """How `end` authenticates, in the configuration of `writer`."""
    case, who = CASES[name], identity(pki, name, end)
    if case.shared == end:
        return {"auth": "psk", "id": who}
    auth = case.auth
    if writer == IKEACTORS:
        auth = (case.older if older else "") or case.ours or auth
    file = [f"{name}-{end}.pem"]
    if case.id == "raw":
        return {"auth": auth, "id": who, "pubkeys": file}
    if end == writer:
        return {"auth": auth, "id": who, "certs": file}
    return {"auth": auth, "id": who, **(case.options if writer == IKEACTORS else {})}


def identity(pki: Pki, name: str, end: str) -> str:
    match CASES[name].id:
        case "ipv4" | "ipv6" as kind:
            return ADDRESSES[kind][end]
        case "email":
            return f"{name}@{end}.lab"
        case "general-name" if end == STRONGSWAN:
            return f"asn1gn:#{write_general_name(IdType.FQDN, name.encode()).hex()}"
        case "dn":
            return f"O=ikeactors lab, CN={name}-{end}"
        case "keyid":
            extensions = pki.certificate(f"{name}-{end}").extensions
            key = extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
            return f"@#{key.digest.hex()}"
        case _:
            return f"{name}.{end}.lab"


def exchange_raw_keys(everything: Path, name: str) -> None:
    """Each end has the other's public key; certificates there are none."""
    for end, other in (ENDS, ENDS[::-1]):
        file = f"{name}-{end}.pem"
        shutil.copy(everything / end / "pubkey" / file, everything / other / "pubkey")
        (everything / end / "x509" / file).unlink()
