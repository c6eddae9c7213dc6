// A year by day and by week, and the sums of what is chosen. Days are chosen by a click, or by dragging over several.

import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import { choose, place } from "../address";
import type { Sums } from "../shapes";
import { amount, count, dayKey, dollars, MONTHS, percent, plural, took } from "../words";
import { T } from "./bits";

const STEP = 12; // px from day to day
const SIDE = 10;
const LEFT = 32;
const TOP = 18;
const BARS = 48; // px of the dearest week
const SHADES = [0.25, 0.55, 0.82, 0.96]; // of the days that have something
const SHORT_DAYS = 60; // up to so many chosen days, bars are days

interface Given { sums: Sums; by: "cost" | "tokens"; onBy: (by: "cost" | "tokens") => void; folded: boolean; onFold: () => void }

export function Year(props: Given): JSX.Element {
  const { sums, by } = props;
  const said = by === "cost" ? dollars : (n: number): string => amount(Math.round(n * 1000));
  if (props.folded) {
    const total = (sums.values ?? []).reduce((sum, each) => sum + each, 0);
    return <p class="folded"><span>A year: <b>{said(total)}</b></span><button class="link" onClick={props.onFold}>Show the year <kbd>y</kbd></button></p>;
  }
  return (
    <div class="year">
      <div>
        <Calendar sums={sums} by={by} />
        <p class="cap">
          <span class="seg">{(["cost", "tokens"] as const).map((each) => <button key={each} aria-pressed={by === each} onClick={() => props.onBy(each)}>{each} a day</button>)}</span>
          <span class="opt">less <span class="lv">{[0, 1, 2, 3, 4].map((each) => <i key={each} class={`l${each}`} />)}</span> more</span>
          <span class="right opt">choose a day, or drag over several</span>
          <button class="link small" onClick={props.onFold}>Fold <kbd>y</kbd></button>
        </p>
      </div>
      <Totals sums={sums} />
    </div>
  );
}

