/** Model → `.sterna`: folds, drops what is dead, chooses storages, writes. */
import {
  type FileAccount,
  type InferenceOperatorName,
  type PackedMetadata,
  type PackedModel,
  type PackedNode,
  type PackedTensor,
  type Preview,
  readSterna,
} from 'sterna-runtime'
import { operatorSchemas } from 'sterna-runtime/format'
import { expectF32, SternaError, sameShape } from '../core/index.ts'
import { type Graph, type GraphNode, type Model, withBatchSize } from '../graph/index.ts'
import {
  type ActivationRanges,
  dropIdentities,
  foldBatchNorm,
  removeDeadChannels,
  type SelectedChannels,
  sortChannels,
  transposeWeights,
} from '../graph/passes/index.ts'
import { denseWeight } from '../ternary/index.ts'
import type { TernaryWeight } from '../ternary/types.ts'
import { detectTerms, type TermLevels } from './detect-terms.ts'
import { detectTernary } from './detect-ternary.ts'
import type { Profile } from './encode-tensor.ts'
import { type PackReport, packReport } from './pack-report.ts'
import { storeDense, storeTernary } from './store-tensor.ts'
import { storeTerms } from './store-terms.ts'
import { writeSterna } from './write-sterna.ts'

export interface PackOptions {
  /** How layer weights that are not ternary are stored; biases and the like always take 16 bits. */
  readonly dense: 'f16' | 'i8'
  readonly metadata: PackedMetadata
  readonly preview?: Preview
  /** Ranges for integer arithmetic that the network was trained with, by its own names. */
  readonly activations?: ActivationRanges
  /** How small the weights become, at the price of time; `small` unless given. */
  readonly profile?: Profile
  /** Also try channels in order of their weights, and keep what is smallest; sums then round differently. */
  readonly sortChannels?: boolean
}

export interface Packed {
  readonly bytes: Uint8Array
  /** What a reader makes of `bytes`: 16-bit side data and all. */
  readonly packed: PackedModel
  readonly account: FileAccount
  readonly report: PackReport
}

export interface PackedNetwork extends Packed {
  /** What the network calls the values of the file, inputs and outputs of nodes, by their names in the file. */
  readonly networkNames: ReadonlyMap<string, string>
}

/**
 * Packs `model` with the layers in `ternary` (by weight parameter name) as ternary; what the parameters hold
 * for those does not matter. Layer weights not in `ternary` that hold three values, or up to nine as sums of ternary
 * terms do, are recognised. Batch norm is folded, dead channels are dropped, the batch size becomes 1. The same model gives the same bytes.
 */
export function packModel(
  model: Model,
  ternary: ReadonlyMap<string, TernaryWeight>,
  options: PackOptions,
): PackedNetwork {
  const levels = new Map(ternary)
  const terms = new Map<string, TermLevels>()
  const start = withTernary(atBatchOne(model), levels, terms)
  // Magnitudes per first axis would not follow a transposed weight.
  const fixed = new Set([...levels].filter(([, level]) => level.positive.length > 1).map(([name]) => name))
  const folded = foldBatchNorm(transposeWeights(dropIdentities(start), fixed))
  const lean = removeDeadChannels(folded.model)
  const selections = [
    [lean],
    ...(options.sortChannels
      ? [
          [lean, sortChannels(lean.model, 'filters')],
          [lean, sortChannels(lean.model, 'filters and readers')],
        ]
      : []),
  ]
  const bytes = selections
    .map(selected => writeSelection(selected, { levels, terms, scales: folded.scales }, options))
    .reduce((best, other) => (other.length < best.length ? other : best))
  const file = packedFile(model, bytes)
  // Selecting and ordering channels leaves the nodes as they are.
  const names = valueNames(lean.model.graph)
  return {
    ...file,
    networkNames: new Map(valueNames(file.packed).map((name, index) => [name, names[index]!])),
  }
}

function valueNames({ inputs, nodes }: Pick<PackedModel, 'inputs' | 'nodes'> | Graph): readonly string[] {
  return [...inputs.map(input => input.name), ...nodes.map(node => node.outputs[0]!)]
}

/** `packed`, a file of `model`, with ranges for integer arithmetic by the names in it. */
export function withActivations(
  model: Model,
  packed: PackedModel,
  activations: NonNullable<PackedModel['activations']>,
  profile: Profile | undefined,
): Packed {
  return packedFile(model, writeSterna({ ...packed, activations }, profile))
}

function packedFile(model: Model, bytes: Uint8Array): Packed {
  const { model: packed, account } = readSterna(bytes)
  return { bytes, packed, account, report: packReport(model, packed, account) }
}

/** What is known of weights by parameter name. */
interface KnownWeights {
  readonly levels: ReadonlyMap<string, TernaryWeight>
  readonly terms: ReadonlyMap<string, TermLevels>
  /** What batch norm multiplied filters with. */
  readonly scales: ReadonlyMap<string, ArrayLike<number>>
}

