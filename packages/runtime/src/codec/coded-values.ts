/** Range-coded 16-bit floats and bytes: the models that scales, biases and dense weights share. */
import { AdaptiveBits } from './adaptive-bits.ts'
import type { BitCoder } from './range-decoder.ts'

/** How many decisions a probability remembers. */
export const memory = 250

/** Eight decisions, highest bit first, each in the context of those before it. */
export class ByteModel {
  readonly #bits = new AdaptiveBits(256, memory)

  code(coder: BitCoder, value: number): number {
    let node = 1
    for (let place = 7; place >= 0; place--) {
      node = 2 * node + this.#bits.code(coder, node, (value >> place) & 1)
    }
    return node - 256
  }
}

/** Sign, exponent and the two highest digits are learned; the lower eight bits are taken as noise. */
export class HalfModel {
  readonly #upper = new ByteModel()

  code(coder: BitCoder, bits: number): number {
    const upper = this.#upper.code(coder, bits >> 8)
    let lower = 0
    for (let place = 7; place >= 0; place--) lower = 2 * lower + coder.code(0x8000, (bits >> place) & 1)
    return 256 * upper + lower
  }
}
