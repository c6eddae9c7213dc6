// Numbers, times and captured text -> what is shown of them. Numbers and times have the words of agentsight_rx/store/words.py.

export function count(n: number): string {
  return n.toLocaleString("en-US");
}

export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

export function amount(n: number): string {
  if (n < 1000) return String(n);
  if (n < 999_950) return `${(n / 1000).toFixed(1)} k`;
  if (n < 999_950_000) return `${(n / 1e6).toFixed(1)} M`;
  return `${(n / 1e9).toFixed(1)} G`;
}

export function size(n: number): string {
  if (n < 1000) return `${n} B`;
  if (n < 999_950) return `${(n / 1e3).toFixed(1)} kB`;
  if (n < 999_950_000) return `${(n / 1e6).toFixed(1)} MB`;
  return `${(n / 1e9).toFixed(1)} GB`;
}

export function took(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return "";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} m ${String(seconds % 60).padStart(2, "0")} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} m`;
}

export function short(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

export function money(usd: number | null | undefined): string {
  if (usd === null || usd === undefined) return "";
  const [whole = "", rest = ""] = usd.toFixed(usd >= 0.5 || !usd ? 2 : usd >= 0.01 ? 3 : 5).split(".");
  return `$${whole.replace(/\B(?=(?:\d{3})+$)/g, ",")}.${rest}`;
}

export function percent(part: number): string {
  return `${Math.round(part * 100)} %`;
}

export function kept(ratio: number): string {
  if (ratio >= 1) return "100 %";
  return `${Math.min(99.999, ratio * 100).toFixed(ratio > 0.999 ? 3 : 1)} %`;
}

const two = (n: number): string => String(n).padStart(2, "0");

export function clock(ms: number, exact = false): string {
  if (!ms) return "";
  const at = new Date(ms);
  const whole = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return exact ? `${whole}.${String(at.getMilliseconds()).padStart(3, "0")}` : whole;
}

export function day(ms: number, now = Date.now()): string {
  const date = (at: number): string => new Date(at).toDateString();
  if (date(ms) === date(now)) return "Today";
  if (date(ms) === date(now - 86_400_000)) return "Yesterday";
  const at = new Date(ms);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

// The zone in which this browser has its days.
export function zone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
export const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

// "26 November", with the year where it is another one.
export function date(ms: number): string {
  const at = new Date(ms);
  return `${at.getDate()} ${MONTHS[at.getMonth()] ?? ""}${at.getFullYear() === new Date().getFullYear() ? "" : ` ${at.getFullYear()}`}`;
}

export function dayName(ms: number): string {
  const name = day(ms);
  return name === "Today" || name === "Yesterday" ? name : `${DAYS[new Date(ms).getDay()] ?? ""} ${date(ms)}`;
}

// 2026-11-26, of this browser's zone.
export function dayKey(ms: number): string {
  const at = new Date(ms);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

// A sum: without cents where they say nothing.
export function dollars(usd: number): string {
  return usd >= 1000 ? `$${count(Math.round(usd))}` : money(usd);
}

// What a session cost: "?" where nothing of it is known, "≥" where not all of it is.
export function cost(row: { usd?: number | null; unpriced?: number }): string {
  if (row.usd === null || row.usd === undefined || (row.unpriced && !row.usd)) return "?";
  return `${row.unpriced ? "≥ " : ""}${money(row.usd)}`;
}

// Characters that change how others are shown, or that are not seen, stand as what they are.
// A joiner (ZWJ, ZWNJ) stays where it joins letters of a script that needs it, or parts of an emoji; elsewhere it is seen.
// eslint-disable-next-line no-control-regex
const HIDDEN = /(?<![^\u0000-\u024f\u2000-\u206f])[\u200c\u200d]|[\u200c\u200d](?![^\u0000-\u024f\u2000-\u206f])|[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;

export function clean(text: string): string {
  return text.replace(HIDDEN, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

// A path below the folder of the session, without that folder.
export function within(path: string, folder: string): string {
  return folder && folder !== "/" && path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : path;
}

export function home(path: string): string {
  return path.replace(/^\/(?:home\/[^/]+|root)(?=\/|$)/, "~");
}
