// Lanes of model, tools, sub-agents, programs and files over one time; processor and memory below; zoom, minimap, play.

import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { go, place } from "../address";
import { timeline } from "../controls";
import { FAILED, MISSING, type Lane, type Lanes } from "../shapes";
import { askHere, here, select, theme, version } from "../state";
import { clock, plural, size, took } from "../words";
import { Icon, Mark, Note, T, useAsked } from "./bits";
import { Latency } from "./latency";

const LANE = 30; // px
const LABEL = 184;
const SPEEDS = [1, 8, 60];
const WIDTH = 1600; // pixels that spans are merged to
const LEAST_MS = 50; // the closest that one can look

interface Colours { surface: string; line: string; faint: string; ink: string; accent: string; accentBg: string; bar: string; bar2: string; bad: string; gap: string; gapBg: string; sunk: string }

function colours(): Colours {
  const style = getComputedStyle(document.documentElement);
  const of = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  return {
    surface: of("surface"), line: of("line"), faint: of("faint"), ink: of("ink"), accent: of("accent"), accentBg: of("accent-bg"), bar: of("bar"),
    bar2: of("bar-2"), bad: of("bad"), gap: of("gap-mark"), gapBg: of("gap-bg"), sunk: of("sunk"),
  };
}

interface Span { lane: number; start: number; end: number; flags: number; turn: number; label: string; info: string }

export function Timeline(): JSX.Element {
  const latency = place.value.of === "latency";
  return (
    <>
      <p class="chips" role="group" aria-label="What is shown">
        <button class="chip" aria-pressed={!latency} onClick={() => go({ of: "" })}>Lanes</button>
        <button class="chip" aria-pressed={latency} onClick={() => go({ of: "latency" })}>Latency</button>
        {latency ? <span class="soft">all threads; failed calls and running tools are left out</span> : null}
      </p>
      {latency ? <Latency /> : <OverTime />}
    </>
  );
}

function OverTime(): JSX.Element {
  const keys = [place.value.session, place.value.recording, version.value];
  const { found, error } = useAsked((signal) => askHere<Lanes>(here("timeline"), { width: WIDTH }, signal), keys);
  const close = useCloser(found);
  if (!found) return error ? <Note error={error} /> : <p class="soft">loading …</p>;
  if (!found.lanes.length) return <p class="soft">Nothing with a duration was seen yet.</p>;
  return (
    <>
      {found.partial ? <p class="note"><Mark cut /><span>These are the newest calls and programs: this recording has more.</span></p> : null}
      <View whole={found} close={close} />
    </>
  );
}

// What is looked at closely has more spans than the whole: they are asked for once the zoom rests, a screen to each side too.
function useCloser(whole: Lanes | null): Lanes | null {
  const { from, to } = place.value;
  const [at, setAt] = useState([0, 0]);
  useEffect(() => {
    const wait = setTimeout(() => setAt([from, to]), 150);
    return () => clearTimeout(wait);
  }, [from, to]);
  const [start = 0, end = 0] = at;
  const zoomed = whole !== null && end > 0 && end - start < whole.length_ms / 2;
  const asked = { from: Math.max(0, Math.round(2 * start - end)), to: Math.round(2 * end - start), width: 3 * WIDTH };
  const { found } = useAsked(
    (signal) => (zoomed ? askHere<Lanes>(here("timeline"), asked, signal) : Promise.resolve(null)), [place.value.session, version.value, zoomed, start, end],
  );
  return zoomed && from >= asked.from && to <= asked.to ? found : null;
}

