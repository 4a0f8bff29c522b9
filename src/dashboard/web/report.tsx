// The report's pictures of what the log holds, drawn when they are asked for.

import { signal } from '@preact/signals';
import { Picture, type Pictures, picturesFrom } from './pictures.tsx';
import { SPANS } from './spans.tsx';

const chosen = signal<string | undefined>(undefined);
const drawn = signal<Pictures>([]);

async function draw(label: string, ms: number | undefined): Promise<void> {
  chosen.value = label;
  drawn.value = 'drawing';
  const since = ms === undefined ? '' : `since=${Date.now() - ms}`;
  const pictures = await picturesFrom(`report?${since}`);
  if (chosen.value === label) drawn.value = pictures;
}

export function Report() {
  const found = drawn.value;
  return (
    <section aria-labelledby="report">
      <header class="bar">
        <h2 id="report">Report</h2>
        <div class="tools">
          {SPANS.map(({ label, ms }) => (
            <button
              key={label}
              type="button"
              aria-pressed={chosen.value === label}
              onClick={() => void draw(label, ms)}
            >
              {label}
            </button>
          ))}
        </div>
      </header>
      {chosen.value === undefined && (
        <p class="empty">How long connections last, what they carry over which path, how they end. Choose a time.</p>
      )}
      {found === 'drawing' && (
        <p class="empty" role="status">
          Drawing…
        </p>
      )}
      {typeof found === 'string' && found !== 'drawing' && <p class="empty">{found}</p>}
      {typeof found !== 'string' && (
        <div class="pictures">
          {found.map((picture) => (
            <Picture key={picture.name} picture={picture} />
          ))}
        </div>
      )}
    </section>
  );
}
