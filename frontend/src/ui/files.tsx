// Files: what changed first, as a tree of folders or by turn; a row opens what was written. What was only read is folded.

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { go, place } from "../address";
import { countOf } from "../only";
import type { FileChange, FileLine, FileStory } from "../shapes";
import { askHere, here, inFile, version } from "../state";
import { count, plural, within } from "../words";
import { Bytes, Copy, Go, Icon, Mark, Note, T, Turn, useAsked } from "./bits";
import { words } from "./overlays";
import { Unheld, useRows } from "./tables";

const SIGNS: Record<string, string> = { removed: "−", moved: "→" };
const KINDS: [string, string][] = [["refused", "refused"], ["temporary", "made and removed again"], ["read", "read"], ["failed", "not there"], ["device", "devices"]];

export function Files(): JSX.Element {
  const typed = place.value.q;
  const [everything, setEverything] = useState(place.value.session === "-");
  const [byTurn, setByTurn] = useState(false);
  const found = useRows<FileLine>("files", typed, everything, "changed");
  useEffect(() => {
    if (!found.loading && found.rows.length < found.total) found.more();
  });
  const kinds = found.pages?.kinds ?? {};
  const unheld = found.pages?.unheld ?? 0;
  const sums = [`${count((kinds["written"] ?? 0) + Math.max(0, unheld))} written`, kinds["moved"] ? `${count(kinds["moved"])} moved` : "", kinds["removed"] ? `${count(kinds["removed"])} removed` : ""];
  const turns = countOf("changed");
  const chosen = found.rows.find((row) => row.path === place.value.row);
  return (
    <div class={chosen ? "files with-panel" : "files"}>
      <div>
        {found.pages ? <h2 class="sum">{sums.filter(Boolean).join(", ")} {turns ? <small class="soft">in {plural(turns, "turn")}</small> : null}</h2> : null}
        <Note error={found.error} />
        {found.pages && unheld ? <Unheld pages={found.pages} /> : null}
        <div class="bar">
          <label class="field"><span class="sr">Filter</span><input type="search" placeholder="Filter files" value={typed} onInput={(event) => go({ q: event.currentTarget.value })} /></label>
          <span role="group" aria-label="Order of the files">
            <button class="chip" aria-pressed={!byTurn} onClick={() => setByTurn(false)}>by folder</button> <button class="chip" aria-pressed={byTurn} onClick={() => setByTurn(true)}>by turn</button>
          </span>
          {place.value.session === "-" || inFile.value ? null : <label class="check"><input type="checkbox" checked={everything} onChange={(event) => setEverything(event.currentTarget.checked)} />whole recording</label>}
          <span class="soft num" role="status">{found.loading && !found.rows.length ? "loading …" : typed ? `${count(found.total)} found` : ""}</span>
        </div>
        {found.rows.length ? <Changes rows={found.rows} folder={found.folder} byTurn={byTurn} /> : found.loading || found.error ? null : <p class="soft">{typed ? `No changed file contains "${typed}".` : "No file was written, or files were not recorded (--no-files)."}</p>}
        {KINDS.map(([kind, name]) => (kinds[kind] ? <Others key={kind} kind={kind} name={name} total={kinds[kind]!} everything={everything} opened={Boolean(typed)} /> : null))}
        {found.pages?.partial ? <p class="note"><Mark cut /><span>The newest reads are shown. All: <T code text={found.pages.command.replace(" --kind written", "")} /></span></p> : null}
      </div>
      {chosen ? <Panel key={chosen.path} row={chosen} folder={found.folder} /> : null}
    </div>
  );
}

interface Folder { name: string; folders: Map<string, Folder>; files: [string, FileLine][] }

function treeOf(rows: FileLine[], folder: string): Folder {
  const root: Folder = { name: "", folders: new Map(), files: [] };
  for (const row of rows) {
    const parts = within(row.path, folder).split("/");
    const name = parts.pop() ?? "";
    let at = root;
    for (const part of parts) {
      let next = at.folders.get(part);
      if (!next) at.folders.set(part, (next = { name: part, folders: new Map(), files: [] }));
      at = next;
    }
    at.files.push([name, row]);
  }
  return root;
}

// A folder that has one folder alone is named with it.
function joined(folder: Folder): Folder {
  const [only] = folder.folders.values();
  return only && folder.folders.size === 1 && !folder.files.length ? joined({ ...only, name: `${folder.name}/${only.name}` }) : folder;
}

const sizeOf = (folder: Folder): number => folder.files.length + [...folder.folders.values()].reduce((sum, each) => sum + sizeOf(each), 0);

