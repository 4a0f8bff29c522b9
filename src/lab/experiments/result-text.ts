// Results for people: a table for each measure, the papers' figures beside ours, and their sources.

import type { ExperimentResult, MeasureResult, SettingResult } from './results.ts';
import { type Column, formatFigure, formatTable } from './table.ts';

export function formatResult({ experiment, quick, interrupted, settings, provenance }: ExperimentResult): string {
  const measured = settings.filter(({ runs }) => runs.length > 0);
  const marks = [quick ? 'quick run' : undefined, interrupted ? 'interrupted: not all runs were made' : undefined];
  const head = [`${experiment.name}: ${experiment.title}`, ...marks.filter((mark) => mark !== undefined)].join(' — ');
  const names = Object.keys(measured[0]?.measures ?? {});
  const tables = names.map((name) => formatMeasure(name, measured));
  const on = `${provenance.kernel.split(' ')[0]}, ${provenance.cores} cores, load ${formatFigure(provenance.load)} at the start`;
  const sources = formatSources(measured);
  return [`${head}\nLinux ${on}\n`, ...tables, ...(sources === '' ? [] : [sources])].join('\n');
}

function formatMeasure(name: string, settings: readonly SettingResult[]): string {
  const results = settings.map((setting) => ({ setting, result: setting.measures[name]! }));
  const unit = results[0]?.result.unit ?? '';
  const labels = Object.keys(settings[0]?.labels ?? {});
  // What the links can carry is payload, and belongs beside payload only.
  const isPayload = results[0]?.result.take === 'goodput';
  const withCapacity = isPayload && settings.some(({ capacityMbit }) => capacityMbit !== undefined);
  const withPapers = results.some(({ result }) => result.papers.length > 0);
  const withMissing = results.some(({ result }) => result.missing > 0);
  const columns: Column[] = [
    ...labels.map((head) => ({ head, numeric: false })),
    ...['runs', 'mean', 'median', 'std dev', '95 % interval'].map((head) => ({ head, numeric: true })),
    ...(withMissing ? [{ head: 'without', numeric: true }] : []),
    ...(withCapacity ? [{ head: 'can carry', numeric: true }] : []),
    ...(withPapers ? [{ head: 'paper', numeric: true }] : []),
  ];
  const rows = results.map(({ setting, result }) => [
    ...labels.map((label) => setting.labels[label] ?? ''),
    ...formatSummary(result),
    ...(withMissing ? [String(result.missing)] : []),
    ...(withCapacity ? [setting.capacityMbit === undefined ? '–' : formatFigure(setting.capacityMbit)] : []),
    ...(withPapers ? [result.papers.map(({ figure }) => figure).join(', ') || '–'] : []),
  ]);
  return `${unit === '' ? name : `${name}, ${unit}`}\n${formatTable(columns, rows)}`;
}

function formatSummary({ summary, missing }: MeasureResult): string[] {
  if (summary === undefined) return [String(missing), '–', '–', '–', '–'];
  const { count, mean, median, standardDeviation, meanLow, meanHigh } = summary;
  // One run says nothing about the next.
  const spread =
    count < 2 ? ['–', '–'] : [formatFigure(standardDeviation), `${formatFigure(meanLow)} – ${formatFigure(meanHigh)}`];
  return [String(count + missing), formatFigure(mean), formatFigure(median), ...spread];
}

function formatSources(settings: readonly SettingResult[]): string {
  const sources = new Set<string>();
  for (const { measures } of settings) {
    for (const [name, { papers }] of Object.entries(measures)) {
      for (const { figure, source } of papers) sources.add(`paper: ${name} ${figure}: ${source}`);
    }
  }
  return sources.size === 0 ? '' : `${[...sources].join('\n')}\n`;
}
