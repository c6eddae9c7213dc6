// What fills the context of a request, what it costs, and why: the sentence, the chart, the request as it was sent, the tables.

import type { JSX } from "preact";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { columnsOf, heightOf, KEYS, lifeOf, nameOf, ORIGINS, placed, ROW, TONES } from "../context";
import { go, place } from "../address";
import { request } from "../controls";
import type { Clause, ContextFinding, ContextNote, ContextOverTime, ContextRow, ContextServer, ContextSum, ContextThread, ContextTurn } from "../shapes";
import { askHere, head, here, running, select, small, version } from "../state";
import { amount, clock, count, money, percent, plural } from "../words";
import { Go, Mark, Note, T, Ticked, Turn, useAsked, useSide } from "./bits";
import { Area } from "./context_area";

const LIFE = 88; // px
const THREADS = 6; // that have a chip
const TURNS = 6; // to which a finding links

export function Context(): JSX.Element {
  const { of, turn, row, origin, recording, session } = place.value;
  const over = useAsked((signal) => askHere<ContextOverTime>(here("context"), of ? { of } : {}, signal), [recording, session, of, version.value]);
  const found = over.found;
  const shown = !found ? 0 : turn || (running.value ? (found.n.at(-1) ?? 0) : found.fullest || (found.n.at(-1) ?? 0));
  const opened = small.value;
  const asked = { ...(of ? { of } : {}), ...(row ? { row } : {}), ...(origin ? { origin } : {}), ...(opened ? { opened: 1 } : {}) };
  const one = useAsked<ContextTurn | null>(
    (signal) => (shown ? askHere<ContextTurn>(here(`context/${shown}`), asked, signal) : Promise.resolve(null)),
    [recording, session, of, shown, row, origin, opened, version.value],
  );
  if (!found) return over.error ? <Note error={over.error} /> : <p class="soft">loading …</p>;
  if (!found.n.length) return <Empty />;
  if (!one.found) return one.error ? <Note error={one.error} /> : <p class="soft">loading …</p>;
  return <Request over={found} turn={one.found} chosen={!turn && !running.value} />;
}

function Empty(): JSX.Element {
  const counts = head.value?.counts ?? {};
  return (
    <div class="center">
      <h2>This recording has no call of a model</h2>
      <p>{plural(counts["processes"] ?? 0, "process", "processes")} ran and {plural(counts["network"] ?? 0, "host or address", "hosts and addresses")} were asked; none of them is a known model. So there is no context to show.</p>
      <p>If one should be here: <Go to={{ tab: "health" }}>Health</Go> says which programs were read, and <Go to={{ tab: "http" }}>HTTP</Go> lists all requests.</p>
    </div>
  );
}