function Changes({ rows, folder, byTurn }: { rows: FileLine[]; folder: string; byTurn: boolean }): JSX.Element {
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set());
  const toggle = (name: string): void => {
    const next = new Set(folded);
    if (!next.delete(name)) next.add(name);
    setFolded(next);
  };
  const lines: JSX.Element[] = [];
  const head = (key: string, name: string, depth: number, n: number): void => {
    lines.push(
      <tr key={`f ${key}`} class="fo"><td /><td colSpan={6}>
        <button aria-expanded={!folded.has(key)} style={{ paddingLeft: `${depth * 16}px` }} onClick={() => toggle(key)}><span class="tw" aria-hidden="true">{folded.has(key) ? "›" : "⌄"}</span><T code text={name} />{folded.has(key) ? <span class="soft num"> {plural(n, "file")}</span> : null}</button>
      </td></tr>,
    );
  };
  const put = (at: Folder, key: string, depth: number): void => {
    for (const each of [...at.folders.values()].sort((a, b) => a.name.localeCompare(b.name))) {
      const shown = joined(each);
      const own = `${key}/${shown.name}`;
      head(own, `${shown.name || ""}/`, depth, sizeOf(shown));
      if (!folded.has(own)) put(shown, own, depth + 1);
    }
    for (const [name, row] of [...at.files].sort(([a], [b]) => a.localeCompare(b))) lines.push(<File key={row.path} row={row} name={name} depth={depth} folder={folder} />);
  };
  if (byTurn) {
    const turns = new Map<number, FileLine[]>();
    for (const row of rows) turns.set(row.turn ?? 0, [...(turns.get(row.turn ?? 0) ?? []), row]);
    for (const [turn, some] of [...turns].sort(([a], [b]) => a - b)) {
      head(String(turn), turn ? `turn ${turn}` : "no turn", 0, some.length);
      if (!folded.has(String(turn))) for (const row of some) lines.push(<File key={row.path} row={row} name={within(row.path, folder)} depth={1} folder={folder} />);
    }
  } else put(treeOf(rows, folder), "", 0);
  return (
    <div class="scroll">
      <table class="changes">
        <thead><tr><th scope="col"><span class="sr">change</span></th><th scope="col">file</th><th class="n sz" scope="col">size</th><th class="n ln" scope="col">lines</th><th class="n" scope="col">turn</th><th class="who" scope="col">by</th><th scope="col"><span class="sr">complete</span></th></tr></thead>
        <tbody>{lines}</tbody>
      </table>
    </div>
  );
}

function File({ row, name, depth, folder }: { row: FileLine; name: string; depth: number; folder: string }): JSX.Element {
  const known = (row.plus ?? -1) >= 0;
  const sign = SIGNS[row.kind] ?? (row.made ? "+" : "~");
  const said = { "−": "removed", "→": "moved", "+": "made", "~": "changed" }[sign];
  const open = (): void => go({ row: place.value.row === row.path ? "" : row.path });
  return (
    <tr id={`row-${row.path}`} class={place.value.row === row.path ? "sel" : ""}>
      <td class="sg"><span title={said} aria-label={said} role="img">{sign}</span></td>
      <td style={{ paddingLeft: `${8 + depth * 16}px` }}>
        <button class="plain" aria-expanded={place.value.row === row.path} title={row.path} onClick={open}>{row.kind === "removed" ? <s><T code text={name} /></s> : <T code text={name} />}{row.target ? <> → <T code text={within(row.target, folder)} /></> : null}</button><Copy text={row.path} what="the path" />
      </td>
      <td class="n sz">{row.kind === "removed" ? <span class="soft">removed</span> : (row.size ?? -1) >= 0 ? <Bytes n={row.size} /> : <span class="soft" title="So many bytes were written to it. Its size behind the last write is not known."><Bytes n={row.written} /> written</span>}</td>
      <td class="n ln">{known ? <>+{count(row.plus!)} −{count(row.minus!)}</> : <span class="soft" title="what was there before is not recorded">?</span>}</td>
      <td class="n"><Turn n={row.turn} /></td>
      <td class="soft who"><T text={row.how ?? row.by ?? ""} />{row.prompt ? <Go to={{ turn: row.asked ?? 0, tab: "conversation" }} class="for" title="The prompt for which it was done"><T text={row.prompt} /></Go> : null}</td>
      <td class="sg"><Mark /></td>
    </tr>
  );
}

// Files that were not changed, of one kind.
function Others({ kind, name, total, everything, opened }: { kind: string; name: string; total: number; everything: boolean; opened: boolean }): JSX.Element {
  const [open, setOpen] = useState(kind === "refused");
  const shown = open || opened;
  return (
    <details class="others" open={shown} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary><span class={kind === "refused" ? "bad" : ""}>{plural(total, "file")} {name}</span></summary>
      {shown ? <Unchanged kind={kind} everything={everything} /> : null}
    </details>
  );
}

