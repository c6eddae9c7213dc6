"""A process that ships a spool and ends itself by kill -9 at its Nth step: killed_ship.py SPOOL TO N."""

from __future__ import annotations

import os
import signal
import sys

from agentsight_rx.runtime.cluster import Shipper, place_of


def main(spool: str, to: str, steps: int) -> None:
    left = steps

    def at(_: str, __: int) -> None:
        nonlocal left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    Shipper(spool, place_of(to, at), at=at).run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
