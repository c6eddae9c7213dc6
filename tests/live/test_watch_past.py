"""`watch` as root keeps up what agents of each user wrote: hostile homes harm nobody, and what cannot be read is said."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from agentsight_rx.runtime.service.users.places import PAST, USERS
from tests.live.capture import PATIENCE_S, until
from tests.live.test_watch_users import A, B, Machine, machine, model
from tests.sources.session_files.test_source import FILES, NAME
from tests.view.transcripts.samples import CLAUDE, GEMINI_LINES

__all__ = ["machine"]
pytestmark = pytest.mark.live

CLOSED, AWAY, GONE = 61004, 61005, 61006
SECRET = "what-root-alone-may-read"
IDS = {"claude", "codex", "gemini"}


class Homes:
    """Homes of users, and a passwd that has them, in the machine alone."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.top = machine.top / "homes"
        self.top.mkdir(mode=0o755)
        passwd = machine.top / "passwd"
        people = [f"u{uid}:x:{uid}:{uid}::{self.of(uid)}:/usr/sbin/nologin" for uid in (A, B, CLOSED, AWAY)]
        root = [line for line in Path("/etc/passwd").read_text().splitlines() if int(line.split(":")[2]) < 1000]
        passwd.write_text("\n".join([*root, *people]) + "\n")
        passwd.chmod(0o644)
        done = machine.inside("mount", "--bind", str(passwd), "/etc/passwd")
        subprocess.run(done, check=True)
        for uid in (A, B, CLOSED, GONE):
            for inside, content in FILES.items():
                self.write(uid, inside, content)

    def of(self, uid: int) -> Path:
        return self.top / str(uid)

    def write(self, uid: int, inside: str, content: bytes) -> Path:
        path = self.of(uid) / inside
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        for each in (path, *path.parents):
            if each == self.top:
                break
            os.chown(each, uid, uid)
        self.of(uid).chmod(0o700)
        return path

    def product(self, uid: int, *words: str) -> str:
        return self.machine.product(uid, *words, home=str(self.of(uid)))

    def agents(self, uid: int) -> set[str]:
        text = self.product(uid, "report", "sessions", "--json")
        return {json.loads(line)["agent"] for line in text.splitlines() if line.startswith("{")}

    def root(self, *words: str) -> str:
        done = subprocess.run(self.machine.inside(*words), capture_output=True, text=True, timeout=PATIENCE_S)
        return done.stdout + done.stderr


@pytest.fixture
def homes(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Homes:
    """Root has a home of its own, so that nothing of the tester's is read."""
    (machine.top / "root/home").mkdir()
    monkeypatch.setenv("HOME", str(machine.top / "root/home"))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "SUDO_UID", "SUDO_GID", "SUDO_USER"):
        monkeypatch.delenv(name, raising=False)
    return Homes(machine)


def store(uid: int) -> str:
    return f"{USERS}/{uid}/{PAST}"


def is_said(said: list[str], *words: str) -> Callable[[], bool]:
    return lambda: any(all(word in line for word in words) for line in said)


def test_each_user_finds_what_their_agents_wrote_and_hostile_homes_do_no_harm(homes: Homes) -> None:
    machine = homes.machine
    of_root = machine.top / "root/secret.jsonl"
    of_root.write_text(SECRET)
    of_root.chmod(0o600)
    projects = homes.of(A) / ".claude/projects/-work-shop"
    (projects / "a.jsonl").symlink_to(of_root)
    (projects / "b.jsonl").symlink_to(homes.of(B) / NAME)
    os.mkfifo(projects / "c.jsonl", 0o666)
    foreign = homes.write(A, ".claude/projects/-work-shop/d.jsonl", CLAUDE.replace(b"1a2b", b"ffff"))
    os.chown(foreign, B, B)
    foreign.chmod(0o644)
    (homes.of(A) / ".gemini/tmp/x").symlink_to(homes.of(B) / ".gemini")
    homes.of(CLOSED).chmod(0o000)
    os.chown(homes.of(CLOSED), 0, 0)
    # B has put links to root's file where their own past and its messages are written
    homes.root("sh", "-c", f"mkdir -m 711 {USERS}; mkdir -m 700 {USERS}/{B}; chown {B}:{B} {USERS}/{B}")
    homes.root("sh", "-c", f"ln -s {of_root} {store(B)}; ln -s {of_root} {USERS}/{B}/past.log; chown -h {B}:{B} {USERS}/{B}/*")
    with machine.recorder("--past") as (recorder, said):
        until(lambda: IDS == homes.agents(A))
        until(is_said(said, f"past of user {CLOSED} is not kept up", "may not enter their own home"))
        until(is_said(said, f"past of user {AWAY} is not kept up", "home is not mounted"))
        until(is_said(said, f"past of user {B} is not kept up", "cannot be written"))
        assert recorder.poll() is None
    assert SECRET == of_root.read_text()
    assert "ffff" not in homes.product(A, "report", "sessions", "--json", "--all")
    assert f"'{SECRET}' is in none of" in homes.product(A, "report", "find", SECRET)
    assert f"{A} {A} 600" == homes.root("stat", "-c", "%u %g %a", store(A)).strip()
    assert "Permission denied" in homes.product(B, "report", "sessions", "--db", store(A))
    assert "No such file" in homes.root("ls", f"{USERS}/{GONE}"), "no entry in passwd says where their home is"
    assert f"The recorder of this machine does so too: {store(A)}" in homes.product(A, "doctor", "--text")


def test_a_user_goes_on_from_their_own_import_and_may_end_it(homes: Homes) -> None:
    own = homes.of(A) / ".local/share/agentsight-rx" / PAST
    homes.product(A, "import")
    assert own.exists()
    (homes.of(A) / NAME).unlink()  # as its agent does after 30 days
    homes.write(A, ".gemini/tmp/a94a/chats/session-2.jsonl", GEMINI_LINES)
    with homes.machine.recorder("--past"):
        until(lambda: store(A) in homes.product(A, "report", "list", "--json"))
        until(lambda: IDS == homes.agents(A))
        assert "3 sessions of agents' own files" in homes.product(A, "import"), "at the same time"
        assert "imports nothing more of you" in homes.product(A, "import", "--forget")
        assert "no recording found" in homes.product(A, "report", "sessions")
    with homes.machine.recorder("--past") as (_, said):
        until(is_said(said, f"past of user {A} is not kept up", "--forget"))
        assert "No such file" in homes.root("ls", store(A))
        assert "2 sessions of agents' own files" in homes.product(A, "import")


def test_files_are_followed_while_an_agent_of_the_user_runs(homes: Homes) -> None:
    machine = homes.machine
    with ExitStack() as stack:
        certificate, port = model(machine, stack)
        machine.agent(A, certificate, port)
        stack.enter_context(machine.recorder("--past"))
        until(lambda: IDS == homes.agents(A))
        homes.write(A, ".claude/projects/-work-shop/new.jsonl", CLAUDE.replace(b"1a2b", b"9f9f").replace(b"msg_", b"msg_new"))
        until(lambda: "9f9f" in homes.product(A, "report", "sessions", "--json"))
