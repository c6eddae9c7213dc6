"""A deed and what proves it -> the rows of alerts, where it breaks a rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b

from msgspec import Struct
from msgspec.structs import replace

from ....events import Origin, milliseconds
from ....policy.rules.guard.compiled import judge_of
from ....policy.rules.guard.deeds import Deed, LeftDeed, NetDeed
from ....policy.rules.guard.homes import with_short_homes
from ....policy.rules.guard.values import Rule, Rules
from ...rows.kinds import AlertRow, Row
from ...rows.tool_words import asked_for
from ...words import cut
from .chain import Known, Link
from .words import sentence_of, target_of

__all__ = ["Context", "Proof"]

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
