// The strip of turns: a bar for a turn or for several, marks of trouble under them, numbers; closer under a small picture of all.

import { useSignal, type Signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { type Bar, fallsOf, type Flagged, flagsOf, foldOf, HEIGHT, numbersOf, type Plot, plotted, type Scale, scaleOf, taken, WORDS, wordsOf, zoomedTurns } from "../bars";
import { place } from "../address";
import { shown } from "../only";
import { type AlertColumns, FAILED, MISSING, STATES, type Strip, SUB_AGENT, type SubLane } from "../shapes";
import { following, head, indexOf, ofSubAgent, running, select } from "../state";
import { amount, plural } from "../words";
import { Flag } from "./bits";
import { SubLanes } from "./sublanes";

const ALL_HEIGHT = 22; // px of the picture of everything
const COLUMN = 2; // px of a column in it
const NO_ALERTS: AlertColumns = {};
const NO_LANES: SubLane[] = [];

// What keys act on.
export const control: { current: { closer: () => void; all: () => void } | null } = { current: null };

export function Turns({ strip, window }: { strip: Strip; window: number }): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  const [start, setStart] = useState<number | null>(null); // of the part that is shown closer; null: all is shown
  const [newest, setNewest] = useState(false); // the part ends at the newest turn
  const [inside, setInside] = useState(false); // the pointer is over the strip
  const pointed = useSignal<Bar | null>(null);
  const fold = useRef(1);
  const total = strip.n.length;
  const selected = ofSubAgent() ? -1 : indexOf(place.value.turn);
  useLayoutEffect(() => {
    setWidth(Math.floor(box.current?.clientWidth ?? 0));
    const seen = new ResizeObserver(() => setWidth(Math.floor(box.current?.clientWidth ?? 0)));
    if (box.current) seen.observe(box.current);
    return () => seen.disconnect();
  }, []);
  const fits = Math.min(total, zoomedTurns(width));
  const zoomed = start !== null && fits < total;
  const last = Math.max(0, total - fits);
  const from = zoomed ? (newest ? last : Math.min(start, last)) : 0;
  const to = zoomed ? from + fits : total;
  const around = (at: number): number => Math.max(0, Math.min(last, at - Math.floor(fits / 2)));
  useEffect(() => {
    if (selected < 0) return;
    setNewest(false);
    if (start !== null && (selected < from || selected >= to)) setStart(around(selected));
  }, [selected]);
  const wanted = zoomed ? 1 : foldOf(total, width);
  const fitting = Math.ceil(total / fold.current) * 4 <= width; // bars may lose their space, not more, while one points at them
  if (!inside || zoomed || wanted < fold.current || !fitting) fold.current = wanted;
  const plot = useMemo(() => plotted(strip, from, to, width, fold.current), [strip, from, to, width, fold.current]);
  const scale = useMemo(() => scaleOf(strip.context, window), [strip, window]);
  const closer = (): void => {
    if (zoomed || fold.current === 1) return;
    setStart(around(selected < 0 ? total - 1 : selected));
    setNewest(selected < 0);
  };
  const all = (): void => setStart(null);
  useLayoutEffect(() => {
    control.current = { closer, all };
    return () => {
      control.current = null;
    };
  });
  const at = (event: PointerEvent | MouseEvent): Bar | null => {
    const left = (event.currentTarget as HTMLElement).getBoundingClientRect().left;
    return plot.bars[Math.floor((event.clientX - left) / plot.pitch)] ?? null;
  };
  const here = selected < 0 ? total - 1 : selected;
  return (
    <div class="strip" ref={box} onPointerEnter={() => setInside(true)} onPointerLeave={() => setInside(false)}>
      {zoomed ? <Everything strip={strip} full={scale.full} from={from} to={to} width={width} onMove={(turn) => (setNewest(false), setStart(around(turn)))} /> : null}
      <div
        class="plot" role="slider" tabIndex={0} aria-label="Turns: height is context" aria-valuemin={strip.n[0]} aria-valuemax={strip.n[total - 1]} aria-valuenow={strip.n[here]}
        aria-valuetext={readOut(strip, plotted(strip, here, here + 1, 1, 1).bars[0]!)} onKeyDown={(event) => move(event, strip, selected)}
        onPointerMove={(event) => (pointed.value = at(event))} onPointerLeave={() => (pointed.value = null)}
        onClick={(event) => {
          const bar = at(event);
          if (bar) select(strip.n[taken(strip, bar)] ?? 0);
        }}
      >
        {width ? <Chart strip={strip} plot={plot} scale={scale} width={width} selected={selected} live={running.value} alerts={head.value?.alerts ?? NO_ALERTS} /> : <svg height={HEIGHT + 30} />}
      </div>
      <SubLanes lanes={head.value?.lanes ?? NO_LANES} plot={plot} width={width} />
      <Caption strip={strip} plot={plot} scale={scale} zoomed={zoomed} pointed={pointed} onCloser={closer} onAll={all} />
    </div>
  );
}

