"""
A program of its own, for `workers.py`: each line of its input is {"text", "flags"} as JSON; it writes {"maps", "functions"} on
a line, or null where that does not compile. The words of the compiler go to standard error.

BCC compiles in here and not in the capture: clang and LLVM take 100 MB, their modules may not be freed by two threads at once,
and BCC changes the working directory while it compiles. The package `bcc` is Debian's python3-bpfcc; `bcc` on PyPI is another
project. The arguments are the places that are searched for it, instead of the usual ones.
"""

from __future__ import annotations

import ctypes
import json
import os
import struct
import sys
from glob import glob
from importlib import import_module
from pathlib import Path
from typing import Any

__all__: list[str] = []

# Where systems put packages of their own Python. BCC's is plain Python: any version reads it. Debian's place comes first.
_PLACES = ("/usr/lib/python3/dist-packages", "/usr/lib/python3*/site-packages", "/usr/local/lib/python3*/*-packages")
# Of unshare(2) and mount(2)
_NEW_MOUNTS, _BIND, _PRIVATE = 0x20000, 4096, 0x4000 | 0x40000  # CLONE_NEWNS, MS_BIND, MS_REC | MS_PRIVATE
_SYMBOLS = "/proc/kallsyms"
_SYMBOL = "ffffffff81000000 T bpf_probe_read_kernel\n"  # every kernel has it since Linux 5.5; the address is not used
_LOAD_IMMEDIATE, _MAP = 0x18, 1  # BPF_LD | BPF_IMM | BPF_DW, and the source register that stands for a map


def _library(places: list[str]) -> Any:
    """libbcc, as the package `bcc` opens it. Raises ImportError where no place has the package."""
    folders = [Path(folder) for place in places for folder in sorted(glob(f"{place}/bcc"))]
    found = next((folder for folder in folders if (folder / "libbcc.py").exists()), None)
    if found is None:
        others = ", ".join(map(str, folders))
        raise ImportError(
            f"{others} is another project named bcc, without libbcc.py of the BPF Compiler Collection"
            if others
            else f"no package bcc of the BPF Compiler Collection in {', '.join(places)}"
        )
    sys.path.append(str(found.parent))
    lib = import_module("bcc.libbcc").lib
    address, number, text = ctypes.c_void_p, ctypes.c_ulonglong, ctypes.c_char_p
    # four functions that the package does not declare, since it asks for each map by its name
    lib.bpf_num_tables.restype, lib.bpf_num_tables.argtypes = number, [address]
    lib.bpf_table_name.restype, lib.bpf_table_name.argtypes = text, [address, number]
    for size in (lib.bpf_table_key_size_id, lib.bpf_table_leaf_size_id):
        size.restype, size.argtypes = ctypes.c_size_t, [address, number]
    return lib


def _compiled(lib: Any, text: str, flags: list[str]) -> dict[str, object] | None:
    given = (ctypes.c_char_p * len(flags))(*[flag.encode() for flag in flags])
    module = lib.bpf_module_create_c_from_string(text.encode(), 0, given, len(flags), False, None)
    if not module:
        return None
    maps: list[dict[str, object]] = []
    numbers: dict[int, int] = {}  # descriptor -> number of a map
    for number in range(lib.bpf_num_tables(module)):
        name = lib.bpf_table_name(module, number)
        numbers[lib.bpf_table_fd(module, name)] = number
        maps.append(
            {
                "name": name.decode(),
                "kind": lib.bpf_table_type_id(module, number),
                "key_size": lib.bpf_table_key_size_id(module, number),
                "leaf_size": lib.bpf_table_leaf_size_id(module, number),
                "entries": lib.bpf_table_max_entries_id(module, number),
                "flags": lib.bpf_table_flags_id(module, number),
                "key_type": lib.bpf_table_key_desc(module, name).decode(),
                "leaf_type": lib.bpf_table_leaf_desc(module, name).decode(),
            }
        )
    functions: list[dict[str, object]] = []
    for number in range(lib.bpf_num_functions(module)):
        name = lib.bpf_function_name(module, number)
        code = bytearray(ctypes.string_at(lib.bpf_function_start(module, name), lib.bpf_function_size(module, name)))
        uses = _uses(code, numbers)
        functions.append({"name": name.decode(), "code": code.hex(), "uses": uses})
    return {"maps": maps, "functions": functions}


def _uses(code: bytearray, numbers: dict[int, int]) -> list[tuple[int, int]]:
    """Where the code names a map, and which. The descriptor there, which means nothing outside this process, becomes 0."""
    uses: list[tuple[int, int]] = []
    place = 0
    while place < len(code) // 8:
        operation, registers, _, value = struct.unpack_from("<BBhi", code, place * 8)
        if operation == _LOAD_IMMEDIATE:
            if registers >> 4 == _MAP:
                uses.append((place, numbers[value]))
                struct.pack_into("<i", code, place * 8 + 4, 0)
            place += 1  # it takes two places
        place += 1
    return uses


def _show_one_symbol() -> None:
    """
    For each text BCC reads all symbols of the kernel, which takes 70 ms, to find one of them. With mounts of its own this
    process sees a file with that one. Where it may have none, BCC reads them all.
    """
    libc = ctypes.CDLL(None)
    if libc.unshare(_NEW_MOUNTS) or libc.mount(None, b"/", None, ctypes.c_ulong(_PRIVATE), None):
        return
    own = Path(os.environ["BCC_KERNEL_SOURCE"], "symbols")
    own.write_text(_SYMBOL)
    libc.mount(os.fsencode(own), _SYMBOLS.encode(), None, ctypes.c_ulong(_BIND), None)


def _main() -> None:
    _show_one_symbol()
    try:
        lib = _library(sys.argv[1:] or [*_PLACES])
    except (ImportError, OSError, AttributeError) as error:  # the package, its library, a library of another release
        sys.exit(f"bcc: {error}")
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(_compiled(lib, asked["text"], asked["flags"])), flush=True)


if __name__ == "__main__":
    _main()