function Calendar({ sums, by }: { sums: Sums; by: "cost" | "tokens" }): JSX.Element {
  const all = sums.values ?? [];
  const first = new Date(`${sums.first ?? "2026-01-05"}T12:00:00`);
  const dayAt = (at: number): Date => new Date(first.getFullYear(), first.getMonth(), first.getDate() + at, 12);
  const given = new URLSearchParams(place.value.list);
  const [from, to] = [given.get("from") ?? "", given.get("to") ?? (given.get("from") ? "9999" : "")];
  const [drag, setDrag] = useState<[number, number] | null>(null);
  const box = useRef<SVGSVGElement>(null);
  const narrow = innerWidth <= 760;
  const skip = narrow ? Math.max(0, Math.ceil(all.length / 7) - 26) : 0; // weeks
  const said = by === "cost" ? dollars : (n: number): string => amount(Math.round(n * 1000)); // thousands of tokens
  const some = all.filter(Boolean).sort((a, b) => a - b);
  const steps = SHADES.map((part) => some[Math.floor(part * (some.length - 1))] ?? 0);
  const shade = (value: number): number => (value ? 1 + (steps.slice(0, 3).filter((each) => value > each).length) : 0);
  const isIn = (at: number): boolean => {
    if (drag) return at >= Math.min(...drag) && at <= Math.max(...drag);
    const name = dayKey(dayAt(at).getTime());
    return !from || (name >= from && name <= to);
  };
  const x = (at: number): number => LEFT + (Math.floor(at / 7) - skip) * STEP;
  const place_ = (event: PointerEvent): number => {
    const rect = box.current!.getBoundingClientRect();
    const scale = width / rect.width;
    const week = Math.floor(((event.clientX - rect.left) * scale - LEFT) / STEP) + skip;
    const day = Math.floor(((event.clientY - rect.top) * scale - TOP) / STEP);
    return week < skip || day < 0 || day > 6 ? -1 : Math.min(all.length - 1, week * 7 + day);
  };
  const weeks = Math.ceil(all.length / 7);
  const width = LEFT + (weeks - skip) * STEP;
  const line = TOP + 7 * STEP + 8;
  const base = line + 76;
  const chosen = all.map((_, at) => at).filter(isIn);
  const byDay = from && chosen.length <= SHORT_DAYS;
  const bars = byDay ? chosen.map((at) => ({ at, value: all[at] ?? 0 })) : Array.from({ length: weeks - skip }, (_, week) => ({ at: (week + skip) * 7, value: all.slice((week + skip) * 7, (week + skip) * 7 + 7).reduce((sum, each, day) => sum + (isIn((week + skip) * 7 + day) ? each : 0), 0) }));
  const most = Math.max(...bars.map((each) => each.value), 1e-9);
  const peak = bars.findIndex((each) => each.value === most);
  const wide = byDay ? Math.min(STEP * 2, (width - LEFT) / Math.max(1, bars.length)) : STEP;
  const choice = (a: number, b: number): void => {
    const [low, high] = [dayKey(dayAt(Math.min(a, b)).getTime()), dayKey(dayAt(Math.max(a, b)).getTime())];
    choose(from === low && to === high ? { from: "", to: "" } : { from: low, to: high }, true);
  };
  const months = Array.from({ length: weeks - skip }, (_, week) => week + skip).filter((week) => week === skip ? dayAt(week * 7).getDate() < 20 : dayAt(week * 7).getMonth() !== dayAt(week * 7 - 7).getMonth());
  return (
    <svg
      ref={box} class="cal" viewBox={`0 0 ${width} ${base + 2}`} role="img" aria-label={`A year by day and by week, ${by}. ${byDay ? "The dearest day" : "The largest week"} has ${said(most < 1e-6 ? 0 : most)}.${sums.cut?.length ? ` On ${plural(sums.cut.reduce((sum, [begin, end]) => sum + end - begin + 1, 0), "day")} something of a recorded session is missing.` : ""}`}
      onPointerDown={(event) => {
        const at = place_(event);
        if (at < 0) return;
        box.current!.setPointerCapture(event.pointerId);
        setDrag([at, at]);
      }}
      onPointerMove={(event) => {
        const at = place_(event);
        if (drag && at >= 0) setDrag([drag[0], at]);
      }}
      onPointerUp={() => {
        if (drag) choice(...drag);
        setDrag(null);
      }}
      onPointerCancel={() => setDrag(null)}
    >
      {months.map((week) => <text key={week} x={LEFT + (week - skip) * STEP} y={11}>{(MONTHS[dayAt(week * 7).getMonth()] ?? "").slice(0, 3)}</text>)}
      {["Mon", "", "Wed", "", "Fri"].map((name, at) => name ? <text key={name} x={0} y={TOP + at * STEP + 9}>{name}</text> : null)}
      {all.map((value, at) => at < skip * 7 ? null : (
        <rect key={at} class={`l${shade(value)}${isIn(at) ? "" : " dim"}`} x={x(at)} y={TOP + (at % 7) * STEP} width={SIDE} height={SIDE} rx={2}><title>{`${dayKey(dayAt(at).getTime())}: ${plural(sums.counts?.[at] ?? 0, "session")}, ${said(value)}`}</title></rect>
      ))}
      <rect class="ring" x={x(all.length - 1) - 1} y={TOP + ((all.length - 1) % 7) * STEP - 1} width={SIDE + 2} height={SIDE + 2} rx={3} />
      <text class="b" x={LEFT} y={line + 4}>recorded</text>
      <line class="axis" x1={LEFT + 60} x2={width - 2} y1={line} y2={line} stroke-dasharray="1 3" />
      {(sums.ran ?? []).filter(([, end]) => end >= skip * 7).map(([begin, end]) => <line key={begin} class="rec" x1={Math.max(LEFT + 60, x(Math.max(begin, skip * 7)))} x2={Math.max(LEFT + 60, x(end) + SIDE)} y1={line} y2={line} />)}
      {(sums.cut ?? []).filter(([, end]) => end >= skip * 7).map(([begin, end]) => (
        <g key={begin}><title>{`${begin === end ? dayKey(dayAt(begin).getTime()) : `${dayKey(dayAt(begin).getTime())} to ${dayKey(dayAt(end).getTime())}`}: something of a recorded session is missing`}</title><line class="lost" x1={Math.max(LEFT + 60, x(Math.max(begin, skip * 7)))} x2={Math.max(LEFT + 64, x(end) + SIDE)} y1={line} y2={line} /></g>
      ))}
      {bars.map((each, at) => <rect key={at} class={at === bars.length - 1 && !byDay ? "part" : "all"} x={LEFT + at * wide} y={base - (each.value / most) * BARS} width={wide - 2} height={Math.max(each.value ? 1 : 0, (each.value / most) * BARS)} rx={1} />)}
      <line class="axis" x1={LEFT} x2={width - 2} y1={base + 0.5} y2={base + 0.5} />
      <text x={0} y={base - 2}>{byDay ? "day" : "week"}</text>
      {most > 1e-6 ? <text class="now" x={Math.min(width - 2, Math.max(LEFT + 40, LEFT + peak * wide + wide))} y={base - BARS - 5} text-anchor="end">{said(most)}</text> : null}
    </svg>
  );
}

