// `anabranch report`: what the flow log, or an experiment in the lab, says; as text, page, pictures or data.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import type { FlowFilter } from '../flowlog/queries.ts';
import type { ExperimentResult } from '../lab/experiments/results.ts';
import type { Plot } from '../report/plots/plot.ts';
import type { ReportLog } from '../report/report-log.ts';
import { formatNetwork, isNetworkFault, parseNetwork } from '../routing/network.ts';
import { CliError } from './cli-error.ts';
import { explaining, openSource } from './report-source.ts';

interface ReportFlags extends FlowFilter {
  readonly log?: string;
  readonly flow?: string;
  readonly experiment?: string;
  readonly html?: string;
  readonly svg?: string;
  readonly png?: string;
  readonly csv?: true;
  readonly json?: true;
}

const EXAMPLES = `
Examples:
  anabranch report                                        the embedded log of this account, on the terminal
  anabranch report --log flows.jsonl --html report.html   a page with plots, of a file of JSON lines
  anabranch report --log postgres://reader@db/net --since 7d --destination example.org
  anabranch report --flow 01J9…                           one connection: each subflow, and what happened to it
  anabranch report --csv > flows.csv                      every flow, a line each
  anabranch report --experiment results/failover.json --html failover.html

Times are ISO 8601 (2026-05-01, 2026-05-01T12:30Z) or so long ago (90s, 30m, 12h, 7d). A flow counts when it has ended.
Exit codes: 0 reported, 1 there is nothing to report or no such flow, 2 wrong usage, 3 the log is not there or cannot be read.`;

export function register(program: Command): void {
  program
    .command('report')
    .summary('summarise the flow log, with plots')
    .description(
      'Summarises the flow log: volumes, pooling, fallbacks, survived failures, durations. Plots as page or pictures.',
    )
    .option('--log <log>', 'embedded:DIRECTORY, postgres://…, or a file of JSON lines; default: the embedded log')
    .option('--since <time>', 'flows that ended then or later', parseTime)
    .option('--until <time>', 'flows that ended before then', parseTime)
    .option('--inbound <name>', 'flows of one inbound')
    .option('--outbound <name>', 'flows of one outbound')
    .option('--destination <host>', 'flows to one host, as the client named it')
    .option('--client <address>', 'flows of one client, or of a network (192.0.2.0/24)', parseClient)
    .option('--user <name>', 'flows of one user')
    .option('--end <reason>', 'flows that ended so: done, client-reset, …')
    .option('--gateway <name>', 'flows of one gateway, where several share a database')
    .option('--flow <id>', 'one flow instead of all')
    .option('--experiment <file>', 'results of anabranch lab run instead of a log')
    .option('--html <file>', 'write a page with plots, complete in itself')
    .option('--svg <directory>', 'write the plots as SVG')
    .option('--png <directory>', 'write the plots as PNG')
    .option('--csv', 'print every flow, as comma-separated values')
    .option('--json', 'print the figures as JSON')
    .addHelpText('after', EXAMPLES)
    .action(report);
}

const AGO_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function parseTime(text: string): number {
  const [, amount, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (amount !== undefined && unit !== undefined) return Date.now() - Number(amount) * (AGO_MS[unit] as number);
  const at = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at)) throw new InvalidArgumentError('2026-05-01, 2026-05-01T12:30Z, 12h or 7d');
  return at;
}

function parseClient(text: string): string {
  const network = parseNetwork(text);
  if (!isNetworkFault(network)) return formatNetwork(network);
  const meant = network.fault === 'host-bits' ? `; did you mean ${network.network}?` : '';
  throw new InvalidArgumentError(`an address, or a network such as 192.0.2.0/24${meant}`);
}

async function report(flags: ReportFlags): Promise<void> {
  const { csv, json, flow, experiment, log } = flags;
  if (csv && flow !== undefined) throw new CliError('--csv lists flows; --flow goes without it', 2);
  if (csv && json) throw new CliError('--csv and --json: one of them', 2);
  if (experiment !== undefined) {
    if (log !== undefined || flow !== undefined || csv)
      throw new CliError('--experiment goes without --log, --flow and --csv', 2);
    return reportExperiment(experiment, flags);
  }
  const source = await openSource(log);
  try {
    if (flow !== undefined) await reportFlow(source, flow, flags);
    else if (csv) await printCsv(source, filterOf(flags));
    else await reportAll(source, flags);
  } finally {
    await source.close();
  }
}

function filterOf({
  since,
  until,
  inbound,
  outbound,
  destination,
  client,
  user,
  end,
  gateway,
}: ReportFlags): FlowFilter {
  return { since, until, inbound, outbound, destination, client, user, end, gateway };
}

