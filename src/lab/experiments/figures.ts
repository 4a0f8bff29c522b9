// The figures of one run, from what was recorded in it. A figure is undefined when what it asks for did not happen.

import { type ByteSeries, bytesBetween, rateBetween } from '../../analysis/byte-series.ts';
import { beginsMs, ceasesMs } from '../../analysis/carrying.ts';
import { quantileOfSorted, sortSamples } from '../../analysis/quantiles.ts';
import { failoverMs, pauseMs, regainMs } from '../../analysis/recovery.ts';
import { mean } from '../../analysis/summary.ts';
import type { RecordedFlow } from '../measures/flow-records.ts';
import type { Measures } from '../measures/sampler.ts';
import type { LatencySamples, WorkloadResult } from '../workloads/workload.ts';
import { payloadCapacity } from './capacity.ts';
import type { Measure } from './measure-schema.ts';
import type { Scene } from './scene.ts';

/** What was recorded in a run. */
export interface RunData {
  readonly scene: Scene;
  /** When the script began and when all workloads were over, by the lab's clock. */
  readonly originMs: number;
  readonly endMs: number;
  readonly workloads: ReadonlyMap<string, WorkloadResult>;
  readonly measures: Measures;
  /** Of each anabranch, by name. */
  readonly flows: ReadonlyMap<string, readonly RecordedFlow[]>;
}

