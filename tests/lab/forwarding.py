"""The program in the middle of a relayed link: it carries frames between two devices, faultily.

    python -m tests.lab.forwarding DEVICE DEVICE SEED

Faults strike UDP 500 and 4500 alone, IKE and ESP apart; whatever else passes (ARP, neighbour
discovery) is carried as it is. Each line of standard input says which faults there are from now
on, and is answered with what was counted so far; the end of the input is the program's end.
"""

from __future__ import annotations

import heapq
import itertools
import json
import select
import socket
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from random import Random

IKE = "ike"
ESP = "esp"
OTHER = "other"

_SOL_PACKET = 263
_PACKET_VNET_HDR = 15
_PACKET_IGNORE_OUTGOING = 23
_SO_RCVBUFFORCE = 33
_ETH_P_ALL = 3
# What Linux puts before a frame: the checksums that its sender left to the device go along in it.
_VNET_HEADER = 10
_ETHERNET = _VNET_HEADER + 14
_MOST_OCTETS = 1 << 17
_BUFFER_OCTETS = 8 << 20
_IKE_PORT = (500).to_bytes(2, "big")
_NAT_PORT = (4500).to_bytes(2, "big")
_UDP = 17


@dataclass(frozen=True, slots=True)
class Faults:
    """What befalls datagrams, each by its own chance.

    All of them take `delay` seconds, and up to `jitter` more, so that some overtake others.
    """

    drop: float = 0.0
    duplicate: float = 0.0
    delay: float = 0.0
    jitter: float = 0.0


def kind_of(frame: bytes) -> str:
    """IKE, ESP in UDP, or anything else; `frame` begins with the header of the device."""
    datagram = _udp_of(frame)
    ports = datagram[0:2], datagram[2:4]
    if _IKE_PORT in ports:
        return IKE
    if _NAT_PORT not in ports:
        return OTHER
    length = int.from_bytes(datagram[4:6], "big") - 8
    if length < 4:
        return OTHER
    return IKE if datagram[8:12] == bytes(4) else ESP


def _udp_of(frame: bytes) -> bytes:
    """The UDP datagram in a frame, or nothing; only the first fragment of several has one."""
    packet = frame[_ETHERNET:]
    match frame[_ETHERNET - 2 : _ETHERNET]:
        case b"\x08\x00" if packet[9:10] == bytes((_UDP,)):
            is_first = int.from_bytes(packet[6:8], "big") & 0x1FFF == 0
            return packet[(packet[0] & 15) * 4 :] if is_first else b""
        case b"\x86\xdd" if packet[6:7] == bytes((_UDP,)):
            return packet[40:]
    return b""


class Forwarder:
    """Takes frames in on either side; each leaves on the other when its time has come."""

    def __init__(self, seed: str) -> None:
        self.faults: dict[str, Faults] = {}
        self.counts: Counter[str] = Counter()
        self._chance = Random(seed)
        self._order = itertools.count()
        self._under_way: list[tuple[float, int, int, bytes]] = []

    def take(self, frame: bytes, side: int, now: float) -> None:
        """A frame has come in on `side`."""
        kind = kind_of(frame)
        self.counts[f"{kind}-taken"] += 1
        faults, chance = self.faults.get(kind), self._chance
        if faults is None:
            self._send_later(frame, side, now)
            return
        if chance.random() < faults.drop:
            self.counts[f"{kind}-dropped"] += 1
            return
        copies = 1
        if chance.random() < faults.duplicate:
            self.counts[f"{kind}-duplicated"] += 1
            copies = 2
        for _ in range(copies):
            due_at = now + faults.delay + faults.jitter * chance.random()
            self._send_later(frame, side, due_at)

    def _send_later(self, frame: bytes, side: int, due_at: float) -> None:
        heapq.heappush(self._under_way, (due_at, next(self._order), side, frame))

    def due(self, now: float) -> list[tuple[int, bytes]]:
        """The frames whose time has come, and the side on which each came in."""
        found = []
        while self._under_way and self._under_way[0][0] <= now:
            _, _, side, frame = heapq.heappop(self._under_way)
            found.append((side, frame))
        return found

    def patience(self, now: float) -> float | None:
        """How long nothing is due; None where nothing is under way."""
        return max(self._under_way[0][0] - now, 0.0) if self._under_way else None


def main() -> None:
    devices, seed = sys.argv[1:3], sys.argv[3]
    sockets = [_opened(device) for device in devices]
    forwarder = Forwarder(seed)
    _say("")
    while True:
        patience = forwarder.patience(time.monotonic())
        ready, _, _ = select.select([*sockets, sys.stdin], [], [], patience)
        for side, one in enumerate(sockets):
            if one in ready:
                _take_all(forwarder, one, side)
        for side, frame in forwarder.due(time.monotonic()):
            _send(forwarder, sockets[1 - side], frame)
        if sys.stdin in ready and not _obey(forwarder, sys.stdin.readline()):
            return


def _opened(device: str) -> socket.socket:
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    made.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
    made.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
    made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_OCTETS)
    made.bind((device, _ETH_P_ALL))
    made.setblocking(False)
    return made


def _take_all(forwarder: Forwarder, one: socket.socket, side: int) -> None:
    now = time.monotonic()
    while True:
        try:
            frame = one.recv(_MOST_OCTETS)
        except BlockingIOError:
            return
        forwarder.take(frame, side, now)


def _send(forwarder: Forwarder, one: socket.socket, frame: bytes) -> None:
    try:
        one.send(frame)
    except OSError:
        # The device has no room; a wire loses such a frame too, and here it is counted.
        forwarder.counts[f"{kind_of(frame)}-dropped"] += 1


def _obey(forwarder: Forwarder, line: str) -> bool:
    """One line of the input; False at its end."""
    if not line:
        return False
    asked = json.loads(line)
    if asked is not None:
        forwarder.faults = {kind: Faults(**one) for kind, one in asked.items()}
    _say(json.dumps(forwarder.counts))
    return True


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def written(faults: dict[str, Faults] | None) -> str:
    """The line that tells a forwarder of its faults; None leaves them and asks for the counts."""
    if faults is None:
        return "null\n"
    return json.dumps({kind: asdict(one) for kind, one in faults.items()}) + "\n"


if __name__ == "__main__":
    main()
