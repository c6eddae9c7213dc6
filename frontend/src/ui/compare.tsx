// Two sessions side by side: where their steps part, the numbers of both, the context over turns. A is ink, B is lighter and outlined.

import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { go, open, openView, place } from "../address";
import { swap } from "../controls";
import type { Compared, NumberOf, SideOf, StepOf } from "../shapes";
import { ask, version } from "../state";
import { amount, clock, count, dayName, money, plural, took } from "../words";
import { Note, signWords, Signs, T, useAsked } from "./bits";

const WIDE = 560; // of the drawing of the context
const HIGH = 200;
const SHOWN = 6; // equal steps before the fork

export function Compare(): JSX.Element {
  const [a = "", b = ""] = place.value.pair.split("..").map(decodeURIComponent);
  const { found, error } = useAsked((signal) => ask<Compared>("compare", { a, b }, signal), [place.value.pair, version.value]);
  const { step } = place.value;
  useEffect(() => {
    if (found && step) document.getElementById(`step-${step}`)?.scrollIntoView({ block: "center" });
  }, [found === null, step]);
  if (!found) return error ? <Note error={error} /> : <p class="soft pad" role="status">comparing …</p>;
  return (
    <section class="compare" aria-label="Compare two">
      <p class="row cmp-top"><button class="link" onClick={() => openView("sessions")}>All sessions</button><button class="btn" title="Swap (s)" onClick={swap}>Swap</button></p>
      {found.a.row.title && found.a.row.title === found.b.row.title ? <p class="task cap"><T text={found.a.row.title} /></p> : null}
      <h1 class="verdict"><Sentence found={found} /></h1>
      <p class="whole"><span>{prompts(found)} {commits(found)}</span></p>
      <div class="sides"><Side of={found.a} name="A" /><Side of={found.b} name="B" /></div>
      <div class="cmp"><Numbers found={found} /><div><Context found={found} /><Only found={found} /></div></div>
      <Fork found={found} />
      <Tools rows={found.tools ?? []} />
    </section>
  );
}

// As its number below has it.
function took_(found: Compared, side: 1 | 2): string {
  const of = (name: string): number | null => found.numbers?.find((row) => row[0] === name)?.[side] ?? null;
  const usd = of("Cost");
  return `${plural(of("Turns") ?? 0, "turn")} and ${usd === null ? "an unknown cost" : money(usd)}`;
}

function Sentence({ found }: { found: Compared }): JSX.Element {
  const { a, b } = found;
  const failed = a.last_failed && b.last_failed ? "; the last command of both failed" : a.last_failed ? "; A's last command failed" : b.last_failed ? "; B's last command failed" : "";
  return (
    <>
      A took {took_(found, 1)}, B {took_(found, 2)}.{" "}
      {found.part ? <>They part at <button class="in-text" onClick={() => go({ step: found.part ?? 0 })}>step {count(found.part)}</button></> : a.total ? `Both took the same ${plural(a.total, "step")}` : "Neither used a tool"}{failed}.
    </>
  );
}

function prompts(found: Compared): string {
  const words = found.prompt_words;
  const said = words === undefined || words === null ? "A prompt is not known." : words ? `The prompts differ in ${plural(words, "word")}.` : "Both began with the same prompt.";
  return said;
}

// The first commit that each made, as far as one was seen.
function commits({ a, b }: Compared): string {
  const of = (side: SideOf): string => (side.commit_step ? `made its first commit${side.commit ? ` ${side.commit.slice(0, 7)}` : ""} at step ${count(side.commit_step)}` : "made none that was seen");
  return a.commit_step || b.commit_step ? `A ${of(a)}, B ${of(b)}.` : "No commit of either was seen.";
}

function Letter({ name }: { name: "A" | "B" }): JSX.Element {
  return <b class={name === "B" ? "ab b" : "ab"}>{name}</b>;
}

function Side({ of, name }: { of: SideOf; name: "A" | "B" }): JSX.Element {
  const { row } = of;
  return (
    <div class={name === "B" ? "side-c b" : "side-c"}>
      <Letter name={name} />
      <div>
        <p><button class="in-text" onClick={() => open(row.recording, row.id)}><b>{row.agent}</b></button> <T text={(row.model ?? "").replace(/^claude-/, "")} />, {dayName(row.start_ms)} {clock(row.start_ms).slice(0, 5)}{row.branch ? <>, branch <T code text={row.branch} /></> : null}</p>
        {row.title ? <p class="soft small"><T text={row.title} /></p> : null}
        <p class="soft small"><Signs row={row} /> {signWords(row)}</p>
      </div>
    </div>
  );
}

