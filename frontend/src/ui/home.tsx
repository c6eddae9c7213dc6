// This machine: what waits before any total, fourteen days, what runs, what was dearest and why.

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { open, openView } from "../address";
import type { AlertLine, Days, Dear, Machine, ListRow, RecorderLine } from "../shapes";
import { ask, ended, version } from "../state";
import { clock, cost, count, day, money, plural, size, took } from "../words";
import { verdict } from "./alerts";
import { Flag, Mark, Note, Signs, T, useAsked } from "./bits";

const DAYS = 14;
const HIGHEST = 68; // px of the bar of the dearest day

// The begins of the last days, in the time of this browser.
function begins(): number[] {
  const today = new Date();
  return Array.from({ length: DAYS }, (_, at) => new Date(today.getFullYear(), today.getMonth(), today.getDate() - (DAYS - 1 - at)).getTime());
}

export function Home(): JSX.Element {
  const [days] = useState(begins);
  const { found, error } = useAsked((signal) => ask<Machine>("machine", { days: days.join(",") }, signal), [version.value]);
  if (!found) return error ? <Note error={error} /> : <p class="soft pad">loading …</p>;
  return (
    <section class="home" aria-label="This machine">
      <Sentence found={found} />
      <Whole found={found} />
      {found.recorder ? <Recorder row={found.recorder} /> : null}
      {found.waits?.length ? <ul class="waits">{found.waits.map((row) => <Waits key={row.id + (row.recording ?? "")} row={row} />)}{(found.waiting ?? 0) > found.waits.length ? <li class="more-w"><span /><button class="link" onClick={() => openView("alerts")}>{plural((found.waiting ?? 0) - found.waits.length, "more alert")}</button></li> : null}</ul> : null}
      <Fortnight days={found.days} today={found.today ?? []} left={found.left_out ?? 0} />
      {isSilent(found) ? null : <Running rows={found.running ?? []} />}
      <Dearest rows={found.dearest ?? []} />
    </section>
  );
}

function last(column: number[]): number {
  return column.at(-1) ?? 0;
}

// While nothing is recorded, what runs is not known, and neither is what waits.
function isSilent(found: Machine): boolean {
  return found.recorder?.state === "down" || found.recorder?.state === "paused";
}

function when(ms: number): string {
  const name = day(ms);
  return name === "Today" ? clock(ms).slice(0, 5) : `${name === "Yesterday" ? "yesterday" : name} ${clock(ms).slice(0, 5)}`;
}

function Recorder({ row }: { row: RecorderLine }): JSX.Element {
  const missing = row.missing ?? [];
  const stored = row.bytes ? <span>{size(row.bytes)} on disk</span> : null;
  if (row.state === "absent") return <p class="state"><span>no recorder watches this machine: each run was recorded by itself</span></p>;
  if (row.state === "hidden") return <p class="state"><span>a recorder of another user watches this machine</span></p>;
  if (row.state === "down") return <p class="state"><span>not running</span>{stored}</p>;
  if (row.state === "paused") return <p class="state"><span>paused</span>{stored}</p>;
  return (
    <p class="state">
      <span>recording since {when(row.since_ms ?? 0)}</span>
      <span>{row.sessions ? `${plural(row.sessions, "session")} ${row.sessions === 1 ? "goes" : "go"} on` : "no session goes on"}</span>
      {stored}
      {missing.length
        ? <span class="gap">missing since then: <T text={missing.join("; ")} />{row.more_missing ? `; ${count(row.more_missing)} more` : ""}</span>
        : <span>nothing is missing since then</span>}
    </p>
  );
}

function Sentence({ found }: { found: Machine }): JSX.Element {
  const { days } = found;
  const sessions = last(days.sessions);
  const least = last(days.unknown) ? "at least " : "";
  const failed = last(days.failed);
  const waiting = found.waiting ?? 0;
  const said = verdict(found.stopped ?? 0, waiting);
  const { recorder } = found;
  if (recorder && isSilent(found)) {
    const state = recorder.state === "down" ? "The recorder is not running." : recorder.until_ms ? `Recording is paused until ${when(recorder.until_ms)}.` : "Recording is paused.";
    return (
      <h1 class="verdict">
        {state} What runs now is not known.
        {waiting ? <> <a href="/alerts" onClick={(event) => (event.preventDefault(), openView("alerts"))}>{said}</a></> : null}
      </h1>
    );
  }
  return (
    <h1 class="verdict">
      {waiting ? <a href="/alerts" onClick={(event) => (event.preventDefault(), openView("alerts"))}>{said}</a> : said}
      {sessions ? ` ${plural(sessions, "session")} today cost ${least}${money(last(days.cost))}${!waiting && failed ? `, ${plural(failed, "command")} failed` : ""}.` : " No session began today."}
    </h1>
  );
}

