// Topology files: YAML, with every fault at its line and column.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Document, LineCounter, parseDocument } from 'yaml';
import { type Fault, formatFault, formatPath } from '../config/fault.ts';
import { placeAt, placeOf } from '../config/places.ts';
import { wordsOf } from '../config/yaml-faults.ts';
import { LabError, LabErrorCode } from './lab-error.ts';
import { TRACE_HINT } from './link-change.ts';
import type { Topology } from './topology.ts';
import type { TopologyFault } from './topology-fault.ts';
import { settleTopology } from './topology-input.ts';
import { unknownName } from './unknown-name.ts';

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
  const names = readdirSync(SHIPPED)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => file.slice(0, -'.yaml'.length))
    .sort();
  return names.map((name) => {
    const path = join(SHIPPED, `${name}.yaml`);
    const comment = /^(?:#.*\n)+/.exec(readText(path, FILE_BYTES_MAX))?.[0].replace(/^#\s?/gm, '') ?? '';
    return { name, path, about: /^.*?[.:](?=\s|$)/s.exec(comment)?.[0].replaceAll('\n', ' ').slice(0, -1) ?? '' };
  });
}

const FILE_BYTES_MAX = 1 << 20;
const TRACE_BYTES_MAX = 64 << 20;
/** Enough to share a section, too few to blow up memory. */
const ALIASES_MAX = 100;

/** Reads a topology by its path, or by its name when it comes with the program. Throws a LabError with all faults. */
export function readTopology(nameOrPath: string): Topology {
  const shipped = join(SHIPPED, `${nameOrPath}.yaml`);
  const isName = /^[a-z0-9-]+$/.test(nameOrPath);
  const path = isName && existsSync(shipped) ? shipped : nameOrPath;
  if (isName && !existsSync(path)) {
    const names = shippedTopologies().map(({ name }) => name);
    throw unknownName('topology', nameOrPath, names);
  }
  return parseTopology(readText(path, FILE_BYTES_MAX), path);
}

/** Parses the text of a topology file; `path` names it in messages, and traces are found beside it. */
export function parseTopology(text: string, path: string): Topology {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' });
  const broken = [...document.errors, ...document.warnings];
  if (broken.length > 0) {
    throw refusal(broken.map((error) => ({ file: path, ...placeAt(lines, error.pos[0]), key: '', ...wordsOf(error) })));
  }
  const faults: TopologyFault[] = [];
  const input = loadTraces(valuesOf(document, path), dirname(path), faults);
  const settled = settleTopology(input);
  faults.push(...(settled.faults ?? []));
  if (settled.topology !== undefined && faults.length === 0) return settled.topology;
  throw refusal(
    faults.map(({ path: keys, message, hint, atKey = false }) => {
      return { file: path, ...placeOf(document, lines, keys, atKey), key: formatPath(keys), message, hint };
    }),
  );
}

function refusal(faults: readonly Fault[]): LabError {
  const sorted = faults.toSorted((a, b) => a.line - b.line || a.column - b.column);
  return new LabError(LabErrorCode.topology, sorted.map(formatFault).join('\n'));
}

function valuesOf(document: Document, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: ALIASES_MAX }) ?? {};
  } catch (error) {
    if (!(error instanceof ReferenceError || error instanceof RangeError)) throw error;
    const hint = 'write out what the aliases stand for';
    throw refusal([
      { file, line: 0, column: 0, key: '', message: 'has an alias that leads nowhere, or too many', hint },
    ]);
  }
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
          readText(isAbsolute(holder.trace) ? holder.trace : join(directory, holder.trace), TRACE_BYTES_MAX),
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

function readText(path: string, bytesMax: number): string {
  try {
    const bytes = readFileSync(path);
    if (bytes.length <= bytesMax) return bytes.toString('utf8');
    throw new LabError(LabErrorCode.topology, `${path} is larger than ${bytesMax} bytes`);
  } catch (error) {
    if (error instanceof LabError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw new LabError(
      LabErrorCode.topology,
      `cannot read ${path}: ${code === 'ENOENT' ? 'there is no such file' : code}`,
    );
  }
}
