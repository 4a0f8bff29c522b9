// Times that differ from run to run: `12s ± 500ms` is a time from 11.5 to 12.5 s, all equally likely. A cut that always
// comes at the same moment always meets timers in the same phase, and its figure says little of other moments.

import type { Finding } from '../../config/fault.ts';
import { parseTime } from '../quantities.ts';
import { createRandom } from '../random.ts';

const MOMENT = /^\s*([\d.]+\s*[a-z]+)\s*(?:±|\+-|\+\/-)\s*([\d.]+\s*[a-z]+)\s*$/;

/**
 * A copy with a number of milliseconds in the place of each such time. `seed` decides which; the same text is the same
 * time throughout a run, so that a measure can name the moment of the timeline. Without a seed: the middle. `drawn` gets
 * what was put in place of each text.
 */
export function drawMoments(
  value: unknown,
  seed: number | undefined,
  drawn: Map<string, number>,
  path: Finding['path'],
  findings: Finding[],
): unknown {
  const inside = (entry: unknown, key: string | number) => drawMoments(entry, seed, drawn, [...path, key], findings);
  if (Array.isArray(value)) return value.map(inside);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, inside(entry, key)]));
  }
  const match = typeof value === 'string' ? MOMENT.exec(value) : null;
  if (match === null) return value;
  const [middle, spread] = [parseTime(match[1]!), parseTime(match[2]!)];
  if (middle === undefined || spread === undefined) return value;
  const text = String(value).trim();
  if (spread > middle) {
    findings.push({
      path,
      message: `is "${text}", which may be before the start`,
      hint: 'at most as much as the time',
    });
  }
  const ms = seed === undefined ? middle : middle + spread * (2 * createRandom(seed ^ hash(text))() - 1);
  drawn.set(text, Math.round(ms));
  return Math.round(ms);
}

/** FNV-1a, so that different texts of a run get times that have nothing to do with each other. */
function hash(text: string): number {
  let sum = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) sum = Math.imul(sum ^ text.charCodeAt(i), 0x01000193);
  return sum >>> 0;
}
