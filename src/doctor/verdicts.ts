// What the facts mean for a multipath proxy. A pure function: facts in, verdicts out, in the order they are shown.

import { formatHostPort } from '../wire/destination.ts';
import type { Facts } from './facts.ts';
import { hostVerdicts } from './host-verdicts.ts';
import { pathVerdicts } from './path-verdicts.ts';
import { ok, type Verdict } from './verdict.ts';

export function judge(facts: Facts): Verdict[] {
  return [...hostVerdicts(facts), ...pathVerdicts(facts), ...reach(facts)];
}

function reach({ probe }: Facts): Verdict[] {
  if (probe === undefined) return [];
  const id = 'reach';
  const where = formatHostPort(probe.destination.host, probe.destination.port);
  const { result } = probe;
  switch (result.kind) {
    case 'mptcp':
      return [ok(id, `MPTCP gets through to ${where}`)];
    case 'tcp':
      return [
        {
          id,
          level: 'warn',
          found: `${where} answers, but over TCP: ${result.detail}`,
          why: 'Either the server does not speak MPTCP, or something on the way takes its options out.',
          mend: ['on the server: anabranch doctor; then try from another network to tell the two apart'],
        },
      ];
    case 'failed':
      return [
        {
          id,
          level: 'fail',
          found: `${where} cannot be reached: ${result.detail}`,
          why: 'Nothing can be told about MPTCP.',
          mend: [],
        },
      ];
  }
}
