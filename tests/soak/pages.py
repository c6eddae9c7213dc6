"""A page that is open while calls come -> a row of the table: what its heap takes, and whether it moves under its reader."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from tests.browser.browsing import chromium
from tests.browser.page_runs import running
from tests.live.watched import Scene
from tests.soak.measured import MEGA, Figure, slope_of
from tests.view.page.story import long_session, output

__all__ = ["page"]

_STEP_S = 0.2
_EACH_S = 20.0  # between two looks at the heap
_WARM = 0.2  # of the time: until then it fills what has a limit
_READ_FROM = 60  # calls, behind which the reader scrolls to what came first
_GROWTH = 4 * MEGA  # of the heap, behind that; each turn has a bar, so it is not 0
_STANDS = """() => {
  const turn = [...document.querySelectorAll('.page > ol > .turn')].find(each => each.getBoundingClientRect().bottom > 200);
  return [turn?.id ?? '', Math.round(turn?.getBoundingClientRect().top ?? 0)];
}"""
_ROUNDED_PX = 2


def page(_: Scene, *, rate: float, seconds: float) -> Iterator[Figure]:
    """So many calls a second for so long, read at the top of the conversation while the end of it grows."""
    calls = max(_READ_FROM * 2, round(rate * seconds))
    rows = output(long_session(calls))
    at, stands, places, heaps = 0, None, list[Any](), list[tuple[float, float]]()
    with chromium() as browser, running(browser) as run:
        devtools: Any = run.page.context.new_cdp_session(run.page)
        begun = time.monotonic()
        looked = 0.0
        while at < len(rows):
            passed = time.monotonic() - begun
            until = min(len(rows), max(at + 1, int(len(rows) * passed / seconds)))
            run.write(rows[at:until])
            at = until
            if stands is None and at > len(rows) * _READ_FROM // calls:
                run.page.locator(".page > ol > .turn").first.wait_for()
                run.page.mouse.move(600, 500)
                run.page.mouse.wheel(0, -1500)
                run.see("Follow", within=".follow")
                run.page.evaluate("scrollTo(0, 900)")
                run.page.wait_for_timeout(2000)  # what comes into view is loaded, and takes its place
                stands = run.page.evaluate(_STANDS)
            if stands is not None and passed - looked > _EACH_S:
                looked = passed
                places.append(run.page.evaluate(_STANDS))
                devtools.send("HeapProfiler.collectGarbage")
                heaps.append((passed, devtools.send("Runtime.getHeapUsage")["usedSize"]))
            run.page.wait_for_timeout(_STEP_S * 1000)
        took = time.monotonic() - begun
        run.shown.has(f"document.body.innerText.includes('{calls:,}')")  # model calls, in the head
    moved = sum(each[0] != stands[0] or abs(each[1] - stands[1]) > _ROUNDED_PX for each in places if stands)
    settled = [heap for passed, heap in heaps if passed >= _WARM * took]
    grew = settled[-1] - settled[0] if settled else 0.0
    said = f"{calls} calls in {took:.0f} s"
    yield Figure("live page", f"heap behind {said}", f"{heaps[-1][1] / MEGA:.1f} MB" if heaps else "too short to say")
    is_flat = grew < _GROWTH if len(settled) > 2 else None
    yield Figure(
        "live page", "of it grew since a fifth of the time", f"{grew / MEGA:+.1f} MB", f"< {_GROWTH // MEGA} MB", is_flat
    )
    yield Figure("live page", "a minute", f"{60 * slope_of(heaps) / MEGA:+.2f} MB")
    yield Figure(
        "live page", f"of {len(heaps)} looks, the reader's place had moved", f"{moved}", "0", moved == 0 if heaps else None
    )
