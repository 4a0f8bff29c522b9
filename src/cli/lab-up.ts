// anabranch lab up TOPOLOGY: builds a lab and stays with it until ^C, SIGTERM or `anabranch lab down`.

import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Lab } from '../lab/lab.ts';
import { describeLink } from '../lab/link-text.ts';
import type { TimelineStep } from '../lab/timeline.ts';
import { withNamespaces } from './lab-privileges.ts';

interface UpOptions {
  readonly id?: string;
  readonly seed?: number;
  readonly driver?: (typeof DRIVERS)[number];
  readonly play?: boolean;
  readonly json?: boolean;
}

const EXAMPLES = `
Examples:
  anabranch lab up two-paths                 a topology that comes along (anabranch lab list shows them)
  anabranch lab up ./my-network.yaml         one of your own; docs/lab.md says what it may hold
  anabranch lab up two-paths --id demo       named, so that several can be told apart

Exit codes: 0 it was up and is removed, 2 the topology is wrong, 3 something needed is not there.`;

const DRIVERS = ['emulator', 'netem', 'auto'] as const;

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export function register(lab: Command): void {
  lab
    .command('up')
    .description('build a network and stay with it')
    .argument('<topology>', 'name of a topology that comes along, or a YAML file')
    .option('--id <id>', 'name of the lab, 1 to 12 small letters and digits; made up unless given')
    .option('--seed <number>', "instead of the topology's: makes loss and jitter repeat", parseSeed)
    .addOption(new Option('--driver <driver>', 'what carries the links').choices(DRIVERS).default('emulator'))
    .option('--play', "play the topology's timeline")
    .option('--json', 'print hosts and links as one line of JSON once it is up')
    .addHelpText('after', EXAMPLES)
    .action((topology: string, options: UpOptions) => withNamespaces(() => up(topology, options)));
}

function parseSeed(text: string): number {
  const seed = Number(text);
  if (/^\d{1,10}$/.test(text) && seed <= 0xffff_ffff) return seed;
  throw new InvalidArgumentError('a whole number from 0 to 4294967295');
}

async function up(
  name: string,
  { id, seed, driver = 'emulator', play = false, json = false }: UpOptions,
): Promise<void> {
  const [{ createLab }, { readTopology }, { openControl }] = await Promise.all([
    import('../lab/lab.ts'),
    import('../lab/topology-file.ts'),
    import('../lab/control.ts'),
  ]);
  const lab = await createLab(readTopology(name), {
    ...(id === undefined ? {} : { id }),
    ...(seed === undefined ? {} : { seed }),
    driver,
  });
  let end = (): void => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  // Heard more than once they mean no more: it is being removed already.
  for (const signal of SIGNALS) process.on(signal, end);
  const stop = new AbortController();
  // An idle lab keeps no program alive.
  const stay = setInterval(() => undefined, 60_000);
  try {
    const control = await openControl(lab, end);
    console.log(json ? JSON.stringify(facts(lab)) : describe(lab));
    const onStep = (step: TimelineStep): void => {
      if (!json) console.log(describeStep(step));
    };
    const played = play ? lab.play(undefined, { signal: stop.signal, onStep }) : Promise.resolve();
    await Promise.race([ended, played.then(() => ended), lab.failed]);
    control.close();
  } finally {
    clearInterval(stay);
    stop.abort();
    await lab.close();
  }
  if (!json) console.log(`lab ${lab.id} is removed`);
  for (const signal of SIGNALS) process.off(signal, end);
}

function facts(lab: Lab): unknown {
  return {
    id: lab.id,
    topology: lab.topology.name,
    driver: lab.driver,
    hosts: lab.topology.hosts.map(({ name }) => ({
      name,
      addresses: Object.fromEntries(
        (lab.hosts.get(name)?.plan.interfaces ?? []).map(({ device, addresses }) => [
          device,
          addresses.map(({ address }) => address),
        ]),
      ),
    })),
    links: lab.topology.links.map(({ name, hosts }) => ({ name, hosts })),
  };
}

function describe(lab: Lab): string {
  const { hosts, links, name } = lab.topology;
  const width = Math.max(...[...hosts, ...links].map(({ name }) => name.length));
  const lines = [
    `lab ${lab.id}, of the topology ${name}, is up; its links are carried by the ${lab.driver}`,
    '',
    'hosts',
  ];
  for (const host of hosts) {
    const interfaces = lab.host(host.name).plan.interfaces.map(({ device, addresses }) => {
      return `${device} ${addresses.map(({ address }) => address).join(' ')}`;
    });
    const marks = [...(host.forward ? ['router'] : []), ...(host.mptcp.enabled ? [] : ['no MPTCP'])];
    const what = marks.length > 0 ? ` (${marks.join(', ')})` : '';
    lines.push(`  ${host.name.padEnd(width)}  ${interfaces.join(', ') || 'on no link'}${what}`);
  }
  lines.push('', 'links');
  for (const { name, hosts: ends, up, down } of links) {
    lines.push(`  ${name.padEnd(width)}  ${ends.join(' – ')}: ${describeLink(up, down)}`);
  }
  const [host, link] = [hosts[0]?.name ?? 'HOST', links[0]?.name ?? 'LINK'];
  lines.push(
    '',
    'from another terminal',
    `  anabranch lab exec ${host} sh`,
    `  anabranch lab link ${link} down`,
    `  anabranch lab link ${link} set rate=5mbit delay=50ms`,
    '^C or anabranch lab down ends it',
  );
  return lines.join('\n');
}

function describeStep({ entry: { action }, doneMs }: TimelineStep): string {
  const what = action.kind === 'address' ? `address ${action.host} ${action.link} ${action.address}` : action.link;
  return `${(doneMs / 1e3).toFixed(2)} s: ${action.kind === 'address' ? what : `${action.kind} ${what}`}`;
}