function move(event: KeyboardEvent, strip: Strip, selected: number): void {
  const end = strip.n.length - 1;
  const by: Record<string, number> = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 };
  const here = selected < 0 ? end + 1 : selected;
  const next = event.key === "Home" ? 0 : event.key === "End" ? end : event.key in by ? here + by[event.key]! : -1;
  if (next === -1 && !(event.key in by)) return;
  event.preventDefault();
  select(strip.n[Math.max(0, Math.min(end, next))] ?? 0);
}

function readOut(strip: Strip, bar: Bar): string {
  const first = strip.n[bar.first] ?? 0;
  const last = strip.n[bar.last] ?? 0;
  const named = first === last ? `turn ${first}` : `turns ${first} to ${last}`;
  const said = strip.context.some(Boolean) ? [`${named}: ${amount(bar.context)}`, `${amount(bar.fresh)} new`] : [named];
  for (const [flag, word] of WORDS) if (bar.flags & flag) said.push(word);
  if (bar.flags & MISSING) said.push("something is missing");
  if (bar.flags & FAILED) said.push("something failed");
  if (bar.flags & SUB_AGENT) said.push("a sub-agent worked");
  const alerts = alertsIn(bar);
  if (alerts) said.push(plural(alerts, "alert"));
  return said.join(", ");
}

// Alerts of its turns, beside notes.
function alertsIn(bar: Bar): number {
  const { turn = [], state = [] } = head.value?.alerts ?? NO_ALERTS;
  return turn.filter((each, at) => STATES[state[at] ?? 1] !== "note" && indexOf(each) >= bar.first && indexOf(each) <= bar.last).length;
}

// -- drawing ------------------------------------------------------------------------------------------------------------

function Chart(props: { strip: Strip; plot: Plot; scale: Scale; width: number; selected: number; live: boolean; alerts: AlertColumns }): JSX.Element {
  const { strip, plot, scale, width, selected, live, alerts } = props;
  const only = place.value.only;
  return useMemo(() => {
    const { pitch, wide, bars, high: tallest } = plot;
    const lit = new Set(only ? shown.value : []);
    const dim = (bar: Bar): boolean => Boolean(only) && !Array.from({ length: bar.last - bar.first + 1 }, (_, at) => bar.first + at).some((at) => lit.has(at));
    const ring = Math.floor((selected - plot.from) / plot.fold);
    const newest = (bars[bars.length - 1]?.last ?? -1) === strip.n.length - 1;
    const flags = flagsOf(plot, alerts, width, scale.full, indexOf);
    return (
      <svg width={width} height={tallest + 30} viewBox={`0 0 ${width} ${tallest + 30}`} aria-hidden="true">
        <g transform="translate(0 2)">
          {pitch < 26 ? <rect class="s-bg" width={Math.min(width, bars.length * pitch)} height={tallest} rx="3" /> : null}
          {bars.map((bar, at) => <Column key={bar.first} dim={dim(bar)} bar={bar} x={at * pitch} wide={wide} own={pitch >= 26} tallest={tallest} full={scale.full} now={live && newest && at === bars.length - 1} />)}
          {[...fallsOf(strip, plot)].map(([bar, x]) => <path key={`f${bar.first}`} class="s-fell" d={`M${x} 0v${tallest}`} />)}
          {flags.map((flag) => <Pole key={flag.first} flag={flag} />)}
          {wordsOf(strip, plot, width, scale.full, selected, flags).map((word) => <text key={`${word.text}${word.x}`} class="s-word" x={word.x} y="11">{word.text}</text>)}
          {numbersOf(strip, plot, width, selected, live && newest).map((each) => <text key={each.turn} class={`s-n ${each.kind}`} x={each.x} y={tallest + 24} text-anchor="middle">{each.text}</text>)}
          {selected >= plot.from && ring < bars.length ? (
            <>
              <rect class="s-ring out" x={ring * pitch - 3} y="-1" width={wide + 6} height={tallest + 2} rx="4" />
              <rect class="s-ring" x={ring * pitch - 3} y="-1" width={wide + 6} height={tallest + 2} rx="4" />
            </>
          ) : null}
        </g>
      </svg>
    );
  }, [strip, plot, scale, width, selected, live, alerts, only]);
}