/** The file of the last of `selected`, which were made one from the other; what is known is from before. */
function writeSelection(
  selected: readonly SelectedChannels[],
  { levels, terms, scales }: KnownWeights,
  options: PackOptions,
): Uint8Array {
  const { model } = selected.at(-1)!
  const { graph } = model
  const tensors = new Map<string, PackedTensor>()
  for (const [name, tensor] of [...graph.constants, ...model.parameters]) {
    const weight = expectF32(tensor, name)
    const level = levels.get(name)
    const pick = (values: ArrayLike<number>) =>
      selected.reduce((picked, { filters }) => pickFilters(picked, filters.get(name)), values)
    const scale = scales.get(name)
    const termLevels = terms.get(name)
    if (level !== undefined) {
      const { positive, negative } = level
      tensors.set(
        name,
        storeTernary(weight, {
          positive: pick(positive),
          negative: pick(negative),
          scale: scale && pick(scale),
        }),
      )
    } else if (termLevels !== undefined) {
      tensors.set(name, storeTerms(weight, termLevels, scale && pick(scale)))
    } else {
      tensors.set(name, storeDense(weight, isLayerWeight(model, name) ? options.dense : 'f16'))
    }
  }
  return writeSterna(
    {
      name: graph.name,
      inputs: graph.inputs.map(({ name, shape }) => ({ name, shape })),
      outputs: graph.outputs,
      nodes: graph.nodes.map(packedNode),
      tensors,
      metadata: options.metadata,
      ...(options.preview && { preview: options.preview }),
      ...(options.activations && { activations: rangesOf(graph, options.activations) }),
    },
    options.profile,
  )
}

/** Those of values that folding and dropping have left. */
function rangesOf(graph: Graph, activations: ActivationRanges): ActivationRanges {
  const left = new Set(valueNames(graph))
  return new Map([...activations].filter(([name]) => left.has(name)))
}

function pickFilters(values: ArrayLike<number>, filters: readonly number[] | undefined): ArrayLike<number> {
  return filters === undefined || values.length === 1 ? values : filters.map(filter => values[filter]!)
}

/** Puts the quantized values where the parameters hold latent ones, and adds what is ternary, or a sum of terms, as it is. */
function withTernary(
  model: Model,
  levels: Map<string, TernaryWeight>,
  terms: Map<string, TermLevels>,
): Model {
  const parameters = new Map(model.parameters)
  for (const [name, weight] of levels) {
    const parameter = model.parameters.get(name)
    if (parameter === undefined || !sameShape(parameter.shape, weight.shape)) {
      throw new SternaError(
        'model/mapping',
        `ternary weight "${name}" [${weight.shape}]: the network has ${
          parameter === undefined ? 'no such parameter' : `[${parameter.shape}] there`
        }`,
      )
    }
    parameters.set(name, denseWeight(weight))
  }
  for (const node of model.graph.nodes) {
    const name = layerWeight(node)
    const tensor = name === undefined ? undefined : (parameters.get(name) ?? model.graph.constants.get(name))
    if (name === undefined || tensor === undefined || levels.has(name)) continue
    const found = detectTernary(tensor)
    if (found !== undefined) levels.set(name, found)
    const several = found === undefined ? detectTerms(tensor) : undefined
    if (several !== undefined) terms.set(name, several)
  }
  return { graph: model.graph, parameters }
}

/** A file holds one example at a time; a Reshape that spells out the batch size copies it instead. */
function atBatchOne({ graph, parameters }: Model): Model {
  const batch = graph.inputs[0]?.shape[0]
  if (graph.inputs.every(input => input.shape[0] === 1)) return { graph, parameters }
  const nodes = graph.nodes.map((node): GraphNode => {
    if (node.op !== 'Reshape' || node.attributes.shape[0] !== batch) return node
    if (graph.values.get(node.inputs[0]!)?.shape[0] !== batch) return node
    return { ...node, attributes: { shape: [0, ...node.attributes.shape.slice(1)] } }
  })
  return { graph: withBatchSize({ ...graph, nodes }, 1), parameters }
}

function layerWeight(node: GraphNode): string | undefined {
  return node.op === 'Conv' || node.op === 'Gemm' || node.op === 'MatMul' ? node.inputs[1] : undefined
}

function isLayerWeight(model: Model, name: string): boolean {
  return model.graph.nodes.some(node => layerWeight(node) === name)
}

function packedNode(node: GraphNode): PackedNode {
  if (!isPackable(node)) {
    throw new SternaError(
      'graph/unknown-operator',
      `node "${node.name}": ${node.op} is not an inference operator`,
    )
  }
  return node
}

function isPackable(node: GraphNode): node is GraphNode & { readonly op: InferenceOperatorName } {
  return Object.hasOwn(operatorSchemas, node.op)
}