function View({ whole, close }: { whole: Lanes; close: Lanes | null }): JSX.Element {
  const lanes = close ? { ...close, length_ms: whole.length_ms, curve: whole.curve } : whole;
  const length = Math.max(LEAST_MS, lanes.length_ms);
  const first = Math.min(whole.first_ms, length - LEAST_MS); // it is shown from the first call on
  const from = place.value.to ? Math.min(place.value.from, length - LEAST_MS) : first;
  const to = place.value.to ? Math.min(length, Math.max(place.value.to, from + LEAST_MS)) : length;
  const [head_, setHead] = useState<number | null>(null);
  const [playing, setPlaying] = useState(false);
  const [speed, setSpeed] = useState(1);
  const [hover, setHover] = useState<Span | null>(null);
  const [width, setWidth] = useState(800);
  const box = useRef<HTMLDivElement>(null);
  const spans = useMemo(() => lanes.lanes.flatMap((lane, at) => lane.start.map((start, i): Span => ({ lane: at, start, end: lane.end[i] ?? start, flags: lane.flags[i] ?? 0, turn: lane.turn[i] ?? 0, label: lane.label[i] ?? "", info: lane.info?.[i] ?? "" }))), [whole, close]);
  const narrow = width < 560;
  const label = narrow ? 0 : LABEL;
  const chart = Math.max(120, width - label - 2);

  const show = (start: number, end: number): void => {
    const size = Math.min(length, Math.max(LEAST_MS, end - start));
    const begin = Math.max(0, Math.min(length - size, start));
    go(begin === first && begin + size >= length ? { from: 0, to: 0 } : { from: begin, to: begin + size });
  };
  const fit = (): void => go({ from: 0, to: 0 });
  const zoom = (by: number, at = (from + to) / 2): void => show(at - (at - from) / by, at + (to - at) / by);

  useEffect(() => {
    const seen = new ResizeObserver(([entry]) => setWidth(entry?.contentRect.width ?? 800));
    if (box.current) seen.observe(box.current);
    return () => seen.disconnect();
  }, []);
  useLayoutEffect(() => {
    timeline.current = {
      zoom, all: fit,
      play: () => {
        if (!playing && (head_ === null || head_ >= to)) setHead(from);
        setPlaying(!playing);
      },
    };
    return () => {
      timeline.current = null;
    };
  });
  useEffect(() => {
    if (!playing) return;
    let last = performance.now();
    let frame = requestAnimationFrame(function tick(time) {
      setHead((at) => {
        const next = (at ?? from) + (time - last) * (SPEEDS[speed] ?? 8);
        last = time;
        if (next >= length) {
          setPlaying(false);
          return length;
        }
        return next;
      });
      frame = requestAnimationFrame(tick);
    });
    return () => cancelAnimationFrame(frame);
  }, [playing, speed]);
  useEffect(() => {
    if (playing && head_ !== null && (head_ > to || head_ < from)) show(head_, head_ + (to - from));
  }, [playing, head_]);

  const at = head_ ?? hover?.start ?? null;
  const busy = at === null ? [] : spans.filter((span) => span.start <= at && at <= span.end && lanes.lanes[span.lane]?.kind !== "files").slice(0, 6);
  const sentence = `${plural(lanes.lanes.length, "lane")} over ${took(length)}: ${lanes.lanes.map((lane) => `${lane.name} ${lane.start.length}`).join(", ")}`;
  return (
    <>
      <Mini lanes={whole} length={length} from={from} to={to} show={show} />
      <div class="bar">
        <button class="btn sq" aria-label={playing ? "Pause" : "Play"} title="Play (space)" onClick={() => timeline.current?.play()}><Icon name={playing ? "pause" : "play"} /></button>
        <button class="btn" title="Speed" onClick={() => setSpeed((speed + 1) % SPEEDS.length)}>{SPEEDS[speed]}×</button>
        <span class="soft num">{clock(lanes.start_ms + (head_ ?? from))}</span>
        <span class="end row">
          <button class="btn sq" aria-label="Zoom out" title="Zoom out (−)" onClick={() => zoom(0.5)}>−</button>
          <button class="btn sq" aria-label="Zoom in" title="Zoom in (+)" onClick={() => zoom(2)}>+</button>
          <button class="btn" title="From the first call on (0)" onClick={fit}>Fit</button>
        </span>
      </div>
      {first > 0 && from >= first ? <p class="soft small">The process started {took(first)} earlier. <button class="link" onClick={() => show(0, length)}>Show it</button></p> : null}
      <div class="tl" ref={box}>
        <Canvas lanes={lanes} spans={spans} from={from} to={to} width={chart} label={label} head={head_} onShow={show} onZoom={zoom} onHover={setHover} onHead={setHead} name={sentence} />
        {lanes.curve.at.length > 1 ? <Curve lanes={whole} from={from} to={to} width={chart} label={label} head={head_} /> : null}
      </div>
      <p class="keyline">
        <span><i class="sw c-model" />model</span><span><i class="sw" />tool</span><span><i class="sw light" />program</span><span><i class="sw bad-bg" />failed</span><span><i class="sw hatch" />something is missing</span>
        {lanes.curve.at.length > 1 ? <span><i class="dash" />processor</span> : null}{lanes.curve.memory.some(Boolean) ? <span><i class="dash d" />memory</span> : null}
      </p>
      <p class="read" role="status">
        {hover ? <><b><T text={lanes.lanes[hover.lane]?.name ?? ""} /></b><span><T text={hover.label} /></span><span class="num">{clock(lanes.start_ms + hover.start)}</span><span class="num">{took(hover.end - hover.start)}</span>{hover.info ? <span><T text={hover.info} /></span> : null}{hover.turn ? <span>turn {hover.turn}</span> : null}</>
          : busy.length ? busy.map((span) => <span key={`${span.lane}-${span.start}`}><b><T text={lanes.lanes[span.lane]?.name ?? ""} /></b> <T text={span.label} /></span>)
            : <span>Point at a span to read it; a click selects its turn. Drag to move; double click, or Ctrl and the wheel, to zoom.</span>}
      </p>
      <details class="soft"><summary>The same as a table</summary>
        <div class="scroll"><table><thead><tr><th>lane</th><th>what</th><th class="n">began</th><th class="n">took</th><th class="n">turn</th></tr></thead>
          <tbody>{spans.slice(0, 400).map((span, n) => <tr key={n}><td><T text={lanes.lanes[span.lane]?.name ?? ""} /></td><td><T text={span.label} />{span.flags & FAILED ? " (failed)" : ""}</td><td class="n">{clock(lanes.start_ms + span.start)}</td><td class="n">{took(span.end - span.start)}</td><td class="n">{span.turn || ""}</td></tr>)}</tbody></table></div>
      </details>
    </>
  );
}

