// Figures as people read them on a terminal.

const UNITS = ['', 'k', 'M', 'G', 'T'];

function scaled(value: number, unit: string): string {
  let rest = value;
  let step = 0;
  while (rest >= 999.5 && step < UNITS.length - 1) {
    rest /= 1000;
    step++;
  }
  return `${rest.toFixed(step === 0 ? 0 : 1)} ${UNITS[step]}${unit}`;
}

export function formatBytes(bytes = 0): string {
  return scaled(bytes, 'B');
}

/** From bytes per second. */
export function formatRate(rate: number): string {
  return scaled(rate * 8, 'bit/s');
}
