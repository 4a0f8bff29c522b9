// What can go wrong in the lab, with a stable code. The message says what, where and what to do.

export const LabErrorCode = {
  topology: 'LAB_TOPOLOGY',
  unknownName: 'LAB_UNKNOWN_NAME',
  missing: 'LAB_MISSING',
  setup: 'LAB_SETUP',
  command: 'LAB_COMMAND',
  timeout: 'LAB_TIMEOUT',
  closed: 'LAB_CLOSED',
  link: 'LAB_LINK',
} as const;
export type LabErrorCode = (typeof LabErrorCode)[keyof typeof LabErrorCode];

export class LabError extends Error {
  readonly code: LabErrorCode;

  constructor(code: LabErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'LabError';
    this.code = code;
  }
}
