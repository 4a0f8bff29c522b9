// From zod's issues to findings: where, what is wrong, what would be right.

import type { z } from 'zod';
import { describeValue, type FaultPath, type Finding, isSecret, showKey } from './fault.ts';
import { nearest, suggest } from './nearest.ts';

type Issue = z.core.$ZodIssue;

/** Keys one may look for and that are left out on purpose, with the reason, and what does the job instead. */
const LEFT_OUT: readonly { readonly keys: RegExp; readonly message: string; readonly hint: string }[] = [
  {
    keys: /^(?:so_?)?(?:max_?)?pacing(?:_?rate)?$/i,
    message: 'MPTCP sockets refuse SO_MAX_PACING_RATE',
    hint: 'limit the rate of an interface with tc',
  },
  {
    keys: /^(?:zero_?copy|quick_?ack|syn_?cnt|window_?clamp|ulp|ktls|ttl|md5sig)$/i,
    message: 'MPTCP sockets refuse this option',
    hint: 'leave it out',
  },
  {
    keys: /^source_?address$/i,
    message: 'accepted connections have the address that the client chose',
    hint: 'set it in the socket section of an outbound',
  },
];

/** `raw` is what was parsed: the values that issues complain about. */
export function findingsOf(issues: readonly Issue[], raw: unknown): Finding[] {
  return issues.flatMap((issue) => findingsOfIssue(issue, [], raw));
}

function findingsOfIssue(issue: Issue, above: FaultPath, raw: unknown): Finding[] {
  const path = [...above, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))];
  const value = valueAt(raw, path);
  if (issue.code === 'unrecognized_keys') {
    const known = issue.message.split(' ');
    return issue.keys.map((key) => unknownKey(path, key, known));
  }
  if (issue.code === 'invalid_union') {
    // The branch that the value was meant for: the one that does not complain about its very type.
    const branch = issue.errors.find(
      (errors) => !errors.some(({ code, path: at }) => isTypeOf(code) && at.length === 0),
    );
    if (branch !== undefined) return branch.flatMap((inner) => findingsOfIssue(inner, path, raw));
  }
  return [{ path, message: wrongOf(issue, value, path), hint: hintOf(issue, value) }];
}

function isTypeOf(code: string): boolean {
  return code === 'invalid_type' || code === 'invalid_union';
}

function wrongOf(issue: Issue, value: unknown, path: FaultPath): string {
  const wrong = issue.code === 'custom' ? issue.params?.wrong : undefined;
  if (typeof wrong !== 'string') return describeValue(value, path);
  // With the text itself, where it may be shown and is not named already.
  const shown = describeValue(value, path);
  return shown.startsWith('is "') && !wrong.includes('"') ? `${shown.slice(3)} ${wrong}` : wrong;
}

function hintOf(issue: Issue, value: unknown): string {
  if (issue.code !== 'invalid_value' || typeof value !== 'string') return issue.message;
  const near = nearest(value, issue.values.map(String));
  return near === undefined ? issue.message : `did you mean ${near}? ${issue.message}`;
}

function unknownKey(path: FaultPath, key: string, known: readonly string[]): Finding {
  const at = { path: [...path, key], atKey: true };
  const leftOut = LEFT_OUT.find(({ keys }) => keys.test(key));
  if (leftOut !== undefined && path.at(-1) === 'socket') {
    return { ...at, message: leftOut.message, hint: leftOut.hint };
  }
  const hint = key.includes(':') ? 'put a space after the colon' : suggest(key, known);
  if (isSecret(path)) return { ...at, hidesKey: true, message: 'unknown key', hint };
  return { ...at, message: `unknown key "${showKey(key)}"`, hint };
}

export function valueAt(raw: unknown, path: FaultPath): unknown {
  let value = raw;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}
