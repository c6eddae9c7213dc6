"""
What keeps a start short, and shows where its time goes: names, expressions and parts of other packages come when they are used.

Its steps have their time on the clock and their processor time, for `doctor --timing`. They are always noted, which takes 2 µs
each: a start has some twenty of them, and no step begins once the command runs.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from threading import current_thread, main_thread
from typing import TYPE_CHECKING, Any, AnyStr, NamedTuple, cast

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


# -- patterns ------------------------------------------------------------------------------------------------------
# The text of a regular expression -> the expression, compiled when it is first used.
#
# A capture has 400 of them, and compiling all takes 80 ms of a start, before the command of a person runs. Behind its first use
# one is as fast as any other: its methods are those of the compiled one.


_METHODS = ("search", "match", "fullmatch", "split", "findall", "finditer", "sub", "subn", "scanner")
_VALUES = ("flags", "groups", "groupindex")


def regex(text: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """As `re.compile`, except that a mistake in the text is found by the first use."""
    return cast("re.Pattern[AnyStr]", Late(text, flags))


class Late:
    def __init__(self, text: str | bytes, flags: int) -> None:
        self.pattern, self.options = text, flags

    def __getattr__(self, name: str) -> object:
        if name not in _METHODS and name not in _VALUES:
            raise AttributeError(name)
        compiled = re.compile(self.pattern, self.options)
        vars(self).update({each: getattr(compiled, each) for each in (*_METHODS, *_VALUES)})
        return vars(self)[name]

    def __repr__(self) -> str:
        return f"regex({self.pattern!r})"


# ------------------------------------------------------------------------------------------------------------------------


# -- installed -----------------------------------------------------------------------------------------------------
# The packages of this environment -> their entry points for us.
#
# `importlib.metadata` takes 22 ms to import, and 5 ms to read 145 packages. So it is asked only where a package names one of
# our groups, which a look into their files of entry points says in 1.2 ms.


PREFIX = "agentsight_rx."
_NEARLY = "agentsight"  # how a group of ours begins whose name may be wrong
_SECTION = b"[" + _NEARLY.encode()
_ENDINGS = (".dist-info", ".egg-info")


def entries(group: str, /) -> Sequence[EntryPoint]:
    """The entry points of one of our groups, such as `providers`, in the order of their names."""
    if not any_part():
        return []
    from importlib.metadata import entry_points

    return sorted(entry_points(group=PREFIX + group), key=lambda each: each.name)


def strangers(groups: Iterable[str], /) -> list[EntryPoint]:
    """Entry points of groups that are called nearly as ours, and that nothing looks at."""
    from importlib.metadata import entry_points

    known = {PREFIX + group for group in groups}
    near = sorted(group for group in entry_points().groups if group.startswith(_NEARLY) and group not in known)
    return [each for group in near for each in entry_points(group=group)]


def any_part() -> bool:
    """Whether any package of this environment names one of our groups."""
    return _named(tuple(sys.path))


@lru_cache(1)
def _named(places: Sequence[str]) -> bool:
    return any(_SECTION in text for place in places for text in _texts(place or "."))


def _texts(place: str) -> Iterator[bytes]:
    try:
        packages = [each.path for each in os.scandir(place) if each.name.endswith(_ENDINGS)]
    except OSError:  # not there, or an archive
        return
    for package in packages:
        try:
            with open(os.path.join(package, "entry_points.txt"), "rb") as file:
                yield file.read()
        except OSError:
            continue


# -- lazy names ----------------------------------------------------------------------------------------------------
# Where the public names of a package are -> its `__getattr__` (PEP 562), which imports each when it is first used,
# and its `__dir__`.


def deferred(package: str, places: Mapping[str, Sequence[str]], modules: Mapping[str, str]) -> Callable[[str], Any]:
    """
    `places`: the names in each module of `package`; `modules`: names that are modules themselves.

    A capture needs most of the program, and takes most of a second to import it; a report needs little of it. No name may be
    the name of a module in `package` unless it means that module: to import the module sets the name. `dir` lists all
    names.
    """
    place_of = {name: place for place, names in places.items() for name in names}
    space = vars(sys.modules[package])
    space["__dir__"] = lambda: sorted({name for name in space if name.startswith("__")}.union(space.get("__all__", place_of)))

    def found(name: str) -> Any:
        if name in modules:
            value: Any = import_module(modules[name], package)
        elif name in place_of:
            value = getattr(import_module(place_of[name], package), name)
        else:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        space[name] = value
        return value

    return found


# ------------------------------------------------------------------------------------------------------------------------


_MOST = 100  # sources of agents that come later are opened during the run


class Step(NamedTuple):
    """
    `begin_ms` counts from the start of the process. Steps of other threads than the main one are `beside` it. The processor
    time is the one of the step's own thread.
    """

    name: str
    begin_ms: float
    took_ms: float
    processor_ms: float
    beside: bool = False


class Steps:
    """In the order in which they ended. Any thread may add one."""

    def __init__(self) -> None:
        self._steps: list[Step] = []

    @contextmanager
    def step(self, name: str) -> Generator[None]:
        began_s, used_s = _now_s(), time.thread_time()
        try:
            yield
        finally:
            if len(self._steps) < _MOST:
                took_ms = (_now_s() - began_s) * 1000
                processor_ms = (time.thread_time() - used_s) * 1000
                beside = current_thread() is not main_thread()
                begin_ms = (began_s - _BEGUN_S) * 1000
                self._steps.append(Step(name, begin_ms, took_ms=took_ms, processor_ms=processor_ms, beside=beside))

    def so_far(self) -> list[Step]:
        """In the order in which they began, and before them the time until this module was imported."""
        before = Step("Python, and the command line", 0.0, took_ms=_IMPORTED_MS, processor_ms=_IMPORTED_PROCESSOR_MS)
        return [before, *sorted(self._steps, key=lambda each: each.begin_ms)]


def _now_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _read_begin_s() -> float:
    """When this process began, in s since the machine started; the kernel says it to 10 ms."""
    with open("/proc/self/stat", "rb") as file:  # proc(5): field 22, behind a name that may hold blanks
        ticks = int(file.read().rpartition(b")")[2].split()[19])
    return ticks / os.sysconf("SC_CLK_TCK")


_BEGUN_S = _read_begin_s()
_IMPORTED_MS = max(0.0, _now_s() - _BEGUN_S) * 1000
_IMPORTED_PROCESSOR_MS = time.process_time() * 1000
_STEPS = Steps()
step, so_far = _STEPS.step, _STEPS.so_far
