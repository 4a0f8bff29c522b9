// An anabranch that reads another configuration in mid-run: as the file writes it, and how it is done.

import { request } from 'node:http';
import { z } from 'zod';
import { LabError, LabErrorCode } from '../lab-error.ts';
import { section, time } from '../schema-parts.ts';
import { text } from './experiment-schema.ts';

export const reloadSchema = section(
  {
    at: time,
    process: text('the name of a process'),
    /** Take the place of those that the configuration has. */
    with: z.record(z.string(), z.unknown(), { error: 'keys of a configuration and their new values' }),
  },
  'a reload',
);

export interface Reload {
  readonly atMs: number;
  readonly process: string;
  /** What changes; for the record. */
  readonly keys: readonly string[];
  /** The whole of the new configuration. */
  readonly anabranch: Readonly<Record<string, unknown>>;
}

const ANSWER_MS_MAX = 15_000;
const ANSWER_BYTES_MAX = 1 << 20;

/** Rejects with a LabError that says why the process keeps its old configuration, or a part of it. */
export async function askForReload(socketPath: string, name: string): Promise<void> {
  const { status, body } = await post(socketPath, '/reload').catch((error: Error) => {
    throw new LabError(LabErrorCode.command, `process ${name} did not reload: ${error.message}`);
  });
  const { error, notes = [] } = parse(body);
  if (status !== 200) throw new LabError(LabErrorCode.command, `process ${name} did not reload: ${error ?? status}`);
  // What does not take effect would be measured as if it had.
  if (notes.length > 0) throw new LabError(LabErrorCode.command, `process ${name} reloaded, but ${notes.join('; ')}`);
}

function parse(body: string): { readonly error?: string; readonly notes?: readonly string[] } {
  try {
    return JSON.parse(body) as { error?: string; notes?: string[] };
  } catch {
    return { error: body };
  }
}

function post(
  socketPath: string,
  path: string,
): Promise<{ readonly status: number | undefined; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(
      { socketPath, path, method: 'POST', timeout: ANSWER_MS_MAX, host: 'anabranch' },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (part: string) => {
          body += part;
          if (body.length > ANSWER_BYTES_MAX) asked.destroy(new Error('the answer is too long'));
        });
        response.on('end', () => resolve({ status: response.statusCode, body }));
      },
    );
    asked.on('timeout', () => asked.destroy(new Error(`no answer within ${ANSWER_MS_MAX / 1_000} s`)));
    asked.on('error', reject);
    asked.end();
  });
}
