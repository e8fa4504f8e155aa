// What docs/cli.md says of each command beyond its options. Markdown.

export const NOTES: Readonly<Record<string, string>> = {
  pack: `The last path is the OUTPUT in both spellings; \`hexz pack INPUT... OUTPUT --disk IMAGE\` packs a tree and an image into one
archive. A single directory gives its contents and its own metadata; several INPUTs go under their base names, and two of
the same name are refused; \`-\` becomes the file \`stdin\`.

Nothing is left out unless it is asked for: names of any bytes, modes, owners, times, symlinks, hard links, holes,
extended attributes, FIFOs and device nodes are kept. Sockets are left out with a warning. A file of a tree that cannot be
read, changes or disappears is in \`warnings\`, the archive of the rest is kept, and the exit code is 3; where it is the
INPUT itself, nothing is left. Warnings with the code \`unsupported\` (sockets, what this machine cannot keep) do not change the
exit code.

The archive appears under its name when it is complete. An existing OUTPUT is refused without \`--force\`; an OUTPUT that
is an input, or lies in a directory that is one, always. An archive is not written to a terminal.

\`--disk-format qcow2\` packs the disk that a qcow2 image holds (versions 2 and 3, all kinds of clusters). Backing files are
read with \`--allow-backing\` only, from where the image names them. Internal snapshots are left out and named in \`warnings\`;
an image that QEMU has marked as corrupt is read as it is, with exit code 1. Encrypted images and external data files are refused.

\`--dictionary\` reads a sample of the input first (16 MiB at most, evenly spread), so standard input is refused. It pays for
blocks up to 16K of text-like files that are alike, and needs libzstd to be trained, not to be read; an input that is too
small for one is packed without, with a warning.

The bytes depend on the input, the options and the engine, not on workers, clock or machine. \`created\` is recorded only where
\`SOURCE_DATE_EPOCH\` is set (seconds since 1970).

\`--json\`: \`path, archive_id, original_size, compressed_size, compression_ratio, chunks {total, unique, unique_bytes, duplicate,
duplicate_bytes, parent, parent_bytes, zero, zero_bytes}, blocks {count, stored_bytes, by_codec}, seconds, warnings\`.`,

  convert: `The archive is made like that of \`pack\`, with the same options, refusals and document. \`auto\` takes the format that the
first INPUT looks like. What the archive cannot hold is in \`warnings\`; where that loses an entry, the exit code is 1.

\`qcow2\` becomes the stream \`disk\`, as with \`pack --disk-format qcow2\`.

\`--to qcow2\` writes the stream \`disk\`, the one stream or file, or that of \`--path\`, as an image without backing file, not compressed.

\`--to raw\` writes the one stream or file, or that of \`--path\`; zeros become holes. \`--json\`: \`path\` (OUTPUT)\`, format, bytes,
warnings\`. Formats of later versions are refused with \`not_available\`.`,

  extract: `An archive that was made of a single stream or file goes into the file DEST, any other one into the directory DEST, which
may exist; the streams \`disk\` and \`memory\` become files of these names in it. With PATHs, patterns or
\`--strip-components\`, DEST is always a directory; a directory as PATH means everything in it, and paths are kept whole.
PATHs take \`\\xNN\` for bytes and \`\\\\\` for a backslash; \`disk\` and \`memory\` mean the streams where there are such,
\`./disk\` the file.

When anything is in the way, nothing is written: exit code 2. With \`--force\` files, symlinks and special files are
replaced, directories never. Nothing is written outside of DEST, whatever the archive says. Each file appears when it is
complete.

Damaged files, hostile names and, without \`--devices\`, device nodes are left out: they are in \`warnings\`, the rest is
restored, exit code 1. Where the system refuses an entry, it is in \`warnings\`, exit code 3. Metadata that cannot be restored here
(owners as another user than root, some extended attributes) is named once and does not change the exit code.

\`--json\`: \`path\` (DEST), \`entries, bytes, warnings\`.`,

  cat: `PATH may be left out where the archive holds exactly one stream or file. It takes \`\\xNN\` for bytes and \`\\\\\` for a
backslash; \`disk\` and \`memory\` mean the streams where there are such, \`./disk\` the file.

\`--range\`: END is exclusive; END and LENGTH are clipped to the size; a range that starts behind its end, or behind the end of
the file, is refused (2); \`START-\` goes to the end. \`--range=-N\` are the last N bytes, all of them where there are fewer;
\`--range=-N+LENGTH\` is the beginning of these. The numbers are sizes: \`1M+64K\`.

Every byte is verified before it is written; after damage the output ends, with exit code 1. \`--json\` is refused.`,

  check: `\`--sample\` takes a percentage or a size; it is spread evenly over the content. Index and tree are checked in any case.

Of format 1, \`warnings\` say what is as it was written and worth knowing: where a release of the original reads other bytes than were
packed (\`original_differs\`), what a signature does not cover, streams longer than their blocks.

\`--json\`: \`ok, checked_bytes, sampled, problems [{code, where, path, start, end, message}]\`, of format 1 also \`warnings [as problems]\`; \`sampled\` is
null or the sample as asked. Exit code 1 when something is wrong, also where the file is no archive at all: then \`problems\` says so.`,

  keygen: `\`private.key\` is for its owner only (mode 0600). Both files are 32 raw bytes, as the original's; with \`--age\` they are
text, as \`age-keygen\` writes it: \`--identity private.key\`, \`--recipient "$(cat public.key)"\`. Existing files are never replaced: exit
code 2. \`--json\`: \`private_key_path, public_key_path, public_key\` (hexadecimal; \`age1…\`).`,

  sign: `KEY is an Ed25519 key: 32 raw bytes, PEM (PKCS #8) or OpenSSH, not encrypted. The signature is of the archive id, which pins every byte
of the content, parents included; \`pack --sign\` and the other commands that make archives sign in the same pass. An archive may
have 64 signatures; a key that signs again replaces its own. Only the archive's end is read: what it holds is not proven by
signing it, see \`check\`. An append that was interrupted leaves a file that no command reads; \`repair\` cuts it back.

\`--detached\` writes the signature alone, 64 bytes over 48: the text \`hexz archive v2\`, a zero byte, and the archive id. OpenSSL verifies it:

\`\`\`
(printf 'hexz archive v2\\0'; printf %s "$ARCHIVE_ID" | xxd -r -p) > message
openssl pkeyutl -verify -pubin -inkey public.pem -rawin -in message -sigfile backup.sig
\`\`\`

\`--json\`: \`path, archive_id, public_key, signatures [{public_key}]\`.`,

  verify: `KEYs are files (32 raw bytes, PEM, OpenSSH, also the private ones of the last two) or 64 hexadecimal digits. All of them must have signed, in the archive or
in a file given by \`--signature\`, and every such file must be by one of them. Then every byte is checked, as \`check\` does, with
what parents store for the archive. \`--quick\` stops at the root: then each byte is proven when it is read.
Exit code 1: not signed by every KEY, altered, or no KEY given; 3 where only parents are missing.

\`--require-signed-by\` makes every reading command refuse what is not signed (\`untrusted\`, exit code 1), before it shows anything of the content.

\`--json\`: \`ok, archive_id, signatures [{public_key, valid, trusted}], checked_bytes, problems [as of check]\`; \`trusted\` means that it is a KEY's.`,

  commit: `The overlay is a data file, in which block k of 4 KiB lies at 4096 k, and a log of the blocks that were written (8 bytes each, little
endian) beside it: \`vm.overlay\` and \`vm.meta\`. A block that is logged twice counts once, a torn entry at the end of the log for
nothing; a missing log is exit code 3, a data file that lacks bytes of a logged block is \`truncated\`. A longer data file makes the disk
longer. The tree, the stream \`memory\` and the metadata of the base are carried over; \`--message\` becomes the \`note\`.

Chunks are those that packing the disk as it is now would give. Full archives (the default) have no parents at all. With
\`--thin\` the base is the parent, and what is read and written depends on the change, apart from the base's index.

Over a base of format 1 the archive is of format 2, packed anew, and cannot be thin.

The overlay stays unless \`--delete-overlay\` is given; then it goes when the new archive is on the disk. An overlay that is written to
meanwhile is \`changed\`, exit code 3.

\`--json\` adds to the document of \`pack\`: \`copied_blocks {count, stored_bytes}, modified_blocks, modified_bytes, recut_bytes, overlay_deleted\`.`,

  keys: `Slots are numbered from 0, as \`list\` shows them; removing one renumbers those behind it. \`list\` needs no key, the others need one that
opens the archive: \`--identity\`, \`--password-file\`, HEXZ_PASSWORD or the terminal. New slots are for the \`--recipient\`s, and for the password of
\`--new-password-file\` or, where neither is given, of the terminal. An archive has at most 64 slots, 4 of them for passwords. There is no
slot to remove: exit code 2; the last one is never removed.

Only the key slots are rewritten, in place and one copy after the other: no data is touched, the archive id and signatures stay, and an interruption
leaves an archive that opens with the old or with the new keys (\`check\` tells; the same command again completes it). The archive
key stays as well: whoever had a slot may have kept it, and can read what an old copy of the file and this one hold.
\`flatten --recipient\` makes a copy under a new key.

\`--json\`: \`path, encrypted, key_slots [{slot, kind}], remark\`; \`kind\` is \`passphrase\`, \`x25519\`, \`post-quantum\` or the name of an age stanza that
nothing here opens.`,
  repair: `An archive that is whole is copied byte for byte, with its signatures; likewise one that is whole up to an append that was interrupted, and one that has
lost its end mark only. Of any other one the pages are looked for all over the file: they say where they belong and prove themselves. Every block that they lead to is read and
verified, and copied as it is coded; the new archive has another id and no signatures but those of \`--sign\`.

A file, stream or container with a lost part is left out, or with \`--keep-partial\` kept, with zeros there. Content whose name is lost goes to \`lost+found/START-END\`,
by its addresses; where the root is lost, what comes before the first file is taken for the stream \`disk\`. \`--base\` names archives that may have chunks that are lost: the new
archive refers to them. Parents are referred to as before; they need not be there.

Exit code 0: nothing is lost; 1: something is, and listed; also 1, without an output, where there is nothing to save. A file that has lost its beginning is read as well.

\`--json\`: that of \`pack\`, and \`complete, verbatim, cut_bytes, source {archive_id (null: its root is lost), proven, signatures [{public_key, valid}]}, copied_blocks {count, stored_bytes},
nameless (contents in \`lost+found\`), lost [{code, where, path, start, end, message, kept}]\`. \`proven\`: every page that was used is one that the archive's root names, so what a signature says holds for what was saved.`,

  overlay: `\`--base\` maps the blocks to what they hold, as the disk is with the overlay on it: to the files of ext2, ext3, ext4, FAT12, FAT16
and FAT32 file systems, on the disk itself or in the partitions of an MBR or GPT; or, where the archive has no disk of its own, to the entries of its tree.
What belongs to no file is told as an area: inode tables, journal, free space, file allocation table, … A file system that is known but not read (LVM, XFS,
btrfs, NTFS, …), or is broken, is named, and what it holds is \`not mapped\`. A block of 4 KiB may hold parts of several files: all are named.
Links to content inside inodes are not seen: small files and symlinks there change inode tables.

\`--json\`: \`path, block_size, modified_blocks, modified_bytes, ranges [[start, end]], blocks [numbers], disk_size, partition_table, partitions [{number,
start, size, type, file_system, label, mapped, notes}], files [{path, type, partition, bytes, metadata_bytes, ranges, other_paths}], areas [{partition, area,
bytes}], warnings\`. Without \`--base\` the keys from \`disk_size\` to \`areas\` are null. \`partition\` is null where there are none. \`metadata_bytes\` are blocks that say
where the content is. Together, \`files\` and \`areas\` have every modified byte.`,

  inspect: `Reads the end of the file once, twice where the root is long; the lists need the pages that they show.

\`--json\`: \`path, version, archive_id, content_id, states, compression, engine, level, block_size, chunking {method, min, avg, max},
variable_blocks, encrypted, key_slots, signed, signatures, has_dictionary, original_size, compressed_size, compression_ratio,
entries {files, directories, symlinks, other}, streams [{name, size}], parents [{id, hint, found}], parent_paths, index {pages,
depth, offset}, chunks {…}, blocks {…}, metadata, note, created\`. \`level\` is null where the codec has none; \`index.offset\` is where
the root page begins, which is the top of the index; \`chunks.zero\` counts runs of any one byte value; \`directories\` counts
the root; \`original_size\` counts a hard link once. Of an encrypted archive without a key there are only \`path, version, encrypted,
key_slots [{slot, kind}]\`, and nothing is asked for.

Of format 1 the figures are counted: all pages of the index are read, and no block. What it does not have is null
(\`archive_id, content_id, engine, level\`); added is what the original prints: \`has_primary, has_secondary, index_offset, primary_pages,
secondary_pages, block_stats {data_blocks, data_bytes, parent_ref_blocks, parent_ref_bytes, zero_blocks, zero_bytes}\`.

\`--entries\` adds \`entry_list [{path, type, size, mode, mtime, uid, gid, user, group, target, hard_link, device major, minor, xattrs
[names], metadata}]\`; what is not known is null. \`--blocks\` adds \`block_list [{offset, stored, plain, codec, parent}]\`, \`parent\` 0 for
this file.`,

  diff: `A is the older one. Only the indexes and trees are read, so parents need not be there. A chunk is counted once, however often it occurs;
fills are not counted. Contents are compared by their chunks: changed ranges are those of whole chunks. A copied tree has
other times everywhere: entries that differ in nothing else are counted, and listed with \`--files\` and in JSON.

Archives that were cut with other chunk sizes can be compared where a file is one chunk in both, or chunks coincide; for the rest of the files
of equal size it says that it does not know (\`undecided\`), and for changed ones no ranges (null). Without \`--exit-code\` the
exit code is 0; with it 1 when a stream or an entry differs, or is undecided; with \`--chunks\`, when the chunks differ.

\`--json\`: \`a {path, archive_id, size, original_size, chunks}, b {…}, equal, shared {chunks, bytes, percent, via_parent}, only_a {chunks,
bytes}, only_b {…}, storage_saved, files {added [{path, type, size}], removed [{…}], changed [{path, type, a_size, b_size,
changed_bytes, removed_bytes, ranges [[start, end]], …}], renamed [{from, to, size}], metadata_only [{path, fields}], undecided [{path,
type, size}], unchanged}, warnings\`. \`percent\` is of B's bytes, \`via_parent\` counts chunks; \`storage_saved\` are the bytes of the
shared chunks; ranges are in B; streams have the type \`stream\`. A change of type has \`a_type\`, symlinks \`a_target\` and \`b_target\`.`,

  ls: `Reads the end of every file once. An archive lists all archives that store something of it; here a parent is direct unless it is an
ancestor of another one of them. What cannot be read stands in its place with the reason, and the exit code is 0. A parent that is not in the
directory is not looked for elsewhere; its children stand below it. An archive with several parents is drawn below each, its own children
once. Passwords are not asked for: an encrypted archive is listed with \`password_missing\` where none is given.

\`--json\`: \`archives [{path, archive_id, size, original_size, parents [], children [], new_chunks, new_bytes, note, created, error}], roots [],
missing_parents [{id, hint}], total_size, warnings\`. \`parents\`, \`children\` and \`roots\` are ids; roots are the archives without a parent in
the directory; \`new_chunks\` and \`new_bytes\` are what an archive stores itself; \`error\` is null or \`{code, message, …}\`, and then the rest is
null; \`warnings\` has directories that cannot be listed.`,

  build: `Makes what \`pack SOURCE OUTPUT\` makes, with the settings of a profile (\`--list-profiles\`); every option that is given overrides its setting.
With \`--compression\`, level and dictionary of the profile count for zstd only. With \`--base\`, chunks are cut as the base's are. A profile's dictionary
is left out where it cannot be trained: from standard input, without libzstd, of small inputs; a warning says so.

Files need no alignment in \`ml\`: every file begins a chunk, wherever it lies, so it deduplicates and is read alone.

\`--json\`: as \`pack\`, and \`profile\`; with \`--list-profiles\` \`profiles [{name, summary, compression, level, block_size, chunking {method, min, avg,
max}, dictionary}]\`.`,
};
