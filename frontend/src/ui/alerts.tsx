// Alerts: one sentence, one thread of four parts, one line of what it rests on, one row of what to do. Of a session, or of all.

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { go, href, open, type Place, place } from "../address";
import type { AlertLine, AlertList, AlertPart, AlertProof, AlertWhole, Halt } from "../shapes";
import { ask, askHere, here, inFile, mark, now, running, version } from "../state";
import { clock, count, day, money, plural, took } from "../words";
import { Copy, Flag, Mark, Note, T, Ticked, useAsked } from "./bits";

const WHOLE_MOST = 6; // alerts that are open from the begin; more open when asked for
const ASKED = 500;
const STEPS = [1, 10, 100, 1000];

// What keys act on.
export const control: { current: { move: (by: number) => void; next: () => void; press: (name: "open" | "allow" | "copy" | "seen") => void; close: () => boolean } | null } = { current: null };

// -- of a session ---------------------------------------------------------------------------------------------------------

export function Alerts(): JSX.Element {
  const { recording, session } = place.value;
  const { found, error } = useAsked((signal) => askHere<AlertList>(here("alerts"), { count: ASKED }, signal), [recording, session, version.value]);
  if (!found) return error ? <Note error={error} /> : <p class="soft">loading …</p>;
  if (!found.rows.length) return <p class="soft">No rule of the guard was broken in this session, or it was recorded without --guard.</p>;
  return <div class="alerts"><Listed found={found} /></div>;
}

// -- of all recordings ----------------------------------------------------------------------------------------------------

export function AllAlerts(): JSX.Element {
  const { found, error } = useAsked((signal) => ask<AlertList>("alerts", { count: ASKED }, signal), [version.value]);
  if (!found) return error ? <Note error={error} /> : <p class="soft pad">loading …</p>;
  return (
    <section class="alerts all" aria-label="Alerts of this machine">
      <h1 class="verdict">{verdict(found.stopped ?? 0, found.waiting ?? 0)}</h1>
      {found.wrong ? <Wrong text={found.wrong} /> : null}
      {found.rows.length ? (
        <div class="cols"><div><Listed found={found} /></div><Worth rows={found.rows} /></div>
      ) : <p class="soft">No recording has an alert. Rules are on where a run was started with --guard: <code>agentsight-rx record --guard -- claude</code>.</p>}
    </section>
  );
}

const WORDS = ["No", "One", "Two", "Three", "Four", "Five", "Six"];

function number(n: number): string {
  return WORDS[n] ?? count(n);
}

// The sentence above all else: what waits for a person.
export function verdict(stopped: number, waiting: number): string {
  const fresh = waiting - stopped;
  const halted = stopped === 1 ? "One agent is stopped and waits for you." : `${number(stopped)} agents are stopped and wait for you.`;
  if (!waiting) return "Nothing waits for you.";
  if (!stopped) return fresh === 1 ? "One alert is new." : `${number(fresh)} alerts are new.`;
  if (!fresh) return halted;
  return `${halted} ${fresh === 1 ? "One more alert is new." : `${number(fresh)} more alerts are new.`}`;
}

function Wrong({ text }: { text: string }): JSX.Element {
  return <p class="whole not"><Mark cut /><span><b>Your rules cannot be read, so no alert counts as allowed.</b> <T text={text} /></span></p>;
}

