// docs/cli.md, from the commands themselves: scripts/write-cli-docs.mjs writes it, a test says when it is stale.

import { ERROR_CODES, type ErrorCode } from "../core/errors.ts";
import { type CatalogueEntry, type CommandSpec, GROUPS, LATER_COMMANDS } from "./catalogue.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { NOTES } from "./notes.ts";

const INTRODUCTION = `# The command line

Printed from the commands by \`scripts/write-cli-docs.mjs\`: do not edit.

## All commands

- \`hexz COMMAND --help\` shows synopsis, options and an example. \`hexz\` alone lists the commands and exits with 2. \`hexz --version\`
  says which engine was found, also with \`--json\`: \`version, formats, engine {name, description}, node, platform\`.
- ARCHIVE is a path; \`-\` is standard input, a pipe goes through a temporary file. URLs are for later versions.
- \`--json\`: exactly one JSON document on standard output, also after a failure: \`{"error": {"code", "message", "hint", …}}\`, with the
  facts of the failure beside them. Keys are snake_case, sizes are bytes, ids are lower-case hex. Where standard output
  carries data it is refused, with the document on standard error. A name that is not UTF-8 has \`path_bytes\` (hex) beside \`path\`.
- \`warnings [{path, code, message}]\` lists what was left out or could not be kept. In text they are on standard error.
- Text escapes control characters of names as \`\\xNN\`, and what is not UTF-8 likewise.
- Sizes are given as \`4096\`, \`64K\`, \`1.5G\`, \`64KiB\` or \`64KB\` in any case, all binary, and shown with two decimals.
- \`--progress auto\` shows progress on standard error when that is a terminal; \`json\` prints lines
  \`{"progress": {"phase", "bytes", "total", "rate", "seconds_left"}}\` there. \`--quiet\` leaves out progress and summary.
- \`--force\` overwrites; an output that is also an input is refused all the same. Outputs appear complete or not at all, also
  after Ctrl-C.
- \`HEXZ_DEBUG=1\` adds where an error came from.

## Exit codes

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | the archive or data is bad, or the answer is no |
| 2 | wrong use, or the output exists |
| 3 | the outside failed: a missing file, permission, a full disk |
| 129, 130, 143 | ended by SIGHUP, SIGINT, SIGTERM |
| 141 | the reader of standard output went away |
`;

const EXIT_ORDER = (a: ErrorCode, b: ErrorCode) => EXIT_CODES[a] - EXIT_CODES[b];

function errorTable(): string {
  const codes = (Object.keys(ERROR_CODES) as ErrorCode[]).sort(EXIT_ORDER);
  const rows = codes.map((code) => `| \`${code}\` | ${EXIT_CODES[code]} | ${ERROR_CODES[code]} |`);
  return ["## Error codes", "", "| `code` | exit code | meaning |", "|---|---|---|", ...rows, ""].join("\n");
}

/** A cell of a table: bars and angles mean something in Markdown. */
function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("<", "&lt;");
}

function optionTable(spec: CommandSpec): string {
  const command = spec.create({ finish() {}, claimStdout() {} });
  const rows = command.options
    .filter((option) => !option.hidden)
    .map((option) => {
      const choices = option.argChoices?.join(", ");
      const about = [option.description, choices && `one of ${choices}`].filter(Boolean).join("; ");
      const fallback = option.defaultValueDescription ?? option.defaultValue;
      const shown = fallback === undefined || typeof fallback === "boolean" ? "" : String(fallback);
      return `| \`${option.flags}\` | ${cell(about)} | ${shown} |`;
    });
  return ["| option | meaning | default |", "|---|---|---|", ...rows].join("\n");
}

async function commandSection({ name, aliases = [], load }: CatalogueEntry): Promise<string> {
  const spec = await load();
  const command = spec.create({ finish() {}, claimStdout() {} });
  const also = aliases.length === 0 ? "" : ` (also \`hexz ${aliases.join("`, `hexz ")}\`)`;
  return [
    `## hexz ${name}`,
    "",
    `${command.description()}${also}`,
    "",
    "```",
    `${command.name()} ${command.usage().replace(/\n +/g, "\n")}`,
    "```",
    "",
    optionTable(spec),
    "",
    `Example: \`${spec.example}\``,
    "",
    NOTES[name]!,
    "",
  ].join("\n");
}

export async function renderDocs(): Promise<string> {
  const sections = [INTRODUCTION, errorTable()];
  for (const { commands } of GROUPS) for (const entry of commands) sections.push(await commandSection(entry));
  const later = [...LATER_COMMANDS].map((name) => `\`${name}\``).join(", ");
  sections.push(`## Later\n\nThese commands answer with the error code \`not_available\` for now: ${later}.\n`);
  return sections.join("\n");
}
