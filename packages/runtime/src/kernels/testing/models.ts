/** Small packed models with seeded random weights, for tests and benchmarks. */
import type { PackedModel, PackedNode, PackedTensor, TernaryTensor } from '../../file/types.ts'
import type { InferenceOperatorName, InferenceOperators } from '../../operators.ts'

/** Seeded uniform numbers in [0, 1). */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    // xorshift32, after one scrambling step so that small seeds differ at once
    state = (state + 0x9e3779b9) >>> 0
    let x = state
    x = Math.imul(x ^ (x >>> 16), 0x21f0aaad)
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97)
    return ((x ^ (x >>> 15)) >>> 0) / 2 ** 32
  }
}

export type Random = () => number

export const randomArray = (random: Random, length: number): Float32Array =>
  Float32Array.from({ length }, () => 2 * random() - 1)

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)

export function randomDense(random: Random, shape: readonly number[]): PackedTensor {
  return { kind: 'dense', storage: 'f32', shape, data: randomArray(random, sizeOf(shape)) }
}

/** Weights of 8 bits with a scale for each filter. */
export function randomInt8(random: Random, shape: readonly number[]): PackedTensor {
  const codes = Int8Array.from({ length: sizeOf(shape) }, () => Math.round(254 * random()) - 127)
  const scale = Float32Array.from({ length: shape[0]! }, () => 0.002 + 0.001 * random())
  const depth = codes.length / shape[0]!
  const data = Float32Array.from(codes, (code, i) => code * scale[Math.floor(i / depth)]!)
  return { kind: 'dense', storage: 'i8', shape, data, codes, scale }
}

/** @param zeros share of weights that are 0; @param magnitudes numbers of (w_p, w_n) pairs: 1 or one a filter */
export function randomTernary(
  random: Random,
  shape: readonly number[],
  zeros: number,
  { magnitudes = 1, equal = false }: { readonly magnitudes?: number; readonly equal?: boolean } = {},
): TernaryTensor {
  const assignment = Int8Array.from({ length: sizeOf(shape) }, () =>
    random() < zeros ? 0 : random() < 0.5 ? -1 : 1,
  )
  const magnitude = () => 0.2 + 0.1 * random()
  const positive = Float32Array.from({ length: magnitudes }, magnitude)
  const negative = equal ? positive.slice() : Float32Array.from({ length: magnitudes }, magnitude)
  return { kind: 'ternary', shape, assignment, positive, negative }
}

/** Collects nodes and tensors; every method returns the name of the value it made. */
export class ModelSketch {
  readonly #nodes: PackedNode[] = []
  readonly #tensors = new Map<string, PackedTensor>()
  readonly #inputs: { name: string; shape: readonly number[] }[] = []

  input(name: string, shape: readonly number[]): string {
    this.#inputs.push({ name, shape })
    return name
  }

  tensor(tensor: PackedTensor): string {
    const name = `t${this.#tensors.size}`
    this.#tensors.set(name, tensor)
    return name
  }

  node<Name extends InferenceOperatorName>(
    op: Name,
    inputs: readonly string[],
    attributes: InferenceOperators[Name],
  ): string {
    const output = `v${this.#nodes.length}`
    const name = `${op.toLowerCase()}${this.#nodes.length}`
    this.#nodes.push({ op, name, inputs, outputs: [output], attributes } as PackedNode)
    return output
  }

  model(...outputs: string[]): PackedModel {
    return {
      name: 'sketch',
      inputs: this.#inputs,
      outputs,
      nodes: this.#nodes,
      tensors: this.#tensors,
      metadata: {},
    }
  }
}

export const convAttributes = (
  stride = 1,
  pad = 0,
  { groups = 1, dilation = 1 }: { readonly groups?: number; readonly dilation?: number } = {},
): InferenceOperators['Conv'] => ({
  strides: [stride, stride],
  dilations: [dilation, dilation],
  pads: [pad, pad, pad, pad],
  groups,
})

export const gemmAttributes: InferenceOperators['Gemm'] = { alpha: 1, beta: 1, transA: false, transB: true }

