"""
One segment of one host and the state before it -> its output and the state behind it. The whole analysis, for any engine.

Everything that an attempt writes has a name that its content decides, and the commit comes last and only once. So an attempt
may be ended at any point, repeated, and run twice at the same time: one commit counts, and all of them would be equal.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from time import process_time

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ...core.errors import SpoolError
from ...core.start import any_part
from ...events import Event
from ...graphs import TraceOptions
from ...policy.rules.guard.values import Rules
from ...store.spool import Segment, SegmentBroken, Track, read_segment, segment_name
from ..recording.guard_file import priced_by
from ..recording.price_file import load_prices
from .output import Analysis, OutputHeader, OutputWriter, pack_output
from .place import (
    At,
    Commit,
    Pins,
    Place,
    State,
    commit_name,
    content_name,
    decode_state,
    encode_state,
    ignore,
    own_pins,
    pack_state,
    place_of,
    read_commit,
)

# -- settings ------------------------------------------------------------------------------------------------------
# A place for output -> what holds for all that is made there: the key of labels, chosen by the first run.


SETTINGS = "settings.json"
_FORMAT = 1


class Settings(Struct, frozen=True, kw_only=True):
    """What a job needs beside its segment. `redaction_key` (hex): a secret that is only found here has one label everywhere."""

    format: int = _FORMAT
    redaction_key: str
    sse_timeout: float = 30.0
    guard: Rules | None = None  # the rules whose alerts are in the result

    def options(self, host: str) -> TraceOptions:
        """The graph of a job."""
        return TraceOptions(
            redaction_key=bytes.fromhex(self.redaction_key),
            sse_timeout=self.sse_timeout,
            host=host,
            guard=self.guard,
            priced=None if self.guard is None else priced_by(load_prices(None), self.guard),
        )


def settings_of(out: Place, *, redaction_key: bytes | None = None, guard: Rules | None = None) -> Settings:
    """
    The settings of an earlier run, else new ones. Raises SpoolError where the place has something else, another key, or other
    rules of a guard.
    """
    kept = out.read(SETTINGS)
    if kept is None:
        made = Settings(redaction_key=(redaction_key or os.urandom(32)).hex(), guard=guard)
        out.create(SETTINGS, msgspec.json.encode(made))
        kept = out.read(SETTINGS) or b""
    try:
        found = msgspec.json.decode(kept, type=Settings)
    except msgspec.MsgspecError as error:
        raise SpoolError(f"{out.url}/{SETTINGS} is not of `cluster run` ({error}): give an empty folder by --out") from error
    if found.format > _FORMAT:
        raise SpoolError(f"{out.url} was made by a newer release (format {found.format}): use that one, or another --out")
    if redaction_key is not None and found.redaction_key != redaction_key.hex():
        raise SpoolError(f"{out.url} was begun with another key of labels: leave the key out, or give an empty folder by --out")
    if guard is not None and found.guard != guard:
        raise SpoolError(
            f"{out.url} was begun {'with other rules' if found.guard else 'without a guard'}: leave --guard out, "
            "or give an empty folder by --out"
        )
    return found


# ------------------------------------------------------------------------------------------------------------------------


class Task(Struct, frozen=True, kw_only=True):
    """Segment `sequence` of `key`, behind the committed segment `before` (0: none is). `pins` come from the driver."""

    spool: str
    out: str
    key: str
    sequence: int
    before: int
    settings: Settings
    pins: Pins


class Done(Struct, frozen=True, kw_only=True):
    """
    A segment is committed; `fresh`: by this attempt. `items` counts all outputs of the key so far. `skipped`: why nothing of it
    is in them.
    """

    key: str
    sequence: int
    items: int
    fresh: bool
    seconds: float = 0.0  # of the processor
    skipped: str = ""


def segment(task: Task, at: At = ignore) -> Done:
    """
    Analyse one segment. `at` is called on the way, as (begin, 0), (events, so many), (part, bytes), (output, 0), (state, 0): a
    test ends the process there. Raises SpoolError where it cannot be done here or at all.
    """
    began = process_time()
    if any_part():
        from ..plugins import load  # takes as long to import as a small segment

        load("providers", "agents")
    at("begin", 0)
    own = own_pins()
    if own != task.pins:
        raise SpoolError(f"this worker has {own}, and the run was started by {task.pins}: give all of them the same")
    out = place_of(task.out, at)
    found = read_commit(out, task.key, task.sequence, pins=own)
    if found is not None:
        return _done(found, fresh=False)
    work = _Work(task, at)
    kept = Commit(
        key=task.key,
        sequence=task.sequence,
        before=task.before,
        output=work.put_output(),
        state=work.put_state(),
        items=work.items,
        pins=own,
    )
    at("state", 0)
    if not out.create(commit_name(task.key, task.sequence), msgspec.msgpack.encode(kept)):
        first = read_commit(out, task.key, task.sequence, pins=own)
        return _done(first or kept, fresh=False)
    work.forget()
    return replace(_done(kept, fresh=True), seconds=process_time() - began, skipped=work.skipped)


def _done(commit: Commit, *, fresh: bool) -> Done:
    return Done(key=commit.key, sequence=commit.sequence, items=commit.items, fresh=fresh)


class _Work:
    """One attempt, from the state before to the files to write."""

    def __init__(self, task: Task, at: At) -> None:
        self._task, self._at = task, at
        self._spool, self._out = place_of(task.spool), place_of(task.out, at)
        self._options = task.settings.options(task.key)
        self._before = self._committed_before()
        state = self._state_before()
        self._writer = OutputWriter(
            OutputHeader(
                key=task.key,
                sequence=task.sequence,
                before=task.before,
                first=self._before.items if self._before is not None else 0,
            )
        )
        self._count = 0
        self.skipped = ""
        self._analysis: Analysis | None = None
        if state.engine is not None:
            self._analysis = Analysis(self._options, self._writer.add, state.engine)
        self._track = state.track
        self._run()
        if self._analysis is not None:
            self._writer.losses(self._analysis.losses())
            state = State(self._track, self._analysis.snapshot())
        else:
            state = State(self._track)
        self._state = encode_state(state)

    @property
    def items(self) -> int:
        return (self._before.items if self._before is not None else 0) + self._writer.count

    def _committed_before(self) -> Commit | None:
        task = self._task
        if not task.before:
            return None
        found = read_commit(self._out, task.key, task.before, pins=task.pins)
        if found is None:
            raise SpoolError(f"{task.out}/{commit_name(task.key, task.before)} is not there: run again")
        return found

    def _state_before(self) -> State:
        if self._before is None:
            return State(Track())
        content = self._out.read(self._before.state)
        if content is None:
            raise SpoolError(f"the state {self._task.out}/{self._before.state} is gone. Remove its .done file, and run again")
        return decode_state(content, self._before.state)

    def _run(self) -> None:
        task = self._task
        name = f"{task.key}/{segment_name(task.sequence)}"
        content = self._spool.read(name)
        if content is None:
            raise SpoolError(f"{task.spool}/{name} is not there any more")
        try:
            found = read_segment(content, task.key, task.sequence)
        except SegmentBroken as error:
            self.skipped = str(error)
            self._push([self._track.skipped(task.sequence, size=len(content), why=str(error))])
            return
        self._read(found)

    def _read(self, found: Segment) -> None:
        track, header = self._track, found.header
        if track.is_new(header):
            self._push([track.broke_off(header)])
            self._end()
        self._push(track.gap(header))
        for batch in found.batches():
            self._push(batch)
        self._push(track.passed(header, found.footer))
        if found.footer.ended:
            self._end()

    def _push(self, batch: Sequence[Event]) -> None:
        if not batch:
            return
        if self._analysis is None:
            self._analysis = Analysis(self._options, self._writer.add)
        self._analysis.push(batch)
        self._count += len(batch)
        self._at("events", self._count)

    def _end(self) -> None:
        if self._analysis is not None:
            self._analysis.end()
            self._writer.losses(self._analysis.losses())
            self._writer.ended()
        self._analysis = None
        self._track = Track(sequence=self._track.sequence)

    def put_output(self) -> str:
        content = self._writer.content()
        name = content_name(self._task.key, self._task.sequence, content, "out")
        self._out.put(name, pack_output(content))
        self._at("output", 0)
        return name

    def put_state(self) -> str:
        name = content_name(self._task.key, self._task.sequence, self._state, "state")
        self._out.put(name, pack_state(self._state))
        return name

    def forget(self) -> None:
        """The state before the one that this attempt went on from is of no use any more: nothing can go on there."""
        if self._before is not None and self._before.before:
            old = read_commit(self._out, self._task.key, self._before.before)
            if old is not None:
                self._out.remove(old.state)
