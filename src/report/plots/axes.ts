// Axes that several plots share: durations, bytes and counts on log scales, time in UTC. The expressions are ours
// alone; data never becomes part of one.

/** Where a duration axis may have a tick: the units people count in. */
const DURATIONS: readonly (readonly [number, string])[] = [
  [1, '1 ms'],
  [10, '10 ms'],
  [100, '100 ms'],
  [1_000, '1 s'],
  [10_000, '10 s'],
  [60_000, '1 min'],
  [600_000, '10 min'],
  [3_600_000, '1 h'],
  [36_000_000, '10 h'],
  [86_400_000, '1 d'],
  [864_000_000, '10 d'],
  [8_640_000_000, '100 d'],
  [86_400_000_000, '1000 d'],
];

const DURATION_LABEL = `${DURATIONS.map(([ms, text]) => `datum.value == ${ms} ? '${text}' : `).join('')}''`;

/** Of a field in milliseconds; from and to what there is to show. */
export function durationAxis(title: string, from: number, to: number) {
  const domain = [Math.max(0.5, from * 0.8), to * 1.25] as [number, number];
  const values = DURATIONS.map(([ms]) => ms).filter((ms) => ms >= domain[0] && ms <= domain[1]);
  return {
    scale: { type: 'log' as const, domain, nice: false },
    axis: { title, values, labelExpr: DURATION_LABEL },
  };
}

const BYTES_LABEL = "replace(format(datum.value, '~s'), /([a-zA-Z]*)$/, ' $1B')";

export function bytesAxis(title: string, from: number, to: number) {
  const domain = [Math.max(0.5, from * 0.7), to * 1.4] as [number, number];
  const values = Array.from({ length: 19 }, (_, i) => 10 ** i).filter(
    (bytes) => bytes >= domain[0] && bytes <= domain[1],
  );
  // Every decade is too much from some on.
  const shown = values.length > 8 ? values.filter((value) => Math.round(Math.log10(value)) % 3 === 0) : values;
  return {
    scale: { type: 'log' as const, domain, nice: false },
    axis: { title, values: shown, labelExpr: BYTES_LABEL },
  };
}

/** Bars end at this share of the height: above them is room for labels. */
const BARS_HEIGHT = 0.78;

/** From 0, and yet one flow shows beside a million. */
export function countAxis(title: string, most: number) {
  const top = (1 + Math.max(1, most)) ** (1 / BARS_HEIGHT) - 1;
  const values = [
    0,
    ...(most < 10 ? [2, 5].filter((count) => count <= most) : []),
    ...Array.from({ length: 10 }, (_, i) => 10 ** i).filter((count) => count <= Math.max(10, most * 1.5)),
  ];
  return {
    scale: { type: 'symlog' as const, constant: 1, domain: [0, top], nice: false },
    axis: { title, values, format: ',d' },
  };
}

const SPANS = [
  [120_000, '%H:%M:%S'],
  [172_800_000, '%H:%M'],
  [Number.POSITIVE_INFINITY, '%-d %b'],
] as const;

export function timeAxis(from: number, to: number) {
  const [, format] = SPANS.find(([most]) => to - from <= most) as (typeof SPANS)[number];
  const dated = format === '%-d %b' ? '' : `, ${new Date(from).toISOString().slice(0, 10)}`;
  return {
    scale: { type: 'utc' as const, domain: [from, to], nice: false },
    axis: { title: `time (UTC${dated})`, format, grid: false, tickCount: 8 },
  };
}

export const RATE_LABEL = "replace(format(datum.value, '~s'), /([a-zA-Z]*)$/, ' $1bit/s')";