// Is each rule worth it? One that was reported often, and never led to anything, is named.
function Worth({ rows }: { rows: AlertLine[] }): JSX.Element {
  const rules = new Map<string, { reported: number; waiting: number; allowed: number }>();
  for (const row of rows) {
    if (row.state === "note" || row.state === "part") continue;
    const known = rules.get(row.rule) ?? { reported: 0, waiting: 0, allowed: 0 };
    known.reported += STEPS.filter((step) => (row.count ?? 1) >= step).length;
    known.waiting += Number(row.state === "new" || row.state === "stopped");
    known.allowed += Number(row.state === "allowed");
    rules.set(row.rule, known);
  }
  const quiet = [...rules].filter(([, each]) => each.reported >= 5 && !each.waiting && !each.allowed).map(([rule]) => rule);
  return (
    <aside class="side" aria-label="Rules">
      <h2 class="h">Is each rule worth it?</h2>
      <table>
        <thead><tr><th scope="col">rule</th><th class="n" scope="col">reported</th><th class="n" scope="col">waiting</th></tr></thead>
        <tbody>{[...rules].map(([rule, each]) => <tr key={rule}><td><T code text={rule} /></td><td class="n">{count(each.reported)}</td><td class="n">{each.waiting || <span class="faint">·</span>}</td></tr>)}</tbody>
      </table>
      {quiet.map((rule) => (
        <div class="sig" key={rule}>
          <b><T text={rule} /> was reported 5 times or more, and you allowed nothing</b>
          <p>This makes it a note, which waits for no one:</p>
          <Entry text={`[rule.${rule}]\ndo = "note"`} what="the entry" />
        </div>
      ))}
    </aside>
  );
}

// -- the list -------------------------------------------------------------------------------------------------------------

function named(row: AlertLine): string {
  return place.value.session ? `a${row.n}` : row.id;
}

function isNamed(row: AlertLine, name: string): boolean {
  return name === row.id || (Boolean(place.value.session) && (name === `a${row.n}` || name === String(row.n)));
}

function Listed({ found }: { found: AlertList }): JSX.Element {
  const groups: [string, AlertLine[]][] = [
    ["", found.rows.filter((row) => row.state === "stopped" || row.state === "new")],
    ["Decided", found.rows.filter((row) => row.state === "seen" || row.state === "allowed")],
    ["Notes", found.rows.filter((row) => row.state === "note")],
    ["Parts of other alerts", found.rows.filter((row) => row.state === "part")],
  ];
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set()); // by hand
  const [asked, setAsked] = useState(""); // the alert whose entry is shown
  const wanted = place.value.alert;
  const chosen = found.rows.find((row) => isNamed(row, wanted));
  const opens = (row: AlertLine, at: number): boolean => folded.has(row.id) !== ((row.state === "stopped" || row.state === "new") && at < WHOLE_MOST) || row === chosen;
  const order = groups.flatMap(([, rows]) => rows);
  const done = useRef("");
  useEffect(() => {
    if (!wanted || done.current === wanted) return;
    done.current = wanted;
    document.querySelector(`[data-alert="${CSS.escape(wanted)}"]`)?.scrollIntoView({ block: "start" });
  }, [wanted, found]);
  const toggle = (row: AlertLine): void => {
    const next = new Set(folded);
    if (!next.delete(row.id)) next.add(row.id);
    setFolded(next);
    if (row === chosen) go({ alert: "" });
  };
  const move = (next: AlertLine | undefined): void => {
    if (next) go({ alert: named(next) });
  };
  useLayoutEffect(() => {
    control.current = {
      move: (by) => {
        const at = chosen ? order.indexOf(chosen) : by > 0 ? -1 : order.length;
        move(order[Math.max(0, Math.min(order.length - 1, at + by))]);
      },
      next: () => {
        const waiting = groups[0]![1];
        move(waiting[(chosen ? waiting.indexOf(chosen) + 1 : 0) % Math.max(1, waiting.length)]);
      },
      press: (name) => {
        if (!chosen) return;
        if (name === "open") toggle(chosen);
        else document.querySelector<HTMLElement>(`[data-alert="${CSS.escape(wanted)}"] [data-do="${name}"]`)?.click();
      },
      close: () => {
        if (asked) setAsked("");
        else if (wanted) go({ alert: "" });
        else return false;
        return true;
      },
    };
    return () => {
      control.current = null;
    };
  });
  return (
    <>
      {wanted && !chosen ? <p class="note calm" role="status"><span><b>There is no alert <T text={wanted} /> here.</b> {found.total > found.rows.length ? "It may be an older one: " : ""}<button class="link" onClick={() => go({ alert: "" })}>Show all</button></span></p> : null}
      {found.wrong && place.value.session ? <Wrong text={found.wrong} /> : null}
      {found.refusal && !inFile.value && groups[0]![1].length ? <p class="soft small" role="status">Alerts cannot be marked as seen here: <T text={found.refusal} />.</p> : null}
      {!groups[0]![1].length && place.value.session ? <p class="soft">Nothing waits for you here.</p> : null}
      {groups.map(([name, rows]) =>
        rows.length ? (
          <section key={name} aria-label={name || "Waiting"}>
            {name ? <div class="hh"><h2 class="h">{name}</h2><span class="soft">{count(rows.length)}</span></div> : <h2 class="sr">Waiting</h2>}
            {rows.map((row, at) => (
              <Alert
                key={`${row.recording ?? ""}/${row.id}`} row={row} whole={opens(row, at)} chosen={row === chosen} allow={asked === row.id} marks={!found.refusal && !inFile.value}
                onToggle={() => toggle(row)} onAllow={() => setAsked(asked === row.id ? "" : row.id)}
              />
            ))}
          </section>
        ) : null,
      )}
      {found.total > found.rows.length ? <p class="faint small">{plural(found.total - found.rows.length, "older alert")}: agentsight-rx report alerts</p> : null}
    </>
  );
}

