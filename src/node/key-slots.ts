// The key slots of an archive file: listed, added to, removed, replaced, without touching anything else of it.

import { closeSync, fsyncSync, openSync, readSync, writeSync } from "node:fs";
import { equalBytes } from "../core/bytes.ts";
import { kindOf } from "../core/crypto/age.ts";
import { changeSlots, type InPlace } from "../core/crypto/change-slots.ts";
import { type EnvelopeStart, makeSlots, slotKinds, type UnlockedEnvelope, unlock } from "../core/crypto/keys.ts";
import type { AskSecrets, NewKeys, Secrets, SlotKind } from "../core/crypto/secrets.ts";
import { digestWith } from "../core/digest.ts";
import { HexzError } from "../core/errors.ts";
import { createPortableEngine } from "../core/portable-engine.ts";
import { lockedIo } from "../core/read/envelope.ts";
import { runAsync } from "../core/read/io.ts";
import { nodeCiphers } from "./ciphers.ts";
import { fromSystemError } from "./errors.ts";
import { openFileSource } from "./file-source.ts";

const ENGINE_MEMORY = 1024 * 1024;

async function digester() {
  return digestWith(await createPortableEngine({ memoryBytes: ENGINE_MEMORY }));
}

/** What is before the segments; undefined of a plain archive. */
async function readStart(path: string): Promise<EnvelopeStart | undefined> {
  const source = openFileSource(path);
  try {
    return await runAsync(lockedIo(source, await digester()));
  } catch (error) {
    if (!(error instanceof HexzError) || error.code !== "version_unknown" || error.data.found !== 1) throw error;
    throw new HexzError("usage", `${path} is of format 1, which has one password or none, and no key slots`, {
      hint: "hexz convert hexz1 makes an archive of format 2 of it",
    });
  } finally {
    source.close();
  }
}

/** The kinds of an archive's key slots, without any key; undefined of a plain archive. */
export async function listKeySlots(path: string): Promise<SlotKind[] | undefined> {
  const start = await readStart(path);
  return start && slotKinds(start);
}

/** Asked when the archive is open. */
type AskNewKeys = () => Promise<NewKeys>;

/** What becomes of the slots: given the key and those that are there, those that will be. */
type Change = (envelope: UnlockedEnvelope) => readonly Uint8Array[] | Promise<readonly Uint8Array[]>;

async function change(path: string, secrets: Secrets | AskSecrets, toSlots: Change): Promise<SlotKind[]> {
  const start = await readStart(path);
  if (start === undefined) {
    throw new HexzError("usage", `${path} is not encrypted: it has no key slots`, {
      hint: "hexz flatten ARCHIVE OUTPUT --recipient KEY makes an encrypted copy",
    });
  }
  const envelope = await unlock(start, path, secrets, nodeCiphers);
  const slots = await toSlots(envelope);
  const file = openInPlace(path, start.bytes);
  try {
    await changeSlots(envelope, slots, file, nodeCiphers, await digester());
  } finally {
    file.close();
  }
  return slots.map(kindOf);
}

/** Adds slots. @returns the kinds of all of them */
export function addKeySlots(path: string, secrets: Secrets | AskSecrets, to: AskNewKeys): Promise<SlotKind[]> {
  return change(path, secrets, async ({ keys }) => [
    ...keys.slots,
    ...(await makeSlots(keys.key, await to(), nodeCiphers)),
  ]);
}

/** @throws HexzError `usage` when there is no such slot, or no other */
export function removeKeySlot(path: string, secrets: Secrets | AskSecrets, slot: number): Promise<SlotKind[]> {
  return change(path, secrets, ({ keys }) => {
    const { length } = keys.slots;
    if (slot >= length) {
      throw new HexzError("usage", `${path} has no slot ${slot}: its slots are 0 to ${length - 1}`, {
        hint: "hexz keys list shows them",
      });
    }
    if (length === 1)
      throw new HexzError("usage", `slot ${slot} of ${path} is its last: nobody could open it any more`);
    return keys.slots.filter((_, number) => number !== slot);
  });
}

/** Replaces all slots. */
export function replaceKeySlots(path: string, secrets: Secrets | AskSecrets, to: AskNewKeys): Promise<SlotKind[]> {
  return change(path, secrets, async ({ keys }) => makeSlots(keys.key, await to(), nodeCiphers));
}

/** @param expected what the file begins with: other bytes mean that somebody else changes it */
function openInPlace(path: string, expected: Uint8Array): InPlace & { close(): void } {
  const attempt = <T>(run: () => T): T => {
    try {
      return run();
    } catch (error) {
      throw fromSystemError(error, "write to", path);
    }
  };
  const fd = attempt(() => openSync(path, "r+"));
  const found = new Uint8Array(expected.length);
  attempt(() => readSync(fd, found, 0, found.length, 0));
  if (!equalBytes(found, expected)) {
    closeSync(fd);
    throw new HexzError("changed", `${path} was changed by another program meanwhile`);
  }
  return {
    name: path,
    write(bytes, offset) {
      attempt(() => {
        for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, offset + at);
      });
    },
    sync: () => attempt(() => fsyncSync(fd)),
    close: () => closeSync(fd),
  };
}
