import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Shape, SternaError } from '../../core/index.ts'
import { GraphBuilder } from '../builder.ts'
import type { OperatorName, Operators } from '../types.ts'
import { operatorNames } from './index.ts'

/** Inputs, attributes and what comes of them: output shapes, or a part of the error. */
type Case = {
  [Name in OperatorName]: readonly [
    op: Name,
    inputs: readonly Shape[],
    attributes: Operators[Name],
    expected: readonly Shape[] | RegExp,
  ]
}[OperatorName]

const conv = { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], groups: 1 } as const
const pool = { kernel: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0] } as const
const average = { ...pool, countIncludePad: false } as const
const gemm = { alpha: 1, beta: 1, transA: false, transB: false } as const
const slice = { starts: [0], ends: [1], axes: [0], steps: [1] } as const

const cases: readonly Case[] = [
  [
    'Conv',
    [
      [2, 3, 9, 8],
      [4, 3, 3, 2],
    ],
    conv,
    [[2, 4, 7, 7]],
  ],
  [
    'Conv',
    [[2, 3, 9, 8], [4, 3, 3, 3], [4]],
    { ...conv, pads: [1, 0, 2, 1], strides: [2, 3] },
    [[2, 4, 5, 3]],
  ],
  [
    'Conv',
    [
      [1, 4, 9, 9],
      [6, 2, 3, 3],
    ],
    { ...conv, groups: 2, dilations: [2, 3] },
    [[1, 6, 5, 3]],
  ],
  [
    'Conv',
    [
      [1, 3, 2, 2],
      [4, 3, 3, 3],
    ],
    conv,
    /a window of 3 does not fit an input of 2 padded by 0/,
  ],
  [
    'Conv',
    [
      [1, 3, 4, 4],
      [4, 2, 3, 3],
    ],
    conv,
    /weight expects 2 input channels, input has 3/,
  ],
  ['Conv', [[1, 3, 4, 4], [4, 3, 3, 3], [3]], conv, /bias must be \[4\], found \[3\]/],
  [
    'Conv',
    [
      [1, 3, 4, 4],
      [4, 1, 3, 3],
    ],
    { ...conv, groups: 2 },
    /2 groups do not divide 3 input and 4 output/,
  ],
  [
    'Conv',
    [
      [1, 3, 4, 4],
      [4, 3, 3, 3],
    ],
    { ...conv, groups: 0 },
    /0 groups/,
  ],
  [
    'Conv',
    [
      [1, 3, 4, 4],
      [4, 3, 3, 3],
    ],
    { ...conv, groups: Number.NaN },
    /NaN groups/,
  ],
  [
    'Conv',
    [
      [3, 4, 4],
      [4, 3, 3, 3],
    ],
    conv,
    /input must have 4 dimensions, found \[3,4,4\]/,
  ],
  [
    'Conv',
    [
      [1, 3, 4, 4],
      [4, 3, 3],
    ],
    conv,
    /weight must have 4 dimensions/,
  ],
  [
    'Conv',
    [
      [1, 3, 4, 4],
      [4, 3, 3, 3],
    ],
    { ...conv, strides: [1, 0] },
    /strides must be whole numbers ≥ 1/,
  ],
  [
    'Conv',
    [
      [1, 3, 4, 4],
      [4, 3, 3, 3],
    ],
    { ...conv, dilations: [0.5, 1] },
    /dilations must be whole numbers ≥ 1/,
  ],
  [
    'Conv',
    [
      [1, 3, 4, 4],
      [4, 3, 3, 3],
    ],
    { ...conv, pads: [0, 2, 0, -1] },
    /pads must be whole numbers ≥ 0/,
  ],
  [
    'Conv',
    [
      [1, 3, 4, 4],
      [4, 3, 0, 3],
    ],
    conv,
    /kernel must be whole numbers ≥ 1/,
  ],
  [
    'ConvInputGradient',
    [
      [2, 4, 7, 7],
      [4, 3, 3, 2],
    ],
    { ...conv, inputShape: [2, 3, 9, 8] },
    [[2, 3, 9, 8]],
  ],
  [
    'ConvInputGradient',
    [
      [2, 4, 7, 6],
      [4, 3, 3, 2],
    ],
    { ...conv, inputShape: [2, 3, 9, 8] },
    /dy must be \[2,4,7,7\]/,
  ],
  [
    'ConvWeightGradient',
    [
      [2, 3, 9, 8],
      [2, 4, 7, 7],
    ],
    { ...conv, weightShape: [4, 3, 3, 2] },
    [[4, 3, 3, 2]],
  ],
  [
    'ConvWeightGradient',
    [
      [2, 3, 9, 8],
      [2, 4, 7, 7],
    ],
    { ...conv, weightShape: [4, 3, 2, 2] },
    /dy must be \[2,4,8,7\]/,
  ],
  [
    'Gemm',
    [
      [2, 3],
      [3, 4],
    ],
    gemm,
    [[2, 4]],
  ],
  ['Gemm', [[3, 2], [4, 3], [4]], { ...gemm, transA: true, transB: true }, [[2, 4]]],
  [
    'Gemm',
    [
      [2, 3],
      [3, 4],
      [2, 1],
    ],
    gemm,
    [[2, 4]],
  ],
  [
    'Gemm',
    [
      [2, 3],
      [4, 3],
    ],
    gemm,
    /inner sizes differ: a gives 3, b gives 4/,
  ],
  ['Gemm', [[2, 3], [3, 4], [3]], gemm, /\[3\] and \[2,4\] do not broadcast/],
  [
    'Gemm',
    [
      [2, 1],
      [1, 1],
      [2, 4],
    ],
    gemm,
    /c \[2,4\] does not broadcast to \[2,1\]/,
  ],
  ['Gemm', [[3], [3, 4]], gemm, /a must have 2 dimensions/],
  [
    'MatMul',
    [
      [5, 1, 2, 3],
      [7, 3, 4],
    ],
    {},
    [[5, 7, 2, 4]],
  ],
  [
    'MatMul',
    [
      [2, 3],
      [2, 4],
    ],
    {},
    /inner sizes differ: \[2,3\] × \[2,4\]/,
  ],
  ['MatMul', [[3], [3, 4]], {}, /at least 2 dimensions/],
  [
    'Dot',
    [
      [2, 3],
      [2, 3],
    ],
    {},
    [[]],
  ],
  ['Dot', [[3], [1]], {}, /two inputs of one shape, found \[3\] and \[1\]/],
  [
    'MatMul',
    [
      [2, 2, 3],
      [3, 3, 4],
    ],
    {},
    /do not broadcast/,
  ],
  ['BatchNormalization', [[2, 3, 4], [3], [3], [3], [3]], { epsilon: 1e-5, momentum: 0.9 }, [[2, 3, 4]]],
  [
    'BatchNormalization',
    [[2, 3], [3], [3], [2], [3]],
    { epsilon: 1e-5, momentum: 0.9 },
    /of \[3\], found \[2\]/,
  ],
  [
    'BatchNormalization',
    [[3], [3], [3], [3], [3]],
    { epsilon: 1e-5, momentum: 0.9 },
    /at least 2 dimensions/,
  ],
  [
    'BatchNormalization',
    [[2, 3], [3], [3], [3], [3]],
    { epsilon: 0, momentum: 0.9 },
    /epsilon must be positive/,
  ],
  ['BatchNormalizationTraining', [[2, 3, 4, 5], [3], [3]], { epsilon: 1e-5 }, [[2, 3, 4, 5], [3], [3], [3]]],
  ['BatchNormalizationTraining', [[2, 3], [3], [2]], { epsilon: 1e-5 }, /found \[2\]/],
  ['BatchNormalizationTraining', [[2, 3], [3], [3]], { epsilon: Number.NaN }, /epsilon must be positive/],
  ['BatchNormalizationGradient', [[2, 3], [2, 3], [3], [3], [3]], {}, [[2, 3], [3], [3]]],
  ['BatchNormalizationGradient', [[2, 3], [3, 3], [3], [3], [3]], {}, /dy must be \[2,3\]/],
  ['Relu', [[2, 3]], {}, [[2, 3]]],
  ['Identity', [[]], {}, [[]]],
  ['Dropout', [[2]], { ratio: 0.5 }, [[2]]],
  ['Clip', [[2]], { min: 0, max: 0 }, [[2]]],
  ['Clip', [[2]], { min: 1, max: 0 }, /min 1 is above max 0/],
  ['Clip', [[2]], { min: Number.NaN, max: 0 }, /min NaN is above max 0/],
  ['Sigmoid', [[2, 0]], {}, [[2, 0]]],
  ['Tanh', [[2]], {}, [[2]]],
  ['HardSigmoid', [[2]], { alpha: 0.2, beta: 0.5 }, [[2]]],
  ['HardSwish', [[2]], {}, [[2]]],
  ['Neg', [[2]], {}, [[2]]],
  ['Abs', [[2]], {}, [[2]]],
  ['Exp', [[2]], {}, [[2]]],
  ['Log', [[2]], {}, [[2]]],
  ['Sqrt', [[2]], {}, [[2]]],
  ['Reciprocal', [[2]], {}, [[2]]],
  ['IsPositive', [[2]], {}, [[2]]],
  ['Round', [[2, 3]], {}, [[2, 3]]],
  [
    'Add',
    [
      [4, 1, 3],
      [2, 1],
    ],
    {},
    [[4, 2, 3]],
  ],
  [
    'Add',
    [
      [2, 3],
      [3, 2],
    ],
    {},
    /shapes \[2,3\] and \[3,2\] do not broadcast/,
  ],
  ['Sub', [[], [2]], {}, [[2]]],
  ['Mul', [[0, 1], [5]], {}, [[0, 5]]],
  ['Mul', [[0], [5]], {}, /do not broadcast/],
  ['Div', [[2], [1]], {}, [[2]]],
  ['Min', [[2], []], {}, [[2]]],
  ['Max', [[2], [3, 2]], {}, [[3, 2]]],
  ['Clamp', [[2, 3], [], [1]], {}, [[2, 3]]],
  ['Clamp', [[2], [2], []], {}, /bounds of one element, found shapes \[2\] and \[\]/],
  ['MaxPool', [[1, 2, 5, 6]], pool, [[1, 2, 2, 3]]],
  ['MaxPool', [[1, 2, 5, 5]], { kernel: [3, 2], strides: [2, 1], pads: [1, 0, 1, 1] }, [[1, 2, 3, 5]]],
  ['MaxPool', [[1, 2, 1, 6]], pool, /a window of 2 does not fit an input of 1/],
  [
    'MaxPool',
    [[1, 2, 4, 4]],
    { ...pool, pads: [0, 2, 0, 0] },
    /pads \[0,2,0,0\] must be smaller than the kernel/,
  ],
  ['MaxPool', [[1, 2, 4, 4]], { ...pool, pads: [0, -1, 0, 0] }, /pads must be whole numbers ≥ 0/],
  ['MaxPool', [[1, 2, 4, 4]], { ...pool, kernel: [0, 2] }, /kernel must be whole numbers ≥ 1/],
  ['MaxPool', [[2, 4, 4]], pool, /4 dimensions/],
  ['AveragePool', [[1, 2, 4, 4]], average, [[1, 2, 2, 2]]],
  ['AveragePool', [[1, 2, 4, 4]], { ...average, strides: [1, 1.5] }, /strides must be whole numbers ≥ 1/],
  ['GlobalAveragePool', [[2, 3, 7, 5]], {}, [[2, 3, 1, 1]]],
  ['GlobalAveragePool', [[2, 3, 7]], {}, /4 dimensions/],
  [
    'MaxPoolGradient',
    [
      [1, 2, 4, 4],
      [1, 2, 2, 2],
      [1, 2, 2, 2],
    ],
    pool,
    [[1, 2, 4, 4]],
  ],
  [
    'MaxPoolGradient',
    [
      [1, 2, 4, 4],
      [1, 2, 2, 2],
      [1, 2, 2, 3],
    ],
    pool,
    /y and dy must be \[1,2,2,2\]/,
  ],
  ['AveragePoolGradient', [[1, 2, 2, 2]], { ...average, inputShape: [1, 2, 5, 4] }, [[1, 2, 5, 4]]],
  ['AveragePoolGradient', [[1, 2, 2, 2]], { ...average, inputShape: [1, 2, 6, 4] }, /dy must be \[1,2,3,2\]/],
  ['ReduceSum', [[2, 3, 4]], { axes: [0, -1], keepDims: false }, [[3]]],
  ['ReduceMean', [[2, 3, 4]], { axes: [1], keepDims: true }, [[2, 1, 4]]],
  ['ReduceMin', [[2, 3]], { axes: [0, 1], keepDims: false }, [[]]],
  ['ReduceMax', [[2, 3]], { axes: [], keepDims: false }, [[2, 3]]],
  ['ReduceSum', [[2, 3]], { axes: [2], keepDims: false }, /axis 2 is outside rank 2/],
  ['ReduceMean', [[2, 3]], { axes: [1, -1], keepDims: false }, /axes \[1,-1\] name one axis twice/],
  ['ReduceMax', [[2, 3]], { axes: [0.5], keepDims: false }, /axis 0\.5/],
  ['Expand', [[3, 1]], { shape: [2, 3, 4] }, [[2, 3, 4]]],
  ['Expand', [[3, 2]], { shape: [3, 4] }, /do not broadcast/],
  ['Expand', [[3, 2]], { shape: [1, 2] }, /\[3,2\] does not expand to \[1,2\]/],
  ['Expand', [[1]], { shape: [2.5] }, /whole number ≥ 0/],
  ['Softmax', [[2, 3]], { axis: -1 }, [[2, 3]]],
  ['Softmax', [[2, 3]], { axis: 2 }, /axis 2 is outside rank 2/],
  ['LogSoftmax', [[2, 3]], { axis: 0 }, [[2, 3]]],
  ['LogSoftmax', [[]], { axis: 0 }, /axis 0 is outside rank 0/],
  ['Flatten', [[2, 3, 4]], { axis: 1 }, [[2, 12]]],
  ['Flatten', [[2, 3, 4]], { axis: 3 }, [[24, 1]]],
  ['Flatten', [[2, 3, 4]], { axis: -1 }, [[6, 4]]],
  ['Flatten', [[2, 3, 4]], { axis: 4 }, /axis 4 is outside rank 3/],
  ['Reshape', [[2, 3, 4]], { shape: [0, -1] }, [[2, 12]]],
  ['Reshape', [[4]], { shape: [2, 2] }, [[2, 2]]],
  ['Reshape', [[0, 3]], { shape: [3, 0] }, [[3, 0]]],
  ['Reshape', [[4]], { shape: [-1, 3] }, /\[4\] does not divide into \[-1,3\]/],
  ['Reshape', [[4]], { shape: [-1, -1] }, /\[4\] does not divide into|has 4 elements/],
  ['Reshape', [[4]], { shape: [3] }, /\[4\] has 4 elements, \[3\] does not/],
  ['Reshape', [[4]], { shape: [1.5, 1] }, /has 4 elements/],
  ['Reshape', [[4]], { shape: [4, 0] }, /copies axis 1 of \[4\]/],
  ['Transpose', [[2, 3, 4]], { perm: [2, 0, 1] }, [[4, 2, 3]]],
  ['Transpose', [[2, 3]], { perm: [0] }, /perm \[0\] must name every axis of \[2,3\]/],
  ['Transpose', [[2, 3]], { perm: [0, 0] }, /name one axis twice/],
  ['Pad', [[2, 3]], { pads: [1, 0, 0, 2], value: 0 }, [[3, 5]]],
  ['Pad', [[2, 3]], { pads: [1, 1], value: 0 }, /pads must have 4 numbers, found 2/],
  ['Pad', [[2]], { pads: [-1, 0], value: 0 }, /whole numbers ≥ 0/],
  ['Slice', [[5, 6]], { starts: [1, -2], ends: [5, 99], axes: [0, 1], steps: [3, 1] }, [[2, 2]]],
  ['Slice', [[5]], { ...slice, starts: [4], ends: [2] }, [[0]]],
  ['Slice', [[5]], { ...slice, steps: [0] }, /steps must be at least 1, found 0/],
  ['Slice', [[5]], { ...slice, ends: [] }, /must have one length/],
  ['Slice', [[5]], { ...slice, starts: [0.5] }, /starts and ends must be whole numbers/],
  ['Slice', [[5]], { ...slice, axes: [1] }, /axis 1 is outside rank 1/],
  ['Slice', [[5]], { starts: [0, 1], ends: [1, 2], axes: [0, -1], steps: [1, 1] }, /name one axis twice/],
  ['SliceGradient', [[2]], { starts: [1], ends: [5], axes: [0], steps: [3], inputShape: [5] }, [[5]]],
  [
    'SliceGradient',
    [[3]],
    { starts: [1], ends: [5], axes: [0], steps: [3], inputShape: [5] },
    /dy must be \[2\]/,
  ],
  [
    'Concat',
    [
      [2, 3],
      [2, 1],
      [2, 0],
    ],
    { axis: -1 },
    [[2, 4]],
  ],
  [
    'Concat',
    [
      [2, 3],
      [1, 3],
    ],
    { axis: 1 },
    /\[1,3\] does not join \[2,3\] along axis 1/,
  ],
  ['Concat', [[2, 3], [2]], { axis: 0 }, /does not join/],
  ['Squeeze', [[1, 3, 1]], { axes: [0, -1] }, [[3]]],
  ['Squeeze', [[1, 3]], { axes: [1] }, /axis 1 of \[1,3\] is not 1/],
  ['Unsqueeze', [[3, 4]], { axes: [0, -1] }, [[1, 3, 4, 1]]],
  ['Unsqueeze', [[3]], { axes: [3] }, /axis 3 is outside rank 2/],
  ['Unsqueeze', [[3]], { axes: [0, -3] }, /name one axis twice/],
  ['SortDescending', [[5]], {}, [[5]]],
  ['SortDescending', [[5, 1]], {}, /1 dimensions/],
  ['CumulativeSum', [[5]], {}, [[5]]],
  ['CumulativeSum', [[]], {}, /1 dimensions/],
  ['TakeAtMaximum', [[5], [5]], {}, [[]]],
  ['TakeAtMaximum', [[5], [4]], {}, /values \[5\] and key \[4\] must have one length/],
]

function build([op, inputs, attributes]: Case): readonly Shape[] {
  const b = new GraphBuilder()
  const values = inputs.map((shape, index) => b.input(`x${index}`, shape))
  return b.opAll(op, values, attributes, 'here').map(output => output.shape)
}

describe('shape inference', () => {
  for (const item of cases) {
    const [op, inputs, attributes, expected] = item
    const title = `${op} ${inputs.map(shape => `[${shape}]`).join(' ')} ${JSON.stringify(attributes)}`
    if (!(expected instanceof RegExp)) {
      it(`${title} gives ${JSON.stringify(expected)}`, () => assert.deepEqual(build(item), expected))
      continue
    }
    it(`${title} is refused by name`, () => {
      assert.throws(
        () => build(item),
        (error: unknown) => {
          assert.ok(error instanceof SternaError, String(error))
          assert.equal(error.code, 'graph/shape')
          assert.match(error.message, expected)
          assert.match(error.message, /"here(:out)?"/)
          return true
        },
      )
    })
  }

  it('is tested for every operator', () => {
    const tested = new Set(cases.filter(([, , , expected]) => Array.isArray(expected)).map(([op]) => op))
    assert.deepEqual(
      operatorNames.filter(name => !tested.has(name)),
      [],
    )
  })
})
