"""aws-lc, mostly below rustls: the functions that seal and open records, by the reasons of the errors that they report."""

from __future__ import annotations

from collections.abc import Callable

from .bounds import FunctionOf
from .finding import Finding
from .reasons import Reporter, references_to, reporters
from .roles import Roles, by_bounds
from .scan import Scan, Stack

__all__ = ["AWS_LC"]

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
