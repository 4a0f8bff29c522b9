// What an experiment came to: summaries of all runs, and everything needed to repeat it. Plain data, for JSON.

import { type Summary, summarize } from '../../analysis/summary.ts';
import { payloadCapacity } from './capacity.ts';
import type { Experiment, PaperFigure, PreparedSetting } from './experiment-file.ts';
import { type MeasureKind, UNITS } from './measure-schema.ts';
import type { Provenance } from './provenance.ts';
import type { Run } from './run.ts';
import { matches, settingName } from './settings.ts';

export interface MeasureResult {
  readonly take: MeasureKind;
  readonly unit: string;
  /** Of the runs that have a figure; undefined when none has. */
  readonly summary: Summary | undefined;
  /** Runs in which what the measure asks for did not happen. */
  readonly missing: number;
  readonly papers: readonly Pick<PaperFigure, 'figure' | 'source'>[];
}

export interface SettingResult {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Payload that the links can carry over the whole of the script's time, Mbit/s, computed from rates and headers. */
  readonly capacityMbit: number | undefined;
  readonly measures: Readonly<Record<string, MeasureResult>>;
  readonly runs: readonly Run[];
}

export interface ExperimentResult {
  readonly format: 1;
  readonly experiment: { readonly name: string; readonly title: string; readonly path: string; readonly text: string };
  /** The command line's part. */
  readonly quick: boolean;
  readonly repetitions: number;
  readonly seed: number;
  /** Whether it was ended before all runs were made. */
  readonly interrupted: boolean;
  readonly provenance: Provenance;
  readonly settings: readonly SettingResult[];
}

export function settingResult(
  { setting, scene }: PreparedSetting,
  runs: readonly Run[],
  papers: Experiment['papers'],
): SettingResult {
  const measures = [...scene.measures].map(([name, { take }]): [string, MeasureResult] => {
    const figures = runs.flatMap((run) => run.figures[name] ?? []);
    return [
      name,
      {
        take,
        unit: UNITS[take],
        summary: figures.length > 0 ? summarize(figures) : undefined,
        missing: runs.length - figures.length,
        papers: papers
          .filter(({ measure, when }) => measure === name && matches(setting, when))
          .map(({ figure, source }) => ({ figure, source })),
      },
    ];
  });
  const { topology, timeline, capacity } = scene;
  const endMs = Math.max(
    1,
    ...runs.flatMap((run) => Object.values(run.workloads).map(({ endedMs }) => endedMs - run.originMs)),
  );
  return {
    name: settingName(setting),
    labels: setting.labels,
    capacityMbit: capacity && payloadCapacity(topology, timeline, capacity, 0, endMs) / 1e6,
    measures: Object.fromEntries(measures),
    runs,
  };
}
