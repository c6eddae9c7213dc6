// The answers of /api/v1, as agentsight_rx/view/page makes them. Fields with their default value are left out.

export interface Cost { usd: number | null; unknown_calls: number; unknown_models: string[]; as_of: string | null; by: string[] }
export interface ListRow {
  id: string; recording: string; agent: string; start_ms: number; end_ms: number; live?: boolean; model?: string; title?: string;
  step?: string; turns?: number; turn?: number; tokens?: number; usd?: number | null; unpriced?: number; left?: number | null; missing?: number; failed?: number;
  failed_tools?: number; files?: number; waiting?: number; stopped?: boolean; project?: string; branch?: string; file?: boolean; recorded?: boolean;
  compared?: number; found?: number; nth?: number; same?: number; recordings?: string[];
}
export interface StepOf { n: number; kind: string; target?: string; said?: string; bad?: boolean; times?: number }
export interface OnlyOne { title: string; text: string; usd?: number | null }
export interface SideOf { row: ListRow; steps?: StepOf[]; more?: number; total?: number; context?: number[]; only?: OnlyOne[]; last_failed?: boolean; commit_step?: number; commit?: string }
export type NumberOf = [name: string, a: number | null, b: number | null];
export interface Compared {
  a: SideOf; b: SideOf; part?: number; same?: StepOf[]; more?: number; prompt_words?: number | null; numbers?: NumberOf[]; tools?: NumberOf[];
}
export interface HowFar { files?: number; read_files?: number; size?: number; read?: number; unreadable?: number; skipped?: number; caught_up?: boolean; error?: string }
export interface FilesOf { agent: string; folder: string; files: number; size: number; first_ms: number; last_ms: number; keeps?: string }
export interface Import {
  state: "none" | "running" | "done" | "stopped" | "failed"; so_far?: HowFar; ms?: number; there?: FilesOf[]; absent?: string[]; kept?: boolean;
}
export type DaySum = [sessions: number, usd: number, unknown: number, failed: number];
export interface Rail {
  sessions: ListRow[]; next: string; recordings: number; unreadable: { recording: string; error: string }[]; total?: number; all?: number; left?: number;
  days?: Record<string, DaySum>;
}
export interface Sums {
  of: number; sessions?: number; recorded?: number; both?: number; agree?: number; gaps?: number; usd?: number; unpriced?: number; tokens?: number; asked?: number;
  cached?: number; ms?: number; model_ms?: number; failed?: number; first_ms?: number; last_ms?: number; projects?: [string, number][]; more_projects?: number;
  branches?: [string, number][]; models?: [string, number][]; more_models?: number; first?: string; values?: number[]; counts?: number[]; ran?: [number, number][]; cut?: [number, number][];
  without?: Record<string, number>; choices?: Record<string, [string, number][]>; left?: number;
}
export interface Clause { text: string; tab?: Tab; turn?: number }
export interface Whole { state: "whole" | "so_far" | "not_whole"; missing?: number; said?: string[]; records?: number; counted?: boolean; hooked?: string; file?: string; gone?: string; compared?: number; found?: number }
export interface Strip {
  n: number[]; call: string[]; start: number[]; ms: number[]; context: number[]; cached: number[]; flags: number[];
}
export interface SubLane {
  id: string; name: string; turn: number; turns: number; ms: number; context: number[]; cached: number[]; task?: string; tool?: string; cost?: number | null; flags?: number[];
}
export interface Numbers {
  calls?: number; sub_calls?: number; failed_calls?: number; tokens_in?: number; cached?: number; tokens_out?: number;
  reasoning?: number; cost?: Cost; context?: number; left?: number | null; model_ms?: number; tools_ms?: number; idle_ms?: number;
  tools?: number; failed_tools?: number; first_word?: Spread; a_tool?: Spread;
}
export interface Signal { title: string; text: string; code?: string; turns?: number[]; more?: number; bad?: boolean; tab?: Tab; diff?: string; alert?: number }
export interface RawCall {
  id: string; method?: string; url?: string; version?: string; stream?: number; kept_open?: boolean; status?: number; sent_ms?: number | null; first_ms?: number | null;
  end_ms?: number | null; request_bytes?: number; response_bytes?: number; request_heads?: [string, string][]; response_heads?: [string, string][];
  events?: number; request_cut?: string; response_cut?: string; curl?: string; python?: string; variables?: string[]; refused?: string; tries?: [string, number][];
}
export interface RawBody { text: string; total: number }
export interface Spread { count?: number; p50?: number; p95?: number; few?: boolean }
export interface Slow { ms: number; turn: number; what?: string; why?: string; whole_ms?: number; end?: string; bad?: boolean; approx?: boolean; row?: string }
export interface Latency {
  first: Spread; tools: Spread; first_ms: number[]; first_turns: number[]; tool_ms: number[]; tool_turns: number[]; tool_bad: boolean[]; slow_calls: Slow[];
  slow_tools: Slow[];
}
export interface Failure { outcome: string; what: string; turns: number[]; rows: string[]; line?: string; differs?: boolean }
export interface Answered { what: string; outcome: string; meaning: string; turn: number; row: string }
export interface Failures { groups: Failure[]; answers: Answered[]; more: number; more_answers: number }
export interface Step { text: string; state: "todo" | "doing" | "done" }
export interface Read { state: "proven" | "trying" | "not"; title: string; text: string; side?: string; pid?: number }
export interface Head {
  id: string; recording: string; live: boolean; agent: string; start_ms: number; end_ms: number; agent_version?: string; title?: string; model?: string;
  models?: string[]; cwd?: string; container?: string; pid?: number; comm?: string; verdict?: Clause[]; whole?: Whole; strip?: Strip; turns?: number;
  lanes?: SubLane[]; from_turn?: number; window?: number; numbers?: Numbers; signals?: Signal[]; plan?: Step[]; counts?: Record<string, number>;
  reads?: Read[]; cut?: boolean; more?: string[]; version?: number; alerts?: AlertColumns; halt?: Halt | null; export?: string; others?: string[];
}
export interface Text { text: string; more?: boolean }
export interface Gap { what: string; why: string; stage?: string; since_ms?: number; do?: string }
export interface Program { pid: number; argv: string; depth?: number; end?: string; ms?: number | null; bad?: boolean; cpu_ms?: number | null; memory?: number | null; start_ms?: number; helper?: boolean }
export interface ToolCard {
  id: string; name: string; asked: string; how: string; state: "ok" | "failed" | "running"; start_ms: number; ms?: number | null;
  tied?: string; sure?: number; cwd?: string; programs?: Program[]; more_programs?: number; files?: { sign: string; path: string }[];
  more_files?: number; read?: number; hosts?: string[]; result?: Text | null; repeat?: number; gap?: Gap | null; cpu_ms?: number; memory?: number;
  pause_ms?: number | null;
}
export interface Try { call: string; status?: number; ms?: number | null; why?: string; waited_ms?: number | null; retry_after_s?: number | null; state?: string }
export interface SubAgent {
  id: string; name: string; turns: number; start_ms: number; ms: number; tokens_in: number; tool?: string; task?: string; asker?: string; asked_in?: number; answered_in?: number; cost?: number | null;
  bad?: boolean; gap?: boolean; cards?: TurnCard[];
}
export interface Prompt { turn: number; text: string }
export interface TurnCard {
  call: string; n: number; start_ms: number; ms?: number | null; first_ms?: number | null; tokens_in?: number; cached?: number;
  out?: number; cost?: number | null; model?: string; through?: string; status?: string; new?: string[]; prompt?: Text | null; asked?: Prompt | null; thinking?: Text | null;
  words?: number; answer?: Text | null; tools?: ToolCard[]; subs?: SubAgent[]; gap?: Gap | null; error?: string; tries?: Try[]; bad?: boolean; alerts?: AlertMark[];
}
// What an answer that goes on said, from piece number `first` on.
export interface Said { call: string; first: number; pieces: { block: number; kind: "text" | "reasoning" | "call"; text: string; name?: string }[] }
export interface Turns { start: number; total: number; cards: TurnCard[] }
export interface Body { kind: string; text: string; title?: string; total?: number; bad?: boolean }
export interface CallBody {
  id: string; model?: string; answered_by?: string; provider?: string; host?: string; through?: string; status?: number; finish?: string;
  parameters?: Record<string, string>; tools?: string[]; messages?: { role: string; parts: Body[] }[]; first?: number; fresh?: number; total?: number;
  answer?: Body[]; error?: string; unknown?: string[]; missing?: string; cost?: number | null; cost_by?: string;
}
export interface DiffLine { change: "same" | "new" | "gone"; at: number; count?: number; role?: string; parts?: Body[] }
export type Value = string | number | null; // of a parameter; null: it was not sent
export interface DiffBody {
  a: string; b: string; turn_a?: number; turn_b?: number; parameters?: { name: string; first: Value; second: Value }[];
  lines?: DiffLine[]; tools_added?: string[]; tools_removed?: string[]; tools_changed?: string[]; uncached?: number; missing?: string;
}
export interface Rows<R> {
  kind: string; start: number; total: number; rows: R[]; folder: string; partial: boolean; kinds: Record<string, number>; unheld: number; command: string;
}
export interface ProcessLine {
  id: string; pid: number; depth: number; argv: string; start_ms: number; ms?: number | null; end?: string; bad?: boolean; agent?: string;
  cwd?: string; turn?: number; tool?: string; kids?: number; starts?: boolean;
}
export interface FileLine {
  path: string; kind: string; count?: number; errors?: number; error?: string; target?: string; read?: number; written?: number;
  last_ms?: number; by?: string; turn?: number; tool?: string; prompt?: string; asked?: number; made?: boolean; how?: string; plus?: number; minus?: number; edits?: number; size?: number;
}
export interface FileChange { turn: number; tool: string; row: string; after: string; before?: string | null; marked?: boolean; cut?: boolean }
export interface FileStory { path: string; changes?: FileChange[]; said?: string; content?: string | null }
export interface HostLine {
  kind: "host" | "peer" | "unread"; name: string; count?: number; errors?: number; error?: string; calls?: number; sent?: number | null;
  received?: number | null; paths?: string[]; names?: string[]; by?: string; turn?: number; last_ms?: number;
}
export interface McpLine {
  id: string; start_ms: number; server: string; method: string; tool?: string; outcome?: string; ms?: number | null; params?: string;
  result?: string; client?: number; pid?: number; turn?: number;
}
export interface HttpLine {
  id: string; start_ms: number; method: string; host: string; path: string; status?: number; state?: string; why?: string;
  ms?: number | null; sent?: number; received?: number; type?: string; by?: string; peer?: string; passed_on?: boolean; turn?: number; call?: string; version?: string;
}
export interface Lane {
  kind: "model" | "tools" | "agent" | "program" | "files"; name: string; start: number[]; end: number[]; flags: number[]; turn: number[];
  label: string[]; info?: string[]; below?: boolean;
}
export interface Lanes { start_ms: number; length_ms: number; lanes: Lane[]; curve: { at: number[]; cpu: number[]; memory: number[] }; partial: boolean; first_ms: number }
export interface LogLine { at: string; n: number; time_ms: number; source: string; text: string; who?: string; pid?: number; bad?: boolean }
export interface LogPage { total: number; lines: LogLine[]; next?: string; seen?: number; sources?: string[] }
export interface Missing {
  what: string; why: string; stage: string; do?: string; since_ms?: number; pid?: number; tab?: Tab;
}
export interface Stage {
  id: string; name: string; what: string; arrived?: number | null; before?: number | null; kept?: number | null; lost?: number;
  asked?: number; size?: number; why?: string[];
}
export interface HealthPage {
  whole: Whole; missing: Missing[]; stages: Stage[]; reads: Read[]; unknown: { id: string; timestamp_ms: number; provider: string; field: string; count: number; first_call_id: string; view_source?: string }[];
  filters: string[]; runs: [number, number, boolean][]; removed_before_ms?: number;
}
export interface Hit { recording: string; session: string; turn: number; kind: string; at_ms: number; row: string; text: string }
export interface Found { hits: Hit[]; searched: number; recordings: number; going_on?: boolean; texts?: number }

