import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { f32, Random, type Shape, sizeOf, type Tensor } from '../../core/index.ts'
import { GraphBuilder, gradients, type Value } from '../../graph/index.ts'
import { createEngine } from '../create-engine.node.ts'
import type { Lowering } from '../lowering.ts'
import { ProgramEngine } from '../program-engine.ts'
import { WorkerClient } from '../worker-client.node.ts'
import { createFastLowering } from './index.ts'

/** One step of gradient descent through two convolutions with batch norm and ReLU, the second around a residual. */
function trainingStep() {
  const random = new Random(3)
  const drawn = (shape: Shape) =>
    f32(
      shape,
      Float32Array.from({ length: sizeOf(shape) }, () => random.normal()),
    )
  const b = new GraphBuilder('step')
  const state = new Map<string, Tensor>()
  const learned: Value[] = []
  const parameter = (shape: Shape): Value => {
    const value = b.parameter(`p${learned.length}`, shape)
    state.set(value.name, drawn(shape))
    learned.push(value)
    return value
  }
  const conv = (x: Value, channels: number) => {
    const window = { strides: [1, 1], dilations: [1, 1], pads: [1, 1, 1, 1], groups: 1 } as const
    const y = b.op('Conv', [x, parameter([32, channels, 3, 3])], window)
    return b.opAll('BatchNormalizationTraining', [y, parameter([32]), parameter([32])], { epsilon: 1e-5 })[0]!
  }
  const image = [16, 32, 8, 6]
  const first = b.relu(conv(b.input('image', image), 32))
  const second = b.relu(b.add(conv(first, 32), first))
  const loss = b.mean(b.mul(b.relu(conv(second, 32)), b.constant(drawn(image))))
  const updates = gradients(b, loss, learned).map((gradient, i) => b.sub(learned[i]!, b.mul(gradient, 0.1)))
  const program = {
    graph: b.build([loss, ...updates]),
    state: new Map(updates.map((value, i) => [learned[i]!.name, value.name])),
  }
  return { program, state, inputs: { image: drawn(image) } }
}

const { program, state, inputs } = trainingStep()
const mapBytes = 4 * sizeOf(inputs.image.shape)
const again = (lowering: Lowering) =>
  lowering.lower(program, 'cpu').model.graph.nodes.filter(({ name }) => name.endsWith('~again'))

describe('normalized maps', () => {
  it('are computed again for the gradient where they are large, and where no residual is added to them', () => {
    // Of the second, the ReLU's input is gone: the residual has been added within.
    assert.equal(again(createFastLowering(16, mapBytes)).length, 2)
    assert.equal(again(createFastLowering(16, mapBytes + 1)).length, 0)
    assert.equal(again(createFastLowering(16)).length, 0)
  })

  it('are not where nothing comes after them', () => {
    const b = new GraphBuilder('forward')
    const x = b.input('image', inputs.image.shape)
    const y = b.op('Conv', [x, b.parameter('weight', [32, 32, 1, 1])], {
      strides: [1, 1],
      dilations: [1, 1],
      pads: [0, 0, 0, 0],
      groups: 1,
    })
    const statistics = ['scale', 'bias', 'mean', 'variance'].map(name => b.parameter(name, [32]))
    const z = b.relu(b.op('BatchNormalization', [y, ...statistics], { epsilon: 1e-5, momentum: 0.9 }))
    const forward = { graph: b.build([z]), state: new Map() }
    const { nodes } = createFastLowering(16, 0).lower(forward, 'cpu').model.graph
    assert.ok(!nodes.some(({ name }) => name.endsWith('~again')))
  })
})

const probe = await createEngine({ device: 'cpu', lowering: 'auto' })
await probe.close()

describe('training with maps computed again', {
  skip: probe.lowering !== 'fast' && probe.loweringReason,
}, () => {
  const client = new WorkerClient()
  after(() => client.close())

  it('changes no bit', async () => {
    await client.call('open', { device: 'cpu', threads: 2, spin: false, strict: false }, 'engine')
    const trajectory = async (lowering: Lowering) => {
      const setup = { device: 'cpu', reason: '', threads: 2, loweringReason: '', lowering } as const
      const executable = await new ProgramEngine(client, setup).load(program)
      await executable.setState(state)
      const losses: unknown[] = []
      for (let i = 0; i < 3; i++) losses.push(...Object.values(await executable.run(inputs)))
      return { losses, state: await executable.getState() }
    }
    assert.deepEqual(await trajectory(createFastLowering(16, 0)), await trajectory(createFastLowering(16)))
  })
})
