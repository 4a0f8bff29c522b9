// What happened: paths that came and went, reloads, warnings. And how fit the machine is.

import { signal } from '@preact/signals';
import type { VerdictView } from '../source.ts';
import { formatTime } from './format.tsx';
import { events } from './store.tsx';

const SHOWN_MAX = 100;

export function Events() {
  return (
    <section aria-labelledby="events">
      <h2 id="events">Events</h2>
      <ol class="events">
        {events.value
          .slice(-SHOWN_MAX)
          .reverse()
          .map((event, i) => (
            <li key={`${event.at} ${i}`} class={`event-${event.kind}`}>
              <time dateTime={new Date(event.at).toISOString()}>{formatTime(event.at)}</time> {event.text}
            </li>
          ))}
      </ol>
    </section>
  );
}

const verdicts = signal<readonly VerdictView[] | string | undefined>(undefined);

async function check(): Promise<void> {
  verdicts.value = 'Checking…';
  try {
    const answer = await fetch('health');
    verdicts.value = answer.ok ? ((await answer.json()) as VerdictView[]) : `The check failed: ${answer.status}`;
  } catch {
    verdicts.value = 'The proxy does not answer.';
  }
}

export function Health() {
  const found = verdicts.value;
  return (
    <section aria-labelledby="health">
      <header class="bar">
        <h2 id="health">Health</h2>
        <button type="button" onClick={() => void check()}>
          Check this machine
        </button>
      </header>
      {typeof found === 'string' && <p class="empty">{found}</p>}
      {Array.isArray(found) && (
        <ul class="verdicts">
          {(found as readonly VerdictView[]).map((one) => (
            <li key={one.name} class={`verdict-${one.verdict}`}>
              <strong>{one.verdict}</strong> {one.name}: {one.detail}
              {one.mend !== '' && <code>{one.mend}</code>}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
