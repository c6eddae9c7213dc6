"""Names in the rules of a guard -> their fields in the filter language, over a deed and its chain."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from ..compiler import Asked, Field, Found
from ..kinds import each, number, text, truth
from .deeds import DEEDS, CallDeed, FileDeed, LeftDeed, NetDeed, ProcessDeed, PromptDeed, ToolDeed, UnreadDeed
from .values import fits_one

Lists = Mapping[str, Sequence[str]]
Fitting: TypeAlias = Callable[[Sequence[str]], Callable[[str], bool]]

_ALL = tuple(DEEDS.values())

# A rule that has fields of the chain alone is about the deed in which the value of the first of them changes
CHAIN_FIELDS: dict[str, type[Any] | None] = {
    "agent": None,
    "workspace": None,
    "tool.name": ToolDeed,
    "tool.input": ToolDeed,
    "process.argv": ProcessDeed,
    "process.program": ProcessDeed,
    "process.own": None,
    "session.cost": CallDeed,
    "session.tokens": CallDeed,
    "session.calls": CallDeed,
    "session.minutes": CallDeed,
    "day.cost": CallDeed,
    "subagent.cost": CallDeed,
    "subagent.calls": CallDeed,
}


def guard_fields(lists: Lists, homes: tuple[str, ...] = ()) -> dict[str, Field]:
    """All fields. A value `@NAME` is the list of that name: the field fits one of its patterns. `homes` are more than usual."""

    def words(found: Found, *, paths: bool = False) -> Field:
        return _listed(text(found), found, lambda patterns: fits_one(tuple(patterns), homes), lists, paths=paths)

    return {
        "event": _event,
        "agent": words(_chain("agent")),
        "workspace": words(_chain("workspace"), paths=True),
        "tool.name": words(_chain("tool_name")),
        "tool.input": words(_chain("tool_input")),
        "process.argv": words(_chain("argv")),
        "process.program": words(_chain("program")),
        "process.own": truth(_chain("own")),
        "session.cost": number(_sum("cost")),
        "session.tokens": number(_sum("tokens")),
        "session.calls": number(_sum("calls")),
        "session.minutes": number(_chain("minutes")),
        "day.cost": number(_sum("day_cost")),
        "subagent.cost": number(_sum("agent_cost")),
        "subagent.calls": number(_sum("agent_calls")),
        "file.path": words({FileDeed: "event.path"}, paths=True),
        "file.op": words({FileDeed: "event.op"}),
        "file.error": number({FileDeed: "event.error"}),
        "file.outside": truth({FileDeed: "event.chain.outside(event.path)"}),
        "file.searched": truth({FileDeed: "event.chain.came_by(event.path)"}),
        "net.host": words({NetDeed: "event.host"}),
        "net.new": truth({NetDeed: "event.new"}),
        "net.named": truth({NetDeed: "event.named"}),
        "net.sent": number({NetDeed: "event.sent"}),
        "process.danger": words({ProcessDeed: "event.danger"}),
        "tool.failures": number({ToolDeed: "event.failures"}),
        "tool.unsandboxed": truth({ToolDeed: "event.unsandboxed"}),
        "prompt.secret": words({PromptDeed: "event.secret"}),
        "prompt.place": words({PromptDeed: "event.place"}),
        "left.file": words({LeftDeed: "event.file"}, paths=True),
        "left.host": words({LeftDeed: "event.host"}),
        "left.by_content": truth({LeftDeed: "event.by_content"}),
        "unread.bytes": number({UnreadDeed: "event.size"}),
    }


def _chain(name: str) -> dict[type[Any], str]:
    return dict.fromkeys(_ALL, f"event.chain.{name}")


def _sum(name: str) -> dict[type[Any], str]:
    """The deed that changes it has it itself."""
    return {**_chain(name), CallDeed: f"event.{name}"}


def _event(asked: Asked) -> Found:
    if asked.op not in ("=", "!=") or asked.value not in DEEDS:
        raise ValueError(f"write event= or event!= and one of {', '.join(DEEDS)}")
    wanted = DEEDS[asked.value]
    return {kind: "True" for kind in _ALL if (kind is wanted) == (asked.op == "=")}


def _listed(field: Field, found: Found, fitting: Fitting, lists: Lists, *, paths: bool) -> Field:
    """`field`, whose value may also be a list, and in which `~` stands for a home where it is a path."""

    def answer(asked: Asked) -> Found:
        if asked.value.startswith("@") and asked.op in ("=", "!="):
            patterns = _list(asked.value[1:], lists)
        elif paths and asked.value.startswith("~") and asked.op in ("=", "!=", "~="):
            patterns = [asked.value if asked.op == "~=" else _literal(asked.value)]
        else:
            return field(asked)
        fits = asked.code.name(fitting(patterns))
        word = "not " if asked.op == "!=" else ""
        return each(found, lambda value: f"{word}{fits}({value})")

    return answer


def _literal(path: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in path)


def _list(name: str, lists: Lists) -> Sequence[str]:
    if name in lists:
        return lists[name]
    near = difflib.get_close_matches(name, lists, 1)
    known = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(lists))}"
    raise ValueError(f"no list is named {name!r}; {known}")
