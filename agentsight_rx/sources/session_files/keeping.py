"""
A home directory -> how long each agent in it keeps its session files, as its settings say, and how many go soon.

Agents that are not in the table keep them for ever, or do not say.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from itertools import groupby

import msgspec
from msgspec import Struct

from ...llm.agents.known import Agent
from ...llm.agents.session_files import read_agents
from ...llm.agents.session_files.fields import count, mapping, text, unpacked
from ...store.words import plural
from .files import AgentFile, Home, Listing, read_beside

SOON_DAYS = 7
_DAY_NS = 86_400_000_000_000
_UNITS = {"h": 1 / 24, "d": 1.0, "w": 7.0, "m": 30.0}  # of Gemini CLI, in days
_CLAUDE_DAYS = 30  # unless its settings say otherwise


class Keeping(Struct, frozen=True):
    """
    What an agent does with its session files: it deletes them after so many `days`, as its `setting` says, or keeps only a few.
    `files` are there, and `going` of them reach that age within seven days.
    """

    agent: str
    words: str
    files: int
    going: int = 0
    days: float | None = None
    setting: str = ""


def keeping(home: Home, *, now_ns: int) -> list[Keeping]:
    """Of each agent that deletes session files and has some; only its settings are opened."""
    listing = Listing(home)
    return [made for agent in read_agents() if agent.id in _RULES for made in _of(agent, listing, home, now_ns)]


def _of(agent: Agent, listing: Listing, home: Home, now_ns: int) -> Iterator[Keeping]:
    for root, found in groupby(listing.files(agent), key=lambda file: file.root):
        files = list(found)
        rule = _RULES[agent.id](_settings(files[0], root, home))
        if rule is None:
            continue
        if rule.days is None:
            yield Keeping(agent.id, f"{agent.title} {rule.words}", len(files), setting=rule.setting)
            continue
        latest_ns = now_ns + (SOON_DAYS - rule.days) * _DAY_NS
        going = sum(file.changed_ns < latest_ns for file in files)
        words = f"{agent.title} deletes session files after {plural(round(rule.days), 'day')} (`{rule.setting}`)"
        age = f"{going:,} of {plural(len(files), 'file')} will be that old within {SOON_DAYS} days"
        yield Keeping(agent.id, f"{words}: {age}", len(files), going, days=rule.days, setting=rule.setting)


def _settings(file: AgentFile, root: str, home: Home) -> Mapping[str, object]:
    """Of the folder beside the one with sessions: ~/.claude/settings.json of ~/.claude/projects."""
    above = msgspec.structs.replace(file, root=os.path.dirname(root), inside="settings.json")
    return mapping(unpacked(read_beside(above, above.inside, home)))


class _Rule(Struct, frozen=True):
    days: float | None = None
    setting: str = ""
    words: str = ""


def _claude(settings: Mapping[str, object]) -> _Rule | None:
    days = settings.get("cleanupPeriodDays", _CLAUDE_DAYS)
    return _Rule(count(days), "cleanupPeriodDays") if count(days) else None


def _gemini(settings: Mapping[str, object]) -> _Rule | None:
    retention = mapping(settings, "general", "sessionRetention")
    age, most = text(retention.get("maxAge")), count(retention.get("maxCount"))
    if retention.get("enabled") is not True:
        return None
    if age[:-1].isdecimal() and age[-1] in _UNITS:
        return _Rule(int(age[:-1]) * _UNITS[age[-1]], "general.sessionRetention.maxAge")
    return _Rule(None, "general.sessionRetention.maxCount", f"keeps its newest {plural(most, 'session')}") if most else None


def _always(words: str) -> Callable[[Mapping[str, object]], _Rule | None]:
    return lambda _: _Rule(words=words)


_RULES: Mapping[str, Callable[[Mapping[str, object]], _Rule | None]] = {
    "claude": _claude,
    "gemini": _gemini,
    "vibe": _always("keeps the two newest journals of a session"),
    "mini": _always("keeps the file of its last run alone"),
}
