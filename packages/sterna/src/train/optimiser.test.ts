import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { f32, scalar, type Tensor } from '../core/index.ts'
import { createEngine } from '../engine/index.node.ts'
import { GraphBuilder } from '../graph/index.ts'
import type { OptimiserConfig } from './config.ts'
import { buildUpdate, momentsOf } from './optimiser.ts'

const engine = await createEngine({ device: 'cpu', threads: 1 })
after(() => engine.close())

const rate = 0.1
const decay = 0.01
const start = [1, -2, 0.5]
const gradientOf = (step: number) => [0.3 + step, -0.1 * step, 2 - step]

/** The parameter after some steps in double precision: the formulas as their papers write them. */
function reference(optimiser: OptimiserConfig, steps: number): number[] {
  return start.map((initial, index) => {
    let w = initial
    let first = 0
    let second = 0
    for (let step = 1; step <= steps; step++) {
      const g = gradientOf(step)[index]! + decay * w
      if (optimiser.kind === 'sgd') {
        first = optimiser.momentum * first + g
        w -= rate * (optimiser.nesterov ? g + optimiser.momentum * first : first)
      } else {
        const { beta1, beta2, epsilon } = optimiser
        first = beta1 * first + (1 - beta1) * g
        second = beta2 * second + (1 - beta2) * g * g
        w -= (rate * first) / (1 - beta1 ** step) / (Math.sqrt(second / (1 - beta2 ** step)) + epsilon)
      }
    }
    return w
  })
}

async function run(optimiser: OptimiserConfig, steps: number): Promise<Float32Array> {
  const b = new GraphBuilder('update')
  const parameter = b.parameter('w', [3])
  const moments = momentsOf(optimiser).map(name => b.parameter(name, [3]))
  const scalars = {
    learningRate: b.input('rate', []),
    firstCorrection: b.input('first correction', []),
    secondCorrection: b.input('second correction', []),
  }
  const update = buildUpdate(b, optimiser, parameter, b.input('g', [3]), moments, decay, scalars)
  // The inputs that SGD leaves alone must lead somewhere.
  const unused = b.add(scalars.firstCorrection, scalars.secondCorrection)
  const state = new Map([['w', update.parameter.name]])
  moments.forEach((moment, index) => {
    state.set(moment.name, update.moments[index]!.name)
  })
  const graph = b.build([update.parameter, ...update.moments, unused])
  const executable = await engine.load({ graph, state })
  await executable.setState(
    new Map<string, Tensor>([
      ['w', f32([3], start)],
      ...moments.map(({ name }) => [name, f32([3])] as const),
    ]),
  )
  for (let step = 1; step <= steps; step++) {
    const { beta1, beta2 } = optimiser.kind === 'adam' ? optimiser : { beta1: 0, beta2: 0 }
    await executable.run({
      rate: scalar(rate),
      g: f32([3], gradientOf(step)),
      'first correction': scalar(1 / (1 - beta1 ** step)),
      'second correction': scalar(1 / Math.sqrt(1 - beta2 ** step)),
    })
  }
  const found = (await executable.getState(['w'])).get('w')!.data as Float32Array
  await executable.release()
  return found
}

const cases: readonly (readonly [string, OptimiserConfig])[] = [
  ['SGD', { kind: 'sgd', momentum: 0, nesterov: false }],
  ['SGD with momentum', { kind: 'sgd', momentum: 0.9, nesterov: false }],
  ["SGD with Nesterov's momentum", { kind: 'sgd', momentum: 0.9, nesterov: true }],
  ['Adam', { kind: 'adam', beta1: 0.8, beta2: 0.95, epsilon: 1e-3 }],
]

describe('five updates with weight decay are those of the formulas', () => {
  for (const [title, optimiser] of cases) {
    it(title, async () => {
      const found = await run(optimiser, 5)
      reference(optimiser, 5).forEach((expected, index) => {
        assert.ok(Math.abs(found[index]! - expected) < 2e-6, `${index}: ${expected}, found ${found[index]}`)
      })
    })
  }

  it('keeps no tensor it does not need', () => {
    assert.deepEqual(
      cases.map(([, optimiser]) => momentsOf(optimiser).length),
      [0, 1, 1, 2],
    )
  })
})
