// From the text of a file to a configuration, or to all of its faults at once.

import { type Alias, type Document, LineCounter, parseDocument, visit } from 'yaml';
import { checkTogether } from './checks.ts';
import type { Config } from './config.ts';
import { type Fault, type Finding, formatPath } from './fault.ts';
import { type ConfigDefaults, fillConfig } from './fill.ts';
import { findingsOf } from './issues.ts';
import { placeAt, placeOf } from './places.ts';
import { fileSchema } from './schema.ts';
import { BAD_ALIAS, leavesRestReadable, wordsOf } from './yaml-faults.ts';

export type Parsed = { readonly config: Config } | { readonly faults: readonly Fault[] };

export interface ParseOptions {
  /** As it shall appear in faults. */
  readonly fileName: string;
  readonly defaults: ConfigDefaults;
}

/** In UTF-16 units; some ten thousand rules. Parsing takes about 100 bytes of memory a unit. */
const TEXT_LENGTH_MAX = 4 << 20;
/** More would not be read. */
const FAULTS_MAX = 200;
/** Uses of YAML aliases: enough to share a section, too few to blow up memory. */
const ALIASES_MAX = 1_000;

/** Never throws; every fault names its place. */
export function parseConfig(text: string, { fileName, defaults }: ParseOptions): Parsed {
  if (text.length > TEXT_LENGTH_MAX) return refuse(fileName, 'is longer than 4 MiB', 'a shorter file');
  try {
    return parseText(text, fileName, defaults);
  } catch (error) {
    // The parser is recursive: nesting beyond all measure ends in a RangeError (the stack), aliases in a ReferenceError.
    if (error instanceof RangeError) return refuse(fileName, 'is nested too deeply', 'a few levels are enough');
    if (error instanceof ReferenceError)
      return refuse(fileName, 'uses too many aliases, or one in itself', 'write it out');
    throw error;
  }
}

function parseText(text: string, fileName: string, defaults: ConfigDefaults): Parsed {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' });
  const problems = [...document.errors, ...document.warnings];
  const syntax = problems.map((error): Fault => {
    return { file: fileName, ...placeAt(lines, error.pos[0]), key: '', ...wordsOf(error) };
  });
  syntax.push(
    ...danglingAliases(document).map((offset) => ({ ...BAD_ALIAS, file: fileName, ...placeAt(lines, offset) })),
  );
  if (!problems.every(leavesRestReadable) || syntax.length > problems.length) return { faults: tidy(syntax) };
  const raw: unknown = document.toJS({ maxAliasCount: ALIASES_MAX }) ?? {};
  const result = validate(raw, defaults);
  if (!('findings' in result)) return syntax.length > 0 ? { faults: tidy(syntax) } : result;
  const faults = result.findings.map(({ path, message, hint, atKey = false, hidesKey }): Fault => {
    const key = formatPath(hidesKey ? path.slice(0, -1) : path);
    return { file: fileName, ...placeOf(document, lines, path, atKey), key, message, hint };
  });
  return { faults: tidy([...syntax, ...faults]) };
}

/** Checks values, wherever they come from. */
export function validate(
  raw: unknown,
  defaults: ConfigDefaults,
): { readonly config: Config } | { readonly findings: readonly Finding[] } {
  const result = fileSchema.safeParse(raw);
  const findings = [
    ...(result.success ? [] : findingsOf(result.error.issues, raw)),
    ...checkTogether(raw, defaults.accounts),
  ];
  return result.success && findings.length === 0 ? { config: fillConfig(result.data, defaults) } : { findings };
}

/** Offsets of aliases that stand for nothing before them. Looking one up walks the file, so there must not be many. */
function danglingAliases(document: Document): number[] {
  const aliases: Alias[] = [];
  visit(document, { Alias: (_, alias) => void aliases.push(alias) });
  if (aliases.length > ALIASES_MAX) throw new ReferenceError('more aliases than ALIASES_MAX');
  return aliases.filter((alias) => alias.resolve(document) === undefined).map(({ range }) => range?.[0] ?? 0);
}

function refuse(file: string, message: string, hint: string): Parsed {
  return { faults: [{ file, line: 0, column: 0, key: '', message, hint }] };
}

/** In the order of the file, one a place and message, and no more than one can read. */
function tidy(faults: readonly Fault[]): Fault[] {
  const unique = new Map(faults.map((fault) => [`${fault.line}:${fault.column} ${fault.key} ${fault.message}`, fault]));
  const sorted = [...unique.values()].sort((a, b) => a.line - b.line || a.column - b.column);
  if (sorted.length <= FAULTS_MAX) return sorted;
  const { file } = sorted[0] as Fault;
  const more = `there are ${sorted.length - FAULTS_MAX} more faults`;
  return [
    ...sorted.slice(0, FAULTS_MAX),
    { file, line: 0, column: 0, key: '', message: more, hint: 'mend these first' },
  ];
}
