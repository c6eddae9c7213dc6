"""This process -> one whose network is a loopback interface alone, and so are those that it starts."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct

__all__ = ["leave_the_network"]

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET, linux/sched.h
_SET_FLAGS, _UP = 0x8914, 1  # SIOCSIFFLAGS, linux/sockios.h; IFF_UP, linux/if.h


def leave_the_network() -> None:
    """For good. Call it before there are threads: those keep the network. OSError: the kernel refuses."""
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_NETWORK):
        raise OSError(ctypes.get_errno(), f"a network of its own: {os.strerror(ctypes.get_errno())}")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sH14x", b"lo", _UP))
