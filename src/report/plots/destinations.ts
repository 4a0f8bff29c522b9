// Volume by destination: the largest, each a bar.

import { INK, MAIN } from '../colours.ts';
import { formatBytes, formatPercent, printable } from '../figures.ts';
import type { Report } from '../report.ts';
import { type Plot, WIDTH } from './plot.ts';

const ROW = 24;
/** Of the font at its size here, the wide letters among them. */
const LETTER_WIDTH = 7;

export function destinationsPlot({ destinations, bytesUp, bytesDown }: Report): Plot | undefined {
  const all = bytesUp + bytesDown;
  const rows = destinations
    .filter(({ bytes }) => bytes > 0)
    .map(({ name, bytes }, rank) => ({
      rank,
      name: name === undefined ? '(none asked for)' : printable(name, 36),
      bytes,
      text: `${formatBytes(bytes)}, ${formatPercent(bytes, all)}`,
    }));
  const most = rows[0]?.bytes;
  if (most === undefined) return undefined;
  const title = 'Volume by destination';
  const namesWidth = 16 + Math.max(...rows.map(({ name }) => name.length)) * LETTER_WIDTH;
  // The rank is the key: two long names may look the same once shortened.
  const y = { field: 'rank', type: 'ordinal' as const };
  return {
    name: 'destinations',
    title,
    about: 'Both directions together; hosts as the clients named them.',
    spec: {
      width: WIDTH,
      height: { step: ROW },
      title,
      data: { values: rows },
      layer: [
        {
          mark: { type: 'bar', color: MAIN.light, height: ROW - 7 },
          encoding: {
            x: {
              field: 'bytes',
              type: 'quantitative',
              scale: { domain: [0, most * 1.3], nice: false },
              axis: { title: null, labels: false, ticks: false, domain: false, grid: false },
            },
            y: {
              ...y,
              axis: {
                title: null,
                labels: false,
                ticks: false,
                domain: false,
                minExtent: namesWidth,
                maxExtent: namesWidth,
              },
            },
          },
        },
        {
          mark: { type: 'text', align: 'left', dx: 6, fontSize: 11, color: INK.light },
          encoding: { x: { field: 'bytes', type: 'quantitative' }, y, text: { field: 'text' } },
        },
        {
          mark: { type: 'text', align: 'right', x: -8, fontSize: 11, color: INK.light },
          encoding: { y, text: { field: 'name' } },
        },
      ],
    },
  };
}
