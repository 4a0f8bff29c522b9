// One setting of an experiment, with everything filled in and checked: what the runner builds.

import { z } from 'zod';
import type { Config } from '../../config/config.ts';
import type { Finding } from '../../config/fault.ts';
import { findingsOf } from '../../config/issues.ts';
import { suggest } from '../../config/nearest.ts';
import { validate } from '../../config/parse.ts';
import { LabError } from '../lab-error.ts';
import { section } from '../schema-parts.ts';
import type { TimelineEntry } from '../timeline.ts';
import type { Topology } from '../topology.ts';
import { readTopology } from '../topology-file.ts';
import { settleTopology } from '../topology-input.ts';
import type { CapacityQuery } from './capacity.ts';
import { type CourseFault, courseEntries, courseSchema } from './course.ts';
import { type ExperimentValues, processesSchema } from './experiment-schema.ts';
import { type Measure, measureSchema } from './measure-schema.ts';
import { drawMoments } from './moments.ts';
import type { ProcessSpec } from './processes.ts';
import { type Reload, reloadSchema } from './reload.ts';
import { fillTemplate, type Scope } from './template.ts';
import { type PlannedWorkload, planWorkload, workloadSchema } from './workload-schema.ts';

export interface Scene {
  readonly topology: Topology;
  readonly processes: readonly ProcessSpec[];
  readonly workloads: readonly PlannedWorkload[];
  readonly timeline: readonly TimelineEntry[];
  readonly reloads: readonly Reload[];
  /** The links that carry the payload, to say how much they can. */
  readonly capacity: CapacityQuery | undefined;
  readonly measures: ReadonlyMap<string, Measure>;
  /** Times that are drawn for each run (`12s ± 500ms`), and what they are in this scene, in milliseconds. */
  readonly moments: ReadonlyMap<string, number>;
}

const capacitySchema = section(
  {
    links: z.array(z.string(), { error: 'a list of links' }),
    direction: z.enum(['up', 'down'], { error: 'up or down' }),
    protocol: z.enum(['tcp', 'mptcp'], { error: 'tcp or mptcp' }),
  },
  'a capacity',
);
type TemplateFinding = Parameters<typeof fillTemplate>[3][number];
type Values = Pick<
  ExperimentValues,
  'topology' | 'processes' | 'workloads' | 'timeline' | 'courses' | 'reloads' | 'capacity' | 'measures'
>;

/** Whatever happens or is looked at in time. */
const TIMED: readonly (keyof Values)[] = ['workloads', 'timeline', 'courses', 'reloads', 'measures'];

/**
 * Fills in the values of one setting. `seed` draws the times that differ from run to run. Findings name the keys of the
 * experiment file.
 */
export function prepareScene(
  values: Values,
  given: Scope,
  seed?: number,
): { readonly scene: Scene } | { readonly findings: Finding[] } {
  const findings: Finding[] = [];
  const moments = new Map<string, number>();
  const fill = <Key extends keyof Values>(key: Key, scope: Scope): unknown => {
    const filled = fillTemplate(values[key], scope, [key], findings as TemplateFinding[]);
    return TIMED.includes(key) ? drawMoments(filled, seed, moments, [key], findings) : filled;
  };
  const topology = readScene(fill('topology', given), [...asList(fill('timeline', given))], findings);
  if (topology === undefined) return { findings };
  const known = { ...given, address: addressesOf(topology) };
  // Values of parameters may name addresses themselves.
  const scope = { ...known, ...(fillTemplate(given, known, ['parameters'], findings as TemplateFinding[]) as Scope) };
  const processes = readProcesses(withoutNull(fill('processes', scope)), topology, findings);
  const workloads = readMap(fill('workloads', scope), 'workloads', workloadSchema, findings).map(([name, shape]) =>
    planWorkload(name, shape),
  );
  const measures = new Map(readMap(fill('measures', scope), 'measures', measureSchema, findings));
  const raw = fill('capacity', scope);
  const capacity = raw === undefined ? undefined : read(capacitySchema, raw, ['capacity'], findings);
  const courses = asList(fill('courses', scope)).flatMap((course, i) => readCourse(course, i, topology, findings));
  const reloads = asList(withoutNull(fill('reloads', scope))).flatMap((raw, i) =>
    readReload(raw, i, processes, findings),
  );
  checkNames({ topology, processes, workloads, measures, capacity }, findings);
  if (findings.length > 0) return { findings };
  const timeline = [...topology.timeline, ...courses].sort((a, b) => a.atMs - b.atMs);
  return { scene: { topology, processes, workloads, timeline, reloads, capacity, measures, moments } };
}

