// One exchange as it was sent, beside the page: times to scale, heads, bodies in parts, and what sends it again.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { go, place } from "../address";
import type { RawBody, RawCall } from "../shapes";
import { askHere, head } from "../state";
import { count, plural, size, took } from "../words";
import { Copy, Icon, Mark, Note, T, useAsked } from "./bits";

const HEADS = 4; // that are shown at first
const LEAST_PX = 420; // of its width; at most 70 % of the window
const ordinals = ["first", "second", "third", "fourth", "fifth"];
const FORMS = ["pretty", "events", "raw"] as const;
type Form = (typeof FORMS)[number];

let opener: Element | null = null; // gets the focus back

export function closeRaw(): void {
  go({ raw: "", part: "response" });
  if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
}

// The exchange of the turn before, or of the next one.
export function beside(by: number): void {
  const strip = head.value?.strip;
  const at = strip?.call.indexOf(place.value.raw) ?? -1;
  const next = strip?.call[at + by];
  if (at >= 0 && next) go({ raw: next, turn: strip!.n[at + by] ?? 0 });
}

export function Raw(): JSX.Element {
  const { raw, part } = place.value;
  const { found, error } = useAsked((signal) => askHere<RawCall>(`raw/${encodeURIComponent(raw)}`, { session: place.value.session }, signal), [raw]);
  const [width, setWidth] = useState(540);
  const box = useRef<HTMLElement>(null);
  useEffect(() => {
    opener = document.activeElement;
    box.current?.focus();
  }, []);
  useEffect(() => {
    document.documentElement.style.setProperty("--raw", `${width}px`);
  }, [width]);
  const tries = found?.id === raw ? (found.tries ?? []) : [];
  const at = head.value?.strip?.call.indexOf(tries.at(-1)?.[0] ?? raw) ?? -1;
  const drag = (event: PointerEvent): void => {
    const grip = event.currentTarget as HTMLElement;
    if (event.type === "pointerdown") grip.setPointerCapture(event.pointerId);
    else if (grip.hasPointerCapture(event.pointerId)) setWidth(Math.round(Math.max(LEAST_PX, Math.min(innerWidth * 0.7, innerWidth - event.clientX))));
  };
  return (
    <aside class="raw" ref={box} tabIndex={-1} aria-label="The exchange as it was sent">
      <i class="grip" aria-hidden="true" onPointerDown={drag} onPointerMove={drag} />
      <header>
        <h2>{at >= 0 ? `Turn ${head.value?.strip?.n[at] ?? 0}, as it was sent` : "An exchange, as it was sent"}</h2>
        {at >= 0 ? <><button class="icon" aria-label="The exchange before" title="Before (,)" disabled={at < 1} onClick={() => beside(-1)}><Icon name="left" /></button><button class="icon" aria-label="The next exchange" title="Next (.)" disabled={at + 1 >= (head.value?.strip?.call.length ?? 0)} onClick={() => beside(1)}><Icon name="right" /></button></> : null}
        <button class="icon" aria-label="Close" title="Close (esc)" onClick={closeRaw}><Icon name="close" /></button>
      </header>
      <Note error={error} />
      {found ? (
        <>
          {tries.length ? <p class="row" role="group" aria-label="Which try">{tries.map(([id, status], n) => <button key={id} class="chip" aria-pressed={id === raw} onClick={() => go({ raw: id })}>{ordinals[n] ?? `${n + 1}th`} try, <span class={status && status < 400 ? "" : "bad"}>{status || "no answer"}</span></button>)}</p> : null}
          <p class="soft">{found.method} <T code text={(found.url ?? "").replace(/^https?:\/\//, "")} /> {found.status ? <b class={found.status >= 400 ? "bad" : ""}>{found.status}</b> : null} {found.version}{found.stream ? `, stream ${found.stream}` : ""}</p>
          <Times found={found} />
          <Again found={found} />
          <p class="row" role="group" aria-label="Which part">
            {(["request", "response"] as const).map((each) => <button key={each} class="chip" aria-pressed={part === each} onClick={() => go({ part: each })}>{each === "request" ? "Request" : "Response"}</button>)}
            <span class="soft num end">{size(found.request_bytes ?? 0)} sent, {size(found.response_bytes ?? 0)} received</span>
          </p>
          <Part key={`${raw} ${part}`} found={found} part={part} />
        </>
      ) : error ? null : <p class="soft">loading …</p>}
    </aside>
  );
}

// To scale, from the first byte of the request.
function Times({ found }: { found: RawCall }): JSX.Element {
  const sent = found.sent_ms ?? null;
  const first = found.first_ms ?? null;
  const end = found.end_ms ?? null;
  const whole = Math.max(1, end ?? 0, first ?? 0, sent ?? 0);
  const pieces: [string, number, number][] = [["t-sent", 0, sent ?? 0], ["t-wait", sent ?? 0, first ?? end ?? 0], ["t-words", first ?? whole, end ?? whole]];
  const said = (ms: number | null, words = false): JSX.Element => (ms !== null ? <b>{took(ms)}</b> : words && !found.events ? <span class="soft">not streamed</span> : <b class="gap">not seen</b>);
  return (
    <>
      <div class="times" aria-hidden="true">{pieces.map(([name, from, to]) => (to > from ? <i key={name} class={name} style={{ flex: `${to - from} 0 2px` }} /> : null))}</div>
      <dl class="when">
        <div><dt>connect</dt><dd>{found.kept_open ? <><b>0</b> <span class="soft">kept open</span></> : <b class="gap">not seen</b>}</dd></div><div><dt><i class="sw t-sent" /> sent</dt><dd>{said(sent)}</dd></div><div><dt><i class="sw t-wait" /> first word</dt><dd>{said(first, true)}</dd></div>
        <div><dt><i class="sw t-words" /> words</dt><dd>{said(first !== null && end !== null ? Math.max(0, end - first) : null, true)}</dd></div><div><dt>end</dt><dd>{said(end)}</dd></div>
      </dl>
    </>
  );
}

function Part({ found, part }: { found: RawCall; part: "request" | "response" }): JSX.Element {
  const heads = (part === "request" ? found.request_heads : found.response_heads) ?? [];
  const missing = part === "request" ? found.request_cut : found.response_cut;
  const [all, setAll] = useState(false);
  const [form, setForm] = useState<Form>("pretty");
  const forms = FORMS.filter((each) => each !== "events" || (part === "response" && found.events));
  const [text, setText] = useState<RawBody | null>(null);
  const [error, setError] = useState("");
  const ask = (offset: number): void => {
    askHere<RawBody>(`raw/${encodeURIComponent(found.id)}/${part}`, { form, offset }).then(
      (more) => setText((known) => ({ ...more, text: (offset ? (known?.text ?? "") : "") + more.text })),
      (why: unknown) => setError(why instanceof Error ? why.message : String(why)),
    );
  };
  useEffect(() => {
    setText(null);
    ask(0);
  }, [form]);
  return (
    <>
      <h3 class="h">Headers <span class="soft num">{heads.length}</span></h3>
      <dl class="heads">{(all ? heads : heads.slice(0, HEADS)).map(([name, value], at) => <div key={at}><dt><T code text={name} /></dt><dd><T code text={value} /></dd></div>)}</dl>
      {heads.length > HEADS && !all ? <button class="link" onClick={() => setAll(true)}>{count(heads.length - HEADS)} more</button> : heads.length ? null : <p class="soft">None was captured.</p>}
      <h3 class="h">Body <span class="soft num">{size((part === "request" ? found.request_bytes : found.response_bytes) ?? 0)}{part === "response" && found.events ? `, ${plural(found.events, "event")}` : ""}</span>
        <span class="row end">{forms.map((each) => <button key={each} class="chip" aria-pressed={form === each} onClick={() => setForm(each)}>{each}</button>)}</span>
      </h3>
      {missing ? <p class="note"><Mark cut /><span><b>{missing}</b></span></p> : null}
      {form === "events" ? <p class="soft small">When each event came is not recorded.{found.first_ms === null || found.first_ms === undefined ? "" : ` The first word came after ${took(found.first_ms)}, the end after ${took(found.end_ms ?? found.first_ms)}.`}</p> : null}
      <Note error={error} />
      {text?.text ? <div class="res-c"><pre class="res" tabIndex={0}><T text={text.text} /></pre><Copy text={text.text} what={text.text.length < text.total ? "this part of the body" : "the body"} /></div> : text ? <p class="soft">No body.</p> : null}
      {text && text.text.length < text.total ? <button class="link" onClick={() => ask(text.text.length)}>Show the next 64 kB of {size(text.total - text.text.length)}</button> : null}
    </>
  );
}

function Again({ found }: { found: RawCall }): JSX.Element {
  const whole = async (): Promise<string> => {
    let body = "";
    for (let total = 1; body.length < total; ) {
      const more = await askHere<RawBody>(`raw/${encodeURIComponent(found.id)}/request`, { form: "raw", offset: body.length });
      if (!more.text) break;
      body += more.text;
      total = more.total;
    }
    return body;
  };
  if (found.refused) return <p class="soft small">It cannot be sent again: <T text={found.refused} /></p>;
  return (
    <>
      <p class="copies"><span class="soft">to send it again:</span> <span>curl <Copy text={found.curl ?? ""} what="as curl" /></span> <span>Python <Copy text={found.python ?? ""} what="as Python" /></span> <span>body <Copy text={whole} what="the body of the request" /></span></p>
      <p class="soft small">The curl and Python copies read the body from a file: copy the body into the file that they name first.{found.variables?.length ? ` The key is not recorded. The copy has $${found.variables.join(", $")} in its place.` : ""}</p>
    </>
  );
}
