"""
The answers about a context of so many turns, invented: what the tab is tested with. Each is made of the types that are sent,
and its numbers add up, as those of a recording do.
"""

from __future__ import annotations

from agentsight_rx.view.page.context.context import (
    NOT_COUNTED,
    ContextBlock,
    ContextFinding,
    ContextNote,
    ContextOverTime,
    ContextRow,
    ContextServer,
    ContextSum,
    ContextThread,
    ContextTurn,
    run_length,
)
from agentsight_rx.view.page.head import CACHE_LOST, COMPACTED
from agentsight_rx.view.queries.sessions.verdict import Clause

__all__ = ["FELL", "LOST", "over_time", "turn_of"]

WINDOW = 200_000
LOST, FELL = 0.45, 0.66  # of the session
_SYSTEM, _TOOLS, _INSTRUCTIONS = 14_012, 17_608, 3_046


def _sums(turn: int, turns: int) -> tuple[int, ...]:
    since = turn - round(turns * FELL) if turn >= round(turns * FELL) else turn
    grown = since * 110_000 // max(1, turns)
    files, commands = grown * 2 // 5, grown * 3 // 10
    return (_SYSTEM, _TOOLS + 412 * (turn >= round(turns * LOST)), _INSTRUCTIONS, 412 + turn // 9 * 60, files, commands,
            grown // 10, grown // 8, grown // 20)  # fmt: skip


def _read(turn: int, turns: int) -> int:
    """From the cache: all of the request before, and where the conversation was compacted what comes before the messages."""
    if turn in (1, round(turns * LOST)):
        return 0
    return sum(_sums(turn, turns)[:3]) if turn == round(turns * FELL) else sum(_sums(turn - 1, turns))


def over_time(turns: int, *, counted: bool = True) -> ContextOverTime:
    numbers = tuple(range(1, turns + 1))
    columns = tuple(zip(*(_sums(turn, turns) for turn in numbers), strict=True)) or ((),) * 9
    lost, fell = round(turns * LOST), round(turns * FELL)
    flags = tuple(
        (CACHE_LOST if turn == lost and turns > 8 else COMPACTED if turn == fell and turns > 8 else 0)
        | (0 if counted else NOT_COUNTED)
        for turn in numbers
    )
    totals = [sum(_sums(turn, turns)) for turn in numbers]
    read = tuple(_read(turn, turns) for turn in numbers)
    return ContextOverTime(
        numbers,
        sums=tuple(map(run_length, columns)),
        read=run_length(read),
        written=run_length(tuple(total - seen for total, seen in zip(totals, read, strict=True))),
        flags=run_length(flags),
        prompts=(1, *((turns // 3, turns // 2) if turns > 8 else ())),
        window=WINDOW,
        fullest=totals.index(max(totals)) + 1 if totals else 0,
        threads=(ContextThread("", "main", turns), ContextThread("sub-1", "explore", 9)),
        counted=counted,
        calls=turns,
        model="claude-opus-4-5" if counted else "qwen3-coder-30b",
        findings=(
            ContextFinding(
                "Files read once, carried on",
                "8 files read before turn 60, never mentioned again: 39,420 in each request until turn 139.",
                "Let a sub-agent read them, or start anew at the prompt of turn 61.",
                usd=2.31 if counted else None,
                tokens=39_420,
                approx=True,
                turns=(9, 61),
                origin=4,
            ),
            ContextFinding(
                "Two MCP servers, never called",
                f"figma and sentry: 13 tools, 9,024 in each of {turns} requests.",
                "Leave them out of this project:",
                usd=0.96 if counted else None,
                tokens=9024,
                command="claude mcp remove figma",
            ),
        ),
    )


def turn_of(turn: int, turns: int, *, row: str = "", counted: bool = True) -> ContextTurn:
    sums = _sums(turn, turns)
    total = sum(sums)
    lost, fell = turn == round(turns * LOST) and turns > 8, turn == round(turns * FELL) and turns > 8
    big = sums[4] // 3
    rows = tuple(
        ContextRow(
            f"seg{at}",
            what,
            whose=whose,
            origin=origin,
            tokens=tokens,
            since=since,
            requests=max(1, turn - since),
            lives=(since, turn) if turn < round(turns * LOST) else (since, round(turns * LOST) - 1, round(turns * LOST), turn),
            approx=at % 2 == 1,
            code=origin in (4, 5),
            cached_usd=0.47 if counted else None,
            full_usd=0.09 if counted else None,
            mentioned=max(1, turn - 7),
            target=Clause("", "files") if origin == 4 else None,
        )
        for at, (what, whose, origin, tokens, since) in enumerate(
            [
                ("System prompt", "Claude Code", 0, sums[0], 1),
                ("17 built-in tools", "Claude Code", 1, sums[1], 1),
                (
                    "src/ledger/a_rather_long_name_of_a_module/with_a_name_that_goes_on_and_on_to_the_right/post.py",
                    "Read",
                    4,
                    big,
                    1,
                ),
                ("pytest -v tests/ledger", "Bash", 5, sums[5], min(2, turn)),
            ]
        )
    )
    left = sums[4] - big
    blocks = (
        ContextBlock(sums[1], (1,), id="seg1", what="17 built-in tools", since=1, fixed=True, approx=True, first_change=lost),
        ContextBlock(sums[0], (0,), id="seg0", what="System prompt", since=1, fixed=True),
        ContextBlock(sums[2], (2,), id="seg9", what="CLAUDE.md", since=1, fixed=True, code=True),
        ContextBlock(sums[3] + left, (3, 4), since=1, until=turn, count=21, approx=True),
        ContextBlock(big, (4,), id="seg2", what=rows[2].what, since=1, code=True),
        ContextBlock(
            sums[5], (5,), id="seg3", what="pytest -v tests/ledger", since=min(2, turn), code=True, again=turn if fell else 0
        ),
        ContextBlock(sums[6] + sums[7] + sums[8], (6, 7, 8), since=min(3, turn), until=turn, count=40),
    )
    assert total == sum(block.tokens for block in blocks)
    named = sum(each.tokens for each in rows)
    read = _read(turn, turns) if counted else 0
    added = Clause(f"At turn {turn} the cache was lost: the tool list changed, mcp__postgres__query was added.")
    rest = Clause(", 39.4 k of 154.1 k are files read before turn 60 and never mentioned again.")
    sentence = (added,) if lost else (Clause("At turn "), Clause(f"{turn}", turn=turn), rest)
    notes = (
        (
            ContextNote(
                "lost",
                (Clause(f"First change since turn {turn - 1}: tool 31 of 31."), Clause("mcp__postgres__query is new.")),
                more=(
                    Clause(f"Tools stand first in a request, so all {total:,} were written to the cache again: $0.74 more."),
                ),
                diff="..llm-1",
            ),
        )
        if lost
        else (
            ContextNote(
                "compacted",
                (Clause("327 segments went, 5 came."), Clause("Writing the summary cost $0.23.")),
                dropped=(
                    ContextSum("Files read", 60_000, count=12),
                    ContextSum("Command output", 30_000, count=61, approx=True),
                ),
                came=(
                    ContextSum("Summary of the turns before", 5930),
                    ContextSum("src/ledger/post.py, put back", 4820, code=True),
                ),
            ),
        )
        if fell
        else ()
    )
    return ContextTurn(
        turn,
        call="llm-1",
        at_ms=1_764_266_404_000 + turn * 31_000,
        tokens=total,
        segments=len(blocks) + 60,
        sentence=sentence,
        blocks=blocks,
        rows=rows,
        rest=ContextSum(
            f"{63} smaller ones", total - named, count=63, approx=True, cached_usd=1.1, full_usd=0.2, carried=900_000
        ),
        total=ContextSum("Together, as counted", total, count=67, cached_usd=3.1, full_usd=0.5, carried=4_000_000),
        servers=(
            ContextServer(
                "figma", 7, calls=0, never=7, tokens=5384, requests=turn, usd=0.57, command="claude mcp remove figma"
            ),
            ContextServer("", 17, calls=301, never=9, tokens=8584, requests=turn, usd=0.9, approx=True),
        ),
        notes=notes,
        chosen=next((each for each in rows if each.id == row), None),
        counted=counted,
        read=read,
        written=total - read - 4 if counted else 0,
        uncached=4 if counted else 0,
        usd=0.31 if counted else None,
        prices="from cache $0.50, written $6.25, uncached $5.00 a million" if counted else "",
        dropped_usd=1.9 if counted and turn > round(turns * FELL) else None,
    )
