"""The invoking user -> the alerts that the user has seen, and the rules of now."""

from __future__ import annotations

from ..runtime.recording.deciding import Deciding
from ..runtime.recording.seen_file import SeenFile
from .flags.guard import RULES_FILE, given_rules
from .launch import invoking_user
from .own_files import own_file
from .stores import seen_path

__all__ = ["deciding"]


def deciding() -> Deciding:
    path = seen_path()
    seen = SeenFile(path, invoking_user()) if path is not None else None
    return Deciding(seen, rules=lambda: given_rules(None), place=own_file(RULES_FILE))
