// Where in a YAML file a value stands.

import { type Document, isAlias, isMap, isScalar, isSeq, type LineCounter, type Node, type Pair } from 'yaml';
import type { FaultPath } from './fault.ts';

export interface Place {
  readonly line: number;
  readonly column: number;
}

/**
 * The place of the value at `path`, or of its key; when there is none, of the nearest thing around it that has a place.
 */
export function placeOf(document: Document, lines: LineCounter, path: FaultPath, atKey: boolean): Place {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const [depth, part] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document);
    const pair = isMap(node) ? node.items.find((item) => keyOf(item) === String(part)) : undefined;
    const next: unknown = isSeq(node) ? node.items[Number(part)] : pair?.value;
    const key = startOf(pair?.key);
    if (pair !== undefined && depth === path.length - 1 && (atKey || startOf(next) === undefined)) {
      offset = key ?? offset;
      break;
    }
    if (next === undefined || next === null) {
      offset = key ?? offset;
      break;
    }
    node = next;
    offset = startOf(node) ?? offset;
  }
  return placeAt(lines, offset);
}

export function placeAt(lines: LineCounter, offset: number): Place {
  const { line, col } = lines.linePos(offset);
  // Before the first line break of an empty file there is no line yet.
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

function keyOf(item: Pair): string {
  return isScalar(item.key) ? String(item.key.value) : String(item.key);
}

function startOf(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0];
}
