// Above the tabs: who and where, the verdict, the line of completeness, the numbers.

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { go, href, place } from "../address";
import type { Clause, Head, Numbers } from "../shapes";
import { reopened } from "../source";
import { ended, gone, leftOut, locked, now, retry, running, stale } from "../state";
import { amount, clock, count, day, home, money, percent, plural, took } from "../words";
import { Copy, Go, Icon, Mark, Sheet, T, useRoom } from "./bits";

export function Top({ head, onMenu, onSave, menu }: { head: Head | null; onMenu: () => void; onSave: () => void; menu: boolean }): JSX.Element {
  const length = head ? (running.value ? now.value : head.end_ms) - head.start_ms : 0;
  return (
    <div class="top">
      <button class="icon menu" aria-label="Sessions" aria-expanded={menu} aria-controls="rail" onClick={onMenu}><Icon name="menu" /></button>
      <p class="crumbs">
        {head ? (
          <>
            <span>{head.agent}{head.agent_version ? <> <T text={head.agent_version} /></> : null}</span>
            {head.model ? <span class="opt"><T text={head.model} /></span> : null}
            {head.container ? <span class="opt">in <span class="mono"><T text={head.container} /></span></span> : null}
            {head.cwd ? <span class="opt mono" title={head.cwd}><T text={home(head.cwd)} /></span> : null}
            {head.pid ? <span class="opt num"><T text={`${head.comm ?? ""} ${head.pid}`} /></span> : null}
            {running.value
              ? <span class="now nowrap"><i class="dot on" aria-hidden="true" /> live, {took(Math.max(0, length))}</span>
              : <span class="num nowrap">{day(head.start_ms).toLowerCase()} {clock(head.start_ms).slice(0, 5)}, {took(Math.max(0, length))}</span>}
          </>
        ) : <span class="faint">{place.value.view === "sessions" ? "all sessions" : place.value.view === "compare" ? "compare two" : place.value.view ? "all recordings" : "no session"}</span>}
      </p>
      <button class="icon" aria-label="Search" title="Search (/)" onClick={() => go({ find: "" }, true)}><Icon name="find" /></button>
      {head ? <button class="icon opt" aria-label="Save" title="Save as a file, or print (e)" onClick={onSave}><Icon name="export" /></button> : null}
      <button class="icon opt" aria-label="Keys" title="Keys (?)" onClick={() => go({ keys: true }, true)}><Icon name="keys" /></button>
    </div>
  );
}

export function Banner(): JSX.Element | null {
  if (gone.value) {
    return (
      <p class="banner" role="alert">
        <b>The recording cannot be read.</b>
        <span><T text={`${gone.value}. You see the data that had arrived before. The page tries again by itself.`} /></span>
        <button class="btn" onClick={retry}>Look now</button>
      </p>
    );
  }
  if (locked.value) return <Locked />;
  if (stale.value) {
    const since = Math.max(0, now.value - stale.value);
    return (
      <p class="banner quiet" role="status">
        <b>Not connected{since >= 2000 ? ` for ${took(Math.round(since / 1000) * 1000)}` : ""}.</b>
        <span>What you see is from {clock(stale.value)}. The page tries again by itself.</span>
      </p>
    );
  }
  if (leftOut.value.length) {
    return (
      <p class="banner quiet">
        <b>This file does not contain the whole session.</b>
        <span>It is without <T text={leftOut.value.join("; ")} />. The recording has them: agentsight-rx serve.</span>
      </p>
    );
  }
  return null;
}

const SERVE = "agentsight-rx serve";

