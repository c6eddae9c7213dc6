"""
The text of a guard.toml -> Rules, on top of the built-in ones:

    [list.secrets]
    append = ["~/notes/keys/**"]

    [rule.new-host]                                    # a built-in rule
    do = "stop"
    allow.append = [{ host = "packages.example" }]

    [rule.production]                                  # one of your own
    when = "net.host ~= \"*.prod.example\" & agent = claude"
    do = "warn"
    because = "agents work on staging"

    [[deliver]]
    command = ["notify-me"]

A file of a workspace may only add notes and tighten: its rules are notes, or raise `do` of a rule, or append to `secrets`.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import msgspec
from msgspec.structs import replace

from ....core.errors import UsageError
from ....core.start import regex
from .compiled import judge_of
from .values import LEVELS, Allow, Deliver, Level, Rule, Rules, rank

FILE_MOST = 1 << 20  # bytes
_RULES_MOST, _ENTRIES_MOST = 500, 2000
_TOP = ("rule", "list", "deliver")
_RULE = ("when", "do", "because", "allow")
_BUILT_IN = (*_RULE, "means", "misses")
_LIST = ("items", "append")
_NAME = regex(r"[a-z0-9][a-z0-9_-]{0,62}\Z")
_HEADER = regex(r"\s*\[\[?\s*([^\]]+?)\s*\]")
_TIGHTENED = ("secrets",)  # lists whose entries make more of what is done an alert


@cache
def built_in_rules() -> Rules:
    """The rules that every guard has."""
    text = Path(__file__).with_name("built_in.toml").read_text()
    return _File(text, "built-in rules", Rules(), tighten=False, built_in=True).rules()


def read_rules(text: str, name: str, /, *, over: Rules | None = None, tighten: bool = False) -> Rules:
    """
    The rules of a file on top of `over`, the built-in ones by default. `tighten`: it is a file of a workspace. Raises
    UsageError that names the file, the line and the mistake.
    """
    if len(text.encode("utf-8", "surrogateescape")) > FILE_MOST:
        raise UsageError(f"{name} is larger than {FILE_MOST >> 20} MiB; expected some rules")
    rules = _File(text, name, built_in_rules() if over is None else over, tighten=tighten, built_in=False).rules()
    judge_of(rules)  # reports a rule that is wrong
    return rules


class _File:
    def __init__(self, text: str, name: str, over: Rules, *, tighten: bool, built_in: bool) -> None:
        self._text, self._name, self._over = text, name, over
        self._tighten, self._built_in = tighten, built_in
        try:
            self._values = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise UsageError(f"{name} is not TOML: {error}") from None

    def rules(self) -> Rules:
        self._known(self._values, _TOP, ())
        lists = self._lists(self._table(self._values.get("list", {}), "list"))
        rules = {rule.name: rule for rule in self._over.rules}
        for name, value in self._table(self._values.get("rule", {}), "rule").items():
            rules[name] = self._rule(name, self._table(value, "rule", name), rules.get(name))
        if len(rules) > _RULES_MOST:
            raise UsageError(f"{self._name} has {len(rules)} rules; at most {_RULES_MOST} are allowed")
        return Rules(rules=tuple(rules.values()), lists=lists, deliver=(*self._over.deliver, *self._deliveries()))

    # -- lists ---------------------------------------------------------------------------------------------------------

    def _lists(self, given: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
        lists = dict(self._over.lists)
        for name, value in given.items():
            place = "list", name
            table = self._table(value, *place)
            self._known(table, _LIST, place)
            if self._tighten and ((name in lists and name not in _TIGHTENED) or ("items" in table and name in lists)):
                self._fail(f"a file of a workspace may only append to {', '.join(_TIGHTENED)}", *place)
            before = lists.get(name, ())
            if "append" in table and "items" in table:
                self._fail("`items` and `append` do not go together: one replaces the list, the other adds to it", *place)
            found = self._as(table.get("items", table.get("append", ())), tuple[str, ...], (*place, next(iter(table), "")))
            lists[name] = (*before, *found) if "append" in table else found
            if len(lists[name]) > _ENTRIES_MOST:
                self._fail(f"{len(lists[name])} entries; at most {_ENTRIES_MOST} are allowed", *place)
            if self._tighten and any(each.startswith("!") for each in found):
                self._fail("a file of a workspace may not take anything out of a list", *place)
        return lists

    # -- rules ---------------------------------------------------------------------------------------------------------

    def _rule(self, name: str, table: Mapping[str, Any], before: Rule | None) -> Rule:
        place = "rule", name
        if not _NAME.match(name):
            self._fail(f"{name!r} is no name of a rule; use a-z, 0-9, - and _", *place)
        self._known(table, _BUILT_IN if self._built_in else _RULE, place)
        if before is None and "when" not in table:
            near = difflib.get_close_matches(name, [rule.name for rule in self._over.rules], 1)
            hint = f"; did you mean [rule.{near[0]}], which is built in?" if near else ""
            self._fail(f"a rule of your own needs `when`{hint}", *place)
        do: Level = self._as(table.get("do", before.do if before else "warn"), Level, (*place, "do"))
        if self._tighten:
            self._check_tightens(place, table, before, do)
        where = f"{self._name}:{self._line((*place, 'when'))}: rule {name}"
        texts = {
            key: self._as(table[key], str, (*place, key)) for key in ("when", "because", "means", "misses") if key in table
        }
        rule = before or Rule(name=name, when="", place=where, built_in=self._built_in)
        changed = {**texts, **({"place": where} if "when" in table else {})}
        return replace(rule, do=do, allow=self._allow(table.get("allow"), rule.allow, place), **changed)

    def _check_tightens(self, place: tuple[str, ...], table: Mapping[str, Any], before: Rule | None, do: Level) -> None:
        if before is None and do != "note":
            self._fail('a rule that a file of a workspace adds is a note: write do = "note"', *place, "do")
        if before is not None and rank(do) < rank(before.do):
            self._fail(f"a file of a workspace may not loosen a rule from {before.do} to {do}", *place, "do")
        for key in ("when", "allow") if before is not None else ("allow",):
            if key in table:
                self._fail(f"a file of a workspace may not have `{key}` here: it could loosen the rule", *place, key)

    def _allow(self, given: Any, before: tuple[Allow, ...], place: tuple[str, ...]) -> tuple[Allow, ...]:
        if given is None:
            return before
        where = (*place, "allow")
        kept: tuple[Allow, ...] = ()
        if isinstance(given, dict):
            self._known(self._table(given, *where), ("append",), where)
            given, kept = self._table(given, *where).get("append", []), before
        entries = self._entries(given, 'expected entries such as allow = [{ path = "…" }], or allow.append = […]', *where)
        found: list[Allow] = []
        for value in entries:
            self._known(self._table(value, *where), Allow.__struct_fields__, where)
            entry = self._as(value, Allow, where)
            if not any(getattr(entry, name) for name in Allow.__struct_fields__ if name != "because"):
                self._fail(
                    "an entry that allows everything; give a path, host, program, command, tool, agent or workspace", *where
                )
            found.append(entry)
        if len(kept) + len(found) > _ENTRIES_MOST:
            self._fail(f"{len(kept) + len(found)} entries; at most {_ENTRIES_MOST} are allowed", *where)
        return (*kept, *found)

    # -- deliveries ----------------------------------------------------------------------------------------------------

    def _deliveries(self) -> Iterable[Deliver]:
        given = self._values.get("deliver", [])
        if given and self._tighten:
            self._fail("a file of a workspace may not deliver alerts anywhere", "deliver")
        entries = self._entries(given, "expected [[deliver]], with two brackets", "deliver")
        for value in entries:
            self._known(self._table(value, "deliver"), Deliver.__struct_fields__, ("deliver",))
            found = self._as(value, Deliver, ("deliver",))
            ways = [name for name in ("command", "webhook", "journald", "desktop", "file", "plugin") if getattr(found, name)]
            if len(ways) != 1:
                self._fail(
                    f"{' and '.join(ways) or 'nothing'} given; a delivery is one of command, webhook, journald, "
                    "desktop, file, plugin",
                    "deliver",
                )
            if found.webhook and not _is_safe(found.webhook):
                self._fail(f"{found.webhook!r}: a webhook is https://…, or http:// to this machine", "deliver", "webhook")
            if not 0 < found.deadline_s <= 300:
                self._fail(f"deadline_s is {found.deadline_s:g}; expected seconds up to 300", "deliver", "deadline_s")
            yield found

    # -- mistakes ------------------------------------------------------------------------------------------------------

    def _table(self, value: Any, *place: str) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            self._fail(f"{msgspec.json.encode(value, enc_hook=str).decode()[:80]} is no table", *place)
        return value  # pyright: ignore[reportUnknownVariableType]

    def _entries(self, value: Any, expected: str, *place: str) -> list[Any]:
        if not isinstance(value, list):
            self._fail(expected, *place)
        return value  # pyright: ignore[reportUnknownVariableType]

    def _known(self, table: Mapping[str, Any], names: Iterable[str], place: tuple[str, ...]) -> None:
        for key in table:
            if key not in names:
                near = difflib.get_close_matches(key, list(names), 1)
                hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(names)}"
                self._fail(f"unknown name {key!r}; {hint}", *place, key)

    def _as(self, value: Any, kind: Any, place: tuple[str, ...]) -> Any:
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            hint = f"; expected one of {', '.join(LEVELS)}" if kind is Level else ""
            self._fail(f"{error}{hint}", *place)

    def _fail(self, what: str, *place: str) -> NoReturn:
        named = ".".join(part for part in place if part)
        line = self._line(place)
        raise UsageError(f"{self._name}:{line}: {named}: {what}" if named else f"{self._name}:{line}: {what}")

    def _line(self, place: tuple[str, ...]) -> int:
        """The number of the line where it stands, as far as reading its lines can find it."""
        header, *_ = [".".join(place[:size]) for size in (2, 1) if len(place) >= size and place[0] in _TOP] or [""]
        key = place[-1] if place and ".".join(place) != header else ""
        table, found = "", 0
        for number, line in enumerate(self._text.splitlines(), 1):
            if (match := _HEADER.match(line)) is not None and "=" not in line.partition("]")[0]:
                table = match[1].replace('"', "").replace("'", "").replace(" ", "")
                if table == header or (place[:1] == ("deliver",) and table == "deliver"):
                    found = found or number
            in_table = table == header or (len(place) < 3 and not header)
            if key and in_table and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[.=]", line):
                return number
        return found or 1


def _is_safe(url: str) -> bool:
    return re.match(r"https://[^/@\s]+|http://(?:127\.\d+\.\d+\.\d+|localhost|\[::1\])(?::\d+)?(?:/|\Z)", url) is not None
