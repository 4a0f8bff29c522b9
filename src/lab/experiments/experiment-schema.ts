// The shape of an experiment file. As in the configuration's schema, the message of an issue is the hint: what would be
// right. Topology, workloads and anabranch configurations have schemas of their own; they are checked once the
// parameters are filled in.

import { z } from 'zod';
import { section, whole } from '../schema-parts.ts';

export const REPETITIONS_MAX = 1_000;
const LABELS_MAX = 100;
const PROCESSES_MAX = 64;

export function text(hint: string) {
  return z.string({ error: hint }).min(1, { error: hint });
}

const NAME_HINT = '1 to 32 letters, digits and hyphens, a letter first';
export const name = z.string({ error: NAME_HINT }).regex(/^[a-zA-Z][a-zA-Z0-9-]{0,31}$/, { error: NAME_HINT });
const anyMap = (hint: string) => z.record(z.string(), z.unknown(), { error: hint });
const count = (max: number) => whole(1, max);

const PARAMETER_HINT = 'a list of plain values, or a map from labels to values';
const plain = z.union([z.string(), z.number(), z.boolean()], { error: 'text, a number, true or false' });
/** Values by label; a plain value is its own label. */
const parameter = z
  .union(
    [
      z
        .array(plain)
        .min(1, { error: PARAMETER_HINT })
        .max(LABELS_MAX, { error: `at most ${LABELS_MAX}` })
        .transform((values) => new Map<string, unknown>(values.map((value) => [String(value), value]))),
      anyMap(PARAMETER_HINT).transform((values) => new Map<string, unknown>(Object.entries(values))),
    ],
    { error: PARAMETER_HINT },
  )
  .refine((values) => values.size > 0, { error: PARAMETER_HINT });
const parameters = z.record(name, parameter, { error: 'a map from names to values' });

const COMMAND_HINT = 'a list of texts: the program and its arguments';
const process = section(
  {
    host: text('the name of a host'),
    anabranch: anyMap('a configuration, as in a file for anabranch run').optional(),
    command: z
      .array(z.string({ error: COMMAND_HINT }), { error: COMMAND_HINT })
      .min(1, { error: COMMAND_HINT })
      .optional(),
    env: z.record(z.string(), z.string({ error: 'text' }), { error: 'a map from names to texts' }).default({}),
    ready: z
      .union([count(65_535).transform((port) => [port]), z.array(count(65_535))], {
        error: 'a TCP port, or a list of them',
      })
      .optional(),
  },
  'a process',
);
/** After the parameters are filled in. */
export const processesSchema = z
  .record(name, process, { error: 'a map from names to processes' })
  .refine((all) => Object.keys(all).length <= PROCESSES_MAX, { error: `at most ${PROCESSES_MAX} processes` });

const label = z.union([plain.transform((value) => [String(value)]), z.array(plain.transform(String))], {
  error: 'a label or a list of them',
});
const labels = z.record(name, label, { error: 'a map from parameters to labels' });
const skip = z.array(labels, { error: 'a list of maps from parameters to labels' }).default([]);
const paper = section(
  {
    when: labels.default({}),
    measure: text('the name of a measure'),
    figure: z.union([z.string(), z.number().transform(String)], { error: 'the figure, as text' }),
    source: text('where the figure is from'),
  },
  "a paper's figure",
);

const variables = z.record(name, z.unknown(), { error: 'a map from names to values' });
const quick = section(
  {
    repetitions: count(REPETITIONS_MAX).optional(),
    parameters: parameters.optional(),
    variables: variables.optional(),
    skip,
  },
  'what --quick changes',
);

const MEASURES_HINT = 'a map from columns of the table to measures';

export const experimentSchema = section(
  {
    name,
    title: text('a title'),
    about: text('what it is for').default(''),
    topology: z.union([z.string(), anyMap('a map')], { error: 'the name of a topology, or a topology' }),
    processes: z.unknown().optional(),
    workloads: anyMap('a map from names to workloads'),
    timeline: z.array(z.unknown(), { error: 'a list of moments' }).default([]),
    courses: z.array(z.unknown(), { error: 'a list of courses' }).default([]),
    reloads: z.array(z.unknown(), { error: 'a list of reloads' }).default([]),
    capacity: z.unknown().optional(),
    parameters: parameters.default({}),
    /** Settings that would say nothing new. */
    skip,
    variables: variables.default({}),
    repetitions: count(REPETITIONS_MAX).default(5),
    seed: z
      .int({ error: 'a whole number' })
      .min(0, { error: 'at least 0' })
      .max(0xffff_ffff, { error: 'at most 2^32 − 1' })
      .default(1),
    quick: quick.optional(),
    measures: anyMap(MEASURES_HINT).refine((all) => Object.keys(all).length > 0, { error: MEASURES_HINT }),
    papers: z.array(paper, { error: 'a list' }).default([]),
  },
  'an experiment',
);
export type ExperimentValues = z.output<typeof experimentSchema>;
