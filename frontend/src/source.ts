// Where answers come from: a server, or, in a file with all in it, what stands in the page itself.

import { EmbeddedSource, type Embedded } from "./embedded";
import { Refused } from "./refused";
import type { Change, Said, Source } from "./shapes";

const TOKEN = "agentsight-rx token";
const REFUSED_MS = 10_000; // until a server that does not know the token is asked again

// The token comes in the fragment, is taken out of the address at once, and kept for this tab alone.
function token(): string {
  const found = /^#token=([\w-]+)$/.exec(location.hash);
  if (found?.[1]) {
    sessionStorage.setItem(TOKEN, found[1]);
    history.replaceState(history.state, "", location.pathname + location.search);
  }
  return sessionStorage.getItem(TOKEN) ?? "";
}

export class ServerSource implements Source {
  readonly embedded = false;
  readonly leftOut = [];
  private bearer = token();

  private wake = (): void => undefined; // ends the wait of the stream

  // Another token in the same tab, as when the address is opened again.
  renew(): boolean {
    const before = this.bearer;
    this.bearer = token();
    if (this.bearer !== before) this.wake();
    return this.bearer !== before;
  }

  async get<T>(path: string, given: Record<string, string | number> = {}, signal?: AbortSignal): Promise<T> {
    const answer = await this.fetch(path, given, signal ? { signal } : {});
    return (await answer.json()) as T;
  }

  async post<T>(path: string, value: unknown): Promise<T> {
    const answer = await this.fetch(path, {}, { method: "POST", body: JSON.stringify(value) });
    return (await answer.json()) as T;
  }

  async file(path: string, given: Record<string, string>): Promise<Blob> {
    return (await this.fetch(path, given, {})).blob();
  }

  private async fetch(path: string, given: Record<string, string | number>, more: RequestInit): Promise<Response> {
    const query = new URLSearchParams(Object.entries(given).map(([name, value]) => [name, String(value)]));
    const text = query.toString();
    const answer = await fetch(`/api/v1/${path}${text ? `?${text}` : ""}`, {
      ...more,
      headers: { authorization: `Bearer ${this.bearer}` },
    });
    if (!answer.ok) {
      const said: unknown = await answer.json().catch(() => null);
      const error = said && typeof said === "object" && "error" in said ? String(said.error) : `HTTP ${answer.status}`;
      throw new Refused(answer.status, error);
    }
    return answer;
  }

  watch(recording: string, tell: (change: Change) => void | Promise<void>): () => void {
    const ending = new AbortController();
    void this.follow(recording, tell, ending.signal);
    return () => ending.abort();
  }

  // EventSource cannot send the token in a header, so the stream is read by hand.
  private async follow(recording: string, tell: (change: Change) => void | Promise<void>, signal: AbortSignal): Promise<void> {
    let lost = "";
    let listed = false; // the first list is the one that the page has
    for (let wait = 500; !signal.aborted; wait = Math.min(wait * 2, 5000)) {
      let now: "lost" | "refused" = "lost";
      try {
        const answer = await this.fetch("live", { rows: "none", recording }, { signal });
        if (lost) tell({ kind: "back" });
        lost = "";
        wait = 500;
        for await (const [name, data] of messages(answer.body!)) {
          if (name === "changed") tell({ kind: name, version: (JSON.parse(data) as { version: number }).version });
          if (name === "list" && listed) tell({ kind: name });
          listed ||= name === "list";
          if (name === "answer") tell({ kind: name, said: JSON.parse(data) as Said });
          if (name === "alert") tell({ kind: name });
          if (name === "changed" || name === "list" || name === "answer" || name === "alert") continue;
          if (name === "gone") tell({ kind: "gone", text: String((JSON.parse(data) as { error: string }).error) });
          else if (name === "end") {
            await tell({ kind: "end" }); // while this stream is open the server waits for the last questions
            return;
          }
        }
      } catch (error) {
        now = error instanceof Refused && error.status === 401 ? "refused" : "lost";
      }
      if (signal.aborted) return;
      if (lost !== now) tell({ kind: now });
      lost = now;
      await new Promise<void>((done) => {
        this.wake = done;
        setTimeout(done, now === "refused" ? REFUSED_MS : wait);
      });
    }
  }
}

// The address that was pasted, at the place that is open; "": it has no token.
export function reopened(address: string): string {
  const found = /^\s*(https?:\/\/[^/\s]+)\/[^#\s]*#token=([\w-]+)\s*$/.exec(address);
  return found ? `${found[1]}${location.pathname}${location.search}#token=${found[2]}` : "";
}

async function* messages(body: ReadableStream<Uint8Array>): AsyncGenerator<[string, string]> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      rest += decoder.decode(value, { stream: true }).replaceAll("\r", "");
      const blocks = rest.split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        let name = "message";
        const data: string[] = [];
        for (const line of block.split("\n")) {
          if (line.startsWith("event: ")) name = line.slice(7);
          else if (line.startsWith("data: ")) data.push(line.slice(6));
        }
        yield [name, data.join("\n")];
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

export function source(): Source {
  const embedded = document.getElementById("embedded");
  if (embedded?.textContent) return new EmbeddedSource(JSON.parse(embedded.textContent) as Embedded);
  return new ServerSource();
}