interface Shown { row: AlertLine; whole: boolean; chosen: boolean; allow: boolean; marks: boolean; onToggle: () => void; onAllow: () => void }

function Alert({ row, whole, chosen, allow, marks, onToggle, onAllow }: Shown): JSX.Element {
  const times = row.count ?? 1;
  return (
    <article class={`al st-${row.state}${chosen ? " sel" : ""}${whole ? " open" : ""}`} data-alert={named(row)} id={`alert-${row.n}`}>
      <header>
        <span class="sign"><Flag state={row.state} /></span>
        <h3><button aria-expanded={whole} onClick={onToggle}><T text={row.sentence} />{times > 1 ? <span class="times num"> ×{count(times)}</span> : null}</button></h3>
        <p class="side-n num"><T code text={row.rule} />, {row.do} · {when(row.at_ms)}{row.part_of ? `, part of a${row.part_of}` : ""}</p>
      </header>
      {whole ? <Body row={row} allow={allow} marks={marks} onAllow={onAllow} /> : null}
    </article>
  );
}

function when(ms: number): string {
  const date = day(ms);
  return date === "Today" ? clock(ms) : `${date.toLowerCase()} ${clock(ms).slice(0, 5)}`;
}

function Body({ row, allow, marks, onAllow }: { row: AlertLine; allow: boolean; marks: boolean; onAllow: () => void }): JSX.Element {
  const recording = row.recording || place.value.recording;
  const session = place.value.session || row.session || "-";
  const path = `r/${encodeURIComponent(recording)}/session/${encodeURIComponent(session)}/alerts/a${row.n}`;
  const { found, error } = useAsked((signal) => ask<AlertWhole>(path, {}, signal), [path, version.value, row.count, row.state]);
  if (!found) return <div class="body">{error ? <Note error={error} /> : <p class="faint">loading …</p>}</div>;
  const at = { recording, session };
  return (
    <div class="body">
      {found.halt ? <Halted halt={found.halt} /> : null}
      <Thread parts={found.parts} row={row} at={at} />
      <Rests found={found} row={row} at={at} />
      <Acts found={found} row={row} at={at} allow={allow} marks={marks} onAllow={onAllow} />
    </div>
  );
}

interface Where { recording: string; session: string }

