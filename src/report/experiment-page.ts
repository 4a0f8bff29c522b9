// The page of an experiment's results.

import type { Results } from './experiment.ts';
import { formatPlain, printable } from './figures.ts';
import { type Drawn, figureOf, pageOf, tableOf } from './html.ts';

export function pageOfExperiment(results: Results, drawn: readonly Drawn[]): string {
  const { experiment, provenance, settings, quick, interrupted } = results;
  const measured = settings.filter(({ runs }) => runs.length > 0);
  const names = Object.keys(measured[0]?.measures ?? {});
  const marks = [quick ? 'quick run' : '', interrupted ? 'interrupted: not all runs were made' : ''].filter(
    (mark) => mark !== '',
  );
  return pageOf({
    title: printable(`${experiment.name}: ${experiment.title}`, 200),
    lead: [
      ...marks,
      `Linux ${printable(provenance.kernel.split(' ')[0] ?? '')}, ${provenance.cores} cores`,
      `anabranch ${printable(provenance.anabranch)}`,
      printable(provenance.startedAt),
      printable(provenance.command),
    ].join('; '),
    parts: [
      ...drawn.filter(({ plot }) => plot.name.startsWith('measure-')).map(figureOf),
      ...names.map((name) =>
        tableOf(
          `${printable(name)}${unitOf(measured[0]?.measures[name]?.unit)}`,
          ['setting', '#runs', '#mean', '#median', '#std dev', '#95 % interval', '#can carry', 'paper'],
          measured.map(({ name: setting, measures, runs, capacityMbit }) => {
            const { summary, unit, papers = [] } = measures[name] ?? {};
            const one = (value: number | undefined | null) =>
              value === undefined || value === null ? '–' : formatPlain(value);
            const interval =
              summary === undefined || summary.meanLow === null || summary.meanHigh === null
                ? '–'
                : `${formatPlain(summary.meanLow)} – ${formatPlain(summary.meanHigh)}`;
            return [
              printable(setting),
              String(runs.length),
              one(summary?.mean),
              one(summary?.median),
              (summary?.count ?? 0) < 2 ? '–' : one(summary?.standardDeviation),
              interval,
              unit === 'Mbit/s' ? one(capacityMbit) : '–',
              papers.map(({ figure, source }) => `${printable(figure)} (${printable(source, 200)})`).join('; '),
            ];
          }),
        ),
      ),
      ...drawn.filter(({ plot }) => !plot.name.startsWith('measure-')).map(figureOf),
    ],
  });
}

function unitOf(unit: string | undefined): string {
  return unit === undefined || unit === '' ? '' : `, ${printable(unit)}`;
}
