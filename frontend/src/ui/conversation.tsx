// One thread of turns. The line that joins them breaks where the picture breaks.

import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { go, href, ONLY, type Only, place } from "../address";
import { countOf, NAMES, OTHERS, runsOf, shown } from "../only";
import { open } from "../answers";
import type { AlertMark, Body, CallBody, Failure, Failures, Gap, Head, Program, SubAgent, Text, ToolCard, Try, TurnCard, Turns } from "../shapes";
import {
  askHere,
  cards,
  follow,
  following,
  head,
  here,
  indexOf,
  inFile,
  loadPage,
  locked,
  now,
  PAGE,
  printing,
  running,
  select,
  stateOf,
  unseen,
  version,
} from "../state";
import { amount, clock, count, home, money, plural, size, took, within } from "../words";
import { Copy, Flag, Go, Icon, Mark, T, Ticked, useAsked, useSide } from "./bits";
import { Markdown } from "./markdown";

const TURN_PX = 260; // of a turn that was not shown yet

export function Conversation(): JSX.Element {
  const found = head.value!;
  const total = found.turns ?? 0;
  const pages = Math.max(1, Math.ceil(total / PAGE));
  const index = indexOf(place.value.turn);
  useEffect(() => {
    if (index >= 0) loadPage(Math.floor(index / PAGE));
  }, [index]);
  useFollow(total);
  useScrollTo(index);
  const [dearest, setDearest] = useState(false);
  const only = place.value.only;
  useEffect(() => {
    if (place.value.turn || only) setDearest(false); // a chosen turn is shown at its place
  }, [place.value.turn, only]);
  return (
    <div class="cols">
      <div>
        {total > 1 ? (
          <div class="order">
            <p role="group" aria-label="Which turns">{ONLY.map((each) => <Chip key={each} only={each} />)}</p>
            <p role="group" aria-label="Order of the turns">
              <button class="chip" aria-pressed={!dearest} onClick={() => setDearest(false)}>in time</button>
              <button class="chip" aria-pressed={dearest} onClick={() => (go({ only: "" }), setDearest(true))}>by cost</button>
            </p>
          </div>
        ) : null}
        {only === "failed" && countOf(only) ? <Failed /> : null}
        {dearest ? <Dearest /> : only ? <Chosen total={total} /> : (
          <ol class="thread" aria-label="Turns">
            {Array.from({ length: pages }, (_, page) => <Page key={page} page={page} total={total} />)}
          </ol>
        )}
        {total === 0 ? <p class="soft">{running.value ? "No turn yet. The first request to a model will appear here." : "No call of a model was seen."}</p> : null}
        <End total={total} />
      </div>
      <Side head={found} />
    </div>
  );
}

// What matters, with its number of turns; one without any is grey.
function Chip({ only }: { only: Only }): JSX.Element {
  const n = countOf(only);
  return (
    <button class="chip" aria-pressed={place.value.only === only} disabled={!n} title="Which turns are shown (x)" onClick={() => go({ only, turn: 0, row: "" }, true)}>
      {only === "gaps" && n ? <Mark cut /> : null}{NAMES[only]} <b class={only === "failed" && n ? "bad" : ""}>{count(n)}{!only && head.value?.cut ? "+" : ""}</b>
    </button>
  );
}

// The turns that matter; the others are folded between them, and open where one is selected.
function Chosen({ total }: { total: number }): JSX.Element {
  const only = place.value.only;
  const numbers = head.value?.strip?.n ?? [];
  const [opened, setOpened] = useState<ReadonlySet<number>>(new Set());
  useEffect(() => setOpened(new Set()), [only]);
  const selected = indexOf(place.value.turn);
  return (
    <ol class="thread" aria-label="Turns">
      {runsOf(shown.value, total).map(({ first, last, folded }) => {
        const isOpen = !folded || opened.has(first) || (selected >= first && selected <= last);
        if (isOpen) return Array.from({ length: last - first + 1 }, (_, at) => <Single key={first + at} at={first + at} />);
        const named = first === last ? `turn ${numbers[first]}` : `turns ${numbers[first]} to ${numbers[last]}`;
        return <li key={`${first}-`} class="skipped"><button title="Show them here" onClick={() => setOpened(new Set([...opened, first]))}>{named}, {OTHERS[only]}</button></li>;
      })}
    </ol>
  );
}

