// The counters of a network namespace, as text under /proc and as numbers.

/** Of one interface, frames and their Ethernet headers included. */
export interface InterfaceCounters {
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

/** /proc/net/dev (proc_pid_net(5)): two lines of heading, then `name: 16 numbers`, of which the ninth is what was sent. */
export function parseNetDev(text: string): Map<string, InterfaceCounters> {
  const counters = new Map<string, InterfaceCounters>();
  for (const line of text.split('\n').slice(2)) {
    // No interface has a colon in its name.
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    const fields = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/);
    counters.set(line.slice(0, colon).trim(), { receivedBytes: Number(fields[0]), sentBytes: Number(fields[8]) });
  }
  return counters;
}

/**
 * /proc/net/netstat and /proc/net/snmp: pairs of lines, the first with names, the second with values, both behind the
 * same `Group:`. Keys are as nstat(8) prints them: `TcpRetransSegs`, `TcpExtTCPTimeouts`, `MPTcpExtMPCapableSYNTX`.
 */
export function parseMib(text: string): Record<string, number> {
  const counters: Record<string, number> = {};
  const lines = text.split('\n');
  for (let i = 0; i + 1 < lines.length; i += 2) {
    const [group = '', ...names] = (lines[i] as string).split(' ');
    const [same, ...values] = (lines[i + 1] as string).split(' ');
    if (group !== same) throw new Error(`counters of ${group} are followed by those of ${same}`);
    for (const [k, name] of names.entries()) counters[group.slice(0, -1) + name] = Number(values[k]);
  }
  return counters;
}

/** By how much each counter grew; those that did not are left out. */
export function mibGrowth(
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>>,
): Record<string, number> {
  const grown = Object.entries(after).map(([name, value]) => [name, value - (before[name] ?? 0)] as const);
  return Object.fromEntries(grown.filter(([, by]) => by !== 0));
}

/** Of all TCP connections and MPTCP subflows of a host. */
export interface Retransmissions {
  readonly segmentsSent: number;
  readonly segments: number;
  /** Retransmission timeouts that fired. */
  readonly timeouts: number;
  /** Tail loss probes (RFC 8985 §7). */
  readonly lossProbes: number;
  /** Data that MPTCP gave to another subflow than the one that had it. */
  readonly reinjections: number;
}

export function retransmissions(growth: Readonly<Record<string, number>>): Retransmissions {
  return {
    segmentsSent: growth.TcpOutSegs ?? 0,
    segments: growth.TcpRetransSegs ?? 0,
    timeouts: growth.TcpExtTCPTimeouts ?? 0,
    lossProbes: growth.TcpExtTCPLossProbes ?? 0,
    reinjections: growth.MPTcpExtMPTCPRetrans ?? 0,
  };
}
