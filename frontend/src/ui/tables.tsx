// Processes, files, network, MCP and HTTP: rows in pages, more as you scroll; one box filters them on the server.

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { go, place } from "../address";
import type { FileLine, HostLine, HttpLine, McpLine, ProcessLine, Rows } from "../shapes";
import { askHere, head, inFile, version } from "../state";
import { clock, count, took, within } from "../words";
import { Bytes, Copy, Go, Mark, Note, T, Turn } from "./bits";

const COUNT = 200;

interface Loaded<R> { rows: R[]; total: number; folder: string; partial: boolean; error: string; more: () => void; loading: boolean }

function useRows<R>(kind: string, words: string, everything: boolean): Loaded<R> {
  const [pages, setPages] = useState<Rows<R> | null>(null);
  const [error, setError] = useState("");
  const [loading, setLoading] = useState(false);
  const wanted = useRef(0);
  const path = `session/${encodeURIComponent(everything ? "-" : place.value.session)}/${kind}`;
  const load = (start: number, length: number, known: R[]): void => {
    const number = ++wanted.current;
    setLoading(true);
    askHere<Rows<R>>(path, { since: start, count: length, ...(words ? { q: words } : {}) }).then(
      (found) => {
        if (number !== wanted.current) return;
        setPages({ ...found, rows: [...known, ...found.rows] });
        setError("");
        setLoading(false);
      },
      (why: unknown) => {
        if (number !== wanted.current) return;
        setError(why instanceof Error ? why.message : String(why));
        setLoading(false);
      },
    );
  };
  useEffect(() => {
    const wait = setTimeout(() => load(0, Math.min(500, Math.max(COUNT, pages?.rows.length ?? 0)), []), words && pages ? 120 : 0);
    return () => clearTimeout(wait);
  }, [path, words, version.value]);
  const rows = pages?.rows ?? [];
  return {
    rows, total: pages?.total ?? 0, folder: pages?.folder ?? head.value?.cwd ?? "", partial: pages?.partial ?? false, error, loading,
    more: () => {
      if (!loading && rows.length < (pages?.total ?? 0)) load(rows.length, COUNT, rows);
    },
  };
}

function Frame<R>(props: {
  kind: string; title: string; none: string; columns: [string, string][]; row: (row: R, folder: string, at: number, all: R[]) => JSX.Element | null; first?: ComponentChildren;
}): JSX.Element {
  const words = place.value.q;
  const [everything, setEverything] = useState(place.value.session === "-");
  const found = useRows<R>(props.kind, words, everything);
  const end = useRef<HTMLParagraphElement>(null);
  useEffect(() => {
    const seen = new IntersectionObserver(([entry]) => entry?.isIntersecting && found.more(), { rootMargin: "800px" });
    if (end.current) seen.observe(end.current);
    return () => seen.disconnect();
  });
  return (
    <>
      <div class="bar">
        <label class="field"><span class="sr">Filter</span>
          <input type="search" placeholder={`Filter ${props.title}`} value={words} onInput={(event) => go({ q: event.currentTarget.value })} />
        </label>
        {place.value.session === "-" || inFile.value ? null : (
          <label class="check"><input type="checkbox" checked={everything} onChange={(event) => setEverything(event.currentTarget.checked)} />whole recording</label>
        )}
        <span class="soft num" role="status">{found.loading && !found.rows.length ? "loading …" : `${count(found.total)}${words ? " found" : ""}`}</span>
      </div>
      <Note error={found.error} />
      {props.first}
      {found.rows.length ? (
        <div class="scroll">
          <table class="wrap">
            <thead><tr>{props.columns.map(([name, kind]) => <th key={name} class={kind} scope="col">{name || <span class="sr">complete</span>}</th>)}</tr></thead>
            <tbody>{found.rows.map((row, at, all) => props.row(row, found.folder, at, all))}</tbody>
          </table>
        </div>
      ) : found.loading || found.error ? null : <p class="soft">{words ? `Nothing contains "${words}".` : props.none}</p>}
      {found.partial ? <p class="note"><Mark cut /><span>Only the newest ones were looked at: this recording has more. A report has all.</span></p> : null}
      <p ref={end} class="more">{found.rows.length < found.total ? `${count(found.rows.length)} of ${count(found.total)}` : ""}</p>
    </>
  );
}

