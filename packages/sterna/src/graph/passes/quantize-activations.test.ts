import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { f32 } from '../../core/index.ts'
import { createEngine } from '../../engine/index.node.ts'
import { GraphBuilder, gradients } from '../index.ts'
import { quantizeActivations, quantizeOutputs } from './index.ts'

const engine = await createEngine({ device: 'cpu', threads: 1 })
after(() => engine.close())

const range = { scale: 0.5, zero: 4, max: 12 } // −2 … 4
const x = [-3, -2, -1.9, -0.26, 0, 0.24, 0.25, 0.75, 3.8, 4, 9]

test('numbers become the nearest that a byte means; the derivative is 1 inside the range and 0 outside', async () => {
  const b = new GraphBuilder()
  const input = b.input('x', [x.length])
  const [y] = quantizeOutputs(b, ['x'], [input], new Map([['x', range]]))
  const [dx] = gradients(b, b.sum(b.mul(y!, 3)), [input])
  const executable = await engine.load({ graph: b.build([y!, dx!]), state: new Map() })
  const found = await executable.run({ x: f32([x.length], x) })
  assert.deepEqual([...found[y!.name]!.data], [-2, -2, -2, -0.5, 0, 0, 0, 1, 4, 4, 4])
  assert.deepEqual([...found[dx!.name]!.data], [0, 0, 3, 3, 3, 3, 3, 3, 3, 0, 0])
})

test('a graph quantizes the named values, inputs too, where they are made, and no other', async () => {
  const b = new GraphBuilder()
  const doubled = b.append('Add', [b.input('x', [3]), b.value('x')], {}, 'double', ['y'])[0]!
  const graph = b.build([b.append('Neg', [doubled], {}, 'neg', ['z'])[0]!, doubled])
  const run = async (ranges: ReadonlyMap<string, typeof range>) => {
    const quantized = quantizeActivations(graph, ranges)
    const executable = await engine.load({ graph: quantized, state: new Map() })
    const found = await executable.run({ x: f32([3], [0.3, 1.3, -1]) })
    return quantized.outputs.map(name =>
      Array.from(found[name]!.data as Float32Array, value => Math.round(10 * value) / 10),
    )
  }
  assert.deepEqual(await run(new Map()), [
    [-0.6, -2.6, 2],
    [0.6, 2.6, -2],
  ])
  assert.deepEqual(await run(new Map([['y', range]])), [
    [-0.5, -2.5, 2],
    [0.5, 2.5, -2],
  ])
  assert.deepEqual(await run(new Map([['x', range]])), [
    [-1, -3, 2],
    [1, 3, -2],
  ])
})
