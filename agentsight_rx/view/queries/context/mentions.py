"""The pieces of a context, as they come -> the tools and files that they are of, and when a model last named these files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec import DecodeError, Struct, json

from ....llm.context.held import Held
from ....llm.context.pieces import UNNAMED
from ....store.rows.kinds import ToolRow

_NAMES = re.compile(rb"[\w.+-]{3,80}")  # a file name in a text
_FILES = b"file_path|filePath|path|absolute_path|notebook_path|filename|target_file"
_COMMANDS = b"command|cmd|pattern|query|url|description|prompt|code"


def _member(names: bytes, value: bytes, nested: bytes) -> re.Pattern[bytes]:
    """The text of a member; the second group: in JSON that is itself in a text of JSON, as the arguments of OpenAI are."""
    plain = rb'"(?:%b)"\s*:\s*\[?"%b' % (names, value)
    return re.compile(rb'%b|\\"(?:%b)\\"\s*:\s*\[?\\"%b' % (plain, names, nested))


_LETTER, _NESTED = rb'(?:[^"\\]|\\.)', rb'(?:[^"\\]|\\\\(?:\\["\\]|[^"\\])|\\[^"\\])'
_FILE = _member(_FILES, rb'(%b{1,400})"' % _LETTER, rb'(%b{1,400})\\"' % _NESTED)
_ASKED = _member(_COMMANDS, rb"(%b{1,200})" % _LETTER, rb"(%b{1,200})" % _NESTED)  # or the begin of it
_PREVIEW = 160  # characters
_CUT_MOST = 3  # escapes at the end that are not whole: the begin of one, behind the first half of a pair
_SAID = ("answer", "reasoning", "summary")


class Maker(Struct, frozen=True):
    """The call of a tool: its name, the file or the begin of what its input names, and the turn whose answer has it."""

    tool: str
    file: str = ""
    asked: str = ""
    turn: int = 0


class Mentions:
    """Of one agent, from the texts of its requests: what an answer says is known once it is sent again."""

    def __init__(self) -> None:
        self.makers: dict[str, Maker] = {}  # by the id of the call
        self._unnamed: dict[int, None] = {}  # numbers of calls without an id
        self._waiting: list[Maker] = []  # of the newest of them, in the order of the model: those without a result
        self._results: dict[int, Maker] = {}  # of results without the id of a call, by number
        self._last: Held | None = None  # the newest of them, behind these calls
        self.previews: dict[bytes, str] = {}  # by digest of the piece
        self.summed_up: dict[bytes, frozenset[str]] = {}  # names in a summary
        self.sizes: dict[bytes, int] = {}  # bytes of the text of instructions, as a file has it
        self._named: dict[str, list[int]] = {}  # turns whose answers have the name
        self._files: dict[str, dict[int, None]] = {}  # numbers of pieces, by the name of the file without its folder

    def add(self, news: Iterable[tuple[Held, bytes]], answered: int) -> Iterator[int]:
        """
        New pieces. `answered`: the turn of the request before, whose answer may be among them. Returns the numbers of the
        files that it names. The same pieces again change nothing.
        """
        for held, text in news:
            piece = held.piece
            self.previews[piece.digest] = _plain(text[: 2 * _PREVIEW])[:_PREVIEW]
            if piece.origin == "instructions":
                self.sizes[piece.digest] = _plain_size(text)
            if piece.origin in _SAID:
                names = frozenset(each.decode(errors="replace") for each in _NAMES.findall(text))
                if piece.origin == "summary":
                    self.summed_up[piece.digest] = names
                for name in names:
                    turns = self._named.setdefault(name, [])
                    if turns[-1:] != [answered]:
                        turns.append(answered)
                    yield from self._files.get(name, ())
            if piece.origin == "answer" and piece.name:
                self._asks(held, _maker(piece.name, text, answered))
            elif piece.origin == "result" and (maker := self._asked_by(held)) is not None:
                held.kind = "file" if maker.file else "command" if maker.asked else "result"
                if maker.file:
                    self._files.setdefault(_short(maker.file), {})[held.number] = None

    def know(self, tools: Iterable[ToolRow], turn: int) -> None:
        """Tools that the answer of that turn asked for, which is not sent again."""
        self.makers.update((tool.tool_call_id, _maker(tool.tool_name, tool.input.encode(), turn)) for tool in tools)

    def maker_of(self, held: Held) -> Maker | None:
        """The call whose result a piece is."""
        return self._results.get(held.number) or self.makers.get(held.piece.ref)

    def _asks(self, held: Held, maker: Maker) -> None:
        if held.piece.ref:
            self.makers[held.piece.ref] = maker
        elif held.number not in self._unnamed:
            if self._last is not None:  # of an earlier answer
                self._waiting.clear()
                self._last = None
            self._unnamed[held.number] = None
            self._waiting.append(maker)

    def _asked_by(self, held: Held) -> Maker | None:
        """Without an id results come in the order of their calls. Several pieces may be of one result."""
        found, piece, last = self.maker_of(held), held.piece, self._last
        if found is not None or not (piece.name or piece.ref.startswith(UNNAMED)):
            return found
        if last is not None and (last.piece.ref, last.piece.name) == (piece.ref, piece.name) and piece.start >= last.piece.end:
            found = self._results.get(last.number)
        else:
            found = next((each for each in self._waiting if piece.name in ("", each.tool)), None)
            self._waiting = [each for each in self._waiting if each is not found]
        self._last = held
        if found is not None:
            self._results[held.number] = found
        return found

    def last_named(self, file: str, before: int) -> int:
        """The newest turn before that one whose answer has the name of this file, without its folder; 0: none."""
        return next((turn for turn in reversed(self._named.get(_short(file), ())) if turn < before), 0)


def _maker(tool: str, given: bytes, turn: int) -> Maker:
    return Maker(tool, _found(_FILE, given), " ".join(_found(_ASKED, given).split()), turn)


def _found(shape: re.Pattern[bytes], text: bytes) -> str:
    found = shape.search(text)
    if found is None:
        return ""
    plain, nested = found.groups()
    return _plain(_plain(nested).encode()) if plain is None else _plain(plain)


def _plain(text: bytes) -> str:
    """A text that is written in JSON, without its escapes. It may be cut anywhere, also in an escape or a character."""
    rest = text.decode(errors="ignore").encode()
    for _ in range(_CUT_MOST):
        try:
            return json.decode(b'"' + rest + b'"', type=str).encode(errors="replace").decode()
        except (DecodeError, UnicodeError):
            begin, escape, _ = rest.rpartition(b"\\")
            if not escape:
                break
            rest = begin
    return text.decode(errors="replace")


def _plain_size(text: bytes) -> int:
    """Bytes of a text that is written in JSON, or of as much of it as is there."""
    try:
        return len(json.decode(b'"' + text + b'"', type=str).encode("utf-8", "surrogatepass"))
    except (DecodeError, UnicodeError):
        return len(text)


def _short(file: str) -> str:
    return file.rpartition("/")[2]
