// How the demo says what it saw: numbers with units, events, a second in one line. Pure.

import type { DemoEvent, DemoSample } from './demo-result.ts';
import type { DemoPath, DemoSettings, TransferName } from './demo-settings.ts';
import type { Rates } from './rates.ts';

/** Samples come four times a second: the rate of the last one. */
const RECENT_SAMPLES = 4;

export const TRANSFER_NAMES: Readonly<Record<TransferName, string>> = { mptcp: 'MPTCP', tcp: 'plain TCP' };

/** Decimal megabytes, as rates are decimal megabits. A few bytes are ARP and stray packets. */
export function megabytes(bytes: number): string {
  return bytes < 10_000 ? 'nothing' : `${(bytes / 1e6).toFixed(1)} MB`;
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

export function describePath({ mbitPerSecond, rttMs, loss }: DemoPath): string {
  const lost = loss === 0 ? 'no loss' : `${Number((loss * 100).toFixed(2))} % loss`;
  return `${mbitPerSecond} Mbit/s, ${rttMs} ms, ${lost}`;
}

export function describeSettings({ fileBytes, paths, congestion }: DemoSettings): string[] {
  const [first, second] = paths.map(describePath);
  return [
    `Anabranch demo: ${fileBytes / 1e6} MB downloaded twice at once, in two networks alike, with ${congestion}`,
    `path 1: ${first}   path 2: ${second}`,
  ];
}

export function describeEvent({ kind, transfer, path }: DemoEvent): string {
  const name = transfer === undefined ? '' : TRANSFER_NAMES[transfer];
  switch (kind) {
    case 'cut':
      return `path ${path} is cut, silently and in both networks`;
    case 'back':
      return `path ${path} is back`;
    case 'regained':
      return `${name} carries data over path ${path} again`;
    case 'finished':
      return `the download over ${name} is finished, its SHA-256 right`;
    case 'failed':
      return `the download over ${name} has failed`;
  }
}

export function eventLine(event: DemoEvent): string {
  return `${seconds(event.atMs).padStart(8)}  ${describeEvent(event)}`;
}

/** Breaks a line between words so that it fits; what follows the first line is indented. A longer word stays whole. */
export function wrap(line: string, columns: number): string[] {
  const lines: string[] = [];
  let rest = line;
  while (rest.length > columns) {
    const at = rest.lastIndexOf(' ', columns);
    if (rest.slice(0, at).trim() === '' || at < 0) break;
    lines.push(rest.slice(0, at));
    rest = `    ${rest.slice(at + 1)}`;
  }
  return [...lines, rest];
}

/** For outputs that are no terminal: one line a second. */
export function sampleLine(sample: DemoSample, rates: Rates): string {
  const part = (transfer: TransferName, name: string): string => {
    const { bytes, over } = sample[transfer];
    const [first, second] = ([0, 1] as const).map((path) => rates.recent(transfer, path, RECENT_SAMPLES).toFixed(1));
    const carried = over ? 'over' : `path 1 ${first} + path 2 ${second} Mbit/s`;
    return `${name} ${(bytes / 1e6).toFixed(1)} MB (${carried})`;
  };
  return `${seconds(sample.atMs).padStart(8)}  ${part('mptcp', 'MPTCP')}, ${part('tcp', 'TCP')}`;
}
