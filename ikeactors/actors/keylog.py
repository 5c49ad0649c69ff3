"""Keys for Wireshark, where an operator asked for them: ikev2_decryption_table and esp_sa.

Who reads these files reads the traffic, so they are made with mode 0600 and the daemon says
loudly that it writes them. Lines go through a bounded queue to an actor that writes in a thread.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import trio

from ikeactors.errors import Fault
from ikeactors.iana import Encr, Integ, ProtocolId
from ikeactors.kernel.requests import SaRequest
from ikeactors.protocol.actions import RecordIkeKeys

# Lines that wait for the disk: two per SA, a few thousand SAs. What is over is dropped, counted.
QUEUE_LIMIT = 8192

IKE_TABLE = "ikev2_decryption_table"
ESP_TABLE = "esp_sa"


class KeyLogRefused(Fault):
    """Keys cannot be written there; the text says why."""


@dataclass(frozen=True, slots=True)
class KeyLogStatistics:
    """Lines written, waiting, and lost because the disk was too slow."""

    written: int
    waiting: int
    dropped: int


@dataclass(frozen=True, slots=True)
class _Line:
    """A line for one of the two files."""

    path: Path
    text: str = field(repr=False)


class KeyLog:
    """The lines that wait to be written. `place` is a directory, or the file of the IKE keys."""

    def __init__(self, place: Path) -> None:
        """Make both files. Raises `KeyLogRefused`."""
        is_directory = place.is_dir()
        self.ike_path = place / IKE_TABLE if is_directory else place
        self.esp_path = place / ESP_TABLE if is_directory else place.with_name(f"{place.name}.esp")
        self._lines: deque[_Line] = deque()
        self._writer = trio.lowlevel.ParkingLot()
        self._written = 0
        self._dropped = 0
        for path in (self.ike_path, self.esp_path):
            _make(path)

    def record_ike(self, keys: RecordIkeKeys) -> None:
        """Leave the line of an IKE SA."""
        self._leave(_Line(self.ike_path, ike_line(keys)))

    def record_esp(self, sas: Iterable[SaRequest]) -> None:
        """Leave the lines of ESP SAs."""
        for sa in sas:
            if sa.protocol == ProtocolId.ESP:
                self._leave(_Line(self.esp_path, esp_line(sa)))

    async def write_waiting(self) -> None:
        """Wait for lines and write all that are there."""
        while not self._lines:
            await self._writer.park()
        lines = tuple(self._lines)
        await trio.to_thread.run_sync(_append, lines)
        for _ in lines:
            self._lines.popleft()
        self._written += len(lines)

    def statistics(self) -> KeyLogStatistics:
        """What the admin socket shows."""
        return KeyLogStatistics(self._written, len(self._lines), self._dropped)

    def _leave(self, line: _Line) -> None:
        if len(self._lines) >= QUEUE_LIMIT:
            self._dropped += 1
            return
        self._lines.append(line)
        self._writer.unpark()


async def run_key_log(key_log: KeyLog) -> None:
    """Write the lines as they come."""
    while True:
        await key_log.write_waiting()


def ike_line(keys: RecordIkeKeys) -> str:
    """A line of Wireshark's ikev2_decryption_table."""
    suite = keys.suite
    encr = _IKE_ENCR.get(suite.encr, suite.encr.name).format(bits=suite.key_length)
    integ = _IKE_INTEG.get(suite.integ, suite.integ.name)
    comment = _comment(suite.encr in _IKE_ENCR and suite.integ in _IKE_INTEG)
    return (
        f"{comment}{keys.spi_i.hex()},{keys.spi_r.hex()},{keys.sk_ei.hex()},{keys.sk_er.hex()},"
        f'"{encr}",{keys.sk_ai.hex()},{keys.sk_ar.hex()},"{integ}"\n'
    )


def esp_line(sa: SaRequest) -> str:
    """A line of Wireshark's esp_sa."""
    encr = _ESP_ENCR.get(sa.suite.encr, sa.suite.encr.name)
    integ = _ESP_INTEG.get(sa.suite.integ, sa.suite.integ.name)
    integ_key = f"0x{sa.integ_key.hex()}" if sa.integ_key else ""
    comment = _comment(sa.suite.encr in _ESP_ENCR and sa.suite.integ in _ESP_INTEG)
    return (
        f'{comment}"IPv{sa.source.version}","{sa.source}","{sa.destination}","0x{sa.spi:08x}",'
        f'"{encr}","0x{sa.encr_key.hex()}","{integ}","{integ_key}"\n'
    )


