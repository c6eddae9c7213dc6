// The context of each turn by origin, as bands in steps, and beside it the list that is legend, values and filter.

import type { JSX } from "preact";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { scaleOf } from "../bars";
import { bandsOf, type Columns, KEYS, nameOf, ORIGINS, TONES } from "../context";
import { go, place } from "../address";
import { CACHE_LOST, CLEARED, COMPACTED, type ContextOverTime, type ContextTurn, NOT_COUNTED, PARTS_UNKNOWN } from "../shapes";
import { select } from "../state";
import { amount } from "../words";

const HEIGHT = 250;
const TOP = 16;

export function Area({ columns, over, turn }: { columns: Columns; over: ContextOverTime; turn: ContextTurn }): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  const [pointed, setPointed] = useState(-1);
  useLayoutEffect(() => {
    const look = (): void => setWidth(Math.floor(box.current?.clientWidth ?? 0));
    look();
    const seen = new ResizeObserver(look);
    if (box.current) seen.observe(box.current);
    return () => seen.disconnect();
  }, []);
  const turns = columns.n.length;
  const { full, part } = useMemo(() => scaleOf(columns.total, over.window ?? 0), [columns, over.window]);
  const bands = useMemo(() => (width ? bandsOf(columns, width, HEIGHT, full) : []), [columns, width, full]);
  const wide = width / turns;
  const at = columns.n.indexOf(turn.turn);
  const shown = pointed >= 0 ? pointed : at;
  const y = (value: number): number => TOP + HEIGHT - (Math.min(value, full) / full) * HEIGHT;
  const where = (event: PointerEvent | MouseEvent): number => {
    const left = (event.currentTarget as HTMLElement).getBoundingClientRect().left;
    return Math.max(0, Math.min(turns - 1, Math.floor((event.clientX - left) / wide)));
  };
  const move = (event: KeyboardEvent): void => {
    const by: Record<string, number> = { ArrowRight: 1, ArrowLeft: -1, PageUp: 10, PageDown: -10, Home: -turns, End: turns };
    const step = by[event.key];
    if (step === undefined) return;
    event.preventDefault();
    select(columns.n[Math.max(0, Math.min(turns - 1, at + step))] ?? 0);
  };
  const sign = over.counted === false || over.file ? "≈ " : "";
  return (
    <div class="area">
      <div ref={box}>
        <div
          class="plot" role="slider" tabIndex={0} aria-label="Turns" aria-valuemin={columns.n[0]} aria-valuemax={columns.n[turns - 1]} aria-valuenow={turn.turn} aria-valuetext={`turn ${turn.turn}: ${over.counted === false ? sign : ""}${amount(columns.total[at] ?? 0)}`}
          onPointerMove={(event) => setPointed(where(event))} onPointerLeave={() => setPointed(-1)} onClick={(event) => select(columns.n[where(event)] ?? 0)} onKeyDown={move}
        >
          <svg width={width} height={TOP + HEIGHT + 22} aria-hidden="true">
            {[0.5, 1].map((part) => <path key={part} class="grid" d={`M0 ${y(full * part) + 0.5}h${width}`} />)}
            <g transform={`translate(0 ${TOP})`}>
              {bands.map((band) => <path key={band.origin} class={place.value.origin === KEYS[band.origin] ? "s-here" : `g${TONES[band.origin]}`} d={band.path} />)}
              {bands.map((band) => (band.word ? <text key={band.origin} class={place.value.origin === KEYS[band.origin] ? "in on" : "in"} x={band.word.x} y={band.word.y} text-anchor="middle">{nameOf(band.origin, over).toLowerCase()}</text> : null))}
            </g>
            <text x="0" y={y(full) - 4}>{amount(full).replace(".0 ", " ")}{part && `, ${part}`}</text>
            {columns.flags.map((flags, place_) => (flags & (NOT_COUNTED | PARTS_UNKNOWN) ? <rect key={place_} class="hatched" x={place_ * wide} y={TOP} width={Math.max(1, wide)} height={HEIGHT} /> : null))}
            <Events columns={columns} wide={wide} width={width} y={y} />
            {(over.prompts ?? []).map((each) => <path key={each} class="tick-p" d={`M${columns.n.indexOf(each) * wide + 0.5} ${TOP + HEIGHT + 1}v5`} />)}
            <path class="axis" d={`M0 ${TOP + HEIGHT + 0.5}h${width}`} />
            {at >= 0 ? <path class="now-l" d={`M${(at + 0.5) * wide} ${TOP - 4}V${TOP + HEIGHT + 4}`} /> : null}
            {pointed >= 0 ? <path class="point" d={`M${(pointed + 0.5) * wide} ${TOP}V${TOP + HEIGHT}`} /> : null}
            <Numbers columns={columns} at={at} wide={wide} width={width} />
          </svg>
        </div>
      </div>
      <div class="org num">
        {ORIGINS.map((name, origin) => (over.file && name === "Tools" ? null :
          <button key={name} aria-pressed={place.value.origin === KEYS[origin]} onClick={() => go({ origin: place.value.origin === KEYS[origin] ? "" : (KEYS[origin] ?? ""), row: "" })}>
            <i class={`sw g${TONES[origin]}`} /><span>{nameOf(origin, over)}</span><span>{sign}{amount(columns.sums[origin]?.[shown] ?? 0)}</span>
          </button>
        )).reverse()}
        <p class="sum"><span>Turn {columns.n[shown] ?? turn.turn}</span><span>{over.counted === false ? sign : ""}{amount(columns.total[shown] ?? 0)}</span></p>
      </div>
    </div>
  );
}

