// All plots of a report, in the order of reading; those without data are left out.

import type { Report } from '../report.ts';
import { destinationsPlot } from './destinations.ts';
import { durationsPlot, stallsPlot } from './distribution.ts';
import { durationVolumePlot } from './duration-volume.ts';
import { rttPlot, throughputPlot } from './paths.ts';
import type { Plot } from './plot.ts';
import { workingPlot } from './working.ts';

export function plotsOfReport(report: Report): Plot[] {
  return [
    workingPlot(report),
    throughputPlot(report),
    rttPlot(report),
    durationsPlot(report),
    durationVolumePlot(report),
    destinationsPlot(report),
    stallsPlot(report),
  ].filter((plot) => plot !== undefined);
}
