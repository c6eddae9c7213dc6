"""What a finished segment leaves: the commit, which names its output and the state behind it; and who may go on from it."""

from __future__ import annotations

import platform
from hashlib import blake2b
from importlib.metadata import version

import msgspec
import zstandard
from msgspec import Struct

from ...core.engine import EngineState
from ...core.errors import SpoolError
from ...store.spool import SegmentBroken, Track
from ...store.spool.records import decompressed
from .place import Place

__all__ = [
    "Commit",
    "Pins",
    "State",
    "commit_name",
    "content_name",
    "decode_commit",
    "decode_state",
    "encode_state",
    "own_pins",
    "pack_state",
    "read_commit",
]

_FORMAT = 1
_LEVEL = 1  # a state is read once, and soon
_LARGEST = 4 << 30


class Pins(Struct, frozen=True, array_like=True):
    """What made a state: another release may keep something else, another Python may give another order."""

    product: str
    python: str

    def __str__(self) -> str:
        return f"agentsight-rx {self.product} on Python {self.python}"


class Commit(Struct, frozen=True, kw_only=True):
    """
    Segment `sequence` of `key` is done, behind segment `before` (0: it is the first). `output` and `state` are names in the
    same folder, `items` the number of all outputs of this key so far: the id of an output is (key, its number).
    """

    format: int = _FORMAT
    key: str
    sequence: int
    before: int
    output: str
    state: str
    items: int
    pins: Pins


class State(Struct, array_like=True):
    """Where the next segment goes on. No `engine`: the recording has ended, and the next one begins anew."""

    track: Track
    engine: EngineState | None = None


def own_pins() -> Pins:
    return Pins(version("agentsight-rx"), platform.python_version())


def commit_name(key: str, sequence: int) -> str:
    return f"{key}/{sequence:010}.done"


def content_name(key: str, sequence: int, content: bytes, kind: str) -> str:
    """A file is named by its content, so that two attempts can only write the same under the same name."""
    return f"{key}/{sequence:010}-{blake2b(content, digest_size=8).hexdigest()}.{kind}"


def encode_state(state: State) -> bytes:
    return msgspec.msgpack.encode(state)


def pack_state(encoded: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(encoded)


def decode_state(packed: bytes, name: str) -> State:
    try:
        return msgspec.msgpack.decode(decompressed(packed, _LARGEST), type=State)
    except (SegmentBroken, msgspec.MsgspecError) as error:
        raise SpoolError(f"the state {name} cannot be read: {error}. Remove its .done file, and run again") from error


def decode_commit(content: bytes, name: str, *, pins: Pins | None = None) -> Commit:
    """Raises SpoolError where it is no state, or was made by another release or Python than `pins`."""
    try:
        found = msgspec.msgpack.decode(content, type=Commit)
    except msgspec.MsgspecError as error:
        raise SpoolError(f"the commit {name} cannot be read: {error}. Remove it, and run again") from error
    if pins is not None and found.pins != pins:
        raise SpoolError(
            f"{name} was made by {found.pins}, and this is {pins}: their states may differ. "
            "Go on with the same release and Python, or begin again with another --out"
        )
    return found


def read_commit(out: Place, key: str, sequence: int, *, pins: Pins | None = None) -> Commit | None:
    name = commit_name(key, sequence)
    content = out.read(name)
    return None if content is None else decode_commit(content, f"{out.url}/{name}", pins=pins)
