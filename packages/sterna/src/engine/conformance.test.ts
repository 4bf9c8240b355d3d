import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import type { InferenceOperatorName, PackedNode, PackedTensor } from 'sterna-runtime'
import { runReference } from 'sterna-runtime/reference'
import { f32, type Shape, type Tensor } from '../core/index.ts'
import { GraphBuilder, type OperatorName, type Operators, operatorNames } from '../graph/index.ts'
import { createEngine } from './create-engine.node.ts'
import { differentiableCases, drawInputs, type OperatorCase } from './testing/operator-cases.ts'

const engine = await createEngine({ device: 'cpu', threads: 1, lowering: 'standard' })
after(() => engine.close())

/** The outputs of one operator, in order. */
async function apply<Name extends OperatorName>(
  op: Name,
  inputs: readonly Tensor[],
  attributes: Operators[Name],
): Promise<Tensor<'f32'>[]> {
  const b = new GraphBuilder(op)
  const values = inputs.map((input, index) => b.input(`input${index}`, input.shape))
  const outputs = b.opAll(op, values, attributes)
  const executable = await engine.load({ graph: b.build(outputs), state: new Map() })
  const results = await executable.run(
    Object.fromEntries(inputs.map((input, index) => [`input${index}`, input])),
  )
  await executable.release()
  return outputs.map(output => {
    const result = results[output.name] as Tensor<'f32'>
    assert.deepEqual(result.shape, output.shape)
    return result
  })
}

const trainingOperators = {
  Neg: true,
  Abs: true,
  Exp: true,
  Log: true,
  Sqrt: true,
  Reciprocal: true,
  IsPositive: true,
  Round: true,
  Min: true,
  Max: true,
  Clamp: true,
  Dot: true,
  Expand: true,
  ReduceMin: true,
  ReduceMax: true,
  ConvInputGradient: true,
  ConvWeightGradient: true,
  MaxPoolGradient: true,
  AveragePoolGradient: true,
  BatchNormalizationTraining: true,
  BatchNormalizationGradient: true,
  SliceGradient: true,
  SortDescending: true,
  CumulativeSum: true,
  TakeAtMaximum: true,
} as const satisfies Record<Exclude<OperatorName, InferenceOperatorName>, true>

function isInference(
  operator: OperatorCase,
): operator is Extract<OperatorCase, { op: InferenceOperatorName }> {
  return !Object.hasOwn(trainingOperators, operator.op)
}

/** The same operator in the runtime's reference kernels; every input but the first is a stored tensor. */
function reference(operator: Extract<OperatorCase, { op: InferenceOperatorName }>, inputs: Tensor<'f32'>[]) {
  const names = inputs.map((_, index) => `input${index}`)
  const { op, attributes } = operator
  const node = { op, name: op, inputs: names, outputs: ['y'], attributes } as PackedNode
  const tensors = new Map<string, PackedTensor>()
  for (const [index, { shape, data }] of inputs.entries()) {
    if (index > 0) tensors.set(names[index]!, { kind: 'dense', storage: 'f32', shape, data })
  }
  const model = {
    name: op,
    inputs: [{ name: names[0]!, shape: inputs[0]!.shape }],
    outputs: ['y'],
    nodes: [node],
    tensors,
    metadata: {},
  }
  return runReference(model, { [names[0]!]: inputs[0]! }).y!
}

function assertClose(found: Float32Array, expected: ArrayLike<number>, tolerance: number): void {
  assert.equal(found.length, expected.length)
  const scale = Math.max(1, ...Array.from(expected, Math.abs).filter(Number.isFinite))
  for (const [i, value] of found.entries()) {
    const near = Object.is(value, expected[i]) || Math.abs(value - expected[i]!) <= tolerance * scale
    assert.ok(near, `position ${i}: expected ${expected[i]}, found ${value}`)
  }
}

describe('the standard lowering computes what the reference kernels compute', () => {
  const cases = differentiableCases.filter(isInference)
  for (const operator of cases) {
    it(`for ${operator.title}`, async () => {
      const inputs = drawInputs(operator)
      const expected = reference(operator, inputs)
      const [y] = await apply(operator.op, inputs, operator.attributes)
      assert.deepEqual(y!.shape, expected.shape)
      assertClose(y!.data, expected.data, 1e-5)
    })
  }

  it('for every inference operator', () => {
    const covered = new Set<string>(cases.map(({ op }) => op))
    const missing = operatorNames.filter(
      name => !covered.has(name) && !Object.hasOwn(trainingOperators, name),
    )
    assert.deepEqual(missing, [])
  })
})

const vector = (...values: number[]) => f32([values.length], values)

