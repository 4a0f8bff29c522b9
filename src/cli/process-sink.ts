// Where the records of flows go: the log that the configuration asks for, and the figures of that log.

import type { Config } from '../config/config.ts';
import type { LogFigures } from '../dashboard/metrics-source.ts';
import type { FlowLog } from '../flowlog/flow-log.ts';
import { JsonLinesSink } from '../flowlog/json-lines.ts';
import type { FlowRecord, FlowSink } from '../proxy/flow-record.ts';
import type { Log } from '../proxy/log.ts';
import { CliError } from './cli-error.ts';
import { databaseLogFigures, jsonLinesFigures } from './metrics-source.ts';
import type { Telemetry } from './telemetry.ts';

export interface ProcessSink extends FlowSink {
  /** Records are wanted even with `log: off`. */
  readonly observed: boolean;
  /** Opens a file anew, as after a log rotation. */
  reopen?(): Promise<void>;
  /** Set when the records go to a database, which takes the paths' figures too. */
  readonly database?: FlowLog;
  /** Of the log; undefined: there is none. */
  readonly figures: () => LogFigures | undefined;
  /** Something that happened to the whole proxy, for a log that takes events. */
  note(kind: string, message: string): void;
}

/** `telemetry` is told of every flow too. Rejects with a CliError. */
export async function openSink(config: Config, log: Log, telemetry: Telemetry | undefined): Promise<ProcessSink> {
  const sink = await openLogSink(config, log);
  if (telemetry === undefined) return sink;
  const write = (records: readonly FlowRecord[]) => {
    sink.write(records);
    telemetry.onFlows(records);
  };
  return { ...sink, observed: true, write };
}

async function openLogSink(config: Config, log: Log): Promise<ProcessSink> {
  if (config.log.kind === 'off') return NOTHING;
  if (config.log.kind === 'database') {
    const { openDatabaseLog } = await import('./flow-sink.ts');
    return databaseSink(await openDatabaseLog(config.log, config.user, log));
  }
  const path = config.log.kind === 'file' ? config.log.path : undefined;
  const onTrouble = (message: string, dropped: number) => log.warn('flow-log', message, { dropped });
  try {
    return linesSink(await JsonLinesSink.open({ path, onTrouble }));
  } catch (error) {
    throw new CliError(`the flow log cannot be opened: ${error instanceof Error ? error.message : String(error)}`, 3);
  }
}

const NOTHING: ProcessSink = {
  observed: false,
  write() {},
  close: () => Promise.resolve(),
  figures: () => undefined,
  note() {},
};

function linesSink(lines: JsonLinesSink): ProcessSink {
  return {
    observed: false,
    write: (records) => lines.write(records),
    reopen: () => lines.reopen(),
    close: () => lines.close(),
    figures: () => jsonLinesFigures(lines),
    note() {},
  };
}

function databaseSink(database: FlowLog): ProcessSink {
  return {
    observed: false,
    write: (records) => {
      database.write(records);
      const fallbacks = records.flatMap(fallbacksOf);
      if (fallbacks.length > 0) database.writeEvents(fallbacks);
    },
    close: () => database.close(),
    database,
    figures: () => databaseLogFigures(database.status()),
    note: (kind, message) => database.writeEvents([{ at: Date.now(), kind, message }]),
  };
}

/** Sides that began as MPTCP and had to go on without; a peer that never spoke it is told by its flow alone. */
function fallbacksOf({ id, endedAt, clientSide, serverSide, asked }: FlowRecord) {
  return Object.entries({ client: clientSide, server: serverSide }).flatMap(([side, record]) => {
    if (record?.mptcp !== 'fell-back') return [];
    const message = `the ${side} side fell back to TCP`;
    return [{ at: endedAt, kind: 'fallback', flowId: id, message, data: { side, destination: asked?.host } }];
  });
}
