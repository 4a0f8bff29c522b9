// Runs an experiment: every setting as often as it says, each time in a fresh lab.

import type { Experiment } from './experiment-file.ts';
import type { Provenance } from './provenance.ts';
import { type ExperimentResult, settingResult } from './results.ts';
import { type Run, runScene } from './run.ts';
import { settingName } from './settings.ts';

export interface Progress {
  /** Runs made and to be made. */
  readonly done: number;
  readonly total: number;
  /** What is under way, undefined at the end. */
  readonly setting: string | undefined;
  /** Estimated from the runs so far, or from the workloads' own lengths. */
  readonly leftMs: number | undefined;
}

export interface RunnerOptions {
  readonly anabranch: readonly string[];
  readonly provenance: Provenance;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
}

/**
 * Settings take turns, so that a machine that slows down for a while slows all of them. When `signal` fires, or a run
 * cannot be made, it resolves with what there is: `failure`, a LabError, names setting and run.
 */
export async function runExperiment(
  experiment: Experiment,
  options: RunnerOptions,
): Promise<{ readonly result: ExperimentResult; readonly failure: unknown }> {
  const { settings, repetitions, seed } = experiment;
  const runs: Run[][] = settings.map(() => []);
  const total = settings.length * repetitions;
  const startedMs = performance.now();
  let done = 0;
  let interrupted = false;
  let failure: unknown;
  const report = (setting: string | undefined): void => {
    const leftMs = done === 0 ? undefined : ((performance.now() - startedMs) / done) * (total - done);
    options.onProgress({ done, total, setting, leftMs });
  };
  rounds: for (let round = 0; round < repetitions; round++) {
    for (const [i, { setting, sceneOf }] of settings.entries()) {
      const name = settingName(setting);
      report(name);
      try {
        // The same seed for all settings of a round: they are cut at the same moments, and lose the same frames, as far as
        // they send the same.
        runs[i]!.push(await runScene(sceneOf(seed + round), { ...options, seed: seed + round }));
      } catch (error) {
        if (!options.signal.aborted)
          failure = told(error, `${experiment.name}, ${name}, run ${round + 1} of ${repetitions}`);
        interrupted = true;
        break rounds;
      }
      done++;
    }
  }
  report(undefined);
  const { name, title, path, text, quick, papers } = experiment;
  const result: ExperimentResult = {
    format: 1,
    experiment: { name, title, path, text },
    quick,
    repetitions,
    seed,
    interrupted,
    provenance: options.provenance,
    settings: settings.map((prepared, i) => settingResult(prepared, runs[i]!, papers)),
  };
  return { result, failure };
}

function told(error: unknown, where: string): unknown {
  if (error instanceof Error) error.message = `${where}: ${error.message}`;
  return error;
}