// One turn, which is loaded once it is near.
function Single({ at }: { at: number }): JSX.Element {
  const box = useRef<HTMLLIElement>(null);
  const [near, setNear] = useState(false);
  const card = cards.value.get(at);
  useEffect(() => {
    const seen = new IntersectionObserver(([entry]) => entry?.isIntersecting && setNear(true), { rootMargin: `${AROUND_PX}px 0px` });
    if (box.current) seen.observe(box.current);
    return () => seen.disconnect();
  }, []);
  useEffect(() => {
    if (near || printing.value) loadPage(Math.floor(at / PAGE));
  }, [near, at, Boolean(card), locked.value, printing.value]);
  return (
    <li class="page one" ref={box} style={card ? {} : { height: `${TURN_PX}px` }}>
      {card ? <ol><Card card={card} before={head.value?.strip?.call[at - 1] ?? ""} /></ol> : near ? <Unloaded first={at} last={at} /> : null}
    </li>
  );
}

// Equal failures are one row, with a step from one to the next.
function Failed(): JSX.Element | null {
  const { found } = useAsked((signal) => askHere<Failures>(here("failures"), {}, signal), [version.value, place.value.session]);
  if (!found?.groups.length) return null;
  return (
    <ul class="errs" aria-label="Failures, equal ones together">
      {found.groups.map((group, at) => <Equal key={at} group={group} />)}
      {found.more ? <li class="soft">{plural(found.more, "other failure")}</li> : null}
      {found.answers.length ? (
        <li>
          <details>
            <summary class="soft">{plural(found.answers.length + found.more_answers, "command")} ended with {sameOf(found.answers.map((each) => each.outcome)) || "a code that is an answer"} and did not fail</summary>
            <ul>{found.answers.map((each) => <li key={each.row}><T code text={each.what} /> <span class="soft">{each.meaning ? `${each.meaning}, ` : ""}{each.outcome}</span> <Go to={{ turn: each.turn, row: each.row, only: "" }} class="link">turn {each.turn}</Go></li>)}</ul>
          </details>
        </li>
      ) : null}
    </ul>
  );
}

// What all of them are; "": they differ.
function sameOf(all: string[]): string {
  return all.every((each) => each === all[0]) ? (all[0] ?? "") : "";
}

function Equal({ group }: { group: Failure }): JSX.Element {
  const { outcome, what, turns, line } = group;
  const many = turns.length > 1;
  const here_ = turns.findIndex((turn, at) => turn === place.value.turn && (group.rows[at] || "") === place.value.row);
  const show = (at: number): void => go({ turn: turns[at] ?? 0, row: group.rows[at] ?? "" });
  return (
    <li class={here_ >= 0 ? "sel" : ""}>
      <p class="e1">
        <span class="bad"><T text={outcome} /></span><T code text={what} />
        <b>{many ? `${count(turns.length)} times` : "once"}</b>
        <span class="soft">{many ? `turns ${turns[0]} to ${turns.at(-1)}` : `turn ${turns[0]}`}</span>
        {many && here_ >= 0 ? (
          <span class="steps num">
            <button aria-label="The one before" disabled={here_ < 1} onClick={() => show(here_ - 1)}><Icon name="left" /></button>
            {here_ + 1} of {turns.length}
            <button aria-label="The next one" disabled={here_ + 1 >= turns.length} onClick={() => show(here_ + 1)}><Icon name="right" /></button>
          </span>
        ) : <button class="link" onClick={() => show(0)}>{many ? "Step through" : "Show"}</button>}
      </p>
      {line ? <p class="e2"><T code text={line} />{many ? <span class="soft"> the same {count(turns.length)} times{group.differs ? ", but for numbers" : ""}</span> : null}</p> : null}
    </li>
  );
}