function Unchanged({ kind, everything }: { kind: string; everything: boolean }): JSX.Element {
  const found = useRows<FileLine>("files", place.value.q, everything, kind);
  return (
    <>
      <Note error={found.error} />
      <div class="scroll">
        <table class="wrap">
          <thead><tr><th scope="col">file</th><th scope="col">by</th><th scope="col">turn</th><th class="n" scope="col">read</th><th class="n" scope="col">times</th></tr></thead>
          <tbody>
            {found.rows.map((row) => (
              <tr key={row.path} id={`row-${row.path}`} class={place.value.row === row.path ? "sel" : ""}>
                <td><span class="path"><T code text={within(row.path, found.folder)} /><Copy text={row.path} what="the path" /></span>{row.error ? <span class={kind === "refused" ? "bad small" : "soft small"}> {row.error}{(row.errors ?? 0) > 1 ? `, ${row.errors} times` : ""}</span> : null}</td>
                <td class="soft"><T text={row.by ?? ""} /></td>
                <td><Turn n={row.turn} />{row.prompt ? <Go to={{ turn: row.asked ?? 0, tab: "conversation" }} class="for" title="The prompt for which it was done"><T text={row.prompt} /></Go> : null}</td>
                <td class="n"><Bytes n={row.read} /></td><td class="n">{count(row.count ?? 0)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {found.rows.length < found.total ? <button class="link" onClick={found.more}>{plural(found.total - found.rows.length, "more file")}</button> : null}
    </>
  );
}

// -- what was written -----------------------------------------------------------------------------------------------------

const VIEWS = ["Change", "Content", "Tool input"] as const;

function Panel({ row, folder }: { row: FileLine; folder: string }): JSX.Element {
  const { found, error } = useAsked((signal) => askHere<FileStory>(here("file"), { path: row.path }, signal), [row.path, version.value]);
  const [view, setView] = useState<(typeof VIEWS)[number]>("Change");
  const changes = found?.changes ?? [];
  const [at, setAt] = useState(-1);
  const one = changes.at(at);
  return (
    <aside class="panel" aria-label={`What was written to ${row.path}`}>
      <header><b><T code text={within(row.path, folder)} /></b><button class="icon" aria-label="Close" title="Close (esc)" onClick={() => go({ row: "" })}><Icon name="close" /></button></header>
      <p role="group" aria-label="What is shown">{VIEWS.map((each) => <button key={each} class="chip" aria-pressed={view === each} onClick={() => setView(each)}>{each}</button>)}</p>
      <Note error={error} />
      {found?.said ? <p class="note calm"><T text={found.said} /></p> : null}
      {view !== "Content" && changes.length > 1 ? (
        <label class="soft">of{" "}
          <select value={at < 0 ? changes.length - 1 : at} onChange={(event) => setAt(Number(event.currentTarget.value))}>{changes.map((each, n) => <option key={n} value={n}>turn {each.turn}, {each.tool}</option>)}</select>
        </label>
      ) : one && view !== "Content" ? <p class="soft"><Turn n={one.turn} />, {one.tool}</p> : null}
      {view === "Content" ? found ? found.content === null || found.content === undefined ? <p class="soft">Not all of its content was written by a tool, so it is not known.</p> : <pre class="res" tabIndex={0}><T text={found.content} /></pre> : null
        : view === "Change" ? one ? <Difference change={one} /> : found && !found.said ? <p class="soft">No tool says what it changed.</p> : null
          : one ? <Input row={one.row} /> : <p class="soft">No tool says what it changed.</p>}
      {one?.cut ? <p class="soft">The text is longer; its begin is shown.</p> : null}
    </aside>
  );
}

function Difference({ change }: { change: FileChange }): JSX.Element {
  const { before, after, marked } = change;
  if (marked) return <pre class="res diff" tabIndex={0}>{after.split("\n").map((line, n) => (line.startsWith("+") ? <ins key={n}><T text={`${line}\n`} /></ins> : line.startsWith("-") ? <del key={n}><T text={`${line}\n`} /></del> : <T key={n} text={`${line}\n`} />))}</pre>;
  if (before === null || before === undefined) return <pre class="res diff" tabIndex={0}><ins><T text={after} /></ins></pre>;
  return <pre class="res diff" tabIndex={0}>{words(before, after).map(([kind, text], n) => (kind === "=" ? <T key={n} text={text} /> : kind === "-" ? <del key={n}><T text={text} /></del> : <ins key={n}><T text={text} /></ins>))}</pre>;
}

function Input({ row }: { row: string }): JSX.Element {
  const { found, error } = useAsked((signal) => askHere<{ text: string }>(`tool/${encodeURIComponent(row)}`, { part: "input" }, signal), [row]);
  return <><Note error={error} />{found ? <pre class="res" tabIndex={0}><T text={found.text} /></pre> : null}</>;
}
