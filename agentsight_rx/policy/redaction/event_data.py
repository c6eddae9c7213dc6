"""Data of the events of one stream -> the same without secrets, even if a secret is split over several events."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any, TypeAlias, cast

from msgspec import Struct

from .find import OPENS_TEXT, find_secrets
from .patterns import NAME_ENDINGS
from .redactor import Redactor, settled

_Path: TypeAlias = tuple[Any, ...]

# Members that say which block, choice, item or tool call a text belongs to
_WHICH = ("type", "index", "output_index", "content_index", "item_id")


class _Text(Struct):
    """The text `holder[key]` in the event of this number. `marks`: its bytes to replace, as (start, end, replacement)."""

    event: int
    holder: Any
    key: Any
    data: bytes
    names: _Path
    exact: _Path
    marks: list[tuple[int, int, bytes]] = []


def mask_events(datas: Sequence[str], redactor: Redactor, /, *, cut: bool = False) -> list[str]:
    """
    The data of each event, JSON or not. Texts at the same place in several events are searched as one: the texts of one block,
    and the texts of all blocks, since a reader may join these too. Then each event is searched alone.

    A label replaces a secret where it begins; the rest of the secret is removed from the later events. JSON is encoded again
    only if it held such a secret. `cut`: events are missing after these or between them.
    """
    made = list(datas)
    values = [_decoded(data) for data in datas]
    texts = [text for index, value in enumerate(values) for text in _texts(index, value, made)]
    groups: dict[tuple[bool, _Path], list[_Text]] = {}
    for text in texts:
        groups.setdefault((True, text.exact), []).append(text)
        groups.setdefault((False, text.names), []).append(text)
    for group in {tuple(map(id, group)): group for group in groups.values()}.values():  # most are the same ones twice
        _mark(group, redactor, cut)
    for text in texts:
        if text.marks:
            text.holder[text.key] = _without(text).decode("utf-8", "surrogatepass")
    for index in {text.event for text in texts if text.marks and text.holder is not made}:
        made[index] = json.dumps(values[index], separators=(",", ":"))
    return [redactor.text(data) for data in made]


_PARTS = 4  # of an answer, which often goes over from text to the input of a tool


def without_frames(datas: Sequence[str], /) -> str:
    """
    The data of all events, to search for secrets. What most events of a part of the answer begin with, up to their text, is in
    it once: that is most of an answer in small pieces.
    """
    size = len(datas) // _PARTS + 1
    found: list[str] = []
    for start in range(0, len(datas), size):
        part = datas[start : start + size]
        frame = _frame(part[len(part) // 2 - 1], part[len(part) // 2]) if len(part) > 1 else ""
        found.append(frame)
        found += map(str.removeprefix, part, repeat(frame)) if frame else part
    return "\n".join(found)


def _frame(one: str, other: str) -> str:
    """What both begin with, up to the beginning of a text. Empty if there is none, or if its name makes that text a secret."""
    end = len(one)
    for _ in range(_MEMBERS_MOST):
        end = one.rfind(OPENS_TEXT, 0, end)
        if end < 0:
            return ""
        frame = one[: end + len(OPENS_TEXT)]
        if other.startswith(frame):
            name = one[one.rfind('"', 0, end) + 1 : end]
            return "" if name.lower().endswith(_NAMES) else frame
    return ""


_NAMES = (*NAME_ENDINGS, "authorization")
_MEMBERS_MOST = 8  # with a text, in what comes after the text that differs


def _decoded(data: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _texts(event: int, value: Any, datas: list[str]) -> Iterator[_Text]:
    """Every text of a JSON value, with the names that lead to it; or the whole data if it is not JSON."""
    if not isinstance(value, dict | list):
        yield _Text(event, datas, key=event, data=_bytes(datas[event]), names=(), exact=())
        return
    todo: list[tuple[_Path, _Path, object]] = [((), (), cast("object", value))]
    while todo:
        names, exact, holder = todo.pop()
        inside: list[tuple[Any, object]] = list(enumerate(cast("list[object]", holder))) if isinstance(holder, list) else []
        if isinstance(holder, dict):
            inside = list(cast("dict[Any, object]", holder).items())
            exact += tuple(str(inner) for key, inner in inside if key in _WHICH and isinstance(inner, str | int))
        below: list[tuple[_Path, _Path, object]] = []
        for key, inner in inside:
            named = (*names, key) if isinstance(key, str) else (*names, 0)
            if isinstance(inner, str):
                yield _Text(event, holder, key=key, data=_bytes(inner), names=named, exact=(*exact, key))
            elif isinstance(inner, dict | list):
                below.append((named, (*exact, key), cast("object", inner)))
        todo += reversed(below)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _mark(texts: Sequence[_Text], redactor: Redactor, cut: bool) -> None:
    """Mark the secrets in the joined texts."""
    joined = b"".join([text.data for text in texts])
    found = find_secrets(joined, cut=cut)
    at, start = 0, 0
    for secret in settled(joined, found) if found else ():
        while start + len(texts[at].data) <= secret.start < len(joined):
            start += len(texts[at].data)
            at += 1
        label = redactor.label(secret.kind, joined[secret.start : secret.end])
        part, begin = at, start
        while begin < secret.end:
            text = texts[part]
            first, last = max(0, secret.start - begin), min(len(text.data), secret.end - begin)
            if first < last:
                text.marks.append((first, last, label if secret.start >= begin else b""))
            begin += len(text.data)
            part += 1


def _without(text: _Text) -> bytes:
    parts: list[bytes] = []
    done = 0
    for start, end, label in sorted(text.marks, key=lambda mark: (mark[0], -mark[1])):
        if start >= done:
            parts += text.data[done:start], label
        done = max(done, end)
    return b"".join([*parts, text.data[done:]])
