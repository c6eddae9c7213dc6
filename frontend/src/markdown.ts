// Markdown -> blocks and pieces: headings, lists, tables, quotes, code; bold, emphasis, code and links within a line. No HTML.

export type Align = "" | "left" | "center" | "right";
export type Block =
  | { kind: "text" | "code" | "rule"; text: string }
  | { kind: "heading"; text: string; level: number }
  | { kind: "quote"; blocks: Block[] }
  | { kind: "list"; ordered: boolean; start: number; items: Block[][] }
  | { kind: "table"; head: string[]; align: Align[]; rows: string[][] };
export interface Piece { kind: "text" | "code" | "bold" | "em" | "gone"; text: string; address?: string }

const FENCE = /^ {0,3}(`{3,}|~{3,})(.*)$/;
const HEADING = /^ {0,3}(#{1,6})[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$/;
const RULE = /^ {0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const ITEM = /^( *)([-*+]|\d{1,9}[.)])(?:[ \t]+|$)(.*)$/;
const QUOTE = /^ {0,3}>[ \t]?/;
const DIVIDER = /^[ \t]*\|?(?:[ \t]*:?-+:?[ \t]*\|)+(?:[ \t]*:?-+:?[ \t]*)?$/;
const DEPTH_MOST = 6;
const LINE_MOST = 4000; // characters: a longer line is text as it is

export function blocks(text: string, depth = 0): Block[] {
  const lines = text.split("\n");
  const found: Block[] = [];
  let plain: string[] = [];
  const end = (): void => {
    const said = plain.join("\n").replace(/^\n+|\s+$/g, "");
    if (said) found.push({ kind: "text", text: said });
    plain = [];
  };
  for (let at = 0; at < lines.length; ) {
    const line = lines[at]!;
    const next = line.length > LINE_MOST || depth > DEPTH_MOST ? null : special(lines, at, depth, plain.length > 0);
    if (next) {
      end();
      found.push(next.block);
      at = next.at;
    } else {
      if (line.trim()) plain.push(line);
      else end();
      at += 1;
    }
  }
  end();
  return found;
}

// The block that begins at a line, and the line behind it; null where it is text.
function special(lines: string[], at: number, depth: number, inText: boolean): { block: Block; at: number } | null {
  const line = lines[at]!;
  const fence = FENCE.exec(line);
  if (fence && !(fence[1]!.startsWith("`") && fence[2]!.includes("`"))) {
    const stop = new RegExp(`^ {0,3}${fence[1]![0]!}{${fence[1]!.length},}[ \\t]*$`);
    let last = at + 1;
    while (last < lines.length && !stop.test(lines[last]!)) last += 1;
    return { block: { kind: "code", text: lines.slice(at + 1, last).join("\n") }, at: last + 1 };
  }
  const heading = HEADING.exec(line);
  if (heading) return { block: { kind: "heading", level: heading[1]!.length, text: heading[2]! }, at: at + 1 };
  if (RULE.test(line)) return { block: { kind: "rule", text: "" }, at: at + 1 };
  if (QUOTE.test(line)) {
    let last = at;
    while (last < lines.length && QUOTE.test(lines[last]!)) last += 1;
    return { block: { kind: "quote", blocks: blocks(lines.slice(at, last).map((each) => each.replace(QUOTE, "")).join("\n"), depth + 1) }, at: last };
  }
  if (line.includes("|") && DIVIDER.test(lines[at + 1] ?? "")) {
    const head = cells(line);
    const divider = cells(lines[at + 1]!);
    if (head.length === divider.length) {
      let last = at + 2;
      while (last < lines.length && lines[last]!.includes("|")) last += 1;
      return { block: { kind: "table", head, align: divider.map(aligned), rows: lines.slice(at + 2, last).map((each) => fitted(cells(each), head.length)) }, at: last };
    }
  }
  const item = ITEM.exec(line);
  // A paragraph goes on with "1986. What a year", but not with "1. First".
  return item && !(inText && (!item[3] || (/\d/.test(item[2]!) && Number.parseInt(item[2]!, 10) !== 1))) ? list(lines, at, depth) : null;
}

function list(lines: string[], first: number, depth: number): { block: Block; at: number } {
  const begin = ITEM.exec(lines[first]!)!;
  const base = begin[1]!.length;
  const ordered = /\d/.test(begin[2]!);
  const items: string[][] = [];
  let at = first;
  for (; at < lines.length; at++) {
    const line = lines[at]!;
    const item = ITEM.exec(line);
    const indent = line.length - line.trimStart().length;
    if (item && indent < base + 2 && indent >= base && !RULE.test(line)) {
      if (/\d/.test(item[2]!) !== ordered) break;
      items.push([item[3]!]);
    } else if (!line.trim()) {
      const after = lines[at + 1];
      if (after === undefined || !after.trim()) break;
      if (after.length - after.trimStart().length < base + 2 && !ITEM.test(after)) break;
      items[items.length - 1]!.push("");
    } else if (indent >= base + 2) items[items.length - 1]!.push(line.slice(Math.min(indent, base + begin[2]!.length + 1)));
    else if (items[items.length - 1]!.at(-1) === "" || FENCE.test(line) || HEADING.test(line) || QUOTE.test(line) || RULE.test(line) || item) break;
    else items[items.length - 1]!.push(line);
  }
  const inner = items.map((each) => blocks(each.join("\n"), depth + 1));
  return { block: { kind: "list", ordered, start: ordered ? Number.parseInt(begin[2]!, 10) : 1, items: inner }, at };
}

function cells(line: string): string[] {
  const inner = line.trim().replace(/^\|/, "").replace(/(?<!\\)\|$/, "");
  const found = [""];
  let code = false;
  for (let at = 0; at < inner.length; at++) {
    if (inner[at] === "\\" && inner[at + 1] === "|") found[found.length - 1] += inner[++at]!;
    else if (inner[at] === "|" && !code) found.push("");
    else {
      if (inner[at] === "`") code = !code;
      found[found.length - 1] += inner[at]!;
    }
  }
  return found.map((each) => each.trim());
}

