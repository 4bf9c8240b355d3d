/** Runs one quantizer on one weight shape through an engine, as a training step would. */
import { f32, type Shape, sizeOf, type Tensor } from '../../core/index.ts'
import type { Engine } from '../../engine/index.ts'
import { GraphBuilder, type Value } from '../../graph/index.ts'
import type { LayerContext, Quantizer, QuantizerState } from '../types.ts'

type State = QuantizerState<Tensor<'f32'>>

export interface QuantizerResult {
  /** The weight the network computes with. */
  readonly weight: Float32Array
  /** dL/d latent; undefined where the latent weight is frozen. */
  readonly latentGradient: Float32Array | undefined
  readonly stateGradients: Readonly<Record<string, Float32Array>>
  /** The state after `constrain`. */
  readonly state: State
}

export interface QuantizerRun {
  readonly quantizer: Quantizer
  readonly layer: LayerContext
  /** From dL/d quantized weight, 0 if not given. */
  run(latent: Tensor<'f32'>, state: State, gradient?: ArrayLike<number>): Promise<QuantizerResult>
}

/** The weight golden vectors of the methods are stated for. */
export const goldenWeights = [-1, -0.5, -0.2, -0.05, 0, 0.1, 0.3, 0.45, 0.9, 2]

export function layerOf(shape: Shape, largestSize = sizeOf(shape)): LayerContext {
  return { name: 'weight', shape, size: sizeOf(shape), largestSize }
}

export async function loadQuantizer(
  engine: Engine,
  quantizer: Quantizer,
  layer: LayerContext,
  stateShapes: Readonly<Record<string, Shape>>,
): Promise<QuantizerRun> {
  const { shape } = layer
  const b = new GraphBuilder(quantizer.method)
  const latent = b.parameter('weight', shape)
  const state = mapValues(stateShapes, (stateShape, name) => b.parameter(name, stateShape))
  const gradient = b.input('gradient', shape)
  const quantized = quantizer.forward(b, latent, state, layer)
  const gradients = quantizer.backward(b, gradient, latent, state, quantized, layer)
  const next = { ...state, ...quantizer.constrain?.(b, latent, state, layer).state }
  const outputs: Value[] = [quantized.weight, ...Object.values(gradients.state), ...Object.values(next)]
  if (gradients.latent !== undefined) outputs.push(gradients.latent)
  const executable = await engine.load({ graph: b.build(outputs), state: new Map() })
  return {
    quantizer,
    layer,
    async run(weights, tensors, values = new Float32Array(layer.size)) {
      await executable.setState(new Map([['weight', weights], ...Object.entries(tensors)]))
      const results = await executable.run({ gradient: f32(shape, values) })
      const data = (value: Value) => results[value.name]!.data as Float32Array
      return {
        weight: data(quantized.weight),
        latentGradient: gradients.latent === undefined ? undefined : data(gradients.latent),
        stateGradients: mapValues(gradients.state, data),
        state: mapValues(next, value => f32(value.shape, data(value))),
      }
    },
  }
}

/** Loads for the shapes that the quantizer's own state has for this layer. */
export function loadFor(engine: Engine, quantizer: Quantizer, layer: LayerContext): Promise<QuantizerRun> {
  const state = quantizer.init(f32(layer.shape), layer)
  return loadQuantizer(
    engine,
    quantizer,
    layer,
    mapValues(state, value => value.shape),
  )
}

function mapValues<From, To>(
  record: Readonly<Record<string, From>>,
  map: (value: From, key: string) => To,
): Readonly<Record<string, To>> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value, key)]))
}