def _comment(is_known: bool) -> str:
    """Wireshark 4.0 refuses a whole table for one name it does not know: such a line sleeps."""
    return "" if is_known else "# "


def _make(path: Path) -> None:
    """The file, empty where it was not there: who asked for keys learns at once of a mistake."""
    if not path.parent.is_dir():
        raise KeyLogRefused(f"--key-log: there is no folder {path.parent}; make it, with mode 0700")
    try:
        with _opened(path) as stream:
            is_file = stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except OSError as error:
        raise KeyLogRefused(f"--key-log: {path} cannot be written: {_why(error)}") from error
    if not is_file:
        raise KeyLogRefused(f"--key-log: {path} is no regular file")


def _why(error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "it is a symbolic link"
    return error.strerror or str(error)


def _append(lines: Iterable[_Line]) -> None:
    for line in lines:
        with _opened(line.path) as stream:
            os.fchmod(stream.fileno(), 0o600)
            stream.write(line.text)


def _opened(path: Path) -> TextIO:
    """For the owner alone; a link could lead elsewhere, and a pipe without a reader would wait."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    return open(os.open(path, flags, 0o600), "w", encoding="ascii")


_IKE_ENCR: dict[Encr, str] = {
    Encr.NULL: "NULL [RFC2410]",
    Encr.TRIPLE_DES: "3DES [RFC2451]",
    Encr.AES_CBC: "AES-CBC-{bits} [RFC3602]",
    Encr.AES_CTR: "AES-CTR-{bits} [RFC5930]",
    Encr.AES_GCM_8: "AES-GCM-{bits} with 8 octet ICV [RFC5282]",
    Encr.AES_GCM_12: "AES-GCM-{bits} with 12 octet ICV [RFC5282]",
    Encr.AES_GCM_16: "AES-GCM-{bits} with 16 octet ICV [RFC5282]",
    Encr.AES_CCM_8: "AES-CCM-{bits} with 8 octet ICV [RFC5282]",
    Encr.AES_CCM_12: "AES-CCM-{bits} with 12 octet ICV [RFC5282]",
    Encr.AES_CCM_16: "AES-CCM-{bits} with 16 octet ICV [RFC5282]",
}
_ESP_ENCR: dict[Encr, str] = {
    Encr.NULL: "NULL",
    Encr.TRIPLE_DES: "TripleDES-CBC [RFC2451]",
    Encr.AES_CBC: "AES-CBC [RFC3602]",
    Encr.AES_CTR: "AES-CTR [RFC3686]",
    Encr.AES_GCM_8: "AES-GCM with 8 octet ICV [RFC4106]",
    Encr.AES_GCM_12: "AES-GCM with 12 octet ICV [RFC4106]",
    Encr.AES_GCM_16: "AES-GCM with 16 octet ICV [RFC4106]",
}
_IKE_INTEG: dict[Integ, str] = {
    Integ.NONE: "NONE [RFC4306]",
    Integ.HMAC_MD5_96: "HMAC_MD5_96 [RFC2403]",
    Integ.HMAC_SHA1_96: "HMAC_SHA1_96 [RFC2404]",
    Integ.HMAC_SHA2_256_128: "HMAC_SHA2_256_128 [RFC4868]",
    Integ.HMAC_SHA2_384_192: "HMAC_SHA2_384_192 [RFC4868]",
    Integ.HMAC_SHA2_512_256: "HMAC_SHA2_512_256 [RFC4868]",
    Integ.AES_XCBC_96: "ANY 96-bits of Authentication [No Checking]",
    Integ.AES_CMAC_96: "ANY 96-bits of Authentication [No Checking]",
}
_ESP_INTEG: dict[Integ, str] = {
    Integ.NONE: "NULL",
    Integ.HMAC_MD5_96: "HMAC-MD5-96 [RFC2403]",
    Integ.HMAC_SHA1_96: "HMAC-SHA-1-96 [RFC2404]",
    Integ.HMAC_SHA2_256_128: "HMAC-SHA-256-128 [RFC4868]",
    Integ.HMAC_SHA2_384_192: "HMAC-SHA-384-192 [RFC4868]",
    Integ.HMAC_SHA2_512_256: "HMAC-SHA-512-256 [RFC4868]",
    Integ.AES_XCBC_96: "ANY 96 bit authentication [no checking]",
    Integ.AES_CMAC_96: "ANY 96 bit authentication [no checking]",
}