// A flag whose pole stands on its bar.
function Pole({ flag }: { flag: Flagged }): JSX.Element {
  const { x, top, state, n } = flag;
  return (
    <g class={`s-flag f-${state}`} data-alerts={n} transform={`translate(${x} 0)`}>
      <path class="halo" d={`M2 0v${Math.max(13, top)}M2 1.500h8.500L8.300 4.400l2.200 2.900H2Z`} />
      <path d={`M2 0v${Math.max(13, top)}`} />
      <path class="cloth" d={state === "allowed" ? "M2 6.300h8.500l-2.200 2.800 2.200 2.900H2" : "M2 1.500h8.500L8.300 4.400l2.200 2.900H2Z"} />
      {state === "stopped" ? <path class="bars" d="M14.500 1v7M18 1v7" /> : null}
      {n > 1 ? <text x={state === "stopped" ? 21 : 13} y="10">{n}</text> : null}
    </g>
  );
}

// A bar, and its trouble on the line under it, where a low bar shows it too: the worst one wins.
function Column({ bar, dim, x, wide, own, tallest, full, now }: { bar: Bar; dim: boolean; x: number; wide: number; own: boolean; tallest: number; full: number; now: boolean }): JSX.Element {
  const missing = Boolean(bar.flags & MISSING);
  const failed = Boolean(bar.flags & FAILED);
  const high = Math.max(1, Math.round((Math.min(bar.context, full) / full) * tallest));
  const marked = missing || failed || now; // then 4 px of its top have a colour, above a line of 1 px
  const tall = marked ? Math.max(high, 4) : high;
  const fresh = Math.min(tall, Math.max(marked ? 5 : 1, Math.round((bar.fresh / full) * tallest)));
  const top = tallest - tall;
  const kind = missing ? "cut" : failed ? "bad" : now ? "here" : "new";
  const middle = x + wide / 2;
  const mark = tallest + 4;
  const piece = wide < 14 ? wide * 0.4 : 6;
  return (
    <g class={dim ? "s-bar dim" : "s-bar"} data-turns={`${bar.first}-${bar.last}`}>
      {own ? <rect class="s-bg" x={x} width={wide} height={tallest} rx="3" /> : null}
      <rect class="s-old" x={x} y={top + fresh} width={wide} height={tall - fresh} />
      {missing ? (
        <path class="s-cut" d={wide < 14 ? `M${x} ${top + 1}h${wide}M${x} ${top + 5}h${wide}` : `M${x} ${top + 2}h${wide}`} stroke-width={wide < 14 ? 2 : 4} stroke-dasharray={wide < 14 ? undefined : "8 4"} />
      ) : (
        <rect class={`s-${kind}`} x={x} y={top} width={wide} height={Math.max(1, fresh - (tall > fresh + 2 && fresh > 2 ? 1 : 0))} />
      )}
      {missing && fresh > 8 ? <rect class="s-new" x={x} y={top + 7} width={wide} height={fresh - 8} /> : null}
      {missing ? (
        <path class="s-cut" stroke-width="3" d={`M${middle - piece - 1} ${mark + 1.5}h${piece}m2 0h${piece}`} />
      ) : failed ? (
        <rect class="s-bad" x={middle - Math.min(wide, 10) / 2} y={mark} width={Math.min(wide, 10)} height="4" />
      ) : null}
      {bar.flags & SUB_AGENT && (!(missing || failed) || wide > 34) ? <circle class="s-sub" cx={missing || failed ? middle + 14 : middle} cy={mark + 2.2} r="2.6" /> : null}
    </g>
  );
}

