// `convert webdataset`: one or several shards, tars whose members are samples. Of several, each goes into a directory
// with its name; of one, the members are at the root.

import { HexzError } from "../../core/errors.ts";
import type { Entry } from "../../core/format/entry.ts";
import { type ByteString, byteStringFromText, displayName, joinPath } from "../../core/format/path.ts";
import { SampleGrouper } from "../../core/tar/samples.ts";
import type { ImportContext, ImportFormat } from "./format.ts";
import { containerName, withTar } from "./tar.ts";
import { importTar } from "./tar-import.ts";

/** The directory of a shard: its name without the ending. */
function directoryOf(name: string): ByteString {
  return byteStringFromText(name.replace(/(?<=.)\.tar$/i, ""));
}

function inDirectory(entry: Entry, directory: ByteString): Entry {
  const within = (path: ByteString) => (path === "" ? directory : joinPath(directory, path));
  const { path, hardLink } = entry;
  return { ...entry, path: within(path), ...(hardLink === undefined ? {} : { hardLink: within(hardLink) }) };
}

async function convertShard(path: string, directory: ByteString | undefined, context: ImportContext): Promise<void> {
  const grouper = new SampleGrouper();
  await withTar(path, (input) =>
    importTar(
      {
        input,
        name: containerName(path),
        format: "webdataset",
        place(entry, member) {
          const placed = directory === undefined ? entry : inDirectory(entry, directory);
          const taken = grouper.take(member, entry.type);
          if (taken === undefined) return placed;
          const { again, ...webdataset } = taken;
          if (again) {
            const message = `"${displayName(placed.path)}" is the field "${taken.field}" of its sample once more`;
            context.warn({ path: placed.path, code: "collision", message });
          }
          return { ...placed, metadata: { ...placed.metadata, webdataset } };
        },
        summary: () => grouper.summary(),
      },
      context,
    ),
  );
}

export const webdataset: ImportFormat = {
  name: "webdataset",
  inputs: { several: true, stdin: true },
  async convert(inputs, context) {
    const directories = inputs.map((path) => directoryOf(containerName(path)));
    const repeated = directories.find((name, number) => directories.indexOf(name) < number);
    if (repeated !== undefined) throw new HexzError("usage", `two shards have the name "${displayName(repeated)}"`);
    for (const [number, path] of inputs.entries()) {
      await convertShard(path, inputs.length === 1 ? undefined : directories[number], context);
    }
  },
};
