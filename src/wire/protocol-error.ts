// A peer sent bytes that its protocol does not allow. The only error that parsers throw.

export type ProtocolErrorCode =
  | 'malformed' // violates the protocol
  | 'too-large' // beyond a bound of ours
  | 'unsupported'; // well formed, but a version or variant we do not speak

/** `message` says what was wrong and where, and never repeats the peer's bytes: it may be logged. */
export class ProtocolError extends Error {
  readonly code: ProtocolErrorCode;

  constructor(code: ProtocolErrorCode, message: string) {
    super(message);
    this.name = 'ProtocolError';
    this.code = code;
  }
}
