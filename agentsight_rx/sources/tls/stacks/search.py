"""
An ELF file -> a Finding for each TLS implementation that it has code for.

Functions are found by what the code itself needs at run time: symbols, texts of error messages with the numbers of the errors,
and tables of names. No bytes of functions and no offsets of releases are stored here, so a new release needs no new version of
this program. A file may have several implementations of which it uses one: all of them are reported.
"""

from __future__ import annotations

from typing import BinaryIO

import msgspec

from .awslc import AWS_LC
from .boringssl import BORINGSSL
from .elf import Image
from .exported import by_symbols
from .finding import Finding
from .go import GO
from .openssl import OPENSSL_1, OPENSSL_3
from .ring import RING
from .scan import SECONDS, Scan, Stack, TookTooLong

__all__ = ["IN_LIBRARIES", "STACKS", "TIMED_OUT", "find_stacks"]

TIMED_OUT = f"the search took longer than {SECONDS:g} s of the processor"

_LIBRARIES = (  # texts of a file that uses a library which has its own file
    Stack("GnuTLS", texts=(b"gnutls_record_send",), search=lambda _: _elsewhere("GnuTLS")),
    Stack("NSS", texts=(b"SSL_ImportFD",), search=lambda _: _elsewhere("NSS")),
)
IN_LIBRARIES = frozenset(stack.name for stack in _LIBRARIES)
STACKS = (BORINGSSL, AWS_LC, RING, GO, OPENSSL_3, OPENSSL_1, *_LIBRARIES)
_SAME = {"OpenSSL": {OPENSSL_3.name, OPENSSL_1.name}, "BoringSSL": {BORINGSSL.name}}


def find_stacks(file: BinaryIO, name: str, *, seconds: float = SECONDS) -> tuple[Finding, ...]:
    """
    Every TLS implementation in an open file. Raises CaptureError where it is not an ELF file or its headers are broken. A file
    without any is done after one look at its symbols and its data, in about 1 ms.
    """
    image = Image(file, name)
    if not image.readable:
        return ()
    scan = Scan(image, seconds=seconds)
    named: list[Finding] = []
    try:
        named = by_symbols(scan)
        scan.places = scan.find({text for stack in STACKS for text in stack.texts})
    except TookTooLong:
        return (*named, Finding("TLS", "texts", failure=TIMED_OUT))
    if scan.places[BORINGSSL.texts[0]]:  # its functions have the names of OpenSSL's
        named = [msgspec.structs.replace(each, stack=BORINGSSL.name) if each.stack == "OpenSSL" else each for each in named]
    done = {other for each in named for other in _SAME.get(each.stack, {each.stack})}
    found = [
        _search(scan, stack) for stack in STACKS if stack.name not in done and any(scan.places[text] for text in stack.texts)
    ]
    return (*named, *(each for each in found if each is not None))


def _search(scan: Scan, stack: Stack) -> Finding | None:
    try:
        return stack.search(scan)
    except TookTooLong:
        return Finding(stack.name, "", failure=TIMED_OUT)


def _elsewhere(name: str) -> Finding:
    return Finding(name, "texts", failure=f"it uses the functions of {name}, which are in a library of their own")
