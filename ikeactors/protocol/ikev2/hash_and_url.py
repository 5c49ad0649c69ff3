"""Certificates that are named by their hash and fetched from a URL (RFC 7296 section 3.6).

    IKE_AUTH with CERT of encoding 12  -->  FetchCertificates  -->  CertificatesFetched
        -->  IKE_AUTH as if they had been in it

What they are named by comes from a peer that has proven nothing yet. So it is fetched only where a
connection says from where, a few of them and once; what does not have the hash is no certificate.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ikeactors.errors import InvalidSyntax, ProtocolFault
from ikeactors.iana import CertificateEncoding, ExchangeType, NotifyType
from ikeactors.protocol.actions import FetchCertificates, Level
from ikeactors.protocol.events import CertificatesFetched, Reply
from ikeactors.protocol.ikev2.exchange import Exchange, Payloads
from ikeactors.protocol.settings import AuthSettings, ConnectionSettings
from ikeactors.quick import quick
from ikeactors.wire.bundles import read_bundle, write_bundle
from ikeactors.wire.octets import printable
from ikeactors.wire.payload import Certificate, Notify

if TYPE_CHECKING:
    from ikeactors.protocol.ikev2.association import Association
    from ikeactors.protocol.ikev2.ike_sa import IkeSa
    from ikeactors.protocol.ikev2.protection import Opened

# The specification's.
_HASH_OCTETS = 20

# Ours: as many as every implementation takes (RFC 7296 section 3.6).
MAX_LOOKUPS = 4
# Ours: a name of a host, a path with a hash; all else is hardly meant well.
_MAX_URL_OCTETS = 512

_URL = CertificateEncoding.HASH_URL_X509
_BUNDLE = CertificateEncoding.HASH_URL_X509_BUNDLE
_NAMED = frozenset({_URL, _BUNDLE})


def announcement(connections: Iterable[ConnectionSettings]) -> Payloads:
    """HTTP_CERT_LOOKUP_SUPPORTED, where a connection says from where certificates may come."""
    if any(end.cert_urls for one in connections for end in one.remote_rounds):
        return (Notify(NotifyType.HTTP_CERT_LOOKUP_SUPPORTED),)
    return ()


def shortened(auth: AuthSettings, certificates: tuple[Certificate, ...]) -> tuple[Certificate, ...]:
    """Ours, the first one by its hash and where it is, or all of them as a bundle."""
    if not auth.cert_uri_base or not certificates:
        return certificates
    if auth.cert_uri_bundle:
        bundle = write_bundle(one.data for one in certificates)
        return (_at(auth.cert_uri_base, _BUNDLE, bundle),)
    return (_at(auth.cert_uri_base, _URL, certificates[0].data), *certificates[1:])


def _at(base: str, encoding: CertificateEncoding, octets: bytes) -> Certificate:
    digest = hashlib.sha1(octets, usedforsecurity=False)
    return Certificate(encoding, digest.digest() + (base + digest.hexdigest()).encode())


def is_looked_up(
    association: Association,
    connections: Iterable[ConnectionSettings],
    then: Answered | Asked,
) -> bool:
    """Whether certificates of a message are fetched first; `then` goes on with them."""
    named = [
        one
        for one in then.payloads
        if isinstance(one, Certificate) and one.encoding in _NAMED and len(one.data) > _HASH_OCTETS
    ]
    if not named:
        return False
    places = {url for one in connections for end in one.remote_rounds for url in end.cert_urls}
    lookups: dict[bytes, str] = {}
    for one in named[:MAX_LOOKUPS]:
        digest, url = one.data[:_HASH_OCTETS], printable(one.data[_HASH_OCTETS:])
        is_short = len(one.data) <= _HASH_OCTETS + _MAX_URL_OCTETS
        if is_short and url.startswith(tuple(places)):
            lookups[digest] = url
        else:
            _report(association, f"{url} is not in cert_urls")
    if not lookups:
        return False
    association.emit(FetchCertificates(association.wait_for(then), tuple(lookups.items())))
    return True


@quick
class Answered:
    """The response to an initiator's request waits for the certificates in it."""

    exchange: Exchange
    ike_sa: IkeSa
    opened: Opened
    payloads: Payloads

    def resumed(self, association: Association, event: Reply) -> None:
        """Go on with the response."""
        payloads = _fetched(association, self.payloads, event)
        try:
            self.exchange.answered(association, self.ike_sa, self.opened, payloads)
        except ProtocolFault as fault:
            association.response_failed(self.ike_sa, self.exchange, fault)
        self.ike_sa.send_next(association)


@quick
class Asked:
    """A request to the responder waits for the certificates in it."""

    ike_sa: IkeSa
    opened: Opened
    payloads: Payloads

    def resumed(self, association: Association, event: Reply) -> None:
        """Go on with the request."""
        payloads = _fetched(association, self.payloads, event)
        try:
            answer = association.respond(self.ike_sa, ExchangeType.IKE_AUTH, self.opened, payloads)
        except ProtocolFault as fault:
            answer = association.refuse(fault)
        if answer is not None:
            self.ike_sa.answer(association, answer)


def _fetched(association: Association, payloads: Payloads, event: Reply) -> Payloads:
    """With what there was in the place of its name; without what there was not."""
    assert isinstance(event, CertificatesFetched)
    for text in event.failures:
        _report(association, text)
    found = {hashlib.sha1(one, usedforsecurity=False).digest(): one for one in event.certificates}
    whole: Payloads = ()
    for one in payloads:
        if not isinstance(one, Certificate) or one.encoding not in _NAMED:
            whole += (one,)
            continue
        octets = found.get(one.data[:_HASH_OCTETS])
        if octets is not None:
            ders = (octets,) if one.encoding is _URL else _unbundled(association, octets)
            whole += tuple(Certificate(CertificateEncoding.X509_SIGNATURE, der) for der in ders)
    return whole


def _unbundled(association: Association, octets: bytes) -> tuple[bytes, ...]:
    try:
        return read_bundle(octets)
    except InvalidSyntax as fault:
        _report(association, f"a bundle that cannot be read: {fault}")
        return ()


def _report(association: Association, text: str) -> None:
    association.report(
        "certificate-not-fetched",
        f"a certificate of the peer at {association.remote} is not fetched: {text}",
        Level.WARNING,
    )
