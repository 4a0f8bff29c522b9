// What the facts mean for a multipath proxy. A pure function: facts in, verdicts out, in the order they are shown.

import { formatHostPort } from '../wire/destination.ts';
import type { Facts, PathProbeFacts } from './facts.ts';
import { hostVerdicts } from './host-verdicts.ts';
import { pathVerdicts } from './path-verdicts.ts';
import { ok, type Verdict } from './verdict.ts';

export function judge(facts: Facts): Verdict[] {
  return [...hostVerdicts(facts), ...pathVerdicts(facts), ...reach(facts), ...reachOverPaths(facts)];
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

/** Only where there are several: with one, `reach` has said it all. */
function reachOverPaths({ pathProbes = [] }: Facts): Verdict[] {
  if (pathProbes.length < 2) return [];
  const isThere = pathProbes.some(({ mptcp }) => mptcp === 'through');
  return pathProbes.map((probe) => reachOverPath(probe, isThere));
}

/** Of a path that loses more, MPTCP does better without. */
const LOSS_MAX = 0.2;

function reachOverPath(probe: PathProbeFacts, isMptcpThere: boolean): Verdict {
  const { path, address, answers, loss = 0, mptcp, portal, text } = probe;
  const id = `reach ${path} ${address}`;
  const warn = (why: string, mend: string): Verdict => ({ id, level: 'warn', found: text, why, mend: [mend] });
  if (portal === 'captive')
    return warn('Nothing gets through until somebody has logged in.', 'open the page it leads to');
  if (answers !== true) return warn('The server does not answer over this path.', `ip route get … from ${address}`);
  if (mptcp === 'blocked' || (mptcp === 'absent' && isMptcpThere)) {
    return warn('Over other paths MPTCP gets through: something on this one is in its way.', 'ask its provider; a VPN');
  }
  if (loss > LOSS_MAX) return warn('A path that loses so much slows the others down.', 'better reception');
  return ok(id, text);
}
