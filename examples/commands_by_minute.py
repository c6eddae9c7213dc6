"""Events -> how many programs were started in each minute. Give a recording."""

import sys
from collections import Counter
from datetime import UTC, datetime

from reactivex import operators as rx

from agentsight_rx import TraceOptions, op, replay, run, sources
from agentsight_rx.events import ProcessExec


def said(minute: op.Window[ProcessExec]) -> str:
    programs = Counter(event.argv[0] for event in minute.events)
    began = datetime.fromtimestamp(minute.start_ns / 1e9, UTC)
    return f"{began:%H:%M}  {', '.join(f'{count} {name}' for name, count in programs.most_common())}"


if __name__ == "__main__":
    events = replay(sources.ReplayOptions((sys.argv[1],)), TraceOptions())
    minutes = events.pipe(op.only(ProcessExec), op.window(op.Tumbling(60.0)))
    run(minutes.pipe(rx.map(said), rx.do_action(print)))
