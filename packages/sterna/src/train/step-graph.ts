/** A whole training step as one graph: forward, loss, derivative, update, running statistics, metrics. */
import { f32, SternaError, scalar, type Tensor } from '../core/index.ts'
import type { Program } from '../engine/index.ts'
import {
  appendNode,
  type Graph,
  GraphBuilder,
  type GraphNode,
  gradients,
  replay,
  type Value,
  withBatchSize,
  withoutUnused,
} from '../graph/index.ts'
import { type ActivationRanges, maskPooledGradients, quantizeOutputs } from '../graph/passes/index.ts'
import type { Quantized } from '../ternary/index.ts'
import { optimiserOf, type ParameterGroup, parameterGroups, type TrainConfig } from './config.ts'
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
  firstCorrection: (group: ParameterGroup) => `step/firstCorrection/${group}`,
  secondCorrection: (group: ParameterGroup) => `step/secondCorrection/${group}`,
} as const

export type StepConfig = Pick<
  TrainConfig,
  'loss' | 'optimiser' | 'groupOptimisers' | 'weightDecay' | 'batchSize' | 'activations'
>

/** The inputs that the host computes anew for step `index`, counted from 0; `factor` is the schedule's. */
export function stepScalars(
  config: Pick<TrainConfig, 'optimiser' | 'groupOptimisers' | 'learningRate'>,
  index: number,
  factor: number,
): Record<string, Tensor> {
  const inputs: Record<string, Tensor> = {}
  for (const group of parameterGroups) {
    inputs[stepInputs.learningRate(group)] = scalar(config.learningRate[group] * factor)
    const optimiser = optimiserOf(config, group)
    if (optimiser.kind !== 'adam') continue
    inputs[stepInputs.firstCorrection(group)] = scalar(1 / (1 - optimiser.beta1 ** (index + 1)))
    inputs[stepInputs.secondCorrection(group)] = scalar(1 / Math.sqrt(1 - optimiser.beta2 ** (index + 1)))
  }
  return inputs
}

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

/** What a pass over the batch steps. */
type Stepped =
  /** The state of the quantizers that update it first, and nothing else. */
  'early-state' | 'rest'

/** A pass in words of the graph: node names of all but the last one begin with the prefix. */
interface Pass {
  readonly prefix: string
  readonly steps: Stepped
}

class StepBuilder {
  readonly #b: GraphBuilder
  readonly #graph: Graph
  readonly #layers: QuantizedLayers
  readonly #config: StepConfig
  readonly #ranges: ActivationRanges
  readonly #scalars: Readonly<Record<ParameterGroup, StepScalars>>
  /** Parameters, quantizer state and constants as they are when the next pass begins, by name. */
  readonly #current = new Map<string, Value>()
  readonly #next = new Map<string, Value>()
  readonly #moments = new Map<string, Tensor>()
  readonly #masks: DropoutMask[] = []
  readonly #statistics = new Set<string>()

  constructor(inference: Graph, layers: QuantizedLayers, config: StepConfig) {
    this.#graph = withBatchSize(inference, config.batchSize)
    this.#b = new GraphBuilder(`${inference.name} training step`)
    this.#layers = layers
    this.#config = config
    this.#ranges = activationRanges(inference, config)
    this.#scalars = this.#scalarInputs()
  }

