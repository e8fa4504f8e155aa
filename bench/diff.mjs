// What changed between two archived versions of a package: ours from two archives, borg's from one repository.
import { rmSync } from "node:fs";
import { join } from "node:path";
import * as ours from "./ours.mjs";
import { runCommand } from "./run.mjs";

/** Archives are made outside the clock. */
function ownContender([before, after], { engines, withOurs, out }) {
  if (!withOurs) return [];
  const archives = ["before", "after"].map((name) => join(out, `in-${name}.hxz`));
  const prepare = async () => {
    for (const [number, input] of [before, after].entries()) {
      const output = archives[number];
      rmSync(output, { force: true });
      const pack = {
        inputs: [input],
        output,
        engine: engines[0],
        settings: ours.SETTINGS.cdc64wide,
        compression: "lz4",
      };
      await runCommand(ours.packCommand(pack));
    }
    return 0;
  };
  const argv = ours.diffCommand(...archives);
  return [{ id: `ours:${engines[0]}`, label: "**ours**, diff", prepare, argv }];
}

function borg([before, after], { out, dataDirectory, peers }) {
  const program = peers.paths.borg;
  if (!program) return [];
  const repository = join(out, "diff-borg");
  const home = join(dataDirectory, "borg-home");
  const env = { BORG_BASE_DIR: home, BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: "yes" };
  const prepare = async () => {
    for (const path of [repository, home]) rmSync(path, { recursive: true, force: true });
    await runCommand([program, "init", "-e", "none", repository], { env });
    for (const [name, path] of [
      ["before", before],
      ["after", after],
    ]) {
      const options = ["--compression", "lz4", "--chunker-params", "buzhash,14,18,16,4095"];
      await runCommand([program, "create", ...options, `${repository}::${name}`, "."], { env, cwd: path });
    }
    return 0;
  };
  return [{ id: "borg", label: "borg diff", env, prepare, argv: [program, "diff", `${repository}::before`, "after"] }];
}

export function diffVersions({ path, context }) {
  const versions = ["before", "after"].map((name) => join(path, name));
  return {
    title: "what changed between two versions of a package, whole process",
    contenders: [ownContender(versions, context), borg(versions, context)],
    comparisons: [{ metric: "speed", peer: "borg", atLeast: 1, aim: 1.5 }],
  };
}
