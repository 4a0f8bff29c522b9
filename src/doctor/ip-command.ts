// ip(8), as the doctor asks it.

import { execFile } from 'node:child_process';

const COMMAND_MS_MAX = 3000;
const OUTPUT_BYTES_MAX = 1024 * 1024;

/** What ip(8) prints, or `undefined` when it fails or is missing. It is often outside an ordinary user's PATH. */
export async function ip(...args: string[]): Promise<string | undefined> {
  for (const program of ['ip', '/usr/sbin/ip', '/sbin/ip']) {
    const { output, missing } = await run(program, args);
    if (!missing) return output;
  }
  return undefined;
}

function run(program: string, args: readonly string[]): Promise<{ output: string | undefined; missing: boolean }> {
  const limits = { timeout: COMMAND_MS_MAX, maxBuffer: OUTPUT_BYTES_MAX };
  return new Promise((resolve) => {
    execFile(program, args, limits, (error, output) => {
      resolve({ output: error ? undefined : output, missing: error?.code === 'ENOENT' });
    });
  });
}
