"""Events -> alerts: a forced push within 5 seconds of a prompt. Give a recording, or the pid of a running agent (as root)."""

import sys

import reactivex
from reactivex import Observable
from reactivex import operators as rx

from agentsight_rx import Stream, TraceOptions, op, replay, run, sources, trace
from agentsight_rx.events import ProcessExec
from agentsight_rx.view import CallRow, Output


def alerts(events: Stream[Output], command: str = "push --force") -> Observable[str]:
    """Two branches of one stream, joined again: each such command, with the prompts of the 5 seconds before it."""

    def runs(started: ProcessExec) -> bool:
        return command in " ".join(started.argv)

    shared = events.share()
    prompts = shared.pipe(op.only(CallRow), op.keep(is_new_prompt))
    commands = shared.pipe(op.only(ProcessExec), op.keep(runs))
    return prompts.pipe(rx.join(commands, lambda _: reactivex.timer(5.0), lambda _: reactivex.empty()), rx.map(said))


def is_new_prompt(call: CallRow) -> bool:
    return call.is_prompted and call.status == "pending"  # comes again with the answer


def said(both: tuple[CallRow, ProcessExec]) -> str:
    after_s = (both[1].origin.wall_ns - both[0].start_ns) / 1e9
    return f"{after_s:.1f} s after {both[0].prompt!r}: {both[1].argv[-1]}"


if __name__ == "__main__":
    watched = sources.Target(pid=int(sys.argv[1])) if sys.argv[1].isdecimal() else None
    live = TraceOptions(tls=sources.TlsOptions(watched), process=sources.ProcessOptions(watched)) if watched else None
    graph = trace(live) if live else replay(sources.ReplayOptions((sys.argv[1],)), TraceOptions())
    run(alerts(graph).pipe(rx.do_action(print)))
