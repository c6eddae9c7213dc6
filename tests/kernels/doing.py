"""
The name of a check -> it is done; the last line printed says what was found, the exit status whether it works (`statuses`).

    python -m tests.kernels.doing NAME
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

from agentsight_rx.sources.kernel.features import has_may_goto
from tests.kernels.results import Verdict
from tests.kernels.sentences import ALL_CAPTURED, ALL_SEEN, Done, judged
from tests.kernels.statuses import STATUSES
from tests.live.capture import PROGRAM

__all__ = ["do", "main"]

_TESTS: dict[str, tuple[str, ...]] = {
    "process": ("test_process.py::test_fork_exec_and_exit_of_each_process_are_exact",),
    "files": ("test_files.py::test_every_operation_is_emitted_with_path_outcome_and_bytes",),
    "net": ("test_net.py::test_every_operation_is_emitted_with_both_addresses_and_outcome",),
    "stdio": ("test_stdio.py::test_a_client_and_a_server_of_the_python_sdk[legacy]",),
    "readline": ("test_readline.py::test_each_line_is_seen_and_the_input_of_programs_is_not",),
    "single": (
        "test_clients.py::test_every_byte_is_seen_without_uprobe_multi",
        "test_readline.py::test_lines_are_seen_without_uprobe_multi_too",
    ),
    # The rights that are enough by its own account; what is missing without each of them is asked by `rights`
    "rights": ("test_rights.py::test_a_user_with_the_named_capabilities_records_all_of_it",),
}
_DEMO = ("2 calls · ", "Ran 1 command.", "→ exit 0", ALL_CAPTURED)


def do(name: str, directory: Path) -> tuple[Verdict, str]:
    what, *words = name.split(":")
    match what:
        case "doctor":
            return _doctor()
        case "demo":
            return _demo()
        case "programs":
            return _programs(multi=words[0] == "multi", turns=words[-1] == "turns")
        case "record":
            from tests.kernels.recorded import recorded  # takes a second, which other checks do without

            return "works", recorded(words[0], directory)
        case "test":
            return _tested(words[0])
        case "rights":
            from tests.kernels.rights import with_rights

            return with_rights(words[0], words[1], directory)
        case "hooks":
            return _demo()
        case "refused":
            done = _program("record", "--by", "kernel", "--db", str(directory / "run.lmdb"), "--", "/bin/true")
            print(done.printed)
            return judged(done)
        case _:
            raise ValueError(f"no check is called {name}")


def _program(*words: str) -> Done:
    return Done.of(subprocess.run([*PROGRAM, *words], capture_output=True, text=True, check=False))


def _doctor() -> tuple[Verdict, str]:
    done = _program("doctor")
    print(done.printed)
    lines = [line for line in done.printed.splitlines() if line.startswith(("ok ", "-- ", "·· "))]
    lacking = [" ".join(line[3:].split("  ")[0].split()) for line in lines if not line.startswith("ok")]
    verdict, said = judged(done, complete=ALL_SEEN)
    return verdict, f"{len(lines)} lines, not there: {', '.join(lacking) or 'nothing'}" if verdict == "works" else said


def _demo() -> tuple[Verdict, str]:
    done = _program("demo")
    print(done.printed)
    missing = [words for words in _DEMO if words not in done.printed]
    if done.status or missing:
        print(_program("report", "tools").printed, _program("report", "processes").printed, sep="\n\n")
        return "fails", f"exit status {done.status}" + (f", not printed: {', '.join(missing)}" if missing else "")
    return "works", "2 calls, 1 tool with its process and exit code"


def _programs(*, multi: bool, turns: bool) -> tuple[Verdict, str]:
    from tests.kernels.programs import refused_functions

    if turns and not has_may_goto():
        return "absent", "this kernel has no may_goto: all are loaded without"
    count, refused = refused_functions(multi=multi, turns=turns)
    for sentence in refused:
        print(sentence)
    return ("fails", f"{len(refused)} of {count} refused: {refused[0]}") if refused else ("works", f"{count} functions")


def _tested(name: str) -> tuple[Verdict, str]:
    places = [f"tests/live/{test}" for test in _TESTS[name]]
    done = Done.of(
        subprocess.run(
            [sys.executable, "-m", "pytest", "--all", "-n0", "-p", "no:cacheprovider", "--tb=short", *places],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "AGENTSIGHT_PATIENCE_S": "500"},  # an emulated processor is a tenth as fast
        )
    )
    print(done.printed)
    if done.status or "skipped" in done.last:
        failed = [line for line in done.printed.splitlines() if line.startswith(("FAILED", "ERROR", "E   "))]
        return "fails", " ".join((failed[-1] if failed else done.last).split())
    return "works", done.last


def main(name: str) -> int:
    with tempfile.TemporaryDirectory(prefix="kernels-") as directory:
        try:
            verdict, said = do(name, Path(directory))
        except Exception as error:
            if not isinstance(error, AssertionError):
                traceback.print_exc(file=sys.stdout)
            verdict, said = "fails", f"{'' if isinstance(error, AssertionError) else f'{type(error).__name__}: '}{error}"
    print(" ".join(said.split()))
    return STATUSES[verdict]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
