// What stands over the page, one at a time, each with its own address: the diff of two requests, a call whole, search, keys.

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { close, go, open, place } from "../address";
import type { Body, CallBody, DiffBody, Found, Hit, Value } from "../shapes";
import { hasAlerts, hasContext, TABS } from "../shapes";
import { ask, askHere, hasMachine, head, inFile, rail } from "../state";
import { amount, clock, count, day, money, plural } from "../words";
import { Copy, Dialog, Icon, Note, T, useAsked } from "./bits";
import { Paragraphs, pretty } from "./conversation";
import { Markdown } from "./markdown";

export function Overlays(): JSX.Element | null {
  const at = place.value;
  if (at.keys) return <Keys />;
  if (at.find !== null) return <Find />;
  if (at.diff) return <Diff />;
  if (at.call) return <Call />;
  return null;
}

function Head({ title, children }: { title: string; children?: ComponentChildren }): JSX.Element {
  return (
    <header class="dh">
      <h2>{title}</h2>{children}
      <span class="end"><button class="icon" aria-label="Close" title="Close (esc)" onClick={close}><Icon name="close" /></button></span>
    </header>
  );
}

// -- diff ---------------------------------------------------------------------------------------------------------------

function Diff(): JSX.Element {
  const strip = head.value?.strip;
  const [given = "", second = ""] = place.value.diff.split("..");
  const at = strip?.call.indexOf(second) ?? -1;
  const first = given || (at > 0 ? (strip?.call[at - 1] ?? "") : "");
  const { found, error } = useAsked(
    (signal) => (first && second ? askHere<DiffBody>("diff", { a: first, b: second }, signal) : Promise.reject(new Error("there is no request before it"))),
    [first, second],
  );
  const name = (call: string): string => {
    const place = strip?.call.indexOf(call) ?? -1;
    return place >= 0 ? `turn ${strip?.n[place] ?? 0}` : "a sub-agent's request";
  };
  const move = (by: number): void => {
    const b = strip?.call[at + by];
    const a = strip?.call[at + by - 1];
    if (a && b) go({ diff: `${a}..${b}` });
  };
  return (
    <Dialog label="What changed between two requests" class="wide-d" onClose={close}>
      <Head title={`Request of ${name(second)}`}>
        <label class="soft">against{" "}
          <select value={first} onChange={(event) => go({ diff: `${event.currentTarget.value}..${second}` })}>
            {strip?.call.includes(first) ? null : <option value={first}>{name(first)}</option>}
            {(strip?.call ?? []).map((call, place) => (call === second ? null : <option key={call} value={call}>turn {strip?.n[place]}{place === at - 1 ? ", the one before" : ""}</option>))}
          </select>
        </label>
        <span class="steps">
          <button class="btn sq" aria-label="The request before" disabled={at <= 1} onClick={() => move(-1)}><Icon name="left" /></button>
          <button class="btn sq" aria-label="The next request" disabled={at < 0 || at + 1 >= (strip?.call.length ?? 0)} onClick={() => move(1)}><Icon name="right" /></button>
        </span>
      </Head>
      <div class="db" tabIndex={0}>
        <Note error={error} />
        {found ? <Differences found={found} /> : error ? null : <p class="soft">comparing …</p>}
      </div>
    </Dialog>
  );
}

function sent(value: Value): string {
  return value === null ? "not sent" : String(value);
}

