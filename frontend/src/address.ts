// The address <-> what is shown. One selection for all tabs; moving replaces the entry, opening adds one, so Back closes it.

import { signal } from "@preact/signals";
import { TABS, type Tab } from "./shapes";

export type View = "" | "home" | "alerts" | "sessions" | "compare"; // of all recordings

export const ONLY = ["", "failed", "gaps", "changed", "prompts"] as const; // which turns are shown
export type Only = (typeof ONLY)[number];

export interface Place {
  recording: string; session: string; tab: Tab; turn: number; row: string; from: number; to: number; q: string; diff: string;
  call: string; find: string | null; keys: boolean; of: string; origin: string; view: View; alert: string; only: Only; raw: string; part: "request" | "response";
  list: string; // what is chosen of all sessions, as in the address
  pair: string; step: number; // two sessions side by side, A..B
}

const NOWHERE: Place = {
  recording: "", session: "", tab: "conversation", turn: 0, row: "", from: 0, to: 0, q: "", diff: "", call: "", find: null, keys: false,
  of: "", origin: "", view: "", alert: "", only: "", raw: "", part: "response", list: "", pair: "", step: 0,
};

export const CHOICES = ["agent", "project", "model", "from", "to", "failed", "alerts", "cost", "source", "sort", "q"] as const;

let inFragment = false; // a file on disk has no paths

let leaving = false; // the browser was asked to go back, and has not yet
const held: (() => void)[] = []; // what was asked for meanwhile

export const place = signal<Place>(NOWHERE);

export function parsed(address: string): Place {
  const [path = "", query = ""] = address.split("?", 2);
  const [, s = "", recording = "", session = "", tab = ""] = path.split("/");
  const given = new URLSearchParams(query);
  const number = (name: string): number => Math.max(0, Number.parseInt(given.get(name) ?? "", 10) || 0);
  const over = { find: given.get("find"), keys: given.has("keys") };
  if (s === "sessions") return { ...NOWHERE, ...over, view: s, list: listed(given) };
  if (s === "compare") return { ...NOWHERE, ...over, view: s, pair: recording, step: number("step") };
  return {
    ...NOWHERE,
    view: s === "home" || s === "alerts" ? s : "", alert: given.get("alert") ?? "",
    recording: s === "s" ? decoded(recording) : "",
    session: s === "s" ? decoded(session) : "",
    tab: (TABS as readonly string[]).includes(tab) ? (tab as Tab) : "conversation",
    raw: given.get("raw") ?? "", part: given.get("part") === "request" ? "request" : "response",
    only: ONLY.find((each) => each === given.get("only")) ?? "",
    turn: number("turn"), row: given.get("row") ?? "", from: number("from"), to: number("to"), q: given.get("q") ?? "",
    of: given.get("of") ?? "", origin: given.get("origin") ?? "", diff: given.get("diff") ?? "", call: given.get("call") ?? "", find: given.get("find"), keys: given.has("keys"),
  };
}

// Only what chooses, in one order.
export function listed(given: URLSearchParams): string {
  return new URLSearchParams(CHOICES.flatMap((name) => (given.get(name) ? [[name, given.get(name)!]] : []))).toString();
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function formatted(at: Place): string {
  const path = at.session ? `/s/${encodeURIComponent(at.recording)}/${encodeURIComponent(at.session)}/${at.tab}` : at.view === "compare" ? `/compare/${at.pair}` : `/${at.view}`;
  const query = new URLSearchParams(at.view === "sessions" && !at.session ? at.list : "");
  if (at.view === "compare" && !at.session && at.step) query.set("step", String(at.step));
  if (at.only) query.set("only", at.only);
  if (at.turn) query.set("turn", String(at.turn));
  if (at.row) query.set("row", at.row);
  if (at.alert && (at.session ? at.tab === "alerts" : at.view === "alerts")) query.set("alert", at.alert);
  if (at.to) {
    query.set("from", String(Math.round(at.from)));
    query.set("to", String(Math.round(at.to)));
  }
  if (at.q) query.set("q", at.q);
  if (at.of) query.set("of", at.of);
  if (at.origin) query.set("origin", at.origin);
  if (at.diff) query.set("diff", at.diff);
  if (at.call) query.set("call", at.call);
  if (at.raw) query.set("raw", at.raw);
  if (at.raw && at.part === "request") query.set("part", at.part);
  if (at.find !== null) query.set("find", at.find);
  if (at.keys) query.set("keys", "");
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

export function listen(fragment: boolean): void {
  inFragment = fragment;
  const read = (): void => {
    place.value = parsed(inFragment ? location.hash.slice(1) || "/" : location.pathname + location.search);
    leaving = false;
    for (const each of held.splice(0)) onceBack(each);
  };
  addEventListener("popstate", read);
  read();
}

export function href(change: Partial<Place>): string {
  return (inFragment ? "#" : "") + formatted({ ...place.value, ...closed, ...change });
}

const closed = { diff: "", call: "", find: null, keys: false } as const;

// `add`: a new entry of the history, so that Back closes what was opened.
export function go(change: Partial<Place>, add = false): void {
  if (leaving) return onceBack(() => go(change, add));
  const next = { ...place.value, ...change };
  if (next.session) next.view = "";
  const text = formatted(next);
  if (text === formatted(place.value)) return;
  const address = (inFragment ? "#" : "") + text;
  if (add) history.pushState({ ours: true }, "", address);
  else history.replaceState(history.state, "", address);
  place.value = next;
}

// Opens a session, at its conversation unless another tab is named.
export function open(recording: string, session: string, change: Partial<Place> = {}): void {
  go({ ...NOWHERE, recording, session, ...change }, true);
}

// Opens what is of all recordings.
export function openView(view: View, alert = ""): void {
  go({ ...NOWHERE, view, alert }, true);
}

// Opens two sessions side by side.
export function openPair(a: string, b: string): void {
  go({ ...NOWHERE, view: "compare", pair: `${encodeURIComponent(a)}..${encodeURIComponent(b)}` }, true);
}

// Chooses of all sessions; what is empty is not chosen.
export function choose(change: Record<string, string>, add = false): void {
  const given = new URLSearchParams(place.value.view === "sessions" ? place.value.list : "");
  for (const [name, value] of Object.entries(change)) given.set(name, value);
  go({ ...NOWHERE, view: "sessions", list: listed(given) }, add);
}

// Closes what is on top: by Back where it was opened here, so that Forward opens it again.
export function close(): void {
  if (leaving) return;
  if (!(history.state as { ours?: boolean } | null)?.ours) return go(closed);
  leaving = true;
  history.back();
}

export const isLeaving = (): boolean => leaving;

// Does it now, or once the browser has gone back, where it was asked to: until then what is on top is still there.
export function onceBack(act: () => void): void {
  if (leaving) held.push(act);
  else act();
}