describe('training operators have the values they are defined by', () => {
  const infinite = Number.POSITIVE_INFINITY
  const table: readonly {
    readonly title: string
    readonly found: () => Promise<Tensor<'f32'>[]>
    readonly expected: ArrayLike<number>
  }[] = [
    {
      title: 'IsPositive, down to the smallest normal number',
      found: () =>
        apply('IsPositive', [vector(-1, -0, 0, 1.1754944e-38, 3e-30, 2, 3e38, infinite, -infinite)], {}),
      expected: [0, 0, 0, 1, 1, 1, 1, 1, 0],
    },
    { title: 'Abs', found: () => apply('Abs', [vector(-2, 0, 3)], {}), expected: [2, 0, 3] },
    { title: 'Neg', found: () => apply('Neg', [vector(-2, 5)], {}), expected: [2, -5] },
    { title: 'Exp', found: () => apply('Exp', [vector(0, 1)], {}), expected: [1, Math.E] },
    { title: 'Log', found: () => apply('Log', [vector(1, Math.E)], {}), expected: [0, 1] },
    { title: 'Sqrt', found: () => apply('Sqrt', [vector(4, 2)], {}), expected: [2, Math.SQRT2] },
    { title: 'Reciprocal', found: () => apply('Reciprocal', [vector(4, -0.5)], {}), expected: [0.25, -2] },
    { title: 'Min', found: () => apply('Min', [vector(1, 5), vector(3, 2)], {}), expected: [1, 2] },
    { title: 'Max', found: () => apply('Max', [vector(1, 5), f32([], [3])], {}), expected: [3, 5] },
    {
      title: 'Clamp',
      found: () => apply('Clamp', [vector(-2, 0.5, -1, 7), vector(-1), f32([], [2])], {}),
      expected: [-1, 0.5, -1, 2],
    },
    {
      title: 'Dot',
      found: () => apply('Dot', [f32([2, 2], [1, 2, 3, 4]), f32([2, 2], [5, -6, 7, 8])], {}),
      expected: [46],
    },
    {
      title: 'Expand',
      found: () => apply('Expand', [f32([2, 1], [1, 2])], { shape: [2, 3] }),
      expected: [1, 1, 1, 2, 2, 2],
    },
    {
      title: 'ReduceMin',
      found: () => apply('ReduceMin', [f32([2, 3], [3, 1, 2, -4, 0, 9])], { axes: [-1], keepDims: false }),
      expected: [1, -4],
    },
    {
      title: 'ReduceMax',
      found: () => apply('ReduceMax', [f32([2, 3], [3, 1, 2, -4, 0, 9])], { axes: [0, 1], keepDims: true }),
      expected: [9],
    },
    {
      title: 'SortDescending',
      found: () => apply('SortDescending', [vector(3, -1, 7, 3)], {}),
      expected: [7, 3, 3, -1],
    },
    {
      title: 'CumulativeSum',
      found: () => apply('CumulativeSum', [vector(3, -1, 7, 3)], {}),
      expected: [3, 2, 9, 12],
    },
    {
      title: 'Round, ties to even',
      found: () => apply('Round', [vector(0.5, 1.5, -0.5, -2.5, 2.4999, -7, 3e38)], {}),
      expected: [0, 2, -0, -2, 2, -7, 3e38],
    },
    {
      title: 'TakeAtMaximum, the first of two maxima',
      found: () => apply('TakeAtMaximum', [vector(10, 20, 30, 40), vector(1, 5, 5, 2)], {}),
      expected: [20],
    },
    {
      title: 'SliceGradient',
      found: () =>
        apply('SliceGradient', [vector(1, 2)], {
          starts: [1],
          ends: [6],
          axes: [0],
          steps: [3],
          inputShape: [7],
        }),
      expected: [0, 1, 0, 0, 2, 0, 0],
    },
    {
      title: 'AveragePoolGradient',
      found: () =>
        apply('AveragePoolGradient', [f32([1, 1, 1, 2], [2, 4])], {
          kernel: [1, 2],
          strides: [1, 1],
          pads: [0, 0, 0, 0],
          countIncludePad: false,
          inputShape: [1, 1, 1, 3],
        }),
      expected: [1, 3, 2],
    },
    {
      title: 'ConvInputGradient',
      found: () =>
        apply('ConvInputGradient', [f32([1, 1, 1, 2], [1, 10]), f32([1, 1, 1, 2], [2, 3])], {
          strides: [1, 2],
          dilations: [1, 1],
          pads: [0, 0, 0, 0],
          groups: 1,
          inputShape: [1, 1, 1, 5],
        }),
      expected: [2, 3, 20, 30, 0],
    },
    {
      title: 'ConvWeightGradient',
      found: () =>
        apply('ConvWeightGradient', [f32([1, 1, 1, 5], [1, 2, 3, 4, 5]), f32([1, 1, 1, 2], [1, 10])], {
          strides: [1, 2],
          dilations: [1, 1],
          pads: [0, 0, 0, 0],
          groups: 1,
          weightShape: [1, 1, 1, 2],
        }),
      expected: [31, 42],
    },
    {
      title: 'BatchNormalizationTraining, with a mean a thousand times the deviation',
      found: async () =>
        (await apply(
          'BatchNormalizationTraining',
          [f32([2, 1, 2], [999, 1001, 999, 1001]), vector(2), vector(5)],
          {
            epsilon: 1e-9,
          },
        )) as Tensor<'f32'>[],
      expected: [3, 7, 3, 7],
    },
  ]
  for (const { title, found, expected } of table) {
    it(title, async () => {
      const [y] = await found()
      assertClose(y!.data, expected, 1e-6)
    })
  }

  it('BatchNormalizationTraining gives the biased variance and the inverse deviation', async () => {
    const x = f32([2, 2, 1, 2], [1, 3, 0, 0, 5, 7, 4, 4])
    const [, mean, variance, inverseStd] = await apply(
      'BatchNormalizationTraining',
      [x, vector(1, 1), vector(0, 0)],
      {
        epsilon: 1e-5,
      },
    )
    assertClose(mean!.data, [4, 2], 1e-6)
    assertClose(variance!.data, [5, 4], 1e-6)
    assertClose(inverseStd!.data, [1 / Math.sqrt(5 + 1e-5), 1 / Math.sqrt(4 + 1e-5)], 1e-6)
  })

  it('BatchNormalizationGradient is orthogonal to a constant and to the normalized input', async () => {
    const x = f32([4, 1], [1, 2, 4, 9])
    const inverseStd = 1 / Math.sqrt(9.5)
    const [dx, dscale, dbias] = await apply(
      'BatchNormalizationGradient',
      [x, f32([4, 1], [1, -2, 0.5, 3]), vector(2), vector(4), vector(inverseStd)],
      {},
    )
    assertClose(dbias!.data, [2.5], 1e-6)
    assertClose(dscale!.data, [(-3 + 4 + 15) * inverseStd], 1e-6)
    assert.ok(Math.abs(dx!.data.reduce((sum, value) => sum + value, 0)) < 1e-6)
    assert.ok(Math.abs(dx!.data.reduce((sum, value, i) => sum + value * (x.data[i]! - 4), 0)) < 1e-5)
  })
})