export function takeFigure(measure: Measure, run: RunData): number | undefined {
  switch (measure.take) {
    case 'goodput':
      return goodput(run, measure)?.mbit;
    case 'used':
      return used(run, measure);
    case 'gap':
      return transfer(run, measure.of)?.longestGap.ms;
    case 'pause': {
      const result = transfer(run, measure.of);
      return seconds(result && pauseMs(result.goodput, run.originMs + measure.after));
    }
    case 'recovery': {
      const result = transfer(run, measure.of);
      return seconds(result && failoverMs(result.goodput, run.originMs + measure.after));
    }
    case 'regain':
      return seconds(regain(run, measure));
    case 'rate': {
      const series = linkSeries(run, measure.link, measure.direction);
      const { originMs, endMs } = run;
      return (
        series &&
        rateBetween(series, originMs + measure.from, Math.min(endMs, originMs + (measure.to ?? Infinity))) / 1e6
      );
    }
    case 'bytes':
      return kilobytes(run, measure);
    case 'begins':
    case 'ceases': {
      const series = linkSeries(run, measure.link, measure.direction);
      const toMs = run.originMs + Math.min(measure.to ?? Infinity, run.endMs - run.originMs);
      const ask = measure.take === 'begins' ? beginsMs : ceasesMs;
      return seconds(series && ask(series, { fromMs: run.originMs + measure.after, toMs }));
    }
    case 'subflows':
      return subflows(run, measure);
    case 'latency':
      return latency(run, measure, samplesOf(run, measure.of));
    case 'connect': {
      const result = run.workloads.get(measure.of);
      return latency(run, measure, result?.kind === 'connect-close' ? result.connectSamples : undefined);
    }
    case 'stalled':
    case 'stalls':
    case 'startup': {
      const result = run.workloads.get(measure.of);
      if (result?.kind !== 'stream') return undefined;
      if (measure.take === 'startup') return result.startUpMs;
      return measure.take === 'stalled' ? result.stalledMs : result.stalls.length;
    }
    case 'counter': {
      const counters = run.measures.hosts.find(({ host }) => host === measure.host)?.counters;
      // Only what grew is there.
      return counters && (counters[measure.name] ?? 0);
    }
    case 'cpu':
      return percent(run.measures.processes.find(({ name }) => name === measure.process)?.cpuShare);
    case 'memory': {
      const bytes = run.measures.processes.find(({ name }) => name === measure.process)?.residentBytesMax;
      return bytes && bytes / 1e6;
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

/**
 * Times are those of the script. Unless told otherwise, from the workload's start to its end, so that a silence before the
 * end counts; an upload ends when the server has all of it.
 */
function goodput(
  run: RunData,
  { of, from, to }: { of: string; from: number; to?: number | undefined },
): { mbit: number; fromMs: number; toMs: number } | undefined {
  const result = transfer(run, of);
  if (result === undefined) return undefined;
  const fromMs = Math.max(from, result.startedMs - run.originMs);
  const toMs = Math.min(to ?? Number.POSITIVE_INFINITY, result.endedMs - run.originMs);
  if (toMs <= fromMs) return undefined;
  return { mbit: rateBetween(result.goodput, run.originMs + fromMs, run.originMs + toMs) / 1e6, fromMs, toMs };
}

function used(run: RunData, measure: Of<'used'>): number | undefined {
  const got = goodput(run, measure);
  const { topology, timeline, capacity } = run.scene;
  if (got === undefined || capacity === undefined) return undefined;
  return (100e6 * got.mbit) / payloadCapacity(topology, timeline, capacity, got.fromMs, got.toMs);
}

/** Of a link in one direction, as its far end received them. */
function linkSeries({ scene, measures }: RunData, link: string, direction: 'up' | 'down'): ByteSeries | undefined {
  const hosts = scene.topology.links.find(({ name }) => name === link)?.hosts;
  const receiver = hosts?.[direction === 'down' ? 0 : 1];
  return measures.interfaces.find((one) => one.link === link && one.host === receiver)?.received;
}

function kilobytes(run: RunData, { link, direction, from, to }: Of<'bytes'>): number {
  const toMs = Math.min(run.endMs, run.originMs + (to ?? Infinity));
  const carried = (way: 'up' | 'down'): number => {
    const series = linkSeries(run, link, way);
    return series === undefined ? 0 : bytesBetween(series, run.originMs + (from ?? -Infinity), toMs) / 1_000;
  };
  return direction === 'both' ? carried('up') + carried('down') : carried(direction);
}

/** Those that came to stand, by the addresses that the links had first. One without an answer has no round trip. */
function subflows({ scene, flows }: RunData, { process, link }: Of<'subflows'>): number | undefined {
  const records = flows.get(process);
  const linkOf = (address: string): string | undefined =>
    scene.topology.links.find(({ addresses }) => addresses.flat().some((one) => one.address === address))?.name;
  const stood = records?.flatMap(({ serverSide }) => serverSide?.subflows ?? []).filter(({ rttMs }) => rttMs > 0);
  return stood?.filter(({ local }) => link === undefined || linkOf(local.address) === link).length;
}

function regain(run: RunData, { link, direction, after, before, share, window }: Of<'regain'>): number | undefined {
  const series = linkSeries(run, link, direction);
  const at = (ms: number): number => run.originMs + ms;
  const [from, to] = before;
  const span = { earlierFromMs: at(from), earlierToMs: at(to), share, windowMs: window };
  return series && regainMs(series, { eventMs: at(after), ...span });
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1_000;
}

function percent(share: number | undefined): number | undefined {
  return share === undefined ? undefined : share * 100;
}

function samplesOf(run: RunData, name: string): LatencySamples | undefined {
  const result = run.workloads.get(name);
  return result !== undefined && 'samples' in result ? result.samples : undefined;
}

function latency(
  run: RunData,
  { from, to, at }: Of<'latency' | 'connect'>,
  samples: LatencySamples | undefined,
): number | undefined {
  if (samples === undefined) return undefined;
  const { atMs, ms } = samples;
  const within = ms.filter((_, i) => {
    const moment = atMs[i]! - run.originMs;
    return moment >= from && (to === undefined || moment < to);
  });
  if (within.length === 0) return undefined;
  if (at === 'mean') return mean(within);
  const p = at === 'min' ? 0 : at === 'max' ? 1 : Number(at.slice(1)) / 100;
  return quantileOfSorted(sortSamples(within), p);
}
