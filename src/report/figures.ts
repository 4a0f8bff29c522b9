// Figures and names as people read them. Texts from the network are data: `printable` takes what could steer a terminal.

const PREFIXES = ['', 'k', 'M', 'G', 'T', 'P'];

function scaled(value: number, unit: string): string {
  let rest = value;
  let step = 0;
  while (rest >= 999.5 && step < PREFIXES.length - 1) {
    rest /= 1000;
    step++;
  }
  const digits = step === 0 || rest >= 99.95 ? 0 : 1;
  return `${rest.toFixed(digits)} ${PREFIXES[step]}${unit}`;
}

export function formatBytes(bytes: number): string {
  return scaled(bytes, 'B');
}

/** From bits per second. */
export function formatRate(bits: number): string {
  return scaled(bits, 'bit/s');
}

export function formatCount(count: number): string {
  return Math.round(count)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ',');
}

/** Two or three digits, in the unit that fits. */
export function formatDuration(ms: number): string {
  if (ms < 999.5) return `${ms < 10 && ms > 0 ? ms.toFixed(1) : ms.toFixed(0)} ms`;
  if (ms < 59_950) return `${(ms / 1_000).toFixed(ms < 9_950 ? 2 : 1)} s`;
  if (ms < 3_597_000) return `${(ms / 60_000).toFixed(1)} min`;
  if (ms < 172_800_000) return `${(ms / 3_600_000).toFixed(1)} h`;
  return `${(ms / 86_400_000).toFixed(1)} d`;
}

export function formatPercent(part: number, whole: number): string {
  if (whole === 0) return '–';
  const percent = (part / whole) * 100;
  if (percent > 0 && percent < 0.1) return '< 0.1 %';
  if (percent > 99.9 && percent < 100) return '> 99.9 %';
  return `${percent.toFixed(percent < 10 && percent > 0 ? 1 : 0)} %`;
}

/** UTC, to the second. */
export function formatTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

const LENGTH_MAX = 120;

/** One line without control characters and marks that turn the direction of writing. */
export function printable(text: string, lengthMax = LENGTH_MAX): string {
  const clean = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, '?');
  const letters = [...clean];
  return letters.length <= lengthMax ? clean : `${letters.slice(0, lengthMax - 1).join('')}…`;
}

/** Digits that fit a figure's size: 1234, 123, 12.3, 1.23. */
export function formatPlain(value: number): string {
  const size = Math.abs(value);
  if (size >= 100 || value === 0) return value.toFixed(0);
  return value.toFixed(size >= 10 ? 1 : 2);
}
