// What the load client and the load server say to each other: the first byte of a connection tells what it is for.

export const Wish = {
  /** 'U': discard all that comes. */
  sink: 0x55,
  /** 'D': send without end. */
  source: 0x44,
  /** 'E': send every byte back. */
  echo: 0x45,
  /** 'C': after REQUEST_BYTES answer with ANSWER_BYTES and close. */
  answer: 0x43,
} as const;

/** About a short HTTP request and a short answer. */
export const REQUEST_BYTES = 128;
export const ANSWER_BYTES = 256;
/** One question or answer on a standing connection. */
export const MESSAGE_BYTES = 64;

/** What one send call takes from user space, as most bulk senders do it (iperf3's default too). */
export const SEND_BYTES = 1 << 17;
/** What one receive call may discard. */
export const DISCARD_BYTES = 1 << 20;

/** MSG_TRUNC: TCP drops the bytes without copying them (tcp(7)), so that the sink takes little from the proxy's CPU. */
export const MSG_TRUNC = 0x20;
export const EAGAIN = 11;
