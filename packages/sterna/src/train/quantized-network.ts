/** Which tensors of a network are quantized, by what, and their current state. */
import { expectF32, type Shape, sizeOf, type Tensor } from '../core/index.ts'
import type { Graph, Model } from '../graph/index.ts'
import {
  type LayerContext,
  type LayerRule,
  type Quantizer,
  type QuantizerState,
  selectLayers,
  type TernaryWeight,
} from '../ternary/index.ts'

/** One quantized weight: the parameter of this name holds its latent weight. */
export interface QuantizedLayer {
  readonly quantizer: Quantizer
  readonly context: LayerContext
  /** Names and shapes of its state tensors, in one order. */
  readonly stateNames: readonly string[]
  readonly stateShapes: readonly Shape[]
}

/** By parameter name, in graph order. */
export type QuantizedLayers = ReadonlyMap<string, QuantizedLayer>

/** The name under which a quantizer's state tensor is kept beside the parameters. */
export function stateKey(parameter: string, state: string): string {
  return `${parameter}@${state}`
}

/** Chooses layers by the rule (default: the method's own) and gives each its fresh state. */
export function quantizeNetwork(
  model: Model,
  quantizer: Quantizer | undefined,
  rule: LayerRule | undefined,
): { readonly layers: QuantizedLayers; readonly state: Map<string, Tensor> } {
  const layers = new Map<string, QuantizedLayer>()
  const state = new Map<string, Tensor>()
  if (quantizer === undefined) return { layers, state }
  const names = selectLayers(model.graph, rule ?? quantizer.defaultLayers)
  const shapes = names.map(name => model.graph.values.get(name)!.shape)
  const largestSize = Math.max(...shapes.map(sizeOf))
  names.forEach((name, index) => {
    const shape = shapes[index]!
    const context = { name, shape, size: sizeOf(shape), largestSize }
    const initial = quantizer.init(expectF32(model.parameters.get(name), name), context)
    layers.set(name, { quantizer, context, ...describeState(initial) })
    for (const [short, value] of Object.entries(initial)) state.set(stateKey(name, short), value)
  })
  return { layers, state }
}

/** The layer's state out of all tensors. */
export function layerState(
  name: string,
  layer: QuantizedLayer,
  tensors: ReadonlyMap<string, Tensor>,
): QuantizerState<Tensor<'f32'>> {
  return Object.fromEntries(
    layer.stateNames.map(short => [
      short,
      expectF32(tensors.get(stateKey(name, short)), stateKey(name, short)),
    ]),
  )
}

/** The network as it computes: latent weights replaced by their levels, and those levels. */
export function materialize(
  graph: Graph,
  layers: QuantizedLayers,
  tensors: ReadonlyMap<string, Tensor>,
): { readonly model: Model; readonly ternary: ReadonlyMap<string, TernaryWeight> } {
  const parameters = new Map<string, Tensor>()
  const ternary = new Map<string, TernaryWeight>()
  for (const { name } of graph.parameters) {
    const held = expectF32(tensors.get(name), name)
    const layer = layers.get(name)
    if (layer === undefined) parameters.set(name, held)
    else {
      const weight = layer.quantizer.assign(held, layerState(name, layer, tensors), layer.context)
      ternary.set(name, weight)
      parameters.set(name, levels(weight))
    }
  }
  return { model: { graph, parameters }, ternary }
}

/** assignment × magnitude as float32. */
export function levels(weight: TernaryWeight): Tensor<'f32'> {
  const { shape, assignment, positive, negative } = weight
  const perGroup = assignment.length / positive.length
  const data = new Float32Array(assignment.length)
  for (let i = 0; i < data.length; i++) {
    const group = Math.floor(i / perGroup)
    const sign = assignment[i]!
    data[i] = sign > 0 ? positive[group]! : sign < 0 ? -negative[group]! : 0
  }
  return { dtype: 'f32', shape, data }
}

/** The same network with every assignment frozen, where the method knows how. */
export function freezeNetwork(
  layers: QuantizedLayers,
  tensors: ReadonlyMap<string, Tensor>,
): { readonly layers: QuantizedLayers; readonly tensors: Map<string, Tensor> } {
  const frozenLayers = new Map<string, QuantizedLayer>()
  const frozenTensors = new Map<string, Tensor>(tensors)
  for (const [name, layer] of layers) {
    const frozen = layer.quantizer.freeze?.(
      expectF32(tensors.get(name), name),
      layerState(name, layer, tensors),
      layer.context,
    )
    if (frozen === undefined) {
      frozenLayers.set(name, layer)
      continue
    }
    for (const short of layer.stateNames) frozenTensors.delete(stateKey(name, short))
    frozenTensors.set(name, frozen.latent)
    for (const [short, value] of Object.entries(frozen.state)) frozenTensors.set(stateKey(name, short), value)
    frozenLayers.set(name, {
      quantizer: frozen.quantizer,
      context: layer.context,
      ...describeState(frozen.state),
    })
  }
  return { layers: frozenLayers, tensors: frozenTensors }
}

/** State tensors, by key, that quantizers find anew after an epoch. */
export function refreshNetwork(
  layers: QuantizedLayers,
  tensors: ReadonlyMap<string, Tensor>,
): ReadonlyMap<string, Tensor> {
  const refreshed = new Map<string, Tensor>()
  for (const [name, layer] of layers) {
    const latent = expectF32(tensors.get(name), name)
    const found = layer.quantizer.refresh?.(latent, layerState(name, layer, tensors), layer.context) ?? {}
    for (const [short, value] of Object.entries(found)) refreshed.set(stateKey(name, short), value)
  }
  return refreshed
}

function describeState(
  state: QuantizerState<Tensor<'f32'>>,
): Pick<QuantizedLayer, 'stateNames' | 'stateShapes'> {
  return { stateNames: Object.keys(state), stateShapes: Object.values(state).map(value => value.shape) }
}
