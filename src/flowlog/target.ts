// Which database, and how it may be named in messages.

export type DatabaseTarget =
  | { readonly kind: 'postgres'; readonly url: string }
  /** `directory` is the log's own: the database, its lock and its socket lie in it. */
  | { readonly kind: 'embedded'; readonly directory: string };

/** Without the password: `postgres://user@host:5432/name`. */
export function nameOf(target: DatabaseTarget): string {
  if (target.kind === 'embedded') return `embedded database ${target.directory}`;
  const url = new URL(target.url);
  const user = url.username === '' ? '' : `${url.username}@`;
  return `postgres://${user}${url.host}${url.pathname}`;
}

/** As it stands in the URL and as it is meant, for messages that might repeat it. */
export function secretsOf(target: DatabaseTarget): readonly string[] {
  if (target.kind === 'embedded') return [];
  const url = new URL(target.url);
  const written = [url.password, url.searchParams.get('password') ?? ''];
  return [...new Set(written.flatMap((password) => [password, decoded(password)]))].filter((text) => text !== '');
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
