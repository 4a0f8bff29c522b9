// Which of a machine's paths a connection may take, the best one first: what the owner wants, held against what works
// just now. Used for the first subflow, when it is dialed, and for the others.

/** See docs/path-policy.md. `path`: a path's name, or its interface's. */
export type PathWish =
  | { readonly kind: 'max-throughput' | 'low-latency' | 'avoid-metered' }
  | { readonly kind: 'prefer' | 'only'; readonly path: string };

/** A path at one moment. */
export interface PathState {
  readonly name: string;
  readonly interface: string;
  readonly family: 4 | 6;
  readonly address: string;
  /** In CIDR notation: what is on the link. */
  readonly network: string;
  readonly cost: 'free' | 'metered';
  /** Smaller is preferred. */
  readonly priority: number;
  /** It is up, something comes through, and nobody has switched it off. */
  readonly works: boolean;
  /** Its owner wants it for lack of others only. */
  readonly backup: boolean;
  /** Little is left of its budget: for lack of others only, whatever is wished. */
  readonly spent?: boolean;
  /** Smoothed round trip in milliseconds; `undefined`: not known yet. */
  readonly rttMs: number | undefined;
}

export interface ChosenPath<Path extends PathState> {
  readonly path: Path;
  /** To be used only while the others do not work. */
  readonly backup: boolean;
}

export interface ChoiceOptions {
  readonly wish: PathWish;
  /** What the connection has carried. */
  readonly bytes: number;
  /** A metered path only once so much has been carried; `undefined`: at once. */
  readonly meteredAfter: number | undefined;
  /** Address of the path that was best before, which keeps its place against one that is hardly better. */
  readonly before?: string | undefined;
}

/** A path takes another one's first place by being faster by so much: round trips vary, and moving costs. */
const FASTER = 0.8;
const FASTER_MS = 3;

/** Those that may be used, best first; of one family, or of both. */
export function choosePaths<Path extends PathState>(
  paths: readonly Path[],
  options: ChoiceOptions,
): readonly ChosenPath<Path>[] {
  const { wish } = options;
  const usable = paths.filter(({ works }) => works);
  const frugal = wish.kind === 'only' ? usable : usable.filter(({ spent }) => spent !== true);
  if (frugal.length > 0 && frugal.length < usable.length) {
    const spent = usable.filter((path) => !frugal.includes(path) && (path.cost === 'free' || !isSparing(options)));
    return [...choosePaths(frugal, options), ...spent.map((path) => ({ path, backup: true }))];
  }
  const allowed = wish.kind === 'only' ? usable.filter((path) => isNamed(path, wish.path)) : spare(usable, options);
  const isSecond = (path: Path): boolean => path.backup && !isPreferred(path, wish);
  const order = (a: Path, b: Path): number =>
    Number(isPreferred(b, wish)) - Number(isPreferred(a, wish)) ||
    Number(isSecond(a)) - Number(isSecond(b)) ||
    (wish.kind === 'low-latency' ? compareDelays(a, b) : 0) ||
    a.priority - b.priority;
  const sorted = [...allowed].sort(order);
  if (wish.kind === 'low-latency') keepPlace(sorted, options.before);
  const best = sorted[0];
  if (best === undefined) return [];
  return sorted.map((path) => ({ path, backup: path !== best && isBehind(path, best, wish, isSecond) }));
}

/** Whether the kernel's own choice of a source address cannot go against the wish: every path may be used at once. */
export function isAnyPathFine<Path extends PathState>(
  paths: readonly Path[],
  chosen: readonly ChosenPath<Path>[],
): boolean {
  return chosen.length === paths.length && chosen.every(({ backup }) => !backup);
}

function isBehind<Path extends PathState>(
  path: Path,
  best: Path,
  wish: PathWish,
  isSecond: (path: Path) => boolean,
): boolean {
  if (wish.kind === 'low-latency') return true;
  if (isPreferred(best, wish)) return !isPreferred(path, wish);
  return isSecond(path) && !isSecond(best);
}

/** Leaves metered paths out while there are others and the wish, or the little that was carried, says so. */
function spare<Path extends PathState>(usable: readonly Path[], options: ChoiceOptions): readonly Path[] {
  if (!isSparing(options)) return usable;
  const spared = usable.filter((path) => path.cost === 'free' || isPreferred(path, options.wish));
  // A free path that is to be kept for need is still no reason to pay.
  return spared.length > 0 ? spared : usable;
}

function isSparing({ wish, bytes, meteredAfter }: ChoiceOptions): boolean {
  return wish.kind === 'avoid-metered' || (meteredAfter !== undefined && bytes < meteredAfter);
}

function isNamed(path: PathState, name: string): boolean {
  return path.name === name || path.interface === name;
}

function isPreferred(path: PathState, wish: PathWish): boolean {
  return (wish.kind === 'prefer' || wish.kind === 'only') && isNamed(path, wish.path);
}

/** What is not known comes last. */
function compareDelays(a: PathState, b: PathState): number {
  if (a.rttMs === b.rttMs) return 0;
  return (a.rttMs ?? Number.POSITIVE_INFINITY) - (b.rttMs ?? Number.POSITIVE_INFINITY);
}

function keepPlace<Path extends PathState>(sorted: Path[], before: string | undefined): void {
  const [best] = sorted;
  const at = sorted.findIndex(({ address }) => address === before);
  const known = sorted[at];
  if (at <= 0 || best === undefined || known === undefined || known.backup !== best.backup) return;
  const bestMs = best.rttMs ?? Number.POSITIVE_INFINITY;
  const knownMs = known.rttMs ?? Number.POSITIVE_INFINITY;
  if (bestMs < knownMs * FASTER && knownMs - bestMs > FASTER_MS) return;
  sorted.splice(at, 1);
  sorted.unshift(known);
}