export interface ContextThread { id: string; name: string; turns: number }
export interface ContextFinding {
  title: string; text: string; do: string; usd?: number | null; tokens?: number; approx?: boolean; command?: string; turns?: number[]; origin?: number;
  diff?: string;
}
export interface ContextOverTime {
  n: number[]; sums: number[][]; read: number[]; written: number[]; flags: number[]; prompts?: number[]; window?: number; fullest?: number;
  threads?: ContextThread[]; counted?: boolean; calls?: number; model?: string; findings?: ContextFinding[];
  file?: boolean;
}
export interface ContextBlock {
  tokens: number; origins: number[]; id?: string; what?: string; since?: number; until?: number; count?: number; approx?: boolean; fixed?: boolean;
  code?: boolean; again?: number; first_change?: boolean;
}
export interface ContextRow {
  id: string; what: string; whose: string; origin: number; tokens: number; since: number; requests: number; lives?: number[]; approx?: boolean;
  code?: boolean; cached_usd?: number | null; full_usd?: number | null; mentioned?: number; again?: number; dropped?: number; never?: boolean; target?: Clause | null;
}
export interface ContextSum {
  what: string; tokens: number; count?: number; approx?: boolean; code?: boolean; cached_usd?: number | null; full_usd?: number | null; carried?: number;
}
export interface ContextNote { kind: "lost" | "compacted" | "cleared"; said: Clause[]; more?: Clause[]; dropped?: ContextSum[]; came?: ContextSum[]; diff?: string }
export interface ContextServer {
  name: string; tools: number; calls: number; never: number; tokens: number; requests: number; usd?: number | null; approx?: boolean; command?: string;
}
export interface ContextTurn {
  turn: number; call: string; at_ms: number; tokens: number; segments: number; sentence: Clause[]; blocks?: ContextBlock[]; rows?: ContextRow[];
  rest?: ContextSum | null; total?: ContextSum | null; servers?: ContextServer[]; notes?: ContextNote[]; chosen?: ContextRow | null; counted?: boolean;
  read?: number; written?: number; uncached?: number; usd?: number | null; prices?: string; dropped_usd?: number | null; gap?: Gap | null;
}

