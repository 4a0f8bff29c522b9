// A strict reader of Prometheus' text format 0.0.4, and the conventions its names follow
// (https://prometheus.io/docs/instrumenting/exposition_formats/, …/practices/naming/). It throws on anything odd.

export interface Sample {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
}

export interface MetricFamily {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: readonly Sample[];
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*/;
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,?)/;
const VALUE = /^(?:[+-]?Inf|NaN|[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)$/;
const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  histogram: ['_bucket', '_sum', '_count'],
  counter: [''],
  gauge: [''],
};

export function parseExposition(text: string): Map<string, MetricFamily> {
  if (!text.endsWith('\n')) throw new Error('the last line does not end');
  const families = new Map<string, { name: string; type: string; help: string; samples: Sample[] }>();
  let current: { name: string; type: string; help: string; samples: Sample[] } | undefined;
  for (const line of text.split('\n').slice(0, -1)) {
    if (line === '') continue;
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line);
    if (comment !== null) {
      const [, kind, name = '', rest = ''] = comment;
      if (kind === 'HELP') {
        if (families.has(name)) throw new Error(`${name} comes twice`);
        current = { name, type: '', help: rest, samples: [] };
        families.set(name, current);
      } else {
        if (current?.name !== name || current.type !== '' || current.samples.length > 0)
          throw new Error(`TYPE of ${name}`);
        if (!(rest in SUFFIXES)) throw new Error(`type ${rest}`);
        current.type = rest;
      }
      continue;
    }
    if (line.startsWith('#')) throw new Error(`not a comment we make: ${line}`);
    const sample = parseSample(line);
    const belongs = SUFFIXES[current?.type ?? '']?.some((suffix) => `${current?.name}${suffix}` === sample.name);
    if (current === undefined || belongs !== true) throw new Error(`${sample.name} stands outside its family`);
    current.samples.push(sample);
  }
  for (const family of families.values()) check(family);
  return families;
}

function parseSample(line: string): Sample {
  const name = NAME.exec(line)?.[0];
  if (name === undefined) throw new Error(`no name: ${line}`);
  let rest = line.slice(name.length);
  const labels = new Map<string, string>();
  if (rest.startsWith('{')) {
    rest = rest.slice(1);
    while (!rest.startsWith('}')) {
      const match = LABEL.exec(rest);
      if (match === null) throw new Error(`not a label: ${rest}`);
      const [all, label = '', value = '', comma] = match;
      if (labels.has(label)) throw new Error(`label ${label} twice: ${line}`);
      labels.set(
        label,
        value.replaceAll(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c)),
      );
      rest = rest.slice(all.length);
      if (comma === '' && !rest.startsWith('}')) throw new Error(`no comma: ${line}`);
    }
    rest = rest.slice(1);
  }
  const value = rest.slice(1);
  if (!rest.startsWith(' ') || !VALUE.test(value)) throw new Error(`not a value: ${line}`);
  return { name, labels, value: Number(value.replace('Inf', 'Infinity')) };
}

function check(family: MetricFamily): void {
  const { name, type, help, samples } = family;
  if (type === '') throw new Error(`${name} has no type`);
  if (help.trim() === '') throw new Error(`${name} has no help`);
  if ((type === 'counter') !== name.endsWith('_total')) throw new Error(`${name}: _total is for counters`);
  if (/(?:milli|micro|nano|_ms|_us|kilo|mega|_kb|_mb|percent|minutes|hours)/i.test(name)) {
    throw new Error(`${name} is not in a base unit`);
  }
  if (/_(?:count|sum|bucket)$/.test(name)) throw new Error(`${name} ends as parts of histograms do`);
  const seen = new Set<string>();
  for (const { name: full, labels, value } of samples) {
    const key = `${full} ${[...labels].sort().join(' ')}`;
    if (seen.has(key)) throw new Error(`${key} comes twice`);
    seen.add(key);
    if (type !== 'gauge' && !(value >= 0)) throw new Error(`${key} is ${value}`);
  }
  if (type === 'histogram') checkHistogram(family);
}

function checkHistogram({ name, samples }: MetricFamily): void {
  const groups = new Map<string, { buckets: [number, number][]; sum?: number; count?: number }>();
  for (const { name: full, labels, value } of samples) {
    const others = [...labels].filter(([label]) => label !== 'le').join(' ');
    const group = groups.get(others) ?? { buckets: [] };
    groups.set(others, group);
    if (full.endsWith('_bucket')) {
      const le = labels.get('le');
      if (le === undefined) throw new Error(`${name}: a bucket without le`);
      group.buckets.push([Number(le.replace('+Inf', 'Infinity')), value]);
    } else if (full.endsWith('_sum')) group.sum = value;
    else group.count = value;
  }
  for (const { buckets, sum, count } of groups.values()) {
    for (const [i, [bound, cumulative]] of buckets.entries()) {
      const [before, fewer] = buckets[i - 1] ?? [Number.NEGATIVE_INFINITY, 0];
      if (!(bound > before)) throw new Error(`${name}: bounds must grow`);
      if (!(cumulative >= fewer)) throw new Error(`${name}: buckets add up`);
    }
    const last = buckets.at(-1);
    if (last?.[0] !== Number.POSITIVE_INFINITY || last[1] !== count) throw new Error(`${name}: +Inf is the count`);
    if (sum === undefined) throw new Error(`${name} has no sum`);
  }
}

/** The value of one series; undefined: there is none. `labels` as `label=value`. */
export function seriesValue(
  families: ReadonlyMap<string, MetricFamily>,
  name: string,
  ...labels: readonly string[]
): number | undefined {
  for (const { samples } of families.values()) {
    const sample = samples.find(
      (one) =>
        one.name === name &&
        one.labels.size === labels.length &&
        labels.every((label) => {
          const [key = '', value] = label.split('=');
          return one.labels.get(key) === value;
        }),
    );
    if (sample !== undefined) return sample.value;
  }
  return undefined;
}
