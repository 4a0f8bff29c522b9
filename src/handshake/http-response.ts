// The answers of the HTTP handshake, whole: status line, fields and a short text for a human.

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  403: 'Forbidden',
  407: 'Proxy Authentication Required',
  431: 'Request Header Fields Too Large',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
};

const encoder = new TextEncoder();

/** Anew each time: bytes that are sent belong to whom they were given. No fields: RFC 9110 §9.3.6. */
export function encodeEstablished(): Uint8Array {
  return encoder.encode('HTTP/1.1 200 Connection established\r\n\r\n');
}

/** `code` is a stable word for programs, in front of the text. `fields`: lines of the head without their end. ASCII. */
export function encodeRefusal(status: number, code: string, text: string, fields: readonly string[]): Uint8Array {
  const body = `${code}: ${text}\n`;
  let head = `HTTP/1.1 ${status} ${REASONS[status] ?? ''}\r\n`;
  for (const field of fields) head += `${field}\r\n`;
  head += `Content-Type: text/plain\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`;
  return encoder.encode(head + body);
}
