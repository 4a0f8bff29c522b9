// Throughput of the last minutes, stacked by path.

import { signal, useSignalEffect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { colourOf } from './colours.tsx';
import { formatRate, formatTime } from './format.tsx';
import { events, paths, ticks } from './store.tsx';

const HEIGHT = 240;
const WINDOW_SECONDS = 300;
/** A page that has just been opened has not so much to show yet. */
const YOUNG_SECONDS = 60;
const direction = signal<'in' | 'out'>('in');

export function Throughput() {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<{ plot: uPlot; names: string } | undefined>(undefined);
  useSignalEffect(() => {
    const names = paths.value.map(({ name }) => name);
    const data = stack(names);
    if (box.current === null || names.length === 0) return;
    if (chart.current?.names !== names.join(' ')) {
      chart.current?.plot.destroy();
      chart.current = { plot: createChart(box.current, names, data), names: names.join(' ') };
    } else {
      chart.current.plot.setData(data);
    }
  });
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const observer = new ResizeObserver(() =>
      chart.current?.plot.setSize({ width: element.clientWidth, height: HEIGHT }),
    );
    observer.observe(element);
    return () => {
      observer.disconnect();
      chart.current?.plot.destroy();
      chart.current = undefined;
    };
  }, []);
  return (
    <section aria-labelledby="throughput">
      <header class="bar">
        <h2 id="throughput">Throughput by path</h2>
        <fieldset class="switch">
          <legend class="sr">Direction</legend>
          <Choice value="in" label="Received" />
          <Choice value="out" label="Sent" />
        </fieldset>
      </header>
      <div class="chart" ref={box} role="img" aria-label={describe()} />
      <ul class="legend">
        {paths.value.map(({ name }, index) => (
          <li key={name} style={{ '--path': colourOf(index) }}>
            {name}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Choice({ value, label }: { value: 'in' | 'out'; label: string }) {
  return (
    <button type="button" aria-pressed={direction.value === value} onClick={() => (direction.value = value)}>
      {label}
    </button>
  );
}

function describe(): string {
  const latest = ticks.value.at(-1)?.paths ?? [];
  const words = latest.map((path) => `${path.name} ${formatRate(path[direction.value])}`);
  return `Throughput of the last five minutes; now ${words.join(', ') || 'nothing'}`;
}

/** uPlot's data: times, then one series a path, each on top of those before it; the last path comes first. */
function stack(names: readonly string[]): uPlot.AlignedData {
  const times = ticks.value.map(({ at }) => at / 1000);
  const sums = times.map(() => 0);
  const series = names.map((name) =>
    ticks.value.map(({ paths: all }, i) => {
      const rate = (all.find((path) => path.name === name)?.[direction.value] ?? 0) * 8;
      sums[i] = (sums[i] as number) + rate;
      return sums[i] as number;
    }),
  );
  return [times, ...series.reverse()];
}

function createChart(element: HTMLElement, names: readonly string[], data: uPlot.AlignedData): uPlot {
  const colours = names.map((_, index) => colourOf(index)).reverse();
  const style = getComputedStyle(document.documentElement);
  const axis = {
    stroke: () => style.getPropertyValue('--muted'),
    grid: { stroke: () => style.getPropertyValue('--line'), width: 1 },
    ticks: { show: false },
    font: '12px system-ui, sans-serif',
  };
  const options: uPlot.Options = {
    width: element.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { range: (_, min, max) => [Math.max(max - WINDOW_SECONDS, Math.min(min, max - YOUNG_SECONDS)), max] },
      y: { range: (_, __, max) => [0, Math.max(max * 1.1, 1000)] },
    },
    axes: [
      { ...axis, space: 90, values: (_, splits) => splits.map((at) => formatTime(at * 1000)) },
      { ...axis, size: 84, values: (_, splits) => splits.map((bits) => formatRate(bits / 8)) },
    ],
    series: [{}, ...colours.map((colour) => ({ stroke: colour, fill: colour, width: 1, points: { show: false } }))],
    hooks: { draw: [drawEvents] },
  };
  return new uPlot(options, data, element);
}

/** A dashed line where a path changed its state. */
function drawEvents(plot: uPlot): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.setLineDash([4, 4]);
  ctx.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue('--bad');
  for (const event of events.value) {
    const x = plot.valToPos(event.at / 1000, 'x', true);
    if (event.kind !== 'path' || x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}
