/** A whole training step as one graph: forward, loss, derivative, update, running statistics, metrics. */
import { f32, SternaError, type Tensor } from '../core/index.ts'
import type { Program } from '../engine/index.ts'
import {
  type Graph,
  GraphBuilder,
  type GraphNode,
  gradients,
  replay,
  type Value,
  withBatchSize,
} from '../graph/index.ts'
import type { Quantized } from '../ternary/index.ts'
import { type ParameterGroup, parameterGroups, type TrainConfig } from './config.ts'
import { buildLoss } from './loss.ts'
import { buildUpdate, momentsOf, type StepScalars } from './optimiser.ts'
import { type QuantizedLayer, type QuantizedLayers, stateKey } from './quantized-network.ts'

/** Inputs of the step beside the images and the optimiser's scalars. */
export interface DropoutMask {
  readonly input: string
  readonly shape: readonly number[]
  readonly ratio: number
}

export interface StepProgram {
  readonly program: Program
  readonly dropoutMasks: readonly DropoutMask[]
  /** Optimiser tensors to start from, all zero. */
  readonly moments: ReadonlyMap<string, Tensor>
  readonly outputs: { readonly loss: string; readonly correct: string }
}

export const stepInputs = {
  images: 'step/images',
  oneHot: 'step/oneHot',
  learningRate: (group: ParameterGroup) => `step/learningRate/${group}`,
  firstCorrection: 'step/firstCorrection',
  secondCorrection: 'step/secondCorrection',
} as const

export type StepConfig = Pick<TrainConfig, 'loss' | 'optimiser' | 'weightDecay' | 'batchSize'>

/**
 * Builds the step for a single-input, single-output classifier graph. Parameters keep their names; optimiser
 * tensors and quantizer state lie beside them under `parameter@name`.
 */
export function buildStep(inference: Graph, layers: QuantizedLayers, config: StepConfig): StepProgram {
  const step = new StepBuilder(inference, layers, config)
  return step.build()
}

/** A quantized weight inside the step graph. */
interface QuantizedEdge {
  readonly layer: QuantizedLayer
  readonly latent: Value
  readonly state: Readonly<Record<string, Value>>
  readonly quantized: Quantized
}

class StepBuilder {
  readonly #b: GraphBuilder
  readonly #graph: Graph
  readonly #layers: QuantizedLayers
  readonly #config: StepConfig
  readonly #values = new Map<string, Value>()
  readonly #next = new Map<string, Value>()
  readonly #moments = new Map<string, Tensor>()
  readonly #masks: DropoutMask[] = []
  readonly #statistics = new Set<string>()
  readonly #quantized = new Map<string, QuantizedEdge>()

  constructor(inference: Graph, layers: QuantizedLayers, config: StepConfig) {
    this.#graph = withBatchSize(inference, config.batchSize)
    this.#b = new GraphBuilder(`${inference.name} training step`)
    this.#layers = layers
    this.#config = config
  }