// All turns, small, with what is shown below in the accent, and all trouble; dragging moves it.
function Everything(props: { strip: Strip; full: number; from: number; to: number; width: number; onMove: (turn: number) => void }): JSX.Element {
  const { strip, full, width } = props;
  const total = strip.n.length;
  const columns = useMemo(() => {
    const many = Math.max(1, Math.min(total, Math.floor(width / COLUMN)));
    return Array.from({ length: many }, (_, at) => {
      const first = Math.floor((at * total) / many);
      return plotted(strip, first, Math.max(first + 1, Math.floor(((at + 1) * total) / many)), 1, total).bars[0]!;
    });
  }, [strip, width]);
  const each = width / columns.length;
  const drag = (event: PointerEvent): void => {
    const box = event.currentTarget as HTMLElement;
    if (event.type === "pointerdown") box.setPointerCapture(event.pointerId);
    else if (!box.hasPointerCapture(event.pointerId)) return;
    props.onMove(Math.floor(((event.clientX - box.getBoundingClientRect().left) / width) * total));
  };
  return (
    <div class="every" onPointerDown={drag} onPointerMove={drag}>
      <svg width={width} height={ALL_HEIGHT} aria-hidden="true">
        <rect class="s-bg" width={width} height={ALL_HEIGHT} rx="4" />
        {columns.map((bar, at) => {
          const high = (Math.min(bar.context, full) / full) * 16;
          return <rect key={at} class="s-old" x={at * each} y={20 - high} width={each + 0.1} height={high} />;
        })}
        {columns.map((bar, at) => (bar.flags & (MISSING | FAILED) ? <rect key={at} class={bar.flags & MISSING ? "s-gap" : "s-bad"} x={at * each - 1} y="18" width="3" height="4" /> : null))}
        <rect class="s-ring" x={(props.from / total) * width + 1} y="1" width={((props.to - props.from) / total) * width - 2} height={ALL_HEIGHT - 2} rx="4" />
      </svg>
    </div>
  );
}

function Caption(props: { strip: Strip; plot: Plot; scale: Scale; zoomed: boolean; pointed: Signal<Bar | null>; onCloser: () => void; onAll: () => void }): JSX.Element {
  const { strip, plot, scale, zoomed } = props;
  const flags = plot.bars.reduce((all, bar) => all | bar.flags, 0);
  const counted = strip.context.some(Boolean);
  const whose = (head.value?.lanes ?? []).length ? `main thread, ${plural(strip.n.length, "turn")}; ` : "";
  const rest = counted ? `a full bar is ${amount(Math.round(scale.full)).replace(".0 ", " ")}${scale.part ? `, ${scale.part}` : ""}` : "no count of tokens was reported";
  const bar = props.pointed.value;
  const dimmed = strip.n.length - shown.value.length;
  return (
    <p class="cap">
      <span><i class="sw" />new</span>
      <span><i class="sw light" />{counted ? "from cache" : "carried"}</span>
      {flags & FAILED ? <span><i class="sw tick" />something failed</span> : null}
      {flags & MISSING ? <span><i class="sw dashed" />something is missing</span> : null}
      {flags & SUB_AGENT ? <span><i class="sw round" />a sub-agent worked</span> : null}
      <Waiting />
      {running.value && following.value ? <span><i class="dot on" aria-hidden="true" />following the newest</span> : null}
      <span class="right num">
        <span>{bar ? readOut(strip, bar) : `${whose}${plot.fold > 1 ? `one bar for ${plot.fold} turns; ` : ""}${rest}${dimmed ? `; ${plural(dimmed, "turn")} ${dimmed === 1 ? "is" : "are"} dimmed` : ""}`}</span>
        {zoomed ? <button class="link" onClick={props.onAll}>All {plural(strip.n.length, "turn")}</button> : plot.fold > 1 ? <button class="link" onClick={props.onCloser}>Zoom in</button> : null}
      </span>
    </p>
  );
}

// What the flags say, where there are any.
function Waiting(): JSX.Element | null {
  const states = new Set((head.value?.alerts?.state ?? []).map((at) => STATES[at]));
  const shown = (["stopped", "new", "seen", "allowed", "part"] as const).filter((each) => states.has(each));
  if (!shown.length) return null;
  const names = { stopped: "stopped", new: "new alert", seen: "seen", allowed: "allowed", part: "part of another alert" };
  return <>{shown.map((each) => <span key={each}><Flag state={each} />{names[each]}</span>)}</>;
}
