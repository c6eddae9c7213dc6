// What the page knows: the rail, the open session, its turns; asked for again where something changed, no faster than it is answered.

import { batch, computed, effect, signal } from "@preact/signals";
import { go, place } from "./address";
import { forget, hear } from "./answers";
import { type AlertState, CACHE_LOST, type Change, COMPACTED, FAILED, MISSING, STATES, type Head, type Rail, type ListRow, type Source, type Strip, type TurnCard, type Turns } from "./shapes";
import { Refused } from "./refused";
import { zone } from "./words";

export const PAGE = 24; // turns that are asked for at once
const SLOWEST_MS = 5000;
export const READ_ON_MS = 150;
const RAIL_ROWS = 50;
const AGAIN_MS = 1500; // a recording that cannot be read is looked for again

export const rail = signal<Rail | null>(null);
export const head = signal<Head | null>(null);
export const cards = signal<ReadonlyMap<number, TurnCard>>(new Map());
export const problem = signal<{ status: number; text: string } | null>(null); // of the whole page
export const gone = signal(""); // why the open recording cannot be read now
export const stale = signal(0); // since when there is no connection, Unix time in ms
export const locked = signal(0); // since when the server refuses the key of this page, Unix time in ms
export const ended = signal(false); // the run behind this page has ended
export const version = signal(0); // counts what changed in the open recording: tabs ask again
export const inFile = signal(false); // all there is is one session
export const leftOut = signal<readonly string[]>([]); // of the session, in a file
export const news = signal(""); // what is announced
export const following = signal(false);
export const small = signal(false); // the small segments of a request are shown, not runs of them
export const unseen = signal(0);
export const now = signal(Date.now());
export const printing = signal(false); // what is shown goes to paper
export const theme = signal<"light" | "dark" | "auto">(storedTheme());

export const session = computed<ListRow | null>(() => {
  const at = place.value;
  return rail.value?.sessions.find((each) => each.id === at.session && each.recording === at.recording) ?? null;
});
export const running = computed(() => head.value?.live === true && !ended.value);

let from: Source;

export function ask<T>(path: string, given?: Record<string, string | number>, signal?: AbortSignal): Promise<T> {
  return from.get<T>(path, given, signal);
}

export function post<T>(path: string, value: unknown): Promise<T> {
  return from.post<T>(path, value);
}

// Below the open recording.
export function askHere<T>(path: string, given?: Record<string, string | number>, signal?: AbortSignal): Promise<T> {
  return ask<T>(`r/${encodeURIComponent(place.value.recording)}/${path}`, given, signal);
}

// A file of the open recording.
export function fileOf(given: Record<string, string>): Promise<Blob> {
  return from.file(`r/${encodeURIComponent(place.value.recording)}/export`, given);
}

export function here(tab = ""): string {
  return `session/${encodeURIComponent(place.value.session)}${tab ? `/${tab}` : ""}`;
}

export function begin(source: Source): void {
  from = source;
  inFile.value = source.embedded;
  leftOut.value = source.leftOut;
  effect(() => {
    document.documentElement.dataset["theme"] = printing.value ? "light" : shownTheme();
    document.documentElement.classList.toggle("printing", printing.value);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    document.documentElement.dataset["theme"] = shownTheme();
  });
  void loadRail();
  let shown = "";
  let shownRecording = "";
  let stop = (): void => undefined;
  effect(() => {
    const { recording, session, view } = place.value;
    const key = `${view}/${recording}/${session}`;
    if (key === shown) return;
    shown = key;
    stop();
    if (recording !== shownRecording) left = false;
    shownRecording = recording;
    batch(() => {
      head.value = null;
      cards.value = new Map();
      gone.value = "";
      stale.value = 0;
      locked.value = 0;
      unseen.value = 0;
      ended.value = false;
      over = false;
      newestVersion = 0;
      if (view) problem.value = null;
      forget();
    });
    if (!session) {
      newest();
      stop = source.watch("", (change) => {
        hold(change);
        if (change.kind !== "list" && change.kind !== "back") return;
        void loadRail();
        version.value += 1; // what is of all recordings is asked for again
      });
      return;
    }
    void loadHead();
    stop = source.watch(recording, (change): void | Promise<void> => {
      switch (change.kind) {
        case "changed":
          newestVersion = change.version ?? 0;
          if (head.value && (gone.value || (head.value.version ?? 0) !== newestVersion)) refresh();
          else void soonRail(); // it may be older than the head
          gone.value = "";
          break;
        case "answer":
          if (change.said) hear(change.said);
          break;
        case "alert":
          hurry();
          break;
        case "list":
          void loadRail();
          break;
        case "gone":
          gone.value = change.text ?? "the recording cannot be read";
          break;
        case "lost":
        case "refused":
          hold(change);
          break;
        case "back":
          hold(change);
          forget();
          refresh();
          break;
        case "end":
          return lastLook();
      }
    });
  });
  setInterval(() => {
    if (running.value || stale.value) now.value = Date.now();
  }, 1000);
}

