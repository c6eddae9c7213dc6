"""Alerts, a summary, a difference of two runs -> Markdown for a job summary or a comment, at most 60 kB."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from ....core.messages import harmless
from ....policy.rules.guard.values import shortened, with_short_homes
from ....store.rows.tool_words import asked_for
from ....store.words import count, plural, took
from ....view import AlertRow
from ....view.queries.alerts import alerts_said, reportable
from ....view.queries.sessions.diff import Runs
from ....view.queries.sessions.summary import Summary
from ..call_words import numbers_said
from ..recordings import gaps_of, missing_said
from ..tools import tool_said
from .alert_words import proven_said, thread_said
from .screen import Screen
from .words import often

_MOST = 60_000  # bytes: a comment of GitHub has at most 65,536 characters, a job summary 1 MiB
_ITEMS = 50  # of one folded part
_LONG = 300  # characters of one item
_MARKUP = re.compile(r"[\\`*_\[\]<>|#@~$!&]|:(?=//)")


def escaped(text: str, /) -> str:
    """Captured text cannot be Markdown, HTML, a link, or the mention of a person."""
    plain = " ".join(harmless(text).split())
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", plain if len(plain) <= _LONG else plain[: _LONG - 1] + "…")


def alert_item(row: AlertRow, /) -> str:
    """One alert as an item of a list."""
    flag = "" if row.do == "note" else "⚑ "
    return f"- {flag}`{row.rule}`, {row.do}: {escaped(row.sentence)}. *{escaped(thread_said(row))}, {proven_said(row)}*"


def summary_markdown(found: Summary, alerts: Sequence[AlertRow], screen: Screen, /) -> str:
    """A sentence, the gaps, the numbers, the alerts, and folded parts; an empty part is absent."""
    said = alerts_said(alerts)
    sentence = escaped(found.verdict.sentence.rstrip("."))
    lines = [f"**{sentence}.{f' ⚑ {said}.' if said else ''}**", "", f"{_numbers(found)} {missing_said(found.health).text}."]
    if reportable(alerts):
        lines += ["", *map(alert_item, reportable(alerts)[:_ITEMS])]
    return shortened_to("\n".join([*lines, *_parts(found, screen)]))


def _numbers(found: Summary) -> str:
    tokens = found.asked_tokens, found.cached_tokens, found.output_tokens
    numbers = f"{escaped(numbers_said(found.calls, tokens, found.cost, found.models))}, " if found.calls else ""
    return f"{numbers}{took(found.duration_ms)}."


def _parts(found: Summary, screen: Screen) -> Iterator[str]:
    tools = [tool for turn in found.turns for tool in turn.tools]
    failed = sum(tool_said(tool).state == "failed" for tool in tools)
    commands = [f"{tool.tool_name} {asked_for(tool.input)} → {tool_said(tool).text.partition(':')[0]}" for tool in tools]
    yield from _folded(f"{plural(len(tools), 'tool')}{f', {count(failed)} failed' if failed else ''}", commands)
    files = found.files
    for word, paths in (("written", files.written), ("removed", files.removed), ("refused", files.refused)):
        yield from _folded(f"{plural(len(paths), 'file')} {word}", map(shortened, paths))
    peers = [f"{peer.host} ×{count(peer.count)}" for peer in found.peers if not peer.is_absent]
    yield from _folded(plural(len(peers), "host"), peers)
    gaps = [f"{what}; {advice}" if advice else what for what, advice in gaps_of(found.health, screen)]
    yield from _folded("what was not seen", gaps)


def _folded(title: str, items: Iterable[str]) -> Iterator[str]:
    kept = list(items)
    if not kept:
        return
    yield f"\n<details><summary>{escaped(title)}</summary>\n"
    yield from (f"- {escaped(with_short_homes(item))}" for item in kept[:_ITEMS])
    if len(kept) > _ITEMS:
        yield f"- … and {count(len(kept) - _ITEMS)} more"
    yield "\n</details>"


def difference_markdown(found: Runs, titles: Mapping[str, str], value: Callable[[str, float | None], str], /) -> str:
    """What two runs did differently: the numbers as a table, the rest folded, a part a kind with its title."""
    equal = sum(found.equal.values())
    same = plural(equal, "thing is", "things are")
    lines = [f"**{plural(len(found.differences), 'difference')} between the two runs**; {same} equal."]
    numbers = [each for each in found.differences if each.kind == "number"]
    if numbers:
        lines += ["", "| | first | second |", "| --- | ---: | ---: |"]
        lines += [f"| {each.what} | {value(each.what, each.first)} | {value(each.what, each.second)} |" for each in numbers]
    for kind in dict.fromkeys(each.kind for each in found.differences if each.kind != "number"):
        mine = [each for each in found.differences if each.kind == kind]
        items = [f"{each.what}: {often(each.first)} → {often(each.second)}" for each in mine]
        lines += _folded(f"{titles[kind]}: {plural(len(mine), 'difference')}", items)
    if found.not_known:
        lines += ["", not_known_said(found)]
    return shortened_to("\n".join(lines))


def not_known_said(found: Runs, /) -> str:
    """Which of two runs is the word of an agent alone."""
    both = len(found.not_known) > 1
    who, their = ("Both runs are", "their") if both else (f"The {found.not_known[0]} run is", "its")
    return f"{who} from the agent's own file: {their} programs, files and hosts are not known, and not compared."


def shortened_to(text: str, most: int = _MOST, /) -> str:
    """The text, or as many of its lines as have room, with a line that says so."""
    if len(text.encode("utf-8", "replace")) <= most:
        return text
    kept, size, is_open = list[str](), 200, False
    for line in text.split("\n"):
        size += len(line.encode("utf-8", "replace")) + 1
        if size > most:
            break
        kept.append(line)
        is_open = line.startswith("<details>") or (is_open and line != "</details>")
    return "\n".join([*kept, *(["", "</details>"] if is_open else []), "", "… the rest is left out: it has more than 60 kB"])
