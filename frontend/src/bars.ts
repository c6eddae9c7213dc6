// Turns and a width -> the bars of the strip: how many turns share one, how wide it is, which numbers and words have room.

import { type AlertColumns, type AlertState, CACHE_LOST, COMPACTED, FAILED, MISSING, STATES, type Strip } from "./shapes";

export const HEIGHT = 70; // px of a full bar
const LOW_HEIGHT = 40; // where the strip is narrower than `NARROW` px, so that turns are on the first screen
const NARROW = 480;
const LEAST = 4; // px of a bar
const PITCH = 5; // px of the narrowest bar and the space behind it
const WIDEST = 160; // px: a session of two turns has no walls
const ZOOMED = 8; // px of a bar and its space while zoomed
const FOLDS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];
const DIGIT = 3.9; // px of half a digit
const LETTER = 7.5; // px of a letter of these words, in the widest font
const LOW = 0.8; // of a full bar: a word stands over bars that stay below it

export interface Bar { first: number; last: number; context: number; fresh: number; flags: number } // `first` and `last` are places in the strip
export interface Scale { full: number; part: string }
export interface Plot { from: number; fold: number; pitch: number; wide: number; space: number; bars: Bar[]; high: number } // `high`: px of a full bar
export interface Label { x: number; text: string; turn: number; kind: "" | "here" | "bad" | "gap" }
export interface Word { x: number; text: string }

export const WORDS: [number, string][] = [[COMPACTED, "compacted"], [CACHE_LOST, "cache lost"]];

// How many turns one bar has: the least that fits.
export function foldOf(turns: number, width: number): number {
  return FOLDS.find((fold) => Math.ceil(turns / fold) * PITCH <= width) ?? FOLDS[FOLDS.length - 1]!;
}

export function zoomedTurns(width: number): number {
  return Math.max(1, Math.floor(width / ZOOMED));
}

// The turns from place `from` to before `to`, in `width` px.
export function plotted(strip: Strip, from: number, to: number, width: number, fold: number): Plot {
  const many = Math.max(1, Math.ceil((to - from) / fold));
  const pitch = Math.min((width + (width / many >= 26 ? 4 : 1)) / many, WIDEST);
  const space = pitch >= 26 ? 4 : pitch >= 9 ? 2 : 1;
  const bars: Bar[] = [];
  for (let first = from; first < to; first += fold) bars.push(barOf(strip, first, Math.min(to, first + fold) - 1));
  return { from, fold, pitch, space, wide: Math.max(LEAST, pitch - space), bars, high: width && width < NARROW ? LOW_HEIGHT : HEIGHT };
}

function barOf(strip: Strip, first: number, last: number): Bar {
  const bar = { first, last, context: 0, fresh: 0, flags: 0 };
  for (let at = first; at <= last; at++) {
    const context = strip.context[at] ?? 0;
    bar.context = Math.max(bar.context, context);
    bar.fresh = Math.max(bar.fresh, context - Math.min(context, strip.cached[at] ?? 0));
    bar.flags |= strip.flags[at] ?? 0;
  }
  return bar;
}

// A full bar is the window, or its half, quarter or eighth when all bars stay below; where all are tiny, the longest one.
export function scaleOf(context: readonly number[], window: number): Scale {
  const most = context.reduce((a, b) => Math.max(a, b), 1);
  if (!window || most <= window / 32 || most > window) return { full: most, part: "" };
  const parts: [number, string][] = [[8, "an eighth of the window"], [4, "a quarter of the window"], [2, "half of the window"], [1, "the window"]];
  const [by, part] = parts.find(([each]) => most <= window / each)!;
  return { full: window / by, part };
}

// The place that a click on a bar takes: of the turn with trouble, else the last one.
export function taken(strip: Strip, bar: Bar): number {
  const wanted = bar.flags & MISSING ? MISSING : bar.flags & FAILED ? FAILED : COMPACTED | CACHE_LOST;
  for (let at = bar.first; at <= bar.last; at++) if ((strip.flags[at] ?? 0) & wanted) return at;
  return bar.last;
}

// The numbers under the bars; what would touch an earlier one is left out. `selected`: a place, or -1; `running`: the newest is.
export function numbersOf(strip: Strip, plot: Plot, width: number, selected: number, running: boolean): Label[] {
  const { from, fold, pitch, wide, bars } = plot;
  const end = bars[bars.length - 1]?.last ?? -1;
  const each = FOLDS.find((n) => n >= fold && (n / fold) * pitch >= (n === 1 ? 24 : 40)) ?? FOLDS[FOLDS.length - 1]!;
  const wanted: [number, boolean][] = [];
  if (selected >= from && selected <= end) wanted.push([selected, true]);
  if (running) wanted.push([end, true]);
  wanted.push([from, false], [end, false]);
  for (let at = from; at <= end; at++) if ((strip.n[at] ?? 0) % each === 0) wanted.push([at, false]);
  const placed: Label[] = [];
  const ends: [number, number][] = [];
  for (const [at, here] of wanted) {
    const turn = strip.n[at];
    if (turn === undefined) continue;
    const half = String(turn).length * DIGIT + 5;
    const x = Math.min(width - half + 5, Math.max(half - 5, Math.floor((at - from) / fold) * pitch + wide / 2));
    if (ends.some(([other, room]) => Math.abs(other - x) < room + half)) continue;
    ends.push([x, half]);
    const flags = each === 1 ? (strip.flags[at] ?? 0) : 0;
    placed.push({ x, text: String(turn), turn, kind: here ? "here" : flags & MISSING ? "gap" : flags & FAILED ? "bad" : "" });
  }
  return placed;
}

