// The accounts of a machine as its /etc/passwd lists them: passwd(5). Those from elsewhere (LDAP, systemd-homed) are not in it.

export interface Account {
  readonly uid: number;
  readonly gid: number;
}

export type Accounts = ReadonlyMap<string, Account>;

/** 2³² − 1 is (uid_t) −1, which stands for "leave it as it is" (setreuid(2)). */
export const UID_MAX = 0xffff_fffe;

/** By login name. Of several lines with one name the first counts, as for getpwnam(3); lines that make no sense do not. */
export function parsePasswd(text: string): Accounts {
  const accounts = new Map<string, Account>();
  for (const line of text.split('\n')) {
    const [name = '', , uidText = '', gidText = '', ...rest] = line.split(':');
    const uid = readUid(uidText);
    const gid = readUid(gidText);
    // `+` and `-` begin lines of NIS, which name no account of this file.
    if (/^[^+\-#]/.test(name) && uid !== undefined && gid !== undefined && rest.length === 3 && !accounts.has(name)) {
      accounts.set(name, { uid, gid });
    }
  }
  return accounts;
}

/** Of users and groups alike. */
export function readUid(text: string): number | undefined {
  const uid = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  return uid <= UID_MAX ? uid : undefined;
}