function Differences({ found }: { found: DiffBody }): JSX.Element {
  if (found.missing && !found.lines?.length) return <p class="note"><T text={found.missing} /></p>;
  const parameters = found.parameters ?? [];
  const lines = found.lines ?? [];
  const changed = lines.filter((line) => line.change !== "same");
  const tools = [...(found.tools_added ?? []).map((tool) => ["+", tool]), ...(found.tools_removed ?? []).map((tool) => ["−", tool]), ...(found.tools_changed ?? []).map((tool) => ["~", tool])];
  return (
    <>
      {(found.uncached ?? 0) >= 1000 ? <p class="note calm"><span><b>The cache was lost.</b> {amount(found.uncached ?? 0)} tokens that were in the cache were paid again.</span></p> : null}
      {found.missing ? <p class="note"><T text={`Incomplete: ${found.missing}`} /></p> : null}
      {!found.missing && !parameters.length && !tools.length && !changed.length ? <p class="soft">Nothing changed: both requests are the same.</p> : null}
      {parameters.length ? (
        <>
          <h3 class="h">Parameters</h3>
          <table class="params"><thead class="sr"><tr><th>name</th><th>before</th><th>after</th></tr></thead><tbody>
            {parameters.map((each) => <tr key={each.name}><td><code>{each.name}</code></td><td><del><T text={sent(each.first)} /></del></td><td><ins><T text={sent(each.second)} /></ins></td></tr>)}
          </tbody></table>
        </>
      ) : found.missing ? null : <p class="fold">the parameters are the same</p>}
      {tools.length ? <><h3 class="h">Tools</h3><ul class="marks">{tools.map(([sign, tool]) => <li key={`${sign}${tool}`}><span class="sg">{sign}</span><T code text={tool ?? ""} /></li>)}</ul></> : null}
      <h3 class="h">Messages</h3>
      {lines.map((line, at) => {
        if (line.change === "same") {
          const n = line.count ?? 1;
          return <p class="fold" key={at}>{n === 1 ? `message ${line.at + 1} is the same` : `messages ${line.at + 1} to ${line.at + n} are the same`}</p>;
        }
        const before = lines[at - 1];
        const twin = line.change === "new" && before?.change === "gone" && before.role === line.role ? before : null;
        if (line.change === "gone" && lines[at + 1]?.change === "new" && lines[at + 1]?.role === line.role) return null;
        return (
          <div class="msg" key={at}>
            <span class={line.change === "gone" ? "sg bad" : "sg now"}>{twin ? "~" : line.change === "new" ? "+" : "−"}</span>
            <span class="role">{line.role}<small>message {line.at + 1}</small></span>
            <div>{twin ? <WordByWord before={textOf(twin.parts)} after={textOf(line.parts)} /> : (line.parts ?? []).map((part, n) => <Part key={n} part={part} gone={line.change === "gone"} />)}</div>
          </div>
        );
      })}
    </>
  );
}

function textOf(parts: Body[] | undefined): string {
  return (parts ?? []).map((part) => (part.title ? `${part.title} ${part.text}` : part.text)).join("\n");
}

// The longest common words, for texts that are short enough; else both one after the other.
function WordByWord({ before, after }: { before: string; after: string }): JSX.Element {
  const pieces = useMemo(() => words(before, after), [before, after]);
  return <p class="pre">{pieces.map(([kind, text], at) => (kind === "=" ? <T key={at} text={text} /> : kind === "-" ? <del key={at}><T text={text} /></del> : <ins key={at}><T text={text} /></ins>))}</p>;
}

export function words(before: string, after: string): [string, string][] {
  const a = before.match(/\s+|[^\s]+/g) ?? [];
  const b = after.match(/\s+|[^\s]+/g) ?? [];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const [x, y] = [a.slice(start, a.length - end), b.slice(start, b.length - end)];
  const middle: [string, string][] = x.length * y.length > 1_000_000 ? [["-", x.join("")], ["+", y.join("")]] : common(x, y);
  return merged([["=", a.slice(0, start).join("")], ...middle, ["=", a.slice(a.length - end).join("")]]);
}

function common(a: string[], b: string[]): [string, string][] {
  const width = b.length + 1;
  const lengths = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      lengths[i * width + j] = a[i] === b[j] ? lengths[(i + 1) * width + j + 1]! + 1 : Math.max(lengths[(i + 1) * width + j]!, lengths[i * width + j + 1]!);
    }
  }
  const found: [string, string][] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) found.push(["=", a[i++]!]), j++;
    else if (i < a.length && (j >= b.length || lengths[(i + 1) * width + j]! >= lengths[i * width + j + 1]!)) found.push(["-", a[i++]!]);
    else found.push(["+", b[j++]!]);
  }
  return found;
}

