/** Decodes the string of a `fast` payload in plain TypeScript. */
import { ListSink } from '../../ternary-lists.ts'
import type { TensorShape } from '../codec.ts'
import { type FastEnd, type FastString, fastBlocks, lowestState } from '../fast.ts'
import type { TernaryTarget } from '../ternary.ts'

/** Of four blocks each, decoded before a sink takes them. */
const windowUnits = 64

/**
 * One lane's step is written out four times: the four do not wait for each other. A sink takes the levels
 * 256 blocks at a time.
 */
export function decodeStates(
  { states, spans, bytes }: FastString,
  shape: TensorShape,
  target: TernaryTarget,
): FastEnd {
  const { rows, columns, weights } = fastBlocks(shape)
  const { elements } = shape
  const sink = target instanceof ListSink ? target : undefined
  const unit = 4 * rows * columns
  const window = sink === undefined ? weights : Math.min(weights, windowUnits * unit)
  const a = new Int8Array(window)
  let windowStart = 0
  let [x0, x1, x2, x3] = states as [number, number, number, number]
  let next = 0
  const block = rows * columns
  const b1 = block
  const b2 = 2 * block
  const b3 = 3 * block
  for (let base = 0; base < weights; base += unit) {
    if (base - windowStart === window) {
      sink?.take(windowStart, a, 0, window)
      a.fill(0)
      windowStart = base
    }
    for (let row = 0; row < rows; row++) {
      let l0 = 0
      let l1 = 0
      let l2 = 0
      let l3 = 0
      const rowStart = base - windowStart + row * columns
      const up = row > 0 ? columns : 0
      for (let index = rowStart; index < rowStart + columns; index++) {
        // In the first row the weight above is the one about to be written, still 0.
        const above = index - up
        const c0 = 12 * l0 + 4 * a[above]! + 16
        const c1 = 12 * l1 + 4 * a[above + b1]! + 16
        const c2 = 12 * l2 + 4 * a[above + b2]! + 16
        const c3 = 12 * l3 + 4 * a[above + b3]! + 16
        const s0 = x0 & 0xfff
        const s1 = x1 & 0xfff
        const s2 = x2 & 0xfff
        const s3 = x3 & 0xfff
        const t0 = spans[c0]!
        const t1 = spans[c1]!
        const t2 = spans[c2]!
        const t3 = spans[c3]!
        const n0 = ((t0 >>> 16) - 1 - s0) >>> 31
        const n1 = ((t1 >>> 16) - 1 - s1) >>> 31
        const n2 = ((t2 >>> 16) - 1 - s2) >>> 31
        const n3 = ((t3 >>> 16) - 1 - s3) >>> 31
        const m0 = ((t0 & 0xffff) - 1 - s0) >>> 31
        const m1 = ((t1 & 0xffff) - 1 - s1) >>> 31
        const m2 = ((t2 & 0xffff) - 1 - s2) >>> 31
        const m3 = ((t3 & 0xffff) - 1 - s3) >>> 31
        const f0 = spans[c0 + 1 + m0 + n0]!
        const f1 = spans[c1 + 1 + m1 + n1]!
        const f2 = spans[c2 + 1 + m2 + n2]!
        const f3 = spans[c3 + 1 + m3 + n3]!
        l0 = m0 - 2 * n0
        l1 = m1 - 2 * n1
        l2 = m2 - 2 * n2
        l3 = m3 - 2 * n3
        a[index] = l0
        a[index + b1] = l1
        a[index + b2] = l2
        a[index + b3] = l3
        x0 = Math.imul(f0 >>> 16, x0 >>> 12) + s0 - (f0 & 0xffff)
        x1 = Math.imul(f1 >>> 16, x1 >>> 12) + s1 - (f1 & 0xffff)
        x2 = Math.imul(f2 >>> 16, x2 >>> 12) + s2 - (f2 & 0xffff)
        x3 = Math.imul(f3 >>> 16, x3 >>> 12) + s3 - (f3 & 0xffff)
        if (x0 < lowestState) {
          x0 = (x0 << 16) | word(bytes, next)
          next += 2
        }
        if (x1 < lowestState) {
          x1 = (x1 << 16) | word(bytes, next)
          next += 2
        }
        if (x2 < lowestState) {
          x2 = (x2 << 16) | word(bytes, next)
          next += 2
        }
        if (x3 < lowestState) {
          x3 = (x3 << 16) | word(bytes, next)
          next += 2
        }
      }
    }
  }
  const last = a.subarray(0, elements - windowStart)
  if (target instanceof ListSink) target.take(windowStart, last, 0, last.length)
  else target.set(last)
  return {
    states: [x0, x1, x2, x3],
    next,
    isPadded: a.subarray(last.length).every(level => level === 0),
  }
}

/** The two bytes at `start`; zeros beyond the string, whose end is checked in time. */
function word(bytes: Uint8Array, start: number): number {
  return start + 1 < bytes.length ? bytes[start]! | (bytes[start + 1]! << 8) : 0
}