function Whole({ found }: { found: Machine }): JSX.Element {
  const gaps = last(found.days.gaps);
  const rules = found.guarded ? "" : " No recording has an alert: rules are on where a run was started with --guard.";
  if (found.wrong) return <p class="whole not"><Mark cut /><span><b>Your rules cannot be read, so no alert counts as allowed.</b> <T text={found.wrong} /></span></p>;
  const since = found.recorder?.since_ms;
  if (found.recorder?.state === "down") return <p class="whole not"><Mark cut /><span><b>Nothing is recorded since {when(since ?? 0)}.</b> <code>agentsight-rx watch</code> or <code>agentsight-rx service install</code> goes on with its store.</span></p>;
  if (found.recorder?.state === "paused") return <p class="whole"><span><b>Paused by you{since ? ` since ${when(since)}` : ""}{found.recorder.until_ms ? `, until ${when(found.recorder.until_ms)}` : ""}.</b> Nothing is recorded, and no rule can see anything. <code>agentsight-rx watch resume</code> goes on at once.</span></p>;
  if (gaps) return <p class="whole not"><Mark cut /><span><b>Of {gaps === 1 ? "one session" : `${count(gaps)} sessions`} today something is missing.</b> A rule sees nothing of what was not captured; Health of the session says what.{rules}</span></p>;
  const files = last(found.days.files);
  if (files) return <p class="whole"><span><b>{files === 1 ? "One session" : `${count(files)} sessions`} of today {files === 1 ? "is" : "are"} from agents' own files.</b> No program, file or connection of {files === 1 ? "it" : "them"} was seen.{rules}</span></p>;
  return <p class="whole"><Mark /><span><b>{!last(found.days.sessions) ? "Nothing was recorded today." : found.recorder?.missing?.length ? "Nothing is missing of the sessions of today." : "Nothing is missing today."}</b>{rules}</span></p>;
}

function Waits({ row }: { row: AlertLine }): JSX.Element {
  const proven = row.proven ?? 0;
  const show = (): void => open(row.recording ?? "", row.session || "-", { tab: "alerts", alert: `a${row.n}` });
  return (
    <li>
      <Flag state={row.state} />
      <div><b><T text={row.sentence} /></b><p class="num"><T code text={row.rule} />, {day(row.at_ms) === "Today" ? clock(row.at_ms) : `${day(row.at_ms).toLowerCase()} ${clock(row.at_ms).slice(0, 5)}`}{(row.count ?? 1) > 1 ? `, ${count(row.count ?? 1)} times` : ""}{proven < 3 ? `, ${proven} of 3 links proven` : ""}</p></div>
      <span class="do"><button class="link" onClick={show}>{row.state === "stopped" ? "Continue or end" : "Open"}</button></span>
    </li>
  );
}

// -- fourteen days ----------------------------------------------------------------------------------------------------------

