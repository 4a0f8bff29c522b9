// The program's log on standard error: JSON lines for machines, plain lines for a terminal. pino does the writing.

import { pino } from 'pino';
import type { Log } from '../proxy/log.ts';

const NAMES: Readonly<Record<number, string>> = { 30: 'info', 40: 'warn', 50: 'error' };

export function createLogger(): Log {
  const stream = process.stderr.isTTY ? { write: (line: string) => process.stderr.write(humanLine(line)) } : undefined;
  const options = { base: null, timestamp: pino.stdTimeFunctions.isoTime };
  const logger =
    stream === undefined ? pino(options, pino.destination({ dest: 2, sync: true })) : pino(options, stream);
  return {
    info: (code, message, fields) => logger.info({ code, ...fields }, message),
    warn: (code, message, fields) => logger.warn({ code, ...fields }, message),
    error: (code, message, fields) => logger.error({ code, ...fields }, message),
  };
}

/** Names from the network may be part of a message: nothing of them may steer the terminal. */
function humanLine(line: string): string {
  const { time, level, msg, code } = JSON.parse(line) as { time: string; level: number; msg: string; code: string };
  const name = NAMES[level] ?? 'info';
  const mark = level >= 40 ? `${name} (${code}): ` : '';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return `${time.slice(11, 19)} ${mark}${msg.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?')}\n`;
}
