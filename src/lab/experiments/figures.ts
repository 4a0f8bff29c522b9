// The figures of one run, from what was recorded in it. A figure is undefined when what it asks for did not happen.

import type { ByteSeries } from '../../analysis/byte-series.ts';
import { mean } from '../../analysis/summary.ts';
import { quantileOfSorted, sortSamples } from '../../analysis/quantiles.ts';
import type { WorkloadResult } from '../workloads/workload.ts';
import { payloadCapacity } from './capacity.ts';
import type { Measure } from './measure-schema.ts';
import type { Scene } from './scene.ts';

export interface ProcessUse {
  /** User and system time. */
  readonly cpuMs: number;
  readonly memoryBytesMax: number;
}

/** What was recorded in a run. */
export interface RunData {
  readonly scene: Scene;
  /** When the script began and when all workloads were over, by the lab's clock. */
  readonly originMs: number;
  readonly endMs: number;
  readonly workloads: ReadonlyMap<string, WorkloadResult>;
  /** Bytes that left a direction of a link, Ethernet headers included, by `linkKey`. */
  readonly links: ReadonlyMap<string, ByteSeries>;
  /** Growth of the counters of each host. */
  readonly counters: ReadonlyMap<string, Readonly<Record<string, number>>>;
  readonly processes: ReadonlyMap<string, ProcessUse>;
}

export function linkKey(link: string, direction: 'up' | 'down'): string {
  return `${link} ${direction}`;
}

/** A silence that a cut causes begins this soon after it: what is under way still arrives. */
const SILENCE_BEGINS_MS = 1_000;
/** Rates that are compared are means over this long, or every burst would count. */
const REGAIN_WINDOW_MS = 1_000;

export function takeFigure(measure: Measure, run: RunData): number | undefined {
  switch (measure.take) {
    case 'goodput':
      return goodput(run, measure)?.mbit;
    case 'used':
      return used(run, measure);
    case 'gap':
      return transfer(run, measure.of)?.longestGap.ms;
    case 'recovery':
      return recovery(run, measure);
    case 'regain':
      return regain(run, measure);
    case 'rate': {
      const series = run.links.get(linkKey(measure.link, measure.direction));
      return series && megabits(series, run.originMs + measure.from, run.originMs + (measure.to ?? run.endMs - run.originMs));
    }
    case 'latency':
      return latency(run, measure);
    case 'stalled':
    case 'stalls':
    case 'startup': {
      const result = run.workloads.get(measure.of);
      if (result?.kind !== 'stream') return undefined;
      if (measure.take === 'startup') return result.startUpMs;
      return measure.take === 'stalled' ? result.stalledMs : result.stalls.length;
    }
    case 'counter':
      return run.counters.get(measure.host)?.[measure.name];
    case 'cpu': {
      const use = run.processes.get(measure.process);
      return use && (100 * use.cpuMs) / (run.endMs - run.originMs);
    }
    case 'memory': {
      const use = run.processes.get(measure.process);
      return use && use.memoryBytesMax / 1e6;
    }
    case 'finished': {
      const result = run.workloads.get(measure.of);
      return result && (result.finished && (!('integrity' in result) || result.integrity.ok) ? 100 : 0);
    }
  }
}

type Of<Take extends Measure['take']> = Extract<Measure, { take: Take }>;

function transfer(run: RunData, name: string) {
  const result = run.workloads.get(name);
  return result === undefined || result.kind === 'tool' ? undefined : result;
}

/** Times are those of the script; without any, from the workload's start to its last byte. */
function goodput(
  run: RunData,
  { of, from, to }: { of: string; from: number; to?: number | undefined },
): { mbit: number; fromMs: number; toMs: number } | undefined {
  const result = transfer(run, of);
  if (result === undefined) return undefined;
  const fromMs = Math.max(from, result.startedMs - run.originMs);
  const toMs = Math.min(to ?? Number.POSITIVE_INFINITY, result.endedMs - run.originMs);
  if (toMs <= fromMs) return undefined;
  if (from === 0 && to === undefined) return { mbit: result.bitsPerSecond / 1e6, fromMs, toMs };
  return { mbit: megabits(result.goodput, run.originMs + fromMs, run.originMs + toMs), fromMs, toMs };
}

