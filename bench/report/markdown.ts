// The report as Markdown. Pure.

import type { Measure, Metric } from '../measure/measure.ts';
import { type Results, type Spread, SUBJECT } from './results.ts';
import { judge, type Verdict } from './targets.ts';

export interface Circumstances {
  /** Each a line: date, command, machine, kernel, settings. */
  readonly facts: readonly (readonly [string, string])[];
  readonly peers: readonly { readonly name: string; readonly version: string; readonly about: string }[];
}

export function renderReport(results: Results, measures: readonly Measure[], circumstances: Circumstances): string {
  const parts = ['# Measured side by side', renderCircumstances(circumstances)];
  parts.push('## Targets', renderTargets(judge(results)));
  parts.push('## Figures', EXPLANATION);
  for (const measure of measures) {
    const table = renderMeasure(results, measure, circumstances.peers);
    if (table !== undefined) parts.push(`### ${measure.title}`, table);
  }
  return `${parts.join('\n\n')}\n`;
}

const EXPLANATION =
  'Each figure is the median over the rounds, with the smallest and the largest in brackets. A ratio is ' +
  `${SUBJECT}'s figure divided by the peer's of the same round; again the median and the range.`;

function renderCircumstances({ facts, peers }: Circumstances): string {
  const lines = facts.map(([name, value]) => `- ${name}: ${value}`);
  const rows = peers.map(({ name, version, about }) => `| ${name} | ${version} | ${about} |`);
  return `${lines.join('\n')}\n\n| peer | version | set up as |\n|---|---|---|\n${rows.join('\n')}`;
}

export function renderTargets(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ target, found, verdict }) => {
    const { what, peer, better, bound } = target;
    const aim = `${better === 'more' ? '≥' : '≤'} ${bound}${peer === undefined ? '' : ` × ${peer}`}`;
    const digits = peer === undefined ? 0 : 2;
    return `| ${what} | ${aim} | ${found === undefined ? '–' : renderSpread(found, digits)} | ${verdict} |`;
  });
  return `| target | aim | found | |\n|---|---|---|---|\n${rows.join('\n')}`;
}

function renderMeasure(
  results: Results,
  measure: Measure,
  peers: readonly { readonly name: string }[],
): string | undefined {
  const rows: string[] = [];
  for (const { name } of peers) {
    const cells = measure.metrics.map((metric) => renderReading(results, measure, name, metric));
    const failures = results.failures(measure.id, name);
    if (cells.every((cell) => cell === '–') && failures.length === 0) continue;
    const ratios = measure.metrics.map((metric) => renderRatio(results, measure, name, metric));
    rows.push(`| ${[name, ...cells, ...ratios].join(' | ')} |`);
  }
  if (rows.length === 0) return undefined;
  const titles = measure.metrics.map(({ title }) => title);
  const head = ['', ...titles, ...titles.map((title) => `ratio: ${title}`)];
  const failed = peers.flatMap(({ name }) => {
    const failures = results.failures(measure.id, name);
    return failures.length === 0
      ? []
      : [
          `${name} failed in ${failures.length} ${failures.length === 1 ? 'round' : 'rounds'}: ${oneLine(failures[0] ?? '')}`,
        ];
  });
  const notes = failed.length === 0 ? '' : `\n\n${failed.join('\n')}`;
  return `| ${head.join(' | ')} |\n|${head.map(() => '---|').join('')}\n${rows.join('\n')}${notes}`;
}

function renderReading(results: Results, measure: Measure, peer: string, { key, digits }: Metric): string {
  const spread = results.spread(measure.id, peer, key);
  return spread === undefined ? '–' : renderSpread(spread, digits);
}

function renderRatio(results: Results, measure: Measure, peer: string, { key }: Metric): string {
  if (peer === SUBJECT) return '';
  const ratio = results.ratio(measure.id, peer, key);
  return ratio === undefined ? '–' : renderSpread(ratio, 2);
}

export function renderSpread({ median, min, max, rounds }: Spread, digits: number): string {
  const middle = formatNumber(median, digits);
  return rounds === 1 ? middle : `${middle} (${formatNumber(min, digits)}–${formatNumber(max, digits)})`;
}

function formatNumber(value: number, digits: number): string {
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
