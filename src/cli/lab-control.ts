// anabranch lab link, address, down: acting on a running lab over its control socket.

import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, Option } from 'commander';
import { nearest } from '../config/nearest.ts';
import type { ControlRequest, LinkStatus } from '../lab/control.ts';
import { LabError, LabErrorCode } from '../lab/lab-error.ts';
import { describeLink } from '../lab/link-text.ts';
import type { RunningLab } from '../lab/running.ts';
import { CUTS, type Cut, DIRECTIONS, type Directions } from '../lab/timeline.ts';
import { withLabErrors } from './lab-privileges.ts';

interface LinkOptions {
  readonly lab?: string;
  readonly how?: Cut;
  readonly direction?: Directions;
  readonly side?: string;
}

const LINK_EXAMPLES = `
Examples:
  anabranch lab link                                   every link: settings, and what it has carried
  anabranch lab link wifi down                         frames vanish, and nobody is told
  anabranch lab link wifi down --direction up          … those from the link's first host only
  anabranch lab link wifi down --how carrier           both ends notice at once
  anabranch lab link wifi down --how admin --side client
  anabranch lab link wifi up                           whole again
  anabranch lab link wifi set rate=5mbit delay=40ms loss=1%
  anabranch lab link wifi set up.rate=1mbit queue=64kB loss.average=2% loss.burst=4

Settings: rate, delay, rtt, jitter, loss, queue, reorder; alone for both directions, after up. or down. for one.`;

const DOWN_EXAMPLES = `
Examples:
  anabranch lab down               the lab that runs
  anabranch lab down --lab demo    this one, of several`;

const ADDRESS_EXAMPLES = `
Examples:
  anabranch lab address client wifi 10.0.1.77/24    as DHCP does after a handover`;

export function register(lab: Command): void {
  lab
    .command('link')
    .description('show the links of a running lab, cut one, change one')
    .argument('[name]', 'link of the lab')
    .argument('[action]', 'down, up or set')
    .argument('[settings...]', 'for set: name=value …')
    .option('--lab <id>', 'which lab, when several run')
    .addOption(new Option('--how <how>', 'for down: how it is cut').choices(CUTS))
    .addOption(new Option('--direction <direction>', 'for a silent cut: which direction').choices(DIRECTIONS))
    .option('--side <host>', 'for carrier and admin: at which end')
    .addHelpText('after', LINK_EXAMPLES)
    .action((name: string | undefined, action: string | undefined, settings: string[], options: LinkOptions) =>
      withLabErrors(() => link(name, action, settings, options)),
    );
  lab
    .command('address')
    .description("change the address of a host's interface")
    .argument('<host>', 'host of the lab')
    .argument('<link>', 'link of the interface')
    .argument('<address>', 'the new address with its prefix length')
    .option('--lab <id>', 'which lab, when several run')
    .addHelpText('after', ADDRESS_EXAMPLES)
    .action((host: string, name: string, address: string, options: { lab?: string }) =>
      withLabErrors(async () => {
        await ask(await running(options.lab), { kind: 'address', host, link: name, address });
      }),
    );
  lab
    .command('down')
    .description('end a running lab and remove all of it')
    .option('--lab <id>', 'which lab, when several run')
    .addHelpText('after', DOWN_EXAMPLES)
    .action((options: { lab?: string }) => withLabErrors(() => down(options.lab)));
}

async function link(
  name: string | undefined,
  action: string | undefined,
  settings: readonly string[],
  { lab: id, how, direction, side }: LinkOptions,
): Promise<void> {
  const request = requestOf(name, action, settings, { how, direction, side });
  const lab = await running(id);
  const { links = [] } = await ask(lab, request ?? { kind: 'show' });
  if (request !== undefined) return;
  const shown = links.filter((one) => name === undefined || one.name === name);
  if (shown.length === 0 && name !== undefined) {
    const { unknownName } = await import('../lab/unknown-name.ts');
    throw unknownName(
      'link',
      name,
      links.map((one) => one.name),
    );
  }
  for (const one of shown) console.log(describeStatus(one));
}

