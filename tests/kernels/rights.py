"""A service user with some capabilities, and a level of perf_event_paranoid -> does the product work, or say what to do?"""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Sequence
from pathlib import Path

from agentsight_rx.sources.kernel.features import has_uprobe_multi
from tests.agents.agent import Place
from tests.agents.short_runs import COMMANDS
from tests.kernels.recorded import record
from tests.kernels.results import Verdict
from tests.kernels.sentences import ALL_CAPTURED, ALL_SEEN, Done, judged
from tests.live.capture import PROGRAM
from tests.live.peers import wire_server

__all__ = ["USER", "with_rights"]

USER = 1234  # made with the root file system: `watcher`
_FOUR = ("bpf", "perfmon", "sys_ptrace", "dac_read_search")
_PARANOID = Path("/proc/sys/kernel/perf_event_paranoid")


def with_rights(paranoid: str, what: str, directory: Path) -> tuple[Verdict, str]:
    """
    `what`: doctor, record, or without-X, which is record without the capability X of the four. It must work where the four are
    enough: with uprobe_multi, and tracepoints for who has CAP_PERFMON. Elsewhere a sentence must name what is missing.
    """
    without = what.removeprefix("without-") if what.startswith("without-") else None
    capabilities = [name for name in _FOUR if name != without]
    missing = [f"CAP_{without.upper()}"] if without else []
    if paranoid == "3":
        missing.append("perf_event_paranoid")
    if not has_uprobe_multi():
        missing.append("CAP_SYS_ADMIN")
    before = _PARANOID.read_text()
    _PARANOID.write_text(paranoid)
    try:
        done = _doctor(directory, capabilities) if what == "doctor" else _record(directory, capabilities)
    finally:
        _PARANOID.write_text(before)
    print(done.printed)
    complete = ALL_SEEN if what == "doctor" else ALL_CAPTURED
    verdict, said = judged(done, held={f"CAP_{name.upper()}" for name in capabilities}, complete=complete, wanted=missing)
    if verdict == "refused" and not missing:
        return "fails", f"these rights are enough here: {said}"
    return verdict, said


def _as_user(capabilities: Sequence[str]) -> list[str]:
    given = ",".join(f"+{name}" for name in capabilities)
    who = (f"--reuid={USER}", f"--regid={USER}", "--clear-groups")
    return ["setpriv", *who, f"--inh-caps={given}", f"--ambient-caps={given}", f"--bounding-set=-all,{given}"]


def _doctor(directory: Path, capabilities: Sequence[str]) -> Done:
    home = _home(directory)
    env = {"PATH": os.defpath, "HOME": str(home)}
    command = [*_as_user(capabilities), *PROGRAM, "doctor"]
    return Done.of(subprocess.run(command, env=env, capture_output=True, text=True, check=False))


def _record(directory: Path, capabilities: Sequence[str]) -> Done:
    home = _home(directory)
    with wire_server(directory / "server") as peer:
        place = Place(peer, home)
        return record(_free(home / "run.lmdb"), COMMANDS["curl"](place), home, place.env, by=_as_user(capabilities))


def _free(store: Path) -> Path:
    """Without the recording before."""
    store.unlink(missing_ok=True)
    store.with_name(f"{store.name}-lock").unlink(missing_ok=True)
    return store


def _home(directory: Path) -> Path:
    """The user's own, which keeps programs that were compiled; below `directory` on a machine that does not have the user."""
    directory.chmod(0o755)
    try:
        home = Path(pwd.getpwuid(USER).pw_dir)
    except KeyError:
        home = directory / "home"
        home.mkdir()
        os.chown(home, USER, USER)
    return home
