/** What a `.sterna` file holds and what running it costs, layer by layer: bytes and arithmetic both add up. */
import type { FileAccount, ModelDescription, PackedModel, PackedTensor } from 'sterna-runtime'
import { measureTernary } from '../ternary/index.ts'

/** The smallest and largest magnitude of a layer: equal where there is one for the whole layer. */
export type MagnitudeRange = readonly [min: number, max: number]

export interface PackedLayerReport {
  readonly name: string
  /** With what was fused into it, e.g. `Conv + Relu`. */
  readonly op: string
  readonly shape: readonly number[]
  /** 'ternary', or how the dense weights are stored. */
  readonly method: 'ternary' | 'f32' | 'f16' | 'i8' | 'terms'
  readonly codec: string
  readonly weights: number
  readonly zeros: number
  /** Magnitudes of −1 and +1, those of a folded batch norm included; absent for dense layers. */
  readonly negative?: MagnitudeRange
  readonly positive?: MagnitudeRange
  /** Order-0 entropy of the assignment; absent for dense layers. */
  readonly entropyBitsPerWeight?: number
  /** Of weight and bias in the file. */
  readonly bytes: number
  readonly bitsPerWeight: number
  /** Of one image. */
  readonly additions: number
  readonly multiplications: number
  readonly kernel: string
  readonly reason: string
}

export interface PackedReport {
  readonly name: string
  /** The length of the file. */
  readonly bytes: number
  /** All tensors of the file at 4 bytes a number. */
  readonly float32Bytes: number
  readonly ratio: number
  readonly layers: readonly PackedLayerReport[]
  /** Steps without weights, together. */
  readonly otherSteps: {
    readonly count: number
    readonly additions: number
    readonly multiplications: number
  }
  /** Bytes that belong to no layer, in file order. */
  readonly otherParts: readonly { readonly name: string; readonly bytes: number }[]
  readonly totals: {
    readonly weights: number
    readonly zeros: number
    /** Of all weights of ternary layers. */
    readonly ternaryWeights: number
    readonly ternaryZeros: number
    readonly additions: number
    readonly multiplications: number
    /** 8 × the whole file's bytes / weights. */
    readonly bitsPerWeight: number
    /** Memory for one image: activations and prepared weights. */
    readonly memoryBytes: number
  }
  readonly kernels: ModelDescription['kernels']
  /** Whether ternary layers compute on bytes, and why. */
  readonly arithmetic: ModelDescription['arithmetic']
  readonly arithmeticReason: string
}

/** From what the reader and the planner of the runtime say. */
export function reportPacked(
  packed: PackedModel,
  account: FileAccount,
  description: ModelDescription,
): PackedReport {
  const bytesOf = new Map(
    account.sections.flatMap(part => (part.tensor === undefined ? [] : [[part.tensor, part]])),
  )
  const nodes = new Map(packed.nodes.map(node => [node.name, node]))
  const counted = new Set<string>()
  const claim = (tensor: string): number => {
    if (counted.has(tensor)) return 0
    counted.add(tensor)
    return bytesOf.get(tensor)?.bytes ?? 0
  }
  const weighted = description.layers.filter(layer => layer.weights > 0)
  const layers = weighted.map((layer): PackedLayerReport => {
    const [, weightName = '', biasName = ''] = nodes.get(layer.name)!.inputs
    const weight = packed.tensors.get(weightName)!
    const bytes = claim(weightName) + claim(biasName)
    return {
      name: layer.name,
      op: layer.op,
      shape: weight.shape,
      method: weight.kind === 'ternary' ? 'ternary' : weight.storage,
      codec: bytesOf.get(weightName)?.codec ?? '',
      weights: layer.weights,
      zeros: layer.zeros,
      ...describeLevels(weight),
      bytes,
      bitsPerWeight: (8 * bytes) / layer.weights,
      additions: layer.additions,
      multiplications: layer.multiplications,
      kernel: layer.kernel,
      reason: layer.reason,
    }
  })
  const sum = <Item>(items: readonly Item[], of: (item: Item) => number) =>
    items.reduce((total, item) => total + of(item), 0)
  const others = description.layers.filter(layer => layer.weights === 0)
  const ternary = layers.filter(layer => layer.method === 'ternary')
  const weights = sum(layers, layer => layer.weights)
  const float32Bytes = 4 * sum([...packed.tensors.values()], tensor => tensorSize(tensor))
  return {
    name: packed.name,
    bytes: account.totalBytes,
    float32Bytes,
    ratio: float32Bytes / account.totalBytes,
    layers,
    otherSteps: {
      count: others.length,
      additions: sum(others, step => step.additions),
      multiplications: sum(others, step => step.multiplications),
    },
    otherParts: account.sections
      .filter(part => part.tensor === undefined || !counted.has(part.tensor))
      .map(({ name, tensor, bytes }) => ({ name: tensor === undefined ? partNames[name] : tensor, bytes })),
    totals: {
      weights,
      zeros: sum(layers, layer => layer.zeros),
      ternaryWeights: sum(ternary, layer => layer.weights),
      ternaryZeros: sum(ternary, layer => layer.zeros),
      additions: description.additions,
      multiplications: description.multiplications,
      bitsPerWeight: weights === 0 ? 0 : (8 * account.totalBytes) / weights,
      memoryBytes: description.memory.totalBytes,
    },
    kernels: description.kernels,
    arithmetic: description.arithmetic,
    arithmeticReason: description.arithmeticReason,
  }
}

const partNames = {
  header: 'header and checksums',
  tensors: 'tensor table',
  graph: 'graph',
  payload: 'payload',
  metadata: 'metadata',
  activations: 'activation ranges',
  preview: 'preview',
} as const

function describeLevels(
  weight: PackedTensor,
): Pick<PackedLayerReport, 'negative' | 'positive' | 'entropyBitsPerWeight'> {
  if (weight.kind !== 'ternary') return {}
  return {
    negative: rangeOf(weight.negative),
    positive: rangeOf(weight.positive),
    entropyBitsPerWeight: measureTernary(weight).entropyBits,
  }
}

function rangeOf(values: Float32Array): MagnitudeRange {
  return [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))]
}

function tensorSize(tensor: PackedTensor): number {
  return tensor.kind === 'ternary' ? tensor.assignment.length : tensor.data.length
}
