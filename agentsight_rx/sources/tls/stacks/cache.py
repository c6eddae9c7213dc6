"""What files were found to have, kept between runs: a search takes up to some seconds, and programs are started often."""

from __future__ import annotations

from typing import BinaryIO

from .finding import Finding
from .search import find_stacks

__all__ = ["find_stacks_cached"]


def find_stacks_cached(file: BinaryIO, name: str) -> tuple[Finding, ...]:
    return find_stacks(file, name)
