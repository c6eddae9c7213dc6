// How long first words and tools took: a dot each on a log axis, the slowest with their causes, and a turn to scale.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { go, place } from "../address";
import type { Latency as Found, Slow, Spread, TurnCard } from "../shapes";
import { askHere, cards, here, indexOf, loadPage, PAGE, select, version } from "../state";
import { count, took } from "../words";
import { Go, Note, T, Turn, useAsked } from "./bits";

const HEIGHT = 62; // px of the dots
const DOT = 5; // px
const NAMED = 90; // px of the name of a line
const LEAST = 2; // px of the shortest bar

export function Latency(): JSX.Element {
  const { found, error } = useAsked((signal) => askHere<Found>(here("latency"), {}, signal), [place.value.session, version.value]);
  const at = indexOf(place.value.turn);
  const card = cards.value.get(at);
  useEffect(() => {
    if (at >= 0) loadPage(Math.floor(at / PAGE));
  }, [at]);
  if (!found) return error ? <Note error={error} /> : <p class="soft">loading …</p>;
  return (
    <>
      {card ? <Waterfall card={card} /> : null}
      <div class="lats">
        <section aria-labelledby="lat-first">
          <h2 class="h" id="lat-first">First word <span class="soft">{said(found.first, "call")}, from the request to the first word</span></h2>
          <Dots ms={found.first_ms} turns={found.first_turns} spread={found.first} />
          {found.slow_calls.length ? (
            <div class="scroll"><table>
              <thead><tr><th scope="col">slowest</th><th class="n" scope="col">first word</th><th scope="col">why</th><th class="n" scope="col">whole</th></tr></thead>
              <tbody>{found.slow_calls.map((each, n) => <tr key={n} class={each.turn === place.value.turn ? "sel" : ""}><td><Pick slow={each} /></td><td class="n">{took(each.ms)}</td><td class="soft"><T text={each.why ?? ""} /></td><td class="n">{took(each.whole_ms)}</td></tr>)}</tbody>
            </table></div>
          ) : <p class="soft">No first word was seen.</p>}
        </section>
        <section aria-labelledby="lat-tools">
          <h2 class="h" id="lat-tools">Tools <span class="soft">{said(found.tools, "call")}, from start to end</span></h2>
          <Dots ms={found.tool_ms} turns={found.tool_turns} bad={found.tool_bad} spread={found.tools} />
          {found.slow_tools.length ? (
            <div class="scroll"><table>
              <thead><tr><th scope="col">slowest</th><th class="n" scope="col">took</th><th scope="col">turn</th><th class="n" scope="col">end</th></tr></thead>
              <tbody>{found.slow_tools.map((each, n) => <tr key={n} class={each.turn === place.value.turn ? "sel" : ""}><td><T code text={each.what ?? ""} /></td><td class="n">{each.approx ? <span class="faint" title="no process was seen: until its result">≈ </span> : null}{took(each.ms)}</td><td class="nowrap"><Pick slow={each} /></td><td class={each.bad ? "n bad" : "n soft"}><T text={each.end ?? ""} /></td></tr>)}</tbody>
            </table></div>
          ) : <p class="soft">No tool has ended.</p>}
        </section>
      </div>
    </>
  );
}

const said = (spread: Spread, what: string): string => `${count(spread.count ?? 0)} ${what}${spread.count === 1 ? "" : "s"}`;

function Pick({ slow }: { slow: Slow }): JSX.Element {
  return <button class="ref" aria-pressed={slow.turn === place.value.turn} onClick={() => select(slow.turn)}>turn {slow.turn}</button>;
}

