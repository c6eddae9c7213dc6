// One agent's context over its turns, and one request -> what the Context tab draws: bands, blocks, places of labels.

import { type ContextBlock, type ContextOverTime } from "./shapes";

// From the bottom of the chart to its top, as the server numbers them.
export const ORIGINS = ["System prompt", "Tools", "Instructions", "Prompts", "Files read", "Command output", "Other tool results", "Answers", "Reasoning"] as const;
export const KEYS = ["system", "tools", "instructions", "prompts", "files", "commands", "results", "answers", "reasoning"] as const;
// Of a session that only the agent's own file tells of, system prompt and tools are one part, and no size is exact.
export function nameOf(origin: number, over: ContextOverTime): string {
  return over.file && origin === 0 ? "Not in the file" : (ORIGINS[origin] ?? "");
}

// 0: sent with every request, 1: brought in by tools, 2: said
export const TONES = [0, 0, 0, 2, 1, 1, 1, 2, 2] as const;
export const ROW = 24; // px of a block's name, which is a button
const LETTER = 7.1; // px
const NAMED = 15; // px of a band that has its name in it

export interface Columns { n: number[]; sums: number[][]; total: number[]; read: number[]; written: number[]; flags: number[] }
export interface Band { origin: number; path: string; word: { x: number; y: number } | null }
export interface Placed { block: ContextBlock; top: number; high: number; middle: number; label: number }

// A column that was sent by lengths of runs.
export function column(runs: number[]): number[] {
  const out: number[] = [];
  for (let at = 0; at + 1 < runs.length; at += 2) for (let times = runs[at + 1] ?? 0; times > 0; times--) out.push(runs[at] ?? 0);
  return out;
}

export function columnsOf(found: ContextOverTime): Columns {
  const sums = found.sums.map(column);
  return {
    n: found.n, sums, read: column(found.read), written: column(found.written), flags: column(found.flags),
    total: found.n.map((_, turn) => sums.reduce((sum, each) => sum + (each[turn] ?? 0), 0)),
  };
}

// The bands of the chart, in steps: a turn is not a slope. A name stands in the widest place of its band, if it fits there.
export function bandsOf(columns: Columns, width: number, height: number, full: number): Band[] {
  const turns = columns.n.length;
  const wide = width / turns;
  const x = (at: number): string => (at * wide).toFixed(1);
  const y = (value: number): number => height - (Math.min(value, full) / full) * height;
  const below = columns.n.map(() => 0);
  return columns.sums.map((sums, origin) => {
    const low = [...below];
    sums.forEach((value, at) => (below[at] = (below[at] ?? 0) + value));
    let path = "";
    for (let at = 0; at < turns; at++) path += `${at ? "L" : "M"}${x(at)} ${y(below[at] ?? 0).toFixed(1)}H${x(at + 1)}`;
    for (let at = turns - 1; at >= 0; at--) path += `V${y(low[at] ?? 0).toFixed(1)}H${x(at)}`;
    const need = Math.ceil(((ORIGINS[origin] ?? "").length * LETTER + 12) / wide);
    let best = { thick: 0, at: 0, value: 0 };
    for (let at = 0; at + need <= turns; at++) {
      const bottom = Math.max(...low.slice(at, at + need));
      const top = Math.min(...below.slice(at, at + need));
      const thick = ((top - bottom) / full) * height;
      if (thick > best.thick) best = { thick, at, value: (top + bottom) / 2 };
    }
    return { origin, path: `${path}z`, word: best.thick >= NAMED ? { x: (best.at + need / 2) * wide, y: y(best.value) + 4 } : null };
  });
}

// The blocks of a request from its top to its bottom, in `height` px, each with the place of its label; labels do not touch.
export function placed(blocks: ContextBlock[], height: number): Placed[] {
  const total = Math.max(1, blocks.reduce((sum, each) => sum + each.tokens, 0));
  let start = 0;
  const out = blocks.map((block) => {
    const top = (start / total) * height;
    const high = (block.tokens / total) * height;
    start += block.tokens;
    return { block, top, high, middle: top + high / 2, label: top + high / 2 };
  });
  out.forEach((each, at) => (each.label = Math.max(each.label, at ? out[at - 1]!.label + ROW : ROW / 2)));
  for (let at = out.length - 1; at >= 0; at--) out[at]!.label = Math.min(out[at]!.label, at === out.length - 1 ? height - ROW / 2 : out[at + 1]!.label - ROW);
  return out;
}

export function heightOf(tokens: number, blocks: number, window: number): number {
  return Math.max(300, Math.min(520, (tokens / (window || Math.max(1, tokens))) * 620), blocks * ROW);
}

// The line of a segment's life among `turns` turns in `width` px: unbroken while it came from the cache.
export function lifeOf(lives: number[], first: number, last: number, width: number): string {
  const x = (turn: number): number => ((turn - first) / Math.max(1, last - first + 1)) * width;
  let path = "";
  for (let at = 0; at + 1 < lives.length; at += 2) {
    const left = x(lives[at] ?? 0) + (at ? 2 : 0);
    path += `M${left.toFixed(1)} 6H${Math.max(left + 2, x((lives[at + 1] ?? 0) + 1) - (at + 2 < lives.length ? 2 : 0)).toFixed(1)}`;
  }
  return path;
}
