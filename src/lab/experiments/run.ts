// One run: a fresh lab, its programs, the script, the workloads, the figures; and all of it removed again.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { createLab, type Lab } from '../lab.ts';
import { LabError, LabErrorCode } from '../lab-error.ts';
import { monotonicMs } from '../measures/clock.ts';
import { parseFlowRecords, type RecordedFlow } from '../measures/flow-records.ts';
import { type Measures, startSampler } from '../measures/sampler.ts';
import type { TimelineAction } from '../timeline.ts';
import { startWorkload } from '../workloads/start.ts';
import { type Workload, WorkloadErrorCode, type WorkloadResult, type WorkloadRun } from '../workloads/workload.ts';
import { type RunData, takeFigure } from './figures.ts';
import { type Processes, startProcesses } from './processes.ts';
import type { Scene } from './scene.ts';
import type { PlannedWorkload } from './workload-schema.ts';

export interface RunOptions {
  /** How to run anabranch: the command before `run FILE`. */
  readonly anabranch: readonly string[];
  /** Makes losses, jitter and payload. */
  readonly seed: number;
  readonly signal: AbortSignal;
}

/** Plain data, for JSON. Times are milliseconds since the script began. */
export interface Run {
  readonly seed: number;
  readonly startedAt: string;
  /** By measure; null for what did not happen. */
  readonly figures: Readonly<Record<string, number | null>>;
  /** Times that are drawn for each run, and what they were. */
  readonly moments: Readonly<Record<string, number>>;
  readonly steps: readonly { readonly what: string; readonly atMs: number; readonly doneMs: number }[];
  readonly originMs: number;
  readonly workloads: Readonly<Record<string, WorkloadResult>>;
  readonly measures: Measures;
  /** Flow records of each anabranch, the first hundred. */
  readonly flows: Readonly<Record<string, readonly unknown[]>>;
}

const FLOWS_MAX = 100;
/** From the moment everything listens until the script: endpoints and routes have settled by then. */
const SETTLE_MS = 200;

