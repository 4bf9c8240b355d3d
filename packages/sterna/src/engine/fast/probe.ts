/** Two programs that tell whether the blocked kernels are there: one shows the block, one is a training step. */
import { f32, Random, type Shape, type Tensor } from '../../core/index.ts'
import type { OnnxModel } from '../../formats/onnx/index.ts'
import { GraphBuilder, gradients, type Value } from '../../graph/index.ts'
import type { Program } from '../types.ts'
import { nchwcDomain } from './blocked-emission.ts'

/** Blocks that the kernels of some CPU have. */
const blocks = [8, 16] as const
const channels = 32

/** x [1, 32, 1, 2] -> y, the same numbers in blocks of channels. */
export const blockModel: OnnxModel = {
  irVersion: 10,
  producer: 'sterna',
  opsets: [
    { domain: '', version: 21 },
    { domain: nchwcDomain, version: 1 },
  ],
  graph: {
    name: 'block',
    nodes: [
      {
        opType: 'ReorderInput',
        domain: nchwcDomain,
        name: 'y',
        inputs: ['x'],
        outputs: ['y'],
        attributes: {},
      },
    ],
    initializers: new Map(),
    inputs: [{ name: 'x', dtype: 'f32', shape: [1, channels, 1, 2] }],
    outputs: [{ name: 'y', dtype: 'f32', shape: [1, channels, 1, 2] }],
  },
}

/** Numbers that tell their place. */
export const blockInput: Tensor<'f32'> = f32(
  [1, channels, 1, 2],
  Float32Array.from({ length: channels * 2 }, (_, place) => place),
)

/** The block in which `y` of `blockModel` lies; undefined if in none that is known. */
export function blockOf(y: ArrayLike<number>): number | undefined {
  return blocks.find(block =>
    Array.from({ length: channels * 2 }, (_, at) => {
      const first = Math.floor(at / (2 * block)) * block
      const column = Math.floor(at / block) % 2
      return (first + (at % block)) * 2 + column
    }).every((place, at) => y[at] === place),
  )
}

export interface TestStep {
  readonly program: Program
  readonly state: ReadonlyMap<string, Tensor>
  readonly inputs: Readonly<Record<string, Tensor>>
}

/** Batches to test: one that is padded to whole blocks, one that is not. */
export function testBatches(block: number): readonly number[] {
  return [2 * block - 2, block + 2]
}

/**
 * One step of a small network that meets every blocked kernel: an image of 3 channels, strides, a residual sum, both
 * forms of maximum pooling, the global average, batch normalization.
 */
export function testStep(block: number, batch: number): TestStep {
  const random = new Random(11)
  const b = new GraphBuilder('self-test')
  const state = new Map<string, Tensor>()
  const learned: Value[] = []
  const drawn = (shape: Shape, scale: number, offset = 0) =>
    f32(
      shape,
      Float32Array.from(
        { length: shape.reduce((size, length) => size * length, 1) },
        () => offset + scale * random.normal(),
      ),
    )
  const parameter = (name: string, value: Tensor): Value => {
    state.set(name, value)
    const held = b.parameter(name, value.shape)
    learned.push(held)
    return held
  }
  const window = { strides: [1, 1], dilations: [1, 1], pads: [1, 1, 1, 1], groups: 1 } as const
  const layer = (x: Value, name: string, filters: number, kernel: number, stride: number): Value => {
    const pad = (kernel - 1) / 2
    const fanIn = x.shape[1]! * kernel * kernel
    const weight = parameter(`${name}.weight`, drawn([filters, x.shape[1]!, kernel, kernel], fanIn ** -0.5))
    const y = b.op('Conv', [x, weight], { ...window, strides: [stride, stride], pads: [pad, pad, pad, pad] })
    const scale = parameter(`${name}.scale`, drawn([filters], 0.1, 1))
    const bias = parameter(`${name}.bias`, drawn([filters], 0.1))
    return b.opAll('BatchNormalizationTraining', [y, scale, bias], { epsilon: 1e-5 })[0]!
  }
  const image = b.input('image', [batch, 3, 8, 8])
  const first = b.relu(layer(image, 'first', block, 3, 1))
  const sum = b.relu(b.add(layer(first, 'second', block, 3, 1), first))
  const pairs = b.op('MaxPool', [sum], { kernel: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0] })
  const pooled = b.op('MaxPool', [pairs], { kernel: [3, 3], strides: [1, 1], pads: [1, 1, 1, 1] })
  const main = layer(b.relu(layer(pooled, 'third', 2 * block, 3, 2)), 'fourth', 2 * block, 3, 1)
  const last = b.relu(b.add(main, layer(pooled, 'shortcut', 2 * block, 1, 2)))
  const features = b.reshape(b.op('GlobalAveragePool', [last], {}), [batch, 2 * block])
  const loss = b.mean(b.mul(features, b.input('target', [batch, 2 * block])))
  const updates = new Map<string, string>()
  const outputs = [loss]
  for (const [index, gradient] of gradients(b, loss, learned).entries()) {
    const next = b.sub(learned[index]!, gradient)
    updates.set(learned[index]!.name, next.name)
    outputs.push(next)
  }
  return {
    program: { graph: b.build(outputs), state: updates },
    state,
    inputs: { image: drawn([batch, 3, 8, 8], 1), target: drawn([batch, 2 * block], 30) },
  }
}
