// The first run: which session files agents left here, the button that reads them, how far that is, and how to record from now on.

import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { openView } from "../address";
import type { FilesOf, Import } from "../shapes";
import { ask, loadRail, post, rail, version } from "../state";
import { count, date, plural, size, took } from "../words";
import { Copy, Note, Sheet, T } from "./bits";

const LOOK_MS = 500;

const known = signal<Import | null | false>(null); // false: this server imports nothing
const wrong = signal("");
let looking = false;

async function look(): Promise<void> {
  if (looking || known.value === false) return;
  looking = true;
  try {
    while (true) {
      const found = await ask<Import>("past");
      const was = known.value;
      known.value = found;
      if (was && was.state === "running") {
        version.value += 1; // the list has more
        if (found.state !== "running" || !rail.value?.sessions.length) void loadRail();
      }
      if (found.state !== "running") break;
      await new Promise((done) => setTimeout(done, LOOK_MS));
    }
  } catch {
    known.value = known.value || false;
  } finally {
    looking = false;
  }
}

async function act(what: "start" | "stop"): Promise<void> {
  wrong.value = "";
  try {
    known.value = await post<Import>("past", { do: what });
    if (what === "start") openView("sessions"); // it fills while one reads
    void look();
  } catch (error) {
    wrong.value = error instanceof Error ? error.message : String(error);
  }
}

function useImport(): Import | null | false {
  useEffect(() => void look(), []);
  return known.value;
}

function named(there: FilesOf[]): string {
  const names = there.map((each) => each.agent);
  const more = names.length > 4 ? [...names.slice(0, 3), `${count(names.length - 3)} other agents`] : names;
  return more.length < 2 ? (more[0] ?? "") : `${more.slice(0, -1).join(", ")} and ${more.at(-1) ?? ""}`;
}

const files = (there: FilesOf[]): number => there.reduce((sum, each) => sum + each.files, 0);

export function FirstRun(): JSX.Element {
  const found = useImport();
  if (found === null) return <p class="soft pad" role="status">loading …</p>;
  const there = found ? (found.there ?? []) : [];
  return (
    <section class="first" aria-label="First run">
      {found && found.state === "running" ? <Reading found={found} /> : there.length && found ? (
        <>
          <h1 class="verdict">{plural(files(there), "session file")} of {named(there)} {files(there) === 1 ? "is" : "are"} on this machine.</h1>
          <p class="lead">These agents keep a file of each session. Reading them needs no root, and the newest come first. They are read where they lie: no file is changed, and nothing leaves this machine.</p>
          <Ended found={found} />
          <p class="act"><button class="btn go" onClick={() => void act("start")}>Read them</button><span>or in a terminal: <code>agentsight-rx import</code></span></p>
          <There there={there} absent={found.absent ?? []} />
        </>
      ) : (
        <>
          <h1 class="verdict">No session is on this machine yet.</h1>
          <p class="lead">Neither a recording is here, nor a session file of an agent{found ? " that is known" : ""}.</p>
        </>
      )}
      <Note error={wrong.value} />
      <Record />
    </section>
  );
}

// Above the list of all sessions: an import that runs or ended with a fault, or files that nobody has read yet.
export function ImportNote(): JSX.Element | null {
  const found = useImport();
  if (!found) return null;
  const there = found.there ?? [];
  if (found.state === "running") return <Reading found={found} small />;
  if (found.state !== "none") return <Ended found={found} />;
  if (found.kept || !there.length) return null;
  return (
    <p class="note calm">
      <span><Sheet /> {plural(files(there), "session file")} of {named(there)} {files(there) === 1 ? "is" : "are"} not in this list yet. No file is changed, and nothing leaves this machine.</span>
      <button class="btn" onClick={() => void act("start")}>Read them</button>
    </p>
  );
}

