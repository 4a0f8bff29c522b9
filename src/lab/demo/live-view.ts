// The demo while it runs, as lines for a terminal: progress of both downloads, and for each path its rate as a number, a
// bar and a sparkline of the last seconds. Pure: samples and events in, lines out.

import { bar, sparkline } from './bars.ts';
import type { DemoEvent, DemoSample } from './demo-result.ts';
import { type DemoSettings, TRANSFERS, type TransferName } from './demo-settings.ts';
import { Rates } from './rates.ts';
import type { Style, StyledLine } from './styled-line.ts';
import { describeSettings, eventLine } from './wording.ts';

const HEADINGS: Readonly<Record<TransferName, string>> = {
  mptcp: 'through anabranch, MPTCP over both paths',
  tcp: 'straight, plain TCP over path 1',
};
const EVENT_STYLES: Readonly<Record<DemoEvent['kind'], Style>> = {
  cut: 'red',
  back: 'yellow',
  regained: 'cyan',
  finished: 'green',
  failed: 'red',
};
const BAR_WIDTH = 20;
const SPARK_WIDTH_MAX = 80;
/** `  path 1  ` and ` 20.0 Mbit/s ` */
const LABEL_WIDTH = 24;
/** Half a second: long enough for a steady number, short enough to see a path die. */
const RECENT_SAMPLES = 2;

export class LiveView {
  readonly #settings: DemoSettings;
  readonly #rates = new Rates();
  /** Bounded by what can happen: once for each kind and transfer. */
  readonly #events: DemoEvent[] = [];
  #sample: DemoSample | undefined;
  #isCut = false;

  constructor(settings: DemoSettings) {
    this.#settings = settings;
  }

  onSample(sample: DemoSample): void {
    this.#sample = sample;
    this.#rates.push(sample);
  }

  onEvent(event: DemoEvent): void {
    this.#events.push(event);
    if (event.kind === 'cut') this.#isCut = true;
    if (event.kind === 'back') this.#isCut = false;
  }

  lines(columns: number, unicode: boolean): StyledLine[] {
    const [title = '', paths = ''] = describeSettings(this.#settings);
    return [
      [[title, 'bold']],
      [[paths, 'dim']],
      ...TRANSFERS.flatMap((transfer) => [[], ...this.#transferLines(transfer, columns, unicode)]),
      [],
      ...this.#events.map((event): StyledLine => [[eventLine(event), EVENT_STYLES[event.kind]]]),
    ];
  }

  #transferLines(transfer: TransferName, columns: number, unicode: boolean): StyledLine[] {
    const { bytes, over } = this.#sample?.[transfer] ?? { bytes: 0, over: false };
    const { fileBytes } = this.#settings;
    const share = bytes / fileBytes;
    const done = this.#events.find((event) => event.transfer === transfer && /^(finished|failed)$/.test(event.kind));
    const atMs = (over ? done?.atMs : this.#sample?.atMs) ?? 0;
    const width = Math.max(10, Math.min(40, columns - 42));
    const style = done?.kind === 'failed' ? 'red' : 'green';
    const progress: StyledLine = [
      '  ',
      [bar(share, width, unicode), style],
      ` ${String(Math.floor(share * 100)).padStart(3)} %  ${(bytes / 1e6).toFixed(1)} of ${fileBytes / 1e6} MB`,
      `  ${(atMs / 1000).toFixed(1)} s${over ? `, ${done?.kind ?? 'over'}` : ''}`,
    ];
    return [
      [[HEADINGS[transfer], 'bold']],
      progress,
      ...([0, 1] as const).map((path) => this.#pathLine(transfer, path, columns, unicode)),
    ];
  }

  #pathLine(transfer: TransferName, path: 0 | 1, columns: number, unicode: boolean): StyledLine {
    // Both paths to one scale, so that their bars can be compared.
    const most = Math.max(...this.#settings.paths.map(({ mbitPerSecond }) => mbitPerSecond));
    const rate = this.#rates.recent(transfer, path, RECENT_SAMPLES);
    const isCut = path === 0 && this.#isCut;
    const number = isCut && rate < 0.05 ? 'cut'.padStart(11) : `${rate.toFixed(1).padStart(4)} Mbit/s`;
    const spark = Math.max(0, Math.min(SPARK_WIDTH_MAX, columns - LABEL_WIDTH - BAR_WIDTH - 1));
    return [
      `  path ${path + 1}  `,
      isCut ? [number, 'red'] : number,
      '  ',
      [bar(rate / most, BAR_WIDTH, unicode), 'cyan'],
      ' ',
      [sparkline(this.#rates.of(transfer, path), most, spark, unicode), 'cyan'],
    ];
  }
}
