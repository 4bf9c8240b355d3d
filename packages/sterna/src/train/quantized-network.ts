/** Which tensors of a network are quantized, by what, and their current state. */
import { expectF32, type Shape, sizeOf, type Tensor } from '../core/index.ts'
import type { Graph, Model } from '../graph/index.ts'
import {
  assignQuantizers,
  denseWeight,
  type LayerContext,
  type Layers,
  type Quantizer,
  type QuantizerState,
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

/** Chooses layers and their quantizers (default: the method's own rule) and gives each its fresh state. */
export function quantizeNetwork(
  model: Model,
  quantizer: Quantizer | undefined,
  chosen: Layers | undefined,
): { readonly layers: QuantizedLayers; readonly state: Map<string, Tensor> } {
  const layers = new Map<string, QuantizedLayer>()
  const state = new Map<string, Tensor>()
  const quantizers = assignQuantizers(model.graph, quantizer, chosen)
  const shapeOf = (name: string) => model.graph.values.get(name)!.shape
  const largestSize = Math.max(0, ...[...quantizers.keys()].map(name => sizeOf(shapeOf(name))))
  for (const [name, own] of quantizers) {
    const shape = shapeOf(name)
    const context = { name, shape, size: sizeOf(shape), largestSize }
    const initial = own.init(expectF32(model.parameters.get(name), name), context)
    layers.set(name, { quantizer: own, context, ...describeState(initial) })
    for (const [short, value] of Object.entries(initial)) state.set(stateKey(name, short), value)
  }
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
      parameters.set(name, denseWeight(weight))
    }
  }
  return { model: { graph, parameters }, ternary }
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

function describeState(
  state: QuantizerState<Tensor<'f32'>>,
): Pick<QuantizedLayer, 'stateNames' | 'stateShapes'> {
  return { stateNames: Object.keys(state), stateShapes: Object.values(state).map(value => value.shape) }
}
