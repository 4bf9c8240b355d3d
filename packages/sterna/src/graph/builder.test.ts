import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { f32, SternaError } from '../core/index.ts'
import { GraphBuilder } from './builder.ts'

function refuses(run: () => unknown, code: string, message: RegExp): void {
  assert.throws(run, (error: unknown) => {
    assert.ok(error instanceof SternaError, String(error))
    assert.equal(error.code, code)
    assert.match(error.message, message)
    return true
  })
}

describe('a graph builder', () => {
  it('keeps inputs, parameters, constants and nodes in order, each edge with its shape', () => {
    const b = new GraphBuilder('net')
    const x = b.input('x', [2, 3])
    const w = b.parameter('w', [3, 4])
    const y = b.op('MatMul', [x, w], {}, 'product')
    const z = b.add(y, b.constant(f32([4], [1, 2, 3, 4]), 'offset'))
    const graph = b.build([z])
    assert.equal(graph.name, 'net')
    assert.deepEqual(graph.inputs, [{ name: 'x', dtype: 'f32', shape: [2, 3] }])
    assert.deepEqual(
      graph.parameters.map(parameter => parameter.name),
      ['w'],
    )
    assert.deepEqual([...graph.constants.keys()], ['offset'])
    assert.deepEqual(graph.nodes, [
      { op: 'MatMul', name: 'product', inputs: ['x', 'w'], outputs: ['product:out'], attributes: {} },
      { op: 'Add', name: 'Add_0', inputs: ['product:out', 'offset'], outputs: ['Add_0:out'], attributes: {} },
    ])
    assert.deepEqual(graph.outputs, ['Add_0:out'])
    assert.deepEqual([...graph.values.keys()], ['x', 'w', 'product:out', 'offset', 'Add_0:out'])
    assert.deepEqual(graph.values.get('Add_0:out'), { name: 'Add_0:out', dtype: 'f32', shape: [2, 4] })
  })

  it('builds graphs that later additions do not change', () => {
    const b = new GraphBuilder()
    const x = b.input('x', [1])
    const graph = b.build([x])
    b.neg(x)
    b.constant(1)
    assert.equal(graph.nodes.length + graph.constants.size, 0)
    assert.equal(graph.values.size, 1)
  })

  it('names the outputs of an operator with several', () => {
    const b = new GraphBuilder()
    const [x, scale, bias] = [b.input('x', [2, 3]), b.parameter('s', [3]), b.parameter('t', [3])]
    const outputs = b.opAll('BatchNormalizationTraining', [x, scale, bias], { epsilon: 1e-5 }, 'bn')
    assert.deepEqual(
      outputs.map(output => output.name),
      ['bn:out', 'bn:out1', 'bn:out2', 'bn:out3'],
    )
    assert.deepEqual(
      outputs.map(output => output.shape),
      [[2, 3], [3], [3], [3]],
    )
  })

  it('puts generated names under the scope, and leaves it after an error', () => {
    const b = new GraphBuilder()
    const x = b.input('x', [1])
    const inner = b.scope('a', () => b.scope('b', () => b.neg(x)))
    assert.equal(inner.name, 'a/b/Neg_0:out')
    assert.throws(() =>
      b.scope('c', () => {
        throw new Error('stop')
      }),
    )
    assert.equal(b.neg(x).name, 'Neg_0:out')
    assert.equal(b.scope('a', () => b.op('Neg', [x], {}, 'mine')).name, 'mine:out')
  })

  it('generates names that nothing else has', () => {
    const b = new GraphBuilder()
    const x = b.input('Neg_0', [1])
    b.input('Neg_1:out', [1])
    b.op('Abs', [x], {}, 'Neg_2')
    assert.equal(b.neg(x).name, 'Neg_3:out')
  })

  it('shares equal scalar constants unless they are named', () => {
    const b = new GraphBuilder()
    assert.equal(b.constant(0.5), b.constant(0.5))
    assert.equal(b.constant(0.5, 'half').name, 'half')
    assert.notEqual(b.constant(0.5).name, 'half')
    assert.notEqual(b.constant(f32([], [0.5])), b.constant(0.5))
  })

  it('refuses a second value or node of a name', () => {
    const b = new GraphBuilder('net')
    const x = b.input('x', [1])
    refuses(() => b.parameter('x', [1]), 'graph/unknown-value', /graph "net": two values are named "x"/)
    b.op('Neg', [x], {}, 'n')
    refuses(() => b.op('Abs', [x], {}, 'n'), 'graph/unknown-value', /two nodes are named "n"/)
    refuses(() => b.append('Abs', [x], {}, 'n', ['other']), 'graph/unknown-value', /two nodes/)
    refuses(() => b.append('Abs', [x], {}, 'm', ['x']), 'graph/unknown-value', /two values/)
  })

  it('refuses values of another graph, and says which node asked', () => {
    const b = new GraphBuilder()
    const stranger = new GraphBuilder().input('far', [1])
    refuses(() => b.op('Neg', [stranger], {}, 'n'), 'graph/unknown-value', /Neg "n": no value is named "far"/)
    refuses(() => b.build([stranger]), 'graph/unknown-value', /graph outputs: no value is named "far"/)
    refuses(() => b.value('far'), 'graph/unknown-value', /no value is named "far"/)
    assert.equal(b.has('far'), false)
  })

  it('refuses too few and too many inputs', () => {
    const b = new GraphBuilder()
    const x = b.input('x', [1, 1, 1, 1])
    const window = { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], groups: 1 } as const
    refuses(() => b.op('Add', [x], {}, 'sum'), 'graph/shape', /Add "sum": expected 2 inputs, found 1/)
    refuses(() => b.op('Conv', [x], window, 'c'), 'graph/shape', /Conv "c": expected 2 to 3 inputs, found 1/)
    refuses(
      () => b.op('Concat', [], { axis: 0 }, 'c'),
      'graph/shape',
      /expected 1 to Infinity inputs, found 0/,
    )
  })

  it('refuses shapes that are none', () => {
    const b = new GraphBuilder()
    for (const shape of [[-1], [1.5], [Number.NaN], [2, Number.POSITIVE_INFINITY]]) {
      refuses(() => b.input('x', shape), 'graph/shape', /value "x": every size must be a whole number ≥ 0/)
    }
    assert.deepEqual(b.input('empty', [0, 3]).shape, [0, 3])
  })

  it('adds nothing when it refuses', () => {
    const b = new GraphBuilder()
    const x = b.input('x', [2])
    assert.throws(() => b.op('Add', [x, b.input('y', [3])], {}, 'sum'))
    assert.equal(b.nodes.length, 0)
    assert.equal(b.op('Add', [x, x], {}, 'sum').name, 'sum:out')
  })

  it('writes sums and means over all axes by default', () => {
    const b = new GraphBuilder()
    const x = b.input('x', [2, 3])
    assert.deepEqual(b.sum(x).shape, [])
    assert.deepEqual(b.mean(x, [1]).shape, [2])
    assert.deepEqual(b.reduceMax(x, [-1], true).shape, [2, 1])
    assert.deepEqual(b.reduceMin(x).shape, [])
    assert.deepEqual(b.sub(1, x).shape, [2, 3])
    assert.deepEqual(b.div(2, x).shape, [2, 3])
  })
})
