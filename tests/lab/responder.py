"""CRLs and OCSP of a PKI of the lab, over HTTP. NOT for production."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from tests.lab.certifying import digest_of
from tests.lab.pki import BRANCH, RESPONDER, ROOT, Pki

_LISTS = {f"/{name}.crl": name for name in (ROOT, BRANCH)}
_LARGEST_REQUEST = 64 * 1024
_BACKDATED = timedelta(minutes=10)
_VALID = timedelta(days=1)


class Served(ThreadingHTTPServer):
    """`/root.crl`, `/branch.crl` and, by POST, `/ocsp`."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], pki: Pki) -> None:
        super().__init__(address, _Handler)
        self.pki = pki


def answer(pki: Pki, octets: bytes) -> bytes:
    """An OCSP response to a request, signed by the delegated responder."""
    try:
        request = ocsp.load_der_ocsp_request(octets)
    except ValueError:
        return _unsuccessful(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
    certificate = _with_serial(pki, request.serial_number)
    if certificate is None:
        return _unsuccessful(ocsp.OCSPResponseStatus.UNAUTHORIZED)
    builder = _status(pki, certificate, request)
    for one in request.extensions:
        if isinstance(one.value, x509.OCSPNonce):
            builder = builder.add_extension(one.value, critical=False)
    responder = pki.authority(RESPONDER)
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, responder.certificate)
    builder = builder.certificates([responder.certificate])
    key: Any = responder.key
    return builder.sign(key, digest_of(key)).public_bytes(Encoding.DER)


def _status(
    pki: Pki, certificate: x509.Certificate, request: ocsp.OCSPRequest
) -> ocsp.OCSPResponseBuilder:
    authorities = [pki.authority(name).certificate for name in (BRANCH, ROOT)]
    issuer = next(one for one in authorities if one.subject == certificate.issuer)
    entry, now = pki.revoked().get(str(certificate.serial_number)), datetime.now(UTC)
    reason = x509.ReasonFlags(entry["reason"]) if entry else None
    return ocsp.OCSPResponseBuilder().add_response(
        cert=certificate,
        issuer=issuer,
        algorithm=request.hash_algorithm,
        cert_status=ocsp.OCSPCertStatus.REVOKED if entry else ocsp.OCSPCertStatus.GOOD,
        this_update=now - _BACKDATED,
        next_update=now + _VALID,
        revocation_time=datetime.fromtimestamp(entry["at"], UTC) if entry else None,
        revocation_reason=None if reason is x509.ReasonFlags.unspecified else reason,
    )


def _with_serial(pki: Pki, serial: int) -> x509.Certificate | None:
    certificates = [pki.certificate(one.name) for one in pki.holders()]
    certificates.append(pki.authority(BRANCH).certificate)
    return next((one for one in certificates if one.serial_number == serial), None)


def _unsuccessful(status: ocsp.OCSPResponseStatus) -> bytes:
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)


class _Handler(BaseHTTPRequestHandler):
    server: Served

    def do_GET(self) -> None:
        name = _LISTS.get(self.path)
        if name is None:
            self.send_error(404)
            return
        crl = self.server.pki.crl(name).public_bytes(Encoding.DER)
        self._send("application/pkix-crl", crl)

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if self.path != "/ocsp" or not 0 < length <= _LARGEST_REQUEST:
            self.send_error(404)
            return
        octets = answer(self.server.pki, self.rfile.read(length))
        self._send("application/ocsp-response", octets)

    def _send(self, kind: str, octets: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(octets)))
        self.end_headers()
        self.wfile.write(octets)
