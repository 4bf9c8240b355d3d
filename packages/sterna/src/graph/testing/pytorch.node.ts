/** What PyTorch computed, from `test/fixtures`, and the comparison with it. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { f32, type Shape, sizeOf, type Tensor } from '../../core/index.ts'

/** A tensor that is made again instead of stored. */
export interface Generated {
  readonly shape: Shape
  readonly seed: number
  readonly scale: number
  readonly offset: number
}

/** `expected.json` of a fixture folder. */
export function readFixture<Fixture>(name: string): Fixture {
  const folder = path.resolve(import.meta.dirname, '../../../test/fixtures')
  return JSON.parse(readFileSync(path.join(folder, name, 'expected.json'), 'utf8')) as Fixture
}

/** The generator that every fixture describes in its field `generator`. */
export function generate({ shape, seed, scale, offset }: Generated): Tensor<'f32'> {
  let state = seed
  const draw = () => {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0
    return offset + scale * (2 * ((state >>> 8) / 2 ** 24) - 1)
  }
  return f32(shape, Float32Array.from({ length: sizeOf(shape) }, draw))
}

/**
 * Every element within `tolerance` of the expected one, relative to the largest expected magnitude: float32
 * sums round relative to their largest term.
 */
export function assertNear(
  found: ArrayLike<number>,
  expected: readonly number[],
  tolerance: number,
  what: string,
): void {
  assert.equal(found.length, expected.length, `${what}: number of elements`)
  const scale = expected.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0)
  expected.forEach((value, index) => {
    assert.ok(
      Math.abs(found[index]! - value) <= tolerance * scale,
      `${what}, element ${index}: expected ${value}, found ${found[index]}`,
    )
  })
}
