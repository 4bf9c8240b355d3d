/** The oracle itself, against values computed with PyTorch 1.13 from the same inputs. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SternaError } from '../../errors.ts'
import type { PackedNode } from '../../file/types.ts'
import { lenet5 } from '../testing/models.ts'
import { widenTensor } from '../widen-tensor.ts'
import { runNode, runReference, type View } from './index.ts'

/** Whole numbers in −5 … 5 that repeat after eleven elements. */
function ramp(shape: readonly number[], step = 7): View {
  const size = shape.reduce((a, b) => a * b, 1)
  return { shape, data: Float32Array.from({ length: size }, (_, i) => ((i * step) % 11) - 5) }
}

const view = (...numbers: number[]): View => ({ shape: [numbers.length], data: Float32Array.from(numbers) })

function expectNode(
  node: Pick<PackedNode, 'op'> & { readonly attributes: object },
  inputs: readonly View[],
  shape: readonly number[],
  expected: readonly number[],
): void {
  const output = { shape, data: new Float32Array(expected.length).fill(Number.NaN) }
  runNode({ name: 'n', inputs: [], outputs: [], ...node } as unknown as PackedNode, inputs, output)
  for (const [i, value] of expected.entries()) {
    assert.ok(
      Math.abs(output.data[i]! - value) < 1e-4,
      `${node.op}[${i}] is ${output.data[i]}, expected ${value}`,
    )
  }
}

describe('reference kernels', () => {
  const x = ramp([1, 4, 3, 4])

  test('Conv with groups, strides, dilations and uneven padding', () => {
    const attributes = { strides: [2, 1], dilations: [1, 2], pads: [0, 1, 1, 0], groups: 2 }
    const inputs = [x, ramp([4, 2, 2, 2], 3), view(1, -1, 2, 0)]
    expectNode(
      { op: 'Conv', attributes },
      inputs,
      [1, 4, 2, 3],
      [7, 28, -27, -4, 16, -2, -4, -14, 21, -2, 0, -6, 23, 23, 16, -2, 1, 18, 25, -15, 24, -10, -13, 16],
    )
  })

  test('depthwise Conv', () => {
    const attributes = { strides: [2, 2], dilations: [1, 1], pads: [1, 1, 1, 1], groups: 4 }
    expectNode(
      { op: 'Conv', attributes },
      [x, ramp([4, 1, 3, 3], 5)],
      [1, 4, 2, 2],
      [-33, -41, -37, 18, 30, 28, -7, -23, 6, 16, 13, -35, -39, 33, 34, 37],
    )
  })

  test('BatchNormalization', () => {
    const input = { shape: [1, 2, 3, 4], data: x.data.slice(0, 24) }
    const inputs = [input, view(2, 3), view(0.5, -0.5), view(1, -1), view(4, 9)]
    expectNode(
      { op: 'BatchNormalization', attributes: { epsilon: 1e-5, momentum: 0.9 } },
      inputs,
      input.shape,
      [
        -5.49999, 1.5, -2.5, 4.5, 0.5, -3.5, 3.5, -0.5, -4.49999, 2.5, -1.5, -5.49999, 2.5, -1.5, 5.5, 1.5,
        -2.5, 4.5, 0.5, -3.5, 3.5, -0.5, -4.5, 2.5,
      ],
    )
  })

  test('MaxPool and both kinds of AveragePool', () => {
    const input = { shape: [1, 1, 3, 4], data: x.data.slice(0, 12) }
    const attributes = { kernel: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }
    const shape = [1, 1, 2, 2]
    expectNode({ op: 'MaxPool', attributes }, [input], shape, [2, 5, 3, 4])
    const average = (countIncludePad: boolean, expected: number[]) =>
      expectNode(
        { op: 'AveragePool', attributes: { ...attributes, countIncludePad } },
        [input],
        shape,
        expected,
      )
    average(true, [-0.55556, 0.66667, -0.33333, -0.22222])
    average(false, [-1.25, 1, -0.75, -0.33333])
  })

  test('activations', () => {
    const v = view(-4, -2, -0.5, 0, 1, 2.5, 3, 5)
    const expectUnary = (op: PackedNode['op'], attributes: object, expected: number[]) =>
      expectNode({ op, attributes }, [v], [8], expected)
    expectUnary('HardSwish', {}, [0, -0.33333, -0.20833, 0, 0.66667, 2.29167, 3, 5])
    expectUnary(
      'HardSigmoid',
      { alpha: 1 / 6, beta: 0.5 },
      [0, 0.16667, 0.41667, 0.5, 0.66667, 0.91667, 1, 1],
    )
    expectUnary('Sigmoid', {}, [0.01799, 0.1192, 0.37754, 0.5, 0.73106, 0.92414, 0.95257, 0.99331])
    expectUnary('Tanh', {}, [-0.99933, -0.96403, -0.46212, 0, 0.76159, 0.98661, 0.99505, 0.99991])
    expectUnary('Relu', {}, [0, 0, 0, 0, 1, 2.5, 3, 5])
    expectUnary('Clip', { min: -1, max: 3 }, [-1, -1, -0.5, 0, 1, 2.5, 3, 3])
  })

  test('Softmax and LogSoftmax along either axis', () => {
    const input = ramp([2, 3])
    const soft = [5e-5, 0.73106, 0.73106, 0.99995, 0.26894, 0.26894]
    expectNode({ op: 'Softmax', attributes: { axis: 0 } }, [input], [2, 3], soft)
    const logarithms = [-7.01904, -0.01904, -4.01904, -0.01848, -4.01848, -8.01848]
    expectNode({ op: 'LogSoftmax', attributes: { axis: -1 } }, [input], [2, 3], logarithms)
  })

  test('Softmax of numbers whose exponentials overflow', () => {
    expectNode({ op: 'Softmax', attributes: { axis: 0 } }, [view(1000, 1000, -1000)], [3], [0.5, 0.5, 0])
  })

  test('Gemm in all four orientations', () => {
    const expected = [10.5, -22, 8, -22]
    const a = ramp([2, 3], 4)
    const b = ramp([3, 2], 9)
    const transposed = ({ shape, data }: View): View => {
      const [rows, columns] = shape as [number, number]
      const turned = Float32Array.from(data, (_, i) => data[(i % rows) * columns + Math.floor(i / rows)]!)
      return { shape: [columns, rows], data: turned }
    }
    for (const transA of [false, true]) {
      for (const transB of [false, true]) {
        const inputs = [transA ? transposed(a) : a, transB ? transposed(b) : b, view(1, -3)]
        expectNode(
          { op: 'Gemm', attributes: { alpha: 0.5, beta: 2, transA, transB } },
          inputs,
          [2, 2],
          expected,
        )
      }
    }
  })

  test('MatMul with stacks that broadcast', () => {
    expectNode(
      { op: 'MatMul', attributes: {} },
      [ramp([2, 1, 2, 3], 2), ramp([2, 3, 2], 3)],
      [2, 2, 2, 2],
      [26, -1, -22, 5, -4, -20, 8, -20, 18, 0, 14, 17, -2, -20, -23, 35],
    )
  })
})

