import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { f32 } from '../core/index.ts'
import { GraphBuilder } from './builder.ts'
import { appendNode, replay, withBatchSize } from './replay.ts'
import type { Value } from './types.ts'

const window = { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], groups: 1 } as const

function network() {
  const b = new GraphBuilder('net')
  const x = b.input('x', [1, 3, 6, 6])
  const features = b.op('Conv', [x, b.parameter('w', [4, 3, 3, 3])], window, 'conv')
  const scaled = b.mul(
    b.op('Relu', [features], {}, 'relu'),
    b.constant(f32([4, 1, 1], [1, 2, 3, 4]), 'scale'),
  )
  return b.build([b.op('Flatten', [scaled], { axis: 1 }, 'flat'), features])
}

describe('a replayed graph', () => {
  it('is the same graph when nothing is replaced', () => {
    const graph = network()
    assert.deepEqual(withBatchSize(graph, 1), graph)
  })

  it('has the batch size asked for on every edge that has one, and nowhere else', () => {
    const graph = network()
    const batched = withBatchSize(graph, 9)
    assert.deepEqual(batched.outputs, graph.outputs)
    assert.deepEqual(batched.values.get('x')!.shape, [9, 3, 6, 6])
    assert.deepEqual(batched.values.get('flat:out')!.shape, [9, 64])
    assert.deepEqual(batched.values.get('conv:out')!.shape, [9, 4, 4, 4])
    assert.deepEqual(batched.values.get('w')!.shape, [4, 3, 3, 3])
    assert.deepEqual(withBatchSize(batched, 1), graph)
  })

  it('leaves scalar inputs alone', () => {
    const b = new GraphBuilder()
    const x = b.input('x', [2, 3])
    const graph = b.build([b.mul(x, b.input('rate', []))])
    const batched = withBatchSize(graph, 5)
    assert.deepEqual(batched.values.get('rate')!.shape, [])
    assert.deepEqual(batched.values.get(batched.outputs[0]!)!.shape, [5, 3])
  })

  it('names the node that a batch size does not fit', () => {
    const b = new GraphBuilder()
    const x = b.input('x', [1, 6])
    const graph = b.build([b.op('Add', [x, b.parameter('w', [2, 6])], {}, 'sum')])
    assert.deepEqual(withBatchSize(graph, 2).values.get('sum:out')!.shape, [2, 6])
    assert.throws(() => withBatchSize(graph, 3), { code: 'graph/shape', message: /^Add "sum": / })
  })

  it('takes replacements where they are given, and what follows uses them', () => {
    const graph = network()
    const b = new GraphBuilder()
    const values = new Map<string, Value>([
      ['x', b.input('image', [1, 3, 6, 6])],
      ['w', b.parameter('w', [4, 3, 3, 3])],
    ])
    replay(b, graph, {
      values,
      replace: (node, inputs) => (node.op === 'Relu' ? [b.op('Sigmoid', inputs, {}, 'gate')] : undefined),
    })
    assert.deepEqual(
      b.nodes.map(node => node.op),
      ['Conv', 'Sigmoid', 'Mul', 'Flatten'],
    )
    assert.deepEqual(b.nodes[0]!.inputs, ['image', 'w'])
    assert.equal(b.nodes[2]!.inputs[0], 'gate:out')
    assert.equal(values.get('relu:out')!.name, 'gate:out')
    assert.deepEqual(b.value('scale').shape, [4, 1, 1])
  })

  it('copies a constant under another name where its own is taken', () => {
    const b = new GraphBuilder()
    b.input('scale', [7])
    const values = new Map<string, Value>([
      ['x', b.input('x', [1, 3, 6, 6])],
      ['w', b.parameter('w', [4, 3, 3, 3])],
    ])
    replay(b, network(), { values })
    assert.notEqual(values.get('scale')!.name, 'scale')
    assert.deepEqual(values.get('scale')!.shape, [4, 1, 1])
  })

  it('keeps names of nodes and outputs', () => {
    const graph = network()
    const b = new GraphBuilder()
    const inputs = [b.input('a', [1, 3, 6, 6]), b.parameter('b', [4, 3, 3, 3])]
    const [output] = appendNode(b, { ...graph.nodes[0]!, outputs: ['features'] }, inputs)
    assert.equal(output!.name, 'features')
    assert.equal(b.nodes[0]!.name, 'conv')
  })
})
