// anabranch lab run NAME|FILE: plays an experiment, prints its tables, writes its results.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Command, InvalidArgumentError } from 'commander';
import type { Experiment } from '../lab/experiments/experiment-file.ts';
import type { ExperimentResult } from '../lab/experiments/results.ts';
import { CliError } from './cli-error.ts';
import { withNamespaces } from './lab-privileges.ts';
import { createProgressLine } from './lab-run-progress.ts';
import { VERSION } from './version.ts';

interface RunFlags {
  readonly quick?: true;
  readonly json?: true;
  readonly repetitions?: number;
  readonly only?: readonly string[];
  readonly out?: string;
}

const REPETITIONS_MAX = 1_000;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const MAIN = fileURLToPath(new URL('./main.js', import.meta.url));

const EXAMPLES = `
Examples:
  anabranch lab run pooling --quick                     half a minute: are two paths one?
  anabranch lab run pooling --only both cubic           only these settings
  anabranch lab run ./mine.yaml --repetitions 15        one of your own; docs/experiments.md says how to write it
  anabranch lab run failover --json > failover.json     every single run, and all that is needed to repeat them

Tables go to standard output, progress to standard error. Results with every run are written to DIR/NAME.json; --json
prints them instead. ^C ends it, and what was measured until then is printed.
Exit codes: 0 all runs were made, 1 a run failed, 2 wrong usage or a fault in the file, 3 something needed is not there,
130 interrupted.`;

export function register(lab: Command): void {
  lab
    .command('run')
    .description('play an experiment and print what it measured')
    .argument('<experiment>', 'name of an experiment that comes along (anabranch lab list shows them), or a YAML file')
    .option('--quick', 'fewer and shorter runs: under a minute')
    .option('--json', 'print the results as JSON, and no tables')
    .option('--repetitions <number>', "runs of each setting, instead of the experiment's", parseRepetitions)
    .option('--only <setting...>', 'only settings with these values: cubic, or path=both')
    .option('--out <dir>', 'where the results go', 'results')
    .addHelpText('after', EXAMPLES)
    .action((experiment: string, flags: RunFlags) => withNamespaces(() => run(experiment, flags)));
}

function parseRepetitions(text: string): number {
  const repetitions = Number(text);
  if (/^\d{1,4}$/.test(text) && repetitions >= 1 && repetitions <= REPETITIONS_MAX) return repetitions;
  throw new InvalidArgumentError(`a whole number from 1 to ${REPETITIONS_MAX}`);
}

async function run(name: string, flags: RunFlags): Promise<void> {
  const [{ readExperiment }, { runExperiment }, { gatherProvenance }, { formatResult }] = await Promise.all([
    import('../lab/experiments/experiment-file.ts'),
    import('../lab/experiments/runner.ts'),
    import('../lab/experiments/provenance.ts'),
    import('../lab/experiments/result-text.ts'),
  ]);
  const { quick = false, json = false, repetitions, only = [], out = 'results' } = flags;
  const experiment = readExperiment(name, { quick, repetitions, only });
  const file = json ? undefined : prepareFile(out, experiment);
  const interrupt = new AbortController();
  const stop = (signal: NodeJS.Signals): void => interrupt.abort(new CliError(`ended by ${signal}`, 130));
  for (const signal of SIGNALS) process.on(signal, stop);
  const progress = createProgressLine(process.stderr, experiment.name);
  let result: ExperimentResult;
  let failure: unknown;
  try {
    ({ result, failure } = await runExperiment(experiment, {
      anabranch: [process.execPath, ...process.execArgv, MAIN],
      provenance: gatherProvenance(VERSION, commandLine(name, flags)),
      signal: interrupt.signal,
      onProgress: (state) => progress.show(state),
    }));
  } finally {
    progress.end();
    for (const signal of SIGNALS) process.off(signal, stop);
  }
  const isEmpty = result.settings.every(({ runs }) => runs.length === 0);
  if (failure !== undefined && isEmpty) throw failure;
  const text = `${JSON.stringify(result)}\n`;
  if (file === undefined) process.stdout.write(text);
  else {
    writeFileSync(file, text);
    process.stdout.write(`${formatResult(result)}\nevery single run: ${file}\n`);
  }
  // What was measured is not lost with the run that could not be made.
  if (failure !== undefined) throw failure;
  if (result.interrupted) process.exitCode = 130;
}

/** Asked for before an hour of measuring, not after it. */
function prepareFile(directory: string, { name, quick }: Experiment): string {
  const file = join(directory, `${name}${quick ? '-quick' : ''}.json`);
  try {
    mkdirSync(directory, { recursive: true });
    writeFileSync(file, '', { flag: 'a' });
    return file;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CliError(`results cannot be written: ${why}; --out names another directory`, 3);
  }
}

function commandLine(name: string, { quick, repetitions, only }: RunFlags): string {
  return [
    'anabranch lab run',
    name,
    ...(quick ? ['--quick'] : []),
    ...(repetitions === undefined ? [] : [`--repetitions ${repetitions}`]),
    ...(only === undefined ? [] : [`--only ${only.join(' ')}`]),
  ].join(' ');
}