function Fortnight({ days, today, left }: { days: Days; today: [string, number][]; left: number }): JSX.Element {
  const top = Math.max(...days.cost, 1e-9);
  const peak = days.cost.indexOf(Math.max(...days.cost));
  const end = days.begin_ms.length - 1;
  const sum = (column: number[]): number => column.reduce((a, b) => a + b, 0);
  const line = (kind: string, name: string, cell: (at: number) => JSX.Element | string): JSX.Element => (
    <div class={`dr ${kind}`} role="row">
      <span class="lb" role="rowheader">{name}</span>
      {days.begin_ms.map((begin, at) => <span key={begin} role="cell" class={at === end ? "c today" : "c"}>{cell(at)}</span>)}
    </div>
  );
  const none = <span class="z">·</span>;
  const figure = (column: number[]) => (at: number): JSX.Element | string => (column[at] ? count(column[at] ?? 0) : none);
  return (
    <>
      <div class="hh">
        <h2 class="h">{DAYS} days</h2>
        <span class="soft num">{money(sum(days.cost))}, {plural(sum(days.sessions), "session")}{today.length ? `; today ${today.map(([agent, n]) => `${agent} ${n}`).join(", ")}` : ""}</span>
      </div>
      <div class="days" role="table" aria-label={`${DAYS} days: cost, sessions, agents, failed commands, alerts`}>
        {line("cost", "cost", (at) => (
          <>
            {at === end || (at === peak && days.cost[at]) ? <span class="v">{days.unknown[at] ? "≥ " : ""}{money(days.cost[at] ?? 0)}</span> : <span class="sr">{money(days.cost[at] ?? 0)}</span>}
            <i style={{ height: `${(((days.cost[at] ?? 0) / top) * HIGHEST).toFixed(1)}px` }} />
          </>
        ))}
        {line("head", "day", (at) => (at === end ? "today" : String(new Date(days.begin_ms[at] ?? 0).getDate())))}
        {line("", "sessions", figure(days.sessions))}
        {line("", "agents", figure(days.agents))}
        {line("", "failed commands", figure(days.failed))}
        {line("", "alerts", (at) => {
          const waiting = days.waiting[at] ?? 0;
          const decided = days.decided[at] ?? 0;
          if (!waiting && !decided) return none;
          return <button class="plain" onClick={() => openView("alerts")} aria-label={`${plural(waiting, "new alert")}, ${decided} decided`}><Flag state={waiting ? "new" : "seen"} n={waiting || decided} /></button>;
        })}
        {line("", "with gaps", (at) => (days.gaps[at] ? <span class="gap">{count(days.gaps[at] ?? 0)}</span> : none))}
      </div>
      {left ? <p class="cap"><span>{plural(left, "older recording")} were not looked at</span></p> : null}
    </>
  );
}

// -- sessions ---------------------------------------------------------------------------------------------------------------

function Session({ row, children }: { row: ListRow; children: JSX.Element | string }): JSX.Element {
  return (
    <tr>
      <td class="sg">{row.waiting ? <Flag state={row.stopped ? "stopped" : "new"} /> : null}</td>
      <td class="w1">
        <button class="plain" onClick={() => open(row.recording, row.id)}><b><T text={row.title || "no prompt was seen"} /></b></button>
        <small><T text={[row.agent, row.model ?? ""].filter(Boolean).join(", ")} />{row.live ? null : <>, <span class="num">{day(row.start_ms).toLowerCase()}</span></>}</small>
      </td>
      <td class="why">{children}</td>
      <td class="n">{cost(row)}</td>
      <td class="sg"><Signs row={row} /></td>
    </tr>
  );
}

function Running({ rows }: { rows: ListRow[] }): JSX.Element | null {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const each = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(each);
  }, []);
  if (ended.value || !rows.length) return null;
  return (
    <>
      <div class="hh"><h2 class="h">Running now</h2><span class="soft">{count(rows.length)}</span></div>
      <table class="sessions"><thead class="sr"><tr><th>alert</th><th>session</th><th>state</th><th>cost</th><th>complete</th></tr></thead><tbody>
        {rows.map((row) => (
          <Session key={`${row.recording}/${row.id}`} row={row}>
            {row.stopped ? "stopped by a rule" : `${row.step || (row.turn ? `turn ${row.turn}` : "no turn yet")}, ${took(Math.max(0, Math.round((now - row.start_ms) / 1000) * 1000))}`}
          </Session>
        ))}
      </tbody></table>
    </>
  );
}

function Dearest({ rows }: { rows: Dear[] }): JSX.Element | null {
  if (!rows.length) return null;
  return (
    <>
      <div class="hh"><h2 class="h">Dearest sessions, and why</h2><span class="soft">{DAYS} days</span></div>
      <table class="sessions"><thead class="sr"><tr><th>alert</th><th>session</th><th>why</th><th>cost</th><th>complete</th></tr></thead><tbody>
        {rows.map(({ row, why }) => <Session key={`${row.recording}/${row.id}`} row={row}><T text={why || "Nothing stands out."} /></Session>)}
      </tbody></table>
    </>
  );
}