// A link into the session of the alert, also from the list of all.
function To({ at, to, class: name, children }: { at: Where; to: Partial<Place>; class?: string; children: ComponentChildren }): JSX.Element {
  const target = { ...at, turn: 0, row: "", q: "", from: 0, to: 0, alert: "", of: "", origin: "", ...to };
  return (
    <a
      href={href(target)} class={name}
      onClick={(event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
        event.preventDefault();
        open(at.recording, at.session, target);
      }}
    >
      {children}
    </a>
  );
}

function placeOf(of: AlertPart | AlertProof): Partial<Place> | null {
  if (!of.tab) return null;
  return { tab: of.tab, ...(of.turn ? { turn: of.turn } : {}), ...(of.row ? { row: of.row } : {}), ...(of.q ? { q: of.q } : {}) };
}

function Thread({ parts, row, at }: { parts: AlertPart[]; row: AlertLine; at: Where }): JSX.Element {
  return (
    <ol class="chain" aria-label="From the prompt to the target">
      {parts.map((part, n) => {
        const next = parts[n + 1];
        const hole = !part.text || (next !== undefined && (next.sure === false || !next.text));
        const missing = !part.text || part.sure === false;
        const to = placeOf(part);
        const text = part.text ? <T text={part.text} {...(part.code ? { code: true } : {})} /> : <span>not known</span>;
        return (
          <li key={part.kind} class={hole ? "cut" : ""}>
            {n === parts.length - 1 ? <Flag state={row.state === "stopped" ? "new" : row.state} /> : null}
            <span class={missing && n ? "k gap" : "k"}>{part.kind}{part.tied ? `, tied ${part.tied}` : n && missing ? ", not proven" : ""}</span>
            <span class={part.text ? "v" : "v gap"}>{to && part.text ? <To at={at} to={to}>{text}</To> : text}</span>
            {part.more ? <small><T text={part.more} /></small> : null}
          </li>
        );
      })}
    </ol>
  );
}

function Rests({ found, row, at }: { found: AlertWhole; row: AlertLine; at: Where }): JSX.Element {
  const times = row.count ?? 1;
  const proven = row.proven ?? 0;
  const steps = STEPS.filter((step) => times >= step).map(count);
  return (
    <dl class="rests num">
      <dt>How sure</dt>
      <dd><b>{proven === 3 ? "All 3 links are proven." : `${proven} of 3 links ${proven === 1 ? "is" : "are"} proven.`}</b>{row.cut ? <span class="gap"> A part of what it rests on was not seen.</span> : null}</dd>
      <dt>Count</dt>
      <dd>{times === 1 ? "Once." : `${count(times)} times until ${clock(row.last_ms ?? row.at_ms)}, reported at ${steps.join(", ")}.`}{found.next && times > 1 ? ` The next time at ${count(found.next)}.` : ""}</dd>
      <dt>Cost</dt>
      <dd>{row.cost === null || row.cost === undefined ? "not known" : `${money(row.cost)} for the call`}</dd>
      <dt>Because</dt>
      <dd><T code text={row.rule} />, {row.do}. {found.because ? <>"<T text={found.because} />". </> : null}{found.means ? <Ticked text={found.means} /> : null}{found.misses ? <details class="misses"><summary class="soft">What this rule does not see</summary><Ticked text={found.misses} /></details> : null}</dd>
      <dt>Evidence</dt>
      <dd>
        <ul class="proofs">
          {(found.proofs ?? []).map((each) => {
            const to = placeOf(each);
            return <li key={each.id}>{each.at_ms ? <span class="faint">{clock(each.at_ms)}</span> : null} {!each.text ? <span class="gap"><T text={each.id} /> is not in the recording any more</span> : to ? <To at={at} to={to}><T text={each.text} /></To> : <T text={each.text} />}</li>;
          })}
        </ul>
      </dd>
    </dl>
  );
}