// The turns that cost most, one line each; a turn opens at its place in time.
function Dearest(): JSX.Element {
  const [count, setCount] = useState(PAGE);
  const { found, error } = useAsked((signal) => askHere<Turns>(here("turns"), { since: 0, count, order: "cost" }, signal), [count, version.value]);
  if (!found) return <p class="faint pad">{error || "loading turns …"}</p>;
  return (
    <>
      <div class="scroll">
        <table class="wrap">
          <thead><tr><th scope="col">turn</th><th class="n" scope="col">cost</th><th class="n" scope="col">in</th><th class="n" scope="col">cached</th><th class="n" scope="col">out</th></tr></thead>
          <tbody>
            {found.cards.map((card) => (
              <tr key={card.call}>
                <td><Go to={{ turn: card.n }} class="ref">turn {card.n}</Go> <span class="soft"><T text={(card.prompt?.text ?? card.answer?.text ?? card.tools?.[0]?.asked ?? "").slice(0, 120)} /></span></td>
                <td class="n">{card.cost === null || card.cost === undefined ? <span class="soft" title="no price is known for the model">?</span> : money(card.cost)}</td>
                <td class="n">{amount(card.tokens_in ?? 0)}</td><td class="n">{amount(card.cached ?? 0)}</td><td class="n">{amount(card.out ?? 0)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {found.cards.length < found.total ? <button class="link" onClick={() => setCount(count + 4 * PAGE)}>{plural(found.total - found.cards.length, "more turn")}</button> : null}
    </>
  );
}

function Page({ page, total }: { page: number; total: number }): JSX.Element {
  const box = useRef<HTMLLIElement>(null);
  const [near, setNear] = useState(page === 0);
  const size = Math.min(PAGE, total - page * PAGE);
  const known = cards.value.has(page * PAGE);
  useEffect(() => {
    const seen = new IntersectionObserver(([entry]) => setNear(entry?.isIntersecting ?? false), { rootMargin: `${AROUND_PX}px 0px` });
    if (box.current) seen.observe(box.current);
    return () => seen.disconnect();
  }, []);
  useEffect(() => {
    if (near && size > 0) loadPage(page);
  }, [near, page, size, known, locked.value]);
  const height = useRef(size * TURN_PX);
  useLayoutEffect(() => {
    if (near && known && box.current) height.current = box.current.offsetHeight;
  });
  const shown = (near || printing.value) && known;
  return (
    <li class="page" ref={box} style={shown || printing.value ? {} : { height: `${height.current}px` }}>
      {shown ? (
        <ol>
          {Array.from({ length: size }, (_, at) => cards.value.get(page * PAGE + at)).map((card, at, all) =>
            card ? <Card key={card.call} card={card} before={all[at - 1]?.call ?? cards.value.get(page * PAGE + at - 1)?.call ?? ""} /> : null,
          )}
        </ol>
      ) : known || size <= 0 ? null : <Unloaded first={page * PAGE} last={page * PAGE + size - 1} />}
    </li>
  );
}

function Unloaded({ first, last }: { first: number; last: number }): JSX.Element {
  const numbers = head.value?.strip?.n ?? [];
  const named = `${numbers[first] ?? first + 1} to ${numbers[last] ?? last + 1}`;
  if (printing.value) return <p class="soft pad">Turns {named} were not loaded before this was printed.</p>;
  if (locked.value) return <p class="soft pad">Turns {named} were not loaded before the recorder was restarted.</p>;
  return <p class="faint pad">loading turns {named} …</p>;
}

const AROUND_PX = 1200; // of the view: turns that are shown

// The turn of the address goes to the top, and is held there until the turns around it have their height, or until one scrolls,
// presses or clicks. A turn of a sub-agent is within its fold, which is open then.
function useScrollTo(index: number): void {
  const turn = place.value.turn;
  const there = index >= 0 && cards.value.has(index);
  const done = useRef(0);
  useEffect(() => {
    if (!turn || index < 0 || done.current === turn) return;
    let frame = 0;
    const scroll = (): void => {
      const row = place.value.row ? document.getElementById(`row-${place.value.row}`) : null;
      const found = row ?? document.getElementById(`turn-${turn}`) ?? document.querySelectorAll(".thread > .page")[Math.floor(index / PAGE)];
      found?.scrollIntoView({ block: "start" });
    };
    const put = (): void => {
      scroll();
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() => (frame = requestAnimationFrame(settle)));
    };
    const settle = (): void => {
      if (!there || !areShown()) return;
      scroll(); // what was shown in this frame has its height, of which the observer has not heard
      end();
    };
    const sized = new ResizeObserver(put);
    const stop = (): void => {
      sized.disconnect();
      cancelAnimationFrame(frame);
      for (const each of ACTS) removeEventListener(each, end);
    };
    const end = (event?: Event): void => {
      if (event instanceof KeyboardEvent && !SCROLLS.has(event.key)) return;
      done.current = turn;
      stop();
    };
    for (const each of ACTS) addEventListener(each, end, { passive: true });
    for (const each of document.querySelectorAll("#main, .thread, .thread > .page")) sized.observe(each);
    put();
    return stop;
  }, [turn, there, index]);
}

const ACTS = ["wheel", "touchstart", "pointerdown", "keydown"];
const SCROLLS = new Set(["ArrowUp", "ArrowDown", "PageUp", "PageDown", "Home", "End", " "]);

// Turns that were loaded before have no words in their place, until they come near.
function areShown(): boolean {
  return [...document.querySelectorAll(".thread > .page:not(:has(> ol, > .soft))")].every((page) => {
    const { top, bottom } = page.getBoundingClientRect();
    return bottom <= -AROUND_PX || top >= innerHeight + AROUND_PX;
  });
}

const NEAR = 40; // px from the end of the page: one that scrolled there follows again

// Follow is on until you scroll up, select, or press f.
function useFollow(total: number): void {
  useEffect(() => {
    if (!following.value) return;
    loadPage(Math.floor(Math.max(0, total - 1) / PAGE));
    const end = (): void => {
      if (following.value && running.value) scrollTo({ top: document.documentElement.scrollHeight });
    };
    const sized = new ResizeObserver(end);
    const main = document.getElementById("main");
    if (main) sized.observe(main);
    return () => sized.disconnect();
  }, [total, following.value]);
  useEffect(() => {
    let last = scrollY;
    let high = document.documentElement.scrollHeight;
    const moved = (): void => {
      const now_ = document.documentElement.scrollHeight;
      if (now_ >= high && running.value) {
        if (scrollY < last - 4) follow(false);
        else if (scrollY > last && scrollY + innerHeight > now_ - NEAR && !place.value.turn) follow(true);
      }
      last = scrollY;
      high = now_;
    };
    addEventListener("scroll", moved, { passive: true });
    return () => removeEventListener("scroll", moved);
  }, []);
}

function End({ total }: { total: number }): JSX.Element | null {
  if (!running.value) return null;
  if (following.value) {
    return <p class="foot"><i class="dot on" aria-hidden="true" />following; <button class="link" onClick={() => follow(false)}>stop</button></p>;
  }
  const label = unseen.value ? plural(unseen.value, "new turn") : "Follow";
  return (
    <button
      class="btn go follow" onClick={() => {
        go({ turn: 0, row: "" });
        follow(true);
        loadPage(Math.floor(Math.max(0, total - 1) / PAGE));
      }}
    >{label}</button>
  );
}

// -- a turn -------------------------------------------------------------------------------------------------------------

// `within`: it is a sub-agent's, which works for that turn.
export function Card({ card, before, within = 0 }: { card: TurnCard; before: string; within?: number }): JSX.Element {
  const here_ = within ? { turn: within, row: card.call } : { turn: card.n, row: "" };
  const pending = card.status === "pending" && running.value;
  const selected = within ? place.value.row === card.call : place.value.turn === card.n;
  const kind = [card.gap ? "cut" : card.bad ? "bad-t" : pending ? "now-t" : "", selected ? "sel" : ""].join(" ");
  const subs = new Map<string, SubAgent[]>();
  for (const sub of card.subs ?? []) subs.set(sub.tool ?? "", [...(subs.get(sub.tool ?? "") ?? []), sub]);
  const alerts = card.alerts ?? [];
  const loose = (card.subs ?? []).filter((sub) => !card.tools?.some((tool) => tool.id === sub.tool));
  return (
    <li class={`turn ${kind}`} id={within ? `row-${card.call}` : `turn-${card.n}`}>
      <button class="no" aria-label={`Select turn ${within ? `${card.n} of the sub-agent` : card.n}`} onClick={() => (within ? go(here_) : select(card.n))}>{card.n}</button>
      <header>
        {within ? null : <b>{clock(card.start_ms)}</b>}
        <span class="w1" title={card.first_ms ? `first word ${took(card.first_ms)}` : undefined}>{pending ? took(Math.max(0, now.value - card.start_ms)) : took(card.ms)}</span>
        {card.first_ms ? <span class="opt w2">first word {took(card.first_ms)}</span> : null}
        {card.tokens_in ? <span class="w3">{amount(card.tokens_in)} in</span> : null}
        {card.cached ? <span class="opt w4">{amount(card.cached)} cached</span> : null}
        {pending ? <span class="now">answering</span> : card.out ? <span class="w5">{amount(card.out)} out</span> : null}
        <span>{money(card.cost)}</span>
        {card.through ? <span title="a proxy passed this call on">through <T text={card.through} /></span> : null}
        <span class="end">
          {within ? null : <Copy text={() => Promise.resolve(new URL(href(here_), location.href).href)} what={`a link to turn ${card.n}`} />}
          {before ? <Go to={{ diff: `${before}..${card.call}` }} class="link" title="What changed since the request before (d)">Diff</Go> : null}
          {inFile.value ? <Go to={{ call: card.call }} class="link" title="The whole request and answer (w)">Whole</Go> : <Go to={{ raw: card.call, ...here_ }} class="link" title="Request and response as they were sent (r)">Raw</Go>}
          <Mark cut={Boolean(card.gap)} />
        </span>
      </header>
      {card.new?.length || card.asked ? (
        <p class="new">
          <span>{[card.new?.length ? `New: ${card.new.join(", ")}` : "", card.asked ? (card.new?.length ? "· for" : "For") : ""].filter(Boolean).join(" ")}</span>
          {card.asked ? <Go to={{ turn: card.asked.turn }} class="for" title="The prompt that this turn works on (p)"><bdi><T text={card.asked.text} /></bdi></Go> : null}
        </p>
      ) : null}
      {alerts.some((each) => !each.tool) ? <div class="tools flags">{alerts.map((each) => (each.tool ? null : <Flagged key={each.n} alert={each} />))}</div> : null}
      {card.prompt ? <Said text={card.prompt} call={card.call} part="prompt" class="say prompt" /> : null}
      {card.thinking ? <Thinking card={card} /> : null}
      {card.tries?.length ? <Tries tries={card.tries} here={here_} /> : null}
      {card.error ? <p class="note err"><T text={card.error} /></p> : null}
      {card.answer ? <Said text={card.answer} call={card.call} part="answer" class="say" caret={pending} /> : pending ? <Saying call={card.call} /> : null}
      {card.tools?.length || loose.length ? (
        <div class="tools">
          {card.tools?.map((tool) => (
            <>
              <Tool key={tool.id} tool={tool} />
              {alerts.map((each) => (each.tool === tool.id ? <Flagged key={each.n} alert={each} /> : null))}
              {(subs.get(tool.id) ?? []).map((sub) => <Sub key={sub.id} sub={sub} turn={within || card.n} />)}
            </>
          ))}
          {loose.map((sub) => <Sub key={sub.id} sub={sub} turn={within || card.n} />)}
        </div>
      ) : null}
      {card.gap ? <GapNote gap={card.gap} /> : null}
    </li>
  );
}

// Equal requests of which all but the last failed: what came, how long the agent waited, what came then.
function Tries({ tries, here }: { tries: Try[]; here: { turn: number; row: string } }): JSX.Element {
  return (
    <ol class="retry" aria-label="Tries of this call">
      {tries.map((each, at) => {
        const good = each.state === "complete";
        const open = each.state === "pending" && running.value;
        const said = each.status ? `HTTP ${each.status}` : open ? "no answer yet" : "no answer";
        const raw = inFile.value ? null : <Go to={{ raw: each.call, ...here }} class="link small">Raw</Go>;
        return (
          <>
            <li key={each.call}><b class={good || open ? "" : "bad"}>{said}</b><span class="num">{took(each.ms)}</span><span class="soft w">{at && !each.why ? "the same request" : <T text={each.why ?? ""} />}</span><span>{raw}</span></li>
            {at + 1 < tries.length ? <li key={`${each.call} w`}><span class="soft">waited</span><span class="num">{each.waited_ms === null || each.waited_ms === undefined ? "not seen" : took(each.waited_ms)}</span><span class="soft w">{each.retry_after_s ? `retry-after said ${each.retry_after_s} s` : "the answer named no pause"}</span><span /></li> : null}
          </>
        );
      })}
    </ol>
  );
}

// An alert where it was done: under its tool, or under the header for a call.
function Flagged({ alert }: { alert: AlertMark }): JSX.Element {
  const state = stateOf(alert.n);
  return (
    <p class="flagged">
      <span class="sign"><Flag state={state} /></span>
      <span><b><T text={alert.sentence} />{(alert.count ?? 1) > 1 ? <span class="num"> ×{alert.count}</span> : null}</b><small><T code text={alert.rule} />{state === "note" ? ", a note" : state === "part" ? ", part of another alert" : state === "new" ? "" : `, ${state}`}</small></span>
      <Go to={{ tab: "alerts", alert: `a${alert.n}` }} class="link">Alert</Go>
    </p>
  );
}

const SAYING_MOST = 4000; // characters of an answer that is still being made: the newest ones

// What an answer has said so far; the whole answer takes its place.
function Saying({ call }: { call: string }): JSX.Element {
  const blocks = [...(open.value.get(call)?.blocks.values() ?? [])];
  const last = blocks.length - 1;
  if (last < 0) return <p class="say"><i class="caret" aria-hidden="true" /></p>;
  return (
    <>
      {blocks.map((block, at) => {
        const text = block.text.length > SAYING_MOST ? `… ${block.text.slice(-SAYING_MOST)}` : block.text;
        const caret = at === last ? <i class="caret" aria-hidden="true" /> : null;
        if (block.kind === "text") return <div key={at} class="say saying"><Markdown text={text} />{caret}</div>;
        if (block.kind === "reasoning") {
          return <details key={at} class="think" open={at === last}><summary>Reasoning{at === last ? " …" : ""}</summary><div class="in"><Markdown text={text} />{caret}</div></details>;
        }
        return <p key={at} class="asking"><b><T text={block.name || "a tool"} /></b> <T code text={text.slice(-240)} />{caret}</p>;
      })}
    </>
  );
}

export function GapNote({ gap }: { gap: Gap }): JSX.Element {
  return (
    <p class="note">
      <Mark cut />
      <span>
        <b>{gap.what}</b>{gap.since_ms ? `, since ${clock(gap.since_ms)}` : ""}: <Ticked text={gap.why} />.{gap.do ? <> <Ticked text={gap.do} /></> : null}{" "}
        <Go to={{ tab: "health", row: gap.stage ?? "calls" }}>Show where</Go>
      </span>
    </p>
  );
}

// The begin of a text, and all of it on demand.
function Said({ text, call, part, class: name, caret }: { text: Text; call: string; part: "prompt" | "answer"; class: string; caret?: boolean }): JSX.Element {
  const [whole, setWhole] = useState<string | null>(null);
  const [error, setError] = useState("");
  const load = async (): Promise<string> => {
    const body = await askHere<CallBody>(`call/${encodeURIComponent(call)}`, { part: part === "answer" ? "answer" : "request" });
    return part === "answer" ? joined(body.answer) : joined(lastOfUser(body));
  };
  const show = (): void => {
    load().then(
      setWhole,
      (why: unknown) => setError(String(why instanceof Error ? why.message : why)),
    );
  };
  return (
    <div class={name}>
      {part === "answer" ? <Markdown text={whole || text.text + (text.more && whole === null ? " …" : "")} /> : <Paragraphs text={whole || text.text + (text.more && whole === null ? " …" : "")} />}
      {caret ? <i class="caret" aria-hidden="true" /> : null}
      {text.more && whole === null ? <button class="link" onClick={show}>Show the rest</button> : null}
      <Copy text={whole ?? (text.more ? load : text.text)} what={part === "answer" ? "the answer" : "the prompt"} />
      {error ? <span class="gap small"> <T text={error} /></span> : null}
    </div>
  );
}

function joined(parts: Body[] | undefined): string {
  return (parts ?? []).filter((part) => part.kind === "text").map((part) => part.text).join("\n\n");
}

function lastOfUser(body: CallBody): Body[] {
  return [...(body.messages ?? [])].reverse().find((each) => each.role === "user")?.parts ?? [];
}

// A text that a person or a program wrote: blank lines divide paragraphs, and what stands between fences is code.
export function Paragraphs({ text }: { text: string }): JSX.Element {
  const pieces = text.split(/^```[^\n]*$/m);
  return (
    <>
      {pieces.map((piece, at) => {
        const trimmed = piece.replace(/^\n+|\n+$/g, "");
        if (!trimmed) return null;
        if (at % 2) return <pre key={at} class="res" tabIndex={0}><T text={trimmed} /></pre>;
        return trimmed.split(/\n{2,}/).map((each, n) => <p key={`${at}-${n}`} class="pre" dir="auto"><T text={each} /></p>);
      })}
    </>
  );
}

function Thinking({ card }: { card: TurnCard }): JSX.Element {
  const [whole, setWhole] = useState("");
  const thinking = card.thinking!;
  return (
    <details
      class="think" onToggle={(event) => {
        if (!event.currentTarget.open || !thinking.more || whole) return;
        askHere<CallBody>(`call/${encodeURIComponent(card.call)}`, { part: "answer" }).then(
          (body) => setWhole((body.answer ?? []).filter((part) => part.kind === "reasoning").map((part) => part.text).join("\n\n")),
          () => undefined,
        );
      }}
    >
      <summary>Reasoning, {thinking.more ? "more than " : ""}{plural(card.words ?? 0, "word")}</summary>
      <div class="in"><Markdown text={whole || thinking.text} /></div>
    </details>
  );
}

// -- tools --------------------------------------------------------------------------------------------------------------

function Tool({ tool }: { tool: ToolCard }): JSX.Element {
  const folder = head.value?.cwd ?? "";
  const live = tool.state === "running" && running.value;
  const failed = tool.state === "failed";
  const opened = failed || Boolean(tool.gap) || place.value.row === tool.id;
  const marks = (tool.files ?? []).length;
  return (
    <details class="tool" id={`row-${tool.id}`} open={opened}>
      <summary>
        <span class="name"><T text={tool.name} /></span>
        <span class="cmd"><T code text={within(tool.asked, folder)} /></span>
        <span class={failed ? "how bad" : live ? "how now" : "how"}>{live ? "running" : <T text={tool.how} />}</span>
        <span class="took" title={tool.pause_ms ? `then ${took(tool.pause_ms)} until the agent sent the result` : undefined}>{live ? took(Math.max(0, now.value - tool.start_ms)) : took(tool.ms)}</span>
        <Mark cut={Boolean(tool.gap)} />
      </summary>
      <dl class="in">
        {failed ? <Answered tool={tool} live={live} /> : null}
        <dt>asked</dt><dd><T code text={tool.asked} /> <Copy text={() => commandOf(tool)} what="the command" /> <Whole id={tool.id} part="input" /></dd>
        {tool.programs?.length ? <><dt>process</dt><dd><Programs tool={tool} /></dd></> : null}
        {tool.tied || tool.cwd ? (
          <>
            <dt>where</dt>
            <dd class="soft">{tool.cwd ? <><T code text={home(tool.cwd)} />{tool.tied ? ", " : ""}</> : null}{tool.tied ?? ""}{(tool.sure ?? 1) < 1 ? ` (${Math.round((tool.sure ?? 1) * 100)} % sure)` : ""}</dd>
          </>
        ) : null}
        {marks || tool.read ? (
          <>
            <dt>files</dt>
            <dd>
              <ul class="marks">
                {(tool.files ?? []).map((each) => (
                  <li key={each.sign + each.path} class={each.sign === "!" ? "bad" : ""}><span class="sg">{each.sign}</span><T code text={within(each.path, folder)} />{each.sign === "!" ? " refused" : ""}</li>
                ))}
                {tool.more_files ? <li class="soft">and {tool.more_files} more; <Go to={{ tab: "files" }}>all files</Go></li> : null}
                {tool.read ? <li class="soft">{plural(tool.read, "file")} read</li> : null}
              </ul>
            </dd>
          </>
        ) : null}
        {tool.hosts?.length ? <><dt>hosts</dt><dd><T code text={tool.hosts.join(", ")} /></dd></> : null}
        {failed ? null : <Answered tool={tool} live={live} />}
      </dl>
    </details>
  );
}

// All of a command, where the card has the begin.
async function commandOf(tool: ToolCard): Promise<string> {
  const body = await askHere<Body>(`tool/${encodeURIComponent(tool.id)}`, { part: "input" }).catch(() => null);
  try {
    const given: unknown = JSON.parse(body?.text ?? "");
    const command = given && typeof given === "object" ? Object.entries(given).find(([name]) => /^(?:command|cmd|script)$/.test(name))?.[1] as unknown : null;
    if (typeof command === "string") return command;
    if (Array.isArray(command)) return command.join(" ");
  } catch {
    // not JSON: what the card shows
  }
  return tool.asked;
}

function Answered({ tool, live }: { tool: ToolCard; live: boolean }): JSX.Element {
  return <><dt>result</dt><dd>{tool.result ? <Result tool={tool} /> : <span class="soft">{live ? "not there yet" : "no result was seen going back to the model"}</span>}</dd></>;
}

// What ran, and folded below it what only prepared it.
function Programs({ tool }: { tool: ToolCard }): JSX.Element {
  const all = tool.programs ?? [];
  const helpers = all.filter((each) => each.helper);
  const ran = helpers.length < all.length ? all.filter((each) => !each.helper) : all;
  return (
    <>
      {all.length + (tool.more_programs ?? 0) > 1 && used(tool.cpu_ms, tool.memory) ? <p class="soft">{used(tool.cpu_ms, 0)}{tool.cpu_ms && tool.memory ? " in all, " : ""}{tool.memory ? `at most ${size(tool.memory)}` : ""}</p> : null}
      <ul class="procs">
        {ran.map((each) => <Ran key={`${each.pid} ${each.argv}`} program={each} />)}
        {tool.more_programs ? <li class="soft">and {tool.more_programs} more; <Go to={{ tab: "processes" }}>all processes</Go></li> : null}
      </ul>
      {ran !== all && helpers.length ? (
        <details class="help-p">
          <summary class="soft">{plural(helpers.length, "helper")}: <T text={[...new Set(helpers.map(named))].slice(0, 4).join(", ")} />{helpers.length > 4 ? ", …" : ""}</summary>
          <ul class="procs">{helpers.map((each) => <Ran key={`${each.pid} ${each.argv}`} program={each} />)}</ul>
        </details>
      ) : null}
    </>
  );
}

function named(program: Program): string {
  const first = program.argv.split(" ", 1)[0] ?? "";
  return first.slice(first.lastIndexOf("/") + 1);
}

// Time of processors, to a tick of the scheduler, and the most memory.
function used(cpu: number | null | undefined, memory: number | null | undefined): string {
  return [cpu && cpu >= 10 ? `${took(cpu)} CPU` : "", memory ? size(memory) : ""].filter(Boolean).join(", ");
}

function Ran({ program }: { program: Program }): JSX.Element {
  return (
    <li style={{ paddingLeft: `${Math.min(program.depth ?? 0, 6) * 14}px` }}>
      <span class="pid">{program.pid}</span><T code text={program.argv} />
      <span class={program.bad ? "r bad" : "r"}>{[program.end, took(program.ms), used(program.cpu_ms, program.memory)].filter(Boolean).join(", ") || "no end seen"}</span>
    </li>
  );
}

function Result({ tool }: { tool: ToolCard }): JSX.Element {
  const [text, setText] = useState<Body | null>(null);
  const [error, setError] = useState("");
  const box = useRef<HTMLPreElement>(null);
  const toEnd = tool.state === "failed";
  useEffect(() => {
    if (toEnd && tool.result!.more && box.current?.closest("details")?.open) ask(0); // what went wrong stands at the end
  }, [tool.id]);
  useLayoutEffect(() => {
    if (toEnd && text && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [text]);
  const ask = (offset: number): void => {
    askHere<Body>(`tool/${encodeURIComponent(tool.id)}`, { part: "result", offset }).then(
      (more) => setText((known) => ({ ...more, text: (offset ? (known?.text ?? "") : "") + more.text })),
      (why: unknown) => setError(String(why instanceof Error ? why.message : why)),
    );
  };
  const shown = text?.text ?? tool.result!.text;
  const more = text ? text.text.length < (text.total ?? 0) : tool.result!.more;
  return (
    <>
      <div class="res-c">
      <pre class="res" tabIndex={0} ref={box}><T text={shown + (more ? "\n…" : "")} /></pre>
      <Copy text={shown} what={more ? "this part of the result" : "the result"} />
      </div>
      {more ? <button class="link" onClick={() => ask(text?.text.length ?? 0)}>{text ? "Show more" : "Show the whole result"}</button> : null}
      {error ? <span class="gap small"> <T text={error} /></span> : null}
    </>
  );
}

function Whole({ id, part }: { id: string; part: "input" }): JSX.Element {
  const [text, setText] = useState("");
  if (text) return <pre class="res" tabIndex={0}><T text={text} /></pre>;
  return (
    <button class="link small" onClick={() => void askHere<Body>(`tool/${encodeURIComponent(id)}`, { part }).then((body) => setText(pretty(body.text)), () => setText("it is not in the recording"))}>
      whole input
    </button>
  );
}

export function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

// Is the row of the address in it: itself, one of its calls or tools?
function shows(sub: SubAgent, row: string): boolean {
  return row !== "" && (row === sub.id || row === sub.tool || (sub.cards ?? []).some((card) => card.call === row || (card.tools ?? []).some((tool) => tool.id === row) || (card.subs ?? []).some((each) => shows(each, row))));
}

function Sub({ sub, turn }: { sub: SubAgent; turn: number }): JSX.Element {
  return (
    <details class="sub" id={`row-${sub.id}`} open={Boolean(sub.bad ?? sub.gap) || shows(sub, place.value.row)}>
      <summary>
        <b><T text={sub.name} /></b><span class="soft task-of">{sub.task ? <T text={sub.task} /> : "sub-agent"}</span>
        <span class="end">
          <span>{plural(sub.turns, "turn")}</span><span>{took(sub.ms)}</span><span>{amount(sub.tokens_in)} in</span><span>{money(sub.cost)}</span>
          <Mark cut={Boolean(sub.gap)} />
        </span>
      </summary>
      {sub.asked_in ? <p class="new asked-by">Asked by <T text={sub.asker ?? "a tool"} />, turn {sub.asked_in}{sub.answered_in ? <> · its answer is the tool result in <Go to={{ turn: sub.answered_in, row: "" }} class="link">turn {sub.answered_in}</Go></> : null} · <Go to={{ tab: "context", of: sub.id, turn: 0 }} class="link">Context of this thread</Go></p> : null}
      <ol class="inner">
        {(sub.cards ?? []).map((card, at, all) => <Card key={card.call} card={card} before={all[at - 1]?.call ?? ""} within={turn} />)}
        {sub.cards?.length ? null : <li class="soft pad">It is more than three levels deep: see <Go to={{ tab: "timeline" }}>the timeline</Go>.</li>}
      </ol>
    </details>
  );
}

// -- beside the thread ----------------------------------------------------------------------------------------------------

function Side({ head }: { head: Head }): JSX.Element | null {
  const signals = head.signals ?? [];
  const plan = head.plan ?? [];
  const wide = useSide();
  if (!signals.length && !plan.length) return null;
  return (
    <aside class="side" aria-label="Worth a look">
      {signals.length ? (
        <details open={wide}>
          <summary>Worth a look <span>{signals.length}</span></summary>
          {signals.map((each, at) => (
            <section class="sig" key={at}>
              <b class={each.bad ? "bad" : ""}>{each.alert ? <><Flag state={stateOf(each.alert)} /> </> : null}{each.title}</b>
              <p>{each.code ? <><T code text={each.code} />: </> : null}<T text={each.text} /></p>
              <p class="ev">
                {(each.turns ?? []).filter(Boolean).map((turn) => <Go key={turn} to={{ turn, tab: "conversation" }}>turn {turn}</Go>)}
                {each.more ? <span class="soft">and {plural(each.more, "more turn")}</span> : null}
                {each.tab && each.tab !== "conversation" ? <Go to={{ tab: each.tab }}>{each.tab}</Go> : null}
                {each.alert ? <Go to={{ tab: "alerts", alert: `a${each.alert}` }} class="link">Alert</Go> : null}
                {each.diff ? <button class="link" onClick={() => go({ diff: `..${each.diff}` }, true)}>Diff</button> : null}
              </p>
            </section>
          ))}
        </details>
      ) : null}
      {plan.length ? (
        <section class="plan-s">
          <h2 class="h">Plan</h2>
          <ul class="plan">{plan.map((step, at) => <li key={at} class={step.state}><T text={step.text} /><span class="sr"> ({step.state})</span></li>)}</ul>
        </section>
      ) : null}
    </aside>
  );
}
