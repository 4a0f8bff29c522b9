// One line a run, on standard error, with the time that is left.

export class Progress {
  readonly #total: number;
  readonly #steps: number;
  readonly #began = performance.now();
  #expectedDone = 0;
  #stepsDone = 0;
  #line = '';

  /** `total`: expected seconds of all steps. */
  constructor(steps: number, total: number) {
    this.#steps = steps;
    this.#total = total;
  }

  begin(round: number, measure: string, peer: string): void {
    const which = round > 0 ? `round ${round}` : 'warm-up';
    const step = String(this.#stepsDone + 1).padStart(String(this.#steps).length);
    this.#line = `[${step}/${this.#steps}] ${which}  ${measure.padEnd(36)} ${peer.padEnd(10)}`;
  }

  /** `expected`: what was reckoned for this step. */
  end(expected: number, result: string): void {
    this.#stepsDone++;
    this.#expectedDone += expected;
    const [first = '', ...others] = result.split('\n');
    const left = this.#stepsDone === this.#steps ? 'done' : `${formatSeconds(this.#secondsLeft())} left`;
    console.error(`${this.#line} ${first}  [${left}]`);
    for (const line of others) if (line.trim() !== '') console.error(`    ${line}`);
  }

  /** What is left by reckoning, stretched by how far the reckoning was off so far. */
  #secondsLeft(): number {
    const took = (performance.now() - this.#began) / 1000;
    return ((this.#total - this.#expectedDone) * took) / this.#expectedDone;
  }
}

export function formatSeconds(seconds: number): string {
  const rounded = Math.max(0, Math.round(seconds));
  const minutes = Math.floor(rounded / 60);
  return minutes > 0 ? `${minutes} min ${rounded % 60} s` : `${rounded} s`;
}