/** The topology with the experiment's timeline. */
function readScene(raw: unknown, timeline: readonly unknown[], findings: Finding[]): Topology | undefined {
  let named: Topology | undefined;
  let input = raw as Record<string, unknown>;
  if (typeof raw === 'string') {
    try {
      named = readTopology(raw);
    } catch (error) {
      if (!(error instanceof LabError)) throw error;
      findings.push({ path: ['topology'], message: error.message, hint: 'see docs/lab.md' });
      return undefined;
    }
    // Only names matter here: they are what a timeline refers to.
    const hosts = Object.fromEntries(named.hosts.map(({ name }) => [name, null]));
    const links = Object.fromEntries(named.links.map(({ name, hosts: between }) => [name, { between }]));
    input = { hosts, links };
  }
  const settled = settleTopology({ ...input, ...(timeline.length > 0 ? { timeline } : {}) });
  for (const fault of settled.faults ?? []) {
    const isOurs = fault.path[0] === 'timeline' && timeline.length > 0;
    findings.push({ ...fault, path: isOurs ? fault.path : ['topology', ...fault.path] });
  }
  if (settled.topology === undefined || named === undefined) return settled.topology;
  return { ...named, timeline: timeline.length > 0 ? settled.topology.timeline : named.timeline };
}

/** `${address.HOST.LINK}`: its first IPv4 address there. */
function addressesOf({ hosts, links }: Topology): Scope {
  return Object.fromEntries(
    hosts.map(({ name }) => [
      name,
      Object.fromEntries(
        links
          .filter((link) => link.hosts.includes(name))
          .map((link) => [
            link.name,
            link.addresses[link.hosts[0] === name ? 0 : 1].find(({ family }) => family === 4)?.address,
          ]),
      ),
    ]),
  );
}

function readProcesses(raw: unknown, topology: Topology, findings: Finding[]): ProcessSpec[] {
  const shaped: z.output<typeof processesSchema> = read(processesSchema, raw, ['processes'], findings) ?? {};
  return Object.entries(shaped).map(([name, { host, anabranch, command, env, ready = [] }]) => {
    const path = ['processes', name];
    requireName(host, topology.hosts, [...path, 'host'], 'no host has this name', findings);
    if ((anabranch === undefined) === (command === undefined)) {
      findings.push({ path, message: 'must have either anabranch or command', hint: 'one of the two' });
    }
    if (anabranch === undefined) return { name, host, command, env, ready };
    const config = readConfiguration(anabranch, [...path, 'anabranch'], findings);
    if (config === undefined) return { name, host, anabranch, env, ready };
    const ports = config.inbounds.flatMap(({ listen }) => listen.map(({ port }) => port));
    return { name, host, anabranch: { workers: 1, ...anabranch }, env, ready: [...ready, ...ports] };
  });
}

function readConfiguration(raw: object, path: Finding['path'], findings: Finding[]): Config | undefined {
  const valid = validate(raw, { workers: 1, admin: undefined });
  if ('config' in valid) return valid.config;
  findings.push(...valid.findings.map((finding) => ({ ...finding, path: [...path, ...finding.path] })));
  return undefined;
}

/** A parameter may leave entries out. */
function withoutNull(raw: unknown): unknown {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return raw ?? {};
  return Object.fromEntries(Object.entries(raw).filter(([, entry]) => entry !== null));
}

