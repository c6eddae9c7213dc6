"""Events -> alerts: a forced push within 5 seconds of a prompt. Give a recording, or the pid of a running agent (as root)."""

import sys
from collections.abc import Iterator

from reactivex import operators as rx

from agentsight_rx import Machine, TraceOptions, op, replay, run, sources, trace
from agentsight_rx.events import ProcessExec
from agentsight_rx.view import CallRow, Output

WITHIN_MS = 5000


class _AfterPrompt(Machine[Output, str]):
    """Remembers the newest prompt."""

    _prompt: CallRow | None = None

    def feed(self, event: Output, /) -> Iterator[str]:
        if isinstance(event, CallRow) and event.is_prompted:
            self._prompt = event
        elif isinstance(event, ProcessExec) and self._prompt and "push --force" in " ".join(event.argv):
            after_ms = event.origin.wall_ns // 1_000_000 - self._prompt.start_timestamp_ms
            if after_ms <= WITHIN_MS:
                yield f"{after_ms / 1000:.1f} s after {self._prompt.prompt!r}: {event.argv[-1]}"


def main(given: str) -> None:
    watched = sources.Target(pid=int(given)) if given.isdecimal() else None
    live = TraceOptions(tls=sources.TlsOptions(watched), process=sources.ProcessOptions(watched)) if watched else None
    graph = trace(live) if live else replay(sources.ReplayOptions((given,)), TraceOptions())
    alerts = graph.pipe(op.each(_AfterPrompt, name="after_prompt"))
    run(alerts.pipe(rx.do_action(print)))


if __name__ == "__main__":
    main(sys.argv[1])
