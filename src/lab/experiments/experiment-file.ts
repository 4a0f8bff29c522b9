// Experiment files: YAML, with every fault at its line, column and key. All settings are filled in and checked when the
// file is read, so that nothing of it can fail after an hour of measuring.

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Document, LineCounter, parseDocument } from 'yaml';
import { type Fault, type Finding, formatFault, formatPath } from '../../config/fault.ts';
import { findingsOf } from '../../config/issues.ts';
import { nearest } from '../../config/nearest.ts';
import { placeAt, placeOf } from '../../config/places.ts';
import { wordsOf } from '../../config/yaml-faults.ts';
import { LabError, LabErrorCode } from '../lab-error.ts';
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
const FILE_BYTES_MAX = 1 << 20;
const ALIASES_MAX = 1_000;
const SETTINGS_MAX = 1_000;

/** Names and titles of what comes with the program. */
export function listExperiments(): { readonly name: string; readonly title: string; readonly path: string }[] {
  return shippedNames().map((name) => {
    const path = `${SHIPPED}${name}.yaml`;
    const { title } = shapeOf(readText(path), path).values;
    return { name, title, path };
  });
}

/** Reads an experiment by its path, or by its name when it comes with the program. Throws a LabError with all faults. */
export function readExperiment(nameOrPath: string, variant: Variant): Experiment {
  const shipped = `${SHIPPED}${nameOrPath}.yaml`;
  const isName = /^[a-zA-Z][a-zA-Z0-9-]*$/.test(nameOrPath);
  if (isName && existsSync(shipped)) return parseExperiment(readText(shipped), shipped, variant);
  if (isName && !existsSync(nameOrPath)) {
    const names = shippedNames();
    const near = nearest(nameOrPath, names);
    const hint =
      near === undefined ? `there are: ${names.join(', ')}; or give the path of a file` : `did you mean ${near}?`;
    throw new LabError(LabErrorCode.unknownName, `no experiment is named ${nameOrPath}; ${hint}`);
  }
  return parseExperiment(readText(nameOrPath), nameOrPath, variant);
}

/** `path` names the file in messages. */
export function parseExperiment(text: string, path: string, variant: Variant): Experiment {
  const { values, place } = shapeOf(text, path);
  const quick = variant.quick ? values.quick : undefined;
  const parameters: Parameters = new Map(Object.entries({ ...values.parameters, ...quick?.parameters }));
  const only = readOnly(variant.only, parameters);
  if (typeof only === 'string') throw new LabError(LabErrorCode.unknownName, only);
  const variables = { ...values.variables, ...quick?.variables };
  const skipped = [...values.skip, ...(quick?.skip ?? [])];
  const settings = settingsOf(parameters).filter((setting) => !skipped.some((when) => matches(setting, when)));
  if (settings.length > SETTINGS_MAX) {
    throw place([
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
  if (findings.length > 0) throw place(findings);
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
  /** The error that tells the findings at their places. */
  readonly place: (findings: readonly Finding[]) => LabError;
}

function shapeOf(text: string, path: string): Shape {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' });
  const broken = [...document.errors, ...document.warnings];
  if (broken.length > 0) {
    const faults = broken.map((error) => ({ file: path, ...placeAt(lines, error.pos[0]), key: '', ...wordsOf(error) }));
    throw new LabError(LabErrorCode.topology, faults.map(formatFault).join('\n'));
  }
  const place = (findings: readonly Finding[]): LabError => placed(path, document, lines, findings);
  let raw: unknown;
  try {
    raw = document.toJS({ maxAliasCount: ALIASES_MAX }) ?? {};
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw place([{ path: [], message: 'cannot be read', hint: message }]);
  }
  const result = experimentSchema.safeParse(raw);
  if (!result.success) throw place(findingsOf(result.error.issues, raw));
  return { values: result.data, place };
}

/** Every setting finds the same faults again: each is told once. */
function placed(file: string, document: Document, lines: LineCounter, findings: readonly Finding[]): LabError {
  const faults = findings.map(({ path, message, hint, atKey = false }): Fault => {
    return { file, ...placeOf(document, lines, path, atKey), key: formatPath(path), message, hint };
  });
  faults.sort((a, b) => a.line - b.line || a.column - b.column);
  return new LabError(LabErrorCode.topology, [...new Set(faults.map(formatFault))].join('\n'));
}

function shippedNames(): string[] {
  if (!existsSync(SHIPPED)) return [];
  return readdirSync(SHIPPED)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => name.slice(0, -'.yaml'.length))
    .sort();
}

function readText(path: string): string {
  try {
    if (statSync(path).size > FILE_BYTES_MAX) {
      throw new LabError(LabErrorCode.topology, `${path} is larger than ${FILE_BYTES_MAX} bytes`);
    }
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof LabError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'there is no such file' : code;
    throw new LabError(LabErrorCode.topology, `cannot read ${path}: ${why}`);
  }
}
