"""
FILE of alerts -> what a hook behind a tool prints, so that the model reads them: for Claude Code, Codex and Gemini CLI.

docs/guard.md has the settings of each. The file is the one of `[[deliver]]` with `file = "…"`.
"""

from __future__ import annotations

import json
import os
import sys
import time

_WAIT_S, _BEFORE_S = 1.0, 0.5  # an alert comes some tenths of a second after the deed, and the deed was just before


def main() -> None:
    path, event = sys.argv[1], json.load(sys.stdin)["hook_event_name"]
    since, until = time.time() - _BEFORE_S, time.monotonic() + _WAIT_S
    while time.monotonic() < until and not (os.path.exists(path) and os.path.getmtime(path) >= since):
        time.sleep(0.05)
    try:
        os.replace(path, f"{path}.read")
    except FileNotFoundError:
        return
    with open(f"{path}.read") as file:
        said = "; ".join(json.loads(line)["sentence"] for line in file)
    context = {"hookEventName": event, "additionalContext": f"The guard of this machine saw: {said}"}
    print(json.dumps({"hookSpecificOutput": context}))


if __name__ == "__main__":
    main()
