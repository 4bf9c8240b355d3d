/**
 * What a model may ask of the runtime. A file that passes every check of its container may still describe a
 * network of absurd size, so these bounds are checked before anything is allocated.
 */
export const planLimits = {
  /** Activations, scratch space and prepared weights of one session. */
  memoryBytes: 0x4000_0000,
  /** Multiply-accumulates, comparisons and copies of one image; EfficientNet-B7 needs about 2^35. */
  operationsPerImage: 2 ** 38,
  nodes: 8_192,
  rank: 8,
  dimension: 0x7fff_ffff,
  /** Elements of one value. */
  elements: 0x1000_0000,
} as const
