// What keys act on, of parts of the page that are loaded when they are first shown.

import { signal } from "@preact/signals";
import { go, place } from "./address";

export interface Time { zoom: (by: number) => void; all: () => void; play: () => void }
export const timeline: { current: Time | null } = { current: null };

// The request that Context shows: of a thread with turns of its own, which may be a sub-agent's.
export const request: { current: null | { call: string; move(by: number): void } } = { current: null };

// All sessions.
export const list: { current: null | { move(by: number): void; pick(): void; compare(): boolean; open(): void; escape(): boolean } } = { current: null };
export const folded = signal(false); // the year

export function search(): void {
  document.getElementById("find-session")?.focus();
}

export function swap(): void {
  const [a = "", b = ""] = place.value.pair.split("..");
  go({ pair: `${b}..${a}`, step: 0 });
}
