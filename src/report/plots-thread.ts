// The thread behind drawReportPlots: opens the log, sums it up, draws, answers, ends.

import { parentPort, workerData } from 'node:worker_threads';
import { onDark } from './colours.ts';
import type { PlotsAnswer, PlotsRequest, ReportPicture, ReportPlots } from './draw-report-plots.ts';
import { jsonOfReport } from './json.ts';
import { drawSvg } from './plots/draw.ts';
import { flowTimeline } from './plots/flow-timeline.ts';
import type { Plot } from './plots/plot.ts';
import { plotsOfReport } from './plots/report-plots.ts';
import { openReportLog } from './report-log.ts';

const port = parentPort;
if (port === null) throw new Error('this file is the main file of a worker thread');
const answer = (message: PlotsAnswer): void => port.postMessage(message);

try {
  answer({ ok: true, plots: await draw(workerData as PlotsRequest) });
} catch (error) {
  const { code, message } = error as NodeJS.ErrnoException;
  answer({ ok: false, code, message });
}

async function draw({ log, filter, words, flow }: PlotsRequest): Promise<ReportPlots> {
  const opened = await openReportLog(log);
  try {
    if (flow !== undefined) {
      const detail = await opened.flow(flow);
      return { figures: { format: 1, ...detail }, plots: await drawAll([flowTimeline(detail)]) };
    }
    const report = await opened.report(filter, words);
    return { figures: jsonOfReport(report), plots: await drawAll(plotsOfReport(report)) };
  } finally {
    await opened.close();
  }
}

async function drawAll(plots: readonly Plot[]): Promise<ReportPicture[]> {
  const pictures = [];
  for (const plot of plots) {
    const light = await drawSvg(plot);
    pictures.push({ name: plot.name, title: plot.title, about: plot.about, light, dark: onDark(light) });
  }
  return pictures;
}
