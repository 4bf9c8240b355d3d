/** A small complete training step: convolution, batch normalization, pooling, a classifier and SGD with momentum. */
import { f32, Random, type Shape, type Tensor } from '../../core/index.ts'
import { GraphBuilder, gradients, type Value } from '../../graph/index.ts'
import type { Engine, Program } from '../types.ts'

const batchSize = 14
const classes = 4

export interface TrainingStep {
  readonly program: Program
  readonly state: ReadonlyMap<string, Tensor>
  readonly batch: Readonly<Record<string, Tensor>>
  readonly loss: string
}

export function trainingStep(): TrainingStep {
  const random = new Random(5)
  const drawn = (shape: Shape, scale: number) => {
    const values = f32(shape)
    for (let i = 0; i < values.data.length; i++) values.data[i] = random.normal() * scale
    return values
  }
  const b = new GraphBuilder('step')
  const image = b.input('image', [batchSize, 2, 9, 9])
  const target = b.input('target', [batchSize, classes])
  const state = new Map<string, Tensor>()
  const parameter = (name: string, value: Tensor): Value => {
    state.set(name, value)
    return b.parameter(name, value.shape)
  }
  const weight = parameter('weight', drawn([16, 2, 3, 3], 0.3))
  const scale = parameter('scale', f32([16], new Float32Array(16).fill(1)))
  const bias = parameter('bias', f32([16]))
  const classifier = parameter('classifier', drawn([classes, 144], 0.2))
  const window = { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], groups: 1 } as const
  const y = b.opAll('BatchNormalizationTraining', [b.op('Conv', [image, weight], window), scale, bias], {
    epsilon: 1e-5,
  })[0]!
  const pooled = b.op('MaxPool', [b.relu(y)], { kernel: [3, 3], strides: [2, 2], pads: [0, 0, 0, 0] })
  const logits = b.matMul(b.reshape(pooled, [batchSize, 144]), b.transpose(classifier, [1, 0]))
  const loss = b.mul(b.sum(b.mul(b.op('LogSoftmax', [logits], { axis: 1 }), target)), -1 / batchSize)
  const learned = [weight, scale, bias, classifier]
  const updates = new Map<string, string>()
  const outputs = [loss]
  for (const [index, gradient] of gradients(b, loss, learned).entries()) {
    const held = learned[index]!
    const momentum = parameter(`${held.name}.momentum`, f32(held.shape))
    const nextMomentum = b.add(b.mul(momentum, 0.9), gradient)
    const next = b.sub(held, b.mul(nextMomentum, 0.05))
    updates.set(held.name, next.name)
    updates.set(momentum.name, nextMomentum.name)
    outputs.push(next, nextMomentum)
  }
  const hot = f32([batchSize, classes])
  for (let i = 0; i < batchSize; i++) hot.data[i * classes + (i % classes)] = 1
  return {
    program: { graph: b.build(outputs), state: updates },
    state,
    batch: { image: drawn([batchSize, 2, 9, 9], 1), target: hot },
    loss: loss.name,
  }
}

/** The losses of `steps` steps on one batch and the parameters after them. */
export async function train(
  engine: Engine,
  steps: number,
): Promise<{ losses: number[]; state: Map<string, Tensor> }> {
  const { program, state, batch, loss } = trainingStep()
  const executable = await engine.load(program)
  await executable.setState(state)
  const runs = Array.from({ length: steps }, () => executable.run(batch))
  const losses = (await Promise.all(runs)).map(outputs => outputs[loss]!.data[0] as number)
  const after = await executable.getState()
  await executable.release()
  return { losses, state: after }
}
