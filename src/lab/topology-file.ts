// Topology files: YAML, with every fault at its line and column.

import { dirname, isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LabError, LabErrorCode } from './lab-error.ts';
import { findLabFile, parseLabFile, readLabText, shippedNames } from './lab-file.ts';
import { TRACE_HINT } from './link-change.ts';
import type { Topology } from './topology.ts';
import type { TopologyFault } from './topology-fault.ts';
import { settleTopology } from './topology-input.ts';

/** The topologies that come with the program. */
const SHIPPED = fileURLToPath(new URL('../../topologies/', import.meta.url));

export interface ShippedTopology {
  readonly name: string;
  readonly path: string;
  /** The first sentence of the file's comment. */
  readonly about: string;
}

/** In the order of their names. */
export function shippedTopologies(): ShippedTopology[] {
  return shippedNames(SHIPPED).map((name) => {
    const path = join(SHIPPED, `${name}.yaml`);
    const comment = /^(?:#.*\n)+/.exec(readLabText(path))?.[0].replace(/^#\s?/gm, '') ?? '';
    return { name, path, about: /^.*?[.:](?=\s|$)/s.exec(comment)?.[0].replaceAll('\n', ' ').slice(0, -1) ?? '' };
  });
}

const TRACE_BYTES_MAX = 64 << 20;

/** Reads a topology by its path, or by its name when it comes with the program. Throws a LabError with all faults. */
export function readTopology(nameOrPath: string): Topology {
  const path = findLabFile('topology', nameOrPath, SHIPPED);
  return parseTopology(readLabText(path), path);
}

/** Parses the text of a topology file; `path` names it in messages, and traces are found beside it. */
export function parseTopology(text: string, path: string): Topology {
  const file = parseLabFile(text, path);
  const faults: TopologyFault[] = [];
  const input = loadTraces(file.values, dirname(path), faults);
  const settled = settleTopology(input);
  faults.push(...(settled.faults ?? []));
  if (settled.topology !== undefined && faults.length === 0) return settled.topology;
  throw file.refusal(faults);
}

/** Replaces the name of each trace file by its times: one whole number of milliseconds a line, as Mahimahi has it. */
function loadTraces(input: unknown, directory: string, faults: TopologyFault[]): unknown {
  const links = (input as { links?: unknown } | null)?.links;
  if (typeof links !== 'object' || links === null) return input;
  for (const [link, spec] of Object.entries(links)) {
    for (const direction of [undefined, 'up', 'down'] as const) {
      const holder: unknown = direction === undefined ? spec : (spec as Record<string, unknown> | null)?.[direction];
      if (typeof holder !== 'object' || holder === null || !('trace' in holder)) continue;
      if (typeof holder.trace !== 'string') continue;
      const path = ['links', link, ...(direction === undefined ? [] : [direction]), 'trace'];
      try {
        holder.trace = parseTrace(
          readLabText(isAbsolute(holder.trace) ? holder.trace : join(directory, holder.trace), TRACE_BYTES_MAX),
        );
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        faults.push({ path, message, hint: TRACE_HINT });
        holder.trace = null;
      }
    }
  }
  return input;
}

/** Throws a LabError naming the first bad line. */
export function parseTrace(text: string): number[] {
  const times: number[] = [];
  for (const [i, line] of text.split('\n').entries()) {
    const trimmed = line.trim();
    if (trimmed === '') continue;
    if (!/^\d{1,12}$/.test(trimmed)) {
      throw new LabError(LabErrorCode.topology, `line ${i + 1} of the trace must be a whole number of milliseconds`);
    }
    times.push(Number(trimmed));
  }
  return times;
}
