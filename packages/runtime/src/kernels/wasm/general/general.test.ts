/** Operators beyond layers and copies: bit for bit where they only calculate, within a few last digits where they do not. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { PackedModel } from '../../../file/types.ts'
import { loadModel } from '../../../session/index.ts'
import { runReference } from '../../reference/index.ts'
import {
  createRandom,
  ModelSketch,
  type Random,
  randomArray,
  randomDense,
  randomTernary,
} from '../../testing/models.ts'

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)
const oneOf = <T>(random: Random, items: readonly T[]): T => items[Math.floor(random() * items.length)]!

/** Which NaN it is depends on the host. */
function assertSame(found: Float32Array, expected: Float32Array, label: string): void {
  const wrong = expected.findIndex((value, i) => !Object.is(found[i], value))
  assert.equal(wrong, -1, `${label}[${wrong}] is ${found[wrong]}, expected ${expected[wrong]}`)
  assert.equal(found.length, expected.length, label)
}

/** Compares every bit with the oracle, after an earlier run has left its numbers; returns the kernels. */
async function isExact(
  model: PackedModel,
  random: Random,
  label: string,
  change: (x: Float32Array) => void = () => {},
): Promise<readonly string[]> {
  const session = await loadModel(model)
  for (let run = 0; run < 2; run++) {
    const inputs = model.inputs.map(({ name, shape }) => ({
      name,
      shape,
      data: randomArray(random, sizeOf(shape)),
    }))
    for (const { data } of inputs) change(data)
    const expected = runReference(model, Object.fromEntries(inputs.map(input => [input.name, input])))
    const found = session.run(Object.fromEntries(inputs.map(({ name, data }) => [name, data]))).outputs
    for (const [name, { data }] of Object.entries(expected))
      assertSame(found[name]!.data, data, `${label}: ${name}`)
  }
  return session.describe().layers.map(({ kernel }) => kernel)
}

/** Numbers that every float operation has to get right. */
const specials = Float32Array.of(0, -0, Infinity, -Infinity, NaN, 1e-45, -1e-45, 3.4e38, -3.4e38, 1.2e-38, 1)

const withSpecials = (x: Float32Array): void => {
  for (let i = 0; i < x.length; i += 3) x[i] = specials[(i * 7) % specials.length]!
}

