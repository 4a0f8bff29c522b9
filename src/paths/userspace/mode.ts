// `mode: userspace` as the manager sees it: takes the connections of a network namespace over from the kernel's path
// manager, follows the paths, and gives everything back.

import type { PathsConfig } from '../../config/config.ts';
import type { EventLoop } from '../../dataplane/event-loop.ts';
import type { NetworkView } from '../../netlink/network.ts';
import type { PathManager } from '../../netlink/path-manager.ts';
import type { PmEvent } from '../../wire/mptcp-pm.ts';
import type { RuleChange } from '../../wire/rtnetlink.ts';
import type { SubflowProgress } from '../../wire/subflow-dump.ts';
import type { NextHops } from '../next-hops.ts';
import { type Path, pathKey } from '../path.ts';
import { statePath } from '../path-state.ts';
import type { Step } from '../plan.ts';
import type { Policy, Settings, SubflowPath } from './desired.ts';
import { Director } from './director.ts';
import { Gateways } from './gateways.ts';
import {
  isSwitchNote,
  type PathManagerType,
  readPathManagerType,
  SWITCH_NOTE,
  writePathManagerType,
} from './pm-type.ts';

export interface UserspaceOptions {
  /** Of connections that nobody has a wish for. */
  readonly policy: Policy;
  readonly settings: Settings;
}

/** Whose paths these are, and how to reach the kernel there. */
export interface UserspaceGround {
  readonly loop: EventLoop;
  readonly pm: PathManager;
  readonly view: NetworkView;
  readonly namespace: string | undefined;
  readonly hops: Pick<NextHops, 'find'>;
  /** Puts a rule in or takes it out; it may be there, or gone, already. Throws a NetlinkError. */
  changeRule(verb: 'add-rule' | 'remove-rule', rule: RuleChange): void;
}

export class UserspaceMode {
  readonly #ground: UserspaceGround;
  readonly #director: Director;
  readonly #gateways = new Gateways();
  /** Some connection has, or had, the strategy `gateways`. */
  #usesGateways: boolean;
  readonly #typeBefore: PathManagerType;
  #paths: readonly Path[] = [];
  /** Bounded by the paths. */
  #working: ReadonlySet<string> = new Set();

  /** Switches the namespace over. Throws a NetlinkError, or a system error when the kernel's settings cannot be changed. */
  private constructor(ground: UserspaceGround, { policy, settings }: UserspaceOptions) {
    const { namespace, view } = ground;
    this.#ground = ground;
    // One of us that was killed has left its note, and the switch as it was.
    const isNoted = view.rules.some(isSwitchNote);
    const type = readPathManagerType(namespace);
    this.#typeBefore = isNoted ? 'kernel' : type;
    if (type === 'kernel') {
      // Noted first: should we die in between, nothing but the note is left, and that goes at the next start.
      ground.changeRule('add-rule', SWITCH_NOTE);
      try {
        writePathManagerType('userspace', namespace);
      } catch (error) {
        ground.changeRule('remove-rule', SWITCH_NOTE);
        throw error;
      }
    }
    this.#director = new Director(ground.loop, ground.pm, {
      policy,
      settings,
      leavesAtOnce: (address) => this.#leavesAtOnce(address),
    });
    this.#usesGateways = policy.strategy === 'gateways';
  }

  /**
   * Without options, puts back what one of us that was killed has left switched over. `undefined`: it is the kernel that
   * manages; `warn` says why, if that was not what was asked for.
   */
  static enter(
    ground: UserspaceGround,
    options: UserspaceOptions | undefined,
    warn: (code: string, message: string) => void,
  ): UserspaceMode | undefined {
    try {
      if (options !== undefined) return new UserspaceMode(ground, options);
      if (!ground.view.rules.some(isSwitchNote)) return undefined;
      writePathManagerType('kernel', ground.namespace);
      ground.changeRule('remove-rule', SWITCH_NOTE);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const hint = 'set it beforehand, or let anabranch write to /proc/sys';
      if (options !== undefined) warn('path-manager-type', `in mode kernel instead of userspace: ${why}; ${hint}`);
      else warn('path-manager-type', `left in mode userspace by one that was killed: ${why}; ${hint}`);
    }
    return undefined;
  }

  /** Routing besides that of every mode. */
  plan(paths: readonly Path[], view: NetworkView): Step[] {
    return this.#gateways.plan(this.#usesGateways ? paths : [], view);
  }

  /** The paths as they are now. `onReturned` is called for those that work again, before anything leaves over them. */
  follow(paths: readonly Path[], isDead: (path: Path) => boolean, onReturned: (path: Path) => void): void {
    const works = new Set<string>();
    for (const path of paths) {
      if (path.trouble !== undefined || isDead(path)) continue;
      works.add(pathKey(path));
      if (!this.#working.has(pathKey(path))) onReturned(path);
    }
    this.#working = works;
    this.#paths = paths;
    this.#director.update(paths.map((path) => this.#subflowPath(path, isDead(path))));
  }

  onEvent(event: PmEvent): void {
    this.#director.onEvent(event);
  }

  observe(subflows: readonly SubflowProgress[]): void {
    this.#director.observe(subflows);
  }

  /** What a connection is for. Whether `plan` must be asked anew. */
  tell(token: number, policy: Policy): boolean {
    this.#director.tell(token, policy);
    return this.#mayNeedGateways(policy);
  }

  /** The defaults have changed. `plan` must be asked anew. */
  configure({ policy, settings }: UserspaceOptions): void {
    this.#mayNeedGateways(policy);
    this.#director.configure(policy, settings);
  }

  #leavesAtOnce(address: string): boolean {
    const path = this.#paths.find((one) => one.address === address);
    return path === undefined || this.#ground.hops.find(path);
  }

  #mayNeedGateways({ strategy }: Policy): boolean {
    if (strategy !== 'gateways' || this.#usesGateways) return false;
    this.#usesGateways = true;
    return true;
  }

  /** Gives the namespace back; subflows stay as they are. Throws as the constructor does. */
  close(): void {
    this.#director.close();
    if (this.#typeBefore !== 'kernel') return;
    const { namespace, changeRule } = this.#ground;
    writePathManagerType('kernel', namespace);
    changeRule('remove-rule', SWITCH_NOTE);
  }

  #subflowPath(path: Path, isDead: boolean): SubflowPath {
    const { subflow, signal, port } = path.wanted;
    return {
      ...statePath(path, isDead, this.#director.rttMs(path.address)),
      index: path.index,
      joins: subflow,
      signalPort: signal ? port : undefined,
      gateways: this.#gateways.portsOf(path),
    };
  }
}

/** As the configuration has it; `undefined` in `mode: kernel`. */
export function userspaceOptions({
  mode,
  wish,
  strategy,
  subflows,
  meteredAfter,
}: PathsConfig): UserspaceOptions | undefined {
  if (mode === 'kernel') return undefined;
  return { policy: { wish, strategy }, settings: { subflows, meteredAfter } };
}
