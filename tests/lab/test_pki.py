"""The PKI of the lab: what it makes is what daemons and OpenSSL take."""

from __future__ import annotations

import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from ikeactors.config.certificates import load_files
from ikeactors.config.mistakes import Mistakes
from ikeactors.crypto.pki.crls import statuses_by_crl
from ikeactors.crypto.pki.paths import TrustAnchors
from ikeactors.crypto.pki.revocation import Revocation
from tests.lab.certifying import KEYS
from tests.lab.pki import BRANCH, ROOT, Failed, Pki, Wanted
from tests.lab.responder import Served, answer

SMALL = [kind for kind in KEYS if kind not in ("rsa-3072", "rsa-4096")]


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    made = Pki(tmp_path_factory.mktemp("pki")).init(url="http://127.0.0.1:1/")
    for name in ("good", "bad"):
        made.issue(name, Wanted([f"{name}.lab", "192.0.2.1", "2001:db8::1", f"x@{name}.lab"]))
    made.revoke("bad", "keyCompromise")
    return made


@pytest.mark.parametrize("key", SMALL)
def test_a_holders_folder_is_read_without_a_mistake(tmp_path: Path, key: str) -> None:
    pki = Pki(tmp_path).init(key=key)
    folder = pki.issue("west", Wanted(["west.lab"], key, blocks=["10.1.0.0/22", "fd01::/64"]))
    mistakes = Mistakes()
    loaded = load_files(folder, {}, mistakes)
    assert not mistakes.found
    assert len(loaded.keys) == 1
    assert len(loaded.certificates) == len(loaded.lists) == 2
    now = datetime.now(UTC).timestamp()
    leaf = pki.certificate("west")
    path = TrustAnchors(loaded.authorities, loaded.certificates).validate(leaf, (), now)
    assert str(path) == "CN=west <- CN=branch authority <- CN=root authority"


def test_the_lists_name_who_is_revoked_and_why(pki: Pki) -> None:
    anchors = TrustAnchors([pki.authority(ROOT).certificate], [pki.authority(BRANCH).certificate])
    now = datetime.now(UTC).timestamp()
    for name, status in (("good", Revocation.GOOD), ("bad", Revocation.REVOKED)):
        path = anchors.validate(pki.certificate(name), (), now)
        crls = [pki.crl(ROOT), pki.crl(BRANCH)]
        found = statuses_by_crl(anchors, path, crls, now)[0]
        assert found.status is status
        assert ("(keyCompromise)" in found.text) == (name == "bad")


@pytest.mark.parametrize("name", ["good", "bad"])
def test_the_responder_answers_with_the_nonce_of_the_question(pki: Pki, name: str) -> None:
    certificate, issuer = pki.certificate(name), pki.authority(BRANCH).certificate
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, SHA256())
    request = builder.add_extension(x509.OCSPNonce(b"nonce"), critical=False).build()
    response = ocsp.load_der_ocsp_response(answer(pki, request.public_bytes(Encoding.DER)))
    assert (response.certificate_status is ocsp.OCSPCertStatus.REVOKED) == (name == "bad")
    assert response.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == b"nonce"


def test_what_the_responder_does_not_know_has_no_status(pki: Pki) -> None:
    unread = ocsp.load_der_ocsp_response(answer(pki, b"?"))
    assert unread.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST
    issuer = pki.authority(ROOT).certificate
    builder = ocsp.OCSPRequestBuilder().add_certificate(issuer, issuer, SHA256())
    response = answer(pki, builder.build().public_bytes(Encoding.DER))
    status = ocsp.load_der_ocsp_response(response).response_status
    assert status is ocsp.OCSPResponseStatus.UNAUTHORIZED


def test_lists_are_served(pki: Pki) -> None:
    with Served(("127.0.0.1", 0), pki) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/branch.crl"
        with urllib.request.urlopen(url, timeout=10) as reply:
            crl = x509.load_der_x509_crl(reply.read())
        thread.join()
    assert len(crl) == 1


def test_what_cannot_be_is_refused_in_a_sentence(pki: Pki, tmp_path: Path) -> None:
    for name, reason in (("good", "exists already"), ("../x", "a name is of letters")):
        with pytest.raises(Failed, match=reason):
            pki.issue(name, Wanted())
    with pytest.raises(Failed, match="has no holder nobody; it has bad, good"):
        pki.revoke("nobody")
    with pytest.raises(Failed, match="revoked already"):
        pki.revoke("bad")
    with pytest.raises(Failed, match="has its authorities already"):
        pki.init()
    with pytest.raises(Failed, match="has no authorities: tools/pki init"):
        Pki(tmp_path).issue("west", Wanted())
