"""What an option of a connection may say, where that is one of a few words of swanctl.conf."""

from __future__ import annotations

import enum


class Childless(enum.Enum):
    """Whether an IKE SA may begin without a Child SA (RFC 6023).

    ALLOW is for the responder, PREFER for an initiator whose peer says that it can, and FORCE
    takes nothing else in either role.
    """

    ALLOW = "allow"
    PREFER = "prefer"
    FORCE = "force"
    NEVER = "never"


class Fragmentation(enum.Enum):
    """Whether large messages go in fragments (RFC 7383), in swanctl.conf's words.

    ACCEPT announces it, so that the peer may, and sends none. FORCE means more than YES in IKEv1
    alone.
    """

    YES = "yes"
    NO = "no"
    ACCEPT = "accept"
    FORCE = "force"


class InBandOcsp(enum.Enum):
    """Whether what OCSP says of a certificate goes with it: ours, the peer's, both or neither."""

    REPLY = "reply"
    REQUEST = "request"
    BOTH = "both"
    NEVER = "never"

    @property
    def replies(self) -> bool:
        """Whether the peer gets what it asks for."""
        return self in (InBandOcsp.REPLY, InBandOcsp.BOTH)

    @property
    def requests(self) -> bool:
        """Whether we ask."""
        return self in (InBandOcsp.REQUEST, InBandOcsp.BOTH)


class SendCertificate(enum.Enum):
    """When we send our certificate: if the peer has asked for one, always, or never."""

    IF_ASKED = "ifasked"
    ALWAYS = "always"
    NEVER = "never"

    def sends(self, asked: bool) -> bool:
        """Whether it is sent."""
        return self is SendCertificate.ALWAYS or (self is SendCertificate.IF_ASKED and asked)
