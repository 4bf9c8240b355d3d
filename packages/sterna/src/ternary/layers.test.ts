import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Graph, GraphBuilder } from '../graph/index.ts'
import { matchesGlob, selectLayers, weightNames } from './layers.ts'

const fullyConnected = { alpha: 1, beta: 1, transA: false, transB: true }

/** x -> fc1 -> fc2 -> shared -> shared -> head. */
function network(): Graph {
  const b = new GraphBuilder('four layers')
  let x = b.input('x', [1, 4])
  const weight = (name: string) => b.parameter(name, [4, 4])
  const shared = weight('block.shared')
  for (const w of [weight('stem.weight'), weight('block.fc'), shared, shared, weight('head.weight')]) {
    x = b.op('Gemm', [x, w, b.constant(0)], fullyConnected)
  }
  return b.build([b.matMul(x, b.zeros([4, 2]))])
}

describe('layer selection', () => {
  const graph = network()

  it('lists weight parameters in graph order, a shared one once', () => {
    assert.deepEqual(weightNames(graph), ['stem.weight', 'block.fc', 'block.shared', 'head.weight'])
  })

  it('follows the rules', () => {
    assert.deepEqual(selectLayers(graph, 'all'), ['stem.weight', 'block.fc', 'block.shared', 'head.weight'])
    assert.deepEqual(selectLayers(graph, 'float-first'), ['block.fc', 'block.shared', 'head.weight'])
    assert.deepEqual(selectLayers(graph, 'float-last'), ['stem.weight', 'block.fc', 'block.shared'])
    assert.deepEqual(selectLayers(graph, 'float-first-last'), ['block.fc', 'block.shared'])
  })

  it('refuses a rule that leaves nothing to quantize', () => {
    const b = new GraphBuilder('one layer')
    const x = b.input('x', [1, 4])
    const one = b.build([b.op('Gemm', [x, b.parameter('w', [4, 4]), b.constant(0)], fullyConnected)])
    assert.throws(() => selectLayers(one, 'float-first'), /leaves none of the 1 weights/)
  })

  it('matches hostile globs in no time', () => {
    const start = performance.now()
    assert.equal(matchesGlob('a'.repeat(4000), `${'*a'.repeat(40)}b`), false)
    assert.ok(performance.now() - start < 1000)
  })
})
