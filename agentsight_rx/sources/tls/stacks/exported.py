"""Symbols of a file -> the TLS implementations whose functions it names: OpenSSL, BoringSSL, GnuTLS and NSS."""

from __future__ import annotations

from msgspec import Struct

from .elf import Bounds, Image, Symbols
from .finding import Finding
from .placement import with_work
from .scan import Scan, hook

__all__ = ["EXPORTED", "Exported", "by_symbols"]

_METHOD = "symbols"


class Exported(Struct, frozen=True):
    """
    An implementation with functions that have names. `functions` are their shapes by name; of each group in `needed` the file
    must have one. A function in `replaced` is left out where the one that it calls is there: both would see the same bytes.
    """

    name: str
    functions: dict[str, str]
    needed: tuple[tuple[str, ...], ...]
    replaced: dict[str, str]


EXPORTED = (
    Exported(
        "OpenSSL",
        functions={
            "SSL_read": "SSL_read",
            "SSL_write": "SSL_write",
            "SSL_read_ex": "SSL_read_ex",
            "SSL_write_ex": "SSL_write_ex",
            "SSL_write_ex2": "SSL_write_ex2",
            "SSL_do_handshake": "SSL_do_handshake",
            "SSL_free": "SSL_free",
        },
        needed=(("SSL_read",), ("SSL_write",)),
        replaced={"SSL_write_ex": "SSL_write_ex2"},  # since OpenSSL 3.3
    ),
    Exported(
        "GnuTLS",
        functions={
            "gnutls_record_send": "SSL_write",
            "gnutls_record_send2": "SSL_write",
            "gnutls_record_recv": "SSL_read",
            "gnutls_record_recv_seq": "SSL_read",
            "gnutls_deinit": "SSL_free",
        },
        needed=(("gnutls_record_send", "gnutls_record_send2"), ("gnutls_record_recv",)),
        replaced={"gnutls_record_send": "gnutls_record_send2"},  # since GnuTLS 3.6.3
    ),
    # in two files: libssl3 makes a file object into one of TLS, libnspr4 reads and writes through it
    Exported("NSS", functions={"SSL_ImportFD": "NSS_import"}, needed=(("SSL_ImportFD",),), replaced={}),
    Exported(
        "NSPR",
        functions={
            "PR_Read": "NSS_read",
            "PR_Recv": "NSS_read",
            "PR_Write": "NSS_write",
            "PR_Send": "NSS_write",
            "PR_Close": "SSL_free",
        },
        needed=(("PR_Read",), ("PR_Write",)),
        replaced={},
    ),
)


def by_symbols(scan: Scan) -> list[Finding]:
    """One Finding for each implementation that has all it needs; the dynamic symbols come before the static ones."""
    found: dict[str, Finding] = {}
    for symbols in scan.image.symbols():
        for exported in EXPORTED:
            scan.check()
            if exported.name in found or not any(_has(symbols, group[-1]) for group in exported.needed):
                continue
            places = {name: place for name in exported.functions for place in symbols.named(name)[:1]}
            made = _finding(scan.image, exported, places)
            if made is not None:
                found[exported.name] = made
    return list(found.values())


def _finding(image: Image, exported: Exported, places: dict[str, Bounds]) -> Finding | None:
    for name, by in exported.replaced.items():
        if by in places:
            places.pop(name, None)
    hooks = {name: hook(image, exported.functions[name], address) for name, (address, _) in places.items()}
    made = {name: each for name, each in hooks.items() if each is not None}
    if not all(any(name in made or exported.replaced.get(name) in made for name in group) for group in exported.needed):
        return None
    return Finding(
        exported.name,
        _METHOD,
        hooks=tuple(with_work(image, made, places).values()),
        exact=True,
        evidence=tuple(f"{name} is a symbol of the file, at {places[name][0]:#x}" for name in made),
    )


def _has(symbols: Symbols, name: str) -> bool:
    return name.encode() + b"\0" in symbols.names
