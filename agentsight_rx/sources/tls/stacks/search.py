"""
An ELF file -> a Finding for each TLS implementation that it has code for.

Functions are found by what the code itself needs at run time: symbols, texts of error messages with the numbers of the errors,
and tables of names. No bytes of functions and no offsets of releases are stored here, so a new release needs no new version of
this program. A file may have several implementations of which it uses one: all of them are reported.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import BinaryIO

import msgspec

from .bounds import RING, WAYS, FunctionOf, Reporter, references_to, reporters
from .elf import Image
from .exported import by_symbols
from .finding import Finding
from .go import GO
from .instructions import ARGUMENTS, decode, reads_before_write
from .scan import SECONDS, Scan, Stack, TookTooLong, hook

# -- roles ---------------------------------------------------------------------------------------------------------
# Functions that may be the wanted ones -> a Finding: each role needs exactly one.


Roles = Mapping[str, Mapping[int, str]]  # shape -> address of a function that may be it -> the evidence


def by_bounds(
    scan: Scan, stack: str, method: str, roles_of: Callable[[FunctionOf], Roles], *, optional: frozenset[str] = frozenset()
) -> Finding:
    """
    The finding by the first way to see the bounds of functions that leaves exactly one candidate for each role. A role that is
    `optional` may have none: the compiler puts a function that is called once into its caller. Two candidates end the search,
    since a way that sees one there may have taken both for one function.
    """
    failures: list[str] = []
    for way, bounds in WAYS.items():
        scan.check()
        roles = roles_of(bounds(scan))
        roles = {role: found for role, found in roles.items() if found or role not in optional}
        wrong = [f"{len(found)} candidates for {role} (1 is needed)" for role, found in roles.items() if len(found) != 1]
        if not wrong:
            return _finding(scan, stack, method, roles, way)
        if any(roles.values()) or not failures:
            failures.append(f"the texts of {stack} are there, but {' and '.join(wrong)}")
        if any(len(found) > 1 for found in roles.values()):
            break
    return Finding(stack, method, failure=failures[-1])


def _finding(scan: Scan, stack: str, method: str, roles: Roles, way: str) -> Finding:
    functions = [(role, address, why) for role, found in roles.items() for address, why in found.items()]
    hooks = [hook(scan.image, role, address) for role, address, _ in functions]
    return Finding(
        stack,
        method,
        hooks=tuple(each for each in hooks if each is not None),
        evidence=tuple(
            f"{role} is the function at {address:#x} (bounds from {way}): {why}" for role, address, why in functions
        ),
    )


def with_callers(scan: Scan, found: Mapping[int, str]) -> Mapping[int, str]:
    """
    The candidates that are called at all, if there are several: a linker may keep functions that the program does not use.
    """
    if len(found) < 2:
        return found
    called = scan.code.called(found)
    return {address: why for address, why in found.items() if address in called}


# -- awslc ---------------------------------------------------------------------------------------------------------
# aws-lc, mostly below rustls: the functions that seal and open records, by the reasons of the errors that they report.


_FILE = b"cipher/aead.c"
_PROJECT = "aws-lc"  # BoringSSL has a file of the same name, and its records go through SSL_write
_METHOD = "error reasons"
# CIPHER_R_… of include/openssl/cipher.h
_BAD_DECRYPT, _BUFFER_TOO_SMALL, _BAD_NONCE, _UNSUPPORTED, _OVERLAP, _TOO_LARGE = 101, 103, 104, 112, 115, 117


def _search(scan: Scan) -> Finding | None:
    places = [place for place in scan.places[_FILE] if _PROJECT in scan.text_at(place)[1]]
    if not places:
        return None
    references = references_to(scan, places)
    if not references:
        return Finding(AWS_LC.name, _METHOD, failure="the texts of aws-lc are there, but no code refers to them")

    def roles_of(function_of: FunctionOf) -> Roles:
        found = reporters(scan, references, function_of)
        return {
            "seal": _named(
                found, lambda has: has >= {_TOO_LARGE, _BUFFER_TOO_SMALL, _OVERLAP} and not has & {_BAD_DECRYPT, _UNSUPPORTED}
            ),
            "open": _named(found, lambda has: has >= {_BAD_DECRYPT, _BUFFER_TOO_SMALL, _OVERLAP} and _TOO_LARGE not in has),
            "seal_scatter": _named(found, lambda has: has == frozenset({_UNSUPPORTED, _OVERLAP})),
            "open_gather": _named(found, lambda has: has == frozenset({_OVERLAP, _BAD_NONCE})),
        }

    return by_bounds(scan, AWS_LC.name, _METHOD, roles_of, optional=frozenset({"seal_scatter", "open_gather"}))


def _named(found: list[Reporter], fits: Callable[[frozenset[int]], bool]) -> dict[int, str]:
    return {each.address: f"it reports the errors {sorted(each.reasons)} of aead.c" for each in found if fits(each.reasons)}


AWS_LC = Stack("rustls with aws-lc", texts=(_FILE,), search=_search)


# -- boringssl -----------------------------------------------------------------------------------------------------
# BoringSSL that is linked into a program: SSL_write and SSL_read, by the reasons of the errors that they report.


_BORINGSSL_FILE = b"/ssl/ssl_lib.cc"
# SSL_R_… of include/openssl/ssl.h
_BAD_LENGTH, _HANDSHAKE_FAILURE, _UNINITIALIZED, _SHOULD_NOT_HAVE_BEEN_CALLED = 111, 215, 226, 66
_STATE = frozenset({_UNINITIALIZED, _HANDSHAKE_FAILURE})
_CALLED_MOST = 12  # by SSL_read: 3 to 5 seen
_TO_GIVE_UP = 2  # functions that SSL_read calls and SSL_peek does not: 1 seen
_READ = frozenset({_SHOULD_NOT_HAVE_BEEN_CALLED})


def _boringssl_search(scan: Scan) -> Finding:
    references = references_to(scan, scan.places[_BORINGSSL_FILE])
    if not references:
        return Finding(BORINGSSL.name, _METHOD, failure="the texts of BoringSSL are there, but no code refers to them")

    def roles_of(function_of: FunctionOf) -> Roles:
        """
        SSL_write and ssl_read_impl check the state of the object, and only SSL_write checks a length. SSL_read and SSL_peek
        call ssl_read_impl and have one more error, for a call on a QUIC connection. SSL_read does all that SSL_peek does, and
        then gives up the record. A function of the program that has SSL_peek inlined calls many more.
        """
        found = reporters(scan, references, function_of)
        inner = {each.address for each in found if each.reasons >= _STATE and _BAD_LENGTH not in each.reasons}
        writes = [each for each in found if each.reasons >= _STATE | {_BAD_LENGTH}]
        reads = [each for each in found if each.reasons == _READ and each.called & inner and len(each.called) <= _CALLED_MOST]
        reads = [each for each in reads if not any(_does_more(other, each) for other in reads)]
        write = "it reports the errors {} of ssl_lib.cc"
        read = "it reports the error {} of ssl_lib.cc and calls ssl_read_impl"
        return {
            "SSL_write": with_callers(scan, {each.address: write.format(sorted(each.reasons)) for each in writes}),
            "SSL_read": with_callers(scan, {each.address: read.format(*each.reasons) for each in reads}),
        }

    return by_bounds(scan, BORINGSSL.name, _METHOD, roles_of)


def _does_more(one: Reporter, other: Reporter) -> bool:
    return one.called > other.called and len(one.called - other.called) <= _TO_GIVE_UP


BORINGSSL = Stack("BoringSSL", texts=(_BORINGSSL_FILE,), search=_boringssl_search)


# -- openssl -------------------------------------------------------------------------------------------------------
# OpenSSL 3 that is linked into a program: the functions behind SSL_write and SSL_read, in all their forms.
#
# Its error messages name the function: the text `ssl_write_internal` is used by the function of this name alone.


_WRITE, _OPENSSL_READ = b"ssl_write_internal", b"ssl_read_internal"
_VERSION = b"OpenSSL 3."
_OPENSSL_FILE = b"ssl/ssl_lib.c\0"
_OPENSSL_METHOD = "names of functions in messages"


def _openssl_search(scan: Scan) -> Finding:
    names = {_WRITE: _exactly(scan, _WRITE), _OPENSSL_READ: _exactly(scan, _OPENSSL_READ)}
    places = [(place, place + 1) for each in names.values() for place in each]
    references = scan.code.references(places) if places else []
    if not references:
        return Finding(OPENSSL_3.name, _OPENSSL_METHOD, failure="the texts of OpenSSL 3 are there, but no code refers to them")

    def functions(name: bytes, function_of: FunctionOf) -> dict[int, int]:
        found = (function_of(place) for place, target in references if target in names[name])
        return dict(each for each in found if each is not None)

    def roles_of(function_of: FunctionOf) -> Roles:
        roles: dict[str, dict[int, str]] = {"SSL_read_ex": {}}
        for start, end in functions(_WRITE, function_of).items():
            shape, why = _shape_of_write(scan, start, end)
            roles.setdefault(shape, {})[start] = f"its messages name it ssl_write_internal, {why}"
        roles["SSL_read_ex"] = dict.fromkeys(functions(_OPENSSL_READ, function_of), "its messages name it ssl_read_internal")
        return roles if len(roles) > 1 else {**roles, "SSL_write_ex": {}}

    return by_bounds(scan, OPENSSL_3.name, _OPENSSL_METHOD, roles_of)


def _exactly(scan: Scan, name: bytes) -> list[int]:
    return [place for place in scan.places[name] if scan.image.at(place + len(name), 1) == b"\0"]


def _shape_of_write(scan: Scan, start: int, end: int) -> tuple[str, str]:
    """Since OpenSSL 3.3 it takes flags before the place for the result, which is then its fifth argument."""
    fifth = reads_before_write(ARGUMENTS[4], decode(scan.image.at(start, min(end - start, 4096)), start))
    version = _version(scan)
    if version is not None and (version >= (3, 3)) != fifth:
        fifth = version >= (3, 3)
    seen = f"OpenSSL {version[0]}.{version[1]} by its version text" if version else f"by the use of {ARGUMENTS[4]}"
    return (
        ("SSL_write_ex2", f"which has five arguments ({seen})")
        if fifth
        else ("SSL_write_ex", f"which has four arguments ({seen})")
    )


def _version(scan: Scan) -> tuple[int, int] | None:
    for place in scan.find((_VERSION,))[_VERSION]:
        found = re.match(rb"OpenSSL (3)\.(\d{1,3})\.\d+\S* \d", scan.image.at(place, 64))
        if found:
            return int(found[1]), int(found[2])
    return None


def _no_search(scan: Scan) -> Finding | None:
    if scan.places[_WRITE]:
        return None
    return Finding(
        OPENSSL_1.name, "texts", failure="OpenSSL before 3.0 is linked in, and nothing in the file names its functions"
    )


OPENSSL_3 = Stack("OpenSSL 3 without symbols", texts=(_WRITE, _OPENSSL_READ), search=_openssl_search)
OPENSSL_1 = Stack("OpenSSL without symbols", texts=(_OPENSSL_FILE,), search=_no_search)


# ------------------------------------------------------------------------------------------------------------------------


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
        _searched(scan, stack) for stack in STACKS if stack.name not in done and any(scan.places[text] for text in stack.texts)
    ]
    return (*named, *(each for each in found if each is not None))


def _searched(scan: Scan, stack: Stack) -> Finding | None:
    try:
        return stack.search(scan)
    except TookTooLong:
        return Finding(stack.name, "", failure=TIMED_OUT)


def _elsewhere(name: str) -> Finding:
    return Finding(name, "texts", failure=f"it uses the functions of {name}, which are in a library of their own")