// Words of a rule, with code between ticks.
function Acts({ found, row, at, allow, marks, onAllow }: { found: AlertWhole; row: AlertLine; at: Where; allow: boolean; marks: boolean; onAllow: () => void }): JSX.Element {
  const [error, setError] = useState("");
  const set = (seen: boolean): void => {
    mark(at.recording, [row.id], seen).catch((why: unknown) => setError(why instanceof Error ? why.message : String(why)));
  };
  const entry = `[rule.${row.rule}]\nallow.append = [\n  ${found.entry ?? ""},\n]`;
  return (
    <>
      <p class="acts">
        {found.entry ? <button class="btn" data-do="allow" aria-expanded={allow} onClick={onAllow}>Allow this …</button> : null}
        {marks && row.state === "new" ? <button class="btn" data-do="seen" onClick={() => set(true)}>Seen</button> : null}
        {marks && row.state === "seen" ? <button class="btn" data-do="seen" onClick={() => set(false)}>Not seen</button> : null}
        {row.turn ? <To at={at} to={{ tab: "conversation", turn: row.turn }} class="link">In its session</To> : place.value.session ? null : <To at={at} to={{ tab: "alerts", alert: `a${row.n}` }} class="link">In its session</To>}
        <Copy text={() => Promise.resolve(new URL(href({ ...at, tab: "alerts", turn: 0, row: "", q: "", alert: `a${row.n}` }), location.href).href)} what="a link to this alert" />
      </p>
      <Note error={error} />
      {row.state === "seen" && found.seen_ms ? <p class="soft small">Seen {when(found.seen_ms)}. It waits again when it is reported again.</p> : null}
      {found.allowed ? (
        <>
          <p class="soft small">Allowed now by your rules{found.file ? <>, <T code text={found.file} /></> : null}; the alert was made by the rules with the sha256 {found.sha256}.</p>
          <Entry text={`[rule.${row.rule}]\n${found.allowed.startsWith("do") ? found.allowed : `allow.append = [\n  ${found.allowed},\n]`}`} what="the entry" />
        </>
      ) : null}
      {allow && found.entry ? (
        <div role="region" aria-label="The entry that allows it">
          <p class="soft small">Put this into {found.file ? <T code text={found.file} /> : "your guard.toml"}. {removes(found.removes ?? 0)} It changes no other rule.</p>
          <Entry text={entry} what="the entry" />
        </div>
      ) : null}
    </>
  );
}

function removes(n: number): string {
  return n === 1 ? "Of this recording it would have removed one alert, this one." : `Of this recording it would have removed ${count(n)} alerts.`;
}

// Lines to copy.
export function Entry({ text, what }: { text: string; what: string }): JSX.Element {
  const [done, setDone] = useState("");
  const copy = (): void => {
    navigator.clipboard.writeText(text).then(() => setDone("Copied"), () => setDone("Not allowed"));
  };
  return <div class="entry"><pre class="res" tabIndex={0}><T text={text} /></pre><button class="btn" data-do="copy" aria-label={`${done || "Copy"} ${what}`} onClick={copy}>{done || "Copy"}</button></div>;
}

// Who is halted, for how long, what that cannot take back, and what to type.
export function Halted({ halt }: { halt: Halt }): JSX.Element {
  if (!halt.halted) {
    return <p class="soft small">A rule asked to stop <T text={halt.who} /> at {clock(halt.since_ms)}. {halt.running ? "It is not halted now: it was continued, its recorder ended, or it could not be stopped." : "Its process is not there any more."}</p>;
  }
  const long = running.value ? ` for ${took(Math.max(0, Math.round((now.value - halt.since_ms) / 1000) * 1000))}` : "";
  return (
    <div class="halt">
      <p><b>Stopped since {clock(halt.since_ms)}{long}: <T text={halt.who} /> and all that it started are halted, nothing was ended.</b></p>
      <p class="soft">It came after the deed: stopping does not take back what has left.</p>
      <dl>
        <dt>continue</dt><dd><Entry text={halt.go_on} what="the command that continues it" /></dd>
        <dt>end</dt><dd><Entry text={halt.end} what="the command that ends it" /></dd>
      </dl>
    </div>
  );
}
