"""
FOLDER NUMBER [WORDS] -> in a PID namespace: a program with this number, which works as one outside with the same number does,
and a trace with these WORDS, whose lines are printed. Files in FOLDER say when the programs may begin and which one is done.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.live.capture import PATIENCE_S, tracing, until

__all__ = ["worker"]

# FOLDER NAME: waits, then makes a directory, a program, a connection and a pipe, each with the name in it where there is one
WORKER = """
import os, socket, subprocess, sys, time
folder, name = sys.argv[1:]
while not os.path.exists(folder + "/go"):
    time.sleep(0.005)
os.mkdir(folder + "/made-by-" + name)
with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()):
    pass
print(subprocess.run(["/bin/echo", "run-by-" + name], stdout=subprocess.PIPE, check=True).stdout)
open(folder + "/done-" + name, "x").close()
"""


@contextmanager
def worker(folder: Path, name: str) -> Generator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", WORKER, str(folder), name], stdout=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def main() -> None:
    folder, number, *words = sys.argv[1:]
    place = Path(folder)
    Path("/proc/sys/kernel/ns_last_pid").write_text(str(int(number) - 1))
    with worker(place, "inside") as inside:
        assert inside.pid == int(number)
        with tracing("trace", "--json", "--process", "--files", "--net", *words) as (tracer, _):
            (place / "go").touch()
            until(lambda: (place / "done-inside").exists() and (place / "done-outside").exists())
            assert inside.wait(PATIENCE_S) == 0
            tracer.send_signal(signal.SIGINT)
            out, err = tracer.communicate(timeout=PATIENCE_S)
    assert tracer.returncode == 0
    assert "nothing is missing" in err
    print(out, end="")


if __name__ == "__main__":
    main()