// What is shown stays, whether the server is gone or was started again with another key.
function hold({ kind }: Change): void {
  if (kind === "lost") stale.value ||= Date.now();
  if (kind === "refused") refused();
  if (kind === "back") stale.value = locked.value = 0;
}

function refused(text = ""): void {
  if (!head.value) problem.value = { status: 401, text };
  else locked.value ||= stale.value || Date.now();
}

export function retry(): void {
  problem.value = null;
  void loadRail();
  if (place.value.session) void loadHead();
}

// Before its first call a run has no session; once it has one, that is what was open.
function named(): void {
  const at = place.value;
  const rows = rail.value?.sessions.filter((row) => row.recording === at.recording) ?? [];
  if (at.session !== "-" || !rows[0] || rows.some((row) => row.id === "-") || head.value?.live === false) return;
  go({ session: rows[0].id });
}

// There is more than the one recording that is open.
export function hasMachine(): boolean {
  return !inFile.value && (rail.value?.recordings ?? 0) > 1;
}

// What waits for a person comes first.
function newest(): void {
  const first = rail.value?.sessions[0];
  if (!first || place.value.session || place.value.view) return;
  if (hasMachine() && rail.value?.sessions.some((row) => row.waiting)) go({ view: "home" });
  else go({ recording: first.recording, session: first.id });
}

function failed(error: unknown): void {
  if (error instanceof Refused) {
    if (error.status === 401) refused(error.message);
    else if (error.status === 503) {
      gone.value = error.message;
      setTimeout(() => gone.value && refresh(), AGAIN_MS);
    }
    else problem.value = { status: error.status, text: error.message };
  } else if (!(error instanceof DOMException)) {
    stale.value ||= Date.now();
  }
}

export async function loadRail(): Promise<void> {
  try {
    railed = Date.now();
    rail.value = ordered(await ask<Rail>("sessions", { limit: RAIL_ROWS, zone: zone() }), rail.value);
    if (rail.value.left) setTimeout(() => void loadRail(), READ_ON_MS); // the server reads on with each question
    newest();
    named();
  } catch (error) {
    failed(error);
  }
}

// Running ones first; what is shown already does not change places.
function ordered(next: Rail, known: Rail | null): Rail {
  const places = new Map(known?.sessions.map((row, at) => [`${row.recording}/${row.id}`, at]));
  const place = (row: ListRow): number => places.get(`${row.recording}/${row.id}`) ?? -1;
  const sessions = [...next.sessions].sort((a, b) => {
    if (known && place(a) >= 0 && place(b) >= 0) return place(a) - place(b);
    return Number(b.live ?? false) - Number(a.live ?? false) || b.start_ms - a.start_ms;
  });
  return { ...next, sessions };
}

let left = false; // one scrolled away from the newest turn, or stopped following, in this recording
let newestVersion = 0; // of the open recording, as its stream said

async function loadHead(): Promise<void> {
  const key = place.value.session;
  try {
    const known = head.value;
    const start = known?.strip ? Math.max(0, known.strip.n.length - 8) : 0;
    const found = await askHere<Head>(here(), start ? { from: start } : {});
    if (key !== place.value.session) return;
    announce(head.value, found); // another answer may have come meanwhile
    const from = found.from_turn ?? 0;
    const dropped = known?.strip?.n[0] !== found.strip?.n[0] && from === 0; // older turns went, so others have their places
    batch(() => {
      if (known && dropped) cards.value = new Map();
      if (!known) following.value = found.live && !place.value.turn && !left;
      problem.value = null;
      gone.value = "";
      head.value = known?.strip && found.strip ? { ...found, strip: joined(known.strip, found.strip, from) } : found;
    });
    if (!known && (found.version ?? 0) < newestVersion) refresh(); // it changed while the head was being read
  } catch (error) {
    if (key === place.value.session) failed(error);
  }
}

function joined(known: Strip, more: Strip, start: number): Strip {
  const names = Object.keys(more) as (keyof Strip)[];
  return Object.fromEntries(names.map((name) => [name, [...known[name].slice(0, start), ...more[name]]])) as unknown as Strip;
}

