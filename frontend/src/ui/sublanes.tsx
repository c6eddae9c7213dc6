// Sub-agents below the strip: a lane each, in turns and not in time, which hangs on the turn that asked for it.

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { go } from "../address";
import type { Plot } from "../bars";
import { FAILED, MISSING, type SubLane } from "../shapes";
import { indexOf } from "../state";
import { money, plural, took } from "../words";
import { T } from "./bits";

const NARROW = 480; // px, below which two lanes are shown and a name is the agent's alone
const SHOWN = 4; // lanes; the others are one line until they are opened
const HIGH = 14; // px of the highest bar of a lane
const PITCH = 10; // px of a bar and its space
const BARS = 24; // of a lane at most; above it a bar stands for several turns
const STUB = 12; // px from the hook to the first bar
const NAME = 230; // px that a name should have beside the bars

export function SubLanes({ lanes, plot, width }: { lanes: SubLane[]; plot: Plot; width: number }): JSX.Element | null {
  const [all, setAll] = useState(false);
  const last = plot.bars.at(-1)?.last ?? -1;
  const placed = lanes.flatMap((lane) => {
    const at = indexOf(lane.turn);
    return at >= plot.from && at <= last ? [{ lane, x: Math.round((Math.floor((at - plot.from) / plot.fold) + 0.5) * plot.pitch - plot.space / 2) }] : [];
  });
  if (!placed.length || !width) return null;
  const most = width < NARROW ? 2 : SHOWN;
  const shown = all ? placed : placed.slice(0, placed.length > most + 1 ? most : placed.length);
  const rest = placed.length - shown.length;
  return (
    <ul class={width < NARROW ? "sublanes narrow" : "sublanes"} aria-label="Sub-agents">
      {shown.map(({ lane, x }, at) => <Lane key={lane.id} lane={lane} x={x} width={width} joined={shown[at - 1]?.x === x} />)}
      {rest || all ? <li class="others-l" style={{ paddingLeft: `${Math.min(shown.at(-1)!.x + STUB, width - 90)}px` }}><button class="link" aria-expanded={all} onClick={() => setAll(!all)}>{all ? `only the first ${most}` : `${rest} more`}</button></li> : null}
    </ul>
  );
}

// `joined`: its hook goes on from the lane above.
function Lane({ lane, x, width, joined }: { lane: SubLane; x: number; width: number; joined: boolean }): JSX.Element {
  const fold = Math.ceil(lane.turns / Math.min(BARS, Math.max(4, Math.floor(width / 5 / PITCH))));
  const many = Math.ceil(lane.turns / fold);
  const left = x + STUB + many * PITCH + (width < NARROW ? 110 : NAME) > width && x > width / 2; // without room at the right it stands left of its hook
  const most = Math.max(1, ...lane.context);
  const cost = lane.cost === null || lane.cost === undefined ? "" : `, ${money(lane.cost)}`;
  const said = `${plural(lane.turns, "turn")}, ${took(lane.ms)}${cost}`;
  return (
    <li class={left ? "left" : ""} style={left ? { paddingRight: `${width - x + STUB}px` } : { paddingLeft: `${x + STUB}px` }}>
      <i class={joined ? "hook on" : "hook"} style={left ? { left: `${x - STUB + 2}px` } : { left: `${x}px` }} aria-hidden="true" />
      <button title={`${lane.name}: ${lane.task ? `${lane.task}, ` : ""}${said}; asked for in turn ${lane.turn}`} onClick={() => go({ tab: "conversation", turn: lane.turn, row: lane.tool || lane.id, only: "" }, true)}>
        <svg width={many * PITCH} height={HIGH} aria-hidden="true">
          {Array.from({ length: many }, (_, at) => {
            const turns = Array.from({ length: Math.min(fold, lane.turns - at * fold) }, (__, n) => at * fold + n);
            const context = Math.max(...turns.map((each) => lane.context[each] ?? 0));
            const fresh = Math.max(...turns.map((each) => (lane.context[each] ?? 0) - Math.min(lane.context[each] ?? 0, lane.cached[each] ?? 0)));
            const flags = turns.reduce((sum, each) => sum | (lane.flags?.[each] ?? 0), 0);
            const high = Math.max(2, Math.round((context / most) * HIGH));
            const dark = Math.max(1, Math.min(high, Math.round((fresh / most) * HIGH)));
            const kind = flags & MISSING ? "s-gap" : flags & FAILED ? "s-bad" : "s-new";
            return <g key={at}><rect class="s-old" x={at * PITCH} y={HIGH - high} width={PITCH - 1} height={high} /><rect class={kind} x={at * PITCH} y={HIGH - high} width={PITCH - 1} height={kind === "s-new" ? dark : Math.max(dark, 3)} /></g>;
          })}
        </svg>
        <span class="nm"><T text={`${lane.name}${lane.task && width >= NARROW ? `: ${lane.task}` : ""}`} /></span><span class="soft num">{said}</span><span class="few num">{lane.turns}</span>
      </button>
    </li>
  );
}
