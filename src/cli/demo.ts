// `anabranch demo`: a path is cut in the middle of a download, and the download goes on. See docs/demo.md.

import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import type { DemoOptions } from '../lab/demo/demo.ts';
import type { DemoSample } from '../lab/demo/demo-result.ts';
import type { DemoSettings } from '../lab/demo/demo-settings.ts';
import { CliError } from './cli-error.ts';
import { VERSION } from './version.ts';

interface DemoFlags {
  readonly quick?: true;
  readonly json?: true;
  readonly congestion?: string;
  readonly report?: string;
}

type Show = Pick<DemoOptions, 'onStart' | 'onSample' | 'onEvent'> & { readonly end: () => void };

const MAIN = fileURLToPath(new URL('./main.js', import.meta.url));
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

const HELP = `
Examples:
  anabranch demo                     100 MB, about a minute
  anabranch demo --quick             24 MB, some 20 s
  anabranch demo --json | jq .mptcp  for scripts: mptcp, tcp, events, flow, settings, versions

It runs in network namespaces of its own and leaves nothing behind but its report, a page with plots. Without root it
uses user namespaces, where the kernel lets it. Exit codes: 0 the download over MPTCP came whole, 1 it did not, 2 wrong usage, 3 something needed is not there.`;

export function register(program: Command): void {
  program
    .command('demo')
    .summary('see a download survive the loss of a path')
    .description(
      'Downloads a file through anabranch over MPTCP and, beside it, over plain TCP, in two emulated networks of the same ' +
        'make with two paths each. Half-way the first path is cut; later it returns. Shows the rates of all paths.',
    )
    .option('--quick', 'a smaller file and a shorter cut')
    .option('--json', 'print only the result, as JSON')
    .option(
      '--congestion <name>',
      'congestion control of all senders; default: bbr where the kernel has it, else cubic',
    )
    .option('--report <file>', 'where the page with plots goes; default: a new folder in the temporary one')
    .addHelpText('after', HELP)
    .action(async (flags: DemoFlags) => {
      process.exitCode = await demo(flags);
    });
}

async function demo(flags: DemoFlags): Promise<number> {
  const [{ LabError, LabErrorCode }, { mayMakeNamespaces, enterUserNamespace }, { chooseCongestion }, settings] =
    await Promise.all([
      import('../lab/lab-error.ts'),
      import('../lab/user-namespace.ts'),
      import('../lab/demo/congestion.ts'),
      import('../lab/demo/demo-settings.ts'),
    ]);
  try {
    if (flags.report !== undefined) (await import('./demo-report.ts')).checkReportFile(flags.report);
    const congestion = chooseCongestion(flags.congestion);
    if (mayMakeNamespaces()) {
      return await play(settings.demoSettings({ quick: flags.quick === true, congestion }), flags);
    }
    const report = flags.report === undefined ? [] : ['--report', flags.report];
    const given = [flags.quick && '--quick', flags.json && '--json', ...report].filter((flag) => flag !== undefined);
    const command = [process.execPath, ...process.execArgv, MAIN, 'demo', ...given, '--congestion', congestion];
    return await enterUserNamespace(command as string[]);
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
    throw new CliError(error.message, error.code === LabErrorCode.missing ? 3 : 1);
  }
}

async function play(
  settings: DemoSettings,
  { json = false, report }: { json?: boolean; report?: string },
): Promise<number> {
  const [{ runDemo }, { isWhole }, { verdictLines }, { wrap }] = await Promise.all([
    import('../lab/demo/demo.ts'),
    import('../lab/demo/demo-result.ts'),
    import('../lab/demo/verdict.ts'),
    import('../lab/demo/wording.ts'),
  ]);
  const show = json ? { end() {} } : await chooseShow(settings);
  const stop = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => stop.abort(signal);
  // They stay until the end: what is being removed is removed to the last, however often ^C is pressed.
  for (const signal of SIGNALS) process.on(signal, onSignal);
  // An output that is closed on us ends the program in the middle; that is not a success.
  const onExit = (): void => {
    show.end();
    process.exitCode = 1;
  };
  process.on('exit', onExit);
  try {
    const command = { node: process.execPath, anabranch: [process.execPath, MAIN], anabranchVersion: VERSION };
    /** Four a second: bounded by the settings' secondsMax. */
    const samples: DemoSample[] = [];
    const onSample = (sample: DemoSample): void => {
      samples.push(sample);
      show.onSample?.(sample);
    };
    let records = '';
    const onRecords = (lines: string): void => {
      records = lines;
    };
    const result = await runDemo({ settings, ...command, signal: stop.signal, ...show, onSample, onRecords });
    show.end();
    // Only a terminal needs lines of a certain length.
    const columns = (process.stdout.isTTY && process.stdout.columns) || Number.POSITIVE_INFINITY;
    const verdict = (): string =>
      verdictLines(result)
        .flatMap((line) => wrap(line, columns))
        .join('\n');
    process.stdout.write(json ? `${JSON.stringify(result, null, 2)}\n` : `\n${verdict()}\n`);
    if (!json || report !== undefined) {
      const { writeDemoReport } = await import('./demo-report.ts');
      const path = await writeDemoReport({ result, samples, records, verdict: verdictLines(result) }, report);
      process.stderr.write(`The report, with plots: ${path}\n`);
    }
    return isWhole(result.mptcp) ? 0 : 1;
  } catch (error) {
    show.end();
    if (!stop.signal.aborted) throw error;
    process.stderr.write(`anabranch: the demo was stopped by ${stop.signal.reason}; nothing of it is left\n`);
    return 128 + constants.signals[stop.signal.reason as NodeJS.Signals];
  } finally {
    process.off('exit', onExit);
    for (const signal of SIGNALS) process.off(signal, onSignal);
  }
}

/** A live view on a terminal that can be drawn on, else a line a second. */
async function chooseShow(settings: DemoSettings): Promise<Show> {
  const { stdout, env } = process;
  if (!stdout.isTTY || env.TERM === 'dumb' || env.TERM === undefined) return plainShow(settings);
  const [{ LiveView }, { Screen }] = await Promise.all([
    import('../lab/demo/live-view.ts'),
    import('../lab/demo/screen.ts'),
  ]);
  const view = new LiveView(settings);
  // https://no-color.org: any value but the empty one.
  const screen = new Screen({ coloured: !env.NO_COLOR });
  const unicode = /utf-?8/i.test(env.LC_ALL || env.LC_CTYPE || env.LANG || '');
  const draw = (): void => {
    // A terminal that does not tell its size (a serial line) says 0.
    const size = { columns: stdout.columns || 80, rows: stdout.rows || 24 };
    stdout.write(screen.draw(view.lines(size.columns, unicode), size));
  };
  return {
    onStart: draw,
    onSample(sample) {
      view.onSample(sample);
      draw();
    },
    onEvent(event) {
      view.onEvent(event);
      draw();
    },
    end: () => void stdout.write(screen.end()),
  };
}

async function plainShow(settings: DemoSettings): Promise<Show> {
  const [{ describeSettings, eventLine, sampleLine }, { Rates }] = await Promise.all([
    import('../lab/demo/wording.ts'),
    import('../lab/demo/rates.ts'),
  ]);
  const rates = new Rates();
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  let saidMs = 0;
  for (const line of describeSettings(settings)) say(line);
  return {
    onSample(sample) {
      rates.push(sample);
      if (sample.atMs < saidMs + 950) return;
      saidMs = sample.atMs;
      say(sampleLine(sample, rates));
    },
    onEvent: (event) => say(eventLine(event)),
    end() {},
  };
}
