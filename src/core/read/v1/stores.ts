// The archives that blocks of format 1 are read from, and how their encrypted blocks are opened (docs/format-1.md,
// "Encryption").

import type { AesGcm, AesGcmSync, Ciphers } from "../../crypto/ciphers.ts";
import type { AskSecrets, Secrets } from "../../crypto/secrets.ts";
import { HexzError } from "../../errors.ts";
import type { BlockRef } from "../../format/index-page.ts";
import type { Root } from "../../format/root.ts";
import { checkIterations, nonceOf, TAG_LENGTH } from "../../format/v1/encryption.ts";
import type { KeyParameters } from "../../format/v1/header.ts";
import type { RangeSource } from "../../source/source.ts";
import type { Io } from "../io.ts";
import type { PageContext } from "../pages.ts";
import type { BlockStore, Stores } from "../parts.ts";
import { badChecksum, damagedBlock } from "../random.ts";
import type { Lineage, Member1 } from "./lineage.ts";
import { rootOf } from "./root.ts";

const NOTHING = new Uint8Array(0);

interface Key {
  readonly gcm: AesGcm;
  readonly sync: AesGcmSync | undefined;
}

export interface StoreParts {
  readonly context: PageContext;
  readonly lineage: Lineage;
  readonly ciphers: Ciphers;
  readonly secrets: Secrets | AskSecrets | undefined;
}

export class Stores1 implements Stores {
  readonly #parts: StoreParts;
  readonly #stores = new Map<number, Store1>();

  constructor(parts: StoreParts) {
    this.#parts = parts;
  }

  /** Asks for what opens the archive, where it is encrypted. */
  async prepare(): Promise<void> {
    await this.known(0).prepare();
  }

  known(archive: number): Store1 {
    const member = this.#parts.lineage.members[archive]!;
    let store = this.#stores.get(archive);
    if (store === undefined) {
      store = new Store1(member, this.#parts);
      this.#stores.set(archive, store);
    }
    return store;
  }

  // biome-ignore lint/correctness/useYield: what is not opened yet is opened where references are resolved
  *store(archive: number): Io<BlockStore> {
    return this.known(archive);
  }

  *all(): Io<BlockStore[]> {
    yield* this.#parts.lineage.ancestors();
    return this.#parts.lineage.members.map(({ number }) => this.known(number));
  }

  /** @param archive the number of a direct parent in the header, from 1 on */
  *tryStore(archive: number): Io<BlockStore | undefined> {
    const { lineage } = this.#parts;
    const parent = (yield* lineage.parents(lineage.members[0]!))[archive - 1];
    return parent === undefined || parent instanceof HexzError ? undefined : this.known(parent.number);
  }

  close(): Promise<void> {
    return this.#parts.lineage.close();
  }
}

/** One archive. */
class Store1 implements BlockStore {
  readonly source: RangeSource;
  readonly root: Root;
  readonly #member: Member1;
  readonly #parts: StoreParts;
  #keys: readonly Key[] | undefined;
  /** A key has opened a block: what it does not open now is damaged. */
  #proven = false;
  readonly open?: (block: BlockRef, stored: Uint8Array) => Io<Uint8Array>;

  constructor(member: Member1, parts: StoreParts) {
    this.#member = member;
    this.#parts = parts;
    this.source = member.opened.source;
    this.root = rootOf(member.opened);
    if (member.opened.header.encryption !== undefined) this.open = (block, stored) => this.#open(block, stored);
  }

  async prepare(): Promise<void> {
    const { encryption } = this.#member.opened.header;
    if (encryption !== undefined) this.#keys ??= await this.#deriveKeys(encryption);
  }

  async #deriveKeys(parameters: KeyParameters): Promise<readonly Key[]> {
    const { ciphers, secrets } = this.#parts;
    const { name } = this.source;
    checkIterations(parameters, name);
    const { passwords = [] } =
      typeof secrets === "function" ? await secrets({ name, slots: ["passphrase"] }) : (secrets ?? {});
    const keys: Key[] = [];
    for (const password of passwords) {
      const bytes = new TextEncoder().encode(password);
      const key = await ciphers.pbkdf2Sha256(bytes, parameters.salt, parameters.iterations);
      keys.push({ gcm: await ciphers.aesGcm(key), sync: ciphers.sync?.aesGcm(key) });
    }
    return keys;
  }

  *#open(block: BlockRef, sealed: Uint8Array): Io<Uint8Array> {
    const { name } = this.source;
    const { engine } = this.#parts.context;
    // What the checksum does not tell is told by the key: that one is wrong, where these are the bytes that were written.
    if (engine.crc32(sealed) !== block.seal!.checksum) throw damagedBlock(name, block, badChecksum());
    // Of a parent, keys are made when its first block is read.
    if (this.#keys === undefined) yield* waiting(name, () => this.prepare());
    const keys = this.#keys!;
    if (keys.length === 0) {
      throw new HexzError("password_missing", `${name} is encrypted, and no password was given`, {
        hint: "set HEXZ_PASSWORD or pass --password-file",
      });
    }
    if (sealed.length < TAG_LENGTH) throw damagedBlock(name, block);
    const nonce = nonceOf(block.seal!.number!);
    for (const key of keys) {
      const opened = yield* this.#openWith(key, nonce, sealed);
      if (opened === undefined) continue;
      this.#keys = [key];
      this.#proven = true;
      return opened;
    }
    // The checksum fits, so these are the bytes that were written.
    if (this.#proven) throw damagedBlock(name, block, new Error("it belongs to another place"));
    throw new HexzError("password_wrong", `the password does not open ${name}`);
  }

  *#openWith({ gcm, sync }: Key, nonce: Uint8Array, sealed: Uint8Array): Io<Uint8Array | undefined> {
    let opened: Uint8Array | undefined;
    const wait = async () => {
      opened = await gcm.open(nonce, sealed, NOTHING);
    };
    const now = () => {
      opened = sync?.open(nonce, sealed, NOTHING);
    };
    yield* waiting(this.source.name, wait, sync && now);
    return opened;
  }
}

/**
 * Something that takes its time, as a request for no bytes: whoever runs the reading knows whether it may wait.
 * @param now does it without waiting, where that is possible
 */
function* waiting(name: string, wait: () => Promise<void>, now?: () => void): Io<void> {
  const read = async () => {
    await wait();
    return NOTHING;
  };
  const readSync = () => {
    now?.();
    return NOTHING;
  };
  yield [{ source: { name, size: 0, read, ...(now && { readSync }) }, start: 0, end: 0 }];
}