describe('bit for bit as the oracle:', () => {
  test('Add, Sub, Mul and Div, however their operands stretch', async () => {
    const random = createRandom(41)
    const used = new Set<string>()
    for (let round = 0; round < 200; round++) {
      const shape = Array.from({ length: 1 + Math.floor(random() * 6) }, () => oneOf(random, [1, 2, 3, 4, 7]))
      const stretched = () => {
        const own = shape.map(size => (random() < 0.4 ? 1 : size))
        return own.slice(Math.floor(random() * shape.length))
      }
      const m = new ModelSketch()
      const whole = shape.map((size, axis) => (axis === 0 && random() < 0.3 ? 1 : size))
      const a = m.input('a', whole)
      const other = stretched()
      const b = random() < 0.5 ? m.input('b', other) : m.tensor(randomDense(random, other))
      const operands = random() < 0.5 ? [a, b] : [b, a]
      const outputs = (['Add', 'Sub', 'Mul', 'Div'] as const).map(op => m.node(op, operands, {}))
      const label = JSON.stringify({ whole, other })
      for (const name of await isExact(m.model(...outputs), random, label, withSpecials)) used.add(name)
    }
    assert.deepEqual([...used].sort(), ['broadcast', 'combine'])
  })

  test('HardSigmoid and HardSwish', async () => {
    const random = createRandom(42)
    for (const size of [1, 3, 4, 1001, 40_000]) {
      const m = new ModelSketch()
      const x = m.input('x', [1, size])
      const outputs = [
        m.node('HardSwish', [x], {}),
        m.node('HardSigmoid', [x], { alpha: 1 / 6, beta: 0.5 }),
        m.node('HardSigmoid', [x], { alpha: -0.2, beta: 0.4 }),
      ]
      const far = (data: Float32Array): void => {
        for (let i = 0; i < data.length; i++) data[i]! *= 4
        if (size < 2000) withSpecials(data)
      }
      await isExact(m.model(...outputs), random, `${size}`, far)
    }
  })

  test('BatchNormalization, of vectors, maps and batches, with stored and computed statistics', async () => {
    const random = createRandom(43)
    for (const shape of [
      [1, 6, 5, 7],
      [1, 5],
      [3, 4, 9],
      [2, 3, 4, 4],
    ]) {
      const vector = () => Float32Array.from({ length: shape[1]! }, () => 0.1 + random())
      const m = new ModelSketch()
      const x = m.input('x', shape)
      const stored = [0, 1, 2, 3].map(() =>
        m.tensor({ ...randomDense(random, [shape[1]!]), data: vector() } as never),
      )
      const given = m.node('HardSigmoid', [m.input('v', [shape[1]!])], { alpha: 0.2, beta: 0.5 })
      const attributes = { epsilon: 1e-5, momentum: 0.9 }
      const outputs = [
        m.node('BatchNormalization', [x, ...stored], attributes),
        m.node('BatchNormalization', [x, stored[0]!, stored[1]!, given, given], attributes),
      ]
      await isExact(m.model(...outputs), random, `${shape}`)
    }
  })

  test('pooling of batches, over borders and with windows of any size, convolution with computed weights', async () => {
    const random = createRandom(44)
    const used = new Set<string>()
    for (let round = 0; round < 100; round++) {
      const kernel = [1 + Math.floor(random() * 4), 1 + Math.floor(random() * 4)] as const
      const pads = [0, 1, 2, 3].map(side => Math.floor(random() * kernel[side % 2]!)) as [
        number,
        number,
        number,
        number,
      ]
      const strides = [1 + Math.floor(random() * 3), 1 + Math.floor(random() * 3)] as const
      const groups = oneOf(random, [1, 2])
      const shape = [
        oneOf(random, [1, 2, 3]),
        2 * groups,
        6 + Math.floor(random() * 5),
        6 + Math.floor(random() * 5),
      ]
      const m = new ModelSketch()
      const x = m.input('x', shape)
      const weights = m.input('w', [3 * groups, 2, ...kernel])
      const operands = [x, weights, ...(random() < 0.5 ? [m.input('b', [3 * groups])] : [])]
      const dilations = [1, oneOf(random, [1, 2])] as const
      const pool = { kernel, strides, pads }
      const outputs = [m.node('Conv', operands, { strides, pads, dilations, groups })]
      if (shape[0] !== 1) outputs.push(m.node('MaxPool', [x], pool))
      if (shape[0] !== 1 || pads.some(pad => pad > 0))
        outputs.push(
          m.node('AveragePool', [x], { ...pool, countIncludePad: shape[0] !== 1 && random() < 0.5 }),
        )
      const label = JSON.stringify({ shape, kernel, strides, pads, groups, dilations })
      for (const name of await isExact(m.model(...outputs), random, label)) used.add(name)
    }
    assert.deepEqual([...used], ['window'])
  })

  test('products of computed matrices, in every orientation and stack', async () => {
    const random = createRandom(45)
    const used = new Set<string>()
    const size = () => oneOf(random, [1, 2, 3, 4, 5, 8, 13])
    for (let round = 0; round < 100; round++) {
      const [rows, inner, columns] = [size(), size(), size()]
      const [transA, transB] = [random() < 0.5, random() < 0.5]
      const m = new ModelSketch()
      const a = m.input('a', transA ? [inner, rows] : [rows, inner])
      const b = m.input('b', transB ? [columns, inner] : [inner, columns])
      const bias = oneOf(random, [undefined, [columns], [1, columns], [rows, 1], [rows, columns], [1]])
      const c = bias && (random() < 0.5 ? m.input('c', bias) : m.tensor(randomDense(random, bias)))
      const attributes = { alpha: oneOf(random, [1, 0.3]), beta: oneOf(random, [1, 0.7]), transA, transB }
      const outputs = [m.node('Gemm', [a, b, ...(c ? [c] : [])], attributes)]
      const [left, right] = oneOf(random, [
        [
          [2, 3],
          [2, 3],
        ],
        [[3], [2, 1]],
        [[2, 1], [3]],
        [[], [4]],
      ] as const)
      const [p, q] = [m.input('p', [...left, rows, inner]), m.input('q', [...right, inner, columns])]
      const stored = m.tensor(randomTernary(random, [2, 1, inner, columns], 0.4))
      outputs.push(m.node('MatMul', [p, q], {}))
      if (left.length < 2) outputs.push(m.node('MatMul', [p, stored], {}))
      const label = JSON.stringify({ rows, inner, columns, attributes, bias, left, right })
      for (const name of await isExact(m.model(...outputs), random, label)) used.add(name)
    }
    assert.deepEqual([...used], ['product'])
  })

  test('sums and means over one axis that is not the last', async () => {
    const random = createRandom(46)
    const used = new Set<string>()
    for (const shape of [
      [1, 5, 7, 3],
      [4, 9],
      [1, 30, 2, 2],
      [3, 2, 5, 1, 4],
    ]) {
      for (let axis = 0; axis < shape.length - 1; axis++) {
        const m = new ModelSketch()
        const x = m.input('x', shape)
        const outputs = [
          m.node('ReduceMean', [x], { axes: [axis], keepDims: true }),
          m.node('ReduceSum', [x], { axes: [axis], keepDims: false }),
        ]
        for (const name of await isExact(m.model(...outputs), random, `${shape} over ${axis}`)) used.add(name)
      }
    }
    assert.deepEqual([...used], ['fold'])
  })

  test('stored tensors as operands of whatever moves or chooses numbers', async () => {
    const random = createRandom(47)
    const m = new ModelSketch()
    const x = m.input('x', [1, 4, 6, 5])
    const dense = m.tensor(randomDense(random, [1, 4, 6, 5]))
    const ternary = m.tensor(randomTernary(random, [1, 4, 6, 5], 0.5))
    const pool = { kernel: [2, 3], strides: [1, 2], pads: [0, 0, 0, 0] } as const
    const outputs = [
      m.node('Concat', [x, dense, ternary, dense], { axis: 1 }),
      m.node('Identity', [dense], {}),
      m.node('Reshape', [ternary], { shape: [4, 30] }),
      m.node('Transpose', [dense], { perm: [3, 1, 2, 0] }),
      m.node('Relu', [dense], {}),
      m.node('MaxPool', [dense], pool),
      m.node('MaxPool', [dense], { ...pool, kernel: [2, 2], strides: [2, 2] }),
      m.node('Mul', [ternary, x], {}),
      m.node('Sub', [dense, ternary], {}),
      m.node('HardSwish', [dense], {}),
      m.node('ReduceSum', [ternary], { axes: [1], keepDims: false }),
    ]
    const used = await isExact(m.model(...outputs), random, 'stored')
    assert.equal(used.includes('reference'), false)
  })
})

