// Small parts that all views have: the line of completeness, icons, captured text, folds, tables.

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { go, href, type Place } from "../address";
import type { AlertState, ListRow } from "../shapes";
import { printing } from "../state";
import { clean, count, plural, size } from "../words";

// The one sign: unbroken, nothing is missing; broken, something is.
export function Mark({ cut, title }: { cut?: boolean; title?: string }): JSX.Element {
  const said = title ?? (cut ? "something is missing" : "complete");
  return <i class={cut ? "mk cut" : "mk"} role="img" aria-label={said} title={said} />;
}

const SHEET = "M2.500 1.500h4.500l2.500 2.500v8.500h-7ZM7 1.500v2.500h2.500";

// The third sign: the agent kept a file of it, and nothing was seen.
export function Sheet(): JSX.Element {
  const said = "from the agent's own file";
  return <svg class="sh" viewBox="0 0 12 14" role="img" aria-label={said}><title>{said}</title><path d={SHEET} /></svg>;
}

// Whose word a session is, in words: never that nothing is missing, where only a file says so.
export function signWords(row: ListRow): string {
  if (row.recorded === false) return "from the agent's own file";
  const whole = row.missing ? `recorded, ${row.missing === 1 ? "one thing is" : `${count(row.missing)} things are`} missing` : `recorded, nothing is missing${row.live ? " so far" : ""}`;
  if (!row.file) return whole;
  const calls = `${count(row.found ?? 0)} of ${plural(row.compared ?? 0, "call")}`;
  return row.missing || !row.found ? `${whole}; its file has ${calls}` : `recorded, and its file agrees (${calls})`;
}

// Sheet and line; the place of the line is empty where nothing was recorded.
export function Signs({ row }: { row: ListRow }): JSX.Element {
  const said = signWords(row);
  return (
    <span class="sgn" role="img" aria-label={said} title={said}>
      {row.file ? <svg class="sh" viewBox="0 0 12 14" aria-hidden="true"><path d={SHEET} /></svg> : null}
      <i class={row.recorded === false ? "mk none" : row.missing ? "mk cut" : "mk"} />
    </span>
  );
}

const FLAGS: Record<string, string> = { new: "new alert", stopped: "alert, the agent is stopped", seen: "alert, seen", allowed: "alert, allowed", part: "part of another alert" };
const CLOTH = "M2 1.500h8.500L8.300 4.400l2.200 2.900H2Z";

// The second sign: something waits for a person. It has no hue, its shape is its state; a note has none.
export function Flag({ state, n }: { state: AlertState; n?: number }): JSX.Element | null {
  const said = FLAGS[state];
  if (!said) return null;
  const shape = state === "allowed" ? "M2 7.300h8.500l-2.200 2.800 2.200 2.900H2" : CLOTH;
  const flag = (
    <svg class={`fl f-${state}`} viewBox={state === "stopped" ? "0 0 20 14" : "0 0 12 14"} role="img" aria-label={said}>
      <path d="M2 .750v13" /><path d={shape} />{state === "stopped" ? <path d="M14.500 1v7M18 1v7" stroke-width="2.200" /> : null}
    </svg>
  );
  return n === undefined ? flag : <span class="fls">{flag}{n}</span>;
}

const PATHS: Record<string, JSX.Element> = {
  find: <><circle cx="7" cy="7" r="4.5" /><path d="m10.500 10.500 3 3" /></>,
  menu: <path d="M2.500 4.500h11M2.500 8h11M2.500 11.500h7" />,
  export: <path d="M8 10V2.500M5 5l3-3 3 3M3 9.500v4h10v-4" />,
  keys: <><rect x="1.500" y="4" width="13" height="8.500" rx="1.500" /><path d="M4.500 7h0M8 7h0M11.500 7h0M5.500 10h5" /></>,
  theme: <><circle cx="8" cy="8" r="5.500" /><path d="M8 2.500v11a5.500 5.500 0 0 0 0-11" fill="currentColor" /></>,
  close: <path d="m4 4 8 8M12 4l-8 8" />,
  left: <path d="m9.500 4-4 4 4 4" />,
  right: <path d="m6.500 4 4 4-4 4" />,
  play: <path d="M5 3.500v9l7-4.500z" fill="currentColor" />,
  pause: <path d="M5.500 3.500v9M10.500 3.500v9" />,
};

export function Icon({ name }: { name: keyof typeof PATHS }): JSX.Element {
  return <svg class="ic" viewBox="0 0 16 16" aria-hidden="true">{PATHS[name]}</svg>;
}

