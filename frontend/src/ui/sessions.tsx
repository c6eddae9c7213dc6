// All sessions: how many and what they cost, whose word they are, the year, filters, the table, and the read-out of a row.

import { signal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { choose, formatted, open, openPair, place } from "../address";
import { folded, list as control } from "../controls";
import type { ListRow, Rail, Sums } from "../shapes";
import { ask, rail, READ_ON_MS, version } from "../state";
import { amount, clock, cost, count, date, dollars, dayKey, dayName, money, percent, plural, took, zone } from "../words";
import { Flag, Icon, Mark, signWords, Signs, T } from "./bits";
import { FirstRun, ImportNote } from "./first";
import { Year } from "./year";

const PAGE_ROWS = 60;
const HELD = 300; // rows in the page at once
const AGAIN_MS = 5000;
const READING_PX = 240; // scrolled so far, one reads: new rows wait

const cursor = signal(""); // the row that keys are about
export const picked = signal<ListRow[]>([]); // two of them are compared

const key = (row: ListRow): string => `${row.recording}/${row.id}`;
const given = (): Record<string, string> => Object.fromEntries(new URLSearchParams(place.value.list));

interface Listing { rows: ListRow[]; next: string; total: number; days: NonNullable<Rail["days"]>; fresh: number; error: string; at: number; cut: boolean; more: () => void; show: () => void }

const NONE = { rows: [] as ListRow[], next: "", total: 0, days: {} as NonNullable<Rail["days"]>, fresh: 0, error: "", at: 0, cut: false };

// The rows of what is chosen, a page at a time. While one reads further down, new ones are counted and wait.
function useListing(list: string): Listing {
  const [state, setState] = useState(NONE);
  const shown = useRef({ list: "", busy: false, state: NONE });
  shown.current.state = state;
  const load = async (behind: string, keep: boolean): Promise<void> => {
    if (shown.current.busy && behind) return;
    shown.current.busy = true;
    try {
      const held = shown.current.state;
      const limit = keep ? Math.min(HELD, Math.max(PAGE_ROWS, held.rows.length)) : PAGE_ROWS;
      const found = await ask<Rail>("sessions", { ...Object.fromEntries(new URLSearchParams(list)), limit, zone: zone(), ...(behind ? { before: behind } : {}) });
      if (shown.current.list !== list) return;
      setState((was) => joined(was, found, behind, keep && scrollY > READING_PX));
      if (found.left) setTimeout(() => shown.current.list === list && scrollY <= READING_PX && void load("", true), READ_ON_MS);
    } catch (error) {
      if (shown.current.list === list) setState((was) => ({ ...was, error: error instanceof Error ? error.message : String(error) }));
    } finally {
      shown.current.busy = false;
    }
  };
  useEffect(() => {
    const isNew = shown.current.list !== list;
    shown.current.list = list;
    void load("", !isNew);
  }, [list, version.value]);
  useEffect(() => {
    if (!state.error) return undefined;
    const again = setTimeout(() => void load("", true), AGAIN_MS);
    return () => clearTimeout(again);
  }, [state.error, state.at]);
  return { ...state, more: () => state.next && void load(state.next, false), show: () => (scrollTo(0, 0), void load("", false)) };
}

function joined(was: typeof NONE, found: Rail, behind: string, reads: boolean): typeof NONE {
  const common = { total: found.total ?? 0, error: "", at: Date.now() };
  if (behind) {
    const rows = [...was.rows, ...found.sessions];
    return { ...common, rows: rows.slice(-HELD), next: found.next, days: { ...was.days, ...found.days }, fresh: was.fresh, cut: was.cut || rows.length > HELD };
  }
  if (!reads) return { ...common, rows: found.sessions, next: found.next, days: found.days ?? {}, fresh: 0, cut: false };
  const news = new Map(found.sessions.map((row) => [key(row), row]));
  const known = new Set(was.rows.map(key));
  return { ...was, ...common, rows: was.rows.map((row) => news.get(key(row)) ?? row), days: { ...was.days, ...found.days }, fresh: was.cut ? was.fresh : found.sessions.slice(0, was.rows.length).filter((row) => !known.has(key(row))).length };
}

function useSums(list: string, by: string): Sums | null {
  const [found, setFound] = useState<Sums | null>(null);
  useEffect(() => {
    let over = false;
    const load = async (): Promise<void> => {
      const sums = await ask<Sums>("sessions/sums", { ...Object.fromEntries(new URLSearchParams(list)), by, zone: zone() }).catch(() => null);
      if (over || !sums) return;
      setFound(sums);
      if (sums.left) setTimeout(() => void load(), READ_ON_MS);
    };
    void load();
    return () => {
      over = true;
    };
  }, [list, by, version.value]);
  return found;
}

export function AllSessions(): JSX.Element {
  const list = place.value.list;
  const [by, setBy] = useState<"cost" | "tokens">("cost");
  const sums = useSums(list, by);
  const found = useListing(list);
  const rows = useRef(found.rows);
  rows.current = found.rows;
  const here = (): number => rows.current.findIndex((row) => key(row) === cursor.value); // a key may come before the next drawing
  const at = here();
  useLayoutEffect(() => {
    control.current = {
      move: (step) => {
        const next = rows.current[here() < 0 ? 0 : Math.min(rows.current.length - 1, Math.max(0, here() + step))];
        if (!next) return;
        cursor.value = key(next);
        document.getElementById(`s-${key(next)}`)?.scrollIntoView({ block: "nearest" });
      },
      pick: () => rows.current[here()] && pick(rows.current[here()]!),
      compare,
      open: () => rows.current[here()] && open(rows.current[here()]!.recording, rows.current[here()]!.id),
      escape: () => {
        if (picked.value.length) picked.value = [];
        else if (list) choose(Object.fromEntries(Object.keys(given()).map((name) => [name, ""])));
        else return false;
        return true;
      },
    };
    return () => {
      control.current = null;
    };
  });
  if (!sums || (!found.at && !found.error)) return <Loading error={found.error} />;
  if (!sums.of && !sums.left) return <FirstRun />;
  return (
    <section class="list-all" aria-label="All sessions">
      <ImportNote />
      <h1 class="verdict"><Sentence sums={sums} /></h1>
      <Word sums={sums} />
      {sums.left ? <p class="soft small" role="status">What is shown below is so far: {sums.left > 1 ? `${count(sums.left)} more are` : "the rest is"} being read.</p> : null}
      <Year sums={sums} by={by} onBy={setBy} folded={folded.value} onFold={() => (folded.value = !folded.value)} />
      <Filters sums={sums} />
      {found.error ? <p class="note err" role="alert"><span>The sessions could not be fetched. {found.at ? `What you see is from ${clock(found.at)}. ` : ""}The next try is in {AGAIN_MS / 1000} s.</span></p> : null}
      <NotReadable />
      {found.fresh ? <p class="fresh"><button class="btn" onClick={found.show}>Show {plural(found.fresh, "new session")}</button></p> : null}
      {found.total ? <Table found={found} /> : <NoMatch sums={sums} />}
      <ReadOut row={found.rows[at] ?? null} />
    </section>
  );
}

function Loading({ error }: { error: string }): JSX.Element {
  const [late, setLate] = useState(false);
  useEffect(() => {
    const soon = setTimeout(() => setLate(true), 100);
    return () => clearTimeout(soon);
  }, []);
  if (error) return <p class="note err" role="alert"><span>The sessions could not be fetched. The next try is in {AGAIN_MS / 1000} s.</span></p>;
  return <p class="soft pad" role="status">{late ? "loading …" : ""}</p>;
}

// -- above the table -------------------------------------------------------------------------------------------------------

function least(sums: Sums): string {
  return sums.usd || !sums.unpriced ? dollars(sums.usd ?? 0) : "?";
}

const share = (part: number): string => (part < 1 && percent(part) === percent(1) ? "almost all" : percent(part));

function Sentence({ sums }: { sums: Sums }): JSX.Element {
  const of = given();
  const sessions = sums.sessions ?? 0;
  if (!sums.of) return <>No session is on this machine yet.</>;
  if (!sessions) return <>No session fits.</>;
  const who = of["agent"] ? ` of ${of["agent"]}` : "";
  const where = of["project"] ? ` in ${of["project"]}` : "";
  const first = sums.projects?.[0];
  const spent = !sums.usd && sums.unpriced ? "have no known cost" : `cost ${sums.unpriced ? "at least " : ""}${least(sums)}`;
  const days = ((sums.last_ms ?? 0) - (sums.first_ms ?? 0)) / 86_400_000;
  const when = place.value.list ? "" : days > 300 && days <= 366 ? " in a year" : ` since ${date(sums.first_ms ?? 0)}`;
  return (
    <>
      {plural(sessions, "session")}<T text={who + where} />{when} {spent}
      {sums.failed && place.value.list ? `, and ${count(sums.failed)} had a failed command` : first && sums.usd && !of["project"] && first[1] < sums.usd ? <>, {share(first[1] / sums.usd)} of it in <button class="in-text" onClick={() => choose({ project: first[0] }, true)}><T text={first[0]} /></button></> : null}.
    </>
  );
}

// Whose word the sessions are.
function Word({ sums }: { sums: Sums }): JSX.Element | null {
  const recorded = sums.recorded ?? 0;
  const files = (sums.sessions ?? 0) - recorded;
  const both = sums.both ?? 0;
  const rest = both - (sums.agree ?? 0);
  if (!sums.sessions) return null;
  return (
    <p class="whole">
      {files || both ? <svg class="sh" viewBox="0 0 12 14" aria-hidden="true"><path d="M2.500 1.500h4.500l2.500 2.500v8.500h-7ZM7 1.500v2.500h2.500" /></svg> : <Mark cut={Boolean(sums.gaps)} title="recorded" />}
      <span>
        {files && recorded ? <><b>{count(recorded)} {recorded === 1 ? "is" : "are"} recorded, {count(files)} {files === 1 ? "is" : "are"} from the agents' own files</b>, which say only what was noted.</> : files ? <><b>All are from the agents' own files</b>, which say only what was noted.</> : <b>All are recorded.</b>}
        {both ? ` Of ${count(both)} with both, ${count(sums.agree ?? 0)} ${sums.agree === 1 ? "agrees" : "agree"}. ` : " "}
        {rest ? <button class="in-text" onClick={() => choose({ source: "differs" }, true)}>The other {rest === 1 ? "one" : count(rest)}</button> : null}
      </span>
    </p>
  );
}

function NotReadable(): JSX.Element | null {
  const not = rail.value?.unreadable ?? [];
  const denied = not.filter((each) => /permission|denied/i.test(each.error)).length;
  if (!not.length) return null;
  return (
    <p class="note calm"><span>
      {denied ? <>{plural(denied, "recording")} {denied === 1 ? "belongs" : "belong"} to another user: <code>sudo agentsight-rx serve</code> shows {denied === 1 ? "it" : "them"}. </> : null}
      {not.length > denied ? <>{plural(not.length - denied, "recording")} cannot be read: <T text={not.find((each) => !/permission|denied/i.test(each.error))!.error} /></> : null}
    </span></p>
  );
}

const TIMES: [string, number][] = [["Today", 1], ["7 days", 7], ["30 days", 30], ["90 days", 90]];
const COSTS = ["0.5", "1", "5", "20"];

function Filters({ sums }: { sums: Sums }): JSX.Element {
  const of = given();
  const [isOpen, setOpen] = useState(false);
  const set = Object.keys(of).filter((name) => name !== "sort" && name !== "q").length;
  const toggle = (name: string, value: string): { "aria-pressed": boolean; onClick: () => void } => ({ "aria-pressed": of[name] === value, onClick: () => choose({ [name]: of[name] === value ? "" : value }, true) });
  const since = (days: number): string => dayKey(Date.now() - (days - 1) * 86_400_000);
  const time = of["from"] || of["to"] ? (of["to"] ? "days" : of["from"]!) : "";
  return (
    <div class="picks" data-open={isOpen ? "" : undefined}>
      <label class="field"><span class="sr">Title, folder or branch</span><Icon name="find" /><input id="find-session" type="search" placeholder="Title, folder, branch" value={of["q"] ?? ""} onInput={(event) => choose({ q: event.currentTarget.value })} /><kbd>/</kbd></label>
      <button class="pk filter" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>Filter{set ? ` ${set}` : ""}</button>
      <span class="group">
        {(["agent", "project", "model"] as const).map((name) => (
          <Pick key={name} name={name[0]!.toUpperCase() + name.slice(1)} value={of[name] ?? ""} options={(sums.choices?.[name] ?? []).map(([value, n]) => [value, `${value} ${count(n)}`])} onPick={(value) => choose({ [name]: value }, true)} />
        ))}
        <Pick
          name="All time" value={time} options={[...TIMES.map(([name, days]): [string, string] => [since(days), name]), ...(time && !TIMES.some(([, days]) => since(days) === time) ? [[time, of["from"] === of["to"] || !of["to"] ? (of["from"] ?? "") : `${of["from"] ?? ""} to ${of["to"]}`] as [string, string]] : [])]}
          onPick={(value) => value !== "days" && choose({ from: value, to: "" }, true)}
        />
        <Pick name="Any cost" value={of["cost"] ?? ""} options={COSTS.map((each) => [each, `over ${money(Number(each))}`])} onPick={(value) => choose({ cost: value }, true)} />
      </span>
      <span class="group"><button class="pk" {...toggle("failed", "1")}>Failed</button><button class="pk" {...toggle("alerts", "1")}>Alerts</button></span>
      <span class="group">
        <button class="pk" {...toggle("source", "recorded")}><i class="mk" aria-hidden="true" />recorded</button>
        <button class="pk" {...toggle("source", "file")}><svg class="sh" viewBox="0 0 12 14" aria-hidden="true"><path d="M2.500 1.500h4.500l2.500 2.500v8.500h-7ZM7 1.500v2.500h2.500" /></svg>from files</button>
        {sums.gaps || of["source"] === "gap" ? <button class="pk" {...toggle("source", "gap")}><i class="mk cut" aria-hidden="true" />gap{sums.gaps ? ` ${count(sums.gaps)}` : ""}</button> : null}
        {of["source"] === "differs" || of["source"] === "both" ? <button class="pk" {...toggle("source", of["source"])}>{of["source"] === "both" ? "recorded, with a file" : "file and recording differ"}</button> : null}
      </span>
    </div>
  );
}

function Pick(props: { name: string; value: string; options: [string, string][]; onPick: (value: string) => void }): JSX.Element {
  return (
    <label class={props.value ? "pk on" : "pk"}>
      <span class="sr">{props.name}</span>
      <select value={props.value} onChange={(event) => props.onPick(event.currentTarget.value)}>
        <option value="">{props.name}</option>
        {props.value && !props.options.some(([value]) => value === props.value) ? <option value={props.value}>{props.value}</option> : null}
        {props.options.map(([value, name]) => <option key={value} value={value}>{name}</option>)}
      </select>
    </label>
  );
}

const WITHOUT: Record<string, string> = { agent: "the agent", project: "the project", model: "the model", time: "the time", failed: "Failed", alerts: "Alerts", cost: "the cost", source: "the source", q: "the words" };

function NoMatch({ sums }: { sums: Sums }): JSX.Element | null {
  const without = Object.entries(sums.without ?? {});
  if (!sums.of) return null;
  const clear = (name: string): Record<string, string> => (name === "time" ? { from: "", to: "" } : { [name]: "" });
  return (
    <div class="nil">
      <h2>None of {plural(sums.of, "session")} has {without.length === 1 ? "it" : without.length === 2 ? "both" : `all ${count(without.length)}`}.</h2>
      <ul>
        {without.map(([name, n]) => <li key={name}><span>without {WITHOUT[name]}</span><button class="link" onClick={() => choose(clear(name), true)}>{plural(n, "session")}</button></li>)}
      </ul>
    </div>
  );
}

// -- table -----------------------------------------------------------------------------------------------------------------

const COLUMNS: [name: string, title: string, look: string][] = [
  ["time", "time", "w"], ["agent", "agent", "ag"], ["title", "title", "ttl"], ["project", "project, branch", "pb"], ["turns", "turns", "n tu"], ["tokens", "tokens", "n to"], ["cost", "cost", "n co"],
  ["took", "took", "n tk"], ["failed", "failed", "n fa"], ["files", "files", "n fi"], ["", "source", "n sg"],
];
const RISING = new Set(["agent", "title", "project"]); // begin with the smallest

function Table({ found }: { found: Listing }): JSX.Element {
  const order = given()["sort"] ?? "-time";
  const byTime = order.endsWith("time");
  const end = useRef<HTMLParagraphElement>(null);
  useEffect(() => {
    const seen = new IntersectionObserver(([entry]) => entry?.isIntersecting && found.more(), { rootMargin: "600px" });
    if (end.current) seen.observe(end.current);
    return () => seen.disconnect();
  });
  const sort = (name: string): void => {
    const falls = order === `-${name}`;
    const next = order === name || falls ? (falls ? name : `-${name}`) : RISING.has(name) ? name : `-${name}`;
    choose({ sort: next === "-time" ? "" : next }, true);
  };
  let day = "";
  return (
    <>
      {found.cut ? <p class="pages"><button class="link" onClick={found.show}>Back to the first sessions</button></p> : null}
      <table class="tb" role="table">
        <thead role="rowgroup"><tr role="row">
          {COLUMNS.map(([name, title, look]) => (
            <th key={title} scope="col" role="columnheader" class={look} aria-sort={name && order.endsWith(name) ? (order.startsWith("-") ? "descending" : "ascending") : undefined}>
              {name ? <button onClick={() => sort(name)}>{title}{order.replace("-", "") === name ? (order.startsWith("-") ? " ↓" : " ↑") : ""}</button> : title}
            </th>
          ))}
        </tr></thead>
        <tbody role="rowgroup">
          {found.rows.map((row) => {
            const name = row.live ? "Running" : dayKey(row.start_ms);
            const begins = byTime && name !== day;
            day = name;
            const sum = found.days[name];
            return (
              <>
                {begins ? <tr class="day" role="row" key={name}><td role="cell" colSpan={COLUMNS.length}><b>{row.live ? "Running" : dayName(row.start_ms)}</b>{sum ? <><span>{plural(sum[0], "session")}</span><span>{sum[2] && !sum[1] ? "?" : `${sum[2] ? "≥ " : ""}${dollars(sum[1])}`}</span>{sum[3] ? <span>{count(sum[3])} failed</span> : null}</> : null}</td></tr> : null}
                <Row key={key(row)} row={row} current={key(row) === cursor.value} onCurrent={() => (cursor.value = key(row))} withDay={!byTime} />
              </>
            );
          })}
        </tbody>
      </table>
      <p class="pages" ref={end} />
    </>
  );
}

function Row({ row, current, onCurrent, withDay }: { row: ListRow; current: boolean; onCurrent: () => void; withDay: boolean }): JSX.Element {
  const side = picked.value.findIndex((each) => key(each) === key(row));
  const model = (row.model ?? "").replace(/^claude-/, "");
  const failed = row.failed_tools ? <span class="bad">{count(row.failed_tools)}</span> : <span class="faint">·</span>;
  const length = row.live ? "" : took(row.end_ms - row.start_ms);
  return (
    <tr id={`s-${key(row)}`} role="row" class={`row${current ? " cur" : ""}`} onClick={onCurrent}>
      <td role="cell" class="w">
        <button class={side < 0 ? "pick" : "pick on"} aria-pressed={side >= 0} aria-label={side < 0 ? "Select to compare" : `Side ${"AB"[side]}`} title="Select to compare (x)" onClick={() => pick(row)}>{side < 0 ? "" : "AB"[side]}</button>
        {withDay ? <span class="dt">{dayKey(row.start_ms)}</span> : clock(row.start_ms).slice(0, 5)}
      </td>
      <td role="cell" class="ag">{row.agent} <span class="faint"><T text={model} /></span></td>
      <td role="cell" class="ttl">
        {row.live ? <i class="dot on" role="img" aria-label="running" /> : null}{row.waiting ? <Flag state={row.stopped ? "stopped" : "new"} /> : null}
        <Opens row={row}><bdi><T text={row.title || "no prompt was seen"} /></bdi></Opens>{(row.same ?? 0) > 1 ? <span class="again">{ordinal(row.nth ?? 0)} of {count(row.same ?? 0)}</span> : null}
      </td>
      <td role="cell" class="pb"><T text={row.project ?? ""} /> <span class="faint"><T text={row.branch ?? ""} /></span></td>
      <td role="cell" class="n tu">{row.turns ? count(row.turns) : "?"}</td>
      <td role="cell" class="n to">{row.tokens ? amount(row.tokens) : "?"}</td>
      <td role="cell" class="n co">{cost(row)}</td>
      <td role="cell" class="n tk">{length}</td>
      <td role="cell" class="n fa">{failed}</td>
      <td role="cell" class="n fi">{row.files ? count(row.files) : <span class="faint">·</span>}</td>
      <td role="cell" class="n sg"><Signs row={row} /></td>
      <td role="cell" class="second"><span><T text={[`${row.agent} ${model}`.trim(), `${row.project ?? ""} ${row.branch ?? ""}`.trim()].filter(Boolean).join(" · ")} /></span><span class="r">{row.failed_tools ? <span class="bad">{count(row.failed_tools)} failed</span> : null}<span>{length}</span></span></td>
    </tr>
  );
}

// To the session, in the browser's own ways too.
function Opens({ row, children }: { row: ListRow; children: ComponentChildren }): JSX.Element {
  const to = { ...place.value, view: "" as const, list: "", recording: row.recording, session: row.id };
  return (
    <a
      href={formatted(to)}
      onClick={(event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
        event.preventDefault();
        open(row.recording, row.id);
      }}
    >
      {children}
    </a>
  );
}

function ordinal(n: number): string {
  const tens = n % 100;
  const end = tens > 10 && tens < 14 ? "th" : (["th", "st", "nd", "rd"][n % 10] ?? "th");
  return `${n}${end}`;
}

// A third one takes the place of the second.
function pick(row: ListRow): void {
  const rest = picked.value.filter((each) => key(each) !== key(row));
  picked.value = rest.length < picked.value.length ? rest : [...rest.slice(0, 1), row];
}

export function compare(): boolean {
  const [a, b] = picked.value;
  if (!a || !b) return false;
  openPair(a.id, b.id);
  return true;
}

// The row in words, and what is selected.
function ReadOut({ row }: { row: ListRow | null }): JSX.Element {
  const chosen = picked.value;
  return (
    <div class="read-l" role="status">
      {chosen.length ? (
        <>
          <span class="sel-l">{chosen.map((each, at) => <span key={key(each)}><b class={at ? "ab b" : "ab"}>{"AB"[at]}</b><T text={each.title || each.agent} /></span>)}</span>
          {chosen.length === 2 ? <button class="btn go" onClick={compare}>Compare</button> : <span class="soft">select a second one to compare</span>}
          <button class="link" onClick={() => (picked.value = [])}>Clear</button>
        </>
      ) : row ? <><Signs row={row} /><span>{signWords(row)}</span><span class="faint"><T text={[row.agent, row.project, row.branch].filter(Boolean).join(", ")} /></span></> : <span class="faint">Select a row to see its source: recorded, the agent's own file, or both.</span>}
      <span class="keys-l"><kbd>j</kbd> <kbd>k</kbd> move <kbd>x</kbd> select <kbd>c</kbd> compare <kbd>↵</kbd> open</span>
    </div>
  );
}

