import assert from 'node:assert/strict'
import { it } from 'node:test'
import { f32 } from '../core/index.ts'
import { fromMemoryOrder, toMemoryOrder } from './memory-order.ts'

const numbered = (shape: readonly number[], size: number) =>
  f32(
    shape,
    Float32Array.from({ length: size }, (_, place) => place),
  )

it('a memory order permutes the axes of the tensor seen in its dimensions', () => {
  // [4, 3] as [2, 2, 3]: rows in pairs, the row of a pair innermost.
  const order = { dims: [2, 2, 3], perm: [0, 2, 1] }
  const memory = toMemoryOrder(numbered([4, 3], 12), order)
  assert.deepEqual([...memory.data], [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11])
  assert.deepEqual(memory.shape, [4, 3])
})

it('the way back gives the same tensor', () => {
  const order = { dims: [2, 16, 3, 2, 5], perm: [0, 2, 4, 3, 1] }
  const held = numbered([32, 3, 2, 5], 960)
  const memory = toMemoryOrder(held, order)
  assert.notDeepEqual(memory.data, held.data)
  assert.deepEqual(fromMemoryOrder(memory, order), held)
})