function Request({ over, turn, chosen }: { over: ContextOverTime; turn: ContextTurn; chosen: boolean }): JSX.Element {
  const columns = useMemo(() => columnsOf(over), [over]);
  const few = over.n.length < 2;
  const beside = place.value.of ? [] : (head.value?.strip?.n ?? []).filter((each) => !over.n.includes(each));
  useLayoutEffect(() => { // with the drawing: a key pressed behind it acts on the turn that is read
    const move = (by: number): void => {
      const next = over.n.includes(turn.turn) && over.n[over.n.indexOf(turn.turn) + by];
      if (next) select(next);
    };
    request.current = { call: turn.call, move };
    return () => void (request.current = null);
  }, [over, turn]);
  return (
    <div class="ctx">
      <h2 class="say"><Said clauses={turn.sentence} />{running.value && turn.turn === over.n.at(-1) ? <span class="faint"> so far</span> : null}</h2>
      <Counted over={over} turn={turn} />
      <Whose over={over} />
      <div class="cols">
        <div>
          {few ? null : (
            <>
              <div class="hh">
                <h3 class="h">Context over {plural(over.n.length, "turn")}</h3>
                <span class="soft">by origin</span>
              </div>
              <Area columns={columns} over={over} turn={turn} />
              <p class="cap">
                <span><i class="sw g0" />sent with every request</span><span><i class="sw g1" />brought in by tools</span><span><i class="sw g2" />said</span>
                {(over.prompts ?? []).length ? <span><i class="tick-p" />your prompts</span> : null}
                {beside.length ? <span>{plural(beside.length, "more turn")}, beside the conversation: {beside.length > 1 ? "each has" : "it has"} a context of its own</span> : null}
              </p>
            </>
          )}
          <div class="hh under">
            <h3 class="h">Turn {turn.turn}{chosen && turn.turn === over.fullest && !few ? ", the fullest" : ""}</h3>
            <span class="soft num">{clock(turn.at_ms)}, in the order of the request{turn.usd === null || turn.usd === undefined ? "" : `, input ${money(turn.usd)}`}</span>
            <Go to={{ call: turn.call }} class="link end">Whole request</Go>
          </div>
          {(turn.notes ?? []).map((note) => <Why key={note.kind} note={note} turn={turn} />)}
          {turn.chosen ? <Chosen row={turn.chosen} /> : null}
          <Anatomy over={over} turn={turn} />
        </div>
        <Looks found={over.findings ?? []} counted={over.counted ?? true} />
      </div>
      <Carried over={over} turn={turn} />
      {(turn.servers ?? []).length ? <Servers servers={turn.servers ?? []} counted={turn.counted ?? true} priced={Boolean(turn.prices) && (turn.counted ?? true)} /> : null}
    </div>
  );
}

export function Said({ clauses }: { clauses: Clause[] }): JSX.Element {
  return <>{clauses.map((each, at) => (each.tab ? <Go key={at} to={{ tab: each.tab, ...(each.turn ? { turn: each.turn } : {}) }}><T text={each.text} /></Go> : each.turn ? <button key={at} class="ref" onClick={() => select(each.turn!)}><T text={each.text} /></button> : <T key={at} text={each.text} />))}</>;
}

function Counted({ over, turn }: { over: ContextOverTime; turn: ContextTurn }): JSX.Element {
  if (turn.gap) return <p class="whole not"><Mark cut /><span><b><T text={turn.gap.what} />.</b> <Ticked text={turn.gap.why} /> {turn.gap.do ? <Ticked text={turn.gap.do} /> : null}</span></p>;
  if (over.counted === false) {
    return (
      <p class="whole not">
        <Mark cut />
        <span>
          <b>No counts.</b> The answers of this provider carry none, in all {plural(over.calls ?? over.n.length, "call")}. Every size here is an estimate from length, 4 bytes a token; what came from the cache and what it cost is not known. To get counts: send <code>{'stream_options: {"include_usage": true}'}</code>.
        </span>
      </p>
    );
  }
  if (turn.counted === false) return <p class="whole not"><Mark cut /><span><b>No counts in turn {turn.turn}.</b> Its answer carries none, so its sizes are estimates from length, 4 bytes a token.</span></p>;
  return (
    <p class="whole num">
      <Mark />
      <span><b>Counted by the provider: {count(turn.tokens)} tokens in.</b> {count(turn.read ?? 0)} from the cache, {count(turn.written ?? 0)} written to it, {count(turn.uncached ?? 0)} uncached. The parts add up to it.</span>
    </p>
  );
}

