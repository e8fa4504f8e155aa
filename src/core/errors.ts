// Every failure of the library is a HexzError: a code from a closed list, one sentence, a hint when there is a next
// step, and the facts as data. The command line maps codes to exit codes (docs/cli.md lists both).

/** What went wrong, by who has to act. The list is closed: docs/cli.md prints it. */
export const ERROR_CODES = {
  /** wrong use */
  usage: "the call or an option is wrong",
  not_available: "this version does not have the feature that was asked for",
  output_exists: "the output is there already",
  output_is_input: "the output is also an input, or lies inside one",
  collision: "an entry to extract is there already",
  password_missing: "the archive is encrypted and no key was given",
  not_encrypted: "an archive is encrypted, and what is made of it is not",
  /** the archive or data is bad, or the answer is no */
  not_an_archive: "the file is not a Hexz archive",
  truncated: "the end of the archive is missing",
  version_unknown: "the archive is of a version that this program does not read",
  feature_unknown: "the archive needs a feature that this program does not have",
  damaged: "bytes of the archive are not what its digests say",
  invalid: "the archive breaks a rule of the format",
  limit_exceeded: "a length in the archive is over its limit",
  no_such_path: "the archive has no entry of that name",
  wrong_type: "the entry is not of the type that the operation needs",
  unsafe_path: "the name of an entry would lead outside the destination",
  device_refused: "a device node was left out",
  password_wrong: "the password or identity does not open the archive",
  untrusted: "no signature by a required key",
  original_differs: "an original program reads other bytes than were packed",
  /** the outside failed */
  not_found: "a file is missing",
  permission: "the system denied access",
  no_space: "the disk is full",
  io: "reading or writing failed",
  changed: "a file changed while it was read",
  parent_missing: "an archive that this one refers to was not found",
  unsupported: "this machine cannot keep or restore something",
  interrupted: "the operation was cancelled",
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** The only error that the library throws on purpose. */
export class HexzError extends Error {
  override readonly name = "HexzError";
  readonly code: ErrorCode;
  /** What to do next, when there is something. */
  readonly hint: string | undefined;
  /** The facts of the message: offsets and lengths in bytes, names, what was found and expected. */
  readonly data: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    message: string,
    options: { hint?: string; data?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.data = options.data ?? {};
  }
}

/** Something left out or not kept, while the rest went on. */
export interface Warning {
  /** Bytes of the name, one character a byte; see format/path.ts. */
  path: string;
  code: ErrorCode;
  message: string;
}