function readMap<T>(raw: unknown, key: string, schema: z.ZodType<T>, findings: Finding[]): [string, T][] {
  return Object.entries(withoutNull(raw) as object).flatMap(([name, entry]: [string, unknown]) => {
    const value = read(schema, entry, [key, name], findings);
    return value === undefined ? [] : [[name, value] as [string, T]];
  });
}

function readCourse(raw: unknown, i: number, { links }: Topology, findings: Finding[]): TimelineEntry[] {
  const path = ['courses', i];
  const course = read(courseSchema, raw, path, findings);
  if (course === undefined) return [];
  requireName(course.link, links, [...path, 'link'], 'no link has this name', findings);
  const faults: CourseFault[] = [];
  const entries = courseEntries(course, faults);
  for (const fault of faults) {
    findings.push({ path: [...path, ...fault.path], message: fault.message, hint: 'see docs/experiments.md' });
  }
  return entries;
}

function readReload(raw: unknown, i: number, processes: readonly ProcessSpec[], findings: Finding[]): Reload[] {
  const path = ['reloads', i];
  const shape = read(reloadSchema, raw, path, findings);
  if (shape === undefined) return [];
  const own = processes.filter(({ anabranch }) => anabranch !== undefined);
  requireName(shape.process, own, [...path, 'process'], 'no anabranch has this name', findings);
  const before = own.find(({ name }) => name === shape.process)?.anabranch;
  if (before === undefined) return [];
  const anabranch = { ...before, ...shape.with };
  if (readConfiguration(anabranch, [...path, 'with'], findings) === undefined) return [];
  return [{ atMs: shape.at, process: shape.process, keys: Object.keys(shape.with), anabranch }];
}

function checkNames(
  { topology, processes, workloads, measures, capacity }: Omit<Scene, 'timeline' | 'reloads' | 'moments'>,
  findings: Finding[],
): void {
  for (const { name, workload } of workloads) {
    const path = ['workloads', name];
    requireName(workload.from, topology.hosts, [...path, 'from'], 'no host has this name', findings);
    if (workload.kind !== 'tool') {
      requireName(workload.to.host, topology.hosts, [...path, 'to'], 'no host has this name', findings);
    }
  }
  for (const [name, measure] of measures) {
    const path = ['measures', name];
    if ('of' in measure) requireName(measure.of, workloads, [...path, 'of'], 'no workload has this name', findings);
    if ('link' in measure && measure.link !== undefined)
      requireName(measure.link, topology.links, [...path, 'link'], 'no link has this name', findings);
    if ('host' in measure)
      requireName(measure.host, topology.hosts, [...path, 'host'], 'no host has this name', findings);
    if ('process' in measure) {
      requireName(measure.process, processes, [...path, 'process'], 'no process has this name', findings);
    }
    if (measure.take === 'used' && capacity === undefined) {
      findings.push({
        path,
        message: 'is a share of the capacity',
        hint: 'say under capacity: which links carry the payload',
      });
    }
  }
  for (const [i, link] of (capacity?.links ?? []).entries()) {
    requireName(link, topology.links, ['capacity', 'links', i], 'no link has this name', findings);
  }
}

function requireName(
  name: string,
  known: readonly { readonly name: string }[],
  path: Finding['path'],
  message: string,
  findings: Finding[],
): void {
  const names = known.map((one) => one.name);
  if (!names.includes(name)) findings.push({ path, message: `is "${name}": ${message}`, hint: suggest(name, names) });
}

function read<T>(schema: z.ZodType<T>, raw: unknown, path: Finding['path'], findings: Finding[]): T | undefined {
  const result = schema.safeParse(raw);
  if (result.success) return result.data;
  findings.push(
    ...findingsOf(result.error.issues, raw).map((finding) => ({ ...finding, path: [...path, ...finding.path] })),
  );
  return undefined;
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
