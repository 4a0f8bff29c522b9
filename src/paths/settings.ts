// `priority=10 backup=on`: what is to be otherwise with a path, in words.

import { nearest, suggest } from '../config/nearest.ts';
import type { PathSettings } from './preferences.ts';

/** What is wrong with them, in words. */
export interface SettingsFault {
  readonly fault: string;
}

const PRIORITY_MAX = 0xffff_ffff;
const KEYS = ['priority', 'backup', 'cost', 'ignore'] as const;

const READERS: Readonly<Record<(typeof KEYS)[number], (value: string) => PathSettings | undefined>> = {
  priority: (value) => {
    const priority = /^\d{1,10}$/.test(value) ? Number(value) : Number.NaN;
    return priority <= PRIORITY_MAX ? { priority } : undefined;
  },
  backup: (value) => (isSwitch(value) ? { backup: value === 'on' } : undefined),
  cost: (value) => (value === 'free' || value === 'metered' ? { cost: value } : undefined),
  ignore: (value) => (isSwitch(value) ? { ignore: value === 'on' } : undefined),
};
const RIGHT = {
  priority: `a whole number from 0 to ${PRIORITY_MAX}, smaller is preferred`,
  backup: 'on or off',
  cost: 'free or metered',
  ignore: 'on or off',
} as const;

/** Each key once. */
export function readSettings(entries: readonly (readonly [string, string])[]): PathSettings | SettingsFault {
  let settings: PathSettings = {};
  for (const [key, value] of entries) {
    if (!isKey(key)) return { fault: `unknown key "${key}": ${suggest(key, KEYS)}` };
    if (key in settings) return { fault: `${key} is there twice` };
    const read = READERS[key](value);
    if (read === undefined) return { fault: `${key} is "${value}": ${hintFor(value)}${RIGHT[key]}` };
    settings = { ...settings, ...read };
  }
  if (Object.keys(settings).length === 0)
    return { fault: `nothing to set: give ${KEYS.join(', ')}, as in priority=10` };
  return settings;
}

/** `key=value`; the fault of a text without `=`. */
export function splitSetting(text: string): readonly [string, string] | SettingsFault {
  const at = text.indexOf('=');
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  return { fault: `"${text}" is no setting: give key=value, as in priority=10 or backup=on` };
}

function hintFor(value: string): string {
  const near = nearest(value, ['on', 'off', 'free', 'metered']);
  if (value === 'true' || value === 'yes') return 'say on; ';
  if (value === 'false' || value === 'no') return 'say off; ';
  return near === undefined ? '' : `did you mean ${near}? `;
}

function isKey(key: string): key is (typeof KEYS)[number] {
  return (KEYS as readonly string[]).includes(key);
}

function isSwitch(value: string): boolean {
  return value === 'on' || value === 'off';
}
