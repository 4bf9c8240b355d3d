import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { f32, Random } from '../../core/index.ts'
import { createEngine } from '../../engine/index.node.ts'
import { type Graph, GraphBuilder, gradients, withoutUnused } from '../index.ts'
import { maskPooledGradients } from './mask-pooled-gradients.ts'

const engine = await createEngine({ device: 'cpu', threads: 1, lowering: 'standard' })
after(() => engine.close())

const shape = [2, 3, 6, 6]
const attributes = { kernel: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] } as const

/** dx of a maximum pooling of a ReLU, which may have another reader. */
function poolingOfRelu(hasReader = false): Graph {
  const b = new GraphBuilder('pooling')
  const x = b.input('x', shape)
  const rectified = b.relu(x)
  const pooled = b.op('MaxPool', [rectified], attributes)
  const weighted = b.mul(pooled, b.input('weight', pooled.shape))
  const loss = hasReader ? b.add(b.sum(weighted), b.sum(b.mul(rectified, rectified))) : b.sum(weighted)
  return b.build(gradients(b, loss, [x]))
}

const sizesOfProducts = ({ nodes, values }: Graph) =>
  nodes.flatMap(({ op, outputs }) => (op === 'Mul' ? [values.get(outputs[0]!)!.shape.at(-1)] : []))

test('the mask of a ReLU in front of a maximum pooling moves behind it, and no number changes', async () => {
  const graph = poolingOfRelu()
  const masked = withoutUnused(maskPooledGradients(graph))
  assert.ok(sizesOfProducts(withoutUnused(graph)).includes(6))
  assert.deepEqual(new Set(sizesOfProducts(masked)), new Set([3]))
  const random = new Random(5)
  // Few different numbers, so that windows have several maxima, and windows without a positive number.
  const drawn = (size: number) => Float32Array.from({ length: size }, () => Math.round(random.normal()))
  const inputs = { x: f32(shape, drawn(216)), weight: f32([2, 3, 3, 3], drawn(54)) }
  const run = async (of: Graph) => {
    const executable = await engine.load({ graph: of, state: new Map() })
    const outputs = await executable.run(inputs)
    await executable.release()
    // Zeros have no sign here: −0 · 0 is −0 and 0 · −0 is −0.
    return Float32Array.from(outputs[of.outputs[0]!]!.data as Float32Array, value => value + 0)
  }
  const expected = await run(graph)
  assert.ok(expected.filter(value => value !== 0).length > 20)
  assert.deepEqual(await run(masked), expected)
})

test('a mask that other gradients go through stays', () => {
  const graph = withoutUnused(poolingOfRelu(true))
  assert.deepEqual(withoutUnused(maskPooledGradients(graph)).nodes, graph.nodes)
})
