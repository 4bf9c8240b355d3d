/** Writes binary decisions as a range-coded string: the counterpart of the runtime's RangeDecoder. */
import { type BitCoder, split } from 'sterna-runtime/format'

export class RangeEncoder implements BitCoder {
  #bytes = new Uint8Array(1024)
  #length = 0
  #low = 0
  #range = 0xff_ffff

  code(p: number, bit: number): number {
    const bound = split(this.#range, p)
    if (bit === 1) {
      this.#range = bound
    } else {
      this.#low += bound
      this.#range -= bound
    }
    while (this.#range < 0x1_0000) this.#shift()
    return bit
  }

  /** Ends the string in as few bytes as name it, but not fewer than `shortest`; zeros at the end go without saying. */
  finish(shortest: number): Uint8Array {
    const last = this.#low + this.#range - 1
    for (const unit of [0x1_0000, 0x100, 1]) {
      const value = Math.ceil(this.#low / unit) * unit
      if (value > last) continue
      this.#low = value
      break
    }
    for (let count = 0; count < 3; count++) this.#shift()
    let length = this.#length
    while (length > shortest && this.#bytes[length - 1] === 0) length--
    const string = new Uint8Array(Math.max(length, shortest))
    string.set(this.#bytes.subarray(0, length))
    return string
  }

  /** The top byte of `low` goes out; what it carries is added to the bytes before. */
  #shift(): void {
    if (this.#low > 0xff_ffff) {
      let place = this.#length - 1
      while (this.#bytes[place] === 0xff) this.#bytes[place--] = 0
      this.#bytes[place]! += 1
      this.#low -= 0x100_0000
    }
    if (this.#length === this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#length)
      larger.set(this.#bytes)
      this.#bytes = larger
    }
    this.#bytes[this.#length++] = this.#low >>> 16
    this.#low = (this.#low & 0xffff) << 8
    this.#range <<= 8
  }
}
