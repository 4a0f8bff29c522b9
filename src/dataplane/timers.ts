// Timers of one data-plane thread: a binary heap, ordered by deadline. Re-arming later is free: owners keep their true
// deadline to themselves and re-arm when the earlier one fires.

export interface Timed {
  /** Called once the deadline has passed; the timer is no longer armed then. */
  onTimer(now: number): void;
}

/** A timer that its owner keeps and arms any number of times. */
export class Timer {
  deadline = 0;
  /** Place in the heap; −1 when not armed. */
  index = -1;
  readonly owner: Timed;

  constructor(owner: Timed) {
    this.owner = owner;
  }
}

/** Bounded by its owners: one entry per armed timer. */
export class TimerHeap {
  readonly #heap: Timer[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** Sets a timer, armed or not, to a deadline. */
  arm(timer: Timer, deadline: number): void {
    const earlier = timer.index < 0 || deadline < timer.deadline;
    timer.deadline = deadline;
    if (timer.index < 0) {
      timer.index = this.#heap.length;
      this.#heap.push(timer);
    }
    if (earlier) this.#up(timer);
    else this.#down(timer);
  }

  disarm(timer: Timer): void {
    const { index } = timer;
    if (index < 0) return;
    timer.index = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === timer) return;
    last.index = index;
    this.#heap[index] = last;
    this.#up(last);
    this.#down(last);
  }

  /** Milliseconds until the next deadline, 0 when one has passed, −1 without timers. */
  untilNext(now: number): number {
    const first = this.#heap[0];
    return first === undefined ? -1 : Math.max(0, Math.ceil(first.deadline - now));
  }

  /** Fires what is due, at most as many timers as are armed now, so that one that re-arms to the past cannot spin. */
  expire(now: number): void {
    for (let left = this.#heap.length; left > 0; left--) {
      const first = this.#heap[0];
      if (first === undefined || first.deadline > now) return;
      this.disarm(first);
      first.owner.onTimer(now);
    }
  }

  #up(timer: Timer): void {
    const heap = this.#heap;
    let { index } = timer;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex] as Timer;
      if (parent.deadline <= timer.deadline) break;
      heap[index] = parent;
      parent.index = index;
      index = parentIndex;
    }
    heap[index] = timer;
    timer.index = index;
  }

  #down(timer: Timer): void {
    const heap = this.#heap;
    let { index } = timer;
    for (;;) {
      let childIndex = 2 * index + 1;
      if (childIndex >= heap.length) break;
      if (childIndex + 1 < heap.length) {
        if ((heap[childIndex + 1] as Timer).deadline < (heap[childIndex] as Timer).deadline) childIndex++;
      }
      const child = heap[childIndex] as Timer;
      if (child.deadline >= timer.deadline) break;
      heap[index] = child;
      child.index = index;
      index = childIndex;
    }
    heap[index] = timer;
    timer.index = index;
  }
}
