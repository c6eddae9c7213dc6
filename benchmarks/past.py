"""Session files as a year leaves them -> rows: MB/s of one processor, and a look at nothing new."""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from sysconfig import get_path

import msgspec

from agentsight_rx.runtime.importing import import_run
from agentsight_rx.sources.session_files.look import Progress, TranscriptsOptions
from benchmarks.timing import Case, Row, Work, measure

__all__ = ["rows"]

_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_SIZE = 50_000_000  # bytes, in files of about 100 kB
_FILE = 100_000


def rows(rounds: int, scale: float = 1.0) -> list[Row]:
    folder = Path(tempfile.mkdtemp(prefix="past-"))
    try:
        home = folder / "home"
        files = _written(home, size=int(_SIZE * scale))
        size = sum(file.stat().st_size for file in files)
        lines = sum(file.read_bytes().count(b"\n") for file in files)
        store = folder / "full.lmdb"
        _imported(home, store)
        cases = [
            Case("the JSON alone", lambda: _decoding(files), lines, size),
            Case("into a new store", lambda: _anew(home, folder), lines, size, floor="the JSON alone", target=35.0),
            Case("nothing new, per file", lambda: lambda: _imported(home, store), len(files)),
        ]
        return measure("past", cases, min(rounds, 3))
    finally:
        shutil.rmtree(folder)


def _decoding(files: Sequence[Path]) -> Work:
    decoder = msgspec.json.Decoder(object)
    return lambda: [decoder.decode_lines(file.read_bytes()) for file in files]


def _anew(home: Path, folder: Path) -> Work:
    path = folder / "new.lmdb"
    path.unlink(missing_ok=True)
    return lambda: _imported(home, path)


def _imported(home: Path, path: Path) -> None:
    owner = home.stat()
    options = TranscriptsOptions(home=str(home), uid=owner.st_uid)
    with import_run(path, options, Progress(), owner=(owner.st_uid, owner.st_gid)) as running:
        running.wait()
        running.stop()


# -- files of Claude Code ------------------------------------------------------------------------------------------


def _written(home: Path, *, size: int, seed: int = 1) -> list[Path]:
    """About `size` bytes of Claude Code's session files below `home`; their texts are this Python's own library."""
    made: list[Path] = []
    chosen = random.Random(seed)
    left = size
    while left > 0:
        begin = _BEGIN + timedelta(hours=len(made))
        session = f"{chosen.getrandbits(32):08x}-0000-4000-8000-{len(made):012x}"
        path = home / ".claude" / "projects" / f"-work-project-{len(made) % 40}" / f"{session}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        most = int(chosen.lognormvariate(0, 0.8) * _FILE)
        path.write_text("".join(_lines(session, begin, most, chosen, folder=f"/work/project-{len(made) % 40}")))
        left -= path.stat().st_size
        made.append(path)
    return made


def _lines(session: str, begin: datetime, most: int, chosen: random.Random, *, folder: str) -> Iterator[str]:
    at, size, number = begin, 0, 0
    line = _Line(session, folder)
    texts = _texts()
    while size < most:
        number += 1
        turn = [line.prompt(at, f"Look at step {number} and mend what is wrong with it. " + _part(chosen, texts, 300))]
        context = 20_000
        for call in range(chosen.randint(2, 9)):
            at += timedelta(seconds=chosen.uniform(3, 40))
            context += 2_000
            tool = f"toolu_{session[:8]}{number:05d}{call:04d}"
            turn += line.answer(at, f"msg_{session[:8]}{number:05d}{call:04d}", tool, context, _part(chosen, texts, 500))
            at += timedelta(seconds=chosen.uniform(0.1, 5))
            turn.append(line.result(at, tool, _part(chosen, texts, int(chosen.lognormvariate(7.5, 1.0)))))
        size += sum(map(len, turn))
        yield from turn


class _Line:
    def __init__(self, session: str, folder: str) -> None:
        self._head = {"sessionId": session, "cwd": folder, "gitBranch": "main", "version": "2.1.0", "userType": "external"}
        self._number = 0

    def prompt(self, at: datetime, text: str) -> str:
        return self._made(at, "user", {"role": "user", "content": text})

    def answer(self, at: datetime, id: str, tool: str, context: int, text: str) -> list[str]:
        usage = {
            "input_tokens": 8,
            "cache_creation_input_tokens": 2_000,
            "cache_read_input_tokens": context,
            "output_tokens": len(text) // 4,
        }
        blocks = [
            {"type": "text", "text": text},
            {"type": "tool_use", "id": tool, "name": "Read", "input": {"file_path": f"{self._head['cwd']}/{tool}.py"}},
        ]
        message = {"id": id, "type": "message", "role": "assistant", "model": "claude-sonnet-4-5-20250929", "usage": usage}
        return [self._made(at, "assistant", {**message, "content": [block]}, requestId=f"req_{id}") for block in blocks]

    def result(self, at: datetime, tool: str, text: str) -> str:
        content = [{"type": "tool_result", "tool_use_id": tool, "content": text}]
        beside = {"type": "text", "file": {"filePath": f"{self._head['cwd']}/{tool}.py", "content": text}}
        return self._made(at, "user", {"role": "user", "content": content}, toolUseResult=beside)

    def _made(self, at: datetime, kind: str, message: dict[str, object], **more: object) -> str:
        self._number += 1
        head = {"uuid": f"{self._head['sessionId'][:24]}{self._number:012x}", "timestamp": at.isoformat(), "type": kind}
        return json.dumps({**self._head, **head, "message": message, **more}, ensure_ascii=False) + "\n"


@cache
def _texts() -> str:
    """About 3 MB of code."""
    library = Path(get_path("stdlib"))
    return "".join(file.read_text(errors="replace") for file in sorted(library.glob("*.py"))[:120])


def _part(chosen: random.Random, texts: str, size: int) -> str:
    start = chosen.randrange(len(texts) - size)
    return texts[start : start + size]
