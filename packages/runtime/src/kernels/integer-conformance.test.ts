/** Networks on bytes: the WebAssembly kernels give, byte for byte, what plain TypeScript gives. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ActivationRange, PackedModel } from '../file/types.ts'
import { integerValues } from '../plan/index.ts'
import { sizeOf } from '../plan/shape.ts'
import { inferShapes } from '../plan/shapes.ts'
import { loadModel } from '../session/index.ts'
import { calibrated, conforms } from '../session/testing/on-bytes.node.ts'
import {
  convAttributes,
  createRandom,
  gemmAttributes,
  lenet5,
  ModelSketch,
  type Random,
  randomArray,
  randomDense,
  randomInt8,
  randomTernary,
  resnet20,
} from './testing/models.ts'

const oneOf = <T>(random: Random, items: readonly T[]): T => items[Math.floor(random() * items.length)]!

/** One or two ternary convolutions of any geometry, with what may be fused into them and pooling behind. */
function convolutions(random: Random): { readonly model: PackedModel; readonly label: string } {
  const groups = oneOf(random, [1, 1, 1, 2, 4])
  const [height, width] = [oneOf(random, [1, 4, 7, 8, 13, 16]), oneOf(random, [1, 3, 8, 10, 16, 33])]
  const channels = groups * oneOf(random, [1, 2, 3])
  const kernel = oneOf(random, [
    [1, 1],
    [3, 3],
    [3, 3],
    [5, 5],
    [1, 3],
    [2, 2],
  ] as const)
  const stride = oneOf(random, [1, 1, 1, 2, 3])
  const dilation = oneOf(random, [1, 1, 2])
  const same = kernel.map(size => Math.ceil((dilation * (size - 1)) / 2))
  const pads = [same[0]!, same[1]!, same[0]!, same[1]!] as const
  const filters = groups * oneOf(random, [1, 3, 4, 5])
  const zeros = oneOf(random, [0, 0.5, 0.9, 1])
  const m = new ModelSketch()
  const x = m.input('x', [1, channels, height, width])
  const layer = (value: string, inputs: number, attributes: Parameters<typeof m.node<'Conv'>>[2]) => {
    const shape = [filters, inputs, ...kernel]
    const weight =
      random() < 0.3
        ? randomInt8(random, shape)
        : randomTernary(random, shape, zeros, {
            magnitudes: oneOf(random, [1, filters]),
            equal: random() < 0.3,
          })
    const bias = random() < 0.5 ? [m.tensor(randomDense(random, [filters]))] : []
    return m.node('Conv', [value, m.tensor(weight), ...bias], attributes)
  }
  const attributes = { strides: [stride, stride], dilations: [dilation, dilation], pads, groups } as const
  let y = layer(x, channels / groups, attributes)
  const after = oneOf(random, ['nothing', 'relu', 'clip'])
  if (after === 'relu') y = m.node('Relu', [y], {})
  if (after === 'clip') y = m.node('Clip', [y], { min: -0.5, max: 0.75 })
  if (random() < 0.6) {
    const second = layer(y, filters, { ...convAttributes(1), dilations: [dilation, dilation], pads })
    y = random() < 0.7 ? m.node('Add', random() < 0.5 ? [second, y] : [y, second], {}) : second
    if (random() < 0.5) y = m.node('Relu', [y], {})
  }
  const label = JSON.stringify({ channels, height, width, kernel, attributes, filters, zeros, after })
  return { model: m.model(y), label }
}

