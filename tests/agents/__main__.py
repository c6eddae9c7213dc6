"""
Names of agents -> a table: what each sent and was answered, as the fake server logged it, and how much of it our probes saw.

    python -m tests.agents [NAME…]

`./test.sh --agents` installs what it needs. The exit status is 1 if a byte of any of them differs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence

from tests.agents.agent import Agent
from tests.agents.agents import AGENTS
from tests.agents.capture import Result, run_agent
from tests.agents.install import install
from tests.agents.network import leave_the_network
from tests.agents.versions import version_of

__all__ = ["main"]

_HEAD = ("agent", "version", "stack", "sent", "seen", "answered", "seen", "proven", "equal", "complete")
_SHOWN_MOST = 4  # differences of one agent


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    agents = [agent for agent in AGENTS if not options.names or agent.name in options.names]
    install(list(dict.fromkeys(part for agent in agents for part in agent.needs)), say=_say)
    leave_the_network()
    results = [_run(agent, options.by) for agent in agents]
    rows = [_HEAD, *map(_row, results)]
    print(_table(rows))
    for result in results:
        for line in _explained(result):
            print(line)
    bad = [result for result in results if not result.good]
    print(f"{len(results) - len(bad)} passed, {len(bad)} failed")
    return 1 if bad else 0


def _run(agent: Agent, by: str) -> Result:
    _say(f"{agent.name} …")
    return run_agent(agent, by=by)


def _row(result: Result) -> tuple[str, ...]:
    agent, served, seen = result.agent, result.served, result.seen
    return (
        agent.name,
        version_of(agent),
        agent.stack,
        *(f"{number:,}" for number in (served.sent, seen.sent, served.answered, seen.answered)),
        ", ".join(result.proven) or "-",
        "yes" if result.good else "NO",
        "NO" if result.incomplete else "yes",
    )


def _explained(result: Result) -> Iterable[str]:
    found = [*([result.trouble] if result.trouble else []), *result.differences]
    for line in (*found[:_SHOWN_MOST], *result.incomplete):
        yield f"{result.agent.name}: {line}"
    if len(found) > _SHOWN_MOST:
        yield f"{result.agent.name}: and {len(found) - _SHOWN_MOST} more"


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if 3 <= at <= 6 else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _say(text: str) -> None:
    print(f"agents: {text}", file=sys.stderr, flush=True)


def _name(text: str) -> str:
    if text not in (names := [agent.name for agent in AGENTS]):
        raise argparse.ArgumentTypeError(f"no agent {text!r}; there are {', '.join(names)}")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.agents", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("names", nargs="*", type=_name, metavar="NAME", help="which to run (default: all)")
    parser.add_argument("--by", choices=("kernel", "hooks"), default="kernel", help="what sees them (default: kernel)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
