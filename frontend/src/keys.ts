// What a key does. Keys never act while a text field has the focus, nor with Ctrl, Alt or Meta, but for search.

import { close, go, isLeaving, onceBack, ONLY, open, openView, place } from "./address";
import { folded, list, request, search, swap, timeline as control } from "./controls";
import { DIGITS, hasAlerts, hasContext } from "./shapes";
import { shown } from "./only";
import { printAll } from "./print";
import { cards, follow, following, hasMachine, head, indexOf, ofSubAgent, rail, small, step, stepTrouble, switchTheme } from "./state";
import { control as alerts } from "./ui/alerts";
import { beside, closeRaw } from "./ui/raw";
import { control as turns } from "./ui/strip";

export function listenToKeys(save: () => void): void {
  addEventListener("keydown", (event) => {
    if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      go({ find: place.value.find ?? "" }, place.value.find === null);
      return;
    }
    if ((event.metaKey || event.ctrlKey) && !event.shiftKey && event.key.toLowerCase() === "p" && place.value.session) {
      event.preventDefault();
      void printAll();
      return;
    }
    if (event.metaKey || event.ctrlKey || event.altKey || writes(event.target)) return;
    const held = isLeaving() && (event.key.length === 1 || event.key === "Escape");
    if (held) onceBack(() => void act(event.key, event.target, save));
    if (held || act(event.key, event.target, save)) event.preventDefault();
  });
}

function writes(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(?:INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) && !(target instanceof HTMLInputElement && target.type === "checkbox");
}

function act(key: string, target: EventTarget | null, save: () => void): boolean {
  const at = place.value;
  const covered = at.find !== null || Boolean(at.diff) || Boolean(at.call) || at.keys;
  if (key === "Escape") {
    if (covered) close();
    else if (alerts.current?.close()) return true;
    else if (at.raw) closeRaw();
    else if (list.current) return list.current.escape();
    else if (at.tab === "context" && at.row) go({ row: "" });
    else if (at.tab === "context" && at.origin) go({ origin: "" });
    else if (at.turn || at.row) go({ turn: 0, row: "" });
    else return false;
    return true;
  }
  if (covered) return false;
  if (key === "s" && at.view === "compare" && !at.session) {
    swap();
    return true;
  }
  if (list.current && onList(key, target)) return true;
  if (/^[1-9]$/.test(key)) {
    const tab = DIGITS[Number(key) - 1];
    if (tab && at.session) go({ tab, q: "" }, true);
    return true;
  }
  if (key === "c" && at.session && hasContext(head.value)) {
    go({ tab: "context", q: "" }, true);
    return true;
  }
  if (key === "g" && at.session && hasAlerts(head.value)) {
    go({ tab: "alerts", q: "" }, true);
    return true;
  }
  if (key === "h" && hasMachine()) {
    openView("home");
    return true;
  }
  if (alerts.current && onAlert(key)) return true;
  if (key === "w" && !at.session) {
    openView("alerts");
    return true;
  }
  switch (key) {
    case "/":
      go({ find: "" }, true);
      return true;
    case "?":
      go({ keys: true }, true);
      return true;
    case "j":
    case "k":
      if (request.current) request.current.move(key === "j" ? 1 : -1);
      else step(key === "j" ? 1 : -1, shown.value);
      return true;
    case "p":
      return toPrompt();
    case "r":
      return toRaw();
    case ",":
    case ".":
      if (!at.raw) return false;
      beside(key === "." ? 1 : -1);
      return true;
    case "x":
      if (!at.session) return false;
      go({ only: ONLY[(ONLY.indexOf(at.only) + 1) % ONLY.length]!, tab: "conversation", turn: 0, row: "" });
      return true;
    case "n":
    case "N":
      if (ofSubAgent()) return false;
      stepTrouble(key === "n" ? 1 : -1);
      return true;
    case "]":
    case "[":
      other(key === "]" ? 1 : -1);
      return true;
    case "d":
    case "w":
      return overlay(key);
    case "o":
      if (at.tab === "context") small.value = !small.value;
      else fold();
      return true;
    case "f":
      follow(!following.value);
      return true;
    case "t":
      switchTheme();
      return true;
    case "e":
      save();
      return true;
    case "+":
    case "=":
      if (control.current) control.current.zoom(2);
      else turns.current?.closer();
      return (control.current ?? turns.current) !== null;
    case "-":
      control.current?.zoom(0.5);
      return control.current !== null;
    case "0":
      (control.current ?? turns.current)?.all();
      return (control.current ?? turns.current) !== null;
    case " ":
      if (target instanceof HTMLElement && target.closest("button, a, summary")) return false;
      control.current?.play();
      return control.current !== null;
    default:
      return false;
  }
}

// In the list of all sessions.
function onList(key: string, target: EventTarget | null): boolean {
  const at = list.current!;
  if (key === "j" || key === "k") at.move(key === "j" ? 1 : -1);
  else if (key === "x") at.pick();
  else if (key === "c") return at.compare();
  else if (key === "y") folded.value = !folded.value;
  else if (key === "/") search();
  else if (key === "Enter" && !(target instanceof HTMLElement && target.closest("button, a, summary"))) at.open();
  else return false;
  return true;
}

// In a list of alerts.
function onAlert(key: string): boolean {
  const list = alerts.current!;
  const presses = { o: "open", a: "allow", y: "copy", s: "seen" } as const;
  if (key === "j" || key === "k") list.move(key === "j" ? 1 : -1);
  else if (key === "w") list.next();
  else if (key in presses) list.press(presses[key as keyof typeof presses]);
  else return false;
  return true;
}

// The prompt that the selected turn works on.
function toPrompt(): boolean {
  if (ofSubAgent()) return false;
  const card = cards.value.get(indexOf(place.value.turn));
  if (!card?.asked) return false;
  go({ turn: card.asked.turn, row: "", tab: "conversation" }, true);
  return true;
}

function other(by: number): void {
  const rows = rail.value?.sessions ?? [];
  const now = rows.findIndex((row) => row.id === place.value.session && row.recording === place.value.recording);
  const next = rows[now + by];
  if (next) open(next.recording, next.id, { tab: place.value.tab });
}

// The call of the selected turn, else of the newest one.
function selectedCall(): string {
  const strip = head.value?.strip;
  const at = indexOf(place.value.turn);
  return request.current?.call ?? strip?.call[at < 0 ? strip.call.length - 1 : at] ?? "";
}

function overlay(key: string): boolean {
  const call = selectedCall();
  if (!call) return false;
  go(key === "d" ? { diff: `..${call}` } : { call }, true);
  return true;
}

// The exchange as it was sent.
function toRaw(): boolean {
  const call = selectedCall();
  if (place.value.raw) closeRaw();
  else if (call) go({ raw: call }, true);
  return Boolean(call);
}

function fold(): void {
  const folds = [...document.querySelectorAll<HTMLDetailsElement>(`#turn-${place.value.turn} details.tool`)];
  const opened = folds.some((each) => !each.open);
  for (const each of folds) each.open = opened;
}
