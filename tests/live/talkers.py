"""GATE -> threads that write records of many lengths at once, each over a TLS connection of its own in memory."""

from __future__ import annotations

import sys
from pathlib import Path
from threading import Thread

from benchmarks.tls_worker import connected
from tests.live.gate import wait_for

THREADS, RECORDS = 7, 101
# From a byte to more than one program of the kernel's side copies; a length over 16 KiB is read in several calls
SIZES = (1, 2, 13, 149, 199, 1021, 4093, 16_381, 16_384, 16_411, 40_009, 700_001)


def record(thread: int, number: int) -> bytes:
    """What is written: it repeats who wrote it and when."""
    size = SIZES[7 * number % (len(SIZES) - 1)] if number != RECORDS // 2 else SIZES[-1]
    word = b"%d-%d." % (thread, number)
    return (word * (size // len(word) + 1))[:size]


def talk(thread: int) -> None:
    client, server = connected()
    for number in range(RECORDS):
        data = record(thread, number)
        client.write(data)
        left = len(data)
        while left:
            left -= len(server.read(left))


def main() -> None:
    wait_for(Path(sys.argv[1]))
    threads = [Thread(target=talk, args=(number,)) for number in range(THREADS)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


if __name__ == "__main__":
    main()
