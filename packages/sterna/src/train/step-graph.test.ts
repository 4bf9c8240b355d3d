import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import type { Tensor } from '../core/index.ts'
import { createEngine } from '../engine/index.node.ts'
import type { Executable } from '../engine/index.ts'
import { generate } from '../graph/testing/pytorch.node.ts'
import { lenet5 } from '../models/index.ts'
import { createQuantizer } from '../ternary/index.ts'
import type { OptimiserConfig, ParameterGroup } from './config.ts'
import { freezeNetwork, quantizeNetwork } from './quantized-network.ts'
import { buildStep, type StepConfig, type StepProgram, stepInputs, stepScalars } from './step-graph.ts'
import {
  assertSummary,
  fixture,
  heads,
  initialParameters,
  oneHotLabels,
  zooName,
} from './testing/lenet5-step.node.ts'
import { tinyNetwork } from './testing/tiny.ts'

const engine = await createEngine({ device: 'cpu', threads: 2 })
after(() => engine.close())

const noDecay = { latent: 0, state: 0, rest: 0 }
const sgd = { kind: 'sgd', momentum: fixture.runs.sgd.options.momentum!, nesterov: false } as const
const graph = lenet5(10, 1).graph

async function start(
  config: Omit<StepConfig, 'batchSize'>,
): Promise<{ step: StepProgram; held: Executable }> {
  const step = buildStep(graph, new Map(), { ...config, batchSize: fixture.batch })
  const held = await engine.load(step.program)
  await held.setState(new Map([...initialParameters(), ...step.moments]))
  return { step, held }
}

async function runStep(
  { step, held }: { step: StepProgram; held: Executable },
  index: number,
  rate: number,
  optimiser: OptimiserConfig,
): Promise<{ readonly loss: number; readonly correct: number }> {
  const inputs: Record<string, Tensor> = {
    [stepInputs.images]: generate(fixture.inputs[index]!),
    [stepInputs.oneHot]: oneHotLabels(fixture.labels[index]!),
    ...stepScalars({ optimiser, learningRate: { latent: rate, state: rate, rest: rate } }, index, 1),
  }
  const outputs = await held.run(inputs)
  return {
    loss: outputs[step.outputs.loss]!.data[0] as number,
    correct: outputs[step.outputs.correct]!.data[0] as number,
  }
}

function assertRelative(found: number, expected: number, tolerance: number, what: string): void {
  assert.ok(
    Math.abs(found - expected) <= tolerance * Math.abs(expected),
    `${what}: expected ${expected}, found ${found}`,
  )
}

// The fixture is float64. PyTorch's own float32 gradients lie up to 2.7e-6 from it (relative L2, its
// `float32Deviation`), running statistics closer; another order of summation may double that.
const gradientTolerance = 6e-6

describe("LeNet-5's training step against PyTorch", () => {
  it('has the gradients and running statistics of the first step', async () => {
    const started = await start({ loss: 'cross-entropy', optimiser: sgd, weightDecay: noDecay })
    await runStep(started, 0, 0.01, sgd)
    const state = await started.held.getState()
    for (const [name, expected] of Object.entries(fixture.step1.gradients)) {
      if (fixture.zeroGradient.includes(name)) continue
      // The momentum tensor starts at zero and no weight decays, so it holds the gradient.
      assertSummary(
        state.get(`${zooName(name)}@momentum`)!,
        expected,
        gradientTolerance,
        `gradient of ${name}`,
      )
    }
    for (const [name, expected] of Object.entries(fixture.step1.running)) {
      assertSummary(state.get(zooName(name))!, expected, gradientTolerance, name)
    }
    await started.held.release()
  })

  it('finds rounding only where the gradient is zero, before batch norm', async () => {
    const started = await start({ loss: 'cross-entropy', optimiser: sgd, weightDecay: noDecay })
    await runStep(started, 0, 0.01, sgd)
    const state = await started.held.getState()
    for (const name of fixture.zeroGradient) {
      const weight = fixture.step1.gradients[name.replace('bias', 'weight')]!
      const found = state.get(`${zooName(name)}@momentum`)!.data as Float32Array
      assert.ok(Math.hypot(...found) < 1e-5 * weight.l2, `${name}: ${Math.hypot(...found)}`)
    }
    await started.held.release()
  })

  it('takes three steps of SGD with momentum and weight decay', async () => {
    const { options, losses } = fixture.runs.sgd
    const decay = options.weightDecay!
    await takesThreeSteps('sgd', sgd, { latent: decay, state: decay, rest: decay }, losses)
  })

  it('takes three steps of Adam', async () => {
    const { beta1, beta2, epsilon } = fixture.runs.adam.options as Record<string, number>
    const adam = { kind: 'adam', beta1: beta1!, beta2: beta2!, epsilon: epsilon! } as const
    await takesThreeSteps('adam', adam, noDecay, fixture.runs.adam.losses)
  })

  for (const [loss, expected] of heads) {
    it(`has the loss of the ${loss} head`, async () => {
      const started = await start({ loss, optimiser: sgd, weightDecay: noDecay })
      const found = await runStep(started, 0, 0, sgd)
      assertRelative(found.loss, expected.loss, 2e-6, 'loss')
      const right = fixture.labels[0]!.filter((label, row) => {
        const logits = expected.logits.slice(row * 10, row * 10 + 10)
        return logits.indexOf(Math.max(...logits)) === label
      })
      assert.equal(found.correct, right.length)
      await started.held.release()
    })
  }
})