/** LeNet-5 32-64-512: x [1, 1, 28, 28] → [1, 10]; the middle layers ternary with this share of zeros. */
export function lenet5(zeros: number, seed = 1): PackedModel {
  const random = createRandom(seed)
  const m = new ModelSketch()
  const pool = { kernel: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0] } as const
  const layer = (shape: readonly number[], bias = shape[0]!) => [
    m.tensor(randomTernary(random, shape, zeros)),
    m.tensor(randomDense(random, [bias])),
  ]
  let x = m.input('x', [1, 1, 28, 28])
  x = m.node(
    'Conv',
    [x, m.tensor(randomDense(random, [32, 1, 5, 5])), m.tensor(randomDense(random, [32]))],
    convAttributes(),
  )
  x = m.node('MaxPool', [m.node('Relu', [x], {})], pool)
  x = m.node('Conv', [x, ...layer([64, 32, 5, 5])], convAttributes())
  x = m.node('MaxPool', [m.node('Relu', [x], {})], pool)
  x = m.node('Flatten', [x], { axis: 1 })
  x = m.node('Relu', [m.node('Gemm', [x, ...layer([512, 1024])], gemmAttributes)], {})
  x = m.node(
    'Gemm',
    [x, m.tensor(randomDense(random, [10, 512])), m.tensor(randomDense(random, [10]))],
    gemmAttributes,
  )
  return m.model(x)
}

/** ResNet-20 for CIFAR with option A shortcuts: x [1, 3, 32, 32] → [1, 10]; first and last layer stay dense. */
export function resnet20(zeros: number, seed = 1): PackedModel {
  const random = createRandom(seed)
  const m = new ModelSketch()
  const bias = (size: number) => m.tensor(randomDense(random, [size]))
  const relu = (x: string) => m.node('Relu', [x], {})
  let x = m.input('x', [1, 3, 32, 32])
  x = relu(m.node('Conv', [x, m.tensor(randomDense(random, [16, 3, 3, 3])), bias(16)], convAttributes(1, 1)))
  let width = 16
  for (const stage of [16, 32, 64]) {
    for (let block = 0; block < 3; block++) {
      const stride = stage > width ? 2 : 1
      const conv = (value: string, inputs: number, step: number) =>
        m.node(
          'Conv',
          [value, m.tensor(randomTernary(random, [stage, inputs, 3, 3], zeros)), bias(stage)],
          convAttributes(step, 1),
        )
      const body = conv(relu(conv(x, width, stride)), stage, 1)
      let shortcut = x
      if (stride === 2) {
        const far = Number.MAX_SAFE_INTEGER
        shortcut = m.node('Slice', [x], { starts: [0, 0], ends: [far, far], axes: [2, 3], steps: [2, 2] })
        const quarter = stage / 4
        shortcut = m.node('Pad', [shortcut], { pads: [0, quarter, 0, 0, 0, quarter, 0, 0], value: 0 })
      }
      x = relu(m.node('Add', [body, shortcut], {}))
      width = stage
    }
  }
  x = m.node('Flatten', [m.node('GlobalAveragePool', [x], {})], { axis: 1 })
  x = m.node('Gemm', [x, m.tensor(randomDense(random, [10, 64])), bias(10)], gemmAttributes)
  return m.model(x)
}

/** An inverted residual block of MobileNetV3 with squeeze-and-excite: x [1, 16, 14, 14] → the same. */
export function mobileBlock(zeros: number, seed = 1): PackedModel {
  const random = createRandom(seed)
  const m = new ModelSketch()
  const conv = (value: string, shape: readonly number[], groups = 1) => {
    const weight = groups === 1 ? randomTernary(random, shape, zeros) : randomDense(random, shape)
    const inputs = [value, m.tensor(weight), m.tensor(randomDense(random, [shape[0]!]))]
    return m.node('Conv', inputs, convAttributes(1, (shape[2]! - 1) / 2, { groups }))
  }
  const x = m.input('x', [1, 16, 14, 14])
  const wide = m.node('HardSwish', [conv(x, [64, 16, 1, 1])], {})
  const map = m.node('HardSwish', [conv(wide, [64, 1, 5, 5], 64)], {})
  const squeezed = m.node('GlobalAveragePool', [map], {})
  const excited = conv(m.node('Relu', [conv(squeezed, [16, 64, 1, 1])], {}), [64, 16, 1, 1])
  const factors = m.node('HardSigmoid', [excited], { alpha: 1 / 6, beta: 0.5 })
  const scaled = m.node('Mul', [map, factors], {})
  return m.model(m.node('Add', [conv(scaled, [16, 64, 1, 1]), x], {}))
}
