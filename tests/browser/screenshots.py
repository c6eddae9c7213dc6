"""
`python -m tests.browser.screenshots FOLDER [WORDS…]`: every drawn view of recordings of several kinds and sizes, from 390 to
1,920 px, light and dark, as PNG files for a person to look at. With WORDS only the files whose name has one of them are made.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from agentsight_rx.events import Event
from tests.browser.browsing import chromium, opened
from tests.browser.page_runs import serving
from tests.browser.views import OVERALL, THEMES, WIDTHS, go_to, session_views, sessions_of
from tests.view.page.recordings import RECORDINGS
from tests.view.page.story import Story, long_session, recorded

HEIGHT = 900
TALLEST = 3000  # px of a picture: the rest repeats what it shows
ARABIC = "أصلح مجاميع الفواتير التي تنقصها سنتات، ثم اكتب تقريرا"
HEBREW = "הסכומים מעוגלים פעמיים"


def right_to_left() -> list[Event]:
    """Prompts, answers, commands and paths whose words run from right to left, beside others that do not."""
    story = Story(session="right-to-left")
    result = story.bash(f"cat 'تقارير/{HEBREW}.txt'", ms=40, out=HEBREW, says=f"{ARABIC}: **pytest** 3 × 4", prompt=ARABIC)
    story.ran("/bin/cp", "فاتورة.txt", "copy.txt", ms=20, wrote=["/home/ada/code/parcel/تقارير/فاتورة.txt"])
    result = story.bash("pytest -q", ms=900, code=1, out=f"AssertionError: {HEBREW} != 10.01", says=HEBREW, results=[result])
    story.ask(ms=800, results=[result], says=f"{HEBREW} (round()). {ARABIC}")
    return story.events


def _of_turns(size: int) -> Callable[[Path], Path]:
    return lambda path: recorded(path, long_session(size, session=f"long-{size}"))  # equal ids would be one session


SHOWN: dict[str, Callable[[Path], Path]] = {
    **{f"turns-{size}": _of_turns(size) for size in (8, 84, 502)},
    "agents": RECORDINGS["agents"],
    "errors": RECORDINGS["troubled"],
    "lossy": RECORDINGS["lossy"],
    "past": RECORDINGS["past"],
    "right-to-left": lambda path: recorded(path, right_to_left()),
}


def main(folder: Path, words: list[str]) -> int:
    """How many pictures were made."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    with TemporaryDirectory() as apart, chromium() as browser:
        paths = [made(Path(apart) / f"{name}.lmdb") for name, made in SHOWN.items()]
        with serving(lambda: paths) as served:
            views = {f"all-{name}": address for name, address in OVERALL.items()}
            for at, (recording, id) in enumerate(sessions_of(served)):
                more = f"-{at}" if recording == "past" else ""
                views |= {f"{recording}{more}-{name}": address for name, address in session_views(served, recording, id)}
            for theme in THEMES:
                for width in WIDTHS:
                    wanted = {name: views[name] for name in views if _is_wanted(f"{name}-{width}-{theme}", words)}
                    if not wanted:
                        continue
                    viewport: Any = {"width": width, "height": HEIGHT}
                    with opened(browser, served.url, viewport=viewport, color_scheme=theme) as page:
                        page.page.locator("h1").first.wait_for()
                        for name, address in wanted.items():
                            go_to(page, address)
                            tall = min(TALLEST, page.page.evaluate("document.documentElement.scrollHeight"))
                            page.page.set_viewport_size({"width": width, "height": max(HEIGHT, tall)})
                            page.settled()
                            page.drawn()
                            page.page.screenshot(path=folder / f"{name}-{width}-{theme}.png")
                            page.page.set_viewport_size(viewport)
                            count += 1
    print(f"{count} pictures in {folder}")
    return count


def _is_wanted(name: str, words: list[str]) -> bool:
    return not words or any(word in name for word in words)


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit("which folder? give the one that the pictures go into: python -m tests.browser.screenshots FOLDER [WORDS…]")
    sys.exit(0 if main(Path(sys.argv[1]), sys.argv[2:]) else "no picture has one of these words in its name")
