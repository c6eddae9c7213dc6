"""agentsight-rx demo: record a small agent that uses a fake model, and print the report."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, chdir, contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated

from msgspec.structs import replace

from ..core.errors import CaptureError, Unavailable, UnwritableError
from ..core.messages import program, say
from ..core.signals import how_to_end
from ..graphs import TraceOptions
from ..graphs import replay as replay_graph
from ..runtime.demo import require_demo
from ..runtime.demo import shells as long_task
from ..runtime.demo.shells import SECRET_PROMPT as PROMPT
from ..runtime.demo.shells import command_for, planted_key
from ..runtime.recording.price_file import load_prices
from ..runtime.run import Run, Summary, run_to_end
from ..sinks.alerts.sink import Delivery, alerts
from ..sources import ReplayOptions
from ..store.state import LmdbStore
from ..view.queries import Selection
from ..view.queries.alerts import read_alerts
from ..view.queries.reading import read_totals
from ..view.queries.sessions.summary import read_summary
from .capturing.capture import print_closing
from .capturing.destinations import Destinations
from .capturing.launch import Launch, invoking_user
from .capturing.stopping import alert_said, to_terminal
from .capturing.ways import Way, way_to_see
from .flags.destinations import Console, Page
from .flags.filters import Filters, Form
from .flags.group import Group, Only
from .flags.guard import Guard
from .flags.sources import Stdio, System, Tls
from .flags.watch import Watch
from .places.stores import given_store, new_demo_store
from .record import record_command
from .report.shown.alert_words import alert_lines
from .report.shown.ask import write_json
from .report.shown.screen import Screen, render
from .report.summary import summary_text

# -- played --------------------------------------------------------------------------------------------------------
# The demo where nothing can be recorded: a recording of it that comes with the program, through the same graph.


_QUIET = Destinations(console=Console(quiet=True))


def played(store: Path, page: Page, *, as_json: bool) -> int:
    """Into this store; then the report of it, and where its page is."""
    out = replace(_QUIET, page=replace(page, server=False)).into(store)
    with as_file(files("agentsight_rx.runtime.demo") / "recorded.jsonl") as place:
        options = out.prepared(TraceOptions())
        run_to_end(Run(replay_graph(ReplayOptions((str(place),)), options), out.sinks(options, patient=True), on_bug="count"))
    kept = LmdbStore.open(store, readonly=True)
    try:
        if as_json:
            write_json(read_summary(kept, Selection(), load_prices(None)))
            return 0
        screen = Screen(now_ms=time.time_ns() // 1_000_000)
        print("\n".join(summary_text(kept, screen, prices=load_prices(None), given=given_store(store))))
    finally:
        kept.close()
    given = given_store(store)
    say(f"its page: {program()} serve{given and f' {given}'}")
    return 0


# ------------------------------------------------------------------------------------------------------------------------


_PROMPT = "Please count the lines of /etc/hostname with one shell command."
_TOOL = "wc -l < /etc/hostname"
_EVENT_MS = 25  # with a page there is more to see, at the pace of a person who looks on
_UNGUARDED = Guard()
_SILENT = Destinations(console=Console(quiet=True))


class _Watched(Group, frozen=True):
    """How the demo is watched."""

    page: Page = Page()
    guard: Guard = Guard()


def demo(*, watched: Annotated[_Watched, Only(Page, "guard")], form: Form) -> int:
    """
    Record a small real agent that talks to a fake model over TLS, all on this machine.

    With --server it does a longer task, and a page shows it live until Ctrl-C. Its conversation is compacted once, and loses
    its cache once. With --guard it reads a planted key and sends a part of it, and the alert of that is shown. The recording is
    kept until the next demo.
    """
    page, guard = watched.page, watched.guard
    require_demo()
    as_json = form.as_json
    with ExitStack() as stack:
        try:
            way = stack.enter_context(way_to_see("auto"))
        except Unavailable as error:
            say(f"this is a recording of the demo: here no program can be recorded. {error}")
            return played(_place(Path(stack.enter_context(tempfile.TemporaryDirectory()))), page, as_json=as_json)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="agentsight-rx-demo-")))
        os.chown(folder, *invoking_user())
        if guard.is_on:
            return _guarded(folder, page, guard, way, as_json=as_json)
        return _long(folder, page, way) if page.server else _short(folder, way, as_json=as_json)


@contextmanager
def _model(folder: Path, commands: Sequence[str], *, event_ms: int = 0) -> Generator[int]:
    """The fake model, and its port."""
    words = ["--dir", str(folder), "--event-ms", str(event_ms), "--until-eof"]  # so it ends with us, whatever ends us
    words += [word for command in commands for word in ("--tool-command", command)]
    server = subprocess.Popen(
        [sys.executable, "-m", "agentsight_rx.runtime.demo.fake_llm", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for the capture, which ends before its model
    )
    try:
        yield _port(server)
    finally:
        server.terminate()
        server.wait()
        for pipe in (server.stdin, server.stdout):
            if pipe is not None:
                pipe.close()


def _port(server: subprocess.Popen[str]) -> int:
    line = server.stdout.readline().strip() if server.stdout else ""
    if not line.isdigit():
        raise CaptureError("the demo's own server did not start on 127.0.0.1; is the loopback interface up?")
    return int(line)


def _agent(folder: Path, port: int, prompt: str, way: Way) -> Launch:
    environment = {
        **os.environ,
        "AGENT_COMPACT_TOKENS": str(long_task.COMPACT_TOKENS),
        "ANTHROPIC_BASE_URL": f"https://127.0.0.1:{port}",
        "ANTHROPIC_API_KEY": "no-key-needed",
        "SSL_CERT_FILE": str(folder / "ca.pem"),
    }
    with chdir(folder):
        return Launch.fork(
            [sys.executable, "-m", "agentsight_rx.runtime.demo.agent", prompt], env=environment, traced=way.tracing is not None
        )


def _recorded(launch: Launch, watch: Watch, out: Destinations, way: Way, guard: Guard = _UNGUARDED) -> tuple[int, Summary]:
    options = guard.over(
        Filters(default_filters=True).over(watch.options(Tls(), Stdio(stdio_all_fds=True, stdio_max_bytes=65_536), System()))
    )
    try:
        more = [alerts([Delivery("terminal", "warn", _show_at_once)])] if guard.is_on else []
        return record_command(launch, options, out, name="the demo", stays=bool(out.page.server), more=more, way=way)
    except BaseException:
        launch.abandon()
        raise


def _show_at_once(alert: Mapping[str, object]) -> None:
    to_terminal(alert_said(*(alert[name] for name in ("sentence", "rule", "name"))))


def _short(folder: Path, way: Way, *, as_json: bool) -> int:
    """One question with one tool; it fails where not all of it was seen."""
    path = _place(folder)
    with _model(folder, (_TOOL,)) as port:
        launch = _agent(folder, port, _PROMPT, way)
        status, summary = _recorded(launch, Watch(pid=launch.pid, ssl=True, process=True), _SILENT.into(path), way)
    store = LmdbStore.open(path, readonly=True)
    try:
        totals = read_totals(store)
        if as_json:
            write_json(read_summary(store, Selection(), load_prices(None)))
        else:
            screen = Screen(now_ms=time.time_ns() // 1_000_000)
            print("\n".join(summary_text(store, screen, prices=load_prices(None), given=given_store(path))))
    finally:
        store.close()
    as_planned = summary.complete and totals.calls == 2 and totals.tools_linked == 1
    return status if status or as_planned else 1


def _guarded(folder: Path, page: Page, guard: Guard, way: Way, *, as_json: bool) -> int:
    """A key is planted, the agent reads it and sends a part of it; it fails where no alert says so."""
    page.sinks()  # reports a wrong address before anything starts
    path = _place(folder)
    with _model(folder, (command_for(planted_key(folder)),)) as port:
        launch = _agent(folder, port, PROMPT, way)
        watch = Watch(pid=launch.pid, ssl=True, process=True, files=True, net=True)
        status, _ = _recorded(launch, watch, replace(_SILENT, page=page).into(path), way, guard)
    store = LmdbStore.open(path, readonly=True)
    try:
        rows = [row for row in read_alerts(store, Selection()) if row.part_of is None]
    finally:
        store.close()
    if as_json:
        for row in rows:
            write_json(row)
    else:
        screen = Screen()
        print("\n".join(render(line, screen) for line in alert_lines(rows)))
        _hint(path, "next", "report alerts", f"guard explain {rows[-1].name if rows else 'a1'}")
        say(f"before you switch it on: {program()} guard test {path}; for a build: {program()} check {path}")
    return status or int(all(row.rule != "secret-left" for row in rows))


def _hint(path: Path, what: str, *commands: str) -> None:
    given = given_store(path)
    db = f" --db {given}" if given else ""
    say(f"{what}: " + " · ".join(f"{program()} {command}{db}" for command in commands))


def _place(folder: Path) -> Path:
    """Of the recording: the data directory, else this folder, which the demo removes."""
    try:
        return new_demo_store()
    except UnwritableError as error:
        say(f"NOTHING IS KEPT: {error}")
        return folder / "demo.lmdb"


def _long(folder: Path, page: Page, way: Way) -> int:
    """A task of several turns."""
    page.sinks()  # reports a wrong address before anything starts
    store = _place(folder)
    long_task.prepare(folder)
    with _model(folder, long_task.COMMANDS, event_ms=_EVENT_MS) as port:
        launch = _agent(folder, port, long_task.PROMPT, way)
        watch = Watch(pid=launch.pid, ssl=True, process=True, files=True, net=True, stdio=True, system=True)
        say(f"the page stays; stop with {how_to_end()}")
        status, summary = _recorded(launch, watch, replace(_SILENT, page=page).into(store), way)
    print_closing(summary, store=store, since_ms=summary.ledger.began_ms, who="the demo")
    _hint(store, "its context", "report context", "report cache")
    return status
