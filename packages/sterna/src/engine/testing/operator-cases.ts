/** Small awkward applications of the operators: odd sizes, strides, groups, dilations, one-sided pads, broadcasting. */
import { Random, type Shape, sizeOf, type Tensor, tensor } from '../../core/index.ts'
import type { OperatorName, Operators } from '../../graph/index.ts'

/** How an input's values are drawn; those that avoid a kink keep finite differences on one side of it. */
export type Draw = 'normal' | 'positive' | 'away-from-zero' | 'distinct' | 'ties'

export type OperatorCase = {
  [Name in OperatorName]: {
    readonly op: Name
    readonly title: string
    readonly inputs: readonly Shape[]
    readonly attributes: Operators[Name]
    readonly draw: Draw
    /** Inputs whose derivative is checked; the others are drawn positive (statistics). */
    readonly differentiable: readonly number[]
  }
}[OperatorName]

interface CaseOptions {
  readonly title?: string
  readonly draw?: Draw
  readonly differentiable?: readonly number[]
}

function operatorCase<Name extends OperatorName>(
  op: Name,
  inputs: readonly Shape[],
  attributes: Operators[Name],
  { title = '', draw = 'normal', differentiable = inputs.map((_, index) => index) }: CaseOptions = {},
): OperatorCase {
  const shapes = inputs.map(shape => `[${shape}]`).join(' ')
  return {
    op,
    title: `${op} ${title}${title && ' '}${shapes}`,
    inputs,
    attributes,
    draw,
    differentiable,
  } as OperatorCase
}

const conv = { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], groups: 1 } as const
const plainGemm = { alpha: 1, beta: 1, transA: false, transB: false }
const pool = { kernel: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0] } as const

const unary = ['Identity', 'Sigmoid', 'Tanh', 'Neg', 'Exp', 'HardSwish'] as const
const kinked = ['Relu', 'Abs'] as const
const positive = ['Log', 'Sqrt', 'Reciprocal'] as const
const binary = ['Add', 'Sub', 'Mul', 'Min', 'Max'] as const
const reductions = ['ReduceSum', 'ReduceMean'] as const

