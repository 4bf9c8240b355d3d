/** Gives large blocks of memory back at once, where the collector of garbage would let a step's results pile up. */
import { MessageChannel } from 'node:worker_threads'

/** Smaller blocks are left to the collector. */
const leastBytes = 0x10_0000

const nowhere = new MessageChannel().port1
nowhere.close()

/** The arrays are empty afterwards: what is moved to a port that has been closed is freed with the message. */
export function freeMemory(arrays: Iterable<ArrayBufferView>): void {
  const large = [...arrays].filter(({ byteLength }) => byteLength >= leastBytes)
  if (large.length > 0)
    nowhere.postMessage(
      null,
      large.map(({ buffer }) => buffer as ArrayBuffer),
    )
}