interface CanvasProps {
  lanes: Lanes; spans: Span[]; from: number; to: number; width: number; label: number; head: number | null; name: string;
  onShow: (from: number, to: number) => void; onZoom: (by: number, at: number) => void; onHover: (span: Span | null) => void; onHead: (at: number) => void;
}

function Canvas(props: CanvasProps): JSX.Element {
  const { lanes, spans, from, to, width, label, head: playhead } = props;
  const row = label ? LANE : LANE + 16;
  const canvas = useRef<HTMLCanvasElement>(null);
  const grip = useRef<{ x: number; from: number; moved: boolean } | null>(null);
  const height = lanes.lanes.length * row + 28;
  const turn = place.value.turn;
  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const ratio = devicePixelRatio || 1;
    element.width = Math.round(width * ratio);
    element.height = Math.round(height * ratio);
    const context = element.getContext("2d");
    if (context) {
      context.scale(ratio, ratio);
      draw(context, props, row, height, turn);
    }
  }, [spans, from, to, width, playhead, turn, theme.value, label]);

  const timeAt = (event: MouseEvent): number => from + (event.offsetX / width) * (to - from);
  const spanAt = (event: MouseEvent): Span | null => {
    const lane = Math.floor((event.offsetY - 28) / row);
    const time = timeAt(event);
    const slack = ((to - from) / width) * 4;
    let best: Span | null = null;
    for (const span of spans) {
      if (span.lane !== lane || span.start - slack > time || span.end + slack < time) continue;
      if (!best || span.end - span.start < best.end - best.start) best = span;
    }
    return best;
  };
  return (
    <div class="lanes" style={{ height: `${height}px` }}>
      {label ? <div class="labels" style={{ width: `${label}px` }} aria-hidden="true"><div class="lb ax">time</div>{lanes.lanes.map((lane, at) => <div key={at} class={lane.below ? "lb kid" : "lb"} title={lane.name}><T text={lane.name} /></div>)}</div> : null}
      <canvas
        ref={canvas} role="img" aria-label={props.name} style={{ width: `${width}px`, height: `${height}px` }}
        onWheel={(event) => {
          if (!event.ctrlKey && !event.metaKey && Math.abs(event.deltaX) <= Math.abs(event.deltaY)) return;
          event.preventDefault();
          if (event.ctrlKey || event.metaKey) props.onZoom(Math.exp(-event.deltaY / 300), timeAt(event));
          else props.onShow(from + (event.deltaX / width) * (to - from), to + (event.deltaX / width) * (to - from));
        }}
        onPointerDown={(event) => {
          grip.current = { x: event.clientX, from, moved: false };
          event.currentTarget.setPointerCapture(event.pointerId);
        }}
        onPointerMove={(event) => {
          const held = grip.current;
          if (held && Math.abs(event.clientX - held.x) > 3) {
            held.moved = true;
            const begin = held.from - ((event.clientX - held.x) / width) * (to - from);
            props.onShow(begin, begin + (to - from));
          } else if (!held) props.onHover(spanAt(event));
        }}
        onPointerUp={(event) => {
          const held = grip.current;
          grip.current = null;
          if (held?.moved) return;
          const span = spanAt(event);
          if (span?.turn) select(span.turn);
          else props.onHead(timeAt(event));
        }}
        onDblClick={(event) => props.onZoom(2, timeAt(event))}
        onPointerLeave={() => props.onHover(null)}
      />
    </div>
  );
}