function merged(pieces: [string, string][]): [string, string][] {
  const found: [string, string][] = [];
  for (const [kind, text] of pieces) {
    if (!text) continue;
    const last = found[found.length - 1];
    if (last?.[0] === kind) last[1] += text;
    else found.push([kind, text]);
  }
  return found;
}

function Part({ part, gone, model }: { part: Body; gone?: boolean; model?: boolean }): JSX.Element {
  const more = (part.total ?? 0) > part.text.length ? `\n… ${count((part.total ?? 0) - part.text.length)} more characters` : "";
  if (part.kind === "text") return <div class={gone ? "gone" : ""}>{model ? <Markdown text={part.text + more} /> : <Paragraphs text={part.text + more} />}</div>;
  if (part.kind === "reasoning") return <div class="soft"><Paragraphs text={part.text + more} /></div>;
  const name = part.kind === "tool_call" ? part.title : part.kind === "tool_result" ? (part.bad ? "result, failed" : "result") : part.kind;
  return <><p class="faint small"><T text={name ?? ""} /></p><pre class="res" tabIndex={0}><T text={(part.kind === "tool_call" ? pretty(part.text) : part.text) + more} /></pre></>;
}

// -- a call whole -------------------------------------------------------------------------------------------------------

function Call(): JSX.Element {
  const id = place.value.call;
  const { found, error } = useAsked((signal) => askHere<CallBody>(`call/${encodeURIComponent(id)}`, {}, signal), [id]);
  const [raw, setRaw] = useState(false);
  const at = head.value?.strip?.call.indexOf(id) ?? -1;
  return (
    <Dialog label="A call whole" class="wide-d" onClose={close}>
      <Head title={at >= 0 ? `Turn ${head.value?.strip?.n[at] ?? 0}: the whole call` : "The whole call"}>
        <span class="steps">
          <button class="btn" disabled={raw} onClick={() => toPart("call-new")}>What is new</button>
          <button class="btn" disabled={raw} onClick={() => toPart("call-answer")}>Answer</button>
          <button class="btn" aria-pressed={raw} onClick={() => setRaw(!raw)}>JSON</button>
        </span>
      </Head>
      <div class="db" tabIndex={0}>
        <Note error={error} />
        {found ? raw ? <pre class="res" tabIndex={0}><T text={JSON.stringify(found, null, 2)} /></pre> : <Exchange found={found} /> : error ? null : <p class="soft">loading …</p>}
      </div>
    </Dialog>
  );
}

function Exchange({ found }: { found: CallBody }): JSX.Element {
  return (
    <>
      {found.missing ? <p class="note"><T text={`Incomplete: ${found.missing}`} /></p> : null}
      <dl class="pairs">
        <dt>model</dt><dd><T text={found.model ?? ""} />{found.answered_by ? <> (answered by <T text={found.answered_by} />)</> : null} at <T text={found.host || found.provider || "?"} />{found.through ? <> through <T text={found.through} /></> : null}</dd>
        <dt>parameters</dt><dd><T code text={Object.entries(found.parameters ?? {}).filter(([name]) => name !== "model").map(([name, value]) => `${name}=${value}`).join("  ") || (found.missing ? "not known" : "none")} /></dd>
        {found.tools?.length ? <><dt>{plural(found.tools.length, "tool")}</dt><dd><T text={found.tools.join(", ")} /></dd></> : null}
        <dt>ended</dt><dd>{found.error ? <span class="bad"><T text={found.error} /></span> : found.finish || "not seen"}{found.status ? `, HTTP ${found.status}` : ""}</dd>
        {found.cost ? <><dt>cost</dt><dd>{money(found.cost)} <span class="faint"><T text={found.cost_by ?? ""} /></span></dd></> : null}
        {found.unknown?.length ? <><dt class="gap">not known</dt><dd><T code text={found.unknown.join(", ")} /></dd></> : null}
      </dl>
      <Request found={found} />
      <h3 class="h" id="call-answer">Answer <Copy text={joined(found.answer)} what="the answer" /></h3>
      {(found.answer ?? []).map((part, at) => <div class="msg" key={at}><span /><span class="role">{part.kind.replace("_", " ")}</span><div><Part part={part} model /></div></div>)}
      {found.answer?.length ? null : <p class="soft">No answer was captured.</p>}
    </>
  );
}

