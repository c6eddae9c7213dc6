"""The files of a guard -> its rules; the prices -> what a call costs to a budget."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from pwd import getpwall

from ...core.errors import StoreError, UsageError
from ...events import Origin, RulesLoaded, Usage
from ...llm.prices import Prices
from ...policy.rules.guard.compiled import judge_of
from ...policy.rules.guard.file import FILE_MOST, built_in_rules, read_rules
from ...policy.rules.guard.values import HOMES_MOST, Rules, home_of
from ...store.fold.guard.talk import Priced
from ...store.rows.tables import NETWORK, SESSIONS
from ...store.state import LmdbStore, Store
from ...view import CallRow
from ...view.queries.reading import rows_of
from ...wire.address import host_of

# -- earlier hosts -------------------------------------------------------------------------------------------------
# Earlier recordings -> the hosts that sessions spoke to, by workspace; this machine -> the homes of its users: what a guard
# takes as known.


_STORES_MOST, _ROWS_MOST, _PAIRS_MOST = 16, 4096, 4096  # of the newest: 0.3 s at most


def hosts_of(stores: Sequence[Path], folder: Path | None = None) -> tuple[tuple[str, str], ...]:
    """
    Workspace and host of the newest recordings (the newest last). A `folder` chooses its workspace alone. What cannot be
    read is left out.
    """
    within, found = None if folder is None else _root(folder), dict[tuple[str, str], None]()
    for path in list(reversed(stores))[:_STORES_MOST]:
        try:
            store = LmdbStore.open(path, readonly=True)
        except StoreError:
            continue
        try:
            found.update(dict.fromkeys(hosts_in(store, within)))
        except StoreError:
            continue
        finally:
            store.close()
    return tuple(sorted(islice(found, _PAIRS_MOST)))


def hosts_in(store: Store, within: str | None = None) -> Iterable[tuple[str, str]]:
    """Of one recording: the folder that an agent was started in, and the root of its repository, with each host."""
    sessions = [row for row in rows_of(store, SESSIONS) if row.cwd and _is_in(row.cwd, within)]
    roots = {cwd: _root(Path(cwd)) for row in sessions if (cwd := row.cwd)}
    folders = {row.id: dict.fromkeys((row.cwd, roots[row.cwd])) for row in sessions if row.cwd}
    for _, row in store.scan(NETWORK, reverse=True, limit=_ROWS_MOST) if folders else []:
        for folder in folders.get(row.session_id or "", ()):
            yield folder, host_of(row.host)


def homes_here() -> tuple[str, ...]:
    """The homes of users in passwd, and in services such as systemd's beside it, and $HOME, without the usual homes."""
    named = [*(entry.pw_dir for entry in getpwall()), os.environ.get("HOME", "")]
    found = set(map(home_of, named)) - {"", "/"}  # some of the machine's own users live at the root
    return tuple(sorted(found))[:HOMES_MOST]


def _root(folder: Path) -> str:
    """The root of the git repository that the folder is in, else the folder."""
    return str(next((each for each in (folder, *folder.parents) if (each / ".git").exists()), folder))


def _is_in(cwd: str, root: str | None) -> bool:
    return root is None or cwd == root or cwd.startswith(root.rstrip("/") + "/")


# ------------------------------------------------------------------------------------------------------------------------


_CALLS_MOST = 4096  # whose cost is remembered: a call is judged again where an event comes late
WORKSPACE_FILE = Path(".agentsight", "guard.toml")


def guard_rules(file: Path | None = None, *, own: Path | None = None, folder: Path | None = None) -> Rules:
    """
    The built-in rules, with the rules in `file`, or in the user's `own` one where that is there. The file of the workspace that
    `folder` is in may add notes and tighten. Raises UsageError where a file cannot be used.
    """
    rules = built_in_rules()
    if file is not None:
        rules = read_rules(_text(file), str(file), over=rules)
    elif own is not None and own.is_file():
        rules = read_rules(_text(own), str(own), over=rules)
    for place in _above(folder):
        found = place / WORKSPACE_FILE
        if found.is_file():
            return read_rules(_text(found), str(found), over=rules, tighten=True)
        if (place / ".git").exists():
            break
    return rules


class LoadedRules:
    """
    The `rules` that hold, and a new reading of their file: the rules that it reads hold then. A file that cannot be used
    changes nothing. `say` gets that in words.
    """

    def __init__(self, read: Callable[[], Rules], name: str, rules: Rules, say: Callable[[str], None]) -> None:
        self._read = read
        self._name = name
        self._say = say
        self.sha256 = rules.sha256
        self.error = ""  # of the newest reading

    def again(self) -> RulesLoaded:
        origin = Origin(0, 0)
        try:
            rules = self._read()
        except UsageError as error:
            self.error = str(error)
            self._say(f"rules of the guard: {error}; the rules from before stay")
            return RulesLoaded(origin, self._name, error=self.error)
        before, self.sha256, self.error = self.sha256, rules.sha256, ""
        changed = "loaded" if rules.sha256 != before else "the same as before"
        self._say(f"rules of the guard: {self._name} {changed}, {len(rules.rules)} rules, sha256 {rules.sha256[:8]}")
        return RulesLoaded(origin, self._name, rules.text, rules.sha256)


class RulesFile:
    """
    The user's rules while a capture runs. A call says what has changed in the file since the last time, once it has stayed the
    same from one call to the next: an editor may write it in parts.
    """

    def __init__(self, file: Path, rules: Rules, say: Callable[[str], None]) -> None:
        self._file = file
        self._loaded = LoadedRules(partial(guard_rules, file), str(file), rules, say)
        self._state = self._seen = self._looked()

    def __call__(self) -> RulesLoaded | None:
        state = self._looked()
        if state == self._state:
            return None
        if state != self._seen:
            self._seen = state
            return None
        self._state = state
        return self._loaded.again()

    def _looked(self) -> tuple[int, ...]:
        try:
            found = self._file.stat()
        except OSError:
            return ()
        return found.st_ino, found.st_size, found.st_mtime_ns


def _above(folder: Path | None) -> Iterable[Path]:
    return () if folder is None else (folder, *folder.parents)


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            content = opened.read(FILE_MOST + 1)
        return content.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8 text: {error.reason} at byte {error.start}") from error


def priced_by(prices: Prices, rules: Rules | None = None, /) -> Priced:
    """The cost of a call at these prices. Where one of the rules needs it, the prices are loaded now (0.1 to 0.4 s)."""

    @lru_cache(_CALLS_MOST)
    def usd(provider: str | None, model: str | None, usage: Usage, time_ms: int) -> float | None:
        found = prices.cost_of(provider, model, usage, time_ms=time_ms)
        return None if found is None else float(found.usd)

    def cost(row: CallRow) -> float | None:
        return usd(row.provider, row.model, row.usage, row.start_timestamp_ms)

    if rules is not None and judge_of(rules).reads_cost:
        prices.cost_of("openai", "gpt-4o", Usage(), time_ms=0)
    return cost