// Words where the context fell or the cache was lost; the later one gives way where both have no room.
function Events({ columns, wide, width, y }: { columns: Columns; wide: number; width: number; y: (value: number) => number }): JSX.Element {
  const busy: [number, number][] = [];
  const marks = columns.flags.flatMap((flags, at) => (flags & COMPACTED ? [{ at, word: "compacted" }] : flags & CACHE_LOST ? [{ at, word: "cache lost" }] : flags & CLEARED ? [{ at, word: "cleared" }] : []));
  return (
    <>
      {marks.map(({ at, word }) => {
        const x = at * wide;
        const long = word.length * 7.5;
        const left = x + long + 6 > width ? x - long - 5 : x + 5;
        const free = !busy.some(([a, b]) => left < b + 4 && left + long > a - 4);
        if (free) busy.push([left, left + long]);
        const under = columns.total.slice(Math.max(0, Math.min(at - 1, Math.floor(left / wide))), Math.ceil((left + long) / wide) + 1);
        const top = y(Math.max(0, ...under));
        return (
          <g key={at}>
            {word === "cache lost" ? <path class="ink-l" d={`M${x + 0.5} ${top - 14}V${TOP + HEIGHT}`} /> : null}
            {free ? <text class="ink" x={left} y={Math.max(TOP + 10, top - 5)}>{word}</text> : null}
          </g>
        );
      })}
    </>
  );
}

function Numbers({ columns, at, wide, width }: { columns: Columns; at: number; wide: number; width: number }): JSX.Element {
  const last = columns.n.length - 1;
  const step = [10, 20, 50, 100, 200, 500, 1000].find((each) => each * wide >= 60) ?? 2000;
  const wanted = [at, 0, last, ...columns.n.flatMap((turn, place_) => (turn % step === 0 ? [place_] : []))];
  const used: [number, number][] = [];
  return (
    <>
      {wanted.map((each, order) => {
        const turn = columns.n[each];
        if (turn === undefined) return null;
        const half = String(turn).length * 3.9 + 6;
        const x = Math.min(width - half + 6, Math.max(half - 6, (each + 0.5) * wide));
        if (used.some(([a, b]) => Math.abs(a - x) < b + half)) return null;
        used.push([x, half]);
        return <text key={`${order}`} class={order ? "" : "s-n here"} x={x} y={TOP + HEIGHT + 18} text-anchor="middle">{turn}</text>;
      })}
    </>
  );
}