async function takesThreeSteps(
  name: 'sgd' | 'adam',
  optimiser: OptimiserConfig,
  weightDecay: Readonly<Record<ParameterGroup, number>>,
  losses: readonly number[],
): Promise<void> {
  const run = fixture.runs[name]
  const started = await start({ loss: 'cross-entropy', optimiser, weightDecay })
  for (const [index, expected] of losses.entries()) {
    const { loss } = await runStep(started, index, run.options.rate!, optimiser)
    assertRelative(loss, expected, 5e-6, `loss of step ${index + 1}`)
  }
  const state = await started.held.getState()
  for (const [parameter, expected] of Object.entries(run.parametersAfterStep3)) {
    if (fixture.zeroGradient.includes(parameter)) continue
    // Adam divides by the gradient's own size, so where that is near zero float32 decides: PyTorch's own
    // deviation (7e-4 at norm2.bias) says where.
    const tolerance = 1e-6 + 4 * run.float32Deviation[parameter]!
    assertSummary(state.get(zooName(parameter))!, expected, tolerance, `${parameter} after step 3`)
  }
  for (const [statistic, expected] of Object.entries(run.runningAfterStep3)) {
    // Adam makes steps of full size out of the rounding at the biases before batch norm; the means follow them.
    if (name === 'adam' && statistic.endsWith('.mean')) continue
    assertSummary(state.get(zooName(statistic))!, expected, 2e-5, `${statistic} after step 3`)
  }
  await started.held.release()
}

describe('the step graph', () => {
  const model = tinyNetwork()
  const stepOf = (method: string, optimiser: OptimiserConfig, frozen = false) => {
    const { layers, state } = quantizeNetwork(model, createQuantizer(method), 'all')
    const used = frozen ? freezeNetwork(layers, new Map([...model.parameters, ...state])).layers : layers
    return buildStep(model.graph, used, {
      loss: 'cross-entropy',
      optimiser,
      weightDecay: noDecay,
      batchSize: 6,
    })
  }
  const adam = { kind: 'adam', beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const
  const changedBy = ({ program }: StepProgram) => new Set(program.state.keys())

  it('updates every parameter, statistic and moment, and nothing else', () => {
    for (const [optimiser, moments] of [
      [sgd, ['momentum']],
      [adam, ['first', 'second']],
      [{ ...sgd, momentum: 0 }, []],
    ] as const) {
      const step = stepOf('float', optimiser)
      const names = [...model.parameters.keys()]
      const learned = names.filter(name => !name.includes('running'))
      const kept = learned.flatMap(name => moments.map(moment => `${name}@${moment}`))
      assert.deepEqual([...step.moments.keys()].sort(), kept.sort())
      assert.deepEqual([...changedBy(step)].sort(), [...names, ...kept].sort())
    }
  })

  it('learns latent weights and magnitudes, and lets bounds follow', () => {
    const changed = changedBy(stepOf('ec2t', adam))
    for (const name of ['', '@magnitudes', '@bounds', '@first', '@magnitudes@second']) {
      assert.ok(changed.has(`conv2.weight${name}`), name)
    }
    assert.ok(!changed.has('conv2.weight@bounds@first'))
  })

  it('leaves a frozen weight alone and its magnitudes learning', () => {
    const step = stepOf('ec2t', adam, true)
    const changed = changedBy(step)
    assert.ok(!changed.has('conv2.weight') && !step.moments.has('conv2.weight@first'))
    assert.ok(changed.has('conv2.weight@magnitudes'))
    assert.ok(changed.has('bn2.weight') && changed.has('fc.bias'))
  })

  it('takes a mask for each dropout, of the batch', () => {
    const { dropoutMasks, program } = stepOf('float', sgd)
    assert.deepEqual(dropoutMasks, [{ input: 'step/dropout/dropout', shape: [6, 200], ratio: 0.2 }])
    assert.ok(program.graph.inputs.some(input => input.name === 'step/dropout/dropout'))
    assert.ok(program.graph.nodes.every(node => node.op !== 'Dropout'))
  })

  it('asks for the corrections of Adam only where they are used', () => {
    const inputs = (step: StepProgram) => step.program.graph.inputs.map(input => input.name)
    assert.ok(inputs(stepOf('float', adam)).includes(stepInputs.firstCorrection('rest')))
    assert.ok(!inputs(stepOf('float', sgd)).includes(stepInputs.firstCorrection('rest')))
  })
})
