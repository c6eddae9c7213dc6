"""Functions and machines -> operators: change, keep, each (one machine for all) and per_key (one machine a key)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from ..events import Loss
from ..loss import Reason
from .engine import Site
from .stream import Kernel, Machine, Malformed, Operator, State

__all__ = ["change", "each", "keep", "per_key"]

_LEGACIES_MOST = 65_536  # keys whose machines had to go and left something to know

A = TypeVar("A")
B = TypeVar("B")
K = TypeVar("K", bound=Hashable)


def change(function: Callable[[A], B], *, name: str = "change") -> Operator[A, B]:
    """Replace each event by `function(event)`."""
    return Operator(name, lambda site: _Change(site, function))


def keep(predicate: Callable[[A], object], *, name: str = "keep", options: str = "") -> Operator[A, A]:
    """Let through the events for which `predicate` is true; the others are counted as filtered."""
    return Operator(name, lambda site: _Keep(site, predicate), options)


def each(machine: Callable[[], Machine[A, B]], *, name: str, options: str = "") -> Operator[A, B]:
    """One machine sees every event."""
    return Operator(name, lambda site: _Each(site, machine), options)


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
    One machine a key, at most `limit` of them: the ones not used for longest are finished and, if they held bytes, counted.

    Events whose key is None are not ours and go by unchanged. Where all machines together hold more than `budget` bytes, of
    those that `weigh` finds in a batch, the ones not used for longest are told to finish, are counted and go on empty.
    """
    return Operator(
        name,
        lambda site: _PerKey(site, key, machine=machine, key_type=key_type, limit=limit, budget=budget, weigh=weigh),
        options,
    )


class _Change(Kernel[A, B]):
    def __init__(self, site: Site, function: Callable[[A], B]) -> None:
        self._site = site
        self._function = function

    def feed(self, batch: Sequence[A], /) -> Sequence[B]:
        out: list[B] = []
        events = iter(batch)
        while True:
            try:
                out.extend(map(self._function, events))
                return out
            except Exception as error:
                self._site.bug(error)


class _Keep(Kernel[A, A]):
    def __init__(self, site: Site, predicate: Callable[[A], object]) -> None:
        self._site = site
        self._predicate = predicate

    def feed(self, batch: Sequence[A], /) -> Sequence[A]:
        out: list[A] = []
        events = iter(batch)
        bugs = 0
        while True:
            try:
                out.extend(filter(self._predicate, events))
                break
            except Exception as error:
                bugs += 1
                self._site.bug(error)
        if len(out) + bugs < len(batch):
            self._site.meter.lose(Reason.FILTERED, len(batch) - len(out) - bugs)
        return out


class _Each(Kernel[A, B]):
    def __init__(self, site: Site, machine: Callable[[], Machine[A, B]]) -> None:
        self._site = site
        self._make = machine
        self._machine = machine()

    def feed(self, batch: Sequence[A], /) -> Sequence[B]:
        out: list[B] = []
        for event in batch:
            try:
                out += self._machine.feed(event)
            except Malformed as broken:
                self._restart(broken, out)
            except Exception as error:
                self._site.bug(error, 1, self._machine.held())
                self._machine = self._make()
        _count(self._site, out, batch)
        return out

    def _restart(self, broken: Malformed, out: list[B]) -> None:
        out.extend(broken.after)
        self._site.meter.lose(Reason.MALFORMED, 1, broken.lost)
        self._machine = self._make()

    def tick(self, now_ns: int, /) -> Sequence[B]:
        return self._guarded(lambda: self._machine.tick(now_ns))

    def finish(self) -> Sequence[B]:
        return self._guarded(self._machine.finish)

    def _guarded(self, act: Callable[[], Any]) -> list[B]:
        out: list[B] = []
        try:
            out.extend(act())
        except Malformed as broken:
            self._restart(broken, out)
        except Exception as error:
            self._site.bug(error, 1, self._machine.held())
            self._machine = self._make()
        _count(self._site, out)
        return out

    def snapshot(self) -> State:
        return self._machine.snapshot()

    def restore(self, state: State, /) -> None:
        self._machine.restore(state)

    def held(self) -> int:
        return self._machine.held()