// A chip a thread: the main agent and each sub-agent, which its task names; many are in a list behind the first ones.
function Whose({ over }: { over: ContextOverTime }): JSX.Element | null {
  const all = over.threads ?? [];
  if (all.length < 2) return null;
  const { of } = place.value;
  const named = (each: ContextThread): string => {
    const task = head.value?.lanes?.find((lane) => lane.id === each.id)?.task;
    return task ? `${each.name}: ${task}` : each.name;
  };
  const shown = all.length > THREADS + 1 ? all.filter((each, at) => at < THREADS || each.id === of) : all;
  const rest = all.filter((each) => !shown.includes(each));
  const choose = (id: string): void => go({ of: id, turn: 0, row: "" });
  return (
    <p class="chips whose" role="group" aria-label="Whose context">
      {shown.map((each) => <button key={each.id} class="chip" aria-pressed={of === each.id} onClick={() => choose(each.id)}><T text={named(each)} /> <b class="num">{count(each.turns)}</b></button>)}
      {rest.length ? (
        <select aria-label="Other sub-agents" value="" onChange={(event) => event.currentTarget.value && choose(event.currentTarget.value)}>
          <option value="">{plural(rest.length, "other")}</option>
          {rest.map((each) => <option key={each.id} value={each.id}>{named(each)}, {plural(each.turns, "turn")}</option>)}
        </select>
      ) : null}
    </p>
  );
}

// ≈ before what is a share of a counted sum, or an estimate.
export function Tokens({ n, approx, counted = true }: { n: number; approx?: boolean | undefined; counted?: boolean }): JSX.Element {
  return <span class="num">{approx || !counted ? <span class="faint">≈ </span> : null}{counted ? count(n) : amount(n)}</span>;
}

function Why({ note, turn }: { note: ContextNote; turn: ContextTurn }): JSX.Element {
  const counted = turn.counted ?? true;
  const list = (title: string, sums: ContextSum[]): JSX.Element => (
    <div>
      <h4>{title}<Tokens n={sums.reduce((sum, each) => sum + each.tokens, 0)} counted={counted} /></h4>
      <ul>{sums.map((each, at) => <li key={at}><span><T text={each.what} {...(each.code ? { code: true } : {})} />{(each.count ?? 1) > 1 ? `, ${count(each.count ?? 1)}` : ""}</span><Tokens n={each.tokens} approx={each.approx} counted={counted} /></li>)}</ul>
    </div>
  );
  return (
    <div class="note calm why">
      <p><b><Said clauses={note.said.slice(0, 1)} /></b> <Said clauses={note.said.slice(1)} /></p>
      {note.dropped || note.came ? <div class="swap">{list("Dropped", note.dropped ?? [])}{list("In its place", note.came ?? [])}</div> : null}
      {note.more ? <p><Said clauses={note.more} /></p> : null}
      {note.diff ? <p><Go to={{ diff: note.diff }} class="link">Diff with the request before</Go></p> : null}
    </div>
  );
}

function Chosen({ row }: { row: ContextRow }): JSX.Element {
  const known = row.cached_usd !== null && row.cached_usd !== undefined && row.full_usd !== null && row.full_usd !== undefined;
  return (
    <div class="note calm why" aria-live="polite">
      <p>
        <b><T text={row.what} {...(row.code ? { code: true } : {})} /></b>, from <T text={row.whose} />, since turn {row.since}: <Tokens n={row.tokens} approx={row.approx} /> tokens in {plural(row.requests, "request")}{row.dropped ? `, dropped behind turn ${row.dropped}` : ""}
        {known ? `, ${row.approx ? "≈ " : ""}${money(row.cached_usd! + row.full_usd!)} so far, ${money(row.cached_usd!)} of it from the cache and ${money(row.full_usd!)} in full.` : "."}
        {row.mentioned ? ` Last mentioned in turn ${row.mentioned}${row.again ? `, put back in turn ${row.again}` : ""}.` : row.never ? " Never called." : ""}
      </p>
      <p class="row">{row.target?.tab ? <Go to={{ tab: row.target.tab, ...(row.target.turn ? { turn: row.target.turn } : {}) }} class="link">Where it came from</Go> : null}<button class="link" onClick={() => go({ row: "" })}>Clear</button></p>
    </div>
  );
}