/** How far a float is from what it should be, in units of that one's last digit. */
function lastDigits(found: number, exact: number): number {
  const nearest = Math.fround(exact)
  if (Object.is(found, nearest)) return 0
  if (!Number.isFinite(nearest)) return Infinity
  const exponent = Math.max(-126, Math.floor(Math.log2(Math.abs(nearest))))
  return Math.abs(found - exact) / 2 ** (exponent - 23)
}

describe('within three last digits of the true value:', () => {
  const functions = {
    Sigmoid: (x: number): number => 1 / (1 + Math.exp(-x)),
    Tanh: Math.tanh,
  } as const

  for (const op of ['Sigmoid', 'Tanh'] as const) {
    test(`${op} of floats of every size`, async t => {
      const size = 1 << 19
      const m = new ModelSketch()
      const session = await loadModel(m.model(m.node(op, [m.input('x', [1, size])], {})))
      const x = new Float32Array(size)
      const bits = new Uint32Array(x.buffer)
      let worst = 0
      // Odd, so that every exponent comes with many fractions; NaNs and infinities are among them.
      const step = 4093
      for (let first = 0; first < 2 ** 32; first += size * step) {
        for (let i = 0; i < size; i++) bits[i] = first + i * step
        const { output } = session.run(x)
        for (let i = 0; i < size; i++) worst = Math.max(worst, lastDigits(output[i]!, functions[op](x[i]!)))
      }
      t.diagnostic(`${worst.toFixed(2)} at most`)
      assert.ok(worst <= 2.5, `${worst}`)
      x.set(specials)
      const whole = specials.subarray(0, 5)
      assertSame(session.run(x).output.subarray(0, 5), Float32Array.from(whole, functions[op]), op)
    })
  }

  test('Softmax and LogSoftmax over every axis, of numbers near and far', async t => {
    const random = createRandom(48)
    let worst = 0
    for (const shape of [[1, 1000], [1, 10], [1, 21, 5, 7], [2, 3, 4, 1], [1], [5, 1, 6, 2], [3, 97]]) {
      for (let axis = 0; axis < shape.length; axis++) {
        for (const range of [1, 10, 60, 1e4]) {
          const m = new ModelSketch()
          const input = m.input('x', shape)
          const model = m.model(
            m.node('Softmax', [input], { axis }),
            m.node('LogSoftmax', [input], { axis: axis - shape.length }),
          )
          const x = randomArray(random, sizeOf(shape)).map(value => range * value)
          const [soft, logarithm] = Object.values((await loadModel(model)).run(x).outputs)
          const stride = sizeOf(shape.slice(axis + 1))
          for (let i = 0; i < x.length; i++) {
            const first = i - (Math.floor(i / stride) % shape[axis]!) * stride
            const along = Array.from({ length: shape[axis]! }, (_, k) => x[first + k * stride]!)
            const largest = Math.max(...along)
            const sum = along.reduce((total, value) => total + Math.exp(value - largest), 0)
            const shifted = x[i]! - largest
            worst = Math.max(worst, lastDigits(soft!.data[i]!, Math.exp(shifted) / sum))
            // Next to 1 a sum of doubles has no more digits, whatever its order.
            const value = shifted - Math.log(sum)
            if (Math.abs(logarithm!.data[i]! - value) < 2 ** -48) continue
            worst = Math.max(worst, lastDigits(logarithm!.data[i]!, value))
          }
        }
      }
    }
    t.diagnostic(`${worst.toFixed(2)} at most`)
    assert.ok(worst <= 3, `${worst}`)
  })

  test('Softmax of infinities and of what is no number is that of the oracle', async () => {
    for (const row of [
      [1, -Infinity, 2, -Infinity, 0],
      [-Infinity, -Infinity, -Infinity],
      [1, Infinity, 2],
      [1, NaN, 2, 3, 4, 5],
      [NaN],
      [-3.4e38, 3.4e38],
    ]) {
      const m = new ModelSketch()
      const shape = [1, row.length]
      const x = m.input('x', shape)
      const model = m.model(m.node('Softmax', [x], { axis: 1 }), m.node('LogSoftmax', [x], { axis: 1 }))
      const data = Float32Array.from(row)
      const expected = runReference(model, { x: { shape, data } })
      const { outputs } = (await loadModel(model)).run(data)
      for (const [name, values] of Object.entries(expected)) {
        for (const [i, value] of values.data.entries())
          assert.ok(lastDigits(outputs[name]!.data[i]!, value) <= 3, `${row}: ${name}[${i}]`)
      }
    }
  })
})
