// Answers what the main thread asks of the path manager: how things stand, and that something shall be otherwise.

import type { PathsConfig, PathsMode } from '../config/config.ts';
import { suggest } from '../config/nearest.ts';
import type { BudgetKeeper } from './budget-keeper.ts';
import type { Manager } from './manager.ts';
import type { Path } from './path.ts';
import type { PathSettings, Preferences } from './preferences.ts';
import { describePaths, type Survey } from './survey.ts';
import { userspaceOptions } from './userspace/mode.ts';

export type Question =
  | { readonly kind: 'status' }
  | { readonly kind: 'set'; readonly name: string; readonly settings: PathSettings }
  | { readonly kind: 'configure'; readonly paths: PathsConfig };

/** `refusal`: why nothing was done, in words. */
export type Answer = { readonly survey: Survey } | { readonly refusal: string };

export interface Desk {
  readonly manager: Manager;
  readonly preferences: Preferences;
  readonly budgets: BudgetKeeper;
  readonly mode: PathsMode;
}

export function answer(question: Question, { manager, preferences, budgets, mode }: Desk): Answer {
  if (question.kind === 'set') {
    const names = namesOf(question.name, manager.paths, preferences.ignored);
    if (names.length === 0) return { refusal: unknownName(question.name, manager.paths, preferences.ignored) };
    for (const name of names) preferences.set(name, question.settings);
    manager.refresh();
  } else if (question.kind === 'configure') {
    preferences.configure(question.paths);
    const userspace = userspaceOptions(question.paths);
    if (userspace !== undefined) manager.userspace?.configure(userspace);
    budgets.look(manager.paths, new Date(), performance.now());
    manager.refresh();
  }
  const survey = describePaths(manager.paths, manager.present, preferences.ignored, (path) => {
    return { silent: manager.isSilent(path), budget: budgets.useOf(path.name), byEndpoint: mode === 'kernel' };
  });
  return { survey };
}

/** Names of the paths that are meant: by their own name, or by their interface's. */
function namesOf(name: string, paths: readonly Path[], ignored: readonly string[]): string[] {
  if (ignored.includes(name) || paths.some((path) => path.name === name)) return [name];
  return [...new Set(paths.filter((path) => path.interface === name).map((path) => path.name))];
}

function unknownName(name: string, paths: readonly Path[], ignored: readonly string[]): string {
  const known = [...new Set([...paths.map((path) => path.name), ...ignored])];
  return `there is no path "${name}": ${suggest(name, known)}`;
}
