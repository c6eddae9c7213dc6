"""BoringSSL that is linked into a program: SSL_write and SSL_read, by the reasons of the errors that they report."""

from __future__ import annotations

from .bounds import FunctionOf
from .finding import Finding
from .reasons import Reporter, references_to, reporters
from .roles import Roles, by_bounds, with_callers
from .scan import Scan, Stack

__all__ = ["BORINGSSL"]

_FILE = b"/ssl/ssl_lib.cc"
_METHOD = "error reasons"
# SSL_R_… of include/openssl/ssl.h
_BAD_LENGTH, _HANDSHAKE_FAILURE, _UNINITIALIZED, _SHOULD_NOT_HAVE_BEEN_CALLED = 111, 215, 226, 66
_STATE = frozenset({_UNINITIALIZED, _HANDSHAKE_FAILURE})
_CALLED_MOST = 12  # by SSL_read: 3 to 5 seen
_TO_GIVE_UP = 2  # functions that SSL_read calls and SSL_peek does not: 1 seen
_READ = frozenset({_SHOULD_NOT_HAVE_BEEN_CALLED})


def _search(scan: Scan) -> Finding:
    references = references_to(scan, scan.places[_FILE])
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


BORINGSSL = Stack("BoringSSL", texts=(_FILE,), search=_search)
