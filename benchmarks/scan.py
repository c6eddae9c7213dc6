"""A program file -> its TLS functions: what the search costs, against one read of the file."""

from __future__ import annotations

import random
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from struct import pack
from tempfile import TemporaryDirectory

from agentsight_rx.sources.tls.stacks.search import find_stacks
from benchmarks.timing import Case, Row, Work, measure

__all__ = ["rows"]

_SIZE = 300 << 20  # an agent with its runtime in one file
_PART = 1 << 20
_CONSTANTS = 48 << 20
_REFERENCES = 40  # of BoringSSL's code to the name of its file
_TEXT = b"../../vendor/boringssl/ssl/ssl_lib.cc\0"


def rows(rounds: int, scale: float = 1.0, /) -> list[Row]:
    size = max(8 * _PART, int(_SIZE * scale))
    with _program(size, text=b"") as other, _program(size, text=_TEXT) as boringssl:
        floor = "read the file"
        return measure(
            "scan",
            [
                Case(floor, partial(_reading, other), 1, size),
                Case("a program without TLS", partial(_searching, other), 1, size, floor, target=10),
                # which has nothing of it but references to its text, so that every way is tried
                Case("a program with BoringSSL", partial(_searching, boringssl), 1, size, floor, target=40),
            ],
            rounds,
        )


@contextmanager
def _program(size: int, *, text: bytes) -> Generator[Path]:
    """An ELF file of random constants and code, with references to the text."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "program"
        chance = random.Random(1)
        constants = min(_CONSTANTS, size // 4) // _PART * _PART
        code = (size - constants) // _PART * _PART
        with path.open("wb") as file:
            for _ in range((constants + code) // _PART):
                file.write(chance.randbytes(_PART))
            programs = [(4, 0, constants), (5, constants, code)]
            file.seek(0)
            file.write(pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 64, 0, 0))
            for flags, at, length in programs:
                file.write(pack("<IIQQQQQQ", 1, flags, at, at, at, length, length, 4096))
            if text:
                file.seek(4096)
                file.write(b"\0" + text)
                for number in range(_REFERENCES):
                    at = constants + code // _REFERENCES * number + 99
                    file.seek(at)
                    file.write(b"\x48\x8d\x0d" + pack("<i", 4097 - at - 7))
        yield path


def _reading(path: Path) -> Work:
    def work() -> None:
        with path.open("rb", buffering=0) as file:
            buffer = bytearray(_PART)
            while file.readinto(buffer):
                pass

    return work


def _searching(path: Path) -> Work:
    def work() -> None:
        with path.open("rb") as file:
            find_stacks(file, str(path))

    return work