describe('runReference', () => {
  test('runs a batch as it runs each image', () => {
    const model = lenet5(0.8)
    const batch = ramp([3, 1, 28, 28], 5)
    const together = runReference(model, { x: batch })[model.outputs[0]!]!
    assert.deepEqual(together.shape, [3, 10])
    for (let image = 0; image < 3; image++) {
      const data = batch.data.subarray(image * 784, (image + 1) * 784)
      const alone = runReference(model, { x: { shape: [1, 1, 28, 28], data } })[model.outputs[0]!]!
      assert.deepEqual(together.data.subarray(image * 10, (image + 1) * 10), alone.data)
    }
  })

  test('refuses a missing input and one whose data and shape disagree', () => {
    const isInputError = (error: unknown) => error instanceof SternaError && error.code === 'usage/input'
    assert.throws(() => runReference(lenet5(0.8), {}), isInputError)
    assert.throws(
      () => runReference(lenet5(0.8), { x: { shape: [1, 1, 28, 28], data: new Float32Array(3) } }),
      isInputError,
    )
  })
})

test('a ternary tensor widens to its magnitudes, one pair for all or one for each filter', () => {
  const assignment = Int8Array.of(1, 0, -1, 1, -1, 0)
  const tensor = { kind: 'ternary', shape: [2, 3], assignment } as const
  const widen = (positive: number[], negative: number[]) => [
    ...widenTensor({
      ...tensor,
      positive: Float32Array.from(positive),
      negative: Float32Array.from(negative),
    }),
  ]
  assert.deepEqual(widen([2], [0.5]), [2, 0, -0.5, 2, -0.5, 0])
  assert.deepEqual(widen([2, 4], [0.5]), [2, 0, -0.5, 4, -0.5, 0])
  assert.deepEqual(widen([2, 4], [0.5, 8]), [2, 0, -0.5, 4, -8, 0])
})
