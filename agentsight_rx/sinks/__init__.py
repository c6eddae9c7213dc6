"""Destinations: each a noun, made with its options, given to `run`."""

from .console import console
from .jsonl import jsonl
from .store import store

__all__ = ["console", "jsonl", "store"]