function Totals({ sums }: { sums: Sums }): JSX.Element {
  const branches = sums.branches?.length ? sums.branches : null;
  const usd = sums.usd ?? 0;
  return (
    <div>
      <dl class="sum-l">
        <div><dt>Sessions</dt><dd>{count(sums.sessions ?? 0)}<small>{count(sums.recorded ?? 0)} recorded</small></dd></div>
        <div><dt>Cost</dt><dd>{usd || !sums.unpriced ? `${sums.unpriced ? "≥ " : ""}${dollars(usd)}` : "?"}<small>{sums.unpriced ? `no price for ${count(sums.unpriced)}` : "list price"}</small></dd></div>
        <div><dt>Tokens</dt><dd>{amount(sums.tokens ?? 0)}<small>{sums.asked ? `${percent((sums.cached ?? 0) / sums.asked)} from cache` : ""}</small></dd></div>
        <div><dt>Time</dt><dd>{hours(sums.ms ?? 0)}<small>{sums.model_ms ? `model ${hours(sums.model_ms)}` : ""}</small></dd></div>
      </dl>
      <div class="tops">
        <Top title={branches ? "Branches, by cost" : "Projects, by cost"} parts={branches ?? sums.projects ?? []} more={branches ? 0 : (sums.more_projects ?? 0)} {...(branches ? {} : { onPick: (name: string) => choose({ project: name }, true) })} />
        <Top title="Models, by cost" parts={sums.models ?? []} more={sums.more_models ?? 0} />
      </div>
    </div>
  );
}

function hours(ms: number): string {
  return ms < 36_000_000 ? took(ms) : `${count(Math.round(ms / 3_600_000))} h`;
}

function Top({ title, parts, more, onPick }: { title: string; parts: [string, number][]; more: number; onPick?: (name: string) => void }): JSX.Element | null {
  if (!parts.length) return null;
  const most = parts[0]![1];
  const row = (name: string, usd: number): JSX.Element => <><span><T text={name.replace(/^claude-/, "")} /></span><span class="num">{dollars(usd)}</span><i style={{ width: `${((usd / most) * 100).toFixed(1)}%` }} /></>;
  return (
    <div>
      <h2>{title}</h2>
      {parts.map(([name, usd]) => onPick ? <button key={name} onClick={() => onPick(name)}>{row(name, usd)}</button> : <p key={name}>{row(name, usd)}</p>)}
      {more ? <p class="rest">{plural(more, "other")}</p> : null}
    </div>
  );
}