function wordsOf(filter: FlowFilter): string[] {
  return Object.entries(filter).flatMap(([name, value]) => {
    if (value === undefined) return [];
    return `${name} ${typeof value === 'number' ? new Date(value).toISOString().replace('.000', '') : value}`;
  });
}

async function reportAll(source: ReportLog, flags: ReportFlags): Promise<void> {
  const filter = filterOf(flags);
  const found = await source.report(filter, wordsOf(filter));
  if (wantsPlots(flags)) {
    const [{ plotsOfReport }, { pageOfReport }] = await Promise.all([
      import('../report/plots/report-plots.ts'),
      import('../report/report-page.ts'),
    ]);
    await writeFiles(flags, plotsOfReport(found), (drawn) => pageOfReport(found, drawn));
  }
  if (flags.json) {
    const { jsonOfReport } = await import('../report/json.ts');
    print(`${JSON.stringify(jsonOfReport(found))}\n`);
  } else {
    const { formatReport } = await import('../report/text.ts');
    print(formatReport(found));
  }
}

async function reportFlow(source: ReportLog, id: string, flags: ReportFlags): Promise<void> {
  const found = await source.flow(id);
  if (wantsPlots(flags)) {
    const [{ flowTimeline }, { pageOfFlow }] = await Promise.all([
      import('../report/plots/flow-timeline.ts'),
      import('../report/report-page.ts'),
    ]);
    await writeFiles(flags, [flowTimeline(found)], (drawn) => pageOfFlow(found, drawn));
  }
  if (flags.json) print(`${JSON.stringify({ format: 1, ...found })}\n`);
  else {
    const { formatFlow } = await import('../report/text.ts');
    print(formatFlow(found));
  }
}

async function reportExperiment(file: string, flags: ReportFlags): Promise<void> {
  const [{ readResults }, { formatResult }, { printable }] = await Promise.all([
    import('../report/experiment.ts'),
    import('../lab/experiments/result-text.ts'),
    import('../report/figures.ts'),
  ]);
  const results = await explaining(() => readResults(file));
  if (wantsPlots(flags)) {
    const [{ plotsOfExperiment }, { pageOfExperiment }] = await Promise.all([
      import('../report/plots/experiment-plots.ts'),
      import('../report/experiment-page.ts'),
    ]);
    await writeFiles(flags, plotsOfExperiment(results), (drawn) => pageOfExperiment(results, drawn));
  }
  if (flags.json) return print(`${JSON.stringify(results)}\n`);
  // The schema above has checked all that the lab's own table reads.
  const text = formatResult(results as unknown as ExperimentResult);
  const lines = text.split('\n').map((line) => printable(line, 1_000));
  print(`${lines.join('\n')}\n`);
}

async function printCsv(source: ReportLog, filter: FlowFilter): Promise<void> {
  const { CSV_HEAD, csvLine } = await import('../report/csv.ts');
  /** Bounded: written out beyond 64 kB. */
  let held = CSV_HEAD;
  for await (const flow of source.flows(filter)) {
    held += csvLine(flow);
    if (held.length < 65_536) continue;
    await printed(held);
    held = '';
  }
  await printed(held);
}

function wantsPlots({ html, svg, png }: ReportFlags): boolean {
  return html !== undefined || svg !== undefined || png !== undefined;
}

async function writeFiles(
  { html, svg, png }: ReportFlags,
  plots: readonly Plot[],
  page: (drawn: readonly { readonly plot: Plot; readonly svg: string }[]) => string,
): Promise<void> {
  const { drawSvg, drawPng } = await import('../report/plots/draw.ts');
  const drawn = await Promise.all(plots.map(async (plot) => ({ plot, svg: await drawSvg(plot) })));
  const written: string[] = [];
  const write = (path: string, content: string | Uint8Array): void => {
    writeFileSync(path, content);
    written.push(path);
  };
  try {
    for (const directory of [svg, png]) if (directory !== undefined) mkdirSync(directory, { recursive: true });
    for (const { plot, svg: picture } of drawn) {
      if (svg !== undefined) write(join(svg, `${plot.name}.svg`), picture);
      if (png !== undefined) write(join(png, `${plot.name}.png`), await drawPng(picture));
    }
    if (html !== undefined) write(html, page(drawn));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw new CliError(`the report cannot be written: ${(error as Error).message}`, 1);
  }
  process.stderr.write(written.map((path) => `wrote ${path}\n`).join(''));
}

function print(text: string): void {
  process.stdout.write(text);
}

function printed(text: string): Promise<void> {
  return new Promise((resolve) => {
    if (process.stdout.write(text)) resolve();
    else process.stdout.once('drain', resolve);
  });
}
