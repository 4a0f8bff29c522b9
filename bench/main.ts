// npm run bench: measures this proxy and its peers side by side. See docs/bench.md.
//
// It runs twice: outside it makes a network of its own and starts itself in it, inside it measures.

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { raiseDescriptorLimit } from '#anabranch/ffi/limits.js';
import { machineFacts, machineWarnings } from './host/machine.ts';
import { NamespaceError, rerunInside, settleInside } from './host/namespace.ts';
import { killAllPrograms } from './host/program.ts';
import { LoadThread } from './load/load-thread.ts';
import { type Options, parseOptions, UsageError } from './options.ts';
import { formatSeconds, Progress } from './progress.ts';
import { type Circumstances, renderReport } from './report/markdown.ts';
import { type Outcome, Results } from './report/results.ts';
import { expectedSeconds, planSteps, runSteps } from './rounds.ts';

/** First argument of the inner run; not for users. */
const INSIDE = '--inside-namespace';
const RESULTS = join(import.meta.dirname, '../../bench/results.md');
const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;

async function main(args: readonly string[]): Promise<number> {
  const inside = args[0] === INSIDE;
  const options = parseOptions(inside ? args.slice(1) : args);
  if ('help' in options) {
    process.stdout.write(options.help);
    return 0;
  }
  if (!inside) return await rerunInside(import.meta.filename, INSIDE, args);
  return await measureAll(options, `npm run bench${['', ...args.slice(1)].join(' ')}`);
}

async function measureAll(options: Options, command: string): Promise<number> {
  for (const warning of [...settleInside(), ...machineWarnings()]) console.error(`bench: ${warning}`);
  raiseDescriptorLimit();
  const facts = machineFacts(command);
  const directory = mkdtempSync(join(tmpdir(), 'anabranch-bench-'));
  chmodSync(directory, 0o755);
  const interruption = new AbortController();
  let interruptedAt = Number.POSITIVE_INFINITY;
  const interrupt = (): void => {
    // Later again: at once, without a report. The first ^C comes twice, from the terminal and from the outer process.
    if (performance.now() - interruptedAt > 500) process.exit(EXIT_INTERRUPTED);
    interruptedAt = Math.min(interruptedAt, performance.now());
    interruption.abort();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt);
  process.on('disconnect', interrupt);
  process.on('exit', () => {
    killAllPrograms();
    rmSync(directory, { recursive: true, force: true });
  });
  const { outcomes, peers } = await measure(options, directory, interruption.signal);
  const { rounds, seconds, warmUpRounds } = options;
  const planned = `${rounds} of ${seconds} s each, after ${warmUpRounds} to warm up`;
  const complete = !interruption.signal.aborted;
  facts.push(['rounds', complete ? planned : `${planned}; interrupted`]);
  report(options, peers, outcomes, facts, complete);
  return complete ? 0 : EXIT_INTERRUPTED;
}

async function measure(options: Options, directory: string, signal: AbortSignal) {
  const versions = options.peers.map((peer) => ({ peer, version: peer.version() }));
  const present = versions.flatMap(({ peer, version }) => (version === undefined ? [] : [{ peer, version }]));
  for (const { peer, version } of versions) if (version === undefined) console.error(`bench: no ${peer.name} here`);
  const steps = planSteps(
    options,
    present.map(({ peer }) => peer),
  );
  const total = expectedSeconds(steps);
  console.error(`bench: ${steps.length} runs, about ${formatSeconds(total)}`);
  const server = await LoadThread.startServer();
  try {
    const progress = new Progress(steps.length, total);
    const outcomes = await runSteps(steps, { server, directory }, progress, signal);
    const peers = present.map(({ peer, version }) => ({ name: peer.name, about: peer.about, version }));
    return { outcomes, peers };
  } finally {
    await server.stop();
  }
}

function report(
  options: Options,
  peers: Circumstances['peers'],
  outcomes: readonly Outcome[],
  facts: Circumstances['facts'],
  complete: boolean,
): void {
  const text = renderReport(new Results(outcomes), options.measures, { facts, peers });
  console.log(text);
  if (options.json !== undefined) {
    const everything = { facts: Object.fromEntries(facts), peers, outcomes };
    writeFileSync(options.json, `${JSON.stringify(everything, undefined, 1)}\n`);
  }
  const out = options.out ?? (options.isFull && complete ? RESULTS : undefined);
  if (out !== undefined) writeFileSync(out, text);
}

try {
  const code = await main(process.argv.slice(2));
  // The channel to the outer process, and what an interrupted run left behind, would keep this one alive.
  process.stdout.write('', () => process.exit(code));
} catch (error) {
  if (!(error instanceof UsageError || error instanceof NamespaceError)) throw error;
  console.error(`bench: ${error.message}`);
  process.exitCode = EXIT_USAGE;
}
