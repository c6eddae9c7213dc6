"""A turn of a context -> one sentence: a lost cache with its reason, a compaction, or the largest part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ....core.messages import program
from ....llm.context.losses import Cause
from ....llm.context.pieces import MEDIA
from ....llm.context.thread import KEPT, UNWRITTEN
from ....store.rows.kinds import SAID
from ....store.words import amount, money, percent, plural, times_said
from .findings import Avoidable

if TYPE_CHECKING:
    from .context import AgentContext, Cleared, Compaction, LostCache, TurnContext


# Origins in the order in which they are shown, with their names
ORIGINS = {
    "tools": "tool definitions",
    "system": "system prompt",
    "instructions": "instructions",
    "reminder": "reminders",
    "prompt": "prompts",
    "file": "files read",
    "command": "output of commands",
    "result": "other tool results",
    "answer": "answers",
    "reasoning": "reasoning",
    "summary": "summaries",
    MEDIA: "images and files",
    KEPT: "kept by the provider",
    UNWRITTEN: "not in the file",
}
_MINUTE_MS = 60_000
_NAMES_MOST = 3
_UNMENTIONED_LEAST, _UNCALLED_LEAST = 0.1, 0.05  # of the context: what is less is no headline


def sentence_of(agent: AgentContext, turn: TurnContext, findings: Sequence[Avoidable], /, *, so_far: bool = False) -> str:
    """The most telling one. `findings` of the whole session, for the newest turn."""
    if not turn.known:
        return f"Turn {turn.turn}: {amount(turn.total)} counted, {unread_said(turn)}, so its parts are not known."
    if turn.lost is not None:
        return _lost(turn.turn, turn.lost)
    if turn.compaction is not None:
        return _compacted(agent, turn, turn.compaction)
    if turn.cleared is not None:
        return f"At turn {turn.turn} {cleared_said(turn.cleared)}."
    by_kind = {each.kind: each for each in findings} if turn is agent.turns[-1] else {}
    whole = max(1, turn.total)
    old, unused = by_kind.get("unmentioned"), by_kind.get("uncalled")
    if old is not None and old.tokens >= _UNMENTIONED_LEAST * whole:
        before = -(-old.turns[0] // 10) * 10
        said = f"are files read before turn {before} and never mentioned again"
        return f"At turn {turn.turn}, {amount(old.tokens)} of {amount(turn.total)} {said}{_so_far(so_far)}."
    if unused is not None and unused.tokens >= _UNCALLED_LEAST * whole:
        servers = f"tools of {_number(len(unused.what))} MCP server{'s' if len(unused.what) > 1 else ''}"
        said = f"{servers} that {'were' if len(unused.what) > 1 else 'was'} never called"
        return f"At turn {turn.turn}, {amount(unused.tokens)} of {amount(turn.total)} are {said}{_so_far(so_far)}."
    largest = max(turn.sums, key=lambda origin: turn.sums[origin], default="")
    of = f" of {amount(agent.window)}" if agent.window else ""
    most = f", most of it {ORIGINS.get(largest, largest)}" if largest else ""
    about = "" if turn.usage else "about "
    return f"At turn {turn.turn}, {about}{amount(turn.total)}{of} are filled{most}{_so_far(so_far)}."


def unread_said(turn: TurnContext, /) -> str:
    """Why the parts of a request are not known."""
    return "the agent's own file has no counts" if turn.call.view_source == SAID else "the request was not captured"


def _lost(turn: int, lost: LostCache, /) -> str:
    return f"At turn {turn} the cache was lost: {lost_said(lost)}."


def cleared_said(cleared: Cleared, /) -> str:
    """What the provider took out of a request, as it asked."""
    parts = [plural(cleared.results, "tool result")] if cleared.results else []
    parts += [f"the thinking of {plural(cleared.turns, 'turn')}"] if cleared.turns else []
    what = " and ".join(parts) or "parts"
    return f"the provider cleared {what} from the conversation, {amount(cleared.tokens)}, as the request asked"


def lost_said(lost: LostCache, /) -> str:
    """Why, without the turn; "" where the requests were not read."""
    return "" if lost.cause is None else _cause_said(lost.cause)


def _cause_said(cause: Cause) -> str:
    match cause.kind:
        case "tools":
            names = _listed(cause.what)
            many = len(cause.what) > 1
            words = {
                "added": f"{names} {'were' if many else 'was'} added",
                "removed": f"{names} {'were' if many else 'was'} removed",
                "changed": f"{names} {'are' if many else 'is'} described anew",
            }
            return f"the tool list changed, {words.get(cause.change, 'its order is another one')}"
        case "system":
            return "the system prompt changed" + (": a date" if cause.when else "")
        case "message":
            origin = "tool results" if cause.origin == "result" else ORIGINS.get(cause.origin, cause.origin)
            what = "a date" if cause.when else origin.removesuffix("s")
            change = "is not sent any more" if cause.change == "removed" else f"changed: {_a(what)}"
            return f"part {cause.number} of {cause.count} of the conversation {change}"
        case "model":
            return f"another model, {cause.what[1]} after {cause.what[0]}"
        case "parameter":
            return f"a parameter that is part of the cache changed: {_listed(cause.what)}"
        case "thinking":
            return "behind a new prompt the provider takes the thinking of earlier turns out"
        case "idle":
            return f"idle {_minutes(cause.idle_ms)}, the cache had expired after {cause.life_ms // _MINUTE_MS}"
        case "unwritten":
            return "the agent's own file does not contain the request, so the reason is not known"
        case "unmarked":
            return "no part of the request was marked to be cached"
        case "provider":
            return "the request is the same; the provider no longer had it"
        case "unknown":
            return "the request before was not captured, so the reason is not known"


def _compacted(agent: AgentContext, turn: TurnContext, fall: Compaction, /) -> str:
    at = agent.turns.index(turn)
    before = agent.turns[at - 1].total if at else 0
    came = sum(each.tokens for each in fall.came)
    if not fall.summed_up:
        return f"At turn {turn.turn} the agent left out {amount(fall.tokens)} of {amount(before)}, without a summary."
    by = " by the provider" if fall.by_provider else ""
    return (
        f"Compacted{by} before turn {turn.turn}: {amount(fall.tokens)} of {amount(before)} were dropped, "
        f"{amount(came)} came in their place."
    )


def counted_said(turn: TurnContext, /) -> str:
    """Where the numbers come from."""
    usage = turn.usage
    if usage is None and turn.partly:
        return "No counts: what this request added is an estimate from length; the rest was counted in earlier requests."
    if usage is None:
        return "No counts: every size here is an estimate from length, 4 bytes a token."
    parts = [
        f"{usage.cache_read:,} from the cache" if usage.cache_read else "",
        f"{usage.cache_creation:,} written to it" if usage.cache_creation else "",
        f"{usage.input:,} uncached" if usage.cached else "",
    ]
    listed = ", ".join(filter(None, parts))
    sums = " The parts add up to it." if turn.known else ""
    return f"Counted by the provider: {usage.asked:,} tokens in." + (f" {listed}." if listed else "") + sums


def avoidable_said(found: Avoidable, /) -> str:
    """One finding, without its cost."""
    names = _listed(found.what)
    match found.kind:
        case "unmentioned":
            return f"{plural(len(found.what), 'file')} read and never mentioned again: {names} ({amount(found.tokens)})"
        case "uncalled":
            return f"tools of {names} are sent in every request and never called ({amount(found.tokens)} a request)"
        case "lost":
            times = "once" if len(found.turns) == 1 else times_said(len(found.turns))
            return f"the cache was lost {times} (turn{_turns(found.turns)}): {amount(found.tokens)} paid again"
        case "twice":
            return f"the same content is in the context more than once: {names} ({amount(found.tokens)})"


def saving_said(found: Avoidable, cost_usd: float, /) -> str:
    """One finding as a part of what the whole session cost."""
    share = (found.usd or 0.0) / cost_usd
    return f"{money(found.usd)} of {money(cost_usd)} ({percent(share)}) could be saved: {_briefly(found)}."


def _briefly(found: Avoidable) -> str:
    """The finding without the names of what it is about."""
    match found.kind:
        case "unmentioned":
            return f"{plural(len(found.what), 'file')} read once and carried on ({amount(found.tokens)})"
        case "uncalled":
            return f"the tools of {plural(len(found.what), 'server')} are sent in every request and never called"
        case "lost":
            return avoidable_said(found)
        case "twice":
            return f"{amount(found.tokens)} tokens are in the context more than once"


def what_to_do(found: Avoidable, /) -> str:
    """One thing to do about it."""
    match found.kind:
        case "unmentioned":
            return "Read such files in a sub-agent, or begin the next task in a new session."
        case "uncalled":
            return f"Leave the server out for this project, for example: claude mcp remove {found.what[0]}"
        case "lost":
            return f"`{program()} report cache` shows what changed each time."
        case "twice":
            return "Ask for the part that changed: the changed lines of a file, or a command with less output."


def _so_far(more: bool) -> str:
    return " so far" if more else ""


def _turns(turns: Sequence[int]) -> str:
    shown = ", ".join(map(str, turns[:_NAMES_MOST])) + (", …" if len(turns) > _NAMES_MOST else "")
    return f"{'s' if len(turns) > 1 else ''} {shown}"


def _number(count: int) -> str:
    return {1: "one", 2: "two", 3: "three"}.get(count, str(count))


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMES_MOST
    return ", ".join(names[:_NAMES_MOST]) + (f" and {more} more" if more > 0 else "")


def _a(word: str) -> str:
    return word if word.startswith("a ") else f"{'an' if word[:1] in 'aeiou' else 'a'} {word}"


def _minutes(ms: int) -> str:
    return f"{ms // _MINUTE_MS} min"
