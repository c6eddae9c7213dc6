"""The examples do what docs/library.md shows: each runs from the built wheel, outside the checkout, on their recording."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from reactivex import Observable

from agentsight_rx import TraceOptions, sources
from agentsight_rx.core.engine import Engine
from agentsight_rx.core.stream import of
from agentsight_rx.events import Event, time_of
from agentsight_rx.graphs import recorded
from tests import gallery

pytestmark = pytest.mark.xdist_group("the examples")  # two workers would build the wheel twice

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
PAGE = (ROOT / "docs" / "library.md").read_text()
LINES_MOST = 40

# A program of the page, and what it prints
SHOWN = re.compile(r"^```python\n(?P<code>.*?)^```\n\n```text\n(?P<said>.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAMS = [(match["code"], match["said"]) for match in SHOWN.finditer(PAGE)]
NAMED = re.compile(r"# examples/(?P<name>\w+\.py)\n(?P<code>.*)", re.DOTALL)
GALLERY = {found["name"]: (found["code"], said) for code, said in PROGRAMS if (found := NAMED.fullmatch(code))}
BLOCKS = [(code, said) for code, said in PROGRAMS if not NAMED.fullmatch(code)]
NOTEBOOK = """
import ast, sys
space, shown = {}, []
for cell in sys.argv[1:]:
    *body, last = ast.parse(cell).body
    exec(compile(ast.Module([*body, *([] if isinstance(last, ast.Expr) else [last])], []), "cell", "exec"), space)
    value = eval(compile(ast.Expression(last.value), "cell", "eval"), space) if isinstance(last, ast.Expr) else None
    shown.append(repr(value) if len(shown) == 0 else getattr(value, "_repr_html_", lambda: repr(value))())
print(*shown, sep=chr(0), end="")
"""
NO_PART = {"agent.py", "alerts_hook.py"}  # an agent to record, and a hook of one


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what the wheel has, without the page, which no example needs."""
    folder = tmp_path_factory.mktemp("wheel")
    environment = {**os.environ, "HATCH_BUILD_NO_HOOKS": "true"}
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    (file,) = folder.glob("*.whl")
    with zipfile.ZipFile(file) as packed:
        packed.extractall(folder / "installed")
    return folder / "installed"


class Model(BaseHTTPRequestHandler):
    """A model that has one answer."""

    def do_POST(self) -> None:
        said = {"choices": [{"message": {"content": "a wrong total was fixed, and pushed by force"}}]}
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(said).encode())

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Model) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def said(wheel: Path, model: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """What a Python program prints in a folder with the examples and their recording, where only the wheel has the package."""
    folder = tmp_path_factory.mktemp("user")
    shutil.copytree(EXAMPLES, folder / "examples")
    shutil.copy(EXAMPLES / "run.jsonl", folder)
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(wheel), "MODEL_URL": model}

    def run(*words: str) -> str:
        command = [sys.executable, "-P", "-W", "error", *words]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert f"{wheel}/agentsight_rx/__init__.py\n" == run("-c", "import agentsight_rx; print(agentsight_rx.__file__)")
    run("-m", "agentsight_rx", "replay", "run.jsonl", "--db", "run.lmdb", "--quiet")
    return run


def test_the_page_shows_every_example() -> None:
    assert {each.name for each in EXAMPLES.glob("*.py")} - NO_PART == set(GALLERY)
    assert {name: (EXAMPLES / name).read_text() for name in GALLERY} == {name: code for name, (code, _) in GALLERY.items()}


@pytest.mark.parametrize("name", GALLERY)
def test_an_example_prints_what_the_page_shows(said: Callable[..., str], name: str) -> None:
    first, _, shown = GALLERY[name][1].partition("\n")
    assert f"{first} ".startswith(f"$ python examples/{name} ")
    assert shown == said(*first.removeprefix("$ python ").split())
    assert len((EXAMPLES / name).read_text().splitlines()) < LINES_MOST


def test_the_notebook_runs_cell_by_cell(said: Callable[..., str]) -> None:
    """As a notebook does it: all cells share their names, and the last value of a cell is shown."""
    cells = re.split(r"^# %%.*$", (ROOT / "docs" / "notebook.py").read_text(), flags=re.MULTILINE)[1:]
    shown = said("-c", NOTEBOOK, *cells).split("\0")
    assert len(cells) == len(shown)
    assert shown[0].startswith("<Recording run.lmdb: 1 session, 7 calls, 37,166 tokens, ")
    assert shown[1].startswith("<p>Edited 2 files, ran 3 commands")
    assert "<table><tr><td>" in shown[3]
    assert shown[-1].startswith("<pre>")
    assert not any("<script" in each or str(ROOT) in each for each in shown)


@pytest.mark.parametrize("code", [code for code, _ in BLOCKS], ids=["reading", "tables", "sources", "resume"])
def test_a_program_of_the_page_prints_what_it_shows(said: Callable[..., str], code: str) -> None:
    assert dict(BLOCKS)[code] == said("-c", code)


def test_the_recording_of_the_examples_is_the_story() -> None:
    """Where this fails: python -m tests.gallery > examples/run.jsonl"""
    assert b"".join(line + b"\n" for line in gallery.lines()) == (EXAMPLES / "run.jsonl").read_bytes()


def _events() -> list[Event]:
    found: list[Event] = []
    sources.replay(sources.ReplayOptions((str(EXAMPLES / "run.jsonl"),))).subscribe(found.append)
    return found


@pytest.mark.parametrize("size", [1, 7, 300])
def test_the_alerts_are_the_same_for_batches_of_any_size(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(sys, "path", [str(EXAMPLES), *sys.path])
    example: Any = import_module("command_after_prompt")
    events = _events()
    alerts: list[str] = []
    graph = recorded(of(*(events[at : at + size] for at in range(0, len(events), size)), time_of=time_of), TraceOptions())
    watched: Observable[str] = example.alerts(graph)
    engine = Engine()
    watched.subscribe(alerts.append, scheduler=engine)
    engine.run_inline()
    assert ["2.1 s after 'Push it.': git push --force origin main"] == alerts
