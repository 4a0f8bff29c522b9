// anabranch doctor --fix: does what the verdicts recommend, as far as it is settings of the kernel; says what was and is.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

import type { Change, Kept } from '../doctor/apply.ts';
import { commandOf, type Remedy, settingOf } from '../doctor/remedy.ts';
import type { Verdict } from '../doctor/verdict.ts';
import { CliError } from './cli-error.ts';

export interface FixFlags {
  readonly dryRun: boolean;
  readonly permanent: boolean;
}

export interface FixReport {
  readonly ok: boolean;
  readonly rehearsed: boolean;
  readonly changes: readonly Change[];
  /** What it leaves to people: paths, routes, programs. */
  readonly byHand: readonly Verdict[];
  readonly kept: readonly Kept[];
}

/** What was changed since the machine started: gone with it, as the settings are. For a `--permanent` that comes later. */
const CHANGED_FILE = '/run/anabranch/doctor-fixed.json';

export async function fixSettings(verdicts: readonly Verdict[], flags: FixFlags): Promise<FixReport> {
  const { dryRun, permanent } = flags;
  if (!dryRun && process.geteuid?.() !== 0) {
    const message = 'doctor --fix changes settings of the kernel and needs root; --dry-run shows what it would change';
    throw new CliError(message, 3);
  }
  const { applyRemedies, filesFor, writeKept } = await import('../doctor/apply.ts');
  const remedies = unique(verdicts.flatMap((verdict) => verdict.remedies ?? []));
  const changes = await applyRemedies(remedies, { rehearse: dryRun });
  const done = changes.filter(({ failure }) => failure === undefined).map(({ remedy }) => remedy);
  const sinceStart = unique([...readChanged(), ...done]);
  const kept = permanent ? filesFor(sinceStart, readText) : [];
  if (!dryRun) {
    writeChanged(sinceStart);
    for (const file of kept) keep(file, writeKept);
  }
  const byHand = verdicts.filter(({ mend, remedies = [] }) => mend.length > remedies.length);
  return { ok: done.length === changes.length, rehearsed: dryRun, changes, byHand, kept };
}

function keep(file: Kept, write: (file: Kept) => void): void {
  try {
    write(file);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CliError(`the settings are changed, but not for good: ${file.path} cannot be written: ${reason}`, 1);
  }
}

/** The last one for each setting, in the order of the first. */
function unique(remedies: readonly Remedy[]): Remedy[] {
  return [...new Map(remedies.map((remedy) => [settingOf(remedy), remedy])).values()];
}

function readChanged(): Remedy[] {
  try {
    const value: unknown = JSON.parse(readText(CHANGED_FILE) ?? '[]');
    return Array.isArray(value) ? value.filter(isRemedy) : [];
  } catch {
    return [];
  }
}

function isRemedy(value: unknown): value is Remedy {
  const { kind, name, value: set } = (value ?? {}) as Readonly<Record<string, unknown>>;
  return typeof name === 'string' && (kind === 'module' || (kind === 'sysctl' && typeof set === 'string'));
}

/** Best effort: without it only a later `--permanent` knows less. */
function writeChanged(remedies: readonly Remedy[]): void {
  if (remedies.length === 0) return;
  try {
    mkdirSync(dirname(CHANGED_FILE), { recursive: true });
    writeFileSync(CHANGED_FILE, JSON.stringify(remedies), { mode: 0o644 });
  } catch {
    // A system without /run.
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

export function formatFix(report: FixReport, permanent: boolean): string {
  const { changes, byHand, kept, rehearsed } = report;
  const lines: string[] = [];
  if (changes.length === 0) lines.push('No setting is in need of change.');
  else lines.push(...table(changes, rehearsed));
  if (byHand.length > 0) {
    lines.push('', 'By hand:');
    for (const { id, found, mend, remedies = [] } of byHand) {
      const automatic = new Set(remedies.map(commandOf));
      const rest = mend.filter((line) => !automatic.has(line)).map((line) => `    → ${line}`);
      lines.push(`  ${id}: ${found}`, ...rest);
    }
  }
  for (const file of kept) {
    lines.push(
      '',
      `${rehearsed ? 'Would be kept' : 'Kept'} in ${file.path}:`,
      ...file.lines.map((line) => `  ${line}`),
    );
  }
  if (changes.length > 0 && !permanent) {
    lines.push('', 'Until the machine is started again; anabranch doctor --fix --permanent keeps it for good.');
  }
  if (permanent && changes.some(({ remedy }) => remedy.kind === 'limits')) {
    lines.push('', "MPTCP's limits have no file to be kept in: anabranch paths manage sets them at each start.");
  }
  return `${lines.join('\n')}\n`;
}

function table(changes: readonly Change[], rehearsed: boolean): string[] {
  const rows = [
    ['SETTING', rehearsed ? 'NOW' : 'BEFORE', rehearsed ? 'WOULD BE' : 'AFTER'],
    ...changes.map(({ remedy, before, after }) => [settingOf(remedy), before ?? '?', after ?? '?']),
  ];
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => (row[column] as string).length)));
  return rows.flatMap((row, i) => {
    const failure = changes[i - 1]?.failure;
    const line = row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ');
    return failure === undefined ? [line.trimEnd()] : [line.trimEnd(), `  → not changed: ${failure}`];
  });
}
