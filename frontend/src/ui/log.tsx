// Every event, one line each: a virtual list by number; with a rule, what matches it, more as you scroll.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { go, place } from "../address";
import type { LogLine, LogPage } from "../shapes";
import { askHere, inFile, version } from "../state";
import { clock, count, plural } from "../words";
import { Note, T } from "./bits";
import { pretty } from "./conversation";

const ROW = 26; // px
const COUNT = 200;
const PAGES_MOST = 40; // of lines that are kept

export function Log(): JSX.Element {
  const rule = place.value.q;
  const [typed, setTyped] = useState(rule);
  const [everything, setEverything] = useState(true); // what belongs to no session, such as a loss, is seen at first
  useEffect(() => setTyped(rule), [rule]);
  const path = `session/${encodeURIComponent(everything ? "-" : place.value.session)}/events`;
  const [sources, setSources] = useState<string[]>([]);
  const [shown, setShown] = useState("");
  const [error, setError] = useState("");
  const put = (text: string): void => {
    setTyped(text);
    go({ q: text });
  };
  const props = { path, rule, onPage: (page: LogPage) => setSources(page.sources ?? []), onShown: setShown, onError: setError };
  return (
    <>
      <div class="bar">
        <form
          class="field wide-field" onSubmit={(event) => {
            event.preventDefault();
            put(typed.trim());
          }}
        >
          <label class="sr" for="rule">Rule</label>
          <input id="rule" type="search" spellcheck={false} value={typed} placeholder="request.method=POST & path~messages, source=file, or words" onInput={(event) => setTyped(event.currentTarget.value)} onBlur={() => put(typed.trim())} />
        </form>
        {place.value.session === "-" || inFile.value ? null : <label class="check"><input type="checkbox" checked={everything} onChange={(event) => setEverything(event.currentTarget.checked)} />whole recording</label>}
        <span class="soft num" role="status">{shown}</span>
      </div>
      <p class="chips">
        {sources.map((each) => {
          const on = rule.includes(`source=${each}`);
          return <button key={each} class="chip" aria-pressed={on} onClick={() => put(on ? rule.replace(`source=${each}`, "").trim() : `source=${each} ${rule.replace(/source=\S+\s*/, "")}`.trim())}>{each}</button>;
        })}
        {rule ? null : <span class="faint small">A rule shows the events that match it. The same rule after `record --http-filter` drops them.</span>}
      </p>
      <Note error={error} />
      {rule || !everything ? <Matches key={path + rule} {...props} /> : <Virtual key={path} {...props} />}
    </>
  );
}

interface Props { path: string; rule: string; onPage: (page: LogPage) => void; onShown: (text: string) => void; onError: (text: string) => void }

// All events: the height is known, so any place can be jumped to.
function Virtual({ path, onPage, onShown, onError }: Props): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const [total, setTotal] = useState(0);
  const [top, setTop] = useState(0);
  const [opened, setOpened] = useState("");
  const [pages, setPages] = useState<ReadonlyMap<number, LogLine[]>>(new Map());
  const asked = useRef(new Set<number>());
  const height = box.current?.clientHeight ?? 600;
  const load = (page: number): void => {
    if (asked.current.has(page)) return;
    asked.current.add(page);
    askHere<LogPage>(path, { since: page * COUNT, count: COUNT }).then(
      (found) => {
        onPage(found);
        onError("");
        setTotal(found.total);
        onShown(plural(found.total, "event"));
        setPages((known) => {
          const next = new Map(known);
          next.delete(page);
          next.set(page, found.lines);
          while (next.size > PAGES_MOST) {
            const oldest = next.keys().next().value!;
            next.delete(oldest);
            asked.current.delete(oldest);
          }
          return next;
        });
      },
      (why: unknown) => {
        asked.current.delete(page);
        onError(why instanceof Error ? why.message : String(why));
      },
    );
  };
  useEffect(() => {
    asked.current.delete(Math.floor(total / COUNT)); // what was not full may have more
    load(Math.floor(top / ROW / COUNT));
    if (total) load(Math.floor(Math.max(0, total - 1) / COUNT));
  }, [version.value]);
  const first = Math.max(0, Math.floor(top / ROW) - 10);
  const last = Math.min(total, Math.ceil((top + height) / ROW) + 10);
  useEffect(() => {
    for (let page = Math.floor(first / COUNT); page <= Math.floor(last / COUNT); page++) if (page * COUNT < Math.max(1, total)) load(page);
  }, [first, last, total]);
  const rows: JSX.Element[] = [];
  for (let n = first; n < last; n++) {
    const line = pages.get(Math.floor(n / COUNT))?.[n % COUNT];
    rows.push(line ? <Line key={n} line={line} top={n * ROW} opened={opened} onOpen={setOpened} /> : <div key={n} class="ll faint" style={{ top: `${n * ROW}px` }}>…</div>);
  }
  return (
    <>
      <div class="log" ref={box} tabIndex={0} role="list" aria-label="Events" onScroll={(event) => setTop(event.currentTarget.scrollTop)}>
        <div class="log-in" style={{ height: `${total * ROW}px` }}>{rows}</div>
      </div>
      {opened ? <Event at={opened} onClose={() => setOpened("")} /> : null}
    </>
  );
}

