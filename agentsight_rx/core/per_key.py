"""
The key of an event and a machine -> an operator with one machine for each key: a connection, a channel, a process.

Longer than 300 lines because a batch may take four ways through one table: whole, by runs, and by event with room or without.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import suppress
from operator import itemgetter
from typing import Any, Generic, TypeAlias, TypeVar, cast

import msgspec
from msgspec import Raw

from ..events.loss import Reason
from .bounded import Recent
from .engine import Site
from .kernels import count_losses, held_of, parts_of, resume
from .machine import RAISED, Bounded, Halted, Kernel, Machine, Malformed, TakesRuns, encode_state
from .stream import Operator

_LEGACIES_MOST = 16_384  # keys whose dropped machines left something to know: 4 MB
_SWEEP_NS = 1_000_000_000  # between two looks for machines that have nothing to do any more
_LOOK_NS = 1_000_000_000  # between two looks at their memory

A = TypeVar("A")
B = TypeVar("B")
_PLACE = itemgetter(0)
K = TypeVar("K", bound=Hashable)


def per_key(
    key: Callable[[A], K | None],
    machine: Callable[[], Machine[A, B]],
    *,
    name: str,
    key_type: type[K],
    limit: int = 8192,
    options: str = "",
    budget: int = 0,
    weigh: Callable[[Sequence[A]], int] | None = None,
) -> Operator[A, B]:
    """
    One machine a key, at most `limit` of them: the one not used for longest is evicted and, if it held bytes, counted.

    Events whose key is None pass unchanged. All machines together keep at most `budget` bytes. Over that, the least recently
    used machines among the ones that `weigh` finds in a batch are evicted, are counted and go on empty.
    """
    return Operator(
        name,
        lambda site: _PerKey(site, key, machine=machine, key_type=key_type, limit=limit, budget=budget, weigh=weigh),
        options,
        authors=(key, machine),
    )


# Machines by key, the one not used for longest first, and legacies; room; looked_ns; swept_ns. Keys and states have the
# operator's types: all are encoded at once, which takes a third of a call for each
_Saved: TypeAlias = tuple[list[tuple[Raw, Raw]], list[tuple[Raw, bytes]], int, int, int]


class _PerKey(Kernel[A, B], Generic[A, B, K]):
    """
    The order of use is kept only while the table is more than half full: until then a hit costs one look-up, and every key used
    between half full and full moves behind the unused keys.
    """

    def __init__(
        self,
        site: Site,
        key: Callable[[A], K | None],
        machine: Callable[[], Machine[A, B]],
        key_type: type[K],
        limit: int,
        budget: int = 0,
        weigh: Callable[[Sequence[A]], int] | None = None,
    ) -> None:
        self._site = site
        self._key = key
        self._make = machine
        self._key_type = key_type
        self._machines: Recent[K, Machine[A, B]] = Recent(max(1, limit))
        self._half = limit // 2
        self._order: list[Machine[A, B]] | None = None  # the machines of the table; None after a change
        kind = type(machine())
        self._ticks = kind.tick is not Machine[Any, Any].tick
        self._runs = issubclass(kind, TakesRuns) and site.ours  # one of an author may end the graph between two events
        self._budget = budget
        self._weigh = weigh
        self._legacies: Recent[K, bytes] = Recent(_LEGACIES_MOST)
        self._looked_ns = 0  # when memory was measured last
        self._swept_ns = 0
        self._room = budget  # bytes that may still come before the machines could keep more than the budget

    def feed(self, batch: Sequence[A], /) -> Sequence[B]:
        out: list[B] = []
        with suppress(Halted):
            if self._weigh is None:
                self._take(batch, out)
            else:
                self._take_weighed(batch, self._weigh, out)
        count_losses(self._site, out, batch)
        return out

    def _take_weighed(self, batch: Sequence[A], weigh: Callable[[Sequence[A]], int], out: list[B]) -> None:
        """
        As a rule machines keep no more than they were fed, so their memory is not measured before that could be the whole
        budget; but once a second it is, since compressed data becomes more.
        """
        size = _total(weigh, batch)
        if size is not None and size <= self._room:
            self._room -= size
            self._take(batch, out)
            return
        for event in batch:
            self._take((event,), out)
            self._room -= _total(weigh, (event,)) or 0
            if self._room < 0:
                self._save_memory(out)

    def _take(self, batch: Sequence[A], out: list[B]) -> None:
        """
        While the table stays at most half full, in the fastest way: a batch without a key passes whole, and a machine that
        takes runs gets all its events of the batch at once.
        """
        batch, keys = self._keyed(batch)
        if all(key is None for key in keys):
            out += cast("Sequence[Any]", batch)
        elif self._runs and len(batch) > 1 and self._fits(keys):
            self._take_runs(batch, keys, out)
        else:
            events = zip(batch, keys, strict=True)
            if len(self._machines) <= self._half:
                self._take_roomy(events, out)
            if len(self._machines) > self._half:
                self._take_crowded(events, out)

    def _keyed(self, batch: Sequence[A]) -> tuple[Sequence[A], list[K | None]]:
        """The events and their keys, without those at which the key function raises."""
        keys: list[K | None] = []
        with suppress(*RAISED):
            keys += map(self._key, batch)
        if len(keys) == len(batch):  # else it has raised, StopIteration perhaps
            return batch, keys
        keys = []
        events: list[A] = []
        with suppress(Halted):
            for event in batch:
                try:
                    keys.append(self._key(event))
                    events.append(event)
                except RAISED as error:
                    self._site.bug(error, event=event)
        return events, keys

    def _fits(self, keys: list[K | None]) -> bool:
        """True if the table is at most half full behind these."""
        room = self._half - len(self._machines)
        return len(keys) <= room or len(set(keys).difference(self._machines, (None,))) <= room

    def _take_runs(self, batch: Sequence[A], keys: list[K | None], out: list[B]) -> None:
        """What comes of a run stands at the place of its last event."""
        places: dict[K | None, list[int]] = {}
        for place, key in enumerate(keys):
            found = places.get(key)
            if found is None:
                places[key] = [place]
            else:
                found.append(place)
        made: list[tuple[int, Sequence[Any]]] = [(place, (batch[place],)) for place in places.pop(None, ())]
        for key, at in places.items():
            self._take_run(cast("K", key), [batch[place] for place in at], at, made)
        made.sort(key=_PLACE)
        for _, events in made:
            out += events

    def _take_run(self, key: K, run: list[A], at: list[int], made: list[tuple[int, Sequence[Any]]]) -> None:
        """Events of one key, and their places in the batch."""
        start, count = 0, len(run)
        machine = self._machines.get(key)
        while start < count:
            out: list[B] = []
            stop = start
            few: Iterable[B]
            try:
                if machine is None:
                    machine = self._new(key, out)
                stop, few = cast("TakesRuns[A, B]", machine).feed_run(run, start) if count - start > 1 else (start, ())
                if stop == start:
                    stop += 1
                    few = machine.feed(run[start])
                out += few
            except Malformed as broken:
                self._drop(key, broken, out)
                machine = None
            except RAISED as error:
                self._fail(key, error, run[start])
                machine = None
            start = max(stop, start + 1)
            if out:
                made.append((at[start - 1], out))

    def _take_roomy(self, events: Iterator[tuple[A, K | None]], out: list[B]) -> None:
        """Up to the event that fills the table more than half."""
        half = self._half
        find = self._machines.get
        pass_on: Callable[[Any], None] = out.append
        for event, key in events:
            if key is None:
                pass_on(event)
                continue
            try:
                machine = find(key)
                if machine is None:
                    machine = self._new(key, out)
                    if len(self._machines) > half:
                        out += machine.feed(event)
                        return
                out += machine.feed(event)
            except Malformed as broken:
                self._drop(key, broken, out)
            except RAISED as error:
                self._fail(key, error, event)

    def _take_crowded(self, events: Iterator[tuple[A, K | None]], out: list[B]) -> None:
        """Each use moves a key behind the others."""
        for event, key in events:
            if key is None:
                cast("list[Any]", out).append(event)
                continue
            try:
                machine = self._machines.use(key)
                if machine is None:
                    machine = self._new(key, out)
                self._order = None
                out += machine.feed(event)
            except Malformed as broken:
                self._drop(key, broken, out)
            except RAISED as error:
                self._fail(key, error, event)

    def _save_memory(self, out: list[B]) -> None:
        bounded = [machine for machine in self._machines.values() if isinstance(machine, Bounded)]
        kept = {machine: size for machine in bounded if (size := machine.kept())}
        total = sum(kept.values())
        most = self._budget - self._budget // 4  # so that memory is not measured again at the next event
        if total > most:
            for machine in sorted(kept, key=lambda machine: machine.used_ns()):
                self._evict(machine, out)
                total += machine.kept() - kept[machine]
                if total <= most:
                    break
        self._room = self._budget - total

    def _new(self, key: K, out: list[B]) -> Machine[A, B]:
        machine = self._make()
        legacy = self._legacies.pop(key, b"")
        if legacy and isinstance(machine, Bounded):
            machine.inherit(legacy)
        dropped = self._machines.put(key, machine)
        self._order = None
        if dropped is not None:
            self._evict(dropped[1], out)
            self._bequeath(*dropped)
        return machine

    def _bequeath(self, key: K, machine: Machine[A, B]) -> None:
        legacy = machine.legacy() if isinstance(machine, Bounded) else b""
        if legacy:
            self._legacies.put(key, legacy)

    def _evict(self, machine: Machine[A, B], out: list[B]) -> None:
        """What the machine emits now is partial, so it is counted; what it still holds is lost."""
        held = held_of(machine)
        try:
            out.extend(machine.evict() if isinstance(machine, Bounded) else machine.finish())
            if held:
                self._site.meter.lose(Reason.EVICTED, 1, held_of(machine))
        except Malformed as broken:
            self._drop(None, broken, out)
        except RAISED as error:
            self._site.bug(error, 1, held)

    def _fail(self, key: K | None, error: BaseException, event: object = None) -> None:
        machine = self._pop(key)
        self._site.bug(error, 1, 0 if machine is None else held_of(machine), event)

    def _pop(self, key: K | None) -> Machine[A, B] | None:
        machine = None if key is None else self._machines.pop(key, None)
        self._order = None
        if key is not None and machine is not None:
            self._bequeath(key, machine)
        return machine

    def _drop(self, key: K | None, broken: Malformed, out: list[B]) -> None:
        out.extend(broken.after)
        self._site.meter.lose(Reason.MALFORMED, 1, broken.lost)
        self._pop(key)

    def tick(self, now_ns: int, /) -> Sequence[B]:
        looks = self._weigh is not None and now_ns - self._looked_ns >= _LOOK_NS
        sweeps = now_ns - self._swept_ns >= _SWEEP_NS
        out: list[B] = []
        if not (self._ticks or looks or sweeps):
            return out
        with suppress(Halted):
            if self._ticks:
                self._tick_all(now_ns, out)
            if sweeps:
                self._swept_ns = now_ns
                self._sweep()
            if looks:
                self._looked_ns = now_ns
                self._save_memory(out)
        if out:
            count_losses(self._site, out)
        return out

    def _tick_all(self, now_ns: int, out: list[B]) -> None:
        if self._order is None:  # a walk over the table takes three times as long as one over a list
            self._order = list(self._machines.values())
        broken: dict[Machine[A, B], BaseException] = {}
        for machine in self._order:
            try:
                out += machine.tick(now_ns)
            except RAISED as error:
                broken[machine] = error
        if broken:
            for key, machine in list(self._machines.items()):
                if machine in broken:
                    self._ended(key, broken[machine], out)

    def _sweep(self) -> None:
        """Drop the machines of keys that are over, such as closed connections: each takes memory and a part of every tick."""
        for key in [key for key, machine in self._machines.items() if isinstance(machine, Bounded) and machine.idle()]:
            self._pop(key)

    def finish(self) -> Sequence[B]:
        out: list[B] = []
        with suppress(Halted):
            for key, machine in list(self._machines.items()):
                try:
                    out += machine.finish()
                except RAISED as error:
                    self._ended(key, error, out)
        self._machines.clear()
        self._order = None
        count_losses(self._site, out)
        return out

    def _ended(self, key: K, error: BaseException, out: list[B]) -> None:
        if isinstance(error, Malformed):
            self._drop(key, error, out)
        else:
            self._fail(key, error)

    def snapshot(self) -> bytes:
        machines = [(key, parts_of(machine, self._make)) for key, machine in self._machines.items()]
        return encode_state((machines, list(self._legacies.items()), self._room, self._looked_ns, self._swept_ns))

    def restore(self, state: bytes, /) -> None:
        machines, legacies, self._room, self._looked_ns, self._swept_ns = msgspec.msgpack.decode(state, type=_Saved)
        key_of = msgspec.msgpack.Decoder(self._key_type).decode
        self._machines.clear()
        self._legacies.clear()
        self._order = None
        for key, inner in machines:
            machine = self._make()
            resume(machine, inner)
            self._machines[key_of(key)] = machine
        for key, legacy in legacies:
            self._legacies[key_of(key)] = legacy

    def held(self) -> int:
        return sum(map(held_of, self._machines.values()))


def _total(weigh: Callable[[Sequence[A]], int], batch: Sequence[A]) -> int | None:
    """What a batch weighs; None where an event cannot be weighed: feeding it to its machine raises, and counts, the error."""
    try:
        return weigh(batch)
    except Exception:
        return None
