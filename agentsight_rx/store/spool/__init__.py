"""
Events <-> closed segments in folders, one a host: what leaves a machine. docs/cluster.md has the format.

`segment` has the bytes of a segment. `writer` has a `part_writer` for each folder, and the gaps between segments; a busy host
is split into parts. `folder` finds the existing segments.
"""

from .folder import (
    HOST,
    Parts,
    Recorded,
    SpoolOptions,
    folders,
    host_of_machine,
    is_segment,
    is_spool,
    recordings,
    segment_name,
    sequence_of,
)
from .records import SegmentBroken
from .segment import FORMAT, SCHEMA, Footer, Header, Segment, encode_segment, key_of, read_header, read_segment
from .writer import SpoolWriter, Track

__all__ = [
    "FORMAT",
    "HOST",
    "SCHEMA",
    "Footer",
    "Header",
    "Parts",
    "Recorded",
    "Segment",
    "SegmentBroken",
    "SpoolOptions",
    "SpoolWriter",
    "Track",
    "encode_segment",
    "folders",
    "host_of_machine",
    "is_segment",
    "is_spool",
    "key_of",
    "read_header",
    "read_segment",
    "recordings",
    "segment_name",
    "sequence_of",
]
