"""A deed and what proves it -> the rows of alerts, where it breaks a rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b

from msgspec import Struct
from msgspec.structs import replace

from ....events import Origin, milliseconds
from ....policy.rules.guard.compiled import judge_of
from ....policy.rules.guard.danger import DANGERS
from ....policy.rules.guard.deeds import (
    CallDeed,
    Deed,
    FileDeed,
    LeftDeed,
    NetDeed,
    ProcessDeed,
    PromptDeed,
    ToolDeed,
    UnreadDeed,
)
from ....policy.rules.guard.values import Rule, Rules, shortened, with_short_homes
from ...rows.kinds import AlertRow, Row
from ...rows.tool_words import asked_for
from ...words import cut, data_size, money, plural, times_said
from .chain import Known, Link

# -- words ---------------------------------------------------------------------------------------------------------
# A deed -> what an alert says of it: the agent or its process, a verb in the past, the target, and what makes it matter.


_VERBS = {"write": "wrote", "rename": "renamed", "link": "linked", "remove": "removed", "mkdir": "made the folder"}
_LONG = 120  # characters of a command in a sentence
_TARGET_MOST = 400
_DEEP = 2  # names of a path that is outside of the workspace: files of one folder are one target


def target_of(deed: Deed, chain: Link, *, by_folder: bool) -> str:
    """What tells the alerts of one rule and session from each other. `by_folder`: files of one folder outside are one."""
    match deed:
        case FileDeed() if by_folder and chain.outside(deed.path):
            target = _folder(deed.path, tuple(chain.known.memory.homes), chain.workspace)
        case FileDeed():
            target = deed.path
        case NetDeed():
            target = deed.host
        case ProcessDeed():
            target = deed.target or chain.argv
        case ToolDeed():
            target = asked_for(chain.tool_input) or chain.tool_name
        case CallDeed():
            target = "the session"
        case PromptDeed():
            target = deed.label
        case LeftDeed():
            target = deed.file
        case UnreadDeed():
            target = chain.program or "connections"
    return target[:_TARGET_MOST]


def _folder(path: str, homes: Sequence[str], workspace: str) -> str:
    """
    A file in a home or at the top stays a file. A deeper file becomes the folder of its first two names, or one that is below
    the names that it shares with the workspace.
    """
    home = shortened(path, homes)
    begin = path[: len(path) - len(home) + 1] if home.startswith("~") else ""
    names, its = path[len(begin) :].strip("/").split("/"), workspace.removeprefix(begin).strip("/").split("/")
    shared = next((at for at, (one, other) in enumerate(zip(names, its, strict=False)) if one != other), len(its))
    deep = max(_DEEP, shared + 1 if workspace.startswith(begin) else 0)
    return f"{begin}/{'/'.join(names[:deep])}" + ("/" if len(names) > deep else "")


def sentence_of(deed: Deed, chain: Link) -> str:
    """A sentence, without the count: `cat, run by claude, read ~/.ssh/id_ed25519`."""
    return f"{_who(deed, chain)} {_did(deed, chain)}"


def _who(deed: Deed, chain: Link) -> str:
    agent = chain.agent or "an agent"
    if isinstance(deed, ToolDeed | CallDeed | PromptDeed) or chain.own or chain.asked or not chain.program:
        return agent
    if isinstance(deed, LeftDeed) and not deed.sent:
        return agent
    return f"{chain.program}, run by {agent},"


def _did(deed: Deed, chain: Link) -> str:
    match deed:
        case FileDeed():
            outside = f", outside of {shortened(chain.workspace)}" if deed.op != "read" and chain.outside(deed.path) else ""
            to = f" to {shortened(deed.target)}" if deed.target else ""
            by = f" by its other name {shortened(deed.by)}" if deed.by else ""
            return f"{_VERBS.get(deed.op, deed.op)} {shortened(deed.path)}{to}{by}{outside}"
        case NetDeed():
            size = f"sent {data_size(deed.sent)} to" if deed.sent else "spoke to"
            where = shortened(chain.workspace) or "this workspace"
            new = f", a host that no session in {where} has spoken to" if deed.new else ""
            return f"{size} {deed.host}{new}"
        case ProcessDeed():
            if deed.danger in DANGERS:
                did, do = DANGERS[deed.danger]
                return f"{f'asked to {do}' if deed.asked else did}: {cut(with_short_homes(deed.target), _LONG)}"
            return f"ran {cut(with_short_homes(chain.argv), _LONG)}"
        case ToolDeed() if deed.failures:
            return f"ran {_asked(chain)} {times_said(deed.failures)}, and it failed each time"
        case ToolDeed():
            without = " without its sandbox" if deed.unsandboxed else ""
            return f"asked for {chain.tool_name} {_asked(chain)}{without}"
        case CallDeed():
            calls = plural(chain.calls, "call")
            return f"has spent {money(chain.cost)} and {calls} in this session, {money(chain.day_cost)} today"
        case PromptDeed():
            where = "in a prompt" if deed.place == "prompt" else f"in the result of {deed.place}"
            return f"sent a secret to a model, {where}: {deed.label}"
        case LeftDeed():
            return _left(deed)
        case UnreadDeed():
            seems = f", which looks like {deed.looks_like}," if deed.looks_like else ""
            return f"carried {data_size(deed.size)}{seems} that could not be read"


def _asked(chain: Link) -> str:
    return cut(with_short_homes(" ".join(asked_for(chain.tool_input).split()) or chain.tool_name), _LONG)


def _left(deed: LeftDeed) -> str:
    file = shortened(deed.file)
    if not deed.sent:
        return f"read {file}, and a part of it left in call {deed.turn} to {deed.host}"
    secret = ", with a secret in it," if deed.by_content else ""
    return f"sent {data_size(deed.sent)} to {deed.host}{secret} after the same command had read {file}"


# ------------------------------------------------------------------------------------------------------------------------


_EVIDENCE_MOST = 8  # ids that a row has: the first, and the newest
_SHORT = 200  # characters of a prompt, a command, an input
_OUTSIDE = "file.outside"  # a rule about it is about folders
_LEFT, _LED_TO_IT = "secret-left", ("reads-secret", "searched-secret")  # the first says all that these say of a file


class Proof(Struct, frozen=True):
    """
    What an alert rests on: the ids of rows. `count`: so many deeds; `total`: that many in all, at least. `whole`: nothing of it
    was seen in part; `sure`: it is not only by time that it belongs together. `call`: the call that it is about.
    """

    origin: Origin
    evidence: tuple[str, ...]
    count: int = 1
    total: int = 0
    whole: bool = True
    sure: bool = True
    call: str | None = None


class Context:
    """Shared by all judges: the rules, the state, and the alerts so far."""

    def __init__(self, rules: Rules, known: Known) -> None:
        self.judge = judge_of(rules, tuple(known.memory.homes))
        self.known, self.memory = known, known.memory
        self._sha256 = rules.sha256

    def judged(self, deed: Deed, link: Link, proof: Proof) -> Iterable[Row]:
        """The alerts of a deed. What no agent did breaks no rule."""
        broken = self.judge.broken(deed)
        return self.alerts(broken, deed, link, proof) if broken else ()

    def alerts(self, broken: Iterable[Rule], deed: Deed, link: Link, proof: Proof) -> Iterator[Row]:
        """The alerts of a deed that breaks these rules."""
        if link.owner is not None:
            for rule in broken:
                yield from self._alert(rule, deed, link, proof)

    def _alert(self, rule: Rule, deed: Deed, link: Link, proof: Proof) -> Iterator[Row]:
        alerts, target = self.memory.alerts, target_of(deed, link, by_folder=_OUTSIDE in rule.when)
        id = _id(link.owner or "", rule.name, target)
        known = alerts.get(id)
        if known is None:
            row = self._new(id, rule, deed, link, proof, target=target)
        elif known.evidence[-1:] == proof.evidence[-1:]:
            return
        else:
            row = _again(known, deed, link, proof)
            if row == known:
                return
        alerts.put(id, row)
        yield row
        for name in _LED_TO_IT if rule.name == _LEFT else ():
            smaller = alerts.get(_id(link.owner or "", name, target))
            if smaller is not None and smaller.part_of is None:
                smaller = replace(smaller, part_of=id)
                alerts.put(smaller.id, smaller)
                yield smaller

    def _new(self, id: str, rule: Rule, deed: Deed, link: Link, proof: Proof, *, target: str) -> AlertRow:
        self.memory.number += 1
        tool, session, agent = link.tool, link.session, link.agent_process
        call_id = proof.call or (tool.llm_call_id if tool else None)
        noted = self.memory.calls.get(call_id) if call_id else None
        prompt = noted.prompt if noted else self.memory.prompts.get(session.id, session.title) if session else ""
        ran = tool if tool is not None and link.is_of_tool and tool.related_pid is not None else None
        time_ms = milliseconds(proof.origin.wall_ns)
        may_have_left = rule.name in _LED_TO_IT
        whole = self.memory.alerts.get(_id(link.owner or "", _LEFT, target)) if may_have_left else None
        return AlertRow(
            id,
            time_ms,
            rule.name,
            rule.do,
            sentence_of(deed, link),
            target=target,
            number=self.memory.number,
            count=max(proof.count, proof.total, 1),
            last_timestamp_ms=time_ms,
            because=rule.because,
            session_id=session.id if session else None,
            agent=link.agent or None,
            workspace=link.workspace or None,
            pid=ran.related_pid if ran else link.pid,
            process_id=ran.process_id if ran else link.process_id,
            agent_pid=agent.pid if agent else session.pid if session else None,
            command=cut(with_short_homes(" ".join(ran.related_argv) if ran else link.argv), _SHORT),
            tool_id=tool.id if tool else None,
            tool=cut(f"{tool.tool_name} {' '.join(asked_for(tool.input).split())}", _SHORT) if tool else "",
            call_id=call_id,
            turn=noted.turn if noted else 0,
            prompt=cut(" ".join(prompt.split()), _SHORT),
            host=deed.host if isinstance(deed, NetDeed | LeftDeed) else None,
            evidence=proof.evidence[-_EVIDENCE_MOST:],
            proven=_proven(link, sure=proof.sure),
            complete=proof.whole,
            cost=noted.cost if noted else None,
            part_of=whole.id if whole else None,
            sha256=self._sha256[:8],
        )


def _again(known: AlertRow, deed: Deed, link: Link, proof: Proof) -> AlertRow:
    """The same once more. Where it is the number that matters, the sentence has the new one."""
    count = max(known.count + proof.count, proof.total)
    if count == known.count:
        return known
    evidence = known.evidence
    if len(evidence) < _EVIDENCE_MOST:
        evidence = (*evidence, *(each for each in proof.evidence if each not in evidence))[:_EVIDENCE_MOST]
    else:
        evidence = (*evidence[:-1], proof.evidence[-1])
    return replace(
        known,
        count=count,
        last_timestamp_ms=max(known.last_timestamp_ms, milliseconds(proof.origin.wall_ns)),
        sentence=sentence_of(deed, link) if proof.total else known.sentence,
        evidence=evidence,
        complete=known.complete and proof.whole,
    )


def _proven(link: Link, *, sure: bool) -> int:
    """Of prompt - tool, tool - process, process - target: the links that are proven."""
    tool = link.tool
    if tool is None:
        return int(sure)
    by_time = tool.link == "time" and not link.by_name
    return int(sure) + int(not by_time) + int(bool(tool.llm_call_id))


def _id(owner: str, rule: str, target: str) -> str:
    named = f"{owner}\0{rule}\0{target}".encode("utf-8", "surrogatepass")
    return f"alert-{blake2b(named, digest_size=8).hexdigest()}"