export function Processes(): JSX.Element {
  return (
    <Frame<ProcessLine>
      kind="processes" title="processes" none="No process was seen: the recording was made without --process."
      columns={[["process", ""], ["for", ""], ["began", "n"], ["lasted", "n"], ["end", ""]]}
      row={(row) => (
        <tr key={row.id} id={`row-${row.id}`} class={place.value.row === row.id ? "sel" : ""}>
          <td>
            <span class="tree" style={{ paddingLeft: `${Math.min(row.depth, 12) * 16}px` }}>
              <span class="pid">{row.pid}</span><T code text={row.argv || "forked, ran no program"} />
            </span>
          </td>
          <td class="nowrap">{row.starts && row.tool ? <><T text={row.tool} /> <Turn n={row.turn} /></> : row.agent ? <b><T text={row.agent} /></b> : null}</td>
          <td class="n">{clock(row.start_ms)}</td>
          <td class="n">{took(row.ms)}</td>
          <td class={row.bad ? "bad nowrap" : "soft nowrap"}>{row.end}</td>
        </tr>
      )}
    />
  );
}

const KINDS: Record<string, string> = {
  written: "written", removed: "removed", moved: "moved", refused: "refused", temporary: "made and removed again", read: "read",
  failed: "not there", device: "devices",
};

export function Files(): JSX.Element {
  return (
    <Frame<FileLine>
      kind="files" title="files" none="No file was touched, or the recording was made without --files."
      columns={[["file", ""], ["by", ""], ["turn", ""], ["written", "n"], ["read", "n"], ["last", "n"]]}
      row={(row, folder, at, all) => (
        <>
          {at === 0 || all[at - 1]?.kind !== row.kind ? <tr class="grp" key={`g-${row.kind}`}><td colSpan={6}><b class={row.kind === "refused" ? "bad" : ""}>{KINDS[row.kind] ?? row.kind}</b></td></tr> : null}
          <tr key={row.path} class={place.value.row === row.path ? "sel" : ""}>
            <td><span class="path"><T code text={within(row.path, folder)} />{row.target ? <> → <T code text={within(row.target, folder)} /></> : null}<Copy text={row.path} what="the path" /></span>{row.error ? <span class={row.kind === "refused" ? "bad small" : "soft small"}> {row.error}{(row.errors ?? 0) > 1 ? `, ${row.errors} times` : ""}</span> : null}</td>
            <td class="soft"><T text={row.by ?? ""} /></td>
            <td>{row.turn ? <Turn n={row.turn} /> : null}{row.prompt ? <Go to={{ turn: row.asked ?? 0, tab: "conversation" }} class="for" title="The prompt for which it was done"><T text={row.prompt} /></Go> : null}</td>
            <td class="n"><Bytes n={row.written} /></td>
            <td class="n"><Bytes n={row.read} /></td>
            <td class="n">{clock(row.last_ms ?? 0)}</td>
          </tr>
        </>
      )}
    />
  );
}

