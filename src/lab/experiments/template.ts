// `${…}` in an experiment's values, filled in from its parameters and variables. A text that is one placeholder becomes
// the value it stands for, a map included; within other text only plain values fit.

export interface Scope {
  readonly [name: string]: unknown;
}

export interface TemplateFault {
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly hint: string;
}

const PLACEHOLDER = /\$\{([^{}]*)\}/g;
const WHOLE = /^\$\{([^{}]*)\}$/;
/** Deeper than any experiment, and shallow enough for the stack. */
const DEPTH_MAX = 32;

/** A copy with every placeholder filled in. Those that stand for nothing are reported and stay as they are. */
export function fillTemplate(
  value: unknown,
  scope: Scope,
  path: TemplateFault['path'],
  faults: TemplateFault[],
): unknown {
  if (path.length > DEPTH_MAX) {
    faults.push({ path, message: 'is nested too deeply', hint: `at most ${DEPTH_MAX} levels` });
    return undefined;
  }
  if (typeof value === 'string') return fillText(value, scope, path, faults);
  if (Array.isArray(value)) return value.map((entry, i) => fillTemplate(entry, scope, [...path, i], faults));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [key, fillTemplate(entry, scope, [...path, key], faults)]),
  );
}

function fillText(text: string, scope: Scope, path: TemplateFault['path'], faults: TemplateFault[]): unknown {
  const find = (name: string): unknown => {
    const found = lookUp(scope, name);
    if (found === undefined) {
      faults.push({
        path,
        message: `nothing is named ${name}`,
        hint: `known: ${Object.keys(scope).join(', ') || 'none'}`,
      });
    }
    return found;
  };
  const whole = WHOLE.exec(text)?.[1];
  if (whole !== undefined) {
    const found = find(whole);
    return found === undefined ? text : found;
  }
  return text.replace(PLACEHOLDER, (placeholder, name: string) => {
    const found = find(name);
    if (found === undefined) return placeholder;
    if (typeof found !== 'object' || found === null) return String(found ?? '');
    faults.push({ path, message: `\${${name}} is not a plain value`, hint: 'within text only numbers and text fit' });
    return placeholder;
  });
}

function lookUp(scope: Scope, name: string): unknown {
  let value: unknown = scope;
  for (const part of name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Scope)[part];
  }
  return value;
}