// Equal times stand on each other.
function Dots({ ms, turns, bad, spread }: { ms: number[]; turns: number[]; bad?: boolean[]; spread: Spread }): JSX.Element | null {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(500);
  useEffect(() => {
    const seen = new ResizeObserver(([entry]) => setWidth(Math.floor(entry?.contentRect.width ?? 500)));
    if (box.current) seen.observe(box.current);
    return () => seen.disconnect();
  }, []);
  if (!ms.length) return <div ref={box} />;
  const low = Math.log10(Math.max(1, Math.min(...ms))) - 0.05;
  const high = Math.max(low + 0.5, Math.log10(Math.max(1, ...ms)) + 0.05);
  const x = (each: number): number => 4 + ((Math.log10(Math.max(1, each)) - low) / (high - low)) * (width - 8);
  const piles = new Map<number, number>();
  const most = Math.floor(HEIGHT / (DOT + 1));
  const ticks = [1, 10, 100, 1000, 10_000, 60_000, 600_000].filter((each) => Math.log10(each) > low && Math.log10(each) < high);
  const lines = [["p50", spread.p50 ?? 0], [spread.few ? "max" : "p95", spread.p95 ?? 0]] as const;
  return (
    <div ref={box} class="dots">
      <svg width={width} height={HEIGHT + 36} role="img" aria-label={`${count(ms.length)} times: p50 ${took(spread.p50)}, ${spread.few ? "max" : "p95"} ${took(spread.p95)}`}>
        {ticks.map((each) => <g key={each}><path class="tick" d={`M${x(each)} 18v${HEIGHT}`} /><text x={x(each)} y={HEIGHT + 33} text-anchor={x(each) > width - 30 ? "end" : "middle"}>{took(each)}</text></g>)}
        <path class="tick" d={`M0 ${HEIGHT + 18.500}H${width}`} />
        {ms.map((each, at) => {
          const column = Math.round(x(each) / (DOT + 1));
          const high_ = piles.get(column) ?? 0;
          piles.set(column, high_ + 1);
          return high_ > most ? null : <circle key={at} class={bad?.[at] ? "bad" : turns[at] === place.value.turn ? "here" : ""} cx={column * (DOT + 1)} cy={HEIGHT + 15 - high_ * (DOT + 1)} r={DOT / 2}><title>{took(each)}, turn {turns[at]}</title></circle>;
        })}
        {lines.map(([name, each]) => {
          const left = name === "p50" ? x(each) > NAMED : x(each) > width - NAMED; // where its name stands
          return <g key={name}><path class="mark" d={`M${x(each)} 2v${HEIGHT + 16}`} /><text class="mark" x={x(each) + (left ? -4 : 4)} y={name === "p50" ? 10 : 22} text-anchor={left ? "end" : "start"}>{name} {took(each)}</text></g>;
        })}
      </svg>
    </div>
  );
}

// -- a turn to scale --------------------------------------------------------------------------------------------------------

interface Bar { name: string; start: number; ms: number; kind: string; bad?: boolean; depth?: number }

function barsOf(card: TurnCard): Bar[] {
  const first = card.first_ms ?? null;
  const whole = card.ms ?? 0;
  const bars: Bar[] = first === null ? [{ name: "the call", start: 0, ms: whole, kind: "c-model" }] : [{ name: "waiting", start: 0, ms: first, kind: "c-idle" }, { name: "words", start: first, ms: Math.max(0, whole - first), kind: "c-model" }];
  for (const tool of card.tools ?? []) {
    bars.push({ name: `${tool.name} ${tool.asked}`, start: tool.start_ms - card.start_ms, ms: tool.ms ?? 0, kind: "c-tool", bad: tool.state === "failed" });
    for (const each of tool.programs ?? []) if (each.start_ms) bars.push({ name: each.argv, start: each.start_ms - card.start_ms, ms: each.ms ?? 0, kind: "c-program", bad: each.bad ?? false, depth: 1 + (each.depth ?? 0) });
  }
  return bars;
}

function Waterfall({ card }: { card: TurnCard }): JSX.Element {
  const bars = barsOf(card);
  const end = Math.max(1, ...bars.map((each) => each.start + each.ms));
  return (
    <section class="fall" aria-labelledby="h-fall">
      <h2 class="h" id="h-fall"><Turn n={card.n} /> to scale, {took(end)} <button class="link" onClick={() => go({ turn: 0 })}>Close</button></h2>
      <ol>
        {bars.map((each, at) => (
          <li key={at}>
            <span class="w" style={{ paddingLeft: `${Math.min(each.depth ?? 0, 6) * 12}px` }}><T code text={each.name} /></span>
            <span class="track"><i class={each.bad ? "c-bad" : each.kind} style={{ left: `${(each.start / end) * 100}%`, width: `max(${LEAST}px, ${(each.ms / end) * 100}%)` }} /></span>
            <span class="num">{took(each.ms)}</span>
          </li>
        ))}
      </ol>
      <p class="faint small">{card.first_ms === null || card.first_ms === undefined ? "The first word was not seen. " : ""}What is shorter than 2 px is drawn 2 px wide. <Go to={{ tab: "conversation", turn: card.n, of: "" }}>Show the turn</Go></p>
    </section>
  );
}