describe('MaxPoolGradient gives dy to the first maximum in row-major order', () => {
  const ties: readonly { readonly shape: Shape; readonly attributes: Operators['MaxPool'] }[] = [
    { shape: [2, 3, 6, 4], attributes: { kernel: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0] } },
    { shape: [2, 2, 7, 8], attributes: { kernel: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] } },
    { shape: [1, 2, 6, 7], attributes: { kernel: [3, 2], strides: [1, 1], pads: [0, 1, 2, 0] } },
    { shape: [1, 2, 9, 9], attributes: { kernel: [2, 1], strides: [3, 4], pads: [1, 0, 0, 0] } },
  ]
  for (const { shape, attributes } of ties) {
    it(`for [${shape}] with kernel ${attributes.kernel}, strides ${attributes.strides}, pads ${attributes.pads}`, async () => {
      const [x] = drawInputs({
        op: 'MaxPool',
        title: '',
        inputs: [shape],
        attributes,
        draw: 'ties',
        differentiable: [0],
      })
      const [y] = await apply('MaxPool', [x!], attributes)
      const dy = f32(
        y!.shape,
        y!.data.map((_, i) => i + 1),
      )
      const [dx] = await apply('MaxPoolGradient', [x!, y!, dy], attributes)
      assert.deepEqual(dx!.data, plainMaxPoolGradient(x!, dy, attributes))
    })
  }
})

function plainMaxPoolGradient(
  x: Tensor<'f32'>,
  dy: Tensor<'f32'>,
  { kernel, strides, pads }: Operators['MaxPool'],
) {
  const [n, c, height, width] = x.shape as [number, number, number, number]
  const [, , h, w] = dy.shape as [number, number, number, number]
  const dx = new Float32Array(x.data.length)
  for (let map = 0; map < n * c; map++) {
    for (let row = 0; row < h; row++) {
      for (let column = 0; column < w; column++) {
        let best = -1
        for (let i = 0; i < kernel[0]; i++) {
          for (let j = 0; j < kernel[1]; j++) {
            const r = row * strides[0] - pads[0] + i
            const s = column * strides[1] - pads[1] + j
            if (r < 0 || r >= height || s < 0 || s >= width) continue
            const at = (map * height + r) * width + s
            if (best === -1 || x.data[at]! > x.data[best]!) best = at
          }
        }
        dx[best]! += dy.data[(map * h + row) * w + column]!
      }
    }
  }
  return dx
}
