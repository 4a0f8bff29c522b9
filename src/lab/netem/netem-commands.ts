// The commands that make the kernel carry a link, as text: pure. The far ends of both hosts' cables are ports of a bridge
// in the lab's hidden namespace, and each direction is shaped where it leaves the bridge:
//
//   host a ══ l0a ── bridge b0 ── l0b: netem (loss, delay) ▶ tbf (queue, rate) ══ host b
//
// There, and not on the host's own device, for two reasons. The hosts' interfaces stay free for what runs on them; and
// TCP counts what its own device still holds and stops sending (TCP small queues), which a queue out on the path must not
// make it do. A frame keeps its owner across veth and bridge, but netem takes it off (skb_orphan_partial) whenever it
// delays or has a rate: so it always delays, if only by a microsecond.

import { type DirectionSettings, type Loss, queueBytes } from '../link-settings.ts';

/** Handles of the two stages on each device. */
const NETEM = '1:';
const SHAPER = '10:';

/** Frames that may be under way; more than any link holds, for a full delay line would lose them. */
const DELAY_FRAMES = 1_000_000;
/** With a rate netem keeps the order: no frame overtakes the one before. So high a rate does nothing else. */
const KEEP_ORDER = 'rate 1000gbit';
const DELAY_US_MIN = 1;
/** Stands for no limit. The kernel does not let another kind of qdisc take the shaper's place and keep its counts. */
const RATE_MAX = 100e9;
/** tbf's limit has 32 bits. */
const QUEUE_BYTES_MAX = 1e9;
/** How late the kernel's timer may be without cost: what it missed it may send at once. */
const BURST_SECONDS = 250e-6;

/** `ip -batch` lines in the hidden namespace: a bridge that does nothing but pass frames on, whatever they are. */
export function bridgeCommands(link: number, devices: readonly [string, string]): string[] {
  const bridge = `b${link}`;
  return [
    // Without ageing nothing is learnt, and all goes to the other port.
    `link add name ${bridge} type bridge stp_state 0 mcast_snooping 0 ageing_time 0`,
    ...devices.map((device) => `link set dev ${device} master ${bridge}`),
    `link set dev ${bridge} up`,
  ];
}

/** `tc -batch` lines for one direction, made at `device`. `frameBytesMax` is that of the link. */
export function setupCommands(device: string, settings: DirectionSettings, frameBytesMax: number): string[] {
  return [
    `qdisc replace dev ${device} root handle ${NETEM} ${netemText(settings, false, frameBytesMax)}`,
    `qdisc replace dev ${device} parent ${NETEM}1 handle ${SHAPER} ${shaperText(settings, frameBytesMax)}`,
  ];
}

/** As setup, for a link that carries frames: those under way are kept. */
export function changeCommands(
  device: string,
  settings: DirectionSettings,
  silent: boolean,
  frameBytesMax: number,
): string[] {
  return [
    `qdisc change dev ${device} root handle ${NETEM} ${netemText(settings, silent, frameBytesMax)}`,
    `qdisc change dev ${device} parent ${NETEM}1 handle ${SHAPER} ${shaperText(settings, frameBytesMax)}`,
  ];
}

function netemText(settings: DirectionSettings, silent: boolean, frameBytesMax: number): string {
  const { delayMs, jitterMs, reorder, loss } = settings;
  // tbf lets a frame go when its time begins, and a line has sent it when its time is over: half a full frame's time is
  // added, and any frame is then at most that much too early or too late.
  const sendingUs = (frameBytesMax * 8e6) / Math.min(RATE_MAX, settings.rate) / 2;
  const delayUs = Math.max(DELAY_US_MIN, Math.round(delayMs * 1e3 + sendingUs));
  // Without a named distribution netem draws evenly from both sides of the mean (tabledist in net/sched/sch_netem.c).
  const jitter = jitterMs > 0 ? ` ${Math.round(jitterMs * 1e3)}us` : '';
  const lost = silent ? ' loss random 100%' : lossText(loss);
  return `netem limit ${DELAY_FRAMES} delay ${delayUs}us${jitter}${lost}${reorder ? '' : ` ${KEEP_ORDER}`}`;
}

/** tc-netem(8): gemodel p r 1-h 1-k, with 1−h the loss in the bad state and 1−k that in the good one. */
function lossText(loss: Loss): string {
  // A change keeps the loss that it does not name.
  if (loss.kind === 'none') return ' loss random 0%';
  if (loss.kind === 'random') return ` loss random ${percent(loss.probability)}`;
  const { goodToBad, badToGood, lossBad, lossGood } = loss;
  return ` loss gemodel ${[goodToBad, badToGood, lossBad, lossGood].map(percent).join(' ')}`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(7).replace(/\.?0+$/, '')}%`;
}

function shaperText(settings: DirectionSettings, frameBytesMax: number): string {
  const rate = Math.min(RATE_MAX, Math.round(settings.rate));
  const burst = Math.max(frameBytesMax, Math.ceil((rate * BURST_SECONDS) / 8));
  // A link takes a frame while it is idle, however small its queue is.
  const limit = Math.min(QUEUE_BYTES_MAX, Math.max(frameBytesMax, Math.round(queueBytes(settings))));
  return `tbf rate ${rate}bit burst ${burst}b limit ${limit}b`;
}

/** What `tc -s -j qdisc show` says of one device, taken apart by who did it. */
export interface QdiscCounts {
  readonly framesOut: number;
  readonly bytesOut: number;
  /** On purpose, by netem. */
  readonly dropped: number;
  readonly queueFull: number;
  readonly framesWaiting: number;
  readonly bytesWaiting: number;
}

interface Qdisc {
  readonly kind: string;
  readonly dev: string;
  readonly handle: string;
  readonly bytes?: number;
  readonly packets?: number;
  readonly drops?: number;
  readonly backlog?: number;
  readonly qlen?: number;
}

/** By device. Throws a SyntaxError for what is no JSON. */
export function parseCounts(json: string): ReadonlyMap<string, QdiscCounts> {
  const all = JSON.parse(json || '[]') as readonly Qdisc[];
  const counts = new Map<string, QdiscCounts>();
  for (const netem of all.filter(({ handle }) => handle === NETEM)) {
    const shaper = all.find(({ dev, handle }) => dev === netem.dev && handle === SHAPER);
    const queueFull = shaper?.drops ?? 0;
    counts.set(netem.dev, {
      framesOut: shaper?.packets ?? 0,
      bytesOut: shaper?.bytes ?? 0,
      // netem counts what its shaper refuses as its own too.
      dropped: Math.max(0, (netem.drops ?? 0) - queueFull),
      queueFull,
      framesWaiting: netem.qlen ?? 0,
      bytesWaiting: shaper?.backlog ?? 0,
    });
  }
  return counts;
}