// Only whole sentences, and only what a person waits for.
function announce(before: Head | null, after: Head): void {
  if (!before) return;
  const turns = (after.turns ?? 0) - (before.turns ?? 0);
  const failed = (after.numbers?.failed_tools ?? 0) - (before.numbers?.failed_tools ?? 0);
  const missing = (after.whole?.missing ?? 0) - (before.whole?.missing ?? 0);
  const alerts = Math.max(0, ...(after.alerts?.n ?? [])) - Math.max(0, ...(before.alerts?.n ?? []));
  const alert = alerts > 0 ? (after.signals ?? []).find((each) => each.alert) : undefined;
  if (after.halt && !before.halt) news.value = `${after.halt.who} is stopped. ${alert?.text ?? ""}`;
  else if (alert) news.value = `Alert: ${alert.text}`;
  else if (missing > 0) news.value = "Something is missing from the recording.";
  else if (failed > 0) news.value = "A command failed.";
  else if (turns > 0) news.value = `Turn ${newestTurn(after)} began.`;
  if (turns > 0 && !following.value) unseen.value += turns;
}

const RAIL_MS = 2000; // a new session is in the rail after so long
let railed = 0;
let railSoon: ReturnType<typeof setTimeout> | undefined;
let over = false; // the last look has begun: behind it the server is gone, so nothing is asked for later

function soonRail(): Promise<void> | undefined {
  if (over) return undefined;
  const at = place.value;
  const rows = rail.value?.sessions ?? [];
  const unnamed = at.session === "-" && (head.value?.turns ?? 0) > 0 && rows.some((row) => row.id === "-" && row.recording === at.recording);
  const left = unnamed ? 0 : railed + RAIL_MS - Date.now();
  if (left <= 0) return loadRail();
  railSoon ??= setTimeout(() => {
    railSoon = undefined;
    void loadRail();
  }, left);
  return undefined;
}

let waiting: ReturnType<typeof setTimeout> | undefined;
let resting: ReturnType<typeof setTimeout> | undefined;
let hurried = 0; // until then nothing rests: an alert came
let busy = false;
let again = false;

const HURRY_MS = 2000; // within it an alert that came is in the recording

// An alert is shown at once, however long the recording takes to look through.
function hurry(): void {
  hurried = Date.now() + HURRY_MS;
  if (resting !== undefined) {
    clearTimeout(resting);
    resting = undefined;
    busy = false;
  }
  refresh();
}

// At most ten times a second, and no more than a fifth of the time: a large recording takes a while to look through.
function refresh(): void {
  if (over || waiting !== undefined) return;
  if (busy) {
    again = true;
    return;
  }
  waiting = setTimeout(() => {
    waiting = undefined;
    busy = true;
    const began = performance.now();
    void Promise.all([loadHead(), reload(), soonRail()]).finally(() => {
      const next = hurried > Date.now() ? 0 : Math.min(SLOWEST_MS, 4 * (performance.now() - began));
      version.value += 1;
      touchRail();
      resting = setTimeout(() => {
        resting = undefined;
        busy = false;
        if (again) {
          again = false;
          refresh();
        }
      }, next);
    });
  }, 100);
}

// The run has ended: what came last is asked for at once, since the server ends too.
async function lastLook(): Promise<void> {
  over = true;
  clearTimeout(railSoon);
  clearTimeout(waiting);
  railSoon = waiting = undefined;
  await loadHead();
  await Promise.all([reload(), loadRail()]);
  ended.value = true;
  version.value += 1;
  touchRail();
}

// The row in the rail says the same as the head, without another question.
function touchRail(): void {
  const found = head.value;
  const known = rail.value;
  if (!found || !known) return;
  const sessions = known.sessions.map((row) =>
    row.id === found.id && row.recording === found.recording
      ? {
          ...row, live: found.live && !ended.value, end_ms: found.end_ms, model: found.model ?? "", left: found.numbers?.left ?? null,
          turns: found.turns ?? 0, turn: newestTurn(found), tokens: (found.numbers?.tokens_in ?? 0) + (found.numbers?.tokens_out ?? 0),
          missing: found.whole?.missing ?? 0, ...waits(found), ...(found.numbers?.cost ? { usd: found.numbers.cost.usd, unpriced: found.numbers.cost.unknown_calls } : {}),
          title: found.id === "-" ? (found.verdict ?? []).map((each) => each.text).join("") : row.title || (found.title ?? ""),
        }
      : row,
  );
  if (found.live && !sessions.some((row) => row.id === found.id)) void loadRail();
  else rail.value = { ...known, sessions };
}

// -- alerts -------------------------------------------------------------------------------------------------------------

