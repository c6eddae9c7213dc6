// What answers that go on have said so far, by the id of their call; the card of the turn takes its place once it is whole.

import { signal } from "@preact/signals";
import type { Said } from "./shapes";

export interface Block { kind: "text" | "reasoning" | "call"; name: string; text: string }
export interface Open { next: number; cut: boolean; blocks: ReadonlyMap<number, Block> }

const CALLS_MOST = 64;
const TEXT_MOST = 200_000; // characters of a block

export const open = signal<ReadonlyMap<string, Open>>(new Map());

export function hear(said: Said): void {
  const known = open.value.get(said.call);
  const goesOn = known !== undefined && said.first === known.next;
  const blocks = new Map(goesOn ? known.blocks : []);
  for (const piece of said.pieces) {
    const before = blocks.get(piece.block);
    const text = (before?.text ?? "") + piece.text;
    blocks.set(piece.block, { kind: piece.kind, name: piece.name || before?.name || "", text: text.slice(-TEXT_MOST) });
  }
  const next = new Map(open.value);
  next.delete(said.call);
  next.set(said.call, { next: said.first + said.pieces.length, cut: goesOn ? known.cut : said.first > 0, blocks });
  for (const call of next.keys()) {
    if (next.size <= CALLS_MOST) break;
    next.delete(call);
  }
  open.value = next;
}

export function forget(): void {
  open.value = new Map();
}