describe('bytes', () => {
  test('come out alike for convolutions of every geometry', async () => {
    const random = createRandom(41)
    const used = new Map<string, number>()
    for (let i = 0; i < 250; i++) {
      let sketch = convolutions(random)
      try {
        inferShapes(sketch.model)
      } catch {
        continue // the window is larger than the map, or an Add's operands differ
      }
      const levels = [15, 63, 64, 127, 128, 255]
      sketch = { ...sketch, model: calibrated(sketch.model, random, () => oneOf(random, levels)) }
      for (const kernel of await conforms(sketch.model, random, sketch.label)) {
        used.set(kernel, (used.get(kernel) ?? 0) + 1)
      }
    }
    for (const [kernel, least] of [
      ['byte-lists', 100],
      ['byte-dense', 12],
      ['byte-window', 30],
      ['quantize', 70],
      ['dequantize', 70],
    ] as const) {
      assert.ok((used.get(kernel) ?? 0) >= least, `only ${used.get(kernel)} steps used ${kernel}`)
    }
  })

  test('come out alike of ties, infinite numbers and those that are none', async () => {
    const random = createRandom(46)
    const range = { scale: 0.5, zero: 3, max: 127 }
    const m = new ModelSketch()
    const x = m.input('x', [1, 1, 4, 8])
    const bias = m.tensor({
      kind: 'dense',
      storage: 'f32',
      shape: [3],
      data: Float32Array.of(NaN, Infinity, 0.25),
    })
    const y = m.node('Conv', [x, m.tensor(randomInt8(random, [3, 1, 3, 3])), bias], convAttributes(1, 1))
    const activations = new Map([x, y].map(name => [name, range]))
    const model = { ...m.model(m.node('Identity', [y], {})), activations }
    const [fast, plain] = await Promise.all([loadModel(model), loadModel(model, { kernels: 'reference' })])
    const numbers = Float32Array.from({ length: 32 }, (_, i) => (i - 8) / 4)
    numbers.set([NaN, Infinity, -Infinity, 1e30, -0], 20)
    assert.deepEqual(fast.run(numbers).outputs, plain.run(numbers).outputs)
    assert.ok(fast.describe().layers.some(({ kernel }) => kernel === 'byte-dense'))
  })

  test('come out alike where filters have more weights than a sum has room for', async () => {
    const random = createRandom(42)
    for (const [channels, zeros, levels] of [
      [64, 0, 127],
      [64, 0.3, 255],
      [130, 0.2, 127],
      [70, 0, 63],
    ] as const) {
      const m = new ModelSketch()
      const x = m.input('x', [1, channels, 5, 9])
      const weight = randomTernary(random, [3, channels, 3, 3], zeros, { magnitudes: 3 })
      const other = m.node(
        'Conv',
        [x, m.tensor(randomTernary(random, [3, channels, 1, 1], 0.5))],
        convAttributes(),
      )
      const y = m.node('Add', [m.node('Conv', [x, m.tensor(weight)], convAttributes(1, 1)), other], {})
      const model = calibrated(m.model(m.node('Relu', [y], {})), random, () => levels)
      const range = model.activations!.get('x')!
      const activations = new Map(model.activations).set('x', { ...range, max: levels })
      const used = await conforms({ ...model, activations }, random, `${channels} channels, ${levels} levels`)
      assert.equal(used.filter(name => name === 'byte-lists').length, 2)
    }
  })

  test('come out alike where one weight moves the output by a level or more, as in depthwise layers', async () => {
    const random = createRandom(44)
    for (const [channels, levels] of [
      [8, 127],
      [3, 255],
      [17, 63],
    ] as const) {
      const m = new ModelSketch()
      const x = m.input('x', [1, channels, 9, 11])
      const weight = randomTernary(random, [channels, 1, 3, 3], 0.7, { magnitudes: channels })
      // Filters as unlike as batch norm makes them: the output's scale suits the largest.
      for (let o = 0; o < channels; o++) {
        weight.positive[o]! *= 2 ** (o % 5)
        weight.negative[o]! *= 2 ** (o % 5)
      }
      const y = m.node('Conv', [x, m.tensor(weight)], convAttributes(1, 1, { groups: channels }))
      const model = calibrated(m.model(m.node('Clip', [y], { min: 0, max: 1 })), random, () => levels)
      const step = model.activations!.get('x')!.scale
      assert.ok(weight.positive.some(magnitude => magnitude * step > model.activations!.get('v1')!.scale))
      const used = await conforms(model, random, `${channels} channels, ${levels} levels`)
      assert.ok(used.includes('byte-lists'), `${used}`)
      // Ranges leave a tenth out at their ends.
      const image = randomArray(random, channels * 99).map(value => 0.8 * value)
      const [bytes, numbers] = await Promise.all(
        (['int', 'f32'] as const).map(async arithmetic =>
          (await loadModel(model, { arithmetic })).run(image),
        ),
      )
      // Inputs are rounded to half a step each; as many as there are weights.
      const most = Math.max(...weight.positive, ...weight.negative) * 9 * (step / 2) + 0.05
      const apart = bytes!.output.map((value, i) => Math.abs(value - Math.min(0.9, numbers!.output[i]!)))
      assert.ok(Math.max(...apart) <= most, `${Math.max(...apart)} of ${most}`)
    }
  })

  test('come out alike through pooling, slices, padding, joining and means', async () => {
    const random = createRandom(43)
    for (const [height, width] of [
      [8, 8],
      [7, 5],
      [9, 16],
      [5, 41],
    ] as const) {
      const m = new ModelSketch()
      const x = m.input('x', [1, 3, height, width])
      const conv = (value: string, inputs: number) =>
        m.node(
          'Relu',
          [
            m.node(
              'Conv',
              [value, m.tensor(randomTernary(random, [6, inputs, 3, 3], 0.5))],
              convAttributes(1, 1),
            ),
          ],
          {},
        )
      const y = conv(x, 3)
      const pooled = m.node('MaxPool', [y], { kernel: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0] })
      const padded = m.node('MaxPool', [y], { kernel: [3, 3], strides: [1, 1], pads: [1, 1, 1, 1] })
      const sliced = m.node('Slice', [y], { starts: [0, 1], ends: [99, 5], axes: [2, 1], steps: [2, 1] })
      const channels = m.node('Pad', [sliced], { pads: [0, 1, 0, 0, 0, 1, 0, 0], value: 0 })
      const joined = m.node('Concat', [padded, y], { axis: 1 })
      const turned = m.node('Transpose', [pooled], { perm: [0, 1, 3, 2] })
      const flat = m.node('Flatten', [pooled], { axis: 1 })
      const outputs = [
        conv(joined, 12),
        conv(channels, 6),
        conv(turned, 6),
        ...[2, 3].map(step => m.node('Slice', [y], { starts: [1], ends: [99], axes: [3], steps: [step] })),
        m.node('GlobalAveragePool', [y], {}),
        m.node('ReduceMean', [pooled], { axes: [2, 3], keepDims: false }),
        flat,
      ]
      const model = calibrated(m.model(...outputs), random, () => 127)
      const used = await conforms(model, random, `${height} × ${width}`)
      for (const name of ['byte-copy', 'byte-mean']) assert.ok(used.includes(name), name)
    }
  })

  test('come out alike for max pooling of every width, whoever reads it', async () => {
    const random = createRandom(48)
    const used = new Set<string>()
    for (const width of [6, 8, 9, 14, 16, 21, 33, 48, 70, 258, 260]) {
      const m = new ModelSketch()
      const conv = (x: string, inputs: number, kernel: readonly [number, number]) => {
        const weight = m.tensor(randomTernary(random, [5, inputs, ...kernel], 0.4))
        const [top, left] = kernel.map(size => (size - 1) / 2) as [number, number]
        return m.node('Conv', [x, weight], { ...convAttributes(), pads: [top, left, top, left] })
      }
      const y = m.node('Relu', [conv(m.input('x', [1, 2, 7, width]), 2, [3, 3])], {})
      const pooled = m.node('MaxPool', [y], { kernel: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0] })
      const padded = m.node('MaxPool', [y], { kernel: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] })
      const outputs = [pooled, padded].flatMap(x => [
        m.node('Add', [conv(x, 5, [3, 3]), x], {}),
        conv(x, 5, [3, 1]),
        conv(x, 5, [1, 5]),
        m.node('Flatten', [x], { axis: 1 }),
      ])
      const model = calibrated(m.model(...outputs), random, () => oneOf(random, [127, 255]))
      for (const name of await conforms(model, random, `width ${width}`)) used.add(name)
      const named = outputs.slice(1, 2)
      await conforms({ ...model, outputs: named }, random, `width ${width}, one reader`)
    }
    assert.ok(used.has('byte-pairs') && used.has('byte-maximum'), [...used].join())
  })

  test('come out alike for fully connected layers, written as bytes and as numbers', async () => {
    const random = createRandom(45)
    for (const [inputs, hidden, zeros, transB] of [
      [64, 48, 0.3, true],
      [17, 130, 0.3, false],
      [200, 40, 0.99, true],
    ] as const) {
      const m = new ModelSketch()
      const layer = (x: string, from: number, to: number) => {
        const shape = transB ? [to, from] : [from, to]
        const weight = randomTernary(random, shape, zeros, { magnitudes: transB ? to : 1 })
        return m.node('Gemm', [x, m.tensor(weight), m.tensor(randomDense(random, [to]))], {
          ...gemmAttributes,
          transB,
          alpha: -0.5,
        })
      }
      const y = m.node('Relu', [layer(m.input('x', [1, inputs]), inputs, hidden)], {})
      const model = calibrated(m.model(layer(y, hidden, 10)), random, () => oneOf(random, [63, 127, 255]))
      const used = await conforms(model, random, `${inputs} → ${hidden}, ${zeros}`)
      const kernel = zeros > 0.9 ? 'byte-gather' : 'byte-lookup'
      assert.equal(used.filter(name => name === kernel).length, 2, `${used}`)
    }
  })

  test('carry whole networks: as close to numbers as 127 levels allow', async () => {
    for (const [model, layers] of [
      [resnet20(0.64), 18],
      [lenet5(0.9), 1],
    ] as const) {
      const random = createRandom(47)
      const packed = calibrated(model, random, () => 127)
      const bytes = await loadModel(packed, { arithmetic: 'int' })
      const numbers = await loadModel(packed, { arithmetic: 'f32' })
      assert.equal(bytes.describe().layers.filter(({ kernel }) => kernel === 'byte-lists').length, layers)
      const x = randomArray(random, sizeOf(model.inputs[0]!.shape))
      const [found, expected] = [bytes.run(x).output, numbers.run(x).output]
      const norm = (values: Float32Array): number => Math.hypot(...values)
      const error = norm(found.map((value, i) => value - expected[i]!)) / norm(expected)
      assert.ok(error < 0.1, `${model.name}: relative error ${error}`)
    }
  })
})

