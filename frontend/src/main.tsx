// The page: the rail and one session, of a run that goes on, of recordings, or of a file that has all in it.

import { type ComponentType, render, type JSX } from "preact";
import { signal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { go, listen, place, type View } from "./address";
import { listenToKeys } from "./keys";
import { late } from "./late";
import { DIGITS, hasAlerts, hasContext, type Head, type Tab, TABS } from "./shapes";
import { ONE, shown } from "./only";
import { listenToPrinting } from "./print";
import { ServerSource, source } from "./source";
import { begin, gone, head, indexOf, newestTurn, news, ofSubAgent, problem, rail, retry, running, select, step, waits } from "./state";
import "./styles.css";
import { Alerts, AllAlerts, Halted } from "./ui/alerts";
import { Flag, Icon, Mark } from "./ui/bits";
import { Conversation } from "./ui/conversation";
import { Banner, Facts, Others, Reads, Top, Verdict, Whole } from "./ui/head";
import { Files } from "./ui/files";
import { Health } from "./ui/health";
import { Log } from "./ui/log";
import { Overlays } from "./ui/overlays";
import { Raw } from "./ui/raw";
import { Rail } from "./ui/rail";
import { Turns } from "./ui/strip";
import { Http, Mcp, Network, Processes } from "./ui/tables";
import { count, plural } from "./words";

const Compare = late((rest) => rest.Compare);
const Context = late((rest) => rest.Context);
const FirstRun = late((rest) => rest.FirstRun);
const Home = late((rest) => rest.Home);
const Save = late((rest) => rest.Save);
const AllSessions = late((rest) => rest.AllSessions);
const Timeline = late((rest) => rest.Timeline);

const saving = signal(false);
const FIRST_TURNS = 3; // until then what is read stands where strip, numbers and tabs will be

const VIEWS: Record<Tab, ComponentType> = {
  conversation: Conversation, alerts: Alerts, context: Context, timeline: Timeline, processes: Processes, files: Files, network: Network, mcp: Mcp, http: Http, log: Log, health: Health,
};
const NAMES: Record<Tab, string> = {
  conversation: "Conversation", alerts: "Alerts", context: "Context", timeline: "Timeline", processes: "Processes", files: "Files", network: "Network", mcp: "MCP", http: "HTTP", log: "Log", health: "Health",
};

const VIEW_NAMES: Record<View, string> = { "": "", home: "This machine", alerts: "Alerts", sessions: "All sessions", compare: "Compare two" };

function App(): JSX.Element {
  const [menu, setMenu] = useState(false);
  const found = head.value;
  useEffect(() => {
    const escape = (event: KeyboardEvent): void => {
      if (event.key === "Escape") setMenu(false);
    };
    addEventListener("keydown", escape);
    return () => removeEventListener("keydown", escape);
  }, []);
  const view = place.value.session ? "" : place.value.view;
  document.title = view ? `${VIEW_NAMES[view]}, agentsight-rx` : found ? `${found.title || found.agent}, agentsight-rx` : "agentsight-rx";
  return (
    <div class={place.value.raw && place.value.session ? "app with-raw" : "app"} data-rail={menu ? "open" : ""}>
      <a class="skip" href="#main" onClick={(event) => (event.preventDefault(), document.getElementById("main")?.focus())}>Skip to the session</a>
      <Rail onDone={() => setMenu(false)} />
      {menu ? <button class="veil" aria-label="Close the sessions" onClick={() => setMenu(false)} /> : null}
      <main id="main" tabIndex={-1} class={found?.whole?.file ? "from-file" : ""}>
        <Banner />
        <Top head={found} menu={menu} onMenu={() => setMenu(!menu)} onSave={() => (saving.value = true)} />
        {problem.value ? <Problem /> : view === "home" ? <Home /> : view === "alerts" ? <AllAlerts /> : view === "sessions" ? <AllSessions /> : view === "compare" ? <Compare /> : found ? <Session head={found} /> : <Waiting />}
      </main>
      {place.value.raw && place.value.session ? <Raw /> : null}
      <Overlays />
      {saving.value && found ? <Save head={found} close={() => (saving.value = false)} /> : null}
      <p class="sr" role="status" aria-live="polite">{news.value}</p>
    </div>
  );
}

function Session({ head }: { head: Head }): JSX.Element {
  const first = running.value && (head.turns ?? 0) < FIRST_TURNS && head.whole?.state !== "not_whole" && place.value.tab === "conversation";
  const clauses = head.verdict ?? [];
  return (
    <>
      <section aria-label="Session">
        {head.title ? <p class="task cap">{head.title}</p> : null}
        <Verdict clauses={clauses.length ? clauses : [{ text: running.value ? "Waiting for the first request to a model." : "Nothing was seen." }]} />
        <Whole head={head} />
        <Others head={head} />
        {head.halt ? <Halted halt={head.halt} /> : null}
        {first ? null : head.strip?.n.length ? <Turns key={`${head.recording}/${head.id}`} strip={head.strip} window={head.window ?? 0} /> : null}
        {first || head.id === "-" && !head.numbers?.calls ? null : <Facts head={head} />}
        {head.cut ? <p class="note"><Mark cut /><span>These are the newest {plural(head.numbers?.calls ?? 0, "call")}, since a page holds no more. The recording has all, and so has <code>agentsight-rx report</code>.</span></p> : null}
      </section>
      {first ? <><Reads head={head} /><TabRow head={head} quiet /><section class="pane" role="tabpanel" id="panel" aria-labelledby="tab-conversation"><Conversation /></section></> : <><TabRow head={head} /><NoTurn head={head} /><Pane /></>}
    </>
  );
}

function Pane(): JSX.Element {
  const tab = place.value.tab;
  const View = VIEWS[tab];
  const at = place.value;
  return <section class="pane" role="tabpanel" id="panel" aria-labelledby={`tab-${tab}`} key={`${at.recording}/${at.session}/${tab}`}><View /></section>;
}

// An address may name a turn that is not there, on each tab.
function NoTurn({ head }: { head: Head }): JSX.Element | null {
  const turn = place.value.turn;
  if (!turn || indexOf(turn) >= 0 || ofSubAgent()) return null;
  const newest = newestTurn(head);
  return (
    <p class="note calm" role="status">
      <span>
        <b>There is no turn {turn}.</b> {newest ? `The turns of this session are 1 to ${newest}. ` : "This session has no call of a model. "}
        {newest ? <button class="link" onClick={() => select(newest)}>Show turn {newest}</button> : <button class="link" onClick={() => go({ turn: 0 })}>Show the session</button>}
      </span>
    </p>
  );
}

const SHADE_PX = 24; // beside Health, where names go below it

// What does not fit goes: first the counts, then the stepper. The names stay, and Health with its mark is always in view.
function useFitting(selected: Tab): { current: HTMLDivElement | null } {
  const row = useRef<HTMLDivElement>(null);
  const fit = (): void => {
    const tabs = row.current?.querySelector<HTMLElement>("[role=tablist]");
    if (!row.current || !tabs) return;
    for (const left of ["all", "names and stepper", "names"]) {
      row.current.dataset["left"] = left;
      if (tabs.scrollWidth <= tabs.clientWidth) break;
    }
  };
  useLayoutEffect(fit);
  useEffect(() => {
    const seen = new ResizeObserver(fit);
    if (row.current) seen.observe(row.current);
    return () => seen.disconnect();
  }, []);
  useLayoutEffect(() => {
    const tabs = row.current?.querySelector<HTMLElement>("[role=tablist]");
    const tab = document.getElementById(`tab-${selected}`);
    if (!tabs || !tab || selected === "health") return;
    const health = document.getElementById("tab-health")?.offsetWidth ?? 0;
    if (tab.offsetLeft < tabs.scrollLeft) tabs.scrollLeft = tab.offsetLeft;
    else tabs.scrollLeft = Math.max(tabs.scrollLeft, tab.offsetLeft + tab.offsetWidth + health + SHADE_PX - tabs.clientWidth);
  }, [selected]);
  return row;
}

function TabRow({ head, quiet }: { head: Head; quiet?: boolean }): JSX.Element {
  const counts: Record<string, number> = { ...head.counts, conversation: head.turns ?? 0 };
  const row = useFitting(place.value.tab);
  const tabs = TABS.filter((tab) => (tab !== "context" || hasContext(head)) && (tab !== "alerts" || hasAlerts(head) || place.value.tab === tab));
  const { waiting, stopped } = waits(head);
  const arrows = (event: KeyboardEvent): void => {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (!by) return;
    event.preventDefault();
    const next = tabs[(tabs.indexOf(place.value.tab) + by + tabs.length) % tabs.length]!;
    go({ tab: next, q: "" }, true);
    requestAnimationFrame(() => document.getElementById(`tab-${next}`)?.focus());
  };
  return (
    <div class={quiet ? "tabs quiet" : "tabs"}>
      <div class="row" ref={row}>
        <div role="tablist" aria-label="Views of this session" onKeyDown={arrows}>
          {tabs.map((tab) => (
            <button
              key={tab} role="tab" id={`tab-${tab}`} aria-controls="panel" aria-selected={place.value.tab === tab} tabIndex={place.value.tab === tab ? 0 : -1} title={`${NAMES[tab]} (${tab === "context" ? "c" : tab === "alerts" ? "g" : DIGITS.indexOf(tab) + 1})`}
              onClick={() => go({ tab, q: "" }, true)}
            >
              {NAMES[tab]}
              {tab === "alerts" ? waiting ? <Flag state={stopped ? "stopped" : "new"} n={waiting} /> : null : tab === "health" ? head.whole?.state === "not_whole" ? <Mark cut /> : null : counts[tab] && tab !== "context" ? <span>{count(counts[tab] ?? 0)}{(tab === "conversation" ? head.cut : head.more?.includes(tab)) ? "+" : ""}</span> : null}
            </button>
          ))}
        </div>
        {head.turns ? (
          <div class="step-t">
            <button aria-label="Turn before" title="Turn before (k)" onClick={() => step(-1, shown.value)}><Icon name="left" /></button>
            <span>{stepped(head)}</span>
            <button aria-label="Next turn" title="Next turn (j)" onClick={() => step(1, shown.value)}><Icon name="right" /></button>
          </div>
        ) : null}
      </div>
    </div>
  );
}

function stepped(head: Head): string {
  const { only, turn } = place.value;
  const at = indexOf(turn);
  if (ofSubAgent() && turn) return `its turn ${turn}`;
  if (!only) return at >= 0 ? `turn ${turn} of ${newestTurn(head)}` : plural(head.turns ?? 0, "turn");
  const here = shown.value.indexOf(at);
  return here < 0 ? `${count(shown.value.length)} of ${plural(head.turns ?? 0, "turn")}` : `${ONE[only]} ${here + 1} of ${shown.value.length}`;
}

function Problem(): JSX.Element {
  const { status, text } = problem.value!;
  if (status === 401) {
    return (
      <div class="center" role="alert">
        <h1>This page needs its token</h1>
        <p>Open the whole address that agentsight-rx printed, with everything behind the #. The token is kept for one tab, so a copied link needs it again.</p>
      </div>
    );
  }
  return (
    <div class="center" role="alert">
      <h1>{status === 404 ? "It is not here" : "This could not be shown"}</h1>
      <p class="cap">{text}</p>
      <p class="row"><button class="btn go" onClick={() => (problem.value = null, go({ recording: "", session: "", turn: 0, row: "", tab: "conversation", alert: "", view: "" }, true))}>Show the newest session</button><button class="btn" onClick={retry}>Try again</button></p>
    </div>
  );
}

function Waiting(): JSX.Element {
  if (gone.value) return <p class="soft pad">Nothing to show until it can be read again.</p>;
  if (!rail.value || rail.value.sessions.length) return <p class="soft pad" role="status">loading …</p>;
  return <FirstRun />;
}

const from = source();
listen(from.embedded);
begin(from);
listenToKeys(() => (saving.value = true));
listenToPrinting();
if (from instanceof ServerSource) {
  addEventListener("hashchange", () => {
    if (from.renew()) retry();
  });
}
render(<App />, document.getElementById("app")!);
