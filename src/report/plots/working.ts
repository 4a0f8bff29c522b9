// Was it multipath at all? Flows and bytes by how many subflows carried payload.

import { INK, MAIN, PALE, PAPER, REST_COLOUR } from '../colours.ts';
import { formatBytes, formatCount, formatPercent } from '../figures.ts';
import type { Report } from '../report.ts';
import { type Plot, WIDTH } from './plot.ts';

const NAMES = ['none', 'one', 'two or more'] as const;
const FILLS = [REST_COLOUR, PALE.light, MAIN.light] as const;
const INKS = [PAPER.light, INK.light, PAPER.light] as const;
/** A narrower part has no room for its figure. */
const LABELLED_SHARE_MIN = 0.08;

export function workingPlot({ working, flows, bytesUp, bytesDown }: Report): Plot {
  const bytes = bytesUp + bytesDown;
  const rows = [
    { row: `flows (${formatCount(flows)})`, all: flows, of: working.map((share) => share.flows) },
    { row: `bytes (${formatBytes(bytes)})`, all: bytes, of: working.map((share) => share.bytes) },
  ].filter(({ all }) => all > 0);
  const values = rows.flatMap(({ row, all, of }) => {
    let from = 0;
    return of.map((part, i) => {
      const share = part / all;
      const value = { row, name: NAMES[i], from, to: from + share, ink: INKS[i], middle: from + share / 2 };
      from += share;
      return { ...value, text: share >= LABELLED_SHARE_MIN ? formatPercent(part, all) : '' };
    });
  });
  const title = 'Subflows that carried payload';
  const y = {
    field: 'row',
    type: 'nominal' as const,
    sort: null,
    axis: { title: null, ticks: false, domain: false, labelPadding: 8 },
  };
  return {
    name: 'working-subflows',
    title,
    about: 'By the side of each flow that had the most: two or more means that the flow was pooled over several paths.',
    spec: {
      width: WIDTH,
      height: { step: 44 },
      title,
      data: { values },
      layer: [
        {
          mark: { type: 'bar', height: 30, stroke: PAPER.light, strokeWidth: 1 },
          encoding: {
            y,
            x: {
              field: 'from',
              type: 'quantitative',
              scale: { domain: [0, 1] },
              axis: { title: null, format: '.0%', grid: false, tickCount: 5 },
            },
            x2: { field: 'to' },
            color: {
              field: 'name',
              type: 'nominal',
              scale: { domain: [...NAMES], range: [...FILLS] },
              legend: { title: 'working subflows', orient: 'top', direction: 'horizontal', symbolType: 'square' },
            },
          },
        },
        {
          mark: { type: 'text', fontSize: 12 },
          encoding: {
            y,
            x: { field: 'middle', type: 'quantitative' },
            text: { field: 'text' },
            color: { field: 'ink', type: 'nominal', scale: null },
          },
        },
      ],
    },
  };
}