function Matches({ path, rule, onPage, onShown, onError }: Props): JSX.Element {
  const [lines, setLines] = useState<LogLine[]>([]);
  const [next, setNext] = useState<string | null>("");
  const [busy, setBusy] = useState(false);
  const [opened, setOpened] = useState("");
  const end = useRef<HTMLParagraphElement>(null);
  const load = (from: string): void => {
    setBusy(true);
    askHere<LogPage>(path, { count: COUNT, ...(rule ? { rule } : {}), ...(from ? { since: from } : {}) }).then(
      (found) => {
        onPage(found);
        onError("");
        setLines((known) => {
          const all = from ? [...known, ...found.lines] : found.lines;
          onShown(`${count(all.length)}${found.next ? "+" : ""} of ${count(found.total)}`);
          return all;
        });
        setNext(found.next || null);
        setBusy(false);
      },
      (why: unknown) => {
        onError(why instanceof Error ? why.message : String(why));
        setNext(null);
        setBusy(false);
      },
    );
  };
  useEffect(() => load(""), []);
  useEffect(() => {
    const seen = new IntersectionObserver(([entry]) => entry?.isIntersecting && next && !busy && load(next), { rootMargin: "600px" });
    if (end.current) seen.observe(end.current);
    return () => seen.disconnect();
  });
  return (
    <>
      <div class="log flow" role="list" aria-label="Events" tabIndex={0}>
        {lines.map((line) => <Line key={line.at} line={line} opened={opened} onOpen={setOpened} />)}
        {!lines.length && !busy ? <p class="soft pad">No event matches.</p> : null}
        <p ref={end} class="more">{busy ? "looking …" : next ? "" : lines.length ? "the end" : ""}</p>
      </div>
      {opened ? <Event at={opened} onClose={() => setOpened("")} /> : null}
    </>
  );
}

function Line({ line, top, opened, onOpen }: { line: LogLine; top?: number; opened: string; onOpen: (at: string) => void }): JSX.Element {
  return (
    <div class={`ll${line.bad ? " bad" : ""}${opened === line.at ? " sel" : ""}`} role="listitem" style={top === undefined ? {} : { top: `${top}px` }}>
      <button onClick={() => onOpen(opened === line.at ? "" : line.at)} aria-expanded={opened === line.at}>
        <span class="tm">{clock(line.time_ms, true)}</span><span class="sc">{line.source}</span>
        <span class="wh"><T text={`${line.who ?? ""} ${line.pid || ""}`} /></span><span class="tx"><T text={line.text} /></span>
      </button>
    </div>
  );
}

function Event({ at, onClose }: { at: string; onClose: () => void }): JSX.Element {
  const [text, setText] = useState("loading …");
  useEffect(() => {
    setText("loading …");
    askHere<unknown>(`event/${at}`).then((event) => setText(pretty(JSON.stringify(event))), (why: unknown) => setText(String(why)));
  }, [at]);
  return (
    <section class="event" aria-label="The event whole">
      <p class="bar"><b>Event {at}</b><button class="link end" onClick={onClose}>Close</button></p>
      <pre class="res" tabIndex={0}><T text={text.length > 200_000 ? `${text.slice(0, 200_000)}\n…` : text} /></pre>
    </section>
  );
}
