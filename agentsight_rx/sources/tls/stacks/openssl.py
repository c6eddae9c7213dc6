"""
OpenSSL 3 that is linked into a program: the functions behind SSL_write and SSL_read, in all their forms.

Its error messages name the function: the text `ssl_write_internal` is used by the function of this name alone.
"""

from __future__ import annotations

import re

from .bounds import FunctionOf
from .finding import Finding
from .instructions import decode, reads_before_write
from .roles import Roles, by_bounds
from .scan import Scan, Stack

__all__ = ["OPENSSL_1", "OPENSSL_3"]

_WRITE, _READ = b"ssl_write_internal", b"ssl_read_internal"
_VERSION = b"OpenSSL 3."
_FILE = b"ssl/ssl_lib.c\0"
_METHOD = "names of functions in messages"


def _search(scan: Scan) -> Finding:
    names = {_WRITE: _exactly(scan, _WRITE), _READ: _exactly(scan, _READ)}
    places = [(place, place + 1) for each in names.values() for place in each]
    references = scan.code.references(places) if places else []
    if not references:
        return Finding(OPENSSL_3.name, _METHOD, failure="the texts of OpenSSL 3 are there, but no code refers to them")

    def functions(name: bytes, function_of: FunctionOf) -> dict[int, int]:
        found = (function_of(place) for place, target in references if target in names[name])
        return dict(each for each in found if each is not None)

    def roles_of(function_of: FunctionOf) -> Roles:
        roles: dict[str, dict[int, str]] = {"SSL_read_ex": {}}
        for start, end in functions(_WRITE, function_of).items():
            shape, why = _shape_of_write(scan, start, end)
            roles.setdefault(shape, {})[start] = f"its messages name it ssl_write_internal, {why}"
        roles["SSL_read_ex"] = dict.fromkeys(functions(_READ, function_of), "its messages name it ssl_read_internal")
        return roles if len(roles) > 1 else {**roles, "SSL_write_ex": {}}

    return by_bounds(scan, OPENSSL_3.name, _METHOD, roles_of)


def _exactly(scan: Scan, name: bytes) -> list[int]:
    return [place for place in scan.places[name] if scan.image.at(place + len(name), 1) == b"\0"]


def _shape_of_write(scan: Scan, start: int, end: int) -> tuple[str, str]:
    """Since OpenSSL 3.3 it takes flags before the place for the result, which is then its fifth argument."""
    fifth = reads_before_write("r8", decode(scan.image.at(start, min(end - start, 4096)), start))
    version = _version(scan)
    if version is not None and (version >= (3, 3)) != fifth:
        fifth = version >= (3, 3)
    seen = f"OpenSSL {version[0]}.{version[1]} by its version text" if version else "by the use of r8"
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


OPENSSL_3 = Stack("OpenSSL 3 without symbols", texts=(_WRITE, _READ), search=_search)
OPENSSL_1 = Stack("OpenSSL without symbols", texts=(_FILE,), search=_no_search)
