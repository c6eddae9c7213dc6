"""Symbols of a file -> the TLS implementations whose functions it names: OpenSSL, BoringSSL, GnuTLS and NSS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from .elf import Bounds, Image, Symbols
from .finding import Finding, Hook
from .paths import ARGUMENTS, Path, Value, paths_of
from .scan import Scan, hook
from .x86_code import Register

# -- placement -----------------------------------------------------------------------------------------------------
# Hooks of OpenSSL -> hooks in the functions that do the work, where a probe costs less and sees the same calls.
#
# Under a probe the kernel emulates some instructions (0.7 µs a hit) and steps through a copy of all others (10 µs on a
# virtual machine). A return probe is put in where a function begins, and costs the same again. SSL_read and SSL_read_ex begin
# with an instruction of the dear kind. They are a few instructions around a call of one and the same function, which begins
# with a push.


_SIZE_MOST = 1024  # bytes of a function that only calls another


class Work(NamedTuple):
    """The function that does the work of another: its place in the code, and which registers may say where it puts a size."""

    target: int
    size_in: frozenset[int]


def work_of(code: bytes, size_argument: int | None) -> Work | None:
    """
    The function that this one calls with its own first and second argument (object and buffer), once on each path on which it
    returns more than 0; and that is exactly where what it calls returns more than 0. `size_argument` is the number of the
    argument that says where to store the size, handed on; None: the size is stored on the stack of this function, and returned.
    """
    paths = paths_of(code) or []
    found: list[Work] = []
    for target in {call.target for path in paths for call in path.calls}:
        registers = [_size_in(path, target, size_argument) for path in paths]
        size_in = frozenset(ARGUMENTS).intersection(*(each for each in registers if each is not None))
        if size_in and any(each is not None for each in registers):
            found.append(Work(target, size_in))
    return found[0] if len(found) == 1 else None


def _size_in(path: Path, target: int, size_argument: int | None) -> frozenset[int] | None:
    """
    The registers in which the one call of `target` may get where the size goes; none of them where this path is not as
    `work_of` says. None where it says nothing of them, since nothing is done.
    """
    calls = [call for call in path.calls if call.target == target]
    failed = path.result is not None and path.result.is_failure
    if not calls and failed:
        return None
    result = Value("result", target)
    given = [(call.registers[Register.DI], call.registers[Register.SI]) for call in calls]
    if given != [(Value("entry", Register.DI), Value("entry", Register.SI))]:  # once, and not with something else
        return frozenset()
    if target in path.failed:
        return None if failed or path.result == result else frozenset()
    registers = calls[0].registers
    if size_argument is not None:
        wanted = Value("entry", ARGUMENTS[size_argument])
        return frozenset(each for each in ARGUMENTS if registers[each] == wanted and path.result == result)
    places = {each: registers[each] for each in ARGUMENTS}
    return frozenset(
        register
        for register, place in places.items()
        if place is not None and place.kind == "stack" and path.result in (result, Value("loaded", place.number))
    )


# Shapes of OpenSSL: the argument of each that says where the size goes, and what the function that does the work of all of them
# is like, by the register that says it there
_SIZE_ARGUMENTS: dict[str, int | None] = {
    "SSL_read": None,
    "SSL_read_ex": 3,
    "SSL_write": None,
    "SSL_write_ex": 3,
    "SSL_write_ex2": 4,
}
_TOGETHER = (
    (("SSL_read", "SSL_read_ex"), {Register.CX: "SSL_read_ex"}),
    (("SSL_write", "SSL_write_ex", "SSL_write_ex2"), {Register.CX: "SSL_write_ex", Register.R8: "SSL_write_ex2"}),
)


def with_work(image: Image, hooks: Mapping[str, Hook], bounds: Mapping[str, tuple[int, int]]) -> dict[str, Hook]:
    """
    The hooks of OpenSSL by the names of their functions, the hooks of one direction with the function that does the work of all
    of them in `instead`. `bounds` are the addresses and sizes of the functions. All or none: a call would be seen twice.
    """
    made = dict(hooks)
    for shapes, by_register in _TOGETHER:
        names = [name for name, each in hooks.items() if each.shape in shapes]
        if not any(_SIZE_ARGUMENTS[hooks[name].shape] for name in names) or not any(hooks[name].stepped for name in names):
            continue  # no OpenSSL, or nothing is gained
        found = [_work_at(image, hooks[name].shape, *bounds[name]) for name in names]
        works = [each for each in found if each is not None]
        if len(works) < len(found) or len({each.target for each in works}) > 1:
            continue
        registers = frozenset(ARGUMENTS).intersection(*(each.size_in for each in works))
        shape = by_register.get(min(registers)) if len(registers) == 1 else None
        instead = hook(image, shape, works[0].target) if shape else None
        if instead is not None and not instead.stepped:
            made |= {name: replace(hooks[name], instead=instead) for name in names}
    return made


def _work_at(image: Image, shape: str, address: int, size: int) -> Work | None:
    found = work_of(image.at(address, size), _SIZE_ARGUMENTS[shape]) if 0 < size <= _SIZE_MOST else None
    return found._replace(target=address + found.target) if found else None


# ------------------------------------------------------------------------------------------------------------------------


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