/** Undefined when nothing is to be done but to look. */
function requestOf(
  name: string | undefined,
  action: string | undefined,
  settings: readonly string[],
  cut: {
    readonly how?: Cut | undefined;
    readonly direction?: Directions | undefined;
    readonly side?: string | undefined;
  },
): ControlRequest | undefined {
  if (name === undefined || action === undefined) return undefined;
  if (action === 'set') return { kind: 'set', link: name, change: parseSettings(settings) };
  if (settings.length > 0) throw wrong(`${action} takes no settings; did you mean set ${settings.join(' ')}?`);
  if (action === 'up') return { kind: 'up', link: name };
  if (action === 'down') return { kind: 'down', link: name, ...cut };
  const near = nearest(action, ['down', 'up', 'set']);
  throw wrong(`what to do is down, up or set, not ${action}${near === undefined ? '' : `; did you mean ${near}?`}`);
}

const KEYS = ['rate', 'delay', 'rtt', 'jitter', 'loss', 'queue', 'reorder'];
const LOSS_KEYS = ['average', 'burst'];

/** `rate=5mbit up.delay=3ms loss.burst=4` as what `link.set` takes; values are checked by the lab. */
export function parseSettings(settings: readonly string[]): Record<string, unknown> {
  if (settings.length === 0) throw wrong('set needs settings, such as rate=5mbit delay=40ms');
  const change: Record<string, unknown> = {};
  for (const setting of settings) {
    const equals = setting.indexOf('=');
    if (equals < 1) throw wrong(`a setting is name=value, such as rate=5mbit; this is ${setting}`);
    const path = setting.slice(0, equals).split('.');
    checkPath(path);
    let into = change;
    for (const key of path.slice(0, -1)) {
      if (typeof into[key] !== 'object') into[key] = {};
      into = into[key] as Record<string, unknown>;
    }
    into[path.at(-1) as string] = parseValue(path.at(-1) as string, setting.slice(equals + 1));
  }
  return change;
}

function checkPath(path: readonly string[]): void {
  const inner = path[0] === 'up' || path[0] === 'down' ? path.slice(1) : path;
  const [key = '', below, ...rest] = inner;
  const known = inner === path ? KEYS : KEYS.filter((name) => name !== 'rtt');
  if (!known.includes(key)) throw wrong(unknownSetting(path.join('.'), key, known));
  if (below === undefined) return;
  if (key !== 'loss' || rest.length > 0) throw wrong(`there is no setting ${path.join('.')}`);
  if (!LOSS_KEYS.includes(below)) throw wrong(unknownSetting(path.join('.'), below, LOSS_KEYS));
}

function unknownSetting(whole: string, key: string, known: readonly string[]): string {
  const near = nearest(key, known);
  const hint = near === undefined ? '' : `did you mean ${near}? `;
  return `there is no setting ${whole}; ${hint}there are: ${known.join(', ')}`;
}

function parseValue(key: string, text: string): unknown {
  if (key === 'burst') return Number(text);
  if (text === 'true' || text === 'false') return text === 'true';
  return text;
}

function wrong(message: string): LabError {
  return new LabError(LabErrorCode.unknownName, message);
}

function describeStatus({ name, hosts, up, down, counters }: LinkStatus): string {
  const carried = (['up', 'down'] as const).map((direction) => {
    const { framesOut, bytesOut, lost, queueFull, silenced } = counters[direction];
    return `  ${direction}: ${framesOut} frames, ${bytesOut} bytes; ${lost} lost, ${queueFull} queue full, ${silenced} cut`;
  });
  return [`${name}  ${hosts.join(' – ')}: ${describeLink(up, down)}`, ...carried].join('\n');
}

async function down(id: string | undefined): Promise<void> {
  const lab = await running(id);
  await ask(lab, { kind: 'close' });
  const { findRunningLabs } = await import('../lab/running.ts');
  for (const until = performance.now() + REMOVED_MS_MAX; performance.now() < until; await sleep(50)) {
    if (!findRunningLabs().some(({ record }) => record.id === lab.record.id)) return;
  }
  throw new LabError(LabErrorCode.timeout, `lab ${lab.record.id} is still there after ${REMOVED_MS_MAX / 1e3} s`);
}

/** Removing a lab takes some tens of milliseconds for each host. */
const REMOVED_MS_MAX = 30_000;

async function running(id: string | undefined): Promise<RunningLab> {
  const { findRunningLabs, chooseLab } = await import('../lab/running.ts');
  return chooseLab(findRunningLabs(), id);
}

async function ask(lab: RunningLab, request: ControlRequest): ReturnType<typeof import('../lab/control.ts').askLab> {
  const { askLab } = await import('../lab/control.ts');
  return askLab(lab.controlPath, request);
}