export function Network(): JSX.Element {
  const titles = { unread: "could not be read", host: "hosts", peer: "connections" };
  return (
    <Frame<HostLine>
      kind="network" title="hosts" none="No connection was made, or the recording was made without --net."
      columns={[["peer", ""], ["by", ""], ["count", "n"], ["failed", "n"], ["sent", "n"], ["received", "n"], ["", ""]]}
      row={(row, _, at, all) => (
        <>
          {at === 0 || all[at - 1]?.kind !== row.kind ? <tr class="grp" key={`g-${row.kind}`}><td colSpan={7}><b class={row.kind === "unread" ? "gap" : ""}>{titles[row.kind]}</b></td></tr> : null}
          <tr key={row.kind + row.name}>
            <td><T code text={row.name} />{row.names?.length ? <span class="soft"> <T text={row.names.join(", ")} /></span> : null}
              {row.kind === "unread" ? <p class="gap small"><T text={row.error ?? ""} />. <Go to={{ tab: "health" }}>Show where</Go></p> : <p class="soft small"><T text={(row.paths ?? []).join(", ")} /></p>}
            </td>
            <td class="soft"><T text={row.by ?? ""} /></td>
            <td class="n">{count(row.count ?? 0)}{row.calls ? <span class="soft"> ({row.calls} calls)</span> : null}</td>
            <td class={row.errors ? "n bad" : "n"}>{row.errors ? `${count(row.errors)}` : ""}</td>
            <td class="n"><Bytes n={row.sent} /></td>
            <td class="n"><Bytes n={row.received} /></td>
            <td><Mark cut={row.kind === "unread"} /></td>
          </tr>
        </>
      )}
    />
  );
}

export function Mcp(): JSX.Element {
  return (
    <Frame<McpLine>
      kind="mcp" title="requests" none="No MCP request was seen."
      columns={[["request", ""], ["server", ""], ["turn", ""], ["began", "n"], ["took", "n"], ["outcome", ""]]}
      row={(row) => (
        <tr key={row.id}>
          <td>
            <details class="fold-row"><summary><b><T text={row.tool || row.method} /></b> <T code text={row.params ?? ""} class="one" /></summary>
              <p class="faint small">input</p><pre class="res" tabIndex={0}><T text={row.params ?? ""} /></pre>
              <p class="faint small">result</p><pre class="res" tabIndex={0}><T text={row.result || "none was seen"} /></pre>
            </details>
          </td>
          <td class="soft"><T text={row.server || "unknown server"} />{row.pid ? ` ${row.pid}` : ""}</td>
          <td class="nowrap">{row.turn ? <Turn n={row.turn} /> : null}</td>
          <td class="n">{clock(row.start_ms)}</td>
          <td class="n">{took(row.ms)}</td>
          <td class={row.outcome === "ok" ? "soft" : "bad"}>{(row.outcome ?? "").replace("_", " ")}</td>
        </tr>
      )}
    />
  );
}

export function Http(): JSX.Element {
  return (
    <Frame<HttpLine>
      kind="http" title="exchanges" none="No HTTP exchange was seen."
      columns={[["exchange", ""], ["by", ""], ["peer", ""], ["turn", ""], ["began", "n"], ["took", "n"], ["sent", "n"], ["received", "n"], ["status", "n"], ["", ""]]}
      row={(row) => {
        const cut = row.state === "partial";
        return (
          <tr key={row.id} class={place.value.row === row.id ? "sel" : ""}>
            <td><b class="num">{row.method}</b> <T code text={`${row.host}${row.path}`} />{row.why ? <span class={cut ? "gap small" : "soft small"}> {row.why}</span> : null}
              {row.call ? <> <button class="link small" onClick={() => go({ call: row.call! }, true)}>Whole</button></> : null}</td>
            <td class="soft nowrap"><T text={row.by ?? ""} /></td>
            <td class="soft nowrap"><T text={row.peer ?? ""} /></td>
            <td class="nowrap">{row.turn ? <Turn n={row.turn} /> : row.passed_on ? <span class="soft">passed on</span> : null}</td>
            <td class="n">{clock(row.start_ms)}</td>
            <td class="n">{took(row.ms)}</td>
            <td class="n"><Bytes n={row.sent} /></td>
            <td class="n"><Bytes n={row.received} /></td>
            <td class={(row.status ?? 0) >= 400 ? "n bad" : "n"}>{row.status ?? (row.state === "pending" ? "…" : row.state)}</td>
            <td><Mark cut={cut} /></td>
          </tr>
        );
      }}
    />
  );
}

