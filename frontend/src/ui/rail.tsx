// The sessions by day, running ones first.

import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import { go, href, open, openView, place, type View } from "../address";
import type { RailRow } from "../shapes";
import { ended, hasMachine, moreRail, rail, switchTheme } from "../state";
import { amount, day, money, percent, plural } from "../words";
import { Flag, Icon, Mark, Sheet, T } from "./bits";

export function Rail({ onDone }: { onDone: () => void }): JSX.Element {
  const known = rail.value;
  const groups = new Map<string, RailRow[]>();
  for (const row of known?.sessions ?? []) {
    const name = row.live && !ended.value ? "Running" : day(row.start_ms);
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
        {hasMachine() ? <Places onDone={onDone} /> : null}
        {[...groups].map(([name, rows]) => (
          <section key={name} aria-label={name}>
            <h2>{name}</h2>
            {rows.map((row) => <Row key={`${row.recording}/${row.id}`} row={row} onDone={onDone} />)}
          </section>
        ))}
        {known && !known.sessions.length ? <p class="soft pad">No recordings yet.</p> : null}
        {known?.next ? <button class="link pad" onClick={() => void moreRail()}>Show older ones</button> : null}
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
  return <>{link("home", "This machine", null)}{link("alerts", "Alerts", waiting ? <Flag state={stopped ? "stopped" : "new"} n={waiting} /> : null)}</>;
}

function Row({ row, onDone }: { row: RailRow; onDone: () => void }): JSX.Element {
  const at = place.value;
  const current = at.session === row.id && at.recording === row.recording;
  const live = row.live && !ended.value;
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
        <span>{row.agent}</span>
        <span class="faint"><T text={(row.model ?? "").replace(/^claude-/, "")} /></span>
        <span class="end">{row.waiting ? <Flag state={row.stopped ? "stopped" : "new"} {...(row.waiting > 1 ? { n: row.waiting } : {})} /> : null}{row.file ? <Sheet /> : <Mark cut={Boolean(row.missing)} />}</span>
      </span>
      <span class="what"><T text={row.title || (live ? "waiting for the first prompt" : "no prompt was seen")} /></span>
      {row.stopped ? <span class="step hot">stopped by a rule</span> : row.step ? <span class="step"><T text={row.step} /></span> : live && row.turn ? <span class="step">turn {row.turn}</span> : null}
      <span class="nums">
        <span>{row.tokens ? amount(row.tokens) : ""}</span>
        <span>{money(row.cost?.unknown_calls && !row.cost.usd ? null : row.tokens ? row.cost?.usd : null)}</span>
        <span>{row.left === null || row.left === undefined ? "" : `${percent(row.left)} left`}</span>
      </span>
    </a>
  );
}