class _PerKey(Kernel[A, B], Generic[A, B, K]):
    """Two tables: a hit in `young` costs one look-up; once it holds half the limit it becomes `old`, whose machines end."""

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
        self._half = max(1, limit // 2)
        self._young: dict[K, Machine[A, B]] = {}
        self._old: dict[K, Machine[A, B]] = {}
        self._ticks = type(machine()).tick is not Machine[Any, Any].tick
        self._budget = budget
        self._weigh = weigh
        self._legacies: dict[K, State] = {}
        self._looked_ns = 0  # when memory was looked at last
        self._room = budget  # so many bytes may still come before the machines could hold more than the budget

    def feed(self, batch: Sequence[A], /) -> Sequence[B]:
        out: list[B] = []
        if self._weigh is None:
            self._take(batch, out)
        else:
            self._take_weighed(batch, self._weigh, out)
        _count(self._site, out, batch)
        return out

    def _take_weighed(self, batch: Sequence[A], weigh: Callable[[Sequence[A]], int], out: list[B]) -> None:
        """
        As a rule machines hold no more than they were fed, so they are not asked before that could be the whole budget; but
        once a second they are all the same, since what is packed becomes more.
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
        key_of, young = self._key, self._young
        pass_on: Callable[[Any], None] = out.append
        for event in batch:
            key = None
            try:
                key = key_of(event)
                if key is None:
                    pass_on(event)
                    continue
                machine = young.get(key)
                if machine is None:
                    machine = self._miss(key, out)
                    young = self._young
                out += machine.feed(event)
            except Malformed as broken:
                self._drop(key, broken, out)
            except Exception as error:
                self._fail(key, error)

    def _save_memory(self, out: list[B]) -> None:
        machines = [machine for table in (self._old, self._young) for machine in table.values()]
        kept = {machine: size for machine in machines if (size := machine.kept())}
        total = sum(kept.values())
        most = self._budget - self._budget // 4  # so that it is not looked at again with each event
        if total > most:
            for machine in sorted(kept, key=lambda machine: machine.used_ns()):
                self._end(machine, out)
                total += machine.kept() - kept[machine]
                if total <= most:
                    break
        self._room = self._budget - total

    def _miss(self, key: K, out: list[B]) -> Machine[A, B]:
        machine = self._old.pop(key, None)
        if machine is None:
            machine = self._make()
            legacy = self._legacies.pop(key, None)
            if legacy is not None:
                machine.inherit(legacy)
        if len(self._young) >= self._half:
            ending, self._old, self._young = self._old, self._young, {}
            for ended, machine_left in ending.items():
                self._end(machine_left, out)
                self._bequeath(ended, machine_left)
        self._young[key] = machine
        return machine

    def _bequeath(self, key: K, machine: Machine[A, B]) -> None:
        legacy = machine.legacy()
        if legacy is None:
            return
        self._legacies.pop(key, None)
        self._legacies[key] = legacy
        if len(self._legacies) > _LEGACIES_MOST:
            del self._legacies[next(iter(self._legacies))]

    def _end(self, machine: Machine[A, B], out: list[B]) -> None:
        """Finish a machine for want of room: what it gives is partial, so it counts; what it keeps is lost."""
        held = machine.held()
        try:
            out.extend(machine.evict())
            if held:
                self._site.meter.lose(Reason.EVICTED, 1, machine.held())
        except Malformed as broken:
            self._drop(None, broken, out)
        except Exception as error:
            self._site.bug(error, 1, held)

    def _fail(self, key: K | None, error: Exception) -> None:
        machine = self._pop(key)
        self._site.bug(error, 1, 0 if machine is None else machine.held())

    def _pop(self, key: K | None) -> Machine[A, B] | None:
        if key is None:
            return None
        young, old = self._young.pop(key, None), self._old.pop(key, None)
        machine = old if young is None else young
        if machine is not None:
            self._bequeath(key, machine)
        return machine

    def _drop(self, key: K | None, broken: Malformed, out: list[B]) -> None:
        out.extend(broken.after)
        self._site.meter.lose(Reason.MALFORMED, 1, broken.lost)
        self._pop(key)

    def tick(self, now_ns: int, /) -> Sequence[B]:
        out: list[B] = []
        if self._ticks:
            for table in (self._old, self._young):
                broken: list[tuple[K, Exception]] = []
                for key, machine in table.items():
                    try:
                        out += machine.tick(now_ns)
                    except Exception as error:
                        broken.append((key, error))
                for key, fault in broken:
                    self._ended(key, fault, out)
        if self._weigh is not None and now_ns - self._looked_ns >= 1_000_000_000:
            self._looked_ns = now_ns
            self._save_memory(out)
        _count(self._site, out)
        return out

    def finish(self) -> Sequence[B]:
        out: list[B] = []
        for table in (self._old, self._young):
            for key, machine in list(table.items()):
                try:
                    out += machine.finish()
                except Exception as error:
                    self._ended(key, error, out)
        self._young, self._old = {}, {}
        _count(self._site, out)
        return out

    def _ended(self, key: K, error: Exception, out: list[B]) -> None:
        if isinstance(error, Malformed):
            self._drop(key, error, out)
        else:
            self._fail(key, error)

    def snapshot(self) -> State:
        tables = [[[key, machine.snapshot()] for key, machine in table.items()] for table in (self._old, self._young)]
        return [tables, self._room, self._looked_ns, list(self._legacies.items())]

    def restore(self, state: State, /) -> None:
        tables, self._room, self._looked_ns, legacies = state
        self._legacies = {msgspec.convert(key, self._key_type): legacy for key, legacy in legacies}
        self._old, self._young = (self._restored(table) for table in tables)

    def _restored(self, table: State) -> dict[K, Machine[A, B]]:
        made: dict[K, Machine[A, B]] = {}
        for key, inner in table:
            machine = self._make()
            machine.restore(inner)
            made[msgspec.convert(key, self._key_type)] = machine
        return made

    def held(self) -> int:
        return sum(machine.held() for table in (self._old, self._young) for machine in table.values())


def _total(weigh: Callable[[Sequence[A]], int], batch: Sequence[A]) -> int | None:
    """What a batch weighs; None where an event cannot be weighed, which is for the machine to find out."""
    try:
        return weigh(batch)
    except Exception:
        return None


def _count(site: Site, out: Sequence[Any], fed: Sequence[Any] = ()) -> None:
    """Enter the losses that machines reported into the ledger; one that they were fed was counted where it arose."""
    losses = [event for event in out if type(event) is Loss]
    if losses:
        known = [event for event in fed if type(event) is Loss]
        for loss in losses:
            place = next((place for place, each in enumerate(known) if _same(loss, each)), None)
            if place is None:
                site.meter.lose(loss.reason, loss.count, loss.size)
            else:
                del known[place]


def _same(one: Loss, other: Loss) -> bool:
    """The same loss, perhaps with another origin: `normalize` gives it the time of day."""
    return (one.stage, one.reason, one.count, one.size) == (other.stage, other.reason, other.count, other.size)
