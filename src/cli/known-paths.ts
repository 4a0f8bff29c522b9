// What the owner of the paths knows of them, for the dashboard.

import type { KnownPathReading, PathReading } from '../dashboard/source.ts';
import type { PathSurvey, Survey } from '../paths/survey.ts';

/** The families of an interface are one path there: of both, that one which works. */
export function withKnown(readings: readonly PathReading[], survey: Survey | undefined): readonly PathReading[] {
  if (survey === undefined) return readings;
  return readings.map((reading) => {
    const own = survey.paths.filter((path) => path.interface === reading.name);
    const path = own.find(({ trouble, silent }) => trouble === undefined && !silent) ?? own[0];
    return path === undefined ? reading : { ...reading, known: knownOf(path) };
  });
}

function knownOf({
  name,
  kind,
  cost,
  priority,
  backup,
  trouble,
  silent,
  spared,
  budget,
}: PathSurvey): KnownPathReading {
  const why = trouble ?? (silent ? 'silent' : spared ? 'left out' : '');
  const known = { path: name, kind, cost, priority, backup, trouble: why };
  if (budget === undefined) return known;
  const { used, monthly, until, spent } = budget;
  return { ...known, budget: { used, monthly, until, spent } };
}