function aligned(cell: string): Align {
  const [left, right] = [cell.startsWith(":"), cell.endsWith(":")];
  return left && right ? "center" : right ? "right" : left ? "left" : "";
}

function fitted(row: string[], width: number): string[] {
  return Array.from({ length: width }, (_, at) => row[at] ?? "");
}

const INLINE = new RegExp(
  [
    "(?<tick>`+)(?<code>[^`]|[^`].{0,2000}?[^`])\\k<tick>(?!`)",
    "\\*\\*(?<bold>[^\\s*](?:[^\\n]{0,2000}?[^\\s])?)\\*\\*", "(?<![\\w_])__(?<bold2>[^\\s_](?:[^\\n]{0,2000}?[^\\s])?)__(?![\\w_])",
    "~~(?<gone>[^\\s~](?:[^\\n]{0,2000}?[^\\s])?)~~",
    "(?<![\\w*])\\*(?<em>[^\\s*](?:[^*\\n]{0,2000}[^\\s*])?)\\*(?![\\w*])", "(?<![\\w_])_(?<em2>[^\\s_](?:[^_\\n]{0,2000}[^\\s_])?)_(?![\\w_])",
    "!?\\[(?<label>[^\\[\\]\\n]{0,1000})\\]\\((?<address>[^()\\s]{0,2000})(?: \"[^\"\\n]{0,500}\")?\\)",
  ].join("|"),
  "gs",
);

// A link is text: its words, and its address beside them.
export function pieces(text: string): Piece[] {
  if (text.length > LINE_MOST || !/[`*_~[]/.test(text)) return [{ kind: "text", text }];
  const found: Piece[] = [];
  let last = 0;
  for (const each of text.matchAll(INLINE)) {
    if (each.index > last) found.push({ kind: "text", text: text.slice(last, each.index) });
    const named = each.groups!;
    const bold = named["bold"] ?? named["bold2"];
    const em = named["em"] ?? named["em2"];
    if (named["code"] !== undefined) found.push({ kind: "code", text: named["code"] });
    else if (bold !== undefined) found.push({ kind: "bold", text: bold });
    else if (named["gone"] !== undefined) found.push({ kind: "gone", text: named["gone"] });
    else if (em !== undefined) found.push({ kind: "em", text: em });
    else found.push({ kind: "text", text: named["label"] ?? "", address: named["address"] ?? "" });
    last = each.index + each[0].length;
  }
  if (last < text.length) found.push({ kind: "text", text: text.slice(last) });
  return found;
}