/** Rejects with a LabError, or with the signal's reason; nothing is left then either. */
export async function runScene(scene: Scene, options: RunOptions): Promise<Run> {
  const { signal } = options;
  signal.throwIfAborted();
  const directory = mkdtempSync(join(tmpdir(), 'anabranch-lab-'));
  let lab: Lab | undefined;
  try {
    lab = await createLab(scene.topology, { seed: options.seed, folders: [directory] });
    const reloading = new Set(scene.reloads.map(({ process }) => process));
    const processes = await startProcesses(lab, scene.processes, { ...options, directory, reloading });
    try {
      const startedAt = new Date().toISOString();
      await sleep(SETTLE_MS, signal);
      const { data, steps } = await play(lab, scene, processes, options);
      await processes.stop();
      return describe(startedAt, { ...data, flows: flowsOf(processes) }, steps, options.seed);
    } finally {
      await processes.stop();
    }
  } finally {
    await lab?.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function play(
  lab: Lab,
  scene: Scene,
  processes: Processes,
  options: RunOptions,
): Promise<{ data: Omit<RunData, 'flows'>; steps: Run['steps'] }> {
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const sampler = await startSampler(lab, {
    processes: processes.running.map(({ spec: { name, host }, process: { pid } }) => ({ name, host, pid })),
  });
  const steps: Run['steps'][number][] = [];
  try {
    // Those of the beginning are under way before the script begins: starting a client takes some tenths of a second.
    const first = scene.workloads.filter(({ startMs }) => startMs === 0);
    const begun = await Promise.race([
      Promise.all(first.map((planned) => beginWorkload(lab, planned, options.seed, signal))),
      processes.died,
    ]);
    const originMs = monotonicMs();
    const script = lab.play(scene.timeline, {
      signal,
      onStep: ({ entry: { action }, startedMs, doneMs }) => {
        steps.push({ what: describeAction(action), atMs: startedMs, doneMs });
      },
    });
    const reloads = scene.reloads.map(async ({ atMs, process, keys, anabranch }) => {
      await sleep(atMs - (monotonicMs() - originMs), signal);
      const startedMs = monotonicMs() - originMs;
      await processes.reload(process, anabranch);
      steps.push({ what: `${process} reloads: ${keys.join(', ')}`, atMs: startedMs, doneMs: monotonicMs() - originMs });
    });
    const later = scene.workloads
      .filter(({ startMs }) => startMs > 0)
      .map(async (planned) => {
        await sleep(planned.startMs - (monotonicMs() - originMs), signal);
        return beginWorkload(lab, planned, options.seed, signal);
      });
    const results = Promise.all([...begun, ...later].map(async (run) => endWorkload(await run, signal)));
    // The script may be longer than the workloads: what is left of it then does not matter, unless it fails.
    const failed = new Promise<never>((_, reject) => {
      for (const one of [script, ...reloads]) one.catch(reject);
    });
    const workloads = new Map(await Promise.race([results, failed, processes.died, lab.failed]));
    options.signal.throwIfAborted();
    const data = { scene, originMs, endMs: monotonicMs(), workloads, measures: await sampler.stop() };
    return { data, steps };
  } finally {
    stop.abort();
    await sampler.stop();
  }
}

interface Begun {
  readonly name: string;
  readonly run: WorkloadRun;
}

async function beginWorkload(
  lab: Lab,
  { name, workload }: PlannedWorkload,
  seed: number,
  signal: AbortSignal,
): Promise<Begun> {
  return {
    name,
    run: await startWorkload<Workload>(lab, 'to' in workload ? { key: seed, ...workload } : workload, { signal }),
  };
}

async function endWorkload({ name, run }: Begun, signal: AbortSignal): Promise<[string, WorkloadResult]> {
  const result = await run.result;
  signal.throwIfAborted();
  const [error] = result.errors;
  if (result.kind === 'tool' && error !== undefined) {
    throw new LabError(LabErrorCode.command, `workload ${name}: ${error.message}: ${result.stderr.trim().slice(-300)}`);
  }
  // A transfer that breaks off is a result; one whose server is gone is none.
  const crash = result.errors.find(({ code }) => code === WorkloadErrorCode.crashed);
  if (crash !== undefined) throw new LabError(LabErrorCode.command, `workload ${name}: ${crash.message}`);
  return [name, result];
}

function describe(startedAt: string, data: RunData, steps: Run['steps'], seed: number): Run {
  const figures = [...data.scene.measures].map(([name, measure]) => [name, takeFigure(measure, data) ?? null] as const);
  return {
    seed,
    startedAt,
    figures: Object.fromEntries(figures),
    moments: Object.fromEntries(data.scene.moments),
    steps,
    originMs: data.originMs,
    workloads: Object.fromEntries(data.workloads),
    measures: data.measures,
    flows: Object.fromEntries(data.flows),
  };
}

function describeAction(action: TimelineAction): string {
  if (action.kind === 'address') return `${action.host}: address on ${action.link} becomes ${action.address}`;
  if (action.kind === 'up') return `${action.link} returns`;
  if (action.kind === 'set') return `${action.link} changes: ${JSON.stringify(action.change)}`;
  const { how = 'silent', direction = 'both', side } = action.cut;
  const which = how === 'silent' ? direction : (side ?? 'as usual');
  return `${action.link} is cut: ${how} (${which})`;
}

function flowsOf({ running }: Processes): RunData['flows'] {
  return new Map(
    running.flatMap(({ spec, flowLog }) => (flowLog === undefined ? [] : [[spec.name, readFlows(flowLog)] as const])),
  );
}

/** Rejects when the signal fires. */
async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  await setTimeout(ms, undefined, { signal });
}

function readFlows(path: string): RecordedFlow[] {
  try {
    return parseFlowRecords(readFileSync(path, 'utf8')).flows.slice(0, FLOWS_MAX);
  } catch {
    // Never written: a run is no worse for it.
    return [];
  }
}
