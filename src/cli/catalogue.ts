// All commands, by what they are for. A command's file is loaded when it is called.

import type { Command } from "@commander-js/extra-typings";

/** What a command tells the program that called it. */
export interface Calling {
  /** Told once, with the exit code of what the command did. */
  finish(exitCode: number): void;
  /**
   * Standard output will carry data.
   * @throws HexzError `usage` when a JSON document was to be there
   */
  claimStdout(): void;
}

/** What a file in commands/ exports. */
export interface CommandSpec {
  create(calling: Calling): Command<unknown[], Record<string, unknown>>;
  /** One line that works, for the help. */
  readonly example: string;
}

export interface CatalogueEntry {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly summary: string;
  load(): Promise<CommandSpec>;
}

export const GROUPS: readonly { readonly title: string; readonly commands: readonly CatalogueEntry[] }[] = [
  {
    title: "Making archives",
    commands: [
      {
        name: "pack",
        summary: "pack files, directories or images into an archive",
        load: async () => (await import("./commands/pack.ts")).pack,
      },
      {
        name: "build",
        summary: "an archive of a directory or file, with settings for its kind of data",
        load: async () => (await import("./commands/build.ts")).build,
      },
      {
        name: "convert",
        summary: "make an archive of another format's files, or the other way round",
        load: async () => (await import("./commands/convert.ts")).convert,
      },
    ],
  },
  {
    title: "Getting data out",
    commands: [
      {
        name: "extract",
        summary: "restore files, directories or images",
        load: async () => (await import("./commands/extract.ts")).extract,
      },
      {
        name: "cat",
        summary: "write one file, or a range of it, to standard output",
        load: async () => (await import("./commands/cat.ts")).cat,
      },
      {
        name: "check",
        summary: "prove every byte of an archive, or a sample",
        load: async () => (await import("./commands/check.ts")).check,
      },
    ],
  },
  {
    title: "Looking",
    commands: [
      {
        name: "inspect",
        aliases: ["show"],
        summary: "what is in an archive and how it is stored",
        load: async () => (await import("./commands/inspect.ts")).inspect,
      },
      {
        name: "diff",
        summary: "what two archives have in common, by chunk and by file",
        load: async () => (await import("./commands/diff.ts")).diff,
      },
      {
        name: "ls",
        aliases: ["log"],
        summary: "the archives of a directory as a tree of their lineage",
        load: async () => (await import("./commands/ls.ts")).ls,
      },
      {
        name: "analyze",
        summary: "which chunking and codec suit some data",
        load: async () => (await import("./commands/analyze.ts")).analyze,
      },
      {
        name: "predict",
        summary: "how large an archive would be, without making it",
        load: async () => (await import("./commands/predict.ts")).predict,
      },
      {
        name: "overlay",
        summary: "what an overlay has changed, by block and by file",
        load: async () => (await import("./commands/overlay.ts")).overlay,
      },
    ],
  },
  {
    title: "Lineage",
    commands: [
      {
        name: "flatten",
        summary: "the same archive without parents",
        load: async () => (await import("./commands/flatten.ts")).flatten,
      },
      {
        name: "rebase",
        summary: "the same archive with other parents",
        load: async () => (await import("./commands/flatten.ts")).rebase,
      },
      {
        name: "commit",
        summary: "make an archive of a base and the overlay on its disk",
        load: async () => (await import("./commands/commit.ts")).commit,
      },
    ],
  },
  {
    title: "Trust",
    commands: [
      {
        name: "keygen",
        summary: "make a pair of keys for signing, or for encryption",
        load: async () => (await import("./commands/keygen.ts")).keygen,
      },
      {
        name: "sign",
        summary: "sign an archive",
        load: async () => (await import("./commands/sign.ts")).sign,
      },
      {
        name: "verify",
        summary: "prove that an archive is what somebody signed",
        load: async () => (await import("./commands/verify.ts")).verify,
      },
      {
        name: "keys",
        summary: "who can open an encrypted archive",
        load: async () => (await import("./commands/keys.ts")).keys,
      },
      {
        name: "repair",
        summary: "save what is left of a damaged archive",
        load: async () => (await import("./commands/repair.ts")).repair,
      },
    ],
  },
];

export const LATER_COMMANDS: ReadonlySet<string> = new Set(
  ("mount unmount serve boot install snap " + "checkout status shell remote push pull bench doctor").split(" "),
);

export function findCommand(name: string): CatalogueEntry | undefined {
  return GROUPS.flatMap(({ commands }) => commands).find(
    (entry) => entry.name === name || entry.aliases?.includes(name) === true,
  );
}

/** The name that was probably meant: at most two letters away, and nearer than half of it. */
export function closestCommand(name: string): string | undefined {
  const names = GROUPS.flatMap(({ commands }) => commands.flatMap((entry) => [entry.name, ...(entry.aliases ?? [])]));
  const ranked = names.map((known) => ({ known, distance: distanceOf(name, known) }));
  const [best] = ranked.sort((a, b) => a.distance - b.distance);
  return best !== undefined && best.distance <= 2 && best.distance * 2 <= best.known.length ? best.known : undefined;
}

/** Levenshtein's. */
function distanceOf(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}

/** The commands in groups, for `hexz` alone and `hexz --help`. */
export function overview(): string {
  const lines = ["Usage: hexz COMMAND [options]", ""];
  for (const { title, commands } of GROUPS) {
    lines.push(`${title}:`);
    for (const { name, aliases = [], summary } of commands) {
      lines.push(`  ${[name, ...aliases].join(", ").padEnd(16)}${summary}`);
    }
    lines.push("");
  }
  lines.push(
    "Options:",
    "  --version       versions, and the engine that is used here; with --json",
    "  --help          this text; hexz COMMAND --help for one command",
    "",
    "Example:",
    "  hexz pack photos photos.hxz",
    "",
  );
  return lines.join("\n");
}