function draw(context: CanvasRenderingContext2D, props: CanvasProps, row: number, height: number, turn: number): void {
  const { lanes, spans, from, to, width, label } = props;
  const c = colours();
  const x = (time: number): number => ((time - from) / (to - from)) * width;
  context.clearRect(0, 0, width, height);
  context.font = "12px system-ui, sans-serif";
  context.textBaseline = "middle";
  if (turn) {
    const own = spans.filter((span) => span.turn === turn && (lanes.lanes[span.lane]?.kind === "model" || lanes.lanes[span.lane]?.kind === "tools"));
    if (own.length) {
      const [begin, end] = [Math.min(...own.map((span) => span.start)), Math.max(...own.map((span) => span.end))];
      context.fillStyle = c.accentBg;
      context.fillRect(x(begin), 0, Math.max(2, x(end) - x(begin)), height);
    }
  }
  axis(context, props, c, height);
  const hatch = pattern(context, c);
  lanes.lanes.forEach((lane, at) => {
    context.fillStyle = c.line;
    context.fillRect(0, 28 + at * row, width, 1);
    if (!label) {
      context.fillStyle = c.faint;
      context.fillText(lane.name, 6, 28 + at * row + 10);
    }
  });
  for (const span of spans) {
    const left = x(span.start);
    const right = x(span.end);
    if (right < -4 || left > width + 4) continue;
    const lane = lanes.lanes[span.lane]!;
    const top = 28 + span.lane * row + (label ? 7 : 22);
    const size = lane.kind === "files" ? 3 : Math.max(3, right - left);
    context.fillStyle = span.flags & FAILED ? c.bad : lane.kind === "model" || lane.kind === "agent" ? c.accent : lane.kind === "tools" ? c.bar2 : lane.kind === "files" ? c.ink : c.bar;
    if (span.flags & MISSING && hatch) context.fillStyle = hatch;
    context.beginPath();
    context.roundRect(left, top, size, 16, Math.min(2, size / 2));
    context.fill();
  }
  if (props.head !== null) {
    context.fillStyle = c.accent;
    context.fillRect(x(props.head) - 0.75, 0, 1.5, height);
  }
}

function pattern(context: CanvasRenderingContext2D, c: Colours): CanvasPattern | null {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 6;
  const inner = tile.getContext("2d");
  if (!inner) return null;
  inner.fillStyle = c.gapBg;
  inner.fillRect(0, 0, 6, 6);
  inner.strokeStyle = c.gap;
  inner.lineWidth = 2;
  inner.beginPath();
  inner.moveTo(-1, 7);
  inner.lineTo(7, -1);
  inner.stroke();
  return context.createPattern(tile, "repeat");
}

const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 15e3, 3e4, 6e4, 12e4, 3e5, 6e5, 18e5, 36e5, 72e5, 216e5, 864e5];

function axis(context: CanvasRenderingContext2D, { lanes, from, to, width }: CanvasProps, c: Colours, height: number): void {
  const wanted = ((to - from) / width) * 110;
  const step = STEPS.find((each) => each >= wanted) ?? 864e5;
  const zone = new Date(lanes.start_ms).getTimezoneOffset() * 60_000;
  const first = Math.ceil((lanes.start_ms - zone + from) / step) * step - (lanes.start_ms - zone);
  for (let time = first; time <= to; time += step) {
    const x = ((time - from) / (to - from)) * width;
    context.fillStyle = c.line;
    context.fillRect(x, 22, 1, height - 22);
    context.fillStyle = c.faint;
    const text = clock(lanes.start_ms + time, step < 1000);
    if (x < width - 56) context.fillText(text, x < 2 ? 4 : x + 4, 14);
  }
}

