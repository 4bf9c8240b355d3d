/** The bounds of a `.sterna` file, as `docs/format.md` states them. Readers and writers enforce the same. */
export const fileLimits = {
  fileBytes: 0x4000_0000,
  metadataBytes: 0x10_0000,
  previewBytes: 0x1_0000,
  nameBytes: 255,
  inputs: 64,
  outputs: 64,
  nodes: 65_536,
  tensors: 65_536,
  rank: 8,
  dimension: 0x7fff_ffff,
  /** Elements of one graph input, at batch size 1. */
  inputElements: 0x100_0000,
  /** Elements of one stored tensor; the codecs bound it further by the payload's length. */
  tensorElements: 0x1000_0000,
  /** Elements of all range-coded tensors of a file together. */
  codedElements: 0x1000_0000,
  attributeList: 16,
} as const