function Anatomy({ over, turn }: { over: ContextOverTime; turn: ContextTurn }): JSX.Element | null {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const look = (): void => setWidth(box.current?.clientWidth ?? 0);
    look();
    const seen = new ResizeObserver(look);
    if (box.current) seen.observe(box.current);
    return () => seen.disconnect();
  }, []);
  const blocks = turn.blocks ?? [];
  const narrow = width < 520;
  const wide = narrow ? 34 : 84;
  const height = heightOf(turn.tokens, blocks.length, over.window ?? 0);
  const counted = turn.counted ?? true;
  const read = turn.read ?? 0;
  const total = Math.max(1, blocks.reduce((sum, each) => sum + each.tokens, 0));
  if (!blocks.length) return null;
  return (
    <>
      <p class="cap num">
        {!counted ? <span>from the cache: ?</span> : read ? <><span><i class="from" />from the cache, {count(read)}</span><span>without the line: paid in full, {count(turn.tokens - read)}</span></> : <span>nothing came from the cache; all {count(turn.tokens)} were paid in full</span>}
        {blocks.some((each) => each.approx) && counted ? <span class="right">≈ shared out by length</span> : null}
        {small.value ? <button class="link right" onClick={() => (small.value = false)}>Fold the small ones</button> : null}
      </p>
      <div class="anat" ref={box} style={{ height: `${height}px` }}>
        <svg width={wide + 50} height={height} aria-hidden="true">
          {placed(blocks, height).map(({ block, top, high, middle, label }, at) => {
            const on = isOn(block.id ?? "", block.origins);
            const first = block.origins[0] ?? 0;
            return (
              <g key={at}>
                <rect class={on ? "s-here" : `g${block.id ? TONES[first] : 2}`} x="10" y={top} width={wide} height={Math.max(0.8, high - (high > 3 ? 1 : 0))} />
                <path class={on ? "lead on" : "lead"} d={`M${wide + 13} ${middle.toFixed(1)}L${wide + (narrow ? 24 : 42)} ${label.toFixed(1)}h5`} />
                {block.first_change ? <path class="first" d={`M0 ${top}h${wide + 14}`} /> : null}
              </g>
            );
          })}
          {counted && read ? <path class="cached" d={`M3 0V${Math.min(1, read / total) * height}`} /> : null}
        </svg>
        <ol class="lbs" style={{ left: `${wide + (narrow ? 32 : 50)}px` }}>
          {placed(blocks, height).map(({ block, label }, at) => {
            const name = block.id ? <T text={block.what ?? ""} {...(block.code ? { code: true } : {})} /> : `${plural(block.count ?? 1, "small one")}, ${block.since === block.until ? `turn ${block.since ?? 0}` : `turns ${block.since ?? 0} to ${block.until ?? 0}`}`;
            const where = !block.id || block.fixed ? "" : block.again ? `put back ${block.again}` : `turn ${block.since ?? 0}`;
            const inside = <><span class="w">{name}{block.first_change ? ", new: the first change" : ""}</span><span class="faint">{where}</span><Tokens n={block.tokens} approx={block.approx} counted={counted} /></>;
            return (
              <li key={at} class={isOn(block.id ?? "", block.origins) ? "on" : ""} style={{ top: `${label - ROW / 2}px` }}>
                {block.id ? <button aria-pressed={block.id === place.value.row} onClick={() => go({ row: block.id === place.value.row ? "" : block.id! })}>{inside}</button> : <button class="run" title="Show each (o)" onClick={() => (small.value = true)}>{inside}</button>}
              </li>
            );
          })}
        </ol>
      </div>
    </>
  );
}

function isOn(id: string, origins: number[]): boolean {
  const { row, origin } = place.value;
  return row ? Boolean(id) && row === id : Boolean(origin) && origins.some((each) => KEYS[each] === origin);
}

