// Carries out what the doctor would do by hand: settings of the running kernel, and files that keep them.

import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { ip } from './ip-command.ts';
import { parseLimits } from './readings.ts';
import { type Remedy, sysctlFileName, sysctlPath } from './remedy.ts';

export interface Change {
  readonly remedy: Remedy;
  /** `undefined`: it could not be read. */
  readonly before: string | undefined;
  /** As read back; in a rehearsal, as it would be. */
  readonly after: string | undefined;
  /** Why it is not as it should be. */
  readonly failure: string | undefined;
}

export interface ApplyOptions {
  /** Only looks, and says what would be. */
  readonly rehearse: boolean;
  /** Where /proc/sys is. */
  readonly root?: string;
}

const COMMAND_MS_MAX = 10_000;

/** One after the other, in the order given: a module may bring what a later setting names. Never rejects. */
export async function applyRemedies(remedies: readonly Remedy[], options: ApplyOptions): Promise<Change[]> {
  const changes: Change[] = [];
  for (const remedy of remedies) changes.push(await apply(remedy, options));
  return changes;
}

async function apply(remedy: Remedy, { rehearse, root = '/proc/sys' }: ApplyOptions): Promise<Change> {
  const wanted = wantedText(remedy);
  const before = await read(remedy, root);
  if (rehearse || before === wanted) return { remedy, before, after: wanted, failure: undefined };
  const failure = await write(remedy, wanted, root);
  const after = await read(remedy, root);
  if (after === wanted) return { remedy, before, after, failure: undefined };
  return { remedy, before, after, failure: failure ?? 'the kernel took another value' };
}

function wantedText(remedy: Remedy): string {
  switch (remedy.kind) {
    case 'sysctl':
      return oneLine(remedy.value);
    case 'module':
      return 'there';
    case 'limits':
      return `${remedy.subflows}, ${remedy.accepted}`;
  }
}

async function read(remedy: Remedy, root: string): Promise<string | undefined> {
  switch (remedy.kind) {
    case 'sysctl':
      return readText(join(root, sysctlPath(remedy.name)));
    case 'module': {
      // Built in or loaded, it shows here; of one that nobody has asked for yet nothing does.
      const controls = readText(join(root, sysctlPath('net.ipv4.tcp_available_congestion_control')));
      if (controls === undefined) return undefined;
      return controls.split(' ').includes(remedy.name.replace('tcp_', '')) ? 'there' : 'missing';
    }
    case 'limits': {
      const limits = parseLimits((await ip('mptcp', 'limits', 'show')) ?? '');
      return limits && `${limits.subflows}, ${limits.addAddrAccepted}`;
    }
  }
}

/** Returns why it failed. */
async function write(remedy: Remedy, wanted: string, root: string): Promise<string | undefined> {
  switch (remedy.kind) {
    case 'sysctl':
      try {
        writeFileSync(join(root, sysctlPath(remedy.name)), wanted);
        return undefined;
      } catch (error) {
        return error instanceof Error ? error.message : String(error);
      }
    case 'module':
      return await modprobe(remedy.name);
    case 'limits': {
      const { subflows, accepted } = remedy;
      const said = await ip('mptcp', 'limits', 'set', 'subflows', `${subflows}`, 'add_addr_accepted', `${accepted}`);
      return said === undefined ? 'ip(8) is missing or refused' : undefined;
    }
  }
}

function modprobe(name: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile('modprobe', [name], { timeout: COMMAND_MS_MAX }, (error, _, said) => {
      resolve(error === null ? undefined : said.trim().split('\n')[0] || error.message);
    });
  });
}

function readText(path: string): string | undefined {
  try {
    return oneLine(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

function oneLine(text: string): string {
  return text.trim().replace(/\s+/g, ' ');
}

/** Files that bring settings back at each start of the machine: sysctl.d(5), modules-load.d(5). */
export const SYSCTL_FILE = '/etc/sysctl.d/90-anabranch.conf';
export const MODULES_FILE = '/etc/modules-load.d/anabranch.conf';

export interface Kept {
  readonly path: string;
  readonly lines: readonly string[];
}

/**
 * The files' lines: those there are, with what is to be kept put in; anabranch's alone. MPTCP's limits have no such file.
 * `read`: a file's text; `undefined`: there is none.
 */
export function filesFor(remedies: readonly Remedy[], read: (path: string) => string | undefined): Kept[] {
  const settings = new Map<string, string>();
  for (const line of linesOf(read(SYSCTL_FILE))) {
    const match = /^([^=\s]+)\s*=\s*(.*)$/.exec(line);
    if (match) settings.set(match[1] as string, match[2] as string);
  }
  const modules = new Set(linesOf(read(MODULES_FILE)));
  for (const remedy of remedies) {
    if (remedy.kind === 'sysctl') settings.set(sysctlFileName(remedy.name), remedy.value);
    if (remedy.kind === 'module') modules.add(remedy.name);
  }
  const files = [
    { path: SYSCTL_FILE, lines: [...settings].map(([name, value]) => `${name} = ${value}`) },
    { path: MODULES_FILE, lines: [...modules] },
  ];
  return files.filter(({ lines }) => lines.length > 0);
}

function linesOf(text: string | undefined): string[] {
  return (text ?? '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#') && !line.startsWith(';'));
}

const HEAD = '# Written by "anabranch doctor --fix --permanent".\n';

/** Writes one beside the old and puts it in its place: a file that is half written would be half applied. Throws. */
export function writeKept({ path, lines }: Kept): void {
  mkdirSync(dirname(path), { recursive: true });
  const beside = `${path}.new`;
  writeFileSync(beside, `${HEAD}${lines.join('\n')}\n`, { mode: 0o644 });
  renameSync(beside, path);
}