  build(): StepProgram {
    const b = this.#b
    const { input, output } = singleEdges(this.#graph)
    const images = [b.input(stepInputs.images, input.shape)]
    this.#current.set(input.name, quantizeOutputs(b, [input.name], images, this.#ranges)[0]!)
    const oneHot = b.input(stepInputs.oneHot, output.shape)
    for (const [name, constant] of this.#graph.constants) this.#current.set(name, b.constant(constant))
    for (const parameter of this.#graph.parameters) this.#declare(parameter)

    const hasEarlyState = [...this.#layers.values()].some(stepsStateFirst)
    if (hasEarlyState) this.#pass({ prefix: 'first/', steps: 'early-state' }, output.name, oneHot)
    const { loss, logits } = this.#pass({ prefix: '', steps: 'rest' }, output.name, oneHot)
    const correct = countCorrect(b, logits, oneHot)
    return {
      program: {
        graph: withoutUnused(maskPooledGradients(b.build([loss, correct, ...this.#next.values()]))),
        state: new Map([...this.#next].map(([name, value]) => [name, value.name])),
      },
      dropoutMasks: this.#masks,
      moments: this.#moments,
      outputs: { loss: loss.name, correct: correct.name },
    }
  }

  #scalarInputs(): Readonly<Record<ParameterGroup, StepScalars>> {
    const b = this.#b
    const one = b.constant(1)
    const entry = (group: ParameterGroup): StepScalars => {
      const isAdam = optimiserOf(this.#config, group).kind === 'adam'
      return {
        learningRate: b.input(stepInputs.learningRate(group), []),
        firstCorrection: isAdam ? b.input(stepInputs.firstCorrection(group), []) : one,
        secondCorrection: isAdam ? b.input(stepInputs.secondCorrection(group), []) : one,
      }
    }
    return Object.fromEntries(parameterGroups.map(group => [group, entry(group)])) as Record<
      ParameterGroup,
      StepScalars
    >
  }

  #declare({ name, shape }: Value): void {
    this.#current.set(name, this.#b.parameter(name, shape))
    const layer = this.#layers.get(name)
    layer?.stateNames.forEach((short, index) => {
      const key = stateKey(name, short)
      this.#current.set(key, this.#b.parameter(key, layer.stateShapes[index]!))
    })
  }

  /** Forward, loss, derivative and update on the current values, which it moves on. */
  #pass(pass: Pass, outputName: string, oneHot: Value): { readonly loss: Value; readonly logits: Value } {
    const b = this.#b
    const values = new Map(this.#current)
    const edges = new Map<string, QuantizedEdge>()
    for (const [name, layer] of this.#layers) {
      const edge = this.#quantize(pass, name, layer)
      edges.set(name, edge)
      values.set(name, edge.quantized.weight)
    }
    const firstNode = b.nodes.length
    replay(b, this.#graph, {
      values,
      replace: (node, inputs) =>
        quantizeOutputs(b, node.outputs, this.#train(pass, node, inputs), this.#ranges),
    })

    const logits = values.get(outputName)!
    const loss = buildLoss(b, this.#config.loss, logits, oneHot)
    const isStepped = (name: string) =>
      pass.steps === 'rest' ? !this.#statistics.has(name) : this.#isEarly(name)
    const trained = this.#graph.parameters.map(({ name }) => name).filter(isStepped)
    const targets = trained.map(name => values.get(name)!)
    const found = gradients(b, loss, targets, firstNode)
    trained.forEach((name, index) => {
      const edge = edges.get(name)
      if (edge === undefined) this.#updatePlain(name, found[index]!)
      else this.#updateQuantized(pass, name, edge, found[index]!)
    })
    return { loss, logits }
  }

  #isEarly(name: string): boolean {
    const layer = this.#layers.get(name)
    return layer !== undefined && stepsStateFirst(layer)
  }

  #quantize({ prefix }: Pass, name: string, layer: QuantizedLayer): QuantizedEdge {
    const b = this.#b
    const latent = this.#current.get(name)!
    const state = Object.fromEntries(
      layer.stateNames.map(short => [short, this.#current.get(stateKey(name, short))!]),
    )
    const quantized = b.scope(`${prefix}quantize/${name}`, () =>
      layer.quantizer.forward(b, latent, state, layer.context),
    )
    return { layer, latent, state, quantized }
  }

  /** Operators that behave differently in training, and names of their own for all passes but the last. */
  #train({ prefix }: Pass, node: GraphNode, inputs: readonly Value[]): readonly Value[] {
    const b = this.#b
    if (node.op === 'BatchNormalization') return this.#normalize(prefix, node, inputs)
    if (node.op === 'Dropout' && node.attributes.ratio > 0)
      return [b.mul(inputs[0]!, this.#mask(node, inputs[0]!))]
    if (prefix === '') return appendNode(b, node, inputs)
    return appendNode(b, { ...node, name: prefix + node.name, outputs: [] }, inputs)
  }

  /** One mask a batch, whatever the number of passes. */
  #mask(node: GraphNode & { readonly op: 'Dropout' }, x: Value): Value {
    const name = `step/dropout/${node.name}`
    if (this.#b.has(name)) return this.#b.value(name)
    this.#masks.push({ input: name, shape: x.shape, ratio: node.attributes.ratio })
    return this.#b.input(name, x.shape)
  }

  /** Batch statistics forward; running ← momentum·running + (1 − momentum)·batch, with the unbiased variance. */
  #normalize(
    prefix: string,
    node: GraphNode & { readonly op: 'BatchNormalization' },
    inputs: readonly Value[],
  ): readonly Value[] {
    const b = this.#b
    const [x, scale, bias] = inputs as readonly [Value, Value, Value]
    const { epsilon, momentum } = node.attributes
    const name = prefix + node.name
    const [y, mean, variance] = b.append('BatchNormalizationTraining', [x, scale, bias], { epsilon }, name)
    const count = x.shape.reduce((product, size, axis) => (axis === 1 ? product : product * size), 1)
    const unbiased = b.mul(variance!, count / Math.max(1, count - 1))
    const [, , , meanName, varianceName] = node.inputs
    for (const [statistic, batch] of [
      [meanName!, mean!],
      [varianceName!, unbiased],
    ] as const) {
      this.#statistics.add(statistic)
      const running = this.#current.get(statistic)!
      this.#set(statistic, b.add(b.mul(running, momentum), b.mul(batch, 1 - momentum)))
    }
    return [y!]
  }

  #set(name: string, value: Value): void {
    this.#current.set(name, value)
    this.#next.set(name, value)
  }

  #updatePlain(name: string, gradient: Value): void {
    this.#set(name, this.#step(name, this.#current.get(name)!, gradient, 'rest'))
  }

  #updateQuantized(
    { prefix, steps }: Pass,
    name: string,
    { layer, latent, state, quantized }: QuantizedEdge,
    gradient: Value,
  ): void {
    const b = this.#b
    const { quantizer, context } = layer
    const stepsState = steps === 'early-state' || !stepsStateFirst(layer)
    b.scope(`${prefix}update/${name}`, () => {
      const found = quantizer.backward(b, gradient, latent, state, quantized, context)
      let nextLatent = latent
      if (found.latent !== undefined && steps === 'rest')
        nextLatent = this.#step(name, latent, found.latent, 'latent')
      const nextState = { ...state }
      for (const [short, stateGradient] of stepsState ? Object.entries(found.state) : []) {
        nextState[short] = this.#step(stateKey(name, short), state[short]!, stateGradient, 'state')
      }
      const constrained = quantizer.constrain?.(b, nextLatent, nextState, context)
      nextLatent = constrained?.latent ?? nextLatent
      if (nextLatent !== latent) this.#set(name, nextLatent)
      for (const short of layer.stateNames) {
        const value = constrained?.state?.[short] ?? nextState[short]!
        if (value !== state[short]) this.#set(stateKey(name, short), value)
      }
    })
  }

  #step(name: string, parameter: Value, gradient: Value, group: ParameterGroup): Value {
    const b = this.#b
    const optimiser = optimiserOf(this.#config, group)
    const keys = momentsOf(optimiser).map(moment => stateKey(name, moment))
    const moments = keys.map(key => {
      this.#moments.set(key, f32(parameter.shape))
      return b.parameter(key, parameter.shape)
    })
    const decay = this.#config.weightDecay[group]
    const update = buildUpdate(b, optimiser, parameter, gradient, moments, decay, this.#scalars[group])
    for (const [index, key] of keys.entries()) this.#next.set(key, update.moments[index]!)
    return update.parameter
  }
}

function stepsStateFirst({ quantizer }: QuantizedLayer): boolean {
  return quantizer.update === 'state-first'
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

/** The ranges of a configuration, all of them of values that the network has. */
export function activationRanges(
  graph: Graph,
  { activations = {} }: Pick<TrainConfig, 'activations'>,
): ActivationRanges {
  const computed = new Set([
    ...graph.inputs.map(({ name }) => name),
    ...graph.nodes.flatMap(node => node.outputs),
  ])
  for (const name of Object.keys(activations)) {
    if (computed.has(name)) continue
    throw new SternaError('train/config', `activations: ${graph.name} has no value named "${name}"`)
  }
  return new Map(Object.entries(activations))
}
