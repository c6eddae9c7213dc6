"""`watch` as root, agents of two users: each finds their own sessions, and twelve ways to those of the other end at a door."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from agentsight_rx.runtime.service.users.places import USERS
from tests.live.capture import PATIENCE_S, until
from tests.live.groups import control_group
from tests.live.watched import AGENT, MODEL, end

pytestmark = pytest.mark.live

_ROOT = Path(__file__).parents[2]
_THERE = "/mnt"  # the checkout may be in a directory that only root may enter
_PYTHON = f"{_THERE}/{Path(sys.prefix).relative_to(_ROOT)}/bin/python"
# Commands of the product, each in a fork of one process, which imports it once -> all that each says
_ASKS = """
import json, os, sys
from agentsight_rx.cli import main

def run(words):
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        with open(reading, errors="replace") as said:
            text = said.read()
        os.wait()
        return text
    os.dup2(writing, 1)
    os.dup2(writing, 2)
    os.close(writing)
    sys.argv = ["agentsight-rx", *words]
    try:
        main()
    except SystemExit:
        pass
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)

json.dump([run(words) for words in json.loads(sys.argv[1])], sys.stdout)
"""
A, B, MEMBER, GROUP = 61001, 61002, 61003, 61999  # users and a group that no one is
NAMES = {A: "claude", B: "codex"}
OF_A = re.compile(r"\bclaude\b(?!-sonnet)|of claude")  # A's agent, and what it asks; the model of both has a longer name


class Machine:
    """
    A mount namespace in which the recordings of users are in a file system of its own, and a control group for its agents. So
    are temporary files: who looks through all of them finds what this machine has made, and walks through nothing else.
    """

    def __init__(self, stack: ExitStack, top: Path, group: Path) -> None:
        self._stack, self.top, self.group = stack, top, group
        place = USERS.parent
        temporary = "".join(f"mount -t tmpfs -o mode=1777 tmpfs {each}; " for each in ("/tmp", "/var/tmp", "/dev/shm"))
        script = f"mount --bind {_ROOT} {_THERE}; {temporary}mount -t tmpfs -o mode=755 tmpfs {place}; echo ready; read -r _"
        words = ["unshare", "--mount", "--propagation", "private", "--", "/bin/sh", "-ec", script]
        self.holder = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        stack.callback(end, self.holder)
        assert self.holder.stdout is not None
        assert b"ready\n" == self.holder.stdout.readline()

    def inside(self, *words: str) -> list[str]:
        return ["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt", "--", *words]

    def as_user(self, uid: int, *words: str, gid: int = 0, home: str = "/nonexistent") -> list[str]:
        """The words that run this as a user without rights."""
        numbers = [f"--reuid={uid}", f"--regid={gid or uid}", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"]
        env = [f"HOME={home}", "PATH=/usr/bin:/bin", f"PYTHONPATH={_THERE}", "PYTHONDONTWRITEBYTECODE=1", "COLUMNS=200"]
        return self.inside("setpriv", *numbers, "env", "-i", "-C", "/", *env, *words)

    def says(self, uid: int, *words: str, gid: int = 0, home: str = "/nonexistent") -> str:
        """All that a command says to a user, on either stream."""
        done = subprocess.run(self.as_user(uid, *words, gid=gid, home=home), capture_output=True, text=True, timeout=PATIENCE_S)
        return done.stdout + done.stderr

    def product(self, uid: int, *words: str, gid: int = 0, home: str = "/nonexistent") -> str:
        return self.says(uid, _PYTHON, "-m", "agentsight_rx", *words, gid=gid, home=home)

    def products(self, uid: int, commands: dict[str, list[str]], *, home: str) -> dict[str, str]:
        """The same of several commands."""
        said = self.says(uid, _PYTHON, "-c", _ASKS, json.dumps(list(commands.values())), home=home)
        return dict(zip(commands, json.loads(said), strict=True))

    def agent(self, uid: int, certificate: Path, port: str) -> subprocess.Popen[bytes]:
        """An agent of this user in the control group, which asks the model for each line."""

        def enter() -> None:
            (self.group / "cgroup.procs").write_text(str(os.getpid()))

        arguments = [NAMES[uid], _PYTHON, "-c", AGENT, NAMES[uid], str(certificate), port]
        words = self.as_user(uid, "/bin/bash", "-c", '(exec -a "$0" "$@"); true', *arguments)
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=enter)
        self._stack.callback(end, process)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    @contextmanager
    def recorder(self, *words: str) -> Generator[tuple[subprocess.Popen[str], list[str]]]:
        """`watch` of the group, and the lines that it says."""
        store = self.top / "root" / "machine.lmdb"
        command = [_PYTHON, "-m", "agentsight_rx", "watch", "--db", str(store), "--cgroup", str(self.group), "--users", *words]
        said: list[str] = []
        env = {**os.environ, "PYTHONPATH": _THERE}
        with subprocess.Popen(self.inside(*command), stderr=subprocess.PIPE, text=True, env=env) as process:
            assert process.stderr is not None
            reader = threading.Thread(target=said.extend, args=(iter(process.stderr.readline, ""),))
            reader.start()
            try:
                until(lambda: any("capturing" in line for line in said) or process.poll() is not None)
                assert process.poll() is None, said
                yield process, said
            finally:
                process.terminate()
                process.wait(PATIENCE_S)
                reader.join(PATIENCE_S)


@pytest.fixture
def machine() -> Generator[Machine]:
    top = Path(tempfile.mkdtemp(prefix="agentsight-rx-users-", dir="/run"))  # which stays, unlike temporary files
    top.chmod(0o755)
    (top / "root").mkdir(mode=0o700)
    try:
        with control_group("users") as group, ExitStack() as stack:
            yield Machine(stack, top, group)
    finally:
        shutil.rmtree(top)


def model(machine: Machine, stack: ExitStack) -> tuple[Path, str]:
    """The certificate of a model that answers, and its port."""
    import trustme

    authority = trustme.CA()
    certificate, place = machine.top / "ca.pem", machine.top / "root" / "server.pem"
    authority.cert_pem.write_to_path(str(certificate))
    certificate.chmod(0o644)
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(place))
    process = subprocess.Popen([sys.executable, "-c", MODEL, str(place)], stdout=subprocess.PIPE)
    stack.callback(end, process)
    assert process.stdout is not None
    return certificate, process.stdout.readline().decode().strip()


def asks(agent: subprocess.Popen[bytes]) -> None:
    assert agent.stdin is not None
    assert agent.stdout is not None
    agent.stdin.write(b"\n")
    agent.stdin.flush()
    assert b"done\n" == agent.stdout.readline()


def sessions(text: str) -> list[str]:
    return [json.loads(line)["agent"] for line in text.splitlines() if line.startswith("{")]


def url_of(said: list[str], what: str) -> str:
    until(lambda: any(what in line for line in said))
    return next(line for line in said if what in line).split(what)[1].strip()


def get(url: str, page: str = "") -> tuple[int, str]:
    """The status and the body, with the token of this page."""
    token = page.partition("#token=")[2]
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")


# Ways to what is root's, by which A finds nothing either
ROOTS = frozenset(
    {"alerts", "the store of root", "a directory exchanged", "the page of root", "the figures", "names", "the processes"}
)


class Looking:
    """One user looks for the sessions of A."""

    def __init__(self, machine: Machine, homes: dict[int, Path], pages: dict[int, str], page: str, figures: str) -> None:
        self.machine, self.homes, self.pages, self.figures = machine, homes, pages, figures
        self.page = page.partition("#")[0] + "api/v1/"
        self.store = USERS / str(A) / "agentsight-watched.lmdb"
        self.processes: list[str] = []

    def at_files(self, uid: int) -> dict[str, str]:
        """What files give, as text; "" where none is given. It is compressed, so that anything at all is a leak."""
        mine, store = self.homes[uid] / "tricks", self.store
        link, hard, own = mine / "agentsight-link.lmdb", mine / "agentsight-hard.lmdb", USERS / str(uid)
        make = f"rm -rf {mine}; mkdir -p {mine}; ln -s {store} {link}; ln {store} {hard} || cp {store} {hard}"
        exchange = (
            f"mv {store.parent} {USERS}/x && cat {USERS}/x/*; rmdir {own}; ln -s {store.parent} {own}/a; cat {own}/a/*lmdb"
        )
        inside = [
            f"/proc/{pid}/{name}" for pid in self.processes for name in ("mem", "environ", "maps", "fd/*", "cwd/*", "root/*")
        ]
        all_places = (
            f"/tmp /var/tmp /dev/shm /run {USERS}" if uid != A else f"{self.machine.top}"
        )  # A has some, which others look for everywhere
        commands = {
            "the store": f"cat {store}",
            "its lock": f"cat {store}-lock",
            "its messages and all beside it": f"cat {store.parent}/*; ls -A {store.parent}",
            "the store of root": f"cat {self.machine.top}/root/*",
            "names": f"ls -A {USERS}",
            "a link": f"({make}) 2>/dev/null; cat {link}",
            "a hard link or a copy": f"({make}) 2>/dev/null; cat {hard}",
            "a directory exchanged": exchange if uid != A else "true",
            "temporary files": f"find {all_places} -user {A} -type f -readable 2>/dev/null",
            "the processes": f"cat {' '.join(inside)}" if uid != A else "true",
        }
        return {way: self._printed(uid, command) for way, command in commands.items()}

    def at_answers(self, uid: int) -> dict[str, str]:
        """What the product and the recorder answer, on either stream."""
        home, page = str(self.homes[uid]), self.pages[uid]
        own = page.partition("#")[0] + "api/v1/"
        commands = {
            "report --db": ["report", "sessions", "--db", str(self.store)],
            "replay": ["replay", str(self.store)],
            "export": ["report", "export", "--db", str(self.store), "-o", "-"],
            "sessions": ["report", "sessions"],
            "calls": ["report", "calls"],
            "processes": ["report", "processes"],
            "alerts": ["report", "alerts"],
        }
        found = self.machine.products(uid, commands, home=home)
        found["the page"] = get(own + "sessions", page)[1]
        found["the search of the page"] = self._searched(own, page)
        found["the page of root"] = get(self.page + "sessions", page)[1]
        found["the figures"] = get(self.figures)[1]
        return found

    def _searched(self, own: str, page: str) -> str:
        until(lambda: "codex" in (text := get(own + "search?q=turn", page)[1]) or "claude" in text)
        return get(own + "search?q=turn", page)[1]

    def _printed(self, uid: int, command: str) -> str:
        done = subprocess.run(self.machine.as_user(uid, "sh", "-c", command), capture_output=True, check=False)
        return done.stdout.decode(errors="replace")


@contextmanager
def page_of(machine: Machine, uid: int, home: Path) -> Generator[str]:
    """The address of the page that a user serves for themselves."""
    words = machine.as_user(uid, _PYTHON, "-m", "agentsight_rx", "serve", "--server-port", "0", home=str(home))
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            found = re.search(r"(http://\S+);", line)
            assert found, line + process.stderr.read()
            yield found[1]
        finally:
            process.terminate()


def test_each_user_finds_their_sessions_and_none_of_another_user(machine: Machine) -> None:
    homes = {uid: machine.top / str(uid) for uid in (A, B)}
    for uid, home in homes.items():
        (home / ".local/share/agentsight-rx").mkdir(mode=0o700, parents=True)
        for path in (home, *home.rglob("*")):
            os.chown(path, uid, uid)
        home.chmod(0o700)
    with ExitStack() as stack:
        certificate, port = model(machine, stack)
        words = ["--share-with", str(GROUP), "--server", "--server-port", "0", "--metrics", "127.0.0.1:0", "--guard"]
        recorder, said = stack.enter_context(machine.recorder(*words))
        agents = {uid: machine.agent(uid, certificate, port) for uid in (A, B)}

        # their own, by no option; an agent asks again, since what it asked before all was attached is not recorded
        for uid, home in homes.items():

            def finds(uid: int = uid, home: Path = home) -> bool:
                asks(agents[uid])
                found = machine.product(uid, "report", "sessions", home=str(home))
                return [NAMES[uid]] == sessions(found) and f"of {NAMES[uid]}" in found

            until(finds)
        everything = ["report", "sessions"]
        until(lambda: {"claude", "codex"} == {*sessions(machine.product(MEMBER, *everything, gid=GROUP))})
        assert "no recording found" in machine.product(MEMBER, *everything), "not of the group"
        root = subprocess.run(
            [*machine.inside(_PYTHON, "-m", "agentsight_rx"), *everything, "--db", str(machine.top / "root/machine.lmdb")],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": _THERE},
            check=True,
        )
        assert {"claude", "codex"} == {*sessions(root.stdout)}

        writers = {pid: Path("/proc", pid).stat().st_uid for pid in _processes() if b"watch.writer" in _cmdline(pid)}
        assert {A, B} < {*writers.values()}
        assert 3 == len(writers), "and one of the group"
        with page_of(machine, A, homes[A]) as page_of_a, page_of(machine, B, homes[B]) as page_of_b:
            pages = {A: page_of_a, B: page_of_b}
            looking = Looking(machine, homes, pages, url_of(said, "live page: "), url_of(said, "figures: "))
            looking.processes = [str(recorder.pid), *(pid for pid, uid in writers.items() if uid != B)]
            files, shown = looking.at_files(B), looking.at_answers(B)
            assert {} == {way: text for way, text in files.items() if text}, "a file that another user may read"
            assert 12 <= len(files) + len(shown)
            assert [] == [way for way, text in shown.items() if OF_A.search(text)]

            # the same ways lead A to their own, so a way that finds nothing is a door, and not a mistake of the test
            assert [] == [way for way, text in looking.at_files(A).items() if not text and way not in ROOTS]
            assert [] == [way for way, text in looking.at_answers(A).items() if not OF_A.search(text) and way not in ROOTS]
            assert {401} == {get(looking.page + way, pages[B])[0] for way in ("recordings", "sessions", "search?q=turn")}

        for agent in agents.values():
            assert agent.stdin is not None
            agent.stdin.close()
            agent.wait(PATIENCE_S)
            assert agent.stdout is not None
            agent.stdout.close()
    for uid in (A, B):
        health = machine.product(uid, "report", "health", "--json", home=str(homes[uid]))
        assert json.loads(health)["complete"] is True, health


def _processes() -> list[str]:
    return [name for name in os.listdir("/proc") if name.isdecimal()]


def _cmdline(pid: str) -> bytes:
    with suppress(OSError):
        return Path("/proc", pid, "cmdline").read_bytes()
    return b""
