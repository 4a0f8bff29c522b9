// How far an experiment is: on a terminal one line that changes, elsewhere a line for each run.

import type { WriteStream } from 'node:tty';
import type { Progress } from '../lab/experiments/runner.ts';

export interface ProgressLine {
  show(progress: Progress): void;
  /** Leaves a clean line behind. */
  end(): void;
}

const WIDTH = 24;
const REDRAW_MS = 1_000;

export function createProgressLine(output: NodeJS.WriteStream | WriteStream, name: string): ProgressLine {
  let last: { readonly progress: Progress; readonly atMs: number } | undefined;
  if (!output.isTTY) {
    return {
      show(progress) {
        if (progress.setting !== undefined) output.write(`${name}: ${words(progress, 0)}\n`);
      },
      end() {},
    };
  }
  const draw = (): void => {
    if (last === undefined) return;
    const { done, total } = last.progress;
    const full = Math.round((WIDTH * done) / total);
    const bar = `${'█'.repeat(full)}${'░'.repeat(WIDTH - full)}`;
    const line = `${name} ${bar} ${words(last.progress, performance.now() - last.atMs)}`;
    // \x1b[K clears what a longer line left (ECMA-48 EL).
    output.write(`\r${line.slice(0, (output.columns ?? 80) - 1)}\u001b[K`);
  };
  const timer = setInterval(draw, REDRAW_MS);
  return {
    show(progress) {
      last = { progress, atMs: performance.now() };
      draw();
    },
    end() {
      clearInterval(timer);
      if (last !== undefined) output.write('\r\u001b[K');
    },
  };
}

function words({ done, total, setting, leftMs }: Progress, sinceMs: number): string {
  const run = `run ${Math.min(done + 1, total)} of ${total}`;
  const left = leftMs === undefined ? undefined : `${timeText(Math.max(0, leftMs - sinceMs))} left`;
  return [run, setting, left].filter((part) => part !== undefined).join(', ');
}

function timeText(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  return seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}
