// Text of a model as it is meant: headings, lists, tables, quotes, code. Every word stands in an element for captured text.

import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { blocks, pieces, type Block, type Piece } from "../markdown";
import { T } from "./bits";

export function Markdown({ text }: { text: string }): JSX.Element {
  const found = useMemo(() => blocks(text), [text]);
  return <Blocks blocks={found} />;
}

function Blocks({ blocks }: { blocks: Block[] }): JSX.Element {
  return <>{blocks.map((each, at) => <One key={at} block={each} />)}</>;
}

function One({ block }: { block: Block }): JSX.Element {
  switch (block.kind) {
    case "code":
      return <pre class="res" tabIndex={0}><T text={block.text} /></pre>;
    case "rule":
      return <hr />;
    case "heading": // of a text within the page: no heading of the page itself
      return <p class={`md-h md-${Math.min(block.level, 4)}`} dir="auto"><Line text={block.text} /></p>;
    case "quote":
      return <blockquote><Blocks blocks={block.blocks} /></blockquote>;
    case "list": {
      const items = block.items.map((each, at) => <li key={at}>{each.length === 1 && each[0]!.kind === "text" ? <span class="pre" dir="auto"><Line text={each[0]!.text} /></span> : <Blocks blocks={each} />}</li>);
      return block.ordered ? <ol class="md" start={block.start}>{items}</ol> : <ul class="md">{items}</ul>;
    }
    case "table":
      return (
        <div class="scroll" tabIndex={0}>
          <table class="md">
            <thead><tr>{block.head.map((each, at) => <th key={at} scope="col" style={{ textAlign: block.align[at] || "left" }}><Line text={each} /></th>)}</tr></thead>
            <tbody>{block.rows.map((row, n) => <tr key={n}>{row.map((each, at) => <td key={at} style={{ textAlign: block.align[at] || "left" }}><Line text={each} /></td>)}</tr>)}</tbody>
          </table>
        </div>
      );
    case "text":
      return <p class="pre" dir="auto"><Line text={block.text} /></p>;
  }
}

function Line({ text }: { text: string }): JSX.Element {
  return <>{pieces(text).map((each, at) => <Said key={at} piece={each} />)}</>;
}

function Said({ piece }: { piece: Piece }): JSX.Element {
  switch (piece.kind) {
    case "code":
      return <T code text={piece.text} />;
    case "bold":
      return <strong>{piece.text.includes("`") ? <Line text={piece.text} /> : <T text={piece.text} />}</strong>;
    case "em":
      return <em><T text={piece.text} /></em>;
    case "gone":
      return <s><T text={piece.text} /></s>;
    case "text":
      return <><T text={piece.text} />{piece.address !== undefined && piece.address !== piece.text ? <> (<T text={piece.address} />)</> : null}</>;
  }
}