// Text that was captured: isolated, and what would change how it is shown stands as what it is.
// `code` runs from left to right: each word of a shell, and each part of a path, keeps its own direction within.
export function T({ text, code, class: name }: { text: string; code?: boolean; class?: string }): JSX.Element {
  const shown = code ? inOrder(clean(text)) : clean(text);
  return code ? <code class={`cap ${name ?? ""}`}>{shown}</code> : <span class={`cap ${name ?? ""}`}>{shown}</span>;
}

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdfd\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
const BETWEEN = /([\s/'"`|&;<>()=:,]+)/;

function inOrder(text: string): ComponentChildren {
  return RIGHT_TO_LEFT.test(text) ? text.split(BETWEEN).map((part, at) => (at % 2 ? part : <bdi key={at}>{part}</bdi>)) : text;
}

// A link within the page; the browser's own ways to open it elsewhere go on working.
export function Go(props: { to: Partial<Place>; add?: boolean; class?: string; title?: string; children: ComponentChildren }): JSX.Element {
  return (
    <a
      href={href(props.to)} class={props.class} title={props.title}
      onClick={(event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
        event.preventDefault();
        go({ find: null, diff: "", call: "", keys: false, ...props.to }, props.add ?? true);
      }}
    >
      {props.children}
    </a>
  );
}

// Copies a text, or what is loaded for it. It is seen where the pointer or the focus is.
export function Copy({ text, what }: { text: string | (() => Promise<string>); what: string }): JSX.Element {
  const [done, setDone] = useState("");
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(typeof text === "string" ? text : await text());
      setDone("copied");
    } catch {
      setDone("the browser did not allow it");
    }
  };
  return (
    <button
      type="button" class={done ? "copy said" : "copy"} aria-label={`Copy ${what}`} title={`Copy ${what}`}
      onClick={(event) => {
        event.preventDefault(); // within a summary it would open or fold
        event.stopPropagation();
        void copy();
      }}
    >
      {done || "copy"}
    </button>
  );
}

// Bytes that were measured, none too; null: they were not.
export function Bytes({ n = 0 }: { n?: number | null | undefined }): JSX.Element {
  if (n === null) return <span class="soft" title="was not measured">?</span>;
  return n ? <>{size(n)}</> : <span class="faint">0</span>;
}

export function Turn({ n }: { n: number | undefined }): JSX.Element | null {
  return n ? <Go to={{ turn: n, tab: "conversation" }} class="ref">turn {n}</Go> : null;
}

// What `fits` says of the width of the page, which is less than that of the window beside the rail or a panel. On paper: yes.
export function useRoom(fits: (px: number) => boolean): boolean {
  const asked = (): boolean => fits(document.getElementById("main")?.clientWidth ?? innerWidth);
  const [room, setRoom] = useState(asked);
  useEffect(() => {
    const seen = new ResizeObserver(() => setRoom(asked()));
    const main = document.getElementById("main");
    if (main) seen.observe(main);
    return () => seen.disconnect();
  }, []);
  return room || printing.value;
}

// Whether a column beside the page has room.
export function useSide(): boolean {
  return useRoom((px) => px >= 780) && innerWidth > 1080;
}

// An answer of the server, asked for again when `keys` change; the last one stays until the next is there.
export function useAsked<T>(asked: (signal: AbortSignal) => Promise<T>, keys: readonly unknown[]): { found: T | null; error: string } {
  const [found, setFound] = useState<T | null>(null);
  const [error, setError] = useState("");
  useEffect(() => {
    const ending = new AbortController();
    asked(ending.signal).then(
      (answer) => {
        if (ending.signal.aborted) return;
        setFound(answer);
        setError("");
      },
      (why: unknown) => {
        if (!ending.signal.aborted) setError(why instanceof Error ? why.message : String(why));
      },
    );
    return () => ending.abort();
  }, keys);
  return { found, error };
}

export function Note({ error }: { error: string }): JSX.Element | null {
  return error ? <p class="note err" role="alert"><T text={error} /></p> : null;
}

// A box over the page; Escape and a click beside it close it, and the focus goes back.
export function Dialog(props: { label: string; class?: string; onClose: () => void; children: ComponentChildren }): JSX.Element {
  const box = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = box.current;
    element?.showModal();
    return () => element?.close();
  }, []);
  return (
    <dialog
      ref={box} class={props.class} aria-label={props.label}
      onCancel={(event) => {
        event.preventDefault();
        props.onClose();
      }}
      onClick={(event) => {
        if (event.target === box.current) props.onClose();
      }}
    >
      {props.children}
    </dialog>
  );
}

// Words with commands between backticks.
export function Ticked({ text }: { text: string }): JSX.Element {
  return <>{text.split("`").map((each, at) => <T key={at} text={each} {...(at % 2 ? { code: true } : {})} />)}</>;
}
