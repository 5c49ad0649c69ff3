"""The TUN device: the kernel's packets in and out, through one non-blocking file."""

from __future__ import annotations

import errno
import fcntl
import os
import struct

from ikeactors.kernel.requests import KernelRefusal

CLONE_DEVICE = "/dev/net/tun"

# linux/if_tun.h
_TUNSETIFF = 0x400454CA
_IFF_TUN = 0x0001
_IFF_NO_PI = 0x1000
_REQUEST = struct.Struct("16sH22x")
_NAME_OCTETS = 15

# Ours: more than any packet of IPv4 or IPv6 without jumbograms.
_LARGEST_PACKET = 65575


class Tun:
    """A TUN device, there as long as this is open."""

    def __init__(self, descriptor: int, name: str) -> None:
        self._descriptor = descriptor
        self.name = name

    @classmethod
    def open(cls, name: str) -> Tun:
        """Make the device; a `%d` in the name is replaced by the first free number."""
        octets = name.encode()
        if len(octets) > _NAME_OCTETS:
            raise KernelRefusal(errno.EINVAL, f"{name} is too long for the name of a device")
        try:
            descriptor = os.open(CLONE_DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise KernelRefusal(error.errno or 0, _why_not_opened(error)) from None
        try:
            request = _REQUEST.pack(octets, _IFF_TUN | _IFF_NO_PI)
            answer = fcntl.ioctl(descriptor, _TUNSETIFF, request)
        except OSError as error:
            os.close(descriptor)
            text = f"the TUN device {name} cannot be made: {_why_not_made(error)}"
            raise KernelRefusal(error.errno or 0, text) from None
        return cls(descriptor, answer[:16].rstrip(b"\0").decode())

    def fileno(self) -> int:
        return self._descriptor

    def read(self) -> bytes | None:
        """The next packet that the kernel routes here; None when none waits."""
        try:
            return os.read(self._descriptor, _LARGEST_PACKET)
        except BlockingIOError:
            return None

    def write(self, packet: bytes) -> bool:
        """Give the kernel a packet as if it came in here; False when it does not take it."""
        try:
            os.write(self._descriptor, packet)
        except OSError:
            # The device is down, or the packet's inside is not what its version says.
            return False
        return True

    def close(self) -> None:
        """Let the device go."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _why_not_opened(error: OSError) -> str:
    if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return f"{CLONE_DEVICE} is missing: the kernel has no TUN device (CONFIG_TUN)"
    return f"{CLONE_DEVICE} cannot be opened: {error.strerror}"


def _why_not_made(error: OSError) -> str:
    if error.errno == errno.EBUSY:
        return "another program holds a device of this name"
    if error.errno == errno.EPERM:
        return "CAP_NET_ADMIN is missing"
    return error.strerror or str(error)
