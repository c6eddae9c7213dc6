// Save: this view, this session or the whole recording as a file, each with what it is for and the command that makes it.

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { place } from "../address";
import type { Head, Tab } from "../shapes";
import { printAll } from "../print";
import { askHere, fileOf, here, inFile } from "../state";
import { size } from "../words";
import { Copy, Dialog, Icon, Note } from "./bits";

interface Form { id: string; name: string; what: string; ending: string; session?: boolean; tables?: readonly string[] }

const SESSION: readonly Form[] = [
  { id: "html", name: "Page, HTML", what: "one file to send around", ending: ".html", session: true },
  { id: "atif", name: "ATIF", what: "trajectory for evals and training", ending: ".atif.json", session: true },
  { id: "csv", name: "CSV", what: "tables for a spreadsheet", ending: ".csv", session: true, tables: ["calls", "tools", "tokens", "alerts", "context", "parts"] },
  { id: "parquet", name: "Parquet", what: "tables for pandas and DuckDB", ending: ".parquet", session: true, tables: ["calls", "tools", "sessions", "processes", "http", "files", "connections", "alerts"] },
];
const WHOLE: readonly Form[] = [
  { id: "har", name: "HAR", what: "HTTP for browser developer tools", ending: ".har" },
  { id: "otlp", name: "OTLP", what: "spans for your tracing backend", ending: ".otlp.jsonl" },
  { id: "perfetto", name: "Perfetto", what: "processes on a zoomable timeline", ending: ".pftrace" },
  { id: "jsonl", name: "JSONL", what: "every event, for replay", ending: ".jsonl" },
];

export function Save({ head, close }: { head: Head; close: () => void }): JSX.Element {
  const [chosen, choose] = useState("");
  const item = (form: Form): JSX.Element => <Item key={form.id} form={form} head={head} open={chosen === form.id} choose={() => choose(chosen === form.id ? "" : form.id)} />;
  return (
    <Dialog label="Save" class="save" onClose={close}>
      <header class="dh">
        <h2>Save</h2>
        <span class="end"><button class="icon" aria-label="Close" title="Close (esc)" onClick={close}><Icon name="close" /></button></span>
      </header>
      <div class="db">
        <button class="it" onClick={() => (close(), setTimeout(() => void printAll(), 50))}><b>Print</b><span>this view, on paper or PDF</span></button>
        <button class="it" onClick={() => void saveView().then(close)}><b>This view, JSON</b><span>what you see, as data</span></button>
        {inFile.value ? null : <><h3 class="h">This session</h3>{SESSION.map(item)}<h3 class="h">The whole recording</h3>{WHOLE.map(item)}</>}
        {inFile.value ? null : <p class="soft small">Secrets are labels already. Prompts, answers and commands are in every file but OTLP.</p>}
      </div>
    </Dialog>
  );
}

function Item({ form, head, open, choose }: { form: Form; head: Head; open: boolean; choose: () => void }): JSX.Element {
  const [table, setTable] = useState(form.tables?.[0] ?? "");
  const [said, setSaid] = useState("");
  const [error, setError] = useState("");
  const name = `${form.tables ? table : place.value.recording}${form.ending}`;
  const make = (): void => {
    setSaid("the file is being made …");
    setError("");
    fileOf({ format: form.id, ...(form.session ? { session: head.id } : {}), ...(form.tables ? { table } : {}) })
      .then((made) => (download(made, name), setSaid(`saved, ${size(made.size)}`)))
      .catch((why: unknown) => (setSaid(""), setError(String(why instanceof Error ? why.message : why))));
  };
  const command = form.session ? head.export ?? "" : (head.export ?? "").replace(/ --session .*$/, "");
  const words = [command, ...(form.id === "otlp" ? ["--format otlp"] : []), ...(form.tables ? [`--table ${table}`] : []), `-o ${name}`].join(" ");
  return (
    <>
      <button class="it" aria-expanded={open} onClick={choose}><b>{form.name}</b><span>{form.what}</span></button>
      {open ? (
        <div class="det">
          {form.tables ? <p><label>table <select value={table} onChange={(event) => setTable(event.currentTarget.value)}>{form.tables.map((each) => <option key={each}>{each}</option>)}</select></label></p> : null}
          <p class="cmd"><code>{words}</code> <Copy text={words} what="the command" /></p>
          <p><button class="btn go" onClick={make}>Save {name}</button> <span class="soft" role="status">{said}</span></p>
          <Note error={error} />
        </div>
      ) : null}
    </>
  );
}

// What this view shows, as a file.
async function saveView(): Promise<void> {
  const tab = place.value.tab;
  const asked: Record<Tab, string> = {
    conversation: here("turns"), alerts: here("alerts"), context: here("context"), timeline: here("timeline"), processes: here("processes"), files: here("files"), network: here("network"), mcp: here("mcp"), http: here("http"), log: here("events"), health: "health",
  };
  const found = await askHere<unknown>(asked[tab], { count: 500, ...(tab === "log" && place.value.q ? { rule: place.value.q } : {}) });
  const name = `${place.value.session}-${tab}.json`.replace(/[^\w.-]+/g, "_");
  download(new Blob([JSON.stringify(found, null, 1)], { type: "application/json" }), name);
}

function download(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
