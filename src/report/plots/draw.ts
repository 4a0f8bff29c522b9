// Specifications → SVG → PNG. Vega and resvg are loaded when something is drawn, and never by a proxy.

import { createRequire } from 'node:module';
import { FAINT, GRID, INK, MAIN, PAPER } from '../colours.ts';
import type { Plot } from './plot.ts';

/** DejaVu Sans comes along for PNG; a browser takes what it has. */
const FONT = 'DejaVu Sans';
const FAMILIES = `${FONT}, Verdana, sans-serif`;
const PNG_SCALE = 2;

const CONFIG = {
  // A picture is described as a whole, by the page it is in; a label for every bar would make it ten times as long to hear.
  aria: false,
  font: FAMILIES,
  background: PAPER.light,
  padding: 12,
  title: {
    anchor: 'start',
    fontSize: 14,
    fontWeight: 'bold',
    color: INK.light,
    offset: 12,
    subtitleColor: FAINT.light,
    subtitleFontSize: 11,
  },
  axis: {
    labelColor: FAINT.light,
    titleColor: INK.light,
    gridColor: GRID.light,
    domainColor: FAINT.light,
    tickColor: FAINT.light,
    labelFontSize: 11,
    titleFontSize: 12,
    titleFontWeight: 'normal',
    labelLimit: 260,
    titlePadding: 8,
    labelOverlap: 'greedy',
    labelSeparation: 6,
  },
  legend: {
    labelColor: INK.light,
    titleColor: INK.light,
    labelFontSize: 11,
    titleFontSize: 12,
    labelLimit: 260,
    symbolSize: 110,
  },
  view: { stroke: null },
  bar: { color: MAIN.light },
} as const;

/** Times in UTC, as everywhere in a report. */
export async function drawSvg({ spec }: Plot): Promise<string> {
  const [vega, { compile }] = await Promise.all([import('vega'), import('vega-lite')]);
  (vega as unknown as { textMetrics: TextMetrics }).textMetrics.width = textWidth;
  const { spec: runtime } = compile(
    { ...spec, config: { ...CONFIG, ...spec.config } } as Parameters<typeof compile>[0],
    {
      // Vega-Lite warns of its own defaults; nobody reads them here.
      logger: vega.logger(vega.Error),
    },
  );
  const view = new vega.View(vega.parse(runtime), { renderer: 'none', logLevel: vega.Error });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}

/** Vega measures texts with a canvas, and there is none here; its guess without one is far too wide. */
interface TextMetrics {
  width: (item: { readonly fontSize?: number }, text: unknown) => number;
}

/** Of a letter in DejaVu Sans, as a share of its size; digits have 0.64. */
const LETTER_WIDTH = 0.64;

function textWidth(item: { readonly fontSize?: number }, text: unknown): number {
  return String(text ?? '').length * LETTER_WIDTH * (item.fontSize ?? 11);
}

/** At twice the size, for sharp screens and paper. */
export async function drawPng(svg: string): Promise<Uint8Array> {
  const { Resvg } = await import('@resvg/resvg-js');
  const require = createRequire(import.meta.url);
  const fontFiles = ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf'].map((file) =>
    require.resolve(`dejavu-fonts-ttf/ttf/${file}`),
  );
  const resvg = new Resvg(svg, {
    fitTo: { mode: 'zoom', value: PNG_SCALE },
    font: { fontFiles, loadSystemFonts: false, defaultFontFamily: FONT, sansSerifFamily: FONT },
  });
  return resvg.render().asPng();
}