function Looks({ found, counted }: { found: ContextFinding[]; counted: boolean }): JSX.Element | null {
  const wide = useSide();
  if (!found.length) return null;
  const price = (each: ContextFinding): string => `${each.approx ? "≈ " : ""}${counted && each.usd !== null && each.usd !== undefined ? money(each.usd) : amount(each.tokens ?? 0)}`;
  return (
    <aside class="side">
      <details open={wide}>
        <summary class="h">Worth a look <span class="faint num">{found.length}</span><span class="top1 faint">first: <T text={found[0]!.title} />, {price(found[0]!)}</span></summary>
        <ul>
          {found.map((each, at) => (
            <li key={at} class="sig">
              <h4><T text={each.title} /><span class="num">{price(each)}</span></h4>
              <p><T text={each.text} /></p>
              <p class="do"><Ticked text={each.do} />{each.command ? <> <T code text={each.command} /></> : null}</p>
              <p class="row">
                {(each.origin ?? -1) >= 0 ? <button class="ref" onClick={() => go({ origin: KEYS[each.origin!] ?? "", row: "" })}>{(ORIGINS[each.origin!] ?? "").toLowerCase()}</button> : null}
                {(each.turns ?? []).slice(0, TURNS).map((turn) => <button key={turn} class="ref" onClick={() => select(turn)}>turn {turn}</button>)}
                {(each.turns ?? []).length > TURNS ? <span class="faint">and {plural((each.turns ?? []).length - TURNS, "more turn")}</span> : null}
                {each.diff ? <Go to={{ diff: each.diff }} class="link">Diff</Go> : null}
              </p>
            </li>
          ))}
        </ul>
      </details>
    </aside>
  );
}

function Carried({ over, turn }: { over: ContextOverTime; turn: ContextTurn }): JSX.Element {
  const counted = turn.counted ?? true;
  const priced = counted && Boolean(turn.prices);
  const first = over.n[0] ?? 1;
  const last = over.n.at(-1) ?? 1;
  const origin = KEYS.findIndex((each) => each === place.value.origin);
  const cost = (cached: number | null | undefined, full: number | null | undefined): string => (cached === null || cached === undefined || full === null || full === undefined ? "?" : money(cached + full));
  const sum = (each: ContextSum, name: string): JSX.Element => (
    <tr class={name}>
      <td><T text={each.what} /></td><td class="opt" /><td class="n" /><td class="n">{each.tokens ? <Tokens n={each.tokens} approx={each.approx} counted={counted} /> : <span class="faint">dropped</span>}</td>
      <td class="n">{each.tokens ? percent(each.tokens / Math.max(1, turn.tokens)) : null}</td><td /><td class="n" />
      {priced ? <><td class="n opt">{money(each.cached_usd)}</td><td class="n opt">{money(each.full_usd)}</td><td class="n">{cost(each.cached_usd, each.full_usd)}</td></> : <td class="n">≈ {amount(each.carried ?? 0)}</td>}
    </tr>
  );
  return (
    <section class="sec" aria-labelledby="h-carried">
      <div class="hh">
        <h3 class="h" id="h-carried">Carried in turn {turn.turn}</h3>
        <span class="soft">{origin < 0 ? `${plural(turn.segments, "segment")}, what ${priced ? "has cost most" : "was carried most"} first` : nameOf(origin, over).toLowerCase()}</span>
        {origin < 0 ? null : <button class="link" onClick={() => go({ origin: "" })}>Show all</button>}
      </div>
      <div class="scroll">
        <table class="wrap">
          <thead><tr><th>what</th><th class="opt">whose</th><th class="n">since turn</th><th class="n">tokens</th><th class="n">share</th><th>turns {first} to {last}</th><th class="n">requests</th>{priced ? <><th class="n opt">from cache</th><th class="n opt">in full</th><th class="n">cost so far</th></> : <th class="n">carried so far</th>}</tr></thead>
          <tbody>
            {(turn.rows ?? []).map((each) => (
              <tr key={each.id} class={each.id === place.value.row ? "sel" : ""} onClick={(event) => (event.target as Element).closest("a, button") || go({ row: each.id === place.value.row ? "" : each.id })}>
                <td>{each.target?.tab ? <Go to={{ tab: each.target.tab, ...(each.target.turn ? { turn: each.target.turn } : {}) }}><T text={each.what} {...(each.code ? { code: true } : {})} /></Go> : <T text={each.what} {...(each.code ? { code: true } : {})} />}</td>
                <td class="soft opt"><T text={each.whose} /></td><td class="n">{place.value.of ? count(each.since) : <Turn n={each.since} />}</td><td class="n" data-s="tokens">{each.dropped ? <span class="faint">dropped behind {each.dropped}</span> : <Tokens n={each.tokens} approx={each.approx} counted={counted} />}</td>
                <td class="n">{each.dropped ? null : percent(each.tokens / Math.max(1, turn.tokens))}</td>
                <td><svg class="life" width={LIFE} height="12" role="img" aria-label={`in ${plural(each.requests, "request")}`}><path class="all" d={`M0 6.500h${LIFE}`} /><path d={lifeOf(each.lives ?? [], first, last, LIFE)} /></svg></td>
                <td class="n" data-s="requests">{count(each.requests)}</td>
                {priced ? <><td class="n opt">{money(each.cached_usd)}</td><td class="n opt">{money(each.full_usd)}</td><td class="n">{each.approx ? <span class="faint">≈ </span> : null}{cost(each.cached_usd, each.full_usd)}</td></> : <td class="n">≈ {amount(each.tokens * each.requests)}</td>}
              </tr>
            ))}
            {turn.rest ? sum(turn.rest, "rest") : null}
          </tbody>
          {turn.total ? <tfoot>{sum(turn.total, "total")}</tfoot> : null}
        </table>
      </div>
      <p class="foot-note faint">
        {priced ? <>Cost so far: tokens × requests × the list price of each, {turn.prices}. The line shows the requests that carried it from the cache; where it is cut, it was paid in full again.</> : `Carried so far: tokens × requests.${over.model ? ` There is no price for ${over.model}.` : ""}`}
        {origin < 0 && turn.dropped_usd ? ` What compaction dropped is not in this list; it had cost ${money(turn.dropped_usd)}.` : ""}
      </p>
    </section>
  );
}