function joined(parts: Body[] | undefined): string {
  return (parts ?? []).filter((part) => part.kind === "text").map((part) => part.text).join("\n\n");
}

function toPart(id: string): void {
  document.getElementById(id)?.scrollIntoView({ block: "start" });
}

type Message = NonNullable<CallBody["messages"]>[number];
const MORE = 200; // messages that are asked for at once

// What is new in a request; what was sent before is folded above it, and older messages are asked for.
function Request({ found }: { found: CallBody }): JSX.Element {
  const [older, setOlder] = useState<Message[]>([]);
  const [error, setError] = useState("");
  const messages = [...older, ...(found.messages ?? [])];
  const first = (found.first ?? 0) - older.length;
  const known = Math.min(messages.length, Math.max(0, (found.fresh ?? 0) - first));
  const before = (): void => {
    const start = Math.max(0, first - MORE);
    askHere<CallBody>(`call/${encodeURIComponent(found.id)}`, { part: "request", from: start, count: first - start }).then(
      (more) => setOlder((now) => [...(more.messages ?? []), ...now]),
      (why: unknown) => setError(why instanceof Error ? why.message : String(why)),
    );
  };
  const one = (message: Message, at: number): JSX.Element => <Spoken key={first + at} call={found.id} message={message} at={first + at} />;
  return (
    <>
      <h3 class="h">Request{found.total ? `, ${plural(found.total, "message")}` : ""}</h3>
      {first > 0 ? inFile.value ? <p class="fold">{plural(first, "earlier message")} not in this file</p> : <p class="fold"><button class="link" onClick={before}>Show {count(Math.min(first, MORE))} of {plural(first, "earlier message")}</button></p> : null}
      <Note error={error} />
      {known ? (
        <details class="sent">
          <summary class="soft">{plural(known, "message")} that the request before had too</summary>
          {messages.slice(0, known).map(one)}
        </details>
      ) : null}
      <div id="call-new">{messages.slice(known).map((message, at) => one(message, known + at))}</div>
    </>
  );
}

// A message, and all of it on demand.
function Spoken({ call, message, at }: { call: string; message: Message; at: number }): JSX.Element {
  const [whole, setWhole] = useState<Message | null>(null);
  const [error, setError] = useState("");
  const parts = (whole ?? message).parts;
  const more = !whole && !inFile.value && parts.some((part) => (part.total ?? 0) > part.text.length);
  const show = (): void => {
    askHere<CallBody>(`call/${encodeURIComponent(call)}`, { part: "request", from: at, count: 1 }).then(
      (body) => setWhole(body.messages?.[0] ?? message),
      (why: unknown) => setError(why instanceof Error ? why.message : String(why)),
    );
  };
  return (
    <div class="msg">
      <span /><span class="role">{message.role}<small>message {at + 1}</small><Copy text={parts.map((part) => part.text).join("\n\n")} what={`message ${at + 1}`} /></span>
      <div>
        {parts.map((part, n) => <Part key={n} part={part} model={message.role === "assistant"} />)}
        {more ? <button class="link" onClick={show}>Show the whole message</button> : null}
        <Note error={error} />
      </div>
    </div>
  );
}

// -- search -------------------------------------------------------------------------------------------------------------

const KIND_TITLES: Record<string, string> = {
  place: "Go to", prompt: "Prompts", command: "Commands", result: "Results of tools", answer: "Answers", program: "Programs", file: "Files", host: "Hosts",
};
const AGAIN_MS = 400; // until a search is asked again whose index is being made
interface Choice { key: string; kind: string; text: string; side: string; go: () => void }

