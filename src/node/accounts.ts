// Names of users and groups, from /etc/passwd and /etc/group, read once. Accounts that only a directory service knows
// have no name here; their numbers are kept all the same.

import { readFileSync } from "node:fs";
import type { ByteString } from "../core/format/path.ts";

export interface Accounts {
  nameOf(id: number): ByteString | undefined;
  idOf(name: ByteString): number | undefined;
}

function readAccounts(file: string): Accounts {
  const names = new Map<number, ByteString>();
  const ids = new Map<string, number>();
  let text = "";
  try {
    text = readFileSync(file, "latin1");
  } catch {
    // no such file on this system: nobody has a name
  }
  for (const line of text.split("\n")) {
    // name:password:id:…
    const [name, , id] = line.split(":");
    if (name === undefined || name === "" || id === undefined || !/^\d+$/.test(id)) continue;
    if (!names.has(Number(id))) names.set(Number(id), name as ByteString);
    if (!ids.has(name)) ids.set(name, Number(id));
  }
  return { nameOf: (id) => names.get(id), idOf: (name) => ids.get(name) };
}

let known: { users: Accounts; groups: Accounts } | undefined;

export function accounts(): { users: Accounts; groups: Accounts } {
  known ??= { users: readAccounts("/etc/passwd"), groups: readAccounts("/etc/group") };
  return known;
}