// -- numbers ---------------------------------------------------------------------------------------------------------------

const SAID: Record<string, (n: number) => string> = { Cost: money, Time: took, "in the model": took, "in tools": took, "Tokens in": amount, "from cache": amount, "Tokens out": amount };
const BELOW = new Set(["from cache", "in the model", "in tools", "failed"]);

function Numbers({ found }: { found: Compared }): JSX.Element {
  return (
    <div>
      <div class="hh"><h2 class="h">Side by side</h2><span class="soft">a bar is full at the larger of the two</span></div>
      <table class="bf">
        <thead><tr><th scope="col"><span class="sr">what</span></th><th scope="col" class="n"><Letter name="A" /></th><th class="bars"><span class="sr">bars</span></th><th scope="col"><Letter name="B" /></th><th scope="col" class="n more">B against A</th></tr></thead>
        <tbody>{(found.numbers ?? []).map((row) => <Line key={row[0]} row={row} said={SAID[row[0]] ?? count} />)}</tbody>
      </table>
    </div>
  );
}

function Line({ row, said }: { row: NumberOf; said: (n: number) => string }): JSX.Element {
  const [name, a, b] = row;
  const most = Math.max(a ?? 0, b ?? 0);
  const known = a !== null && b !== null;
  const bar = (n: number | null): string => `${most && n ? ((n / most) * 100).toFixed(1) : 0}%`;
  const by = known ? b - a : 0;
  const bad = (n: number | null): string => (name === "failed" && n ? "bad" : "");
  return (
    <tr>
      <th scope="row" class={BELOW.has(name) ? "below" : ""}>{name}</th>
      <td class={`n ${bad(a)}`}>{a === null ? <span class="faint">not known</span> : said(a)}</td>
      <td class="bars">{known ? <span class="bar-2"><span><i style={{ width: bar(a) }} /></span><span><i class="b" style={{ width: bar(b) }} /></span></span> : null}</td>
      <td class={bad(b)}>{b === null ? <span class="faint">not known</span> : said(b)}</td>
      <td class="n soft more">{!known || !by ? "" : `${said(Math.abs(by))} ${by > 0 ? "more" : "less"}`}</td>
    </tr>
  );
}

function Context({ found }: { found: Compared }): JSX.Element | null {
  const [a, b] = [found.a.context ?? [], found.b.context ?? []];
  const [turns, most] = [Math.max(found.a.row.turns ?? 0, found.b.row.turns ?? 0, 2), Math.max(...a, ...b, 0)];
  if (!most) return null;
  const line = (points: number[], of: number): string => points.map((n, at) => `${(44 + ((WIDE - 60) * ((at * of) / Math.max(1, points.length))) / turns).toFixed(1)},${(HIGH - (HIGH - 24) * (n / most)).toFixed(1)}`).join(" ");
  const end = (points: number[], of: number): [number, number] => [44 + ((WIDE - 60) * ((Math.max(0, points.length - 1) * of) / Math.max(1, points.length))) / turns, HIGH - (HIGH - 24) * ((points.at(-1) ?? 0) / most)];
  const [ax, ay] = end(a, found.a.row.turns ?? 0);
  const [bx, by] = end(b, found.b.row.turns ?? 0);
  return (
    <>
      <div class="hh"><h2 class="h">Context over turns</h2><span class="soft">tokens a request</span></div>
      <svg class="grow" viewBox={`0 0 ${WIDE} ${HIGH + 22}`} role="img" aria-label={`Tokens a request: A ends at ${amount(a.at(-1) ?? 0)}, B at ${amount(b.at(-1) ?? 0)}; the most is ${amount(most)}.`}>
        {[0, 0.5, 1].map((part) => <g key={part}><line class="g" x1={44} x2={WIDE} y1={HIGH - (HIGH - 24) * part} y2={HIGH - (HIGH - 24) * part} /><text x={38} y={HIGH - (HIGH - 24) * part + 4} text-anchor="end">{part ? amount(most * part) : "0"}</text></g>)}
        <polyline class="pb-l" points={line(b, found.b.row.turns ?? 0)} /><polyline class="pa-l" points={line(a, found.a.row.turns ?? 0)} />
        <text class="t" x={Math.min(WIDE - 8, bx + 6)} y={by - 8} text-anchor={bx > WIDE - 90 ? "end" : "start"}>B</text><text class="t" x={Math.min(WIDE - 8, ax + 6)} y={ay + (Math.abs(ay - by) < 16 ? 18 : -8)} text-anchor={ax > WIDE - 90 ? "end" : "start"}>A</text>
        <text x={44} y={HIGH + 16}>1</text><text x={WIDE - 16} y={HIGH + 16} text-anchor="end">{count(turns)}</text>
      </svg>
    </>
  );
}