function Find(): JSX.Element {
  const typed = place.value.find ?? "";
  const [asked, setAsked] = useState(typed);
  const [at, setAt] = useState(0);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const wait = setTimeout(() => setAsked(typed.trim()), 140);
    return () => clearTimeout(wait);
  }, [typed]);
  useEffect(() => input.current?.focus(), []);
  const [round, setRound] = useState(0);
  const { found, error } = useAsked((signal) => (asked ? ask<Found>("search", { q: asked, limit: 40 }, signal) : Promise.resolve(null)), [asked, round]);
  const going = Boolean(asked && found?.going_on && found.searched < found.recordings);
  useEffect(() => {
    if (!going) return;
    const wait = setTimeout(() => setRound(round + 1), AGAIN_MS);
    return () => clearTimeout(wait);
  }, [found]);
  const hits = [...places(typed.trim()), ...(found?.hits ?? []).map(choice)];
  const groups = new Map<string, Choice[]>();
  for (const each of hits) groups.set(each.kind, [...(groups.get(each.kind) ?? []), each]);
  const shown = [...groups.values()].flat();
  useEffect(() => setAt(0), [asked]);
  const move = (event: KeyboardEvent): void => {
    if (event.key === "ArrowDown") setAt((at + 1) % Math.max(1, shown.length));
    else if (event.key === "ArrowUp") setAt((at + shown.length - 1) % Math.max(1, shown.length));
    else if (event.key === "Enter") shown[at]?.go();
    else return;
    event.preventDefault();
  };
  useEffect(() => document.getElementById(`hit-${at}`)?.scrollIntoView({ block: "nearest" }), [at]);
  let n = -1;
  return (
    <Dialog label="Search" onClose={close}>
      <div class="pq">
        <Icon name="find" />
        <input
          ref={input} role="combobox" aria-expanded={shown.length ? "true" : "false"} aria-controls="hits" aria-activedescendant={shown.length ? `hit-${at}` : undefined} aria-label="Search all recordings"
          placeholder="Prompts, answers, commands, results, paths, hosts" value={typed} onInput={(event) => go({ find: event.currentTarget.value })} onKeyDown={move} autocomplete="off" spellcheck={false}
        />
        <button class="icon" aria-label="Close" onClick={close}><Icon name="close" /></button>
      </div>
      <div class="hits" id="hits" role={shown.length ? "listbox" : undefined} aria-label={shown.length ? "Found" : undefined}>
        {[...groups].map(([kind, rows]) => (
          <div key={kind} role="group" aria-label={KIND_TITLES[kind] ?? kind}>
            <p class="h3" aria-hidden="true">{KIND_TITLES[kind] ?? kind}</p>
            {rows.map((each) => {
              n += 1;
              const mine = n;
              return <button key={each.key} id={`hit-${mine}`} class="hit" role="option" tabIndex={-1} aria-selected={mine === at} onClick={each.go} onMouseMove={() => setAt(mine)}><Marked text={each.text} /><small>{each.side}</small></button>;
            })}
          </div>
        ))}
        {asked && found && !found.hits.length ? <p class="soft pad">{going ? "Nothing so far." : `Nothing in ${plural(found.recordings, "recording")}.`}</p> : null}
        {asked && !found && !error ? <p class="soft pad">looking …</p> : null}
        {!asked && !shown.length ? <p class="soft pad">Type words or parts of words to search for. Each place that is found has all of them; "words in quotation marks" stand side by side.</p> : null}
        <Note error={error} />
      </div>
      <p class="pf"><span>↑ ↓ choose</span><span>↵ open</span><span>esc close</span>{found ? <span class="end" role="status">{count(found.searched)} of {plural(found.recordings, "recording")} searched{going ? `, ${count(found.texts ?? 0)} texts so far` : ""}</span> : null}</p>
    </Dialog>
  );
}

function Marked({ text }: { text: string }): JSX.Element {
  const pieces = text.split(/[\u0002\u0003]/);
  return <span>{pieces.map((piece, at) => (at % 2 ? <mark key={at}><T text={piece} /></mark> : <T key={at} text={piece} />))}</span>;
}