export type AlertState = "stopped" | "new" | "seen" | "allowed" | "note" | "part";
export const STATES: readonly AlertState[] = ["stopped", "new", "seen", "allowed", "note", "part"];
export interface AlertColumns { n?: number[]; turn?: number[]; state?: number[]; more?: number }
export interface AlertMark { n: number; rule: string; sentence: string; tool?: string; count?: number }
export interface Halt { who: string; since_ms: number; halted: boolean; running: boolean; go_on: string; end: string }
export interface AlertLine {
  n: number; id: string; rule: string; do: string; state: AlertState; at_ms: number; sentence: string; last_ms?: number; count?: number; recording?: string;
  session?: string; agent?: string; turn?: number; prompt?: string; proven?: number; cut?: boolean; cost?: number | null; part_of?: number;
}
export interface AlertPart {
  kind: string; text?: string; more?: string; tied?: string; sure?: boolean; code?: boolean; tab?: Tab; turn?: number; row?: string; q?: string;
}
export interface AlertProof { id: string; at_ms?: number; text?: string; tab?: Tab; turn?: number; row?: string; q?: string }
export interface AlertWhole {
  line: AlertLine; parts: AlertPart[]; proofs?: AlertProof[]; because?: string; means?: string; misses?: string; entry?: string; removes?: number;
  allowed?: string; file?: string; sha256?: string; seen_ms?: number; next?: number; halt?: Halt | null; workspace?: string;
}
export interface AlertList {
  start: number; total: number; rows: AlertLine[]; waiting?: number; decided?: number; notes?: number; stopped?: number; refusal?: string; wrong?: string;
}
export interface Days {
  begin_ms: number[]; cost: number[]; unknown: number[]; sessions: number[]; agents: number[]; failed: number[]; waiting: number[]; decided: number[];
  gaps: number[]; files: number[];
}
export interface Dear { row: ListRow; why?: string }
export interface Machine {
  days: Days; waits?: AlertLine[]; waiting?: number; stopped?: number; guarded?: boolean; today?: [string, number][]; running?: ListRow[];
  dearest?: Dear[]; left_out?: number; refusal?: string; wrong?: string; recorder?: RecorderLine | null;
}
export interface RecorderLine {
  state: "running" | "paused" | "down" | "hidden" | "absent"; since_ms?: number; until_ms?: number; sessions?: number; bytes?: number; missing?: string[];
  more_missing?: number;
}

