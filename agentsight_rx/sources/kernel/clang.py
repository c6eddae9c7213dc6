"""
A program of its own, for `workers.py`: each line of its input is {"text", "flags"} as JSON; it writes {"maps", "functions"} on
a line, or null where that does not compile. The words of the compiler go to standard error.

BCC compiles in here and not in the capture: clang and LLVM take 100 MB, their modules may not be freed by two threads at once,
and BCC changes the working directory while it compiles. Plain Python, since a start without packages takes 0.03 s.
"""

from __future__ import annotations

import ctypes
import json
import struct
import sys
from typing import Any

__all__: list[str] = []

_LIBRARY = "libbcc.so.0"
_LOAD_IMMEDIATE, _MAP = 0x18, 1  # BPF_LD | BPF_IMM | BPF_DW, and the source register that stands for a map


def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(_LIBRARY)
    words, address, size, number = ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint64
    library.bpf_module_create_c_from_string.restype = address
    text, debug, flags, count, allow_rlimit, device = (
        words,
        ctypes.c_uint,
        ctypes.POINTER(words),
        ctypes.c_int,
        ctypes.c_bool,
        words,
    )
    library.bpf_module_create_c_from_string.argtypes = [text, debug, flags, count, allow_rlimit, device]
    results: dict[str, tuple[Any, list[Any]]] = {
        "bpf_num_functions": (size, []),
        "bpf_function_name": (words, [size]),
        "bpf_function_start": (address, [words]),
        "bpf_function_size": (size, [words]),
        "bpf_num_tables": (size, []),
        "bpf_table_name": (words, [size]),
        "bpf_table_fd_id": (ctypes.c_int, [size]),
        "bpf_table_type_id": (ctypes.c_int, [size]),
        "bpf_table_key_size_id": (size, [size]),
        "bpf_table_leaf_size_id": (size, [size]),
        "bpf_table_max_entries_id": (number, [size]),
        "bpf_table_flags_id": (ctypes.c_int, [size]),
        "bpf_table_key_desc_id": (words, [size]),
        "bpf_table_leaf_desc_id": (words, [size]),
    }
    for name, (result, arguments) in results.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, [address, *arguments]
    return library


def _compiled(text: str, flags: list[str]) -> dict[str, object] | None:
    lib = _library()
    given = (ctypes.c_char_p * len(flags))(*[flag.encode() for flag in flags])
    module = lib.bpf_module_create_c_from_string(text.encode(), 0, given, len(flags), False, None)
    if not module:
        return None
    maps: list[dict[str, object]] = []
    numbers: dict[int, int] = {}  # descriptor -> number of a map
    for number in range(lib.bpf_num_tables(module)):
        numbers[lib.bpf_table_fd_id(module, number)] = number
        maps.append(
            {
                "name": lib.bpf_table_name(module, number).decode(),
                "kind": lib.bpf_table_type_id(module, number),
                "key_size": lib.bpf_table_key_size_id(module, number),
                "leaf_size": lib.bpf_table_leaf_size_id(module, number),
                "entries": lib.bpf_table_max_entries_id(module, number),
                "flags": lib.bpf_table_flags_id(module, number),
                "key_type": lib.bpf_table_key_desc_id(module, number).decode(),
                "leaf_type": lib.bpf_table_leaf_desc_id(module, number).decode(),
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


def _main() -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = _compiled(asked["text"], asked["flags"])
        except OSError as error:  # of ctypes, for a missing libbcc
            sys.exit(f"{_LIBRARY}: {error}")
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    _main()
