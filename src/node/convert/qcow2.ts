// `convert qcow2`: the disk that an image holds becomes the stream `disk`.

import { looksLikeQcow2 } from "../../core/disk/qcow2.ts";
import { openQcow2 } from "../disk/open-image.ts";
import type { ImportFormat } from "./format.ts";

export const qcow2: ImportFormat = {
  name: "qcow2",
  inputs: { several: false, stdin: false },
  detect: looksLikeQcow2,
  async convert([path], { writer, warn, expect, alsoReads, options }) {
    const { allowBacking, engine } = options;
    const input = await openQcow2(path!, {
      warn,
      onFile: alsoReads,
      ...(allowBacking === undefined ? {} : { allowBacking }),
      ...(engine === undefined ? {} : { engine }),
    });
    try {
      expect(input.size!);
      await writer.addStream("disk", input);
    } finally {
      input.close();
    }
  },
};