function Only({ found }: { found: Compared }): JSX.Element | null {
  const rows = (["A", "B"] as const).flatMap((name) => (name === "A" ? found.a : found.b).only?.map((each) => ({ name, each })) ?? []);
  if (!rows.length) return null;
  return (
    <>
      <div class="hh"><h2 class="h">Worth a look, only in one</h2></div>
      <ul class="wl">{rows.map(({ name, each }) => <li key={name + each.title}><Letter name={name} /><span><b><T text={each.title} /></b> <T text={each.text} /></span><span class="num">{each.usd ? money(each.usd) : ""}</span></li>)}</ul>
    </>
  );
}

function Tools({ rows }: { rows: NumberOf[] }): JSX.Element | null {
  if (!rows.length) return null;
  return (
    <>
      <div class="hh"><h2 class="h">Tools</h2><span class="soft">named as each agent names them</span></div>
      <table class="bf tools-c"><thead class="sr"><tr><th>tool</th><th>A</th><th>bars</th><th>B</th><th>B against A</th></tr></thead><tbody>{rows.map((row) => <Line key={row[0]} row={row} said={count} />)}</tbody></table>
    </>
  );
}

// -- steps -----------------------------------------------------------------------------------------------------------------

function Fork({ found }: { found: Compared }): JSX.Element | null {
  const same = found.same ?? [];
  const hidden = Math.max(0, same.length - SHOWN) + (found.more ?? 0);
  if (!found.a.total && !found.b.total) return null;
  const [first, rest] = hidden ? [same.slice(0, 3), same.slice(-(SHOWN - 3))] : [same, []];
  return (
    <>
      <div class="hh"><h2 class="h">{found.part ? "Where they part" : "The same steps"}</h2><span class="soft">the same step: the same kind on the same target; contents are not compared</span></div>
      <div class="fork">
        <ol>{first.map((step) => <Step key={step.n} step={step} />)}</ol>
        {hidden ? <p class="st more"><span class="no">⋮</span><span>{plural(hidden, "more step")}, the same in both</span></p> : null}
        {rest.length ? <ol>{rest.map((step) => <Step key={step.n} step={step} />)}</ol> : null}
        {found.part ? (
          <>
            <p class="part-l" id={`step-${found.part}`}>They part here</p>
            <div class="two-c">
              {(["A", "B"] as const).map((name) => {
                const of = name === "A" ? found.a : found.b;
                return (
                  <section key={name} class={name === "B" ? "b" : ""} aria-label={`${name}, from step ${found.part}`}>
                    <h3><Letter name={name} /> {of.steps?.length ? "" : "ends here"}</h3>
                    <ol>{(of.steps ?? []).map((step, at) => <Step key={step.n} step={step} here={!at} />)}</ol>
                    {of.more ? <p class="st more"><span class="no">⋮</span><span>{plural(of.more, "more step")}</span></p> : null}
                  </section>
                );
              })}
            </div>
          </>
        ) : null}
      </div>
    </>
  );
}

function Step({ step, here }: { step: StepOf; here?: boolean }): JSX.Element {
  const times = step.times ?? 1;
  return (
    <li class={here ? "st here" : "st"}>
      <span class="no">{times > 1 ? `${step.n}–${step.n + times - 1}` : step.n}</span>
      <span class="soft"><T text={step.kind} /></span>
      <T code text={step.target ?? ""} />
      <span class={step.bad ? "o bad" : "o soft"}><T text={step.said ?? ""} />{times > 1 ? `${step.said ? ", " : ""}${count(times)} times` : ""}</span>
    </li>
  );
}

