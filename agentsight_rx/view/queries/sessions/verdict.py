"""Calls, tools, files of a session -> what it did in one sentence, in clauses that each name the place of their evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import chain, islice

from msgspec import Struct
from msgspec.structs import replace

from ....llm.prices import Prices
from ....store.rows.kinds import SessionRow, ToolRow
from ....store.rows.tables import AUDIT, CALLS, SESSIONS, TOOLS
from ....store.rows.tool_words import asked_for, has_failed, has_process, is_command, is_edit, outcome_of
from ....store.state import Store
from ....store.words import cut, plural, times_said
from ..calls.costs import CostSum, PricedCall, models_of, short_call, short_tool, summed
from ..effects.causes import Causes
from ..effects.file_fates import Lives
from ..effects.work import FilesTouched, files_touched
from ..reading import newest_as, newest_first, read_totals, selected
from ..selection import Selection
from .findings import Run, longest_failure

_NAME = 60  # characters of a command


class Clause(Struct, frozen=True, omit_defaults=True):
    """A part of the sentence. `tab` and `turn` are where its evidence is; without a tab it is plain text."""

    text: str
    tab: str = ""
    turn: int = 0


class Deeds(Struct, frozen=True, kw_only=True):
    """
    What a session did, in numbers. Tools are commands, edits or others. `commands` are the ones whose process was seen, which
    ran; `commands_unseen` were asked for, and neither seen nor refused. `edits` did not fail and were not refused.
    """

    calls: int
    failed_calls: int
    prompts: int  # that a person typed
    answered: int  # of these
    tools: int
    commands: int
    commands_unseen: int
    edits: int
    others: int
    failed_tools: int
    refused_tools: int
    files: FilesTouched
    programs: int  # of the whole recording
    failed_in_a_row: Run | None = None
    failed_tool: str = ""  # the call that asked for the first tool that failed
    refused_tool: str = ""
    failed_call: str = ""  # the last call that failed


class Verdict(Struct, frozen=True):
    """
    `did` is the sentence about the actions, `trouble` the worst finding. `turn`: the session goes on in that turn.
    """

    did: tuple[Clause, ...] = ()
    trouble: tuple[Clause, ...] = ()
    turn: int = 0

    @property
    def clauses(self) -> tuple[Clause, ...]:
        """`Edited 3 files, ran 14 commands, 5 failed. pytest failed three times in a row.`, with the words between them."""
        if not self.did:
            return ()
        first, *others = self.did
        begin = (Clause(f"Working on turn {self.turn}, so far "), first) if self.turn else (_capital(first),)
        found = [*begin, *_listed(others), Clause(".")]
        if self.trouble:
            first, *others = self.trouble
            found += [Clause(" "), first, *_listed(others), Clause(".")]
        return tuple(found)

    @property
    def sentence(self) -> str:
        return "".join(clause.text for clause in self.clauses)

    def _repr_html_(self) -> str:
        return f"<p>{escape(self.sentence)}</p>"

    @property
    def line(self) -> str:
        """As a part of a line: `edited 3 files, ran 14 commands, 5 failed; pytest failed three times in a row`."""
        return "; ".join(", ".join(each.text for each in part) for part in (self.did, self.trouble) if part)


def _capital(clause: Clause) -> Clause:
    return replace(clause, text=f"{clause.text[:1].upper()}{clause.text[1:]}")


def _listed(clauses: Sequence[Clause]) -> Iterator[Clause]:
    return chain.from_iterable((Clause(", "), clause) for clause in clauses)


def deeds_of(calls: Sequence[PricedCall], tools: Sequence[ToolRow], files: FilesTouched, /, *, programs: int = 0) -> Deeds:
    """Calls and tools in the order of time."""
    failed = [tool for tool in tools if has_failed(tool)]
    failed_calls = [call for call in calls if call.status == "error"]
    refused = [tool for tool in tools if outcome_of(tool) == "refused"]
    commands = [tool for tool in tools if is_command(tool)]
    ran = sum(map(has_process, commands))
    edits = sum(is_edit(tool) and outcome_of(tool) not in ("failed", "refused") for tool in tools)
    return Deeds(
        calls=len(calls),
        failed_calls=len(failed_calls),
        prompts=sum(call.is_prompted for call in calls),
        answered=_answered(calls),
        tools=len(tools),
        commands=ran,
        commands_unseen=len(commands) - ran - sum(map(is_command, refused)),
        edits=edits,
        others=len(tools) - len(commands) - edits,
        failed_tools=len(failed),
        refused_tools=len(refused),
        files=files,
        programs=programs,
        failed_in_a_row=longest_failure(tools),
        failed_tool=failed[0].llm_call_id if failed else "",
        refused_tool=refused[0].llm_call_id if refused else "",
        failed_call=failed_calls[-1].id if failed_calls else "",
    )


def verdict_of(deeds: Deeds, turns: Mapping[str, int], /, *, live: bool = False) -> Verdict:
    """`turns` has the number of the turn of each call."""
    turn = max(turns.values(), default=1) if live and deeds.calls else 0
    return Verdict(tuple(_did(deeds, turns)), tuple(_trouble(deeds, turns)), turn)


def _did(deeds: Deeds, turns: Mapping[str, int]) -> Iterator[Clause]:
    done = list(_done(deeds))
    yield from done
    if not deeds.calls and deeds.programs:
        ran = f"{plural(deeds.programs, 'program')} ran"
        yield Clause(f"{ran}, and no call of a model was seen" if not done else ran, "processes")
    elif not deeds.calls and not done:
        yield Clause("nothing was seen")
    elif not done:
        yield Clause(f"{_talked(deeds)}, changed nothing")
    if deeds.failed_tools:
        yield Clause(f"{deeds.failed_tools:,} failed", "conversation", turns.get(deeds.failed_tool, 0))
    if deeds.refused_tools:
        yield Clause(f"{deeds.refused_tools:,} refused", "conversation", turns.get(deeds.refused_tool, 0))


def _done(deeds: Deeds) -> Iterator[Clause]:
    files = deeds.files
    if files.edited:
        yield Clause(f"edited {plural(files.edited, 'file')}", "files")
    elif deeds.edits:  # what was written was not seen: it is the agent that says so
        yield Clause(f"asked for {plural(deeds.edits, 'edit')}", "conversation")
    if files.erased:
        yield Clause(f"removed {plural(files.erased, 'file')}", "files")
    if deeds.commands:
        yield Clause(f"ran {plural(deeds.commands, 'command')}", "processes")
    if deeds.commands_unseen:  # the agent says so, and no process of them was seen
        asked = f"{deeds.commands_unseen:,} more" if deeds.commands else plural(deeds.commands_unseen, "command")
        yield Clause(f"asked for {asked}", "conversation")
    if deeds.others and not deeds.commands and not deeds.commands_unseen:
        yield Clause(f"used {plural(deeds.others, 'other tool' if deeds.edits else 'tool')}", "conversation")


def _trouble(deeds: Deeds, turns: Mapping[str, int]) -> Iterator[Clause]:
    run = deeds.failed_in_a_row
    if run is not None:
        what = cut(asked_for(run.tool.input) or run.tool.tool_name, _NAME)
        yield Clause(f"{what} failed {times_said(run.times)} in a row", "conversation", turns.get(run.tool.llm_call_id, 0))
    if deeds.failed_calls:
        said = f"{plural(deeds.failed_calls, 'call')} of the model failed"
        yield Clause(said, "conversation", turns.get(deeds.failed_call, 0))


def _talked(deeds: Deeds) -> str:
    if not deeds.prompts:
        return f"made {plural(deeds.calls, 'call')}"
    if not deeds.answered:
        return f"got no answer to {plural(deeds.prompts, 'prompt')}"
    if deeds.answered < deeds.prompts:
        return f"answered {deeds.answered:,} of {plural(deeds.prompts, 'prompt')}"
    return f"answered {plural(deeds.prompts, 'prompt')}"


def _answered(calls: Sequence[PricedCall]) -> int:
    """
    The prompts behind which an answer of the main agent came to its end without asking for a tool; a part of it, or of its
    request, may be missing.
    """
    waiting, found = False, 0
    for call in calls:
        if call.agent_id is not None or (call.aside and call.aside != "retry"):
            continue
        waiting = waiting or call.is_prompted
        has_ended = call.status == "complete" or (call.status == "partial" and call.finish_reason is not None)
        if waiting and has_ended and not call.tools:
            waiting, found = False, found + 1
    return found


# -- outcome -------------------------------------------------------------------------------------------------------
# Store, time -> what the run that began then did and what it cost, for the line behind it.


_MOST = 20_000  # calls, and tools


class Outcome(Struct, frozen=True, kw_only=True):
    """
    Of all sessions of the run, `session` is the one that began last. `duration_ms` is its time, as every view has it; 0 where
    the run has several, or none. `cut`: only the newest 20,000 calls were looked at.
    """

    session: SessionRow | None
    verdict: Verdict
    calls: int
    asked_tokens: int  # cached or not
    cached_tokens: int
    output_tokens: int
    cost: CostSum
    models: dict[str, int]
    cut: bool
    duration_ms: int = 0


def read_outcome(store: Store, prices: Prices, /, *, since_ms: int) -> Outcome:
    """`since_ms`: when the run began, as Unix time; earlier runs of the store do not count."""
    part = Selection(since_ms=since_ms)
    calls = newest_as(store, CALLS, part, lambda row: short_call(row, prices), most=_MOST)
    tools = newest_as(store, TOOLS, part, short_tool, most=_MOST)
    lines = selected(store, AUDIT, part, kind="file")
    programs = 0 if calls else read_totals(store).programs
    newest = list(islice(newest_first(store, SESSIONS, part, where=lambda row: row.parent_session_id is None), 2))
    session = newest[0] if newest else None
    home = (session.cwd or "") if session is not None else Causes(store).folder
    deeds = deeds_of(calls, tools, files_touched(lines, Lives(store), home=home), programs=programs)
    return Outcome(
        session=session,
        verdict=verdict_of(deeds, {call.id: call.turn for call in calls}),
        calls=len(calls),
        asked_tokens=sum(call.asked_tokens for call in calls),
        cached_tokens=sum(call.cache_read_tokens for call in calls),
        output_tokens=sum(call.output_tokens for call in calls),
        cost=summed(calls),
        models=models_of(calls),
        cut=len(calls) == _MOST,
        duration_ms=newest[0].duration_ms if len(newest) == 1 else 0,
    )
