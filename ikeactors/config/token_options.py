"""The options of a section of secrets whose key is on a PKCS #11 token."""

from __future__ import annotations

from ikeactors.config.mistakes import Refused
from ikeactors.config.schema import Option
from ikeactors.config.values import absolute_path, integer, text

# Ours: a CKA_ID has 20 octets where it is a hash; none is much longer.
_MAX_HANDLE_OCTETS = 64
_MAX_SLOT = 2**64 - 1


def _handle(value: object) -> bytes:
    """A CKA_ID as tools print it: hexadecimal digits, perhaps with colons."""
    given = text(value).replace(":", "").removeprefix("0x")
    try:
        octets = bytes.fromhex(given)
    except ValueError:
        octets = b""
    if 0 < len(octets) <= _MAX_HANDLE_OCTETS:
        return octets
    raise Refused((value, 'the CKA_ID of the key in hexadecimal digits expected: "01a2"'))


TOKEN = (
    Option(
        "module",
        absolute_path,
        None,
        'With type = "token": the PKCS #11 module, a library, of the token with our private key.',
    ),
    Option("handle", _handle, None, "The key's CKA_ID, hexadecimal; its certificate has the same."),
    Option("slot", integer(0, _MAX_SLOT), None, "The slot of the token.", otherwise="any"),
    Option("token_label", text, None, "Or what the token is called.", otherwise="any"),
    Option("pin", text, None, "The user's PIN of the token.", otherwise="the key needs none"),
    Option(
        "pin_file",
        text,
        None,
        'Or a file that holds it; "$CREDENTIALS_DIRECTORY/NAME" is what systemd has loaded.',
    ),
)
