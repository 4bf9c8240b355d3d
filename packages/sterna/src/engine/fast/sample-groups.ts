/** How many samples of a batch lie side by side in blocked maps. */

/** A batch that would grow by more than this share is not padded to whole blocks. */
const mostPadding = 0.1

export interface SampleGroups {
  readonly n: number
  /** In a group. */
  readonly samples: number
  readonly groups: number
}

/**
 * Groups of a block each, the last one padded, or all samples in one. With blocks the gradient of a weight reads its
 * input as it lies, without them a copy for each column of the kernel; that costs less than a tenth of the batch.
 */
export function sampleGroups(n: number, block: number): SampleGroups {
  const groups = Math.ceil(n / block)
  return groups * block <= n * (1 + mostPadding)
    ? { n, samples: block, groups }
    : { n, samples: n, groups: 1 }
}
