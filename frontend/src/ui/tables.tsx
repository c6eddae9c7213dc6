// Processes, files, network, MCP and HTTP: rows in pages, more as you scroll; one box filters them on the server.

import type { ComponentChildren, JSX } from "preact";
import { Fragment } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { go, place } from "../address";
import type { HostLine, HttpLine, McpLine, ProcessLine, Rows } from "../shapes";
import { askHere, head, inFile, version } from "../state";
import { clock, count, plural, took } from "../words";
import { Bytes, Copy, Go, Mark, Note, T, Turn } from "./bits";

const COUNT = 200;

export interface Loaded<R> { rows: R[]; total: number; folder: string; partial: boolean; error: string; more: () => void; loading: boolean; pages: Rows<R> | null }

const NAMED = new Set(["count", "failed", "sent", "received"]); // columns whose numbers have their name beside them where there is no head

export function useRows<R>(kind: string, words: string, everything: boolean, of = ""): Loaded<R> {
  const [pages, setPages] = useState<Rows<R> | null>(null);
  const [error, setError] = useState("");
  const [loading, setLoading] = useState(false);
  const wanted = useRef(0);
  const path = `session/${encodeURIComponent(everything ? "-" : place.value.session)}/${kind}`;
  const load = (start: number, length: number, known: R[]): void => {
    const number = ++wanted.current;
    setLoading(true);
    askHere<Rows<R>>(path, { since: start, count: length, ...(words ? { q: words } : {}), ...(of ? { of } : {}) }).then(
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
    rows, pages, total: pages?.total ?? 0, folder: pages?.folder ?? head.value?.cwd ?? "", partial: pages?.partial ?? false, error, loading,
    more: () => {
      if (!loading && rows.length < (pages?.total ?? 0)) load(rows.length, COUNT, rows);
    },
  };
}

// A column: its heading ("": whether the row is complete), its cell, the class of both, and of the cell alone.
interface Column<R> { title: string; cell: (row: R, folder: string) => ComponentChildren; kind?: string; look?: (row: R) => string }

// `name` is unique, and the place of a row in an address. Rows of one `group` stand below its title.
function Frame<R>(props: {
  kind: string; title: string; none: string; columns: Column<R>[]; name: (row: R) => string; group?: (row: R) => { title: string; look: string };
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
        <span class="soft num" role="status">{found.loading && !found.rows.length ? "loading …" : `${count(found.total)} ${words ? "found" : props.title}`}</span>
      </div>
      <Note error={found.error} />
      {found.rows.length ? (
        <div class="scroll">
          <table class="wrap">
            <thead><tr>{props.columns.map(({ title, kind }) => <th key={title} class={kind ?? ""} scope="col">{title || <span class="sr">complete</span>}</th>)}</tr></thead>
            <tbody>{found.rows.map((row, at, all) => {
              const name = props.name(row);
              const group = props.group?.(row);
              const before = all[at - 1];
              const begins = group && (before === undefined || props.group?.(before).title !== group.title);
              return (
                <Fragment key={name}>
                  {begins ? <tr class="grp"><td colSpan={props.columns.length}><b class={group.look}>{group.title}</b></td></tr> : null}
                  <tr id={`row-${name}`} class={place.value.row === name ? "sel" : ""}>
                    {props.columns.map(({ title, cell, kind, look }) => <td key={title} class={look?.(row) ?? kind ?? ""} {...(NAMED.has(title) ? { "data-s": title } : {})}>{cell(row, found.folder)}</td>)}
                  </tr>
                </Fragment>
              );
            })}</tbody>
          </table>
        </div>
      ) : found.loading || found.error ? null : <p class="soft">{words ? `Nothing contains "${words}".` : props.none}</p>}
      {found.partial ? (
        <p class="note"><Mark cut /><span><b>{props.kind === "files" ? "Of files that were read, only the newest are shown." : `Only the newest ${props.title} are shown.`}</b>
          {props.kind !== "files" && found.pages?.command ? <> <T code text={found.pages.command} /><Copy text={found.pages.command} what="the command" /></> : null}</span></p>
      ) : null}
      <p ref={end} class="more">{found.rows.length < found.total ? `${count(found.rows.length)} of ${count(found.total)}` : ""}</p>
    </>
  );
}

// Written files that are not held, and the command that shows them.
export function Unheld({ pages }: { pages: Rows<unknown> }): JSX.Element {
  const { unheld, kinds, command } = pages;
  const shown = kinds["written"] ?? 0;
  const held = unheld < 0 ? "Not all written files are shown." : `${count(unheld)} of ${plural(shown + unheld, "written file")} ${unheld === 1 ? "is" : "are"} not shown.`;
  return <p class="note"><Mark cut /><span><b>{held}</b> <T code text={command} /><Copy text={command} what="the command" /></span></p>;
}

export function Processes(): JSX.Element {
  return (
    <Frame<ProcessLine>
      kind="processes" title="processes" none="No process was seen: processes were not recorded (--no-process)." name={(row) => row.id}
      columns={[
        { title: "process", cell: (row) => (
          <span class="tree" style={{ paddingLeft: `${Math.min(row.depth, 12) * 16}px` }}>
            <span class="pid">{row.pid}</span><T code text={row.argv || "forked, ran no program"} />
          </span>
        ) },
        { title: "for", look: () => "nowrap", cell: (row) => row.starts && row.tool ? <><T text={row.tool} /> <Turn n={row.turn} /></> : row.agent ? <b><T text={row.agent} /></b> : null },
        { title: "began", kind: "n", cell: (row) => clock(row.start_ms) },
        { title: "lasted", kind: "n", cell: (row) => took(row.ms) },
        { title: "end", look: (row) => (row.bad ? "bad nowrap" : "soft nowrap"), cell: (row) => row.end },
      ]}
    />
  );
}

export function Network(): JSX.Element {
  const titles = { unread: "could not be read", host: "hosts", peer: "connections" };
  return (
    <Frame<HostLine>
      kind="network" title="hosts" none="No connection was made, or connections were not recorded (--no-net)." name={(row) => row.kind + row.name}
      group={(row) => ({ title: titles[row.kind], look: row.kind === "unread" ? "gap" : "" })}
      columns={[
        { title: "peer", cell: (row) => (
          <><T code text={row.name} />{row.names?.length ? <span class="soft"> <T text={row.names.join(", ")} /></span> : null}
            {row.kind === "unread" ? <p class="gap small"><T text={row.error ?? ""} />. <Go to={{ tab: "health" }}>Show where</Go></p> : <p class="soft small"><T text={(row.paths ?? []).join(", ")} /></p>}</>
        ) },
        { title: "by", look: () => "soft", cell: (row) => <T text={row.by ?? ""} /> },
        { title: "count", kind: "n", cell: (row) => <>{count(row.count ?? 0)}{row.calls ? <span class="soft"> ({plural(row.calls, "call")})</span> : null}</> },
        { title: "failed", kind: "n", look: (row) => (row.errors ? "n bad" : "n"), cell: (row) => (row.errors ? count(row.errors) : "") },
        { title: "sent", kind: "n", cell: (row) => <Bytes n={row.sent} /> },
        { title: "received", kind: "n", cell: (row) => <Bytes n={row.received} /> },
        { title: "", cell: (row) => <Mark cut={row.kind === "unread"} /> },
      ]}
    />
  );
}

export function Mcp(): JSX.Element {
  return (
    <Frame<McpLine>
      kind="mcp" title="requests" none="No MCP request was seen." name={(row) => row.id}
      columns={[
        { title: "request", cell: (row) => (
          <details class="fold-row"><summary><b><T text={row.tool || row.method} /></b> <T code text={row.params ?? ""} class="one" /></summary>
            <p class="faint small">input</p><pre class="res" tabIndex={0}><T text={row.params ?? ""} /></pre>
            <p class="faint small">result</p><pre class="res" tabIndex={0}><T text={row.result || "none was seen"} /></pre>
          </details>
        ) },
        { title: "server", look: () => "soft", cell: (row) => <><T text={row.server || "unknown server"} />{row.pid ? ` ${row.pid}` : ""}</> },
        { title: "turn", look: () => "nowrap", cell: (row) => (row.turn ? <Turn n={row.turn} /> : null) },
        { title: "began", kind: "n", cell: (row) => clock(row.start_ms) },
        { title: "took", kind: "n", cell: (row) => took(row.ms) },
        { title: "outcome", look: (row) => (row.outcome === "ok" ? "soft" : "bad"), cell: (row) => (row.outcome ?? "").replace("_", " ") },
      ]}
    />
  );
}

export function Http(): JSX.Element {
  const isCut = (row: HttpLine): boolean => row.state === "partial";
  return (
    <Frame<HttpLine>
      kind="http" title="exchanges" none="No HTTP exchange was seen." name={(row) => row.id}
      columns={[
        { title: "exchange", cell: (row) => (
          <><b class="num">{row.method}</b> <T code text={`${row.host}${row.path}`} />{row.why ? <span class={isCut(row) ? "gap small" : "soft small"}> {row.why}</span> : null}
            {row.call && inFile.value ? <> <button class="link small" onClick={() => go({ call: row.call! }, true)}>Whole</button></> : inFile.value ? null : <> <button class="link small" title="Request and response as they were sent (r)" onClick={() => go({ raw: row.call || row.id }, true)}>Raw</button></>}</>
        ) },
        { title: "by", look: () => "soft nowrap", cell: (row) => <T text={row.by ?? ""} /> },
        { title: "peer", look: () => "soft nowrap", cell: (row) => <T text={row.peer ?? ""} /> },
        { title: "turn", look: () => "nowrap", cell: (row) => (row.turn ? <Turn n={row.turn} /> : row.passed_on ? <span class="soft">passed on</span> : null) },
        { title: "began", kind: "n", cell: (row) => clock(row.start_ms) },
        { title: "took", kind: "n", cell: (row) => took(row.ms) },
        { title: "sent", kind: "n", cell: (row) => <Bytes n={row.sent} /> },
        { title: "received", kind: "n", cell: (row) => <Bytes n={row.received} /> },
        { title: "status", kind: "n", look: (row) => ((row.status ?? 0) >= 400 ? "n bad" : "n"), cell: (row) => row.status ?? (row.state === "pending" ? "…" : row.state) },
        { title: "", cell: (row) => <Mark cut={isCut(row)} /> },
      ]}
    />
  );
}
