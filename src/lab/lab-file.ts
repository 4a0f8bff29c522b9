// The YAML files of the lab, topologies and experiments: read with every fault at its line and column, and found by their
// names when they come with the program.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Document, LineCounter, parseDocument } from 'yaml';
import { type Fault, type Finding, formatFault, formatPath } from '../config/fault.ts';
import { placeAt, placeOf } from '../config/places.ts';
import { wordsOf } from '../config/yaml-faults.ts';
import { LabError, LabErrorCode } from './lab-error.ts';
import { unknownName } from './unknown-name.ts';

export interface LabFile {
  /** What the file says, before any schema. */
  readonly values: unknown;
  /** The error that tells all findings at their places, each once. */
  refusal(findings: readonly Finding[]): LabError;
}

const FILE_BYTES_MAX = 1 << 20;
/** Enough to share sections, too few to blow up memory. */
const ALIASES_MAX = 1_000;

/** Throws a LabError for what is not YAML; `path` names the file in messages. */
export function parseLabFile(text: string, path: string): LabFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' });
  const broken = [...document.errors, ...document.warnings];
  if (broken.length > 0) {
    throw refusal(broken.map((error) => ({ file: path, ...placeAt(lines, error.pos[0]), key: '', ...wordsOf(error) })));
  }
  return {
    values: valuesOf(document, path),
    refusal: (findings) =>
      refusal(
        findings.map(({ path: keys, message, hint, atKey = false }) => {
          return { file: path, ...placeOf(document, lines, keys, atKey), key: formatPath(keys), message, hint };
        }),
      ),
  };
}

function refusal(faults: readonly Fault[]): LabError {
  const sorted = faults.toSorted((a, b) => a.line - b.line || a.column - b.column);
  return new LabError(LabErrorCode.topology, [...new Set(sorted.map(formatFault))].join('\n'));
}

function valuesOf(document: Document, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: ALIASES_MAX }) ?? {};
  } catch (error) {
    if (!(error instanceof ReferenceError || error instanceof RangeError)) throw error;
    const message = 'has an alias that leads nowhere, or too many';
    throw refusal([{ file, line: 0, column: 0, key: '', message, hint: 'write out what the aliases stand for' }]);
  }
}

/** Throws a LabError that says why it cannot be read. */
export function readLabText(path: string, bytesMax = FILE_BYTES_MAX): string {
  try {
    const bytes = readFileSync(path);
    if (bytes.length <= bytesMax) return bytes.toString('utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'there is no such file' : code;
    throw new LabError(LabErrorCode.topology, `cannot read ${path}: ${why}`);
  }
  throw new LabError(LabErrorCode.topology, `${path} is larger than ${bytesMax} bytes`);
}

/** Names of the files that come with the program in a folder, in their order. */
export function shippedNames(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder).filter((file) => file.endsWith('.yaml'));
  return files.map((file) => file.slice(0, -'.yaml'.length)).sort();
}

/**
 * The path of a file that is meant by its name, or by its path. A name comes first: whoever means a file in the working
 * folder writes `./name`. Throws a LabError for a name that nothing has; `what` it should have been.
 */
export function findLabFile(what: string, nameOrPath: string, folder: string): string {
  const shipped = join(folder, `${nameOrPath}.yaml`);
  const isName = /^[a-zA-Z0-9-]+$/.test(nameOrPath);
  if (isName && existsSync(shipped)) return shipped;
  if (isName && !existsSync(nameOrPath)) throw unknownName(what, nameOrPath, shippedNames(folder));
  return nameOrPath;
}
