// A link's settings in words, for people.

import { type DirectionSettings, type Loss, meanLoss, meanRate } from './link-settings.ts';

const RATE_UNITS = [
  [1e9, 'Gbit/s'],
  [1e6, 'Mbit/s'],
  [1e3, 'kbit/s'],
] as const;

/** One text when both directions are alike, else one for each. */
export function describeLink(up: DirectionSettings, down: DirectionSettings): string {
  const [one, other] = [describeDirection(up), describeDirection(down)];
  return one === other ? `${one} each way` : `up ${one}; down ${other}`;
}

/** `20 Mbit/s, 10 ms, 1 % lost` */
export function describeDirection(settings: DirectionSettings): string {
  const { trace, delayMs, jitterMs, loss, queue } = settings;
  const rate = meanRate(settings);
  const parts = [trace === undefined ? formatRate(rate) : `a trace of ${formatRate(rate)}`];
  parts.push(jitterMs > 0 ? `${round(delayMs)} ± ${round(jitterMs)} ms` : `${round(delayMs)} ms`);
  if (loss.kind !== 'none') parts.push(`${describeLoss(loss)} lost`);
  if (Number.isFinite(rate)) parts.push(`queue ${'ms' in queue ? `${round(queue.ms)} ms` : `${queue.bytes} bytes`}`);
  return parts.join(', ');
}

function describeLoss(loss: Loss): string {
  const share = `${round(meanLoss(loss) * 100)} %`;
  return loss.kind === 'gilbert-elliott' ? `${share} in bursts` : share;
}

export function formatRate(bitsPerSecond: number): string {
  if (!Number.isFinite(bitsPerSecond)) return 'any rate';
  const [scale, unit] = RATE_UNITS.find(([least]) => bitsPerSecond >= least) ?? [1, 'bit/s'];
  return `${round(bitsPerSecond / scale)} ${unit}`;
}

function round(value: number): string {
  return String(Number(value.toFixed(value < 10 ? 2 : 1)));
}
