"""BoringSSL that is linked into a program: SSL_write and SSL_read, by the reasons of the errors that they report."""

from __future__ import annotations

from .bounds import FunctionOf
from .finding import Finding
from .reasons import references_to, reporters
from .roles import Roles, by_bounds, with_callers
from .scan import Scan, Stack

__all__ = ["BORINGSSL"]

_FILE = b"/ssl/ssl_lib.cc"
_METHOD = "error reasons"
# SSL_R_… of include/openssl/ssl.h
_BAD_LENGTH, _HANDSHAKE_FAILURE, _UNINITIALIZED, _SHOULD_NOT_HAVE_BEEN_CALLED = 111, 215, 226, 66
_STATE = frozenset({_UNINITIALIZED, _HANDSHAKE_FAILURE})
_READ = frozenset({_SHOULD_NOT_HAVE_BEEN_CALLED})


def _search(scan: Scan) -> Finding:
    references = references_to(scan, scan.places[_FILE])
    if not references:
        return Finding(BORINGSSL.name, _METHOD, failure="the texts of BoringSSL are there, but no code refers to them")

    def roles_of(function_of: FunctionOf) -> Roles:
        """
        SSL_write and ssl_read_impl check the state of the object, and only SSL_write checks a length. SSL_read calls
        ssl_read_impl and has one error more, that of a call on a QUIC connection. SSL_peek may look the same.
        """
        found = reporters(scan, references, function_of)
        inner = {each.address for each in found if each.reasons >= _STATE and _BAD_LENGTH not in each.reasons}
        return {
            "SSL_write": {
                each.address: f"it reports the errors {sorted(each.reasons)} of ssl_lib.cc"
                for each in found
                if each.reasons >= _STATE | {_BAD_LENGTH}
            },
            "SSL_read": with_callers(
                scan,
                {
                    each.address: f"it reports the error {_SHOULD_NOT_HAVE_BEEN_CALLED} of ssl_lib.cc and calls ssl_read_impl"
                    for each in found
                    if each.reasons == _READ and each.called & inner
                },
            ),
        }

    return by_bounds(scan, BORINGSSL.name, _METHOD, roles_of)


BORINGSSL = Stack("BoringSSL", texts=(_FILE,), search=_search)
