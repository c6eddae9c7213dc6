// Which turns are shown: all, or the ones with a failure, a gap, changed files or a prompt.

import { computed } from "@preact/signals";
import { type Only, place } from "./address";
import { CHANGED, FAILED, MISSING, PROMPTED } from "./shapes";
import { head } from "./state";

const FLAGS: Record<Only, number> = { "": -1, failed: FAILED, gaps: MISSING, changed: CHANGED, prompts: PROMPTED };
export const NAMES: Record<Only, string> = { "": "All", failed: "Failed", gaps: "Gaps", changed: "Changed files", prompts: "Prompts" };
export const OTHERS: Record<Only, string> = { "": "", failed: "nothing failed", gaps: "nothing is missing", changed: "no file changed", prompts: "no prompt" };
export const ONE: Record<Only, string> = { "": "turn", failed: "failed", gaps: "gap", changed: "changed", prompts: "prompt" };

export function countOf(only: Only): number {
  const flags = head.value?.strip?.flags ?? [];
  return only ? flags.filter((each) => each & FLAGS[only]).length : flags.length;
}

// Places in the strip of the turns that are shown.
export const shown = computed<readonly number[]>(() => {
  const flags = head.value?.strip?.flags ?? [];
  const wanted = FLAGS[place.value.only];
  return flags.flatMap((each, at) => (wanted < 0 || each & wanted ? [at] : []));
});

// Runs of turns, shown or folded, from place `first` to `last`.
export interface Run { first: number; last: number; folded: boolean }

export function runsOf(places: readonly number[], total: number): Run[] {
  const found: Run[] = [];
  let next = 0;
  for (const at of [...places, total]) {
    if (at > next) found.push({ first: next, last: at - 1, folded: true });
    if (at < total) found.push({ first: at, last: at, folded: false });
    next = at + 1;
  }
  return found;
}
