// The benchmark's command line.

import { parseArgs } from 'node:util';
import { MEASURES } from './measure/all.ts';
import type { Measure } from './measure/measure.ts';
import { PEERS } from './peers/all.ts';
import type { Peer } from './peers/peer.ts';

export interface Options {
  readonly measures: readonly Measure[];
  readonly peers: readonly Peer[];
  readonly rounds: number;
  readonly warmUpRounds: number;
  /** Length of each measured window. */
  readonly seconds: number;
  /** Where the report goes besides the terminal. */
  readonly out: string | undefined;
  /** Everything is measured: such a run's report is worth keeping without being told to. */
  readonly isFull: boolean;
  readonly json: string | undefined;
}

export class UsageError extends Error {
  readonly code = 'USAGE';
}

const SECTIONS = [...new Set(MEASURES.map(({ section }) => section))];

export const HELP = `usage: npm run bench -- [options]

Measures anabranch and its peers side by side, in a network namespace of its own.

  --only LIST      sections, or beginnings of measurement names, with commas between
                   sections: ${SECTIONS.join(', ')}
                   names: ${MEASURES[0]?.id}, …; --list prints all
  --peers LIST     ${PEERS.map(({ name }) => name).join(', ')}
  --rounds N       rounds that count (5)
  --warm-up N      rounds before them that do not (1), in half the time
  --seconds S      length of each measurement (3)
  --quick          one round of one second, no warm-up round
  --out FILE       write the report there; a full run writes bench/results.md without being told
  --json FILE      every single reading
  --list           print the names of all measurements
`;

const DEFINITIONS = {
  only: { type: 'string' },
  peers: { type: 'string' },
  rounds: { type: 'string' },
  'warm-up': { type: 'string' },
  seconds: { type: 'string' },
  quick: { type: 'boolean' },
  out: { type: 'string' },
  json: { type: 'string' },
  list: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** `help`: the text to print instead of measuring. Throws a UsageError. */
export function parseOptions(args: readonly string[]): Options | { readonly help: string } {
  const values = parseValues(args);
  if (values.help === true) return { help: HELP };
  if (values.list === true) return { help: MEASURES.map(({ id, title }) => `${id.padEnd(42)} ${title}\n`).join('') };
  const quick = values.quick === true;
  const measures = chooseMeasures(values.only);
  const peers = choosePeers(values.peers);
  const isFull = values.only === undefined && values.peers === undefined && !quick;
  return {
    measures,
    peers,
    rounds: parseNumber('rounds', values.rounds, quick ? 1 : 5, 1, 100),
    warmUpRounds: parseNumber('warm-up', values['warm-up'], quick ? 0 : 1, 0, 10),
    seconds: parseNumber('seconds', values.seconds, quick ? 1 : 3, 0.2, 600),
    out: values.out,
    isFull,
    json: values.json,
  };
}

function parseValues(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: DEFINITIONS }).values;
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : error}\n\n${HELP}`);
  }
}

function chooseMeasures(only: string | undefined): readonly Measure[] {
  if (only === undefined) return MEASURES;
  const wanted = only.split(',').filter(Boolean);
  const isWanted = (id: string, name: string): boolean => id === name || id.startsWith(`${name}/`);
  const wrong = wanted.find((name) => !MEASURES.some(({ id }) => isWanted(id, name)));
  if (wrong !== undefined) throw new UsageError(`no measurement is called ${wrong}; --list prints them all`);
  return MEASURES.filter(({ id }) => wanted.some((name) => isWanted(id, name)));
}

function choosePeers(list: string | undefined): readonly Peer[] {
  if (list === undefined) return PEERS;
  const wanted = list.split(',').filter(Boolean);
  const wrong = wanted.find((name) => !PEERS.some((peer) => peer.name === name));
  if (wrong !== undefined) {
    throw new UsageError(`no peer is called ${wrong}; there are: ${PEERS.map(({ name }) => name).join(', ')}`);
  }
  return PEERS.filter(({ name }) => wanted.includes(name));
}

function parseNumber(name: string, text: string | undefined, preset: number, least: number, most: number): number {
  if (text === undefined) return preset;
  const number = Number(text);
  const whole = name === 'seconds' || Number.isInteger(number);
  if (text.trim() === '' || !whole || !(number >= least && number <= most)) {
    throw new UsageError(`--${name} ${text}: a number from ${least} to ${most} is wanted`);
  }
  return number;
}
