// The demo's report: its samples and result, turned into a page.

import { accessSync, constants, mkdtempSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { DemoEvent, DemoResult, DemoSample } from '../lab/demo/demo-result.ts';
import { TRANSFERS, type TransferName } from '../lab/demo/demo-settings.ts';
import type { DemoCourse } from '../report/demo-report.ts';
import { CliError } from './cli-error.ts';

const NAMES: Readonly<Record<TransferName, string>> = {
  mptcp: 'through anabranch, over MPTCP',
  tcp: 'straight, over plain TCP',
};
const EVENTS: Readonly<Partial<Record<DemoEvent['kind'], string>>> = {
  cut: 'is cut',
  back: 'is back',
  regained: 'carries data again',
};

/** Said before the demo rather than after it. Throws a CliError. */
export function checkReportFile(file: string): void {
  try {
    accessSync(dirname(resolve(file)), constants.W_OK);
  } catch (error) {
    throw new CliError(`--report ${file}: ${(error as Error).message}`, 2);
  }
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory())
    throw new CliError(`--report ${file}: this is a directory; name a file in it`, 2);
}

export interface DemoRecording {
  readonly result: DemoResult;
  /** Four a second, of a demo that ends after some minutes. */
  readonly samples: readonly DemoSample[];
  /** The flow records of the client's anabranch, JSON lines. */
  readonly records: string;
  readonly verdict: readonly string[];
}

/** Resolves with the file's name. */
export async function writeDemoReport(recording: DemoRecording, file: string | undefined): Promise<string> {
  const [{ pageOfDemo, plotsOfDemo }, { drawSvg }, { reportOfTexts }] = await Promise.all([
    import('../report/demo-report.ts'),
    import('../report/plots/draw.ts'),
    import('../report/lines-report.ts'),
  ]);
  const lines = recording.records.split('\n').filter((line) => line.startsWith('{'));
  const connections = lines.length === 0 ? undefined : reportOfTexts(lines, "the client's flow records");
  const course = { ...courseOf(recording), connections };
  const drawn = await Promise.all(plotsOfDemo(course).map(async (plot) => ({ plot, svg: await drawSvg(plot) })));
  const path = resolve(file ?? join(mkdtempSync(join(tmpdir(), 'anabranch-demo-')), 'report.html'));
  try {
    writeFileSync(path, pageOfDemo(course, drawn));
  } catch (error) {
    throw new CliError(`the report cannot be written: ${(error as Error).message}`, 1);
  }
  return path;
}

function courseOf({ result, samples, verdict }: DemoRecording): Omit<DemoCourse, 'connections'> {
  const { settings, events } = result;
  return {
    fileBytes: settings.fileBytes,
    paths: settings.paths.map(({ mbitPerSecond, rttMs }, i) => `path ${i + 1}: ${mbitPerSecond} Mbit/s, ${rttMs} ms`),
    verdict,
    downloads: TRANSFERS.map((transfer) => ({
      name: NAMES[transfer],
      finished: result[transfer].finished,
      longestStallMs: result[transfer].longestStallMs,
      seconds: result[transfer].seconds,
      samples: samplesOf(samples, transfer),
      marks: events
        .filter((event) => event.path !== undefined && (event.transfer === undefined || event.transfer === transfer))
        .flatMap(({ atMs, kind, path }) => {
          const what = EVENTS[kind];
          return what === undefined ? [] : [{ atMs, what: `path ${path} ${what}` }];
        }),
    })),
  };
}

/** Up to the first that says the download is over: the other may go on for long. */
function samplesOf(samples: readonly DemoSample[], transfer: TransferName): DemoCourse['downloads'][number]['samples'] {
  const end = samples.findIndex((sample) => sample[transfer].over);
  return (end === -1 ? samples : samples.slice(0, end + 1)).map((sample) => ({
    atMs: sample.atMs,
    ...sample[transfer],
  }));
}
