// Rates, times, sizes and probabilities as people write them. Each parser returns undefined for what it does not take,
// and says in its hint what it would have taken.

export const RATE_HINT = 'a rate such as 20mbit, 500kbit or 1.5gbit, or bits per second as a number';
export const TIME_HINT = 'a time such as 20ms, 1.5s or 500us, or milliseconds as a number';
export const SHARE_HINT = 'a share such as 1% or 0.01';
export const SIZE_HINT = 'a size such as 64kB or 1MiB, or bytes as a number';

const RATE_UNITS: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['k', 1e3],
  ['m', 1e6],
  ['g', 1e9],
]);
const TIME_UNITS: ReadonlyMap<string, number> = new Map([
  ['us', 1e-3],
  ['ms', 1],
  ['s', 1e3],
  ['min', 60e3],
]);
const SIZE_UNITS: ReadonlyMap<string, number> = new Map([
  ['b', 1],
  ['kb', 1e3],
  ['mb', 1e6],
  ['kib', 2 ** 10],
  ['mib', 2 ** 20],
]);

function scaled(text: string, pattern: RegExp, units: ReadonlyMap<string, number>): number | undefined {
  const match = pattern.exec(text.trim());
  const unit = units.get((match?.[2] ?? '').toLowerCase());
  return match === null || unit === undefined ? undefined : Number(match[1]) * unit;
}

/**
 * Bits per second, above 0. "Mbps" is refused: tc takes it for megabytes and everybody else for megabits.
 */
export function parseRate(value: string | number): number | undefined {
  const rate =
    typeof value === 'number' ? value : scaled(value, /^(\d+(?:\.\d+)?)\s*([kmg]?)bit(?:\/s)?$/i, RATE_UNITS);
  return rate !== undefined && rate > 0 ? rate : undefined;
}

/** Milliseconds, 0 or more. A number is in milliseconds already. */
export function parseTime(value: string | number): number | undefined {
  const time = typeof value === 'number' ? value : scaled(value, /^(\d+(?:\.\d+)?)\s*(us|ms|s|min)$/, TIME_UNITS);
  return time !== undefined && time >= 0 && Number.isFinite(time) ? time : undefined;
}

/** From 0 to 1. A bare number is a share too: 1 means every frame. */
export function parseShare(value: string | number): number | undefined {
  const percent = typeof value === 'string' ? /^(\d+(?:\.\d+)?)\s*%$/.exec(value.trim()) : null;
  const plain = typeof value === 'string' && /^\d+(?:\.\d+)?$/.test(value.trim()) ? Number(value) : value;
  const share = percent === null ? plain : Number(percent[1]) / 100;
  return typeof share === 'number' && share >= 0 && share <= 1 ? share : undefined;
}

/** Bytes, 0 or more, whole. */
export function parseSize(value: string | number): number | undefined {
  const size = typeof value === 'number' ? value : scaled(value, /^(\d+(?:\.\d+)?)\s*(b|kb|mb|kib|mib)$/i, SIZE_UNITS);
  return size !== undefined && size >= 0 && Number.isFinite(size) ? Math.round(size) : undefined;
}
