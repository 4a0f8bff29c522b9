// The paths of this machine, as a running proxy tells of them and lets them be changed.

import type { PathsConfig } from '../config/config.ts';
import { findOtherManagers } from '../netlink/other-managers.ts';
import type { ManagedPaths } from '../paths/managed-paths.ts';
import type { Survey, WholeSurvey } from '../paths/survey.ts';
import type { AdminPaths } from '../proxy/admin.ts';

/** What `GET /paths` answers. */
export interface PathsAnswer extends WholeSurvey {
  /** This proxy sets the paths up and watches them. */
  readonly managed: boolean;
}

export class ProxyPaths implements AdminPaths {
  #config: PathsConfig;
  #managed: ManagedPaths | undefined;

  constructor(config: PathsConfig) {
    this.#config = config;
  }

  /** Once they are managed. */
  set managed(managed: ManagedPaths | undefined) {
    this.#managed = managed;
  }

  /** The connections of the proxy are for something else than before. */
  hearWishes(): void {
    this.#managed?.hearWishes();
  }

  async list(): Promise<PathsAnswer> {
    if (this.#managed !== undefined) return whole(await this.#managed.survey());
    const [{ surveyPaths }, { Preferences }] = await Promise.all([
      import('../paths/survey.ts'),
      import('../paths/preferences.ts'),
    ]);
    return { managed: false, ...surveyPaths({ preferences: new Preferences(this.#config) }) };
  }

  /** For who asks often: without looking for other programs. `undefined` unless the paths are managed. */
  async managedSurvey(): Promise<Survey | undefined> {
    return this.#managed?.survey().catch(() => undefined);
  }

  async set(name: string, entries: readonly (readonly [string, string])[]): Promise<PathsAnswer> {
    if (this.#managed === undefined) {
      throw new Error('this anabranch does not manage the paths: say paths: { manage: true } in its configuration');
    }
    const { readSettings } = await import('../paths/settings.ts');
    const settings = readSettings(entries);
    if ('fault' in settings) throw new Error(settings.fault);
    return whole(await this.#managed.set(name, settings));
  }

  /** Takes a new configuration; returns the keys that change only with a restart. */
  async reload(config: PathsConfig): Promise<readonly string[]> {
    const keys = ['manage', 'mode', 'state'] as const;
    const fixed = keys.filter((key) => JSON.stringify(config[key]) !== JSON.stringify(this.#config[key]));
    this.#config = config;
    await this.#managed?.configure(config);
    return fixed.map((key) => `paths.${key}`);
  }
}

function whole(survey: Survey): PathsAnswer {
  return { managed: true, ...survey, others: findOtherManagers() };
}
