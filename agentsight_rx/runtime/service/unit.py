"""What a recorder needs on this machine -> the text of its unit for systemd, with no right beyond that."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from .users.places import USERS

NAME = "agentsight-rx"
UNIT = f"{NAME}.service"
UNIT_FILE = f"/etc/systemd/system/{UNIT}"
RECORDINGS, CACHE, RUNTIME = (f"/{parent}/{NAME}" for parent in ("var/lib", "var/cache", "run"))

# What writes the recordings of users takes, beside what a capture wants: their directories, and processes of theirs
OF_USERS = ("CAP_CHOWN", "CAP_SETGID", "CAP_SETUID")

_HIGH = 0.75  # of the memory limit: from there on the kernel takes pages back and slows the process down
_WATCHDOG_S = 60  # a busy machine may stall a thread for seconds
_START_S = 300  # the first start on a kernel compiles all programs

# The calls of the system: those of any service, and what only a capture makes
_CALLS = "@system-service bpf perf_event_open"

_HARDENING = (
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    "ProtectHome=read-only",  # the programs of agents are there
    "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelLogs=yes",
    "ProtectControlGroups=yes",
    "ProtectClock=yes",
    "ProtectHostname=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
    "RestrictNamespaces=yes",
    "RestrictSUIDSGID=yes",
    "LockPersonality=yes",
    "SystemCallArchitectures=native",
    f"SystemCallFilter={_CALLS}",
    "SystemCallErrorNumber=EPERM",
    "UMask=0077",
)


class Needs(Struct, frozen=True, kw_only=True):
    """
    `program` are the words that start this program, `options` the flags of `watch`. `capabilities` are all that this kernel
    wants of a capture. `memory` is in bytes; `processor` in percent of a core. `backs_off`: this systemd can wait longer before
    each further start (254 and newer; Debian 12 has 252, which starts it each second).
    """

    program: tuple[str, ...]
    options: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    memory: int = 1 << 30
    processor: int = 100
    backs_off: bool = True


def unit_text(needs: Needs) -> str:
    """The unit. Equal needs give equal texts."""
    return "\n".join(_lines(needs)) + "\n"


def _lines(needs: Needs) -> Iterator[str]:
    words = " ".join(map(_quoted, (*needs.program, "watch", *needs.options)))
    capabilities = " ".join(needs.capabilities)
    yield "# Made by `agentsight-rx service install`; `agentsight-rx service uninstall` removes it."
    yield "[Unit]"
    yield "Description=agentsight-rx records what AI agents do on this machine"
    yield "Documentation=man:agentsight-rx(1)"
    yield "After=local-fs.target"
    yield "StartLimitIntervalSec=0"  # it never gives up
    yield ""
    yield "[Service]"
    yield "Type=notify"
    yield "NotifyAccess=main"
    yield f"ExecStart={words}"
    yield 'ExecReload=/bin/sh -c "kill -HUP $MAINPID"'
    yield "Restart=always"
    yield "RestartSec=1"
    if needs.backs_off:
        yield "RestartSteps=4"
        yield "RestartMaxDelaySec=5"  # it captures again within 10 s
    yield f"TimeoutStartSec={_START_S}"
    yield "TimeoutStopSec=30"
    yield "KillMode=mixed"  # the writers of users end behind their last events, with what they read from
    yield f"WatchdogSec={_WATCHDOG_S}"
    yield "OOMPolicy=continue"  # what compiles programs may be ended, and is started again
    yield f"MemoryHigh={int(needs.memory * _HIGH)}"
    yield f"MemoryMax={needs.memory}"
    yield "MemorySwapMax=0"
    yield f"CPUQuota={needs.processor}%"
    yield "LimitMEMLOCK=infinity"  # BPF tables, before Linux 5.11
    yield "LimitRTPRIO=1"  # what is opened for an agent comes before other programs of a busy machine, without CAP_SYS_NICE
    yield f"StateDirectory={NAME} {USERS.name}"
    yield "StateDirectoryMode=0700"
    yield f"CacheDirectory={NAME}"
    yield "CacheDirectoryMode=0700"
    yield f"RuntimeDirectory={NAME}"
    yield "RuntimeDirectoryMode=0700"
    # A private /tmp would hide programs of agents that are there; the machine's may not be written
    yield f"Environment=XDG_DATA_HOME=/var/lib XDG_CACHE_HOME=/var/cache XDG_CONFIG_HOME=/etc TMPDIR={RUNTIME}"
    yield "Environment=PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1"
    yield f"CapabilityBoundingSet={capabilities}"
    yield from _HARDENING
    yield ""
    yield "[Install]"
    yield "WantedBy=multi-user.target"


def _quoted(word: str) -> str:
    """As systemd.service(5) reads a word of a command line: `%` and `$` stand for something, quotes hold a word together."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    escaped = escaped.replace("\n", "\\n").replace("\t", "\\t")
    plain = escaped == word and word and not any(each in word for each in " ;'#")
    return word if plain else f'"{escaped}"'