describe('a layer stays in numbers, with the reason on record,', () => {
  const describeOf = async (activations: ReadonlyMap<string, ActivationRange>) => {
    const random = createRandom(3)
    const m = new ModelSketch()
    const x = m.input('x', [1, 40, 6, 6])
    const y = m.node('Conv', [x, m.tensor(randomTernary(random, [4, 40, 3, 3], 0))], convAttributes(1, 1))
    const session = await loadModel({ ...m.model(y), activations })
    return { layer: session.describe().layers.find(({ op }) => op === 'Conv')!, y }
  }
  const range = { scale: 0.01, zero: 0, max: 127 }
  const cases = [
    ['when its input has no range', [['v0', range]], /no range for its input/],
    ['when its output has none', [['x', range]], /no range for its output/],
    [
      'when scales lie too far apart',
      [
        ['x', range],
        ['v0', { ...range, scale: 1e-9 }],
      ],
      /too far apart/,
    ],
  ] as const
  for (const [title, entries, reason] of cases) {
    test(title, async () => {
      const { layer } = await describeOf(new Map(entries))
      assert.doesNotMatch(layer.kernel, /^byte-/)
      assert.match(layer.reason, reason)
    })
  }
})

test('arithmetic that cannot be had is refused', async () => {
  const model = lenet5(0.9)
  await assert.rejects(loadModel(model, { arithmetic: 'int' }), {
    code: 'usage/option',
    message: /ranges of activations/,
  })
  await assert.rejects(loadModel(model, { arithmetic: 'float' as never }), {
    code: 'usage/option',
    message: /"auto", "f32" or "int"/,
  })
})

test('values to calibrate are those of ternary layers, with the levels their sums allow', () => {
  const random = createRandom(5)
  const m = new ModelSketch()
  const x = m.input('x', [1, 16, 8, 8])
  const wide = m.node('Conv', [x, m.tensor(randomTernary(random, [2, 16, 5, 5], 0))], convAttributes(1, 2))
  const pooled = m.node('MaxPool', [wide], { kernel: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0] })
  const dense = m.node('Conv', [pooled, m.tensor(randomDense(random, [3, 2, 1, 1]))], convAttributes())
  const small = m.node('Conv', [pooled, m.tensor(randomTernary(random, [3, 2, 1, 1], 0))], convAttributes())
  const values = new Map(integerValues(m.model(dense, small)).map(({ name, maxLevel }) => [name, maxLevel]))
  assert.deepEqual([...values.keys()].sort(), [small, wide, x].sort())
  assert.ok(values.get(x)! > 127 && values.get(x)! < 200, 'about 200 weights of a sign in the wide filters')
  assert.equal(values.get(wide), 255)
})
