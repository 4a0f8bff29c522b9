// Results of an experiment in the lab, as its file tells them. The lab is another room: what a report needs of the file
// is checked here, the rest is left alone.

import { readFile, stat } from 'node:fs/promises';
import { z } from 'zod';

/** An hour of measuring makes some ten million bytes. */
const FILE_BYTES_MAX = 512 << 20;

const series = z.object({ startMs: z.number(), binMs: z.number().positive(), bytes: z.array(z.number()) });
const run = z.looseObject({
  figures: z.record(z.string(), z.number().nullable()),
  steps: z.array(z.object({ what: z.string(), atMs: z.number() })),
  originMs: z.number(),
  measures: z.looseObject({
    interfaces: z.array(z.object({ host: z.string(), link: z.string(), sent: series, received: series })),
  }),
});
/** JSON has no infinity: the interval of a single run. */
const bound = z.number().nullable();
const summary = z.object({
  count: z.number(),
  mean: z.number(),
  median: z.number(),
  min: z.number(),
  max: z.number(),
  standardDeviation: z.number(),
  meanLow: bound,
  meanHigh: bound,
});
const setting = z.looseObject({
  name: z.string(),
  labels: z.record(z.string(), z.string()),
  capacityMbit: z.number().optional(),
  measures: z.record(
    z.string(),
    z.object({
      take: z.string(),
      unit: z.string(),
      summary: summary.optional(),
      missing: z.number(),
      papers: z.array(z.object({ figure: z.string(), source: z.string() })),
    }),
  ),
  runs: z.array(run),
});
const results = z.looseObject({
  format: z.literal(1),
  experiment: z.looseObject({ name: z.string(), title: z.string(), text: z.string() }),
  quick: z.boolean(),
  interrupted: z.boolean(),
  provenance: z.looseObject({
    kernel: z.string(),
    cores: z.number(),
    load: z.number(),
    startedAt: z.string(),
    anabranch: z.string(),
    command: z.string(),
  }),
  settings: z.array(setting).min(1),
});

export type Results = z.output<typeof results>;
export type Setting = z.output<typeof setting>;
export type Run = z.output<typeof run>;
export type Series = z.output<typeof series>;

/** The file is not what it should be; the message says where. */
export class ResultsError extends Error {
  readonly code = 'not-results';

  constructor(path: string, why: string) {
    super(`${path} does not hold the results of an experiment: ${why}`);
    this.name = 'ResultsError';
  }
}

/** Rejects with a ResultsError, or with Node's error. */
export async function readResults(path: string): Promise<Results> {
  const { size } = await stat(path);
  if (size > FILE_BYTES_MAX) throw new ResultsError(path, `it is larger than ${FILE_BYTES_MAX >> 20} MiB`);
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall !== undefined) throw error;
    throw new ResultsError(path, size === 0 ? 'it is empty' : 'it is not JSON');
  }
  const parsed = results.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new ResultsError(path, `${issue?.path.join('.') || 'the top level'}: ${issue?.message}`);
}

/** The run nearest to the middle by the first measure: the one to show when only one is shown. */
export function typicalRun({ measures, runs }: Setting): Run | undefined {
  const first = Object.keys(measures)[0] ?? '';
  const median = measures[first]?.summary?.median;
  if (median === undefined) return runs[0];
  const distance = ({ figures }: Run) => Math.abs((figures[first] ?? Number.POSITIVE_INFINITY) - median);
  return runs.reduce<Run | undefined>(
    (best, one) => (best === undefined || distance(one) < distance(best) ? one : best),
    undefined,
  );
}
