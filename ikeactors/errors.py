"""The faults, each in the RFC's word. A fault that is answered knows its Notify.

A `Fault` is somebody else's mistake: a peer's message, a file, a request. Our own mistakes are
`AssertionError` and the like, which no code here catches.
"""

from __future__ import annotations

from ikeactors.iana import NotifyType, ProtocolId


class Fault(Exception):
    """A mistake from outside. `str(fault)` is fit for a log line: short and without secrets."""


class ProtocolFault(Fault):
    """A fault in a peer's message; `notify` and `data` are what answers it."""

    notify: NotifyType = NotifyType.INVALID_SYNTAX

    def __init__(self, text: str = "", data: bytes = b"") -> None:
        super().__init__(text or self.notify.name)
        self.data = data


class InvalidSyntax(ProtocolFault):
    """A length, a count or a value is out of range (RFC 7296 section 3.10.1)."""

    notify = NotifyType.INVALID_SYNTAX


class UnsupportedCriticalPayload(ProtocolFault):
    """An unknown payload had the critical bit; `data` is its type in one octet."""

    notify = NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD


class InvalidMajorVersion(ProtocolFault):
    """The message is of a version we do not speak."""

    notify = NotifyType.INVALID_MAJOR_VERSION


class NoProposalChosen(ProtocolFault):
    """None of the offered proposals is acceptable."""

    notify = NotifyType.NO_PROPOSAL_CHOSEN


class InvalidKePayload(ProtocolFault):
    """The KE payload is of another group than chosen; `data` is the group in two octets."""

    notify = NotifyType.INVALID_KE_PAYLOAD


class AuthenticationFailed(ProtocolFault):
    """The peer is not who it says, or nobody we know."""

    notify = NotifyType.AUTHENTICATION_FAILED


class CertificateRefused(AuthenticationFailed):
    """A certificate, its chain or its revocation does not stand; the text names the step."""


class NoAdditionalSas(ProtocolFault):
    """No more Child SAs on this IKE SA."""

    notify = NotifyType.NO_ADDITIONAL_SAS


class TsUnacceptable(ProtocolFault):
    """None of the offered traffic selectors is acceptable."""

    notify = NotifyType.TS_UNACCEPTABLE


class SinglePairRequired(ProtocolFault):
    """Only a Child SA between two single addresses is acceptable."""

    notify = NotifyType.SINGLE_PAIR_REQUIRED


class TemporaryFailure(ProtocolFault):
    """Not now: the SA is being rekeyed or closed (RFC 7296 section 2.25)."""

    notify = NotifyType.TEMPORARY_FAILURE


class ChildSaNotFound(ProtocolFault):
    """The Child SA to be rekeyed is not here; the Notify carries its protocol and its SPI."""

    notify = NotifyType.CHILD_SA_NOT_FOUND

    def __init__(self, text: str, spi: bytes, protocol: ProtocolId) -> None:
        super().__init__(text, spi)
        self.protocol = protocol


class IntegrityFailed(Fault):
    """An integrity check value is wrong: nobody is told (RFC 7296 section 2.21.2)."""


class InvalidKeyExchange(Fault):
    """A public value fails the tests of RFC 6989, or the shared secret is all zero."""


class UnsupportedAlgorithm(Fault):
    """An algorithm is unknown here, or needs a library that is missing."""