function Reading({ found, small }: { found: Import; small?: boolean }): JSX.Element {
  const so = found.so_far ?? {};
  const part = so.size ? Math.min(1, (so.read ?? 0) / so.size) : 0;
  const left = part > 0.02 ? ((found.ms ?? 0) * (1 - part)) / part : 0;
  const said = so.files ? `${count(so.read_files ?? 0)} of ${count(so.files)}` : "looking for them";
  return (
    <div class="prog" role="group" aria-label="Import">
      {small ? null : <h1 class="verdict">Reading the agents' session files.</h1>}
      <p class="ln"><span><b>{small ? "Reading the agents' session files: " : ""}{said}</b>. The newest come first{left > 1500 ? `; about ${took(Math.round(left / 1000) * 1000)} left` : ""}. What is shown{small ? " below" : ""} is so far.</span><button class="btn" onClick={() => void act("stop")}>Stop</button></p>
      <progress aria-label="read" max={1} value={part} />
      <Unread found={found} />
    </div>
  );
}

function Ended({ found }: { found: Import }): JSX.Element | null {
  const so = found.so_far ?? {};
  if (found.state === "failed") return <p class="note err" role="alert"><T text={`The session files could not be read: ${so.error ?? ""}`} /></p>;
  if (found.state === "stopped") return <p class="note calm" role="status"><span>Stopped. {count(so.read_files ?? 0)} of {plural(so.files ?? 0, "file")} were read, and stay. Reading goes on from here.</span><button class="btn" onClick={() => void act("start")}>Go on</button></p>;
  return <Unread found={found} />;
}

function Unread({ found }: { found: Import }): JSX.Element | null {
  const so = found.so_far ?? {};
  if (!so.unreadable && !so.skipped) return null;
  return <p class="soft small">{so.unreadable ? <>{plural(so.unreadable, "line")} could not be read. The command <code>agentsight-rx report health</code> with <code>--db past.lmdb</code> names file, line and reason. </> : null}{so.skipped ? `${plural(so.skipped, "file")} could not be opened, or ${so.skipped === 1 ? "belongs" : "belong"} to another user.` : null}</p>;
}

function There({ there, absent }: { there: FilesOf[]; absent: string[] }): JSX.Element {
  return (
    <>
      <div class="hh"><h2 class="h">What is there</h2><span class="soft">looked at names and sizes only, nothing is read yet</span></div>
      <div class="scroll"><table class="wrap">
        <thead><tr><th scope="col">agent</th><th scope="col">where</th><th scope="col" class="n">files</th><th scope="col" class="n">from, to</th><th scope="col" class="n">size</th></tr></thead>
        <tbody>
          {there.map((each) => (
            <tr key={each.agent + each.folder}>
              <td><b>{each.agent}</b></td>
              <td><T code text={each.folder} />{each.keeps ? <small class="keeps"><T text={`${each.keeps.replaceAll("`", "")}; what was read stays`} /></small> : null}</td>
              <td class="n" data-s="files">{count(each.files)}</td><td class="n">{date(each.first_ms) === date(each.last_ms) ? "" : `${date(each.first_ms)} to `}{date(each.last_ms)}</td><td class="n">{size(each.size)}</td>
            </tr>
          ))}
          {there.length > 1 ? <tr><td><b>Together</b></td><td /><td class="n" data-s="files"><b>{count(files(there))}</b></td><td /><td class="n"><b>{size(there.reduce((sum, each) => sum + each.size, 0))}</b></td></tr> : null}
        </tbody>
      </table></div>
      {absent.length ? <p class="soft small gap-s">Not found: {absent.join(", ")}. Files in another folder: <code>agentsight-rx import FOLDER</code>.</p> : null}
    </>
  );
}

const SERVICE = "sudo agentsight-rx service install";
const SEES: [string, string, string][] = [
  ["Prompts, answers, tool calls", "as the agent wrote them", "as they were sent and received"],
  ["Tokens and cost", "as the agent noted them", "as the provider answered"],
  ["Commands, exit codes", "commands it noted", "every process and its children"],
  ["Files", "edits that it noted", "each one opened, written, refused"],
  ["Hosts and bytes", "not in the file", "each connection"],
  ["Whether something is missing", "cannot be known", "counted at each stage"],
  ["Sessions before today", "yes", "no"],
];

function Record(): JSX.Element {
  return (
    <>
      <div class="hh"><h2 class="h">From now on: record what really happens</h2></div>
      <p class="lead">A session file is what the agent says it did. What it did is seen in the kernel, and Linux lets only root look there. One command, once; it starts again with the machine.</p>
      <p class="cmd-l"><code>{SERVICE}</code><Copy text={SERVICE} what="the command" /></p>
      <p class="soft small">For one session, without a service: <code>sudo agentsight-rx record -- claude</code>. Does it work here? <code>agentsight-rx doctor</code></p>
      <div class="hh"><h2 class="h">What each of them can say</h2></div>
      <table class="sees">
        <thead><tr><th scope="col"><span class="sr">about</span></th><th scope="col"><Sheet /> from its own file, without root</th><th scope="col"><i class="mk" aria-hidden="true" /> recorded, with root</th></tr></thead>
        <tbody>{SEES.map(([what, file, recorded]) => <tr key={what}><th scope="row">{what}</th><td>{file}</td><td>{recorded}</td></tr>)}</tbody>
      </table>
      <p class="soft small gap-s">Where both exist they are one session: "recorded, and its file agrees (41 of 42 calls)".</p>
    </>
  );
}
