// A session that stands in the page itself -> the answers that a server would give: pages of lists, rules of the log, search.

import { Refused } from "./refused";
import type { Change, Found, Hit, LogLine, LogPage, Rail, Rows, Source, ToolCard, TurnCard, Turns } from "./shapes";

// As view/page/embedded.py makes it: answers by path below /api/v1; numbers among messages are places in `said`.
export interface Embedded { answers: Record<string, unknown>; said: unknown[]; left_out: string[] }

const ABSENT = "this file does not have it; the recording does: agentsight-rx serve";
const COUNT = 200;
const CHANGES = ["written", "removed", "moved"];
const HITS_MOST = 40;
const ROUND = 60; // characters of a hit around the first word
const CONDITION = /^(source|pid|comm)=(\S+)\s*&?\s*/;

export class EmbeddedSource implements Source {
  readonly embedded = true;
  readonly leftOut: readonly string[];

  constructor(private readonly all: Embedded) {
    this.leftOut = all.left_out;
  }

  get<T>(path: string, given: Record<string, string | number> = {}): Promise<T> {
    try {
      return Promise.resolve(this.answer(path, given) as T);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  file(): Promise<Blob> {
    return Promise.reject(new Error("a file cannot make other files"));
  }

  post<T>(): Promise<T> {
    return Promise.reject(new Refused(405, ABSENT));
  }

  // What was still running when the file was made goes on elsewhere.
  watch(_recording: string, tell: (change: Change) => void): () => void {
    if (this.found<Rail>("sessions")?.sessions.some((row) => row.live)) queueMicrotask(() => tell({ kind: "end" }));
    return () => undefined;
  }

  private answer(path: string, given: Record<string, string | number>): unknown {
    if (path === "search") return this.search(String(given["q"] ?? ""));
    const exact = Object.entries(given).map(([name, value]) => `${name}=${value}`).sort().join("&");
    const found = this.found<object>(`${path}?${exact}`) ?? this.found<object>(path.endsWith("/events") ? this.named("/events") : path);
    if (!found) throw new Refused(404, ABSENT);
    if ("messages" in found && Array.isArray(found.messages)) return { ...found, messages: this.spoken(found.messages) };
    if ("said" in found && Array.isArray(found.said)) return this.compared(found, this.spoken(found.said));
    return sliced(found, given);
  }

  private found<T>(path: string): T | undefined {
    return this.all.answers[path] as T | undefined;
  }

  // The one path of this end: a file has one session.
  private named(end: string): string {
    return Object.keys(this.all.answers).find((path) => path.endsWith(end)) ?? end;
  }

  private spoken(numbers: unknown[]): { parts: unknown[] }[] {
    return numbers.map((each) => this.all.said[each as number] as { parts: unknown[] });
  }

  // The result of a tool, whole where the file has it.
  private result(tool: ToolCard): string | undefined {
    return this.found<{ text: string }>(`${this.named("/health").replace(/health$/, "")}tool/${encodeURIComponent(tool.id)}?offset=0&part=result`)?.text ?? tool.result?.text;
  }

  // A diff: its lines that are not folded have their messages again.
  private compared(found: object & { lines?: { change: string }[] }, said: { parts: unknown[] }[]): unknown {
    let at = 0;
    const lines = (found.lines ?? []).map((line) => (line.change === "same" ? line : { ...line, parts: said[at++]?.parts ?? [] }));
    return { ...found, lines };
  }

  private search(typed: string): Found {
    const words = [...typed.toLowerCase().matchAll(/"([^"]+)"?|(\S+)/g)].map((each) => (each[1] ?? each[2] ?? "").trim()).filter(Boolean);
    const row = this.found<Rail>("sessions")?.sessions[0];
    const hits: Hit[] = [];
    let searched = 0;
    const look = (kind: string, text: string | undefined, place: Partial<Hit>): void => {
      if (!text || !row) return;
      searched += 1;
      const low = text.toLowerCase();
      if (hits.length >= HITS_MOST || !words.length || !words.every((word) => low.includes(word))) return;
      hits.push({ recording: row.recording, session: row.id, turn: 0, at_ms: row.start_ms, row: "", ...place, kind, text: marked(text, words) });
    };
    const turns = this.found<Turns>(this.named("/turns"));
    for (const card of turns?.cards ?? []) for (const each of withBelow(card)) lookAt(each, card.n, each === card ? "" : each.call, look, (tool) => this.result(tool));
    for (const file of this.found<Rows<{ path: string }>>(this.named("/files"))?.rows ?? []) look("file", file.path, { row: file.path });
    for (const host of this.found<Rows<{ name: string }>>(this.named("/network"))?.rows ?? []) look("host", host.name, {});
    return { hits, searched, recordings: 1 };
  }
}

function lookAt(card: TurnCard, turn: number, row: string, look: (kind: string, text: string | undefined, place: Partial<Hit>) => void, whole: (tool: ToolCard) => string | undefined): void {
  const place = { turn, at_ms: card.start_ms, row };
  look("prompt", card.prompt?.text, place);
  look("answer", card.answer?.text, place);
  for (const tool of card.tools ?? []) {
    look("command", `${tool.name} ${tool.asked}${ran(tool)}`, { ...place, row: tool.id });
    look("result", whole(tool), { ...place, row: tool.id });
  }
}

function ran(tool: ToolCard): string {
  return (tool.programs ?? []).map((program) => ` ${program.argv}`).join("");
}

function* withBelow(card: TurnCard): Generator<TurnCard> {
  yield card;
  for (const sub of card.subs ?? []) for (const below of sub.cards ?? []) yield* withBelow(below);
}

// The part around the first word, with each word between the marks that the list of hits reads.
function marked(text: string, words: string[]): string {
  const first = Math.max(0, text.toLowerCase().indexOf(words[0] ?? "") - ROUND);
  const part = `${first ? "…" : ""}${text.slice(first, first + 4 * ROUND)}`.replace(/[\u0002\u0003\s]+/g, " ");
  const any = new RegExp(words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|"), "gi");
  return part.replace(any, (word) => `\u0002${word}\u0003`);
}

function sliced(found: object, given: Record<string, string | number>): unknown {
  const start = Number(given["since"] || 0);
  const end = start + Number(given["count"] ?? COUNT);
  const whole = found as Partial<Turns> & Partial<Rows<unknown>> & Partial<LogPage>;
  if (whole.cards && given["order"] === "cost") {
    const dearest = [...whole.cards].sort((a, b) => (b.cost ?? 0) - (a.cost ?? 0));
    return { ...whole, start, total: dearest.length, cards: dearest.slice(start, end) };
  }
  if (whole.cards) return { ...whole, start, total: whole.cards.length, cards: whole.cards.slice(start, end) };
  if (whole.rows && whole.kind) {
    const words = String(given["q"] ?? "").toLowerCase();
    const of = given["of"];
    const some = of ? whole.rows.filter((row) => (of === "changed" ? CHANGES.includes((row as { kind: string }).kind) : (row as { kind: string }).kind === of)) : whole.rows;
    const rows = words ? some.filter((row) => JSON.stringify(row).toLowerCase().includes(words)) : some;
    return { ...whole, start, total: rows.length, rows: rows.slice(start, end) };
  }
  if (whole.lines && "sources" in whole) {
    const test = ruled(String(given["rule"] ?? ""));
    const lines = whole.lines.filter(test);
    return { ...whole, lines: lines.slice(start, end), next: given["rule"] && end < lines.length ? String(end) : "" };
  }
  return found;
}

// source=, pid= and comm= in front, then words. The events are not here, so a rule about HTTP cannot be answered.
function ruled(rule: string): (line: LogLine) => boolean {
  const tests: ((line: LogLine) => boolean)[] = [];
  let rest = rule.trim();
  for (let at = CONDITION.exec(rest); at; at = CONDITION.exec(rest)) {
    const [all, name, value] = at;
    tests.push((line) => String(name === "source" ? line.source : name === "pid" ? line.pid : line.who) === value);
    rest = rest.slice(all.length);
  }
  if (/[=~<>]/.test(rest)) throw new Refused(400, "in a file only source=, pid=, comm= and words select; agentsight-rx serve knows every rule");
  const words = rest.toLowerCase();
  if (words) tests.push((line) => `${line.who ?? ""} ${line.pid ?? ""} ${line.text}`.toLowerCase().includes(words));
  return (line) => tests.every((test) => test(line));
}