function Curve({ lanes, from, to, width, label, head: playhead }: { lanes: Lanes; from: number; to: number; width: number; label: number; head: number | null }): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const { at, cpu, memory } = lanes.curve;
  const peak = { cpu: Math.max(...cpu), memory: Math.max(...memory) };
  const view = useRef({ playhead });
  view.current.playhead = playhead;
  useEffect(() => {
    const c = colours();
    const made = new uPlot(
      {
        width, height: 150, legend: { show: false }, cursor: { show: false }, padding: [12, 0, 0, 0],
        scales: { x: { time: false }, cpu: { range: [0, Math.max(100, peak.cpu * 1.1)] }, memory: { range: [0, Math.max(1, peak.memory * 1.2)] } },
        axes: [{ show: false }, { show: false, scale: "cpu" }],
        series: [{}, { scale: "cpu", stroke: c.ink, width: 1.5, points: { show: false } }, { scale: "memory", stroke: c.faint, width: 1.5, dash: [5, 3], points: { show: false } }],
        hooks: {
          drawClear: [(u: uPlot) => bands(u, lanes, c)],
          draw: [(u: uPlot) => {
            const time = view.current.playhead;
            if (time === null) return;
            u.ctx.fillStyle = c.accent;
            u.ctx.fillRect(u.valToPos(time, "x", true), u.bbox.top, 1.5 * devicePixelRatio, u.bbox.height);
          }],
        },
      },
      [at, cpu, memory],
      box.current!,
    );
    plot.current = made;
    made.setScale("x", { min: from, max: to });
    return () => {
      made.destroy();
      plot.current = null;
    };
  }, [lanes, width, theme.value]);
  useEffect(() => plot.current?.setScale("x", { min: from, max: to }), [from, to]);
  useEffect(() => plot.current?.redraw(false), [playhead]);
  return (
    <div class="curve">
      {label ? <div class="lb" style={{ width: `${label}px` }}>{peak.memory ? "CPU and memory" : "CPU"}<span>of the whole tree,</span><span>peak {Math.round(peak.cpu)} %{peak.memory ? `, ${size(peak.memory * 1048576)}` : "; memory was not measured"}</span></div> : null}
      <div ref={box} role="img" aria-label={`Processor ${peak.memory ? "and memory " : ""}of the whole tree: peak ${Math.round(peak.cpu)} percent of a core${peak.memory ? ` and ${size(peak.memory * 1048576)}` : ", memory was not measured"}`} />
    </div>
  );
}

// Where a model was asked, and where tools ran.
function bands(u: uPlot, lanes: Lanes, c: Colours): void {
  for (const [kind, colour] of [["tools", c.sunk], ["model", c.accentBg]] as const) {
    const lane = lanes.lanes.find((each) => each.kind === kind);
    u.ctx.fillStyle = colour;
    lane?.start.forEach((start, at) => {
      const left = Math.max(u.bbox.left, u.valToPos(start, "x", true));
      const right = Math.min(u.bbox.left + u.bbox.width, u.valToPos(lane.end[at] ?? start, "x", true));
      if (right > left) u.ctx.fillRect(left, u.bbox.top, right - left, u.bbox.height);
    });
  }
}

function Mini({ lanes, length, from, to, show }: { lanes: Lanes; length: number; from: number; to: number; show: (from: number, to: number) => void }): JSX.Element {
  const bars = (lane: Lane | undefined, name: string): JSX.Element[] =>
    (lane?.start ?? []).map((start, at) => <i key={`${name}${at}`} class={name} style={{ left: `${(start / length) * 100}%`, width: `${Math.max(0.15, (((lane?.end[at] ?? start) - start) / length) * 100)}%` }} />);
  const jump = (event: PointerEvent): void => {
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * length;
    show(at - (to - from) / 2, at + (to - from) / 2);
  };
  return (
    <div class="mini" aria-hidden="true" onPointerDown={jump} onPointerMove={(event) => event.buttons && jump(event)}>
      {bars(lanes.lanes.find((lane) => lane.kind === "tools"), "c-tool")}
      {bars(lanes.lanes.find((lane) => lane.kind === "model"), "c-model")}
      <i class="win" style={{ left: `${(from / length) * 100}%`, width: `${((to - from) / length) * 100}%` }} />
    </div>
  );
}