function used(run: RunData, measure: Of<'used'>): number | undefined {
  const got = goodput(run, measure);
  const { topology, timeline, capacity } = run.scene;
  if (got === undefined || capacity === undefined) return undefined;
  return (100e6 * got.mbit) / payloadCapacity(topology, timeline, capacity, got.fromMs, got.toMs);
}

/** Bins that lie half in count half. */
export function bytesBetween({ startMs, binMs, bytes }: ByteSeries, fromMs: number, toMs: number): number {
  let sum = 0;
  const first = Math.max(0, Math.floor((fromMs - startMs) / binMs));
  const last = Math.min(bytes.length - 1, Math.floor((toMs - startMs) / binMs));
  for (let i = first; i <= last; i++) {
    const begin = startMs + i * binMs;
    const overlap = Math.min(toMs, begin + binMs) - Math.max(fromMs, begin);
    if (overlap > 0) sum += (bytes[i]! * overlap) / binMs;
  }
  return sum;
}

function megabits(series: ByteSeries, fromMs: number, toMs: number): number {
  return (bytesBetween(series, fromMs, toMs) * 8) / ((toMs - fromMs) * 1e3);
}

/**
 * Seconds from a cut until the end of the longest silence that begins soon after it. 0 where no bin was empty; undefined
 * when the silence lasted to the end.
 */
function recovery(run: RunData, { of, after }: Of<'recovery'>): number | undefined {
  const series = transfer(run, of)?.goodput;
  if (series === undefined) return undefined;
  const { startMs, binMs, bytes } = series;
  const cutMs = run.originMs + after;
  let longest = { begin: 0, end: 0 };
  for (let i = Math.max(0, Math.floor((cutMs - startMs) / binMs)); i < bytes.length; i++) {
    if (startMs + i * binMs > cutMs + SILENCE_BEGINS_MS) break;
    let end = i;
    while (end < bytes.length && bytes[end] === 0) end++;
    if (end - i > longest.end - longest.begin) longest = { begin: i, end };
    i = Math.max(i, end - 1);
  }
  if (longest.end === longest.begin) return 0;
  return longest.end >= bytes.length ? undefined : (startMs + longest.end * binMs - cutMs) / 1_000;
}

/** Seconds from a return until the link carries, over the second that follows, its share of what it carried before. */
function regain(run: RunData, { link, direction, after, before, share }: Of<'regain'>): number | undefined {
  const series = run.links.get(linkKey(link, direction));
  if (series === undefined) return undefined;
  const [from, to] = before;
  const wanted = share * megabits(series, run.originMs + from, run.originMs + to);
  const returnedMs = run.originMs + after;
  const lastMs = series.startMs + series.bytes.length * series.binMs - REGAIN_WINDOW_MS;
  for (let at = returnedMs; at <= lastMs; at += series.binMs) {
    if (megabits(series, at, at + REGAIN_WINDOW_MS) >= wanted) return (at - returnedMs) / 1_000;
  }
  return undefined;
}

function latency(run: RunData, { of, from, to, at }: Of<'latency'>): number | undefined {
  const result = run.workloads.get(of);
  if (result === undefined || !('samples' in result)) return undefined;
  const { atMs, ms } = result.samples;
  const within = ms.filter((_, i) => {
    const moment = atMs[i]! - run.originMs;
    return moment >= from && (to === undefined || moment < to);
  });
  if (within.length === 0) return undefined;
  if (at === 'mean') return mean(within);
  const p = at === 'min' ? 0 : at === 'max' ? 1 : Number(at.slice(1)) / 100;
  return quantileOfSorted(sortSamples(within), p);
}
