"""
The words of the project -> how many of its sentences are long, or point at a noun that is not there.

`python -m scripts.house` prints both shares for each kind of text. `--worst N` names the worst N sentences of each (20), and
`--kind docs` looks at one kind. `tests/test_sentences.py` holds the goals.

A sentence ends at `.`, `!` or `?`, and at the end of a list item, a paragraph or a table cell. Code counts as one word, and so
does a list of code. Headings, blocks of code and fragments of fewer than five words are not counted.
"""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["KINDS", "Sentence", "Shares", "sentences", "sentences_of_text", "shares"]

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "agentsight_rx"

WORDS_LEAST = 5
WORDS_MOST = 35

# A pronoun in the place of a noun: the reader has to look back for what it stands for.
HANGING = re.compile(
    r"\b(?:those (?:that|which|of|who|whose|in|from|with|where|for)|that (?:of|which)|what (?:is|was|are|were)"
    r"|(?<!there )(?:is|are) (?-i:none)\b)",
    re.IGNORECASE,
)
_END = re.compile(r"(?<=[.!?])[)\"”']*\s+(?=[\"“(`'A-Z0-9…✓–-]|\w+\.md)")
_CODES = re.compile(r"CODE(?:(?:, and |, or | and | or |, | · )CODE)+")
_WORD = re.compile(r"[^\W_]")


@dataclass(frozen=True)
class Sentence:
    """A sentence and the place where it stands."""

    place: str
    text: str

    @property
    def words(self) -> int:
        return sum(bool(_WORD.search(word)) for word in self.text.split())

    @property
    def hanging(self) -> bool:
        return HANGING.search(self.text) is not None

    @property
    def long(self) -> bool:
        return self.words > WORDS_MOST


@dataclass(frozen=True)
class Shares:
    """How many sentences there are, and which of them are hard to read."""

    total: int
    hanging: list[Sentence]
    long: list[Sentence]

    @property
    def hanging_share(self) -> float:
        return len(self.hanging) / max(self.total, 1)

    @property
    def long_share(self) -> float:
        return len(self.long) / max(self.total, 1)


def shares(found: Iterable[Sentence]) -> Shares:
    every = list(found)
    return Shares(len(every), [each for each in every if each.hanging], [each for each in every if each.long])


def sentences(kind: str) -> list[Sentence]:
    """All sentences of a kind of text, in the order of their files."""
    return [each for each in KINDS[kind]() if each.words >= WORDS_LEAST]


def sentences_of_text(text: str, place: str) -> Iterator[Sentence]:
    """The sentences of one paragraph of plain words."""
    text = re.sub(r"``[^`]+``|`[^`]+`", "CODE", text)
    text = re.sub(r"!?\[([^]]*)\]\([^)]*\)", r"\1", text)
    text = _CODES.sub("CODE", " ".join(text.split()))
    for part in _END.split(text.replace("**", "")):
        yield Sentence(place, part.strip())


def _of_markdown(file: Path) -> Iterator[Sentence]:
    place = str(file.relative_to(ROOT))
    text = re.sub(r"^( *)```.*?^\1```$", "\n", file.read_text(), flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"<!--.*?-->", "\n", text, flags=re.DOTALL)
    for block in re.split(r"\n\s*\n|\n(?= *(?:[-*]|\d+\.) )|\n(?=\|)|\n(?=#)|(?<=\|)\n", text):
        line = block.strip()
        if not line or line.startswith("#") or block.startswith("    "):
            continue
        cells = line.split("|") if line.startswith("|") else [re.sub(r"^(?:[-*]|\d+\.) ", "", line)]
        for cell in cells:
            for part in cell.split(" · "):
                yield from sentences_of_text(part, place)


def _docs() -> Iterator[Sentence]:
    generated = {ROOT / "docs" / "cli.md"}
    for file in [ROOT / "README.md", *sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]:
        if file not in generated and (file.name != "README.md" or file.parent == ROOT):
            generated.add(file)
            yield from _of_markdown(file)


def _help() -> Iterator[Sentence]:
    return _of_markdown(ROOT / "docs" / "cli.md")


def _docstrings() -> Iterator[Sentence]:
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                place = f"{file.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"
                for paragraph in re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )", ast.get_docstring(node) or ""):
                    if not paragraph.startswith("    "):
                        yield from sentences_of_text(paragraph, place)


def _messages() -> Iterator[Sentence]:
    for file in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(file.read_text())
        for node in _strings(tree):
            place = f"{file.relative_to(ROOT)}:{node.lineno}"
            text = node.value if isinstance(node, ast.Constant) else "".join(_pieces(node))
            for paragraph in str(text).split("\n"):
                yield from sentences_of_text(paragraph, place)


def _strings(tree: ast.Module) -> Iterator[ast.Constant | ast.JoinedStr]:
    """Every literal text that is no docstring; of an f-string the whole, with a word for each value."""
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    parts = {
        id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node) if part is not node
    }
    for node in ast.walk(tree):
        if id(node) in docs or id(node) in parts:
            continue
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            yield node


def _pieces(node: ast.JoinedStr) -> Iterator[str]:
    for part in node.values:
        yield str(part.value) if isinstance(part, ast.Constant) else "CODE"


_PAGE_TEXT = re.compile(r"\"([^\"\n]{12,})\"|`([^`]{12,})`|>\s*([^<>{}]{12,}?)\s*<")


def _page() -> Iterator[Sentence]:
    for file in sorted((ROOT / "frontend" / "src").rglob("*.ts*")):
        text = re.sub(r"^\s*(?://|\*|/\*).*$|^import .*$", "", file.read_text(), flags=re.MULTILINE)
        for match in _PAGE_TEXT.finditer(text):
            words = next(group for group in match.groups() if group is not None)
            if not re.search(r"[;=]|=>|\bconst\b", words):
                yield from sentences_of_text(re.sub(r"\$\{[^}]*\}", "CODE", words), str(file.relative_to(ROOT)))


KINDS = {"docs": _docs, "help": _help, "messages": _messages, "page": _page, "docstrings": _docstrings}


def main() -> None:
    parser = argparse.ArgumentParser(description="Count sentences that are long or have a hanging pronoun.")
    parser.add_argument("--kind", choices=list(KINDS), action="append", help="only this kind of text, repeatable")
    parser.add_argument("--worst", type=int, default=20, metavar="N", help="the worst N sentences of each kind (20)")
    options = parser.parse_args()
    chosen = options.kind or list(KINDS)
    print(f"{'':12}{'sentences':>10}{'hanging':>10}{'':>7}{'long':>7}")
    for kind in chosen:
        found = shares(sentences(kind))
        hanging, long = f"{found.hanging_share:.1%}", f"{found.long_share:.1%}"
        print(f"{kind:12}{found.total:>10}{len(found.hanging):>10}{hanging:>7}{len(found.long):>7}{long:>7}")
    for kind in chosen:
        found = shares(sentences(kind))
        worst = sorted({*found.hanging, *found.long}, key=lambda each: (-each.long - each.hanging, -each.words, each.place))
        for each in worst[: options.worst]:
            print(f"{each.place}: {'hanging ' * each.hanging}{each.words} words: {each.text}")


if __name__ == "__main__":
    main()
