// A configuration from a file or from flags, with the defaults of this machine. Shared by the commands that need one.

import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { text } from 'node:stream/consumers';
import type { Fault } from '../config/fault.ts';
import type { ConfigDefaults } from '../config/fill.ts';
import { type ConfigFlags, configFromFlags } from '../config/flags.ts';
import { type Parsed, parseConfig } from '../config/parse.ts';

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'you may not read it',
  EISDIR: 'it is a directory',
};

/** Where the admin API listens unless told otherwise, and where other commands look for it. */
export function defaultAdminPath(): string {
  // Set by systemd (RuntimeDirectory=) and by login sessions; a shared /tmp would let others put a socket there first.
  const { RUNTIME_DIRECTORY, XDG_RUNTIME_DIR } = process.env;
  const directory = RUNTIME_DIRECTORY?.split(':')[0] ?? (process.getuid?.() === 0 ? '/run' : XDG_RUNTIME_DIR);
  return `${directory ?? `/run/user/${process.getuid?.()}`}/anabranch.sock`;
}

export function machineDefaults(): ConfigDefaults {
  return { workers: availableParallelism(), admin: defaultAdminPath() };
}

/** Reads and checks a file; `-` is standard input. A file that cannot be read is a fault like any other. */
export async function loadConfigFile(path: string): Promise<Parsed> {
  const fileName = path === '-' ? 'standard input' : path;
  let content: string;
  try {
    content = path === '-' ? await text(process.stdin) : await readFile(path, 'utf8');
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException;
    const message = `cannot be read: ${REASONS[code] ?? code}`;
    const fault: Fault = {
      file: fileName,
      line: 0,
      column: 0,
      key: '',
      message,
      hint: 'a YAML file that you may read',
    };
    return { faults: [fault] };
  }
  return parseConfig(content, { fileName, defaults: machineDefaults() });
}

export function loadConfigFlags(flags: ConfigFlags): Parsed {
  return configFromFlags(flags, machineDefaults());
}