export const TABS = ["conversation", "alerts", "context", "timeline", "processes", "files", "network", "mcp", "http", "log", "health"] as const;
export type Tab = (typeof TABS)[number];
export const DIGITS = TABS.filter((tab) => tab !== "context" && tab !== "alerts"); // the tabs of the keys 1 to 9; Context has `c`, Alerts `g`

// A server that knows what fills the context counts the turns of which it does.
export function hasContext(head: Head | null): boolean {
  return head?.counts?.["context"] !== undefined;
}
// Alerts are a tab where there is one.
export function hasAlerts(head: Head | null): boolean {
  return (head?.counts?.["alerts"] ?? 0) > 0;
}
export const FAILED = 1;
export const MISSING = 2;
export const RUNNING = 4;
export const SUB_AGENT = 8;
export const COMPACTED = 16;
export const CACHE_LOST = 32;
export const NOT_COUNTED = 64;
export const CLEARED = 256;
export const PARTS_UNKNOWN = 128;
export const CHANGED = 512; // files, by a tool of the turn
export const PROMPTED = 1024;

// What gives the answers: a server, or the page itself.
export interface Change { kind: "changed" | "alert" | "answer" | "list" | "gone" | "end" | "lost" | "refused" | "back"; text?: string; version?: number; said?: Said }

export interface Source {
  readonly embedded: boolean;
  readonly leftOut: readonly string[]; // of the session, what this source does not have
  get<T>(path: string, given?: Record<string, string | number>, signal?: AbortSignal): Promise<T>;
  // Says something to the server; a file has none.
  post<T>(path: string, value: unknown): Promise<T>;
  // A file that the server makes.
  file(path: string, given: Record<string, string>): Promise<Blob>;
  // Calls back while it lasts; returns what ends it.
  watch(recording: string, tell: (change: Change) => void | Promise<void>): () => void;
}