// What waits in the open session, as its row in the rail has it.
export function waits(found: Head): { waiting: number; stopped: boolean } {
  const states = (found.alerts?.state ?? []).map((at) => STATES[at]);
  return { waiting: states.filter((each) => each === "new" || each === "stopped").length, stopped: states.includes("stopped") };
}

// The state of an alert of the open session, by its number.
export function stateOf(n: number): AlertState {
  const columns = head.value?.alerts;
  const at = columns?.n?.indexOf(n) ?? -1;
  return STATES[columns?.state?.[at] ?? 1] ?? "new";
}

// A person has seen alerts, or takes that back. The server keeps it beside the recordings.
export async function mark(recording: string, alerts: string[], seen: boolean): Promise<void> {
  await from.post("seen", { recording, alerts, seen });
  version.value += 1;
  await Promise.all([place.value.session ? loadHead() : undefined, loadRail()]);
}

const loading = new Set<string>(); // pages of turns, with their session

// The page of turns with that number of a page; a page that is there is not asked for again, one that did not come is.
export function loadPage(page: number): void {
  const { recording, session } = place.value;
  const key = `${recording}/${session}/${page}`;
  if (page < 0 || locked.value || cards.value.has(page * PAGE) || loading.has(key)) return;
  loading.add(key);
  void fetchPage(page)
    .catch((error: unknown) => {
      failed(error);
      setTimeout(() => {
        if (place.value.recording === recording && place.value.session === session && !problem.value) loadPage(page);
      }, AGAIN_MS);
    })
    .finally(() => loading.delete(key));
}

async function fetchPage(page: number): Promise<void> {
  const key = place.value.session;
  const found = await askHere<Turns>(here("turns"), { since: page * PAGE, count: PAGE });
  if (key !== place.value.session) return;
  const next = new Map(cards.value);
  found.cards.forEach((card, at) => next.set(found.start + at, card));
  cards.value = next;
}

// The last pages may have changed: results of tools come with later turns.
async function reload(): Promise<void> {
  const last = Math.max(0, ...cards.value.keys());
  const total = head.value?.turns ?? 0;
  const pages = new Set([Math.floor(last / PAGE), Math.floor(Math.max(0, total - 1) / PAGE)]);
  if (last % PAGE < 3) pages.add(Math.floor(last / PAGE) - 1);
  await Promise.all([...pages].filter((page) => page >= 0 && page * PAGE <= total).map((page) => fetchPage(page).catch(failed)));
}

// -- selection ----------------------------------------------------------------------------------------------------------

// Turns have one series of numbers, that of the report: the main agent's. What a sub-agent does has the turn that it works for.
export function newestTurn(of: Head): number {
  return of.strip?.n.at(-1) ?? 0;
}

// Place in the strip of the turn with that number; -1: there is none.
export function indexOf(turn: number): number {
  return turn ? (head.value?.strip?.n.indexOf(turn) ?? -1) : -1;
}

// The context of a sub-agent is shown: a turn in the address is its own.
export function ofSubAgent(): boolean {
  return place.value.tab === "context" && place.value.of !== "";
}

export function follow(on: boolean): void {
  left = !on;
  following.value = on;
  if (on) unseen.value = 0;
}

export function select(turn: number): void {
  follow(false);
  go({ turn });
}

// To the next of these places in the strip, or the one before.
export function step(by: number, places: readonly number[]): void {
  const numbers = head.value?.strip?.n ?? [];
  const at = indexOf(place.value.turn);
  const ahead = by > 0 ? places.filter((each) => each > at) : places.filter((each) => at < 0 || each < at).reverse();
  const next = ahead[0] ?? (places.includes(at) ? at : undefined);
  if (next !== undefined) select(numbers[next] ?? 0);
}

export function stepTrouble(by: number): void {
  const strip = head.value?.strip;
  if (!strip) return;
  for (let at = indexOf(place.value.turn) + by; at >= 0 && at < strip.n.length; at += by) {
    if ((strip.flags[at] ?? 0) & (FAILED | MISSING | COMPACTED | CACHE_LOST)) {
      select(strip.n[at] ?? 0);
      return;
    }
  }
}

// -- theme --------------------------------------------------------------------------------------------------------------

function storedTheme(): "light" | "dark" | "auto" {
  try {
    const known = localStorage.getItem("agentsight-rx theme");
    return known === "light" || known === "dark" ? known : "auto";
  } catch {
    return "auto";
  }
}

export function shownTheme(): "light" | "dark" {
  if (theme.value !== "auto") return theme.value;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

export function switchTheme(): void {
  theme.value = shownTheme() === "dark" ? "light" : "dark";
  try {
    localStorage.setItem("agentsight-rx theme", theme.value);
  } catch {
    // a browser that keeps nothing has the theme of this page
  }
}