  build(): StepProgram {
    const b = this.#b
    const { input, output } = singleEdges(this.#graph)
    const images = b.input(stepInputs.images, input.shape)
    const oneHot = b.input(stepInputs.oneHot, output.shape)
    this.#values.set(input.name, images)
    const scalars = this.#scalars()

    for (const parameter of this.#graph.parameters) this.#declare(parameter)
    replay(b, this.#graph, { values: this.#values, replace: (node, inputs) => this.#train(node, inputs) })

    const logits = this.#values.get(output.name)!
    const loss = buildLoss(b, this.#config.loss, logits, oneHot)
    const trained = this.#graph.parameters.filter(parameter => !this.#statistics.has(parameter.name))
    const found = gradients(
      b,
      loss,
      trained.map(parameter => this.#values.get(parameter.name)!),
    )
    trained.forEach((parameter, index) => {
      const edge = this.#quantized.get(parameter.name)
      if (edge === undefined) this.#updatePlain(parameter.name, found[index]!, scalars)
      else this.#updateQuantized(parameter.name, edge, found[index]!, scalars)
    })

    const correct = countCorrect(b, logits, oneHot)
    return {
      program: {
        graph: b.build([loss, correct, ...this.#next.values()]),
        state: new Map([...this.#next].map(([name, value]) => [name, value.name])),
      },
      dropoutMasks: this.#masks,
      moments: this.#moments,
      outputs: { loss: loss.name, correct: correct.name },
    }
  }

  #scalars(): Readonly<Record<ParameterGroup, StepScalars>> {
    const b = this.#b
    const isAdam = this.#config.optimiser.kind === 'adam'
    const one = b.constant(1)
    const firstCorrection = isAdam ? b.input(stepInputs.firstCorrection, []) : one
    const secondCorrection = isAdam ? b.input(stepInputs.secondCorrection, []) : one
    const entry = (group: ParameterGroup): StepScalars => ({
      learningRate: b.input(stepInputs.learningRate(group), []),
      firstCorrection,
      secondCorrection,
    })
    return Object.fromEntries(parameterGroups.map(group => [group, entry(group)])) as Record<
      ParameterGroup,
      StepScalars
    >
  }

  #declare(parameter: Value): void {
    const b = this.#b
    const value = b.parameter(parameter.name, parameter.shape)
    const layer = this.#layers.get(parameter.name)
    if (layer === undefined) {
      this.#values.set(parameter.name, value)
      return
    }
    const initial = layer.stateShapes
    const state = Object.fromEntries(
      layer.stateNames.map((short, index) => [
        short,
        b.parameter(stateKey(parameter.name, short), initial[index]!),
      ]),
    )
    const quantized = b.scope(`quantize/${parameter.name}`, () =>
      layer.quantizer.forward(b, value, state, layer.context),
    )
    this.#quantized.set(parameter.name, { layer, latent: value, state, quantized })
    this.#values.set(parameter.name, quantized.weight)
  }

  /** Operators that behave differently in training. */
  #train(node: GraphNode, inputs: readonly Value[]): readonly Value[] | undefined {
    const b = this.#b
    if (node.op === 'BatchNormalization') return this.#normalize(node, inputs)
    if (node.op === 'Dropout' && node.attributes.ratio > 0) {
      const mask = b.input(`step/dropout/${node.name}`, inputs[0]!.shape)
      this.#masks.push({ input: mask.name, shape: mask.shape, ratio: node.attributes.ratio })
      return [b.mul(inputs[0]!, mask)]
    }
    return undefined
  }

  /** Batch statistics forward; running ← momentum·running + (1 − momentum)·batch, with the unbiased variance. */
  #normalize(
    node: GraphNode & { readonly op: 'BatchNormalization' },
    inputs: readonly Value[],
  ): readonly Value[] {
    const b = this.#b
    const [x, scale, bias] = inputs as readonly [Value, Value, Value]
    const { epsilon, momentum } = node.attributes
    const [y, mean, variance] = b.append(
      'BatchNormalizationTraining',
      [x, scale, bias],
      { epsilon },
      node.name,
    )
    const count = x.shape.reduce((product, size, axis) => (axis === 1 ? product : product * size), 1)
    const unbiased = b.mul(variance!, count / Math.max(1, count - 1))
    const [, , , meanName, varianceName] = node.inputs
    for (const [name, batch] of [
      [meanName!, mean!],
      [varianceName!, unbiased],
    ] as const) {
      this.#statistics.add(name)
      const running = this.#values.get(name)!
      this.#next.set(name, b.add(b.mul(running, momentum), b.mul(batch, 1 - momentum)))
    }
    return [y!]
  }

  #updatePlain(name: string, gradient: Value, scalars: Readonly<Record<ParameterGroup, StepScalars>>): void {
    this.#next.set(name, this.#step(name, this.#values.get(name)!, gradient, 'rest', scalars))
  }

  #updateQuantized(
    name: string,
    { layer, latent, state, quantized }: QuantizedEdge,
    gradient: Value,
    scalars: Readonly<Record<ParameterGroup, StepScalars>>,
  ): void {
    const b = this.#b
    const { quantizer, context } = layer
    b.scope(`update/${name}`, () => {
      const found = quantizer.backward(b, gradient, latent, state, quantized, context)
      let nextLatent = latent
      if (found.latent !== undefined) nextLatent = this.#step(name, latent, found.latent, 'latent', scalars)
      const nextState = { ...state }
      for (const [short, stateGradient] of Object.entries(found.state)) {
        nextState[short] = this.#step(stateKey(name, short), state[short]!, stateGradient, 'state', scalars)
      }
      const constrained = quantizer.constrain?.(b, nextLatent, nextState, context)
      nextLatent = constrained?.latent ?? nextLatent
      if (nextLatent !== latent) this.#next.set(name, nextLatent)
      for (const short of layer.stateNames) {
        const value = constrained?.state?.[short] ?? nextState[short]!
        if (value !== state[short]) this.#next.set(stateKey(name, short), value)
      }
    })
  }

  #step(
    name: string,
    parameter: Value,
    gradient: Value,
    group: ParameterGroup,
    scalars: Readonly<Record<ParameterGroup, StepScalars>>,
  ): Value {
    const b = this.#b
    const { optimiser, weightDecay } = this.#config
    const keys = momentsOf(optimiser).map(moment => stateKey(name, moment))
    const moments = keys.map(key => {
      this.#moments.set(key, f32(parameter.shape))
      return b.parameter(key, parameter.shape)
    })
    const update = buildUpdate(b, optimiser, parameter, gradient, moments, weightDecay[group], scalars[group])
    for (const [index, key] of keys.entries()) this.#next.set(key, update.moments[index]!)
    return update.parameter
  }
}

/** The image input and the logits of a classifier graph. */
export function singleEdges(graph: Graph): { readonly input: Value; readonly output: Value } {
  const [input, secondInput] = graph.inputs
  const [outputName, secondOutput] = graph.outputs
  const output = graph.values.get(outputName ?? '')
  if (
    input === undefined ||
    output === undefined ||
    secondInput !== undefined ||
    secondOutput !== undefined
  ) {
    throw new SternaError(
      'graph/shape',
      `graph "${graph.name}": expected one input and one output, found ${graph.inputs.length} and ${graph.outputs.length}`,
    )
  }
  if (output.shape.length !== 2) {
    throw new SternaError(
      'graph/shape',
      `graph "${graph.name}": expected logits [N, K], found [${output.shape}]`,
    )
  }
  return { input, output }
}

/** How many rows have their largest logit at the label (a tie counts), shape []. */
function countCorrect(b: GraphBuilder, logits: Value, oneHot: Value): Value {
  const chosen = b.sum(b.mul(logits, oneHot), [1])
  const wrong = b.isPositive(b.sub(b.reduceMax(logits, [1]), chosen))
  return b.sub(logits.shape[0]!, b.sum(wrong))
}