// The server was started again: what is loaded stays, and the new address goes on at this place.
function Locked(): JSX.Element {
  const [wrong, setWrong] = useState(false);
  return (
    <div class="banner locked" role="alert">
      <p><b>The recorder was restarted with a new key. Open it again:</b> <code class="cmd">{SERVE}</code><Copy text={SERVE} what="the command" /></p>
      <label>
        <span>What you see is from {clock(locked.value)} and stays here. To go on at this place, paste the new address:</span>
        <input
          type="url" placeholder="http://127.0.0.1:7395/#token=…" aria-invalid={wrong} onInput={(event) => {
            const found = reopened(event.currentTarget.value);
            setWrong(Boolean(event.currentTarget.value) && !found);
            if (found) location.assign(found);
          }}
        />
        {wrong ? <span role="alert">This address has no token: paste all of it, with everything behind the #.</span> : null}
      </label>
    </div>
  );
}

export function Verdict({ clauses }: { clauses: Clause[] }): JSX.Element {
  return (
    <h1 class="verdict">
      {clauses.map((each, at) =>
        each.tab ? <Go key={at} to={{ tab: each.tab, ...(each.turn ? { turn: each.turn } : {}) }}><T text={each.text} /></Go> : <T key={at} text={each.text} />,
      )}
    </h1>
  );
}

const NUMBER_WORDS = ["Nothing", "One thing", "Two things", "Three things", "Four things", "Five things"];

export function Whole({ head }: { head: Head }): JSX.Element {
  const whole = head.whole ?? { state: "whole" };
  const missing = whole.missing ?? 0;
  if (whole.state === "not_whole") {
    return (
      <p class="whole not">
        <Mark cut />
        <span>
          <b>{NUMBER_WORDS[missing] ?? `${missing} things`} {missing === 1 ? "is" : "are"} missing.</b>{" "}
          <T text={(whole.said ?? []).join(", and ")} />. {agreement(whole)} <Go to={{ tab: "health" }}>Show where</Go>
        </span>
      </p>
    );
  }
  if (whole.file) return <p class="whole"><Sheet /><span><b>From the agent's own file.</b> No program, file or connection was seen.{whole.gone ? ` ${whole.gone}` : ""}</span></p>;
  const live = whole.state === "so_far" && !ended.value;
  if (!live && !whole.hooked && !whole.counted) return <p class="whole"><span><b>No loss was noted.</b> This recording has no counts of what came, so that nothing is missing is not proven. {agreement(whole)}</span></p>;
  return (
    <p class="whole">
      <Mark />
      <span><b>{live ? "Nothing lost so far." : whole.hooked ? "Nothing is missing of what breakpoints show." : "Nothing is missing."}</b> {live ? soFar(head.numbers) : whole.hooked ? `Seen ${whole.hooked}.` : `All ${count(whole.records ?? 0)} records of the kernel arrived, and every program with traffic was read.`} {agreement(whole)}</span>
    </p>
  );
}

// A session of several recordings is one in the list, and this page has the part of one recording.
export function Others({ head }: { head: Head }): JSX.Element | null {
  if (!head.others?.length) return null;
  const to = (recording: string): string => href({ recording, session: head.id, tab: "conversation", turn: 0, row: "", q: "", from: 0, to: 0 });
  return (
    <p class="soft">
      This session is also in {head.others.length === 1 ? "the recording" : "the recordings"}{" "}
      {head.others.map((each, at) => <>{at ? ", " : ""}<a href={to(each)}><T text={each} /></a></>)}. What you see is the part of this one; the list of all sessions has the sums, each call once.
    </p>
  );
}

// What the agent's own file says of a recorded session.
function agreement(whole: NonNullable<Head["whole"]>): string {
  if (!whole.compared) return "";
  const calls = `${count(whole.found ?? 0)} of ${plural(whole.compared, "call")}`;
  return whole.found && whole.state !== "not_whole" ? `The agent's own file agrees (${calls}).` : `The agent's own file has ${calls}.`;
}

// Has a vendor said how many tokens there were? Zero is not the same as unknown.
function counted(numbers: Numbers): boolean {
  return Boolean(numbers.tokens_in || numbers.tokens_out) || !numbers.calls;
}

function soFar(numbers: Numbers = {}): string {
  if (!counted(numbers)) return numbers.calls ? `${plural(numbers.calls, "call")} of a model.` : "";
  const cost = numbers.cost?.usd ? `, ${money(numbers.cost.usd)}` : "";
  return `${amount(numbers.tokens_in ?? 0)} tokens in, ${amount(numbers.tokens_out ?? 0)} out${cost}.`;
}

export function Facts({ head }: { head: Head }): JSX.Element {
  const n = head.numbers ?? {};
  const length = Math.max(1, (n.model_ms ?? 0) + (n.tools_ms ?? 0) + (n.idle_ms ?? 0));
  const cost = n.cost;
  const known = counted(n);
  const sofar = running.value ? " so far" : "";
  const room = useRoom((px) => px >= ROOM_PX);
  const [open, setOpen] = useState(false);
  if (!room && !open) {
    const left = n.left === null || n.left === undefined ? null : percent(n.left);
    return (
      <button class="short-facts" aria-expanded={false} title="Show the numbers" onClick={() => setOpen(true)}>
        <span><b>{count(n.calls ?? 0)}</b> {n.calls === 1 ? "call" : "calls"}</span><b>{cost?.usd === null || cost?.usd === undefined || !known ? "?" : money(cost.usd)}</b>
        {left ? <span><b>{left}</b> left</span> : null}<b>{took(length)}</b><span class="tw" aria-hidden="true">⌄</span>
      </button>
    );
  }
  return (
    <dl class="facts">
      <Fact name="Model calls" value={count(n.calls ?? 0)} more={n.failed_calls ? `${count(n.failed_calls)} failed` : n.sub_calls ? `${count(n.sub_calls)} by sub-agents` : ""} />
      <Fact name="Tokens in" value={known ? amount(n.tokens_in ?? 0) : "?"} more={!known ? "not reported" : n.tokens_in ? `${percent((n.cached ?? 0) / n.tokens_in)} from cache` : ""} />
      <Fact name="Tokens out" value={known ? amount(n.tokens_out ?? 0) : "?"} more={n.reasoning ? `${amount(n.reasoning)} reasoning` : ""} />
      <Fact
        name="Cost" value={cost?.usd === null || cost?.usd === undefined || !known || (cost.usd === 0 && cost.unknown_calls) ? "?" : money(cost.usd)}
        more={cost?.unknown_calls ? `no price for ${cost.unknown_models[0] ?? "the model"}` : cost?.as_of ? `list prices of ${cost.as_of.replaceAll("-", "\u2011")}` : ""}
      />
      <Fact name="Context left" value={n.left === null || n.left === undefined ? "?" : percent(n.left)} more={n.left === null || n.left === undefined ? "the window is not known" : `${amount(n.context ?? 0)} of ${amount(head.window ?? 0).replace(".0 ", " ")} used`} />
      <div class="wide">
        <dt>Time{sofar}, {took(length)}</dt>
        <dd>
          <div class="split" role="img" aria-label={`model ${took(n.model_ms ?? 0)}, tools ${took(n.tools_ms ?? 0)}, idle ${took(n.idle_ms ?? 0)}`}>
            {([["c-model", n.model_ms], ["c-tool", n.tools_ms], ["c-idle", n.idle_ms]] as const).map(([name, ms]) =>
              ms ? <i key={name} class={name} style={{ flex: String(Math.max(ms / length, 0.004)) }} /> : null,
            )}
          </div>
          <small class="cap">
            <span><i class="sw c-model" />model {took(n.model_ms ?? 0)}</span>
            <span><i class="sw c-tool" />tools {took(n.tools_ms ?? 0)}</span>
            <span><i class="sw c-idle" />idle {took(n.idle_ms ?? 0)}</span>
          </small>
        </dd>
      </div>
      <Latency numbers={n} />
    </dl>
  );
}

// First words and tools, the middle and the slow end; a click shows each.
function Latency({ numbers }: { numbers: Numbers }): JSX.Element | null {
  const rows = ([["first word", numbers.first_word], ["a tool", numbers.a_tool]] as const).filter(([, spread]) => spread?.count);
  if (!rows.length) return null;
  return (
    <div class="lat">
      <dt><span>Latency</span><span>p50</span><span>{rows.every(([, spread]) => spread?.few) ? "max" : "p95"}</span></dt>
      {rows.map(([name, spread]) => <dd key={name}><Go to={{ tab: "timeline", of: "latency", row: "" }}>{name}</Go><span>{took(spread!.p50 ?? 0)}</span><b title={spread!.few ? "the longest one: there are fewer than 20" : undefined}>{took(spread!.p95 ?? 0)}{spread!.few && rows.some(([, each]) => !each?.few) ? " max" : ""}</b></dd>)}
    </div>
  );
}

const ROOM_PX = 720; // of the page, below which the numbers are one line until they are opened

function Fact({ name, value, more }: { name: string; value: string; more: string }): JSX.Element {
  return <div><dt>{name}</dt><dd>{value}<small><T text={more.replace(/(\d) (?=[kMG%])/g, "$1\u00a0")} /></small></dd></div>;
}

export function Reads({ head }: { head: Head }): JSX.Element {
  const reads = head.reads ?? [];
  const counts = head.counts ?? {};
  return (
    <section class="reads-s" aria-labelledby="reads-h">
      <h2 class="h" id="reads-h">What is being read</h2>
      <ul class="reads">
        {reads.map((each) => (
          <li key={`${each.title}`}>
            {each.state === "not" ? <Mark cut title="could not be read" /> : <span class="ok" aria-hidden="true">{each.state === "proven" ? "✓" : "…"}</span>}
            <div><b class={each.state === "not" ? "gap" : ""}><T text={each.title} /></b><p><T text={each.text} /></p></div>
            <span class="s">{each.side ?? ""}</span>
          </li>
        ))}
        {reads.length ? null : (
          <li>
            <span class="ok" aria-hidden="true">…</span>
            <div><b>no traffic yet</b><p>The programs and their libraries are probed. The page shows their traffic from the first connection on.</p></div>
          </li>
        )}
        <li>
          <span class="ok" aria-hidden="true">✓</span>
          <div><b>{plural(counts["processes"] ?? 0, "program")}</b><p>Their start, end, files and connections, as far as this run watches them.</p></div>
          <span class="s">{plural(counts["files"] ?? 0, "file")}</span>
        </li>
      </ul>
    </section>
  );
}
