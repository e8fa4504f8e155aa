// Every peer's command line, one small function each. A contender is what run.mjs times; `id` is how comparisons in
// cases.mjs name it. A function returns null where its tool is not on this machine.
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runCommand, sizeOf } from "./run.mjs";

const HEXZ_DRIVER = fileURLToPath(new URL("hexz.py", import.meta.url));
const HEXZ_READER = fileURLToPath(new URL("random-read.py", import.meta.url));
const pipeline = (script, ...values) => ["/bin/sh", "-c", script, "sh", ...values];

/** @param {{ paths: Record<string, string>, python: string | null, hexz: Record<string, string> }} peers */
export function peerContenders({ paths, python, hexz }, { out, dataDirectory }) {
  const has = (...tools) => tools.every((tool) => paths[tool]);
  const output = (name) => join(out, name);

  // Without site packages and user settings, so that its start is as short as it can be.
  const hexzDriver = (version, ...rest) => [python, "-E", "-s", "-S", HEXZ_DRIVER, hexz[version], ...rest];

  function lz4Pack(input) {
    if (!has("lz4")) return null;
    const file = output("out.lz4");
    return { id: "lz4", label: "lz4 -1", argv: [paths.lz4, "-1", "-q", "-f", input, file], output: file };
  }

  function lz4Extract(input) {
    if (!has("lz4")) return null;
    const archive = output("in.lz4");
    const file = output("out.raw");
    const setup = { argv: [paths.lz4, "-1", "-q", "-f", input, archive], output: archive };
    return { id: "lz4", label: "lz4 -d", setup, argv: [paths.lz4, "-d", "-q", "-f", archive, file], output: file };
  }

  function zstdPack(input) {
    if (!has("zstd")) return null;
    const file = output("out.zst");
    return {
      id: "zstd",
      label: "zstd -3 -T2",
      argv: [paths.zstd, "-3", "-T2", "-q", "-f", input, "-o", file],
      output: file,
    };
  }

  function tarLz4Pack(tree) {
    if (!has("tar", "lz4")) return null;
    const file = output("out.tar.lz4");
    const argv = pipeline('tar -C "$1" -cf - . | lz4 -1 -q -c > "$2"', tree, file);
    return { id: "tar-lz4", label: "tar c | lz4 -1", argv, output: file };
  }

  function tarLz4Extract(tree, destination) {
    if (!has("tar", "lz4")) return null;
    const archive = output("in.tar.lz4");
    const setup = { argv: pipeline('tar -C "$1" -cf - . | lz4 -1 -q -c > "$2"', tree, archive), output: archive };
    const argv = pipeline('lz4 -dc "$1" | tar xf - -C "$2"', archive, destination);
    const prepare = () => mkdirSync(destination, { recursive: true });
    return { id: "tar-lz4", label: "lz4 -dc | tar x", setup, prepare, argv, output: destination, sync: false };
  }

  function squashfs(input) {
    if (!has("mksquashfs")) return null;
    const file = output("out.squashfs");
    const options = ["-comp", "lz4", "-b", "65536", "-noappend", "-no-progress", "-quiet", "-processors", "2"];
    return {
      id: "mksquashfs",
      label: "mksquashfs lz4 64K",
      argv: [paths.mksquashfs, input, file, ...options],
      output: file,
    };
  }

  /**
   * Chunks of 16, 64 and 256 KiB. A fresh repository and a fresh cache each time, made outside the clock; with `after`,
   * that is archived there first, and only what comes on top counts.
   */
  function borg(input, { after, compression = "lz4" } = {}) {
    if (!has("borg")) return null;
    const repository = output("borg");
    const home = join(dataDirectory, "borg-home");
    const env = {
      BORG_BASE_DIR: home,
      BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: "yes",
      BORG_RELOCATED_REPO_ACCESS_IS_OK: "yes",
    };
    const options = ["--compression", compression, "--chunker-params", "buzhash,14,18,16,4095"];
    const create = (name, path) => [paths.borg, "create", ...options, `${repository}::${name}`, path];
    async function prepare() {
      rmSync(home, { recursive: true, force: true });
      await runCommand([paths.borg, "init", "-e", "none", repository], { env });
      if (after === undefined) return 0;
      await runCommand(create("before", after), { env });
      return sizeOf(repository);
    }
    const label = `borg ${compression} 16/64/256K${after === undefined ? "" : ", second archive"}`;
    return { id: "borg", label, env, prepare, argv: create("bench", input), output: repository };
  }

  function zstdPatch(from, to) {
    if (!has("zstd")) return null;
    const file = output("out.patch.zst");
    const argv = [paths.zstd, "-3", "-T2", "--long=27", "-q", "-f", `--patch-from=${from}`, to, "-o", file];
    return { id: "zstd-patch", label: "zstd -3 --patch-from", argv, output: file };
  }

  function xdelta(from, to) {
    if (!has("xdelta3")) return null;
    const file = output("out.xdelta");
    return {
      id: "xdelta3",
      label: "xdelta3 -e",
      argv: [paths.xdelta3, "-f", "-e", "-s", from, to, file],
      output: file,
    };
  }

  /** How fast the input can be read at all, and be hashed. */
  function readers(input) {
    const file = output("out.copy");
    return [
      { id: "cat", label: "cat > /dev/null", argv: pipeline('cat "$1" > /dev/null', input) },
      has("b3sum") ? { id: "b3sum", label: "b3sum", argv: [paths.b3sum, "--num-threads", "2", input] } : null,
      { id: "copy", label: "a copy", argv: ["cp", "--sparse=never", input, file], output: file },
    ];
  }

  /** @param {{ compression: string, cdc: boolean }} settings */
  function hexz055Pack(input, { compression, cdc }) {
    if (!hexz["0.5.5"]) return [];
    const file = output("out-hexz.hxz");
    const sizes = { min_chunk: 16384, avg_chunk: 65536, max_chunk: 131072 };
    const settings = JSON.stringify({ compression, block_size: 65536, cdc, ...(cdc ? sizes : {}) });
    return [
      {
        id: "hexz",
        label: `hexz 0.5.5 ${compression}${cdc ? " CDC" : " fixed"}`,
        argv: hexzDriver("0.5.5", "pack", input, file, settings),
        output: file,
        start: "hexz-start",
      },
      hexzStart("0.5.5"),
    ];
  }

  function hexz082Pack(tree) {
    if (!hexz["0.8.2"]) return [];
    const file = output("out-hexz.hxz");
    const argv = hexzDriver("0.8.2", "pack", tree, file, '{"compression":"lz4"}');
    return [{ id: "hexz", label: "hexz 0.8.2 lz4", argv, output: file, start: "hexz-start" }, hexzStart("0.8.2")];
  }

  /** What the contender above pays before it begins; taken off its time, since a native command would not pay it. */
  function hexzStart(version) {
    return { id: "hexz-start", label: `(python, import hexz ${version})`, argv: hexzDriver(version, "start") };
  }

  function hexz055Extract(input) {
    const [pack, start] = hexz055Pack(input, { compression: "lz4", cdc: true });
    if (!pack) return [];
    const file = output("out-hexz.raw");
    const argv = hexzDriver("0.5.5", "extract", pack.output, file);
    const setup = { argv: pack.argv, output: pack.output };
    return [{ id: "hexz", label: "hexz 0.5.5, CRC only", setup, argv, output: file, start: start.id }, start];
  }

  function hexz082Extract(tree, destination) {
    const [pack, start] = hexz082Pack(tree);
    if (!pack) return [];
    const argv = hexzDriver("0.8.2", "extract", pack.output, destination);
    const setup = { argv: pack.argv, output: pack.output };
    const label = "hexz 0.8.2, CRC only";
    return [{ id: "hexz", label, setup, argv, output: destination, sync: false, start: start.id }, start];
  }

  /** @param {{ offsets: string, length: number, warmup: number, cdc: boolean }} options */
  function hexz055RandomRead(input, { offsets, length, warmup, cdc }) {
    const [pack] = hexz055Pack(input, { compression: "lz4", cdc });
    if (!pack) return null;
    const setup = { argv: pack.argv, output: pack.output };
    const argv = [
      python,
      "-E",
      "-s",
      "-S",
      HEXZ_READER,
      hexz["0.5.5"],
      pack.output,
      offsets,
      String(length),
      String(warmup),
    ];
    return { id: "hexz", label: "hexz 0.5.5 Reader, CRC only", setup, argv, reports: true };
  }

  return {
    lz4Pack,
    lz4Extract,
    zstdPack,
    tarLz4Pack,
    tarLz4Extract,
    squashfs,
    borg,
    zstdPatch,
    xdelta,
    readers,
    hexz055Pack,
    hexz082Pack,
    hexz055Extract,
    hexz082Extract,
    hexz055RandomRead,
  };
}
