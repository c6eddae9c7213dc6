"""How long agents keep session files is read in their settings, and counted in the times of files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from agentsight_rx.sources.session_files.files import Home
from agentsight_rx.sources.session_files.keeping import Keeping, keeping
from tests.sources.session_files.test_source import write

DAY_NS = 86_400_000_000_000
NOW_NS = 20_000 * DAY_NS


def found(home: Path) -> list[Keeping]:
    return keeping(Home(str(home), os.geteuid()), now_ns=NOW_NS)


def aged(home: Path, inside: str, *days: float) -> None:
    for number, each in enumerate(days):
        path = write(home, inside.format(number), b"{}\n")
        os.utime(path, ns=(NOW_NS, NOW_NS - round(each * DAY_NS)))


def settings(home: Path, folder: str, value: Any) -> None:
    write(home, f"{folder}/settings.json", json.dumps(value).encode())


def test_claude_code_deletes_after_thirty_days_or_as_its_settings_say(tmp_path: Path) -> None:
    aged(tmp_path, ".claude/projects/-w/{}.jsonl", 1, 22.9, 23.1, 40)
    (made,) = found(tmp_path)
    assert (30, 4, 2, "cleanupPeriodDays") == (made.days, made.files, made.going, made.setting)
    words = "Claude Code deletes session files after 30 days (`cleanupPeriodDays`): 2 of 4 files will be that old within 7 days"
    assert words == made.words
    settings(tmp_path, ".claude", {"cleanupPeriodDays": 365})
    assert [(365, 0)] == [(each.days, each.going) for each in found(tmp_path)]
    settings(tmp_path, ".claude", {"cleanupPeriodDays": "never"})
    assert [] == found(tmp_path)


@pytest.mark.parametrize(
    ("retention", "expected"),
    [
        (None, []),
        ({"enabled": True, "maxAge": "2w", "maxCount": 50}, [(14, 1)]),
        ({"enabled": True, "maxAge": "soon"}, []),
        ({"enabled": False, "maxAge": "30d"}, []),
        ({"enabled": True, "maxCount": 50}, [(None, 0)]),
    ],
)
def test_gemini_deletes_where_its_settings_say_so(retention: Any, expected: list[Any], tmp_path: Path) -> None:
    aged(tmp_path, ".gemini/tmp/a9/chats/{}.json", 1, 10)
    settings(tmp_path, ".gemini", {"general": {"sessionRetention": retention}})
    assert expected == [(each.days, each.going) for each in found(tmp_path)]


def test_others_keep_a_few_or_say_nothing(tmp_path: Path) -> None:
    assert [] == found(tmp_path)
    aged(tmp_path, ".config/mini-swe-agent/{}.traj.json", 1)
    aged(tmp_path, ".codex/sessions/rollout-{}.jsonl", 400)
    assert ["mini-SWE-agent keeps the file of its last run alone"] == [each.words for each in found(tmp_path)]
