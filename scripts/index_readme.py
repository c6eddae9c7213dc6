"""
The README of the checkout -> the README that a package index shows: no link in it depends on the place of the file.

With the address of a repository (`[project.urls] Repository` in pyproject.toml) pictures and links lead there, to the commit of
the build. Without one no address would be true: pictures are left out, links become their text, and a sentence says where both
are.
"""

from __future__ import annotations

import re

__all__ = ["index_readme"]

_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?![a-z]+:|#)([^)#]+)(#[^)]*)?\)")
_ABSENT = "The source distribution contains the pictures and the pages that this text names."


def index_readme(text: str, *, repository: str = "", commit: str = "") -> str:
    """`commit` is the newest of the repository where it is unknown."""
    blocks = re.split(r"(^```.*?^```$)", text, flags=re.MULTILINE | re.DOTALL)  # code stays as it is
    base = repository.rstrip("/")
    blocks[::2] = [_prose(block, base, commit or "HEAD") for block in blocks[::2]]
    whole = "".join(blocks)
    return whole if base else whole.replace("\n\n", f"\n\n{_ABSENT}\n\n", 1)


def _prose(text: str, base: str, commit: str) -> str:
    if not base:
        text = re.sub(r"^!\[[^\]]*\]\((?![a-z]+:)[^)]*\)\n\n?", "", text, flags=re.MULTILINE)
        return _LINK.sub(lambda link: link[2], text)
    # as GitHub has them
    return _LINK.sub(
        lambda link: f"{link[1]}[{link[2]}]({base}/{'raw' if link[1] else 'blob'}/{commit}/{link[3]}{link[4] or ''})", text
    )
