// The paths as a table for a terminal.

import type { BudgetUse } from '../paths/budget.ts';
import type { PathSurvey, WholeSurvey } from '../paths/survey.ts';
import { formatBytes } from './quantities.ts';

const COLUMNS = ['PATH', 'KIND', 'ADDRESS', 'GATEWAY', 'COST', 'PRIORITY', 'ROUTING', 'ENDPOINT'];

export function formatSurvey({ paths, ignored, limits, others, missing }: WholeSurvey): string {
  const notes = [
    ...(ignored.length === 0 ? [] : [`Ignored: ${ignored.join(', ')}`]),
    ...others.map(({ name, pid }) => `${name} runs, too (process ${pid}): what it sets up is left alone`),
    ...(limits === undefined
      ? []
      : [`MPTCP: ${limits.subflows} further subflows, ${limits.acceptedAddresses} announced addresses taken up`]),
    ...missing.map((text) => `→ ${text}`),
  ];
  if (paths.length === 0) {
    const none = 'No path leads out: no interface has both an address and a default route.';
    return `${[none, ...(ignored.length === 0 ? [] : notes.slice(0, 1))].join('\n')}\n`;
  }
  const rows = paths.map(describe);
  const widths = COLUMNS.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join('  ')
      .trimEnd();
  const lines = [line(COLUMNS)];
  for (const [i, path] of paths.entries()) lines.push(line(rows[i]!), ...remarks(path).map((text) => `  ${text}`));
  return `${[...lines, '', ...notes].join('\n')}\n`;
}

function describe(path: PathSurvey): string[] {
  const routing = path.table === undefined ? path.routing : `${path.routing}, table ${path.table}`;
  const flags = path.endpointFlags.length > 0 ? ` (${path.endpointFlags.join(', ')})` : '';
  const port = path.endpointPort > 0 ? ` port ${path.endpointPort}` : '';
  const { name, kind, address, prefix, gateway = '–', cost, priority, endpoint } = path;
  const named = name === path.interface ? name : `${name} (${path.interface})`;
  return [named, kind, `${address}/${prefix}`, gateway, cost, `${priority}`, routing, `${endpoint}${flags}${port}`];
}

function remarks({ backup, spared, budget, missing, trouble }: PathSurvey): string[] {
  const use = spared ? ['left out, as is wished'] : backup && trouble === undefined ? ['stands by'] : [];
  return [...use, ...(budget === undefined ? [] : [budgetText(budget)]), ...missing.map((text) => `→ ${text}`)];
}

function budgetText({ used, monthly, until, spent }: BudgetUse): string {
  const percent = Math.floor((100 * used) / monthly);
  const consequence = { backup: ': it stands by', off: ': it is not used' };
  const what = spent === undefined ? '' : consequence[spent];
  return `${formatBytes(used)} of ${formatBytes(monthly)} used (${percent} %) until ${until}${what}`;
}
