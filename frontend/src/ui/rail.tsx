// The sessions by day, running ones first.

import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import { go, href, open, openView, place, type View } from "../address";
import type { ListRow } from "../shapes";
import { ended, hasMachine, rail, switchTheme } from "../state";
import { clock, cost, count, dayKey, dayName, percent, plural, took } from "../words";
import { Flag, Icon, Signs, T } from "./bits";

export function Rail({ onDone }: { onDone: () => void }): JSX.Element {
  const known = rail.value;
  const groups = new Map<string, ListRow[]>();
  for (const row of known?.sessions ?? []) {
    const name = row.live && !ended.value ? "Running" : dayName(row.start_ms);
    groups.set(name, [...(groups.get(name) ?? []), row]);
  }
  const list = useRef<HTMLDivElement>(null);
  return (
    <nav class="rail" aria-label="Sessions" id="rail">
      <div class="brand">
        agentsight-rx
        <button class="icon" aria-label="Light or dark" title="Light or dark (t)" onClick={switchTheme}><Icon name="theme" /></button>
      </div>
      <button class="find" onClick={() => go({ find: "" }, true)}><Icon name="find" />Search everything<kbd>⌘K</kbd></button>
      <div class="list" ref={list} tabIndex={-1}>
        <Places onDone={onDone} />
        {[...groups].map(([name, rows]) => (
          <section key={name} aria-label={name}>
            <h2>{name}<span>{known?.days?.[dayKey(rows[0]!.start_ms)] && name !== "Running" ? count(known.days[dayKey(rows[0]!.start_ms)]![0]) : ""}</span></h2>
            {rows.map((row) => <Row key={`${row.recording}/${row.id}`} row={row} onDone={onDone} />)}
          </section>
        ))}
        {known && !known.sessions.length ? <p class="soft pad">No recordings yet.</p> : null}
        {known?.next ? <button class="link pad" onClick={() => (openView("sessions"), onDone())}>All {count(known.all ?? 0)} sessions</button> : null}
        {known?.unreadable.length ? (
          <details class="pad soft">
            <summary>{plural(known.unreadable.length, "recording")} cannot be read</summary>
            {known.unreadable.map((each) => <p key={each.recording} class="gap small"><T text={`${each.recording}: ${each.error}`} /></p>)}
          </details>
        ) : null}
      </div>
    </nav>
  );
}

// What is of all recordings.
function Places({ onDone }: { onDone: () => void }): JSX.Element {
  const rows = rail.value?.sessions ?? [];
  const waiting = rows.reduce((sum, row) => sum + (row.waiting ?? 0), 0);
  const stopped = rows.some((row) => row.stopped);
  const link = (view: View, name: string, side: JSX.Element | null): JSX.Element => (
    <a
      class="place" href={`/${view}`} aria-current={!place.value.session && place.value.view === view ? "page" : undefined}
      onClick={(event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
        event.preventDefault();
        openView(view);
        onDone();
      }}
    >
      {name}<span>{side}</span>
    </a>
  );
  const all = rail.value?.all;
  return (
    <>
      {hasMachine() ? link("home", "This machine", null) : null}
      {hasMachine() ? link("alerts", "Alerts", waiting ? <Flag state={stopped ? "stopped" : "new"} n={waiting} /> : null) : null}
      {all === undefined ? null : link("sessions", "All sessions", <span class="faint num">{count(all)}</span>)}
    </>
  );
}

function Row({ row, onDone }: { row: ListRow; onDone: () => void }): JSX.Element {
  const at = place.value;
  const current = at.session === row.id && at.recording === row.recording;
  const live = Boolean(row.live) && !ended.value;
  const to = { recording: row.recording, session: row.id, tab: at.tab, turn: 0, row: "", q: "", from: 0, to: 0 };
  return (
    <a
      class="ses" href={href(to)} aria-current={current ? "page" : undefined}
      onClick={(event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
        event.preventDefault();
        if (!current) open(row.recording, row.id, { tab: at.tab === "log" ? "conversation" : at.tab });
        onDone();
      }}
    >
      <span class="who">
        {live ? <i class="dot on" role="img" aria-label="running" /> : null}
        <time class="num">{clock(row.start_ms).slice(0, 5)}</time>
        <span>{row.agent}</span>
        <span class="md faint"><T text={(row.model ?? "").replace(/^claude-/, "")} /></span>
        <span class="end">{row.waiting ? <Flag state={row.stopped ? "stopped" : "new"} {...(row.waiting > 1 ? { n: row.waiting } : {})} /> : null}<Signs row={row} /></span>
      </span>
      <span class="what"><T text={row.title || (live ? "waiting for the first prompt" : "no prompt was seen")} /></span>
      {row.stopped ? <span class="step hot">stopped by a rule</span> : tells(row, live) ? <span class="step"><T text={tells(row, live)} /></span> : null}
      <span class="nums">
        <span>{row.tokens || row.usd ? cost(row) : ""}</span>
        <span>{row.turns ? plural(row.turns, "turn") : ""}</span>
        {row.failed_tools ? <span class="bad">{count(row.failed_tools)} failed</span> : null}
        <span>{!live || row.left === null || row.left === undefined ? (live ? "" : took(row.end_ms - row.start_ms).replace(/(\d\d m) \d\d s$/, "$1")) : `${percent(row.left)} left`}</span>
      </span>
    </a>
  );
}

// What a running session is at, or what tells one from others with its title.
function tells(row: ListRow, live: boolean): string {
  if (live) return row.step || (row.turn ? `turn ${row.turn}` : "");
  if ((row.same ?? 0) < 2) return "";
  return [row.branch, row.files ? `changed ${plural(row.files, "file")}` : ""].filter(Boolean).join(" · ");
}
