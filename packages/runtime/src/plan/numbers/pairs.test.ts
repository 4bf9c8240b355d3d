import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { TernaryTensor } from '../../file/types.ts'
import { convAttributes, createRandom, ModelSketch, randomTernary } from '../../kernels/testing/models.ts'
import { planFor } from '../../session/open.ts'
import { listsOf } from '../../ternary-lists.ts'
import { countTerms, eachTerm } from './pairs.ts'

describe('eachTerm', () => {
  test('covers every weight of a sign once and nothing else, for any pattern and kernel', () => {
    const random = createRandom(3)
    for (const kernel of [
      [3, 3],
      [1, 4],
      [5, 2],
    ] as const) {
      const [height, width] = kernel
      for (const zeros of [0, 0.4, 0.9]) {
        const { assignment } = randomTernary(random, [1, 6, height, width], zeros)
        for (const sign of [1, -1]) {
          const covered = new Array(assignment.length).fill(0)
          eachTerm(assignment, sign, kernel, (channel, ky, kx, term) => {
            const k = (channel * height + ky) * width + kx
            covered[k]++
            if (term === 'right') {
              assert.ok(kx + 1 < width)
              covered[k + 1]++
            } else if (term === 'below') {
              assert.ok(ky + 1 < height)
              covered[k + width]++
            }
          })
          assert.deepEqual(
            covered,
            Array.from(assignment, weight => (weight === sign ? 1 : 0)),
          )
        }
      }
    }
  })

  test('halves the additions of a filter of one sign, less what is left over', () => {
    assert.equal(countTerms(listsOf(filtersOf([1, 1, 3, 3], 1)), 9, [3, 3]), 5)
    assert.equal(countTerms(listsOf(filtersOf([2, 1, 2, 2], -1)), 4, [2, 2]), 4)
  })
})

test('sums of neighbours are planned where they pay: in padded layers with many weights', async () => {
  const paired = async (zeros: number, pad: number) => {
    const m = new ModelSketch()
    const weight = m.tensor(randomTernary(createRandom(1), [32, 16, 3, 3], zeros))
    const model = m.model(m.node('Conv', [m.input('x', [1, 16, 20, 20]), weight], convAttributes(1, pad)))
    const { kernel } = (await planFor(model, {})).steps[0]!
    return kernel.name === 'add-lists' && kernel.layout.sums !== undefined
  }
  assert.equal(await paired(0.5, 1), true)
  assert.equal(await paired(0.98, 1), false)
  assert.equal(await paired(0.5, 0), false)
})

/** A weight of one level everywhere. */
function filtersOf(shape: readonly number[], level: number): TernaryTensor {
  const one = Float32Array.of(1)
  const assignment = new Int8Array(shape.reduce((product, size) => product * size, 1)).fill(level)
  return { kind: 'ternary', shape, assignment, positive: one, negative: one }
}
