// What is wrong with what people write of a lab: findings, as the configuration has them, from a schema's issues. By
// convention the message of an issue is its hint, what would be right.

import type { z } from 'zod';
import { type Finding, formatPath, printable } from '../config/fault.ts';
import { findingsOf } from '../config/issues.ts';
import { nearest } from '../config/nearest.ts';

type Issue = z.core.$ZodIssue;

/** `path` leads to the value, as in `['links', 'wifi', 'rate']`. */
export type TopologyFault = Finding;

/** `raw` is what was parsed. */
export function faultsOf(issues: readonly Issue[], raw: unknown): TopologyFault[] {
  const flat = issues.flatMap((issue) => settleUnions(issue, []));
  const misspelt = new Set(flat.flatMap(meantKeys));
  return flat
    .filter(({ code, path }) => code !== 'invalid_type' || !misspelt.has(formatPath(plainPath(path))))
    .flatMap((issue) => (issue.code === 'invalid_key' ? [badKey(issue)] : findingsOf([issue], raw)));
}

/** `links.wifi.rate: is "fast" — a rate such as 20mbit`, for faults without a file. */
export function formatTopologyFault({ path, message, hint }: TopologyFault): string {
  return `${formatPath(path) || 'topology'}: ${message} — ${hint}`;
}

function plainPath(path: readonly PropertyKey[]): (string | number)[] {
  return path.map((part) => (typeof part === 'symbol' ? String(part) : part));
}

function badKey(issue: Issue & { code: 'invalid_key' }): TopologyFault {
  const path = plainPath(issue.path);
  const hint = issue.issues[0]?.message ?? issue.message;
  return { path, atKey: true, message: `"${printable(String(path.at(-1)))}" cannot be a name here`, hint };
}

/** Keys that are said to be missing because they stand there misspelt, by their whole path. */
function meantKeys(issue: Issue): string[] {
  if (issue.code !== 'unrecognized_keys') return [];
  const known = issue.message.split(' ');
  return issue.keys.flatMap((key) => {
    const meant = nearest(key, known);
    return meant === undefined ? [] : [formatPath([...plainPath(issue.path), meant])];
  });
}

/** Instead of "fits none of these", what is wrong with the form that was probably meant; all paths in full. */
function settleUnions(issue: Issue, above: readonly PropertyKey[]): Issue[] {
  const whole = { ...issue, path: [...above, ...issue.path] };
  if (issue.code !== 'invalid_union') return [whole];
  const forms = issue.errors
    .filter((errors) => !errors.some(isOtherType))
    .map((errors) => ({ errors, score: errors.reduce((sum, error) => sum + weightOf(error), 0) }));
  const least = Math.min(...forms.map(({ score }) => score));
  const best = forms.filter(({ score }) => score === least);
  // Nothing tells which was meant: the union's own message lists all. As a custom issue it is not taken apart again.
  if (best.length !== 1) return [{ code: 'custom', path: whole.path, message: issue.message }];
  return best[0]!.errors.flatMap((error) => settleUnions(error, whole.path));
}

/** Whether a form complains about the very type of the value. */
function isOtherType(issue: Issue): boolean {
  if (issue.path.length > 0) return false;
  if (issue.code === 'invalid_union') return issue.errors.every((errors) => errors.some(isOtherType));
  return issue.code === 'invalid_type' || issue.code === 'invalid_value';
}

/** How much speaks against a form. A misspelt key counts less than one that it does not have at all. */
function weightOf(issue: Issue): number {
  if (issue.code !== 'unrecognized_keys') return 1;
  const known = issue.message.split(' ');
  return issue.keys.reduce((sum, key) => sum + (nearest(key, known) === undefined ? 1 : 0.5), 0);
}
