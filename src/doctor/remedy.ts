// What the doctor can mend by itself: settings of the running kernel, none that could cut a connection or a route.

export type Remedy =
  | { readonly kind: 'sysctl'; readonly name: string; readonly value: string }
  /** A module that the kernel lacks until it is loaded. */
  | { readonly kind: 'module'; readonly name: string }
  /** The limits of the kernel's MPTCP path manager. */
  | { readonly kind: 'limits'; readonly subflows: number; readonly accepted: number };

/** The same by hand. */
export function commandOf(remedy: Remedy): string {
  switch (remedy.kind) {
    case 'sysctl':
      return `sysctl -w ${remedy.name}=${/\s/.test(remedy.value) ? `"${remedy.value}"` : remedy.value}`;
    case 'module':
      return `modprobe ${remedy.name}`;
    case 'limits':
      return `ip mptcp limits set subflows ${remedy.subflows} add_addr_accepted ${remedy.accepted}`;
  }
}

/** What it is about, in a table. */
export function settingOf(remedy: Remedy): string {
  switch (remedy.kind) {
    case 'sysctl':
      return remedy.name;
    case 'module':
      return `module ${remedy.name}`;
    case 'limits':
      return 'MPTCP limits (further subflows, announced addresses)';
  }
}

/** Below /proc/sys. Interface names may have dots of their own (eth0.7), which stay. */
export function sysctlPath(name: string): string {
  const match = /^net\.(ipv[46])\.conf\.(.+)\.(\w+)$/.exec(name);
  return match ? `net/${match[1]}/conf/${match[2]}/${match[3]}` : name.replaceAll('.', '/');
}

/** As sysctl.d(5) wants it: with slashes where a part has a dot of its own. */
export function sysctlFileName(name: string): string {
  const path = sysctlPath(name);
  return path.includes('.') ? path : name;
}

/** Verdicts give this as their `mend` and `remedies`. */
export function mendedBy(remedies: readonly Remedy[]): { mend: readonly string[]; remedies: readonly Remedy[] } {
  return { mend: remedies.map(commandOf), remedies };
}

export function sysctl(name: string, value: string | number): Remedy {
  return { kind: 'sysctl', name, value: String(value) };
}
