// Waiting for something to become so, instead of for a time to pass.

import { setTimeout as sleep } from 'node:timers/promises';

/** Only what hangs takes so long, on however busy a machine. */
const USUAL_MS = 30_000;
/** Between two looks. One that takes long, as starting a program does, gets a pause as long as itself. */
const PAUSE_MS = { min: 5, max: 100 } as const;

/** Waits until `condition` holds; throws after `ms`, with what `describe` has to say. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  describe: () => unknown = () => condition.toString(),
  ms = USUAL_MS,
): Promise<void> {
  const end = performance.now() + ms;
  for (;;) {
    const looked = performance.now();
    if (await condition()) return;
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${said(await describe())}`);
    await sleep(Math.min(Math.max(PAUSE_MS.min, performance.now() - looked), PAUSE_MS.max));
  }
}

/** The promise's value; throws when it does not come in time. */
export async function within<T>(promise: Promise<T>, what: string, ms = USUAL_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what}`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

function said(thing: unknown): string {
  return typeof thing === 'string' ? thing : JSON.stringify(thing);
}
