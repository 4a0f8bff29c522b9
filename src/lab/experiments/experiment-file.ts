// Experiment files: YAML, with every fault at its line, column and key. All settings are filled in and checked when the
// file is read, so that nothing of it can fail after an hour of measuring.

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Finding } from '../../config/fault.ts';
import { findingsOf } from '../../config/issues.ts';
import { LabError, LabErrorCode } from '../lab-error.ts';
import { findLabFile, type LabFile, parseLabFile, readLabText, shippedNames } from '../lab-file.ts';
import { type ExperimentValues, experimentSchema } from './experiment-schema.ts';
import { prepareScene, type Scene } from './scene.ts';
import { matches, type Parameters, readOnly, type Setting, settingsOf } from './settings.ts';

/** What a paper measured, to stand beside ours. */
export type PaperFigure = ExperimentValues['papers'][number];

export interface Variant {
  readonly quick: boolean;
  /** Instead of the file's. */
  readonly repetitions?: number | undefined;
  /** Settings to keep: `path=both`, `cubic`. Empty: all. */
  readonly only: readonly string[];
}

/** An experiment, ready to run. */
export interface Experiment {
  readonly name: string;
  readonly title: string;
  /** What it shows and how to read it. */
  readonly about: string;
  readonly path: string;
  readonly text: string;
  readonly quick: boolean;
  readonly repetitions: number;
  readonly seed: number;
  readonly parameters: Parameters;
  readonly settings: readonly PreparedSetting[];
  readonly papers: readonly PaperFigure[];
}

export interface PreparedSetting {
  readonly setting: Setting;
  /** Times that differ from run to run are in their middle. */
  readonly scene: Scene;
  /** The scene of one run. */
  readonly sceneOf: (seed: number) => Scene;
}

/** The experiments that come with the program. */
const SHIPPED = fileURLToPath(new URL('../../../experiments/', import.meta.url));
const SETTINGS_MAX = 1_000;

/** Names and titles of what comes with the program. */
export function listExperiments(): { readonly name: string; readonly title: string; readonly path: string }[] {
  return shippedNames(SHIPPED).map((name) => {
    const path = join(SHIPPED, `${name}.yaml`);
    const { title } = shapeOf(readLabText(path), path).values;
    return { name, title, path };
  });
}

/** Reads an experiment by its path, or by its name when it comes with the program. Throws a LabError with all faults. */
export function readExperiment(nameOrPath: string, variant: Variant): Experiment {
  const path = findLabFile('experiment', nameOrPath, SHIPPED);
  return parseExperiment(readLabText(path), path, variant);
}

/** `path` names the file in messages. */
export function parseExperiment(text: string, path: string, variant: Variant): Experiment {
  const { values, file } = shapeOf(text, path);
  const quick = variant.quick ? values.quick : undefined;
  const parameters: Parameters = new Map(Object.entries({ ...values.parameters, ...quick?.parameters }));
  const only = readOnly(variant.only, parameters);
  if (typeof only === 'string') throw new LabError(LabErrorCode.unknownName, only);
  const variables = { ...values.variables, ...quick?.variables };
  const skipped = [...values.skip, ...(quick?.skip ?? [])];
  const settings = settingsOf(parameters).filter((setting) => !skipped.some((when) => matches(setting, when)));
  if (settings.length > SETTINGS_MAX) {
    throw file.refusal([
      { path: ['parameters'], message: `make ${settings.length} settings`, hint: `at most ${SETTINGS_MAX}` },
    ]);
  }
  const findings = checkTogether(values);
  const prepared = settings.flatMap((setting): PreparedSetting[] => {
    const scope = { ...variables, ...setting.values, label: setting.labels };
    const prepare = (seed?: number): Scene | undefined => {
      const result = prepareScene(values, scope, seed);
      if ('scene' in result) return result.scene;
      findings.push(...result.findings);
      return undefined;
    };
    const scene = prepare();
    if (scene === undefined) return [];
    // What fits in the middle of its times fits at the others.
    const sceneOf = (seed: number): Scene => (scene.moments.size === 0 ? scene : (prepare(seed) ?? scene));
    return [{ setting, scene, sceneOf }];
  });
  if (findings.length > 0) throw file.refusal(findings);
  return {
    name: values.name,
    title: values.title,
    about: values.about,
    path,
    text,
    quick: variant.quick,
    repetitions: variant.repetitions ?? quick?.repetitions ?? values.repetitions,
    seed: values.seed,
    parameters,
    settings: prepared.filter(({ setting }) => matches(setting, only)),
    papers: values.papers,
  };
}

function checkTogether({ parameters, quick, papers, measures, variables, skip }: ExperimentValues): Finding[] {
  const findings: Finding[] = [];
  const checkLabels = (when: PaperFigure['when'], path: Finding['path']): void => {
    for (const [name, labels] of Object.entries(when)) {
      const known = parameters[name];
      if (known === undefined) {
        const hint = `known: ${Object.keys(parameters).join(', ') || 'none'}`;
        findings.push({ path: [...path, name], message: 'is no parameter', hint });
      }
      for (const label of labels) {
        if (known === undefined || known.has(label)) continue;
        const hint = `known: ${[...known.keys()].join(', ')}`;
        findings.push({ path: [...path, name], message: `${label} is no value of it`, hint });
      }
    }
  };
  for (const [i, when] of skip.entries()) checkLabels(when, ['skip', i]);
  for (const [i, when] of (quick?.skip ?? []).entries()) checkLabels(when, ['quick', 'skip', i]);
  for (const name of Object.keys(quick?.parameters ?? {})) {
    if (name in parameters) continue;
    findings.push({
      path: ['quick', 'parameters', name],
      message: 'is no parameter',
      hint: `known: ${Object.keys(parameters).join(', ')}`,
    });
  }
  for (const name of Object.keys(quick?.variables ?? {})) {
    if (name in variables) continue;
    findings.push({
      path: ['quick', 'variables', name],
      message: 'is no variable',
      hint: `known: ${Object.keys(variables).join(', ')}`,
    });
  }
  for (const [i, { when, measure }] of papers.entries()) {
    if (!(measure in measures)) {
      const hint = `known: ${Object.keys(measures).join(', ')}`;
      findings.push({ path: ['papers', i, 'measure'], message: `is "${measure}": no measure has this name`, hint });
    }
    checkLabels(when, ['papers', i, 'when']);
  }
  return findings;
}

interface Shape {
  readonly values: ExperimentValues;
  readonly file: LabFile;
}

function shapeOf(text: string, path: string): Shape {
  const file = parseLabFile(text, path);
  const result = experimentSchema.safeParse(file.values);
  if (!result.success) throw file.refusal(findingsOf(result.error.issues, file.values));
  return { values: result.data, file };
}
