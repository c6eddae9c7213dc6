"""A deed -> what an alert says of it: the agent or its process, a verb in the past, the target, and what makes it matter."""

from __future__ import annotations

from collections.abc import Sequence

from ....policy.rules.guard.danger import DANGERS
from ....policy.rules.guard.deeds import (
    CallDeed,
    Deed,
    FileDeed,
    LeftDeed,
    NetDeed,
    ProcessDeed,
    PromptDeed,
    ToolDeed,
    UnreadDeed,
)
from ....policy.rules.guard.homes import shortened, with_short_homes
from ...rows.tool_words import asked_for
from ...words import cut, data_size, money, plural, times_said
from .chain import Link

__all__ = ["sentence_of", "target_of"]

_VERBS = {"write": "wrote", "rename": "renamed", "link": "linked", "remove": "removed", "mkdir": "made the folder"}
_LONG = 120  # characters of a command in a sentence
_TARGET_MOST = 400
_DEEP = 2  # names of a path that is outside of the workspace: files of one folder are one target


def target_of(deed: Deed, chain: Link, *, by_folder: bool) -> str:
    """What tells the alerts of one rule and session from each other. `by_folder`: files of one folder outside are one."""
    match deed:
        case FileDeed() if by_folder and chain.outside(deed.path):
            target = _folder(deed.path, tuple(chain.known.memory.homes), chain.workspace)
        case FileDeed():
            target = deed.path
        case NetDeed():
            target = deed.host
        case ProcessDeed():
            target = deed.target or chain.argv
        case ToolDeed():
            target = asked_for(chain.tool_input) or chain.tool_name
        case CallDeed():
            target = "the session"
        case PromptDeed():
            target = deed.label
        case LeftDeed():
            target = deed.file
        case UnreadDeed():
            target = chain.program or "connections"
    return target[:_TARGET_MOST]


def _folder(path: str, homes: Sequence[str], workspace: str) -> str:
    """
    A file in a home or at the top stays a file. A deeper file becomes the folder of its first two names, or one that is below
    the names that it shares with the workspace.
    """
    home = shortened(path, homes)
    begin = path[: len(path) - len(home) + 1] if home.startswith("~") else ""
    names, its = path[len(begin) :].strip("/").split("/"), workspace.removeprefix(begin).strip("/").split("/")
    shared = next((at for at, (one, other) in enumerate(zip(names, its, strict=False)) if one != other), len(its))
    deep = max(_DEEP, shared + 1 if workspace.startswith(begin) else 0)
    return f"{begin}/{'/'.join(names[:deep])}" + ("/" if len(names) > deep else "")


def sentence_of(deed: Deed, chain: Link) -> str:
    """A sentence, without the count: `cat, run by claude, read ~/.ssh/id_ed25519`."""
    return f"{_who(deed, chain)} {_did(deed, chain)}"


def _who(deed: Deed, chain: Link) -> str:
    agent = chain.agent or "an agent"
    if isinstance(deed, ToolDeed | CallDeed | PromptDeed) or chain.own or not chain.program:
        return agent
    if isinstance(deed, LeftDeed) and not deed.sent:
        return agent
    return f"{chain.program}, run by {agent},"


def _did(deed: Deed, chain: Link) -> str:
    match deed:
        case FileDeed():
            outside = f", outside of {shortened(chain.workspace)}" if deed.op != "read" and chain.outside(deed.path) else ""
            to = f" to {shortened(deed.target)}" if deed.target else ""
            by = f" by its other name {shortened(deed.by)}" if deed.by else ""
            return f"{_VERBS.get(deed.op, deed.op)} {shortened(deed.path)}{to}{by}{outside}"
        case NetDeed():
            size = f"sent {data_size(deed.sent)} to" if deed.sent else "spoke to"
            where = shortened(chain.workspace) or "this workspace"
            new = f", a host that no session in {where} has spoken to" if deed.new else ""
            return f"{size} {deed.host}{new}"
        case ProcessDeed():
            if deed.danger in DANGERS:
                return f"{DANGERS[deed.danger]}: {cut(with_short_homes(deed.target), _LONG)}"
            return f"ran {cut(with_short_homes(chain.argv), _LONG)}"
        case ToolDeed() if deed.failures:
            return f"ran {_asked(chain)} {times_said(deed.failures)}, and it failed each time"
        case ToolDeed():
            without = " without its sandbox" if deed.unsandboxed else ""
            return f"asked for {chain.tool_name} {_asked(chain)}{without}"
        case CallDeed():
            calls = plural(chain.calls, "call")
            return f"has spent {money(chain.cost)} and {calls} in this session, {money(chain.day_cost)} today"
        case PromptDeed():
            where = "in a prompt" if deed.place == "prompt" else f"in the result of {deed.place}"
            return f"sent a secret to a model, {where}: {deed.label}"
        case LeftDeed():
            return _left(deed)
        case UnreadDeed():
            seems = f", which looks like {deed.looks_like}," if deed.looks_like else ""
            return f"carried {data_size(deed.size)}{seems} that could not be read"


def _asked(chain: Link) -> str:
    return cut(with_short_homes(" ".join(asked_for(chain.tool_input).split()) or chain.tool_name), _LONG)


def _left(deed: LeftDeed) -> str:
    file = shortened(deed.file)
    if not deed.sent:
        return f"read {file}, and a part of it left in call {deed.turn} to {deed.host}"
    secret = ", with a secret in it," if deed.by_content else ""
    return f"sent {data_size(deed.sent)} to {deed.host}{secret} after the same command had read {file}"