/** Every operator that has a derivative. */
export const differentiableCases: readonly OperatorCase[] = [
  operatorCase('Conv', [[2, 3, 6, 5], [4, 3, 3, 3], [4]], { ...conv, pads: [1, 1, 1, 1] }),
  operatorCase(
    'Conv',
    [[2, 3, 7, 8], [4, 3, 3, 2], [4]],
    { ...conv, strides: [2, 3] },
    { title: 'strided, rest left over' },
  ),
  operatorCase(
    'Conv',
    [
      [1, 2, 9, 8],
      [3, 2, 3, 2],
    ],
    { ...conv, dilations: [2, 3], pads: [0, 2, 1, 0] },
    { title: 'dilated' },
  ),
  operatorCase(
    'Conv',
    [[2, 4, 5, 5], [6, 2, 3, 3], [6]],
    { ...conv, groups: 2, strides: [2, 1], pads: [1, 0, 2, 1] },
    {
      title: 'two groups, one-sided pads',
    },
  ),
  operatorCase(
    'Conv',
    [
      [2, 12, 5, 5],
      [8, 3, 3, 3],
    ],
    { ...conv, groups: 4, pads: [1, 1, 1, 1] },
    { title: 'four groups' },
  ),
  operatorCase(
    'Conv',
    [
      [2, 3, 6, 5],
      [3, 1, 3, 3],
    ],
    { ...conv, groups: 3, pads: [1, 1, 1, 1] },
    { title: 'depthwise' },
  ),
  operatorCase(
    'Conv',
    [[2, 4, 6, 6], [8, 1, 3, 3], [8]],
    { ...conv, groups: 4, strides: [2, 2], pads: [1, 1, 1, 1] },
    {
      title: 'depthwise ×2',
    },
  ),
  operatorCase(
    'Conv',
    [
      [2, 3, 9, 9],
      [2, 3, 5, 5],
    ],
    { ...conv, pads: [2, 2, 2, 2] },
    { title: 'large kernel, few channels' },
  ),
  operatorCase(
    'Conv',
    [
      [2, 3, 11, 10],
      [2, 3, 5, 5],
    ],
    { ...conv, strides: [2, 2], pads: [1, 2, 2, 1] },
    {
      title: 'large kernel, strided',
    },
  ),
  operatorCase(
    'Conv',
    [
      [2, 9, 5, 5],
      [3, 9, 3, 3],
    ],
    { ...conv, pads: [1, 1, 1, 1] },
    { title: 'many channels' },
  ),
  operatorCase(
    'Conv',
    [
      [2, 9, 3, 3],
      [11, 9, 2, 2],
    ],
    { ...conv, strides: [2, 2], pads: [0, 0, 1, 1] },
    {
      title: 'small image, many channels',
    },
  ),
  operatorCase(
    'Conv',
    [
      [2, 8, 3, 2],
      [5, 8, 1, 1],
    ],
    conv,
    { title: '1×1' },
  ),
  operatorCase('Gemm', [[3, 4], [4, 5], [5]], plainGemm),
  operatorCase(
    'Gemm',
    [
      [4, 3],
      [5, 4],
      [3, 1],
    ],
    { alpha: 0.5, beta: 2, transA: true, transB: true },
  ),
  operatorCase(
    'Gemm',
    [
      [3, 4],
      [5, 4],
    ],
    { ...plainGemm, transB: true, alpha: 3 },
  ),
  operatorCase('Gemm', [[4, 3], [4, 2], []], { ...plainGemm, transA: true }),
  operatorCase(
    'MatMul',
    [
      [3, 4],
      [4, 2],
    ],
    {},
  ),
  operatorCase(
    'MatMul',
    [
      [2, 1, 3, 4],
      [3, 4, 2],
    ],
    {},
    { title: 'broadcast batch' },
  ),
  operatorCase(
    'BatchNormalization',
    [[2, 3, 4, 2], [3], [3], [3], [3]],
    { epsilon: 1e-3, momentum: 0.9 },
    {
      differentiable: [0, 1, 2],
    },
  ),
  operatorCase(
    'BatchNormalization',
    [[4, 3], [3], [3], [3], [3]],
    { epsilon: 1e-3, momentum: 0.9 },
    {
      differentiable: [0, 1, 2],
    },
  ),
  operatorCase('BatchNormalizationTraining', [[3, 2, 3, 4], [2], [2]], { epsilon: 1e-3 }),
  operatorCase('BatchNormalizationTraining', [[6, 3], [3], [3]], { epsilon: 1e-3 }),
  ...unary.map(op => operatorCase(op, [[2, 3, 5]], {})),
  ...kinked.map(op => operatorCase(op, [[4, 5]], {}, { draw: 'away-from-zero' })),
  ...positive.map(op => operatorCase(op, [[4, 5]], {}, { draw: 'positive' })),
  operatorCase('Dropout', [[3, 4]], { ratio: 0.5 }),
  operatorCase('Clip', [[5, 6]], { min: -0.55, max: 0.65 }, { draw: 'distinct' }),
  operatorCase(
    'Clip',
    [[5, 6]],
    { min: 0.05, max: Number.POSITIVE_INFINITY },
    { draw: 'distinct', title: 'from below' },
  ),
  operatorCase('HardSigmoid', [[5, 6]], { alpha: 0.9, beta: 0.42 }, { draw: 'distinct' }),
  ...binary.flatMap(op => [
    operatorCase(
      op,
      [
        [3, 4],
        [3, 4],
      ],
      {},
      { draw: 'distinct' },
    ),
    operatorCase(
      op,
      [
        [2, 1, 4],
        [3, 1],
      ],
      {},
      { draw: 'distinct', title: 'broadcast' },
    ),
    operatorCase(op, [[], [2, 3]], {}, { draw: 'distinct', title: 'scalar' }),
  ]),
  operatorCase(
    'Div',
    [
      [2, 1, 4],
      [3, 1],
    ],
    {},
    { draw: 'positive', title: 'broadcast' },
  ),
  operatorCase('MaxPool', [[2, 2, 6, 4]], pool, { draw: 'distinct' }),
  operatorCase(
    'MaxPool',
    [[1, 2, 7, 9]],
    { ...pool, kernel: [3, 3], pads: [1, 1, 1, 1] },
    {
      draw: 'distinct',
      title: 'overlapping, padded',
    },
  ),
  operatorCase(
    'MaxPool',
    [[1, 2, 8, 7]],
    { kernel: [2, 3], strides: [3, 1], pads: [1, 0, 0, 2] },
    {
      draw: 'distinct',
      title: 'stride beyond the kernel, one-sided pads',
    },
  ),
  operatorCase('AveragePool', [[2, 2, 6, 4]], { ...pool, countIncludePad: false }),
  operatorCase(
    'AveragePool',
    [[1, 2, 7, 8]],
    { kernel: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1], countIncludePad: true },
    {
      title: 'padding counted',
    },
  ),
  operatorCase(
    'AveragePool',
    [[1, 2, 7, 8]],
    { kernel: [3, 2], strides: [1, 3], pads: [2, 1, 0, 0], countIncludePad: false },
    {
      title: 'padding not counted',
    },
  ),
  operatorCase('GlobalAveragePool', [[2, 3, 4, 5]], {}),
  ...reductions.flatMap(op => [
    operatorCase(op, [[2, 3, 4]], { axes: [0, 2], keepDims: false }),
    operatorCase(op, [[2, 3, 4]], { axes: [-1], keepDims: true }, { title: 'kept' }),
    operatorCase(op, [[2, 3]], { axes: [0, 1], keepDims: false }, { title: 'to a scalar' }),
    operatorCase(op, [[]], { axes: [], keepDims: false }, { title: 'of a scalar' }),
  ]),
  operatorCase('Flatten', [[2, 3, 4]], { axis: 2 }),
  operatorCase('Flatten', [[2, 3]], { axis: 0 }),
  operatorCase('Reshape', [[2, 3, 4]], { shape: [0, -1, 2] }),
  operatorCase('Transpose', [[2, 3, 4]], { perm: [2, 0, 1] }),
  operatorCase('Pad', [[2, 3]], { pads: [0, 1, 2, 0], value: 0.5 }),
  operatorCase('Slice', [[5, 7, 3]], { starts: [1, -6], ends: [5, 100], axes: [0, -2], steps: [2, 3] }),
  operatorCase('Slice', [[4, 6]], { starts: [1], ends: [-1], axes: [1], steps: [1] }),
  operatorCase(
    'Concat',
    [
      [2, 1, 2],
      [2, 3, 2],
      [2, 2, 2],
    ],
    { axis: 1 },
  ),
  operatorCase(
    'Concat',
    Array.from({ length: 9 }, (_, i) => [2, i + 1]),
    { axis: -1 },
  ),
  operatorCase('Squeeze', [[1, 3, 1]], { axes: [0, -1] }),
  operatorCase('Unsqueeze', [[3, 2]], { axes: [0, -1] }),
  operatorCase('Expand', [[3, 1]], { shape: [2, 3, 4] }),
  operatorCase('Softmax', [[3, 4]], { axis: -1 }),
  operatorCase('Softmax', [[2, 4, 3]], { axis: 1 }),
  operatorCase('LogSoftmax', [[3, 4]], { axis: 1 }),
  operatorCase('LogSoftmax', [[2, 4, 3]], { axis: -2 }),
]

/** Values for a case's inputs, the same at every call. */
export function drawInputs({ inputs, draw, differentiable }: OperatorCase): Tensor<'f32'>[] {
  const random = new Random(20)
  return inputs.map((shape, index) => {
    const size = sizeOf(shape)
    const data = new Float32Array(size)
    const kind = differentiable.includes(index) ? draw : 'positive'
    if (kind === 'distinct') {
      // A shuffled ladder on [−1, 1] with steps far above the finite difference; inputs interleave.
      const rungs = random.shuffle(Float32Array.from({ length: size }, (_, i) => i))
      for (let i = 0; i < size; i++) data[i] = (2 * (rungs[i]! + 0.29 * (index + 1))) / size - 1
    } else {
      for (let i = 0; i < size; i++) {
        const value = random.normal()
        if (kind === 'positive') data[i] = 0.5 + Math.abs(value)
        else if (kind === 'away-from-zero') data[i] = value + Math.sign(value) * 0.2
        else if (kind === 'ties') data[i] = Math.round(value)
        else data[i] = value
      }
    }
    return tensor('f32', shape, data)
  })
}