// Where the context fell: a line between two bars.
export function fallsOf(strip: Strip, plot: Plot): Map<Bar, number> {
  const found = new Map<Bar, number>();
  plot.bars.forEach((bar, at) => {
    if (!(bar.flags & COMPACTED)) return;
    const inside = ((strip.flags[bar.first] ?? 0) & COMPACTED) === 0;
    found.set(bar, Math.max(0, (at + (inside ? 1 : 0)) * plot.pitch - plot.space / 2));
  });
  return found;
}

// Words in the empty space over the bars: never over a bar, a line, the ring or another word; without room there is none.
export function wordsOf(strip: Strip, plot: Plot, width: number, full: number, selected: number, flags: Flagged[] = []): Word[] {
  const { pitch, bars, from, fold } = plot;
  const falls = fallsOf(strip, plot);
  const busy: [number, number][] = [...falls.values()].map((x) => [x, x + 1]);
  for (const flag of flags) busy.push([flag.x - 2, flag.x + flagWidth(flag)]);
  if (selected >= from && selected <= (bars[bars.length - 1]?.last ?? -1)) {
    const x = Math.floor((selected - from) / fold) * pitch;
    busy.push([x - 4, x + pitch + 2]);
  }
  const words: Word[] = [];
  for (const [flag, text] of WORDS) {
    bars.forEach((bar, at) => {
      if (!(bar.flags & flag)) return;
      const long = text.length * LETTER + 2;
      const left = falls.get(bar) ?? at * pitch;
      const right = falls.get(bar) ?? (at + 1) * pitch;
      const x = [right + 5, right + 9, left - long - 4].find((from_) => {
        const to = from_ + long;
        const under = bars.slice(Math.max(0, Math.floor(from_ / pitch)), Math.ceil(to / pitch));
        return from_ >= 0 && to <= width && under.every((each) => each.context / full < LOW) && !busy.some(([a, b]) => from_ < b + 3 && to > a - 3);
      });
      if (x === undefined) return;
      words.push({ x, text });
      busy.push([x, x + long]);
    });
  }
  return words;
}

export interface Flagged { x: number; top: number; state: AlertState; n: number; first: number } // px; `first` is a place in the strip

const FLAG_PX = 12;
const RANKS: readonly AlertState[] = ["part", "allowed", "seen", "new", "stopped"];

function flagWidth(flag: Flagged): number {
  return FLAG_PX + (flag.state === "stopped" ? 8 : 0) + (flag.n > 1 ? String(flag.n).length * 2 * DIGIT + 3 : 0);
}

// A flag on a pole for each bar with alerts; within 12 px one flag with a number, in the state that a person wants to know.
export function flagsOf(plot: Plot, alerts: AlertColumns, width: number, full: number, placeOf: (turn: number) => number): Flagged[] {
  const found = new Map<number, AlertState[]>();
  (alerts.n ?? []).forEach((_, at) => {
    const state = STATES[alerts.state?.[at] ?? 1] ?? "new";
    const place = placeOf(alerts.turn?.[at] ?? 0);
    const bar = Math.floor((place - plot.from) / plot.fold);
    if (state === "note" || place < plot.from || bar < 0 || bar >= plot.bars.length) return;
    found.set(bar, [...(found.get(bar) ?? []), state]);
  });
  const flags: Flagged[] = [];
  for (const [bar, states] of [...found].sort(([a], [b]) => a - b)) {
    const whole = plot.bars[bar]!;
    const x = Math.min(width - FLAG_PX, bar * plot.pitch + plot.wide / 2 - 2);
    const best = states.reduce((a, b) => (RANKS.indexOf(b) > RANKS.indexOf(a) ? b : a));
    const counted = states.filter((each) => each !== "part").length;
    const top = plot.high - Math.max(1, Math.round((Math.min(whole.context, full) / full) * plot.high));
    const last = flags[flags.length - 1];
    if (last && x < last.x + flagWidth(last)) {
      last.n += counted;
      if (RANKS.indexOf(best) > RANKS.indexOf(last.state)) last.state = best;
    } else flags.push({ x, top, state: best, n: counted, first: whole.first });
  }
  for (const flag of flags) flag.x = Math.max(0, Math.min(flag.x, width - flagWidth(flag)));
  return flags;
}
