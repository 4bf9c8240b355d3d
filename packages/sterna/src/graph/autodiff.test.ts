import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { f32, type Tensor } from '../core/index.ts'
import { createEngine } from '../engine/index.node.ts'
import { GraphBuilder, gradients, type Value } from './index.ts'

const engine = await createEngine({ device: 'cpu', threads: 1 })
after(() => engine.close())

/** The derivatives' numbers for these inputs. */
async function evaluate(
  b: GraphBuilder,
  values: readonly Value[],
  inputs: Readonly<Record<string, readonly number[]>>,
): Promise<number[][]> {
  // Outputs that are inputs or constants themselves go through a node, so that an engine can name them.
  const executable = await engine.load({
    graph: b.build(values.map(value => b.op('Identity', [value], {}))),
    state: new Map(),
  })
  const feeds: Record<string, Tensor> = {}
  for (const [name, data] of Object.entries(inputs)) feeds[name] = f32(b.value(name).shape, data)
  const results = Object.values(await executable.run(feeds))
  await executable.release()
  return results.map(({ data }) => [...(data as Float32Array)])
}

describe('reverse-mode differentiation', () => {
  it('gives zeros of their shape to targets the loss does not depend on', async () => {
    const b = new GraphBuilder()
    const x = b.input('x', [2])
    const w = b.parameter('w', [3, 2])
    const [dx, dw] = gradients(b, b.sum(b.mul(x, x)), [x, w])
    assert.deepEqual(dw!.shape, [3, 2])
    const stranger = b.build([dw!]).nodes.filter(node => node.inputs.includes('w'))
    assert.deepEqual(stranger, [])
    const free = new GraphBuilder()
    const held = free.input('x', [2])
    const [zero] = gradients(free, free.sum(free.isPositive(held)), [held])
    assert.deepEqual(await evaluate(free, [zero!], { x: [1, 2] }), [[0, 0]])
    assert.deepEqual(dx!.shape, [2])
  })

  it('adds up what arrives over several paths', async () => {
    const b = new GraphBuilder()
    const x = b.input('x', [2])
    const w = b.input('w', [2])
    // w is shared by two products and enters once more by itself: d/dw = 2·x + x² + 1 with y = x·w twice.
    const once = b.mul(x, w)
    const twice = b.mul(once, x)
    const loss = b.sum(b.add(b.add(once, once), b.add(twice, w)))
    const [dw] = gradients(b, loss, [w])
    assert.deepEqual(await evaluate(b, [dw!], { x: [3, -1], w: [5, 7] }), [[16, 0]])
  })

  it('counts an input that a node uses twice two times', async () => {
    const b = new GraphBuilder()
    const x = b.input('x', [2])
    const [dx] = gradients(b, b.sum(b.mul(x, x)), [x])
    assert.deepEqual(await evaluate(b, [dx!], { x: [3, -4] }), [[6, -8]])
  })

  it('sums over broadcast axes down to the shape of each input', () => {
    const b = new GraphBuilder()
    const shapes = [[], [1], [3], [2, 1], [4, 1, 3]]
    const targets = shapes.map((shape, index) => b.input(`x${index}`, shape))
    const total = targets.reduce((sum, target) => b.mul(sum, target))
    const found = gradients(b, b.sum(total), targets)
    assert.deepEqual(
      found.map(gradient => gradient.shape),
      shapes,
    )
  })

  it('stops at operators without a derivative: their output counts as constant', async () => {
    const b = new GraphBuilder()
    const x = b.input('x', [3])
    const [dx] = gradients(b, b.sum(b.mul(x, b.isPositive(x))), [x])
    assert.deepEqual(await evaluate(b, [dx!], { x: [2, 0, -2] }), [[1, 0, 0]])
    const threshold = b.reduceMax(x)
    const [through] = gradients(b, b.sum(b.mul(x, threshold)), [x])
    assert.deepEqual(await evaluate(b, [through!], { x: [2, 0, -2] }), [[2, 2, 2]])
  })

  it('differentiates with respect to values inside the graph, and no further', () => {
    const b = new GraphBuilder()
    const latent = b.parameter('latent', [4])
    const quantized = b.op('Mul', [latent, b.constant(3)], {}, 'quantize')
    const before = b.nodes.length
    const [dq] = gradients(b, b.sum(b.mul(quantized, quantized)), [quantized])
    assert.deepEqual(dq!.shape, [4])
    const added = b.nodes.slice(before)
    assert.ok(added.every(node => !node.inputs.includes('latent') && !node.name.includes('quantize')))
  })

  it('adds no work for inputs that lead to no target', () => {
    const b = new GraphBuilder()
    const x = b.input('x', [2, 3, 8, 8])
    const w = b.parameter('w', [4, 3, 3, 3])
    const window = { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], groups: 1 } as const
    gradients(b, b.sum(b.op('Conv', [x, w], window)), [w])
    const operators = b.nodes.map(node => node.op)
    assert.ok(operators.includes('ConvWeightGradient'))
    assert.ok(!operators.includes('ConvInputGradient'))
  })

  it('gives the loss itself the gradient 1, whatever the rank of its one element', async () => {
    for (const shape of [[], [1], [1, 1]]) {
      const b = new GraphBuilder()
      const x = b.input('x', shape)
      const loss = b.mul(x, 2)
      const found = gradients(b, loss, [loss, x])
      assert.deepEqual(
        found.map(value => value.shape),
        [shape, shape],
      )
      assert.deepEqual(await evaluate(b, found, { x: [5] }), [[1], [2]])
    }
  })

  it('keeps names under grad/ and the name of the node', () => {
    const b = new GraphBuilder()
    const x = b.input('x', [2])
    const y = b.op('Mul', [x, x], {}, 'square')
    const before = b.nodes.length
    gradients(b, b.sum(y), [x])
    const names = b.nodes.slice(before + 1).map(node => node.name)
    assert.ok(
      names.some(name => name.startsWith('grad/square/')),
      names.join(' '),
    )
  })

  it('refuses a loss of several elements', () => {
    const b = new GraphBuilder()
    const x = b.input('x', [2])
    assert.throws(() => gradients(b, x, [x]), {
      code: 'graph/shape',
      message: /the loss must be a scalar, "x" is \[2\]/,
    })
  })
})