function choice(hit: Hit, at: number): Choice {
  const tab = ({ file: "files", host: "http", program: "processes" } as const)[hit.kind as "file"] ?? "conversation";
  const known = rail.value?.sessions.find((row) => row.id === hit.session && row.recording === hit.recording);
  const words = hit.kind === "file" ? hit.row : "";
  return {
    key: `${hit.kind}-${at}`, kind: hit.kind, text: hit.text,
    side: [day(hit.at_ms) === "Today" ? clock(hit.at_ms) : day(hit.at_ms), hit.turn ? `turn ${hit.turn}` : "", known?.title?.slice(0, 32)].filter(Boolean).join(", "),
    go: () => open(hit.recording, known ? hit.session : hit.session || "-", { tab, turn: hit.turn, row: hit.row, ...(words ? { q: words } : {}) }),
  };
}

function places(words: string): Choice[] {
  if (words.length < 2) return [];
  const wanted = words.toLowerCase();
  const tabs = TABS.filter((tab) => tab.includes(wanted) && (tab !== "context" || hasContext(head.value)) && (tab !== "alerts" || hasAlerts(head.value))).map((tab) => ({ key: tab, kind: "place", text: tab[0]!.toUpperCase() + tab.slice(1), side: "this session", go: () => go({ tab, find: null }, true) }));
  const sessions = (rail.value?.sessions ?? []).filter((row) => `${row.title ?? ""} ${row.agent} ${row.model ?? ""}`.toLowerCase().includes(wanted)).slice(0, 5);
  return [...tabs, ...sessions.map((row) => ({ key: row.recording + row.id, kind: "place", text: row.title || row.agent, side: `${row.agent}, ${day(row.start_ms)} ${clock(row.start_ms)}`, go: () => open(row.recording, row.id) }))];
}

// -- keys ---------------------------------------------------------------------------------------------------------------

const KEYS: [string, string][] = [
  ["⌘K /", "search everything"], ["j k", "next turn, turn before"], ["p", "the prompt that the turn works on"], ["] [", "next session, session before"], ["1–9", "tab"], ["d", "diff with the request before"], ["r", "the exchange as it was sent"], [", .", "the exchange before, the next one (as sent)"], ["w", "the call whole"],
  ["x", "all turns, failed, gaps, changed files, prompts"], ["n N", "next, previous trouble or gap"], ["o", "open or fold the tools of the turn, or the small parts (Context)"], ["f", "follow, or stop"], ["space", "play (Timeline)"], ["+ − 0", "zoom (the turns above, Timeline)"], ["⌘P", "print this view, with all its turns"], ["e", "save as a file"],
  ["t", "light or dark"], ["?", "these keys"], ["esc", "close, then clear the selection"],
];

const CONTEXT_KEY: [string, string] = ["c", "Context"];
const ALERT_KEYS: [string, string][] = [["g", "Alerts"], ["j k", "next alert, alert before (Alerts)"], ["w", "the next that waits (Alerts)"], ["o", "open or fold (Alerts)"], ["a y", "the entry that allows it, copy it"], ["s", "seen, or not seen"]];
const LIST_KEYS: [string, string][] = [["j k", "next session, session before"], ["x", "select, a third takes the place of the second"], ["c", "compare the two"], ["↵", "open"], ["/", "title, folder or branch"], ["y", "fold the year"], ["h", "this machine"], ["t", "light or dark"], ["⌘K", "search everything"], ["esc", "clear the selection, then the filters"]];
const MACHINE_KEY: [string, string] = ["h", "this machine"];

function allKeys(): [string, string][] {
  if (place.value.view === "sessions" && !place.value.session) return LIST_KEYS;
  const alerts = hasAlerts(head.value) || !place.value.session ? ALERT_KEYS : [];
  return [...KEYS, ...(hasContext(head.value) ? [CONTEXT_KEY] : []), ...(hasMachine() ? [MACHINE_KEY] : []), ...alerts];
}

function Keys(): JSX.Element {
  return (
    <Dialog label="Keys" onClose={close}>
      <Head title="Keys" />
      <div class="db" tabIndex={0}><dl class="keys">{allKeys().map(([keys, what]) => <><dt key={keys + what}>{keys.split(" ").map((key) => <kbd key={key}>{key}</kbd>)}</dt><dd>{what}</dd></>)}</dl></div>
    </Dialog>
  );
}
