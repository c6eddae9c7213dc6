"""This machine -> what it has of what a capture uses: the features of its kernel, our rights, files that belong to us."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from ...core.messages import program
from ...runtime.service.users.places import kept_pasts
from ...sources.hooks.source import why_not
from ...sources.kernel.cache import Cache, default_directory
from ...sources.kernel.features import FEATURES, Feature
from ...sources.kernel.rights import own_rights
from ...sources.session_files.files import home_of_user
from ...sources.session_files.keeping import keeping
from ...sources.tls.libraries import system_libraries
from ...store.reasons import HOOKS_MISS
from ...store.words import plural
from ..places.stores import imported, is_kept
from .trial import Outcome, can_record


class Check(Struct, frozen=True):
    """One check: its result, and where the thing is missing, the consequences and what to do."""

    name: str
    ok: bool
    seen: str
    without: str = ""
    remedy: str = ""


def machine_checks() -> list[Check]:
    """
    All of them, which leave the machine as it is. The first one without which nothing can be captured is the last: what comes
    behind it would fail for the same reason.
    """
    found = [_rights()]
    for feature in FEATURES:
        found.append(_asked(feature))
        if feature.at_start is not None and not found[-1].ok:
            return found
    return [*found, _cache(), _openssl(), _leftovers()]


def can_try(machine: Iterable[Check], /) -> bool:
    """Whether something may be captured: nothing is missing without which nothing can be."""
    needed = {feature.name for feature in FEATURES if feature.at_start is not None}
    return all(check.ok for check in machine if check.name in needed)


def _asked(feature: Feature) -> Check:
    found = feature.ask()
    if found.ok:
        return Check(feature.name, True, found.seen)
    return Check(feature.name, False, found.seen, f"for {feature.purpose}; without it: {feature.without}", found.remedy)


def _rights() -> Check:
    return Check("rights", True, own_rights().summary)


def _cache() -> Check:
    used, seen = Cache(default_directory()).state()
    if used:
        return Check("cache of programs", True, seen)
    remedy = "remove the directory, or give it to the user that captures, with mode 0700; it is made anew"
    return Check("cache of programs", False, seen, "each start compiles its programs, which takes seconds", remedy)


def _openssl() -> Check:
    files = system_libraries()
    if files:
        return Check("TLS libraries", True, ", ".join(map(str, files)))
    seen, without = "the dynamic linker knows no libssl", "TLS of Python, curl and the like is looked for as they start"
    return Check("TLS libraries", False, seen, without, "apt-get install openssl, if such programs are here")


_TRACEFS = Path("/sys/kernel/tracing")
_TRACEFS_PLACES = (Path("/sys/kernel/debug/tracing"), _TRACEFS)


def _leftovers() -> Check:
    """
    Probes by name that a killed tracer left in tracefs.

    BCC uses them on kernels without perf uprobes; their names are …_bcc_PID.
    """
    lists = (place / "uprobe_events" for place in _TRACEFS_PLACES)
    file = next((each for each in lists if os.access(each, os.R_OK, effective_ids=True)), None)
    if file is None and os.geteuid() != 0:
        return Check("left-over probes", True, f"not known: {_TRACEFS} cannot be read by user {os.geteuid()}")
    text = file.read_text() if file is not None else ""
    dead = [name for name, pid in _named_probes(text) if not Path("/proc", pid).exists()]
    if not dead:
        return Check("left-over probes", True, "none")
    remedy = "as root: " + "; ".join(f"echo '-:{name}' >> {_TRACEFS / 'uprobe_events'}" for name in dead)
    return Check("left-over probes", False, f"{len(dead)} of dead tracers", "they cost time where they are", remedy)


def _named_probes(uprobe_events: str) -> list[tuple[str, str]]:
    """(group/event, PID) of every line that BCC made: `p:uprobes/p__usr_lib_x_so_0x10_bcc_123 /usr/lib/x.so:0x10`."""
    return re.findall(r"^[pr]\d*:(\S+_bcc_(\d+)) ", uprobe_events, re.MULTILINE)


# -- ways ----------------------------------------------------------------------------------------------------------
# This machine and this user -> each way to see what agents do: whether it works here, or why not and what to do.


_KERNEL, _HOOKS, _RECORDINGS, _FILES = "the kernel", "breakpoints", "recordings", "session files"


def ways(machine: Sequence[Check], outcomes: Sequence[Outcome], /) -> list[Check]:
    """The kernel, breakpoints, recordings, in the order in which `record` and the demo try them, and agents' own files."""
    return [_kernel(machine, outcomes), _hooks(), _recordings(), _files()]


def can_record_at_all(found: Sequence[Check], /) -> bool:
    """Whether `record` starts in one of these ways."""
    return any(each.ok for each in found if each.name not in (_RECORDINGS, _FILES))


def _kernel(machine: Sequence[Check], outcomes: Sequence[Outcome]) -> Check:
    without = f"`{program()} watch`, `service` and `trace` of other users' processes need it"
    if can_record(outcomes):
        return Check(_KERNEL, True, f"`{program()} record` by the kernel, which sees every program")
    wrong = next((each for each in machine if not each.ok), None)
    seen = f"{wrong.name}: {wrong.seen}" if wrong is not None else "no source of it works"
    return Check(_KERNEL, False, seen, without, wrong.remedy if wrong is not None else "")


def _hooks() -> Check:
    why = why_not()
    if not why:
        return Check(_HOOKS, True, f"`{program()} record --by hooks` needs no right; {HOOKS_MISS}")
    seen, _, remedy = why.partition(": ")
    return Check(_HOOKS, False, seen, f"`{program()} record` needs the kernel then", remedy)


def _recordings() -> Check:
    return Check(_RECORDINGS, True, f"`{program()} report`, `serve`, `replay` and `top` need no right, nor does `demo`")


def _files() -> Check:
    kept = "; ".join(each.words for each in keeping(home_of_user(), now_ns=time.time_ns()))
    past = imported()
    by = f". The recorder of this machine does so too: {past}" if past is not None and is_kept(past) else ""
    others = len(kept_pasts()) if not by else 0
    by = by or (f". The recorder of this machine keeps the past of {plural(others, 'user')}" if others else "")
    return Check(_FILES, True, f"`{program()} import` reads what agents wrote down themselves{by}{kept and f'. {kept}'}")
