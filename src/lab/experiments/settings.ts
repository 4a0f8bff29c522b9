// The settings of an experiment: one for each way to choose a value of every parameter.

/** Each parameter's values by their labels. Maps keep the order of the file. */
export type Parameters = ReadonlyMap<string, ReadonlyMap<string, unknown>>;

export interface Setting {
  /** Each parameter's label, as in `{ congestion: 'cubic', path: 'both' }`. */
  readonly labels: Readonly<Record<string, string>>;
  /** Each parameter's value, for templates. */
  readonly values: Readonly<Record<string, unknown>>;
}

/** The product of all parameters, the last one changing fastest. Without parameters there is one setting. */
export function settingsOf(parameters: Parameters): Setting[] {
  let settings: Setting[] = [{ labels: {}, values: {} }];
  for (const [name, choices] of parameters) {
    settings = settings.flatMap(({ labels, values }) =>
      [...choices].map(([label, value]) => ({
        labels: { ...labels, [name]: label },
        values: { ...values, [name]: value },
      })),
    );
  }
  return settings;
}

export function settingName({ labels }: Setting): string {
  return Object.values(labels).join(' ') || 'all';
}

/** Whether a setting has all the labels wanted; of several for one parameter, one of them. */
export function matches({ labels }: Setting, when: Readonly<Record<string, string | readonly string[]>>): boolean {
  return Object.entries(when).every(([name, wanted]) => {
    const label = labels[name];
    return label !== undefined && (typeof wanted === 'string' ? label === wanted : wanted.includes(label));
  });
}

/**
 * What `--only` says, as conditions for `matches`: `path=both` or, where it is clear, `both`. Values of one parameter
 * add up; different parameters narrow. Returns what is wrong as text.
 */
export function readOnly(wishes: readonly string[], parameters: Parameters): Record<string, string[]> | string {
  const when: Record<string, string[]> = {};
  for (const wish of wishes) {
    const [, named, label = ''] = /^(?:([^=]*)=)?(.*)$/.exec(wish) ?? [];
    const fits = [...parameters].filter(
      ([name, choices]) => (named === undefined || named === name) && choices.has(label),
    );
    const known = [...parameters].map(([name, choices]) => `${name}=${[...choices.keys()].join('|')}`).join(', ');
    if (fits.length === 0) return `no setting is ${wish}; there are: ${known || 'none to choose from'}`;
    if (fits.length > 1) {
      return `${wish} may mean several parameters: write ${fits.map(([name]) => `${name}=${label}`).join(' or ')}`;
    }
    const name = fits[0]![0];
    when[name] = [...(when[name] ?? []), label];
  }
  return when;
}
