// The view on paper: light, with all its turns, at the width of a sheet.

import { head, loadPage, PAGE, cards, printing } from "./state";

const LOADED_MS = 10_000; // until what is loaded is printed
const LOOK_MS = 50;

// Of the browser's menu too, where nothing can be loaded any more.
export function listenToPrinting(): void {
  addEventListener("beforeprint", () => (printing.value = true));
  addEventListener("afterprint", () => (printing.value = false));
}

// Loads the turns first.
export async function printAll(): Promise<void> {
  printing.value = true;
  const total = head.value?.turns ?? 0;
  for (let page = 0; page * PAGE < total; page++) loadPage(page);
  for (const end = Date.now() + LOADED_MS; cards.value.size < total && Date.now() < end; ) await wait(LOOK_MS);
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  print();
}

function wait(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