function Servers({ servers, counted, priced }: { servers: ContextServer[]; counted: boolean; priced: boolean }): JSX.Element {
  const called = (each: ContextServer): JSX.Element => (each.calls ? <>{plural(each.calls, "time")}{each.never ? `, ${count(each.never)} of ${count(each.tools)} never` : ""}</> : <b>never</b>);
  return (
    <section class="sec" aria-labelledby="h-servers">
      <div class="hh"><h3 class="h" id="h-servers">Tools in every request</h3><span class="soft">by server, the never called first</span></div>
      <div class="scroll">
        <table class="wrap">
          <thead><tr><th>server</th><th class="n">tools</th><th>called</th><th class="n">tokens a request</th><th class="n">requests</th><th class="n">{priced ? "cost so far" : "carried so far"}</th><th class="opt">to leave it out</th></tr></thead>
          <tbody>
            {servers.map((each) => (
              <tr key={each.name}>
                <td>{each.name ? <T text={each.name} /> : "built in"}</td><td class="n" data-s="tools, called">{count(each.tools)}</td><td>{called(each)}</td><td class="n" data-s="a request"><Tokens n={each.tokens} approx={each.approx} counted={counted} /></td>
                <td class="n" data-s="requests">{count(each.requests)}</td><td class="n">{!priced ? `≈ ${amount(each.tokens * each.requests)}` : each.usd === null || each.usd === undefined ? "?" : `${each.approx ? "≈ " : ""}${money(each.usd)}`}</td>
                <td class="opt">{each.command ? <T code text={each.command} /> : null}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
