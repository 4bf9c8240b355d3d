/** Of the blocks that raise the threshold, nearly the largest. */
const blockBytes = 2 ** 25 - 2 ** 14

let done = false

/**
 * Makes glibc keep memory that results were freed from. It gives the top of the heap back to the system where more than a
 * threshold is free, and results that follow then fault on every page: 64 times for 256 KB, which takes as long as
 * the convolution before. Freeing a block of its own raises the threshold, for good, to twice the block's size, which is
 * more than V8 leaves uncollected. The block is never touched: it takes addresses and no memory.
 */
export function keepFreedMemory(): void {
  if (done || process.platform !== 'linux') return
  done = true
  try {
    new ArrayBuffer(blockBytes)
  } catch {
    // Without room for it runs are slower, no more.
  }
}
