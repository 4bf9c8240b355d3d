/** What packing came to, layer by layer. */
import type { FileAccount, PackedModel, PackedTensor } from 'sterna-runtime'
import { sizeOf } from '../core/index.ts'
import type { Model } from '../graph/index.ts'

export interface PackedLayer {
  /** The node's name, e.g. `conv1`. */
  readonly name: string
  readonly shape: readonly number[]
  readonly method: 'ternary' | 'dense'
  readonly codec: string
  readonly weights: number
  /** How many weights are 0, above and below; dense layers as well. */
  readonly zeros: number
  readonly positive: number
  readonly negative: number
  /** Order-0: of the three levels, or of the 8-bit codes; null for floats. */
  readonly entropyBitsPerWeight: number | null
  /** Of the weight's payload, magnitudes or scales included. */
  readonly bytes: number
  /** Of the bias. */
  readonly biasBytes: number
}

export interface PackReport {
  readonly bytes: number
  /** Every parameter that inference reads, before folding, at 4 bytes. */
  readonly float32Bytes: number
  readonly ratio: number
  /** Header, graph, tensor table, metadata, and tensors that belong to no layer. */
  readonly overheadBytes: number
  /** 8 × bytes of the whole file, over the layer weights of the network as given. */
  readonly bitsPerWeight: number
  readonly layers: readonly PackedLayer[]
}

/** `model` is what was packed, `packed` and `account` what the file holds; all bytes add up to the file's. */
export function packReport(model: Model, packed: PackedModel, account: FileAccount): PackReport {
  const parts = new Map(
    account.sections.flatMap(part => (part.tensor === undefined ? [] : [[part.tensor, part]])),
  )
  const layers: PackedLayer[] = []
  const counted = new Set<string>()
  for (const node of packed.nodes) {
    if (!isLayer(node)) continue
    const [, weightName = '', biasName = ''] = node.inputs
    const weight = packed.tensors.get(weightName)
    if (weight === undefined || counted.has(weightName)) continue
    const bias = counted.has(biasName) ? undefined : parts.get(biasName)
    counted.add(weightName).add(biasName)
    const part = parts.get(weightName)!
    layers.push({
      name: node.name,
      shape: weight.shape,
      method: weight.kind,
      codec: part.codec ?? '',
      weights: sizeOf(weight.shape),
      ...countLevels(weight),
      bytes: part.bytes,
      biasBytes: bias?.bytes ?? 0,
    })
  }
  const bytes = account.totalBytes
  const read = new Set(model.graph.nodes.flatMap(node => node.inputs))
  const layerWeights = new Set(model.graph.nodes.filter(isLayer).map(node => node.inputs[1]!))
  let elements = 0
  let weights = 0
  for (const [name, tensor] of model.parameters) {
    if (read.has(name)) elements += tensor.data.length
    if (layerWeights.has(name)) weights += tensor.data.length
  }
  const float32Bytes = 4 * elements
  return {
    bytes,
    float32Bytes,
    ratio: float32Bytes / bytes,
    overheadBytes: layers.reduce((rest, layer) => rest - layer.bytes - layer.biasBytes, bytes),
    bitsPerWeight: (8 * bytes) / weights,
    layers,
  }
}

function isLayer(node: { readonly op: string }): boolean {
  return node.op === 'Conv' || node.op === 'Gemm' || node.op === 'MatMul'
}

function countLevels(tensor: PackedTensor) {
  const values = tensor.kind === 'ternary' ? tensor.assignment : tensor.data
  let zeros = 0
  let positive = 0
  for (const value of values) {
    if (value === 0) zeros++
    else if (value > 0) positive++
  }
  const negative = values.length - zeros - positive
  const entropyBitsPerWeight =
    tensor.kind === 'ternary'
      ? entropy([zeros, positive, negative])
      : tensor.storage === 'i8'
        ? entropy(histogram(tensor.codes))
        : null
  return { zeros, positive, negative, entropyBitsPerWeight }
}

function histogram(codes: Int8Array): readonly number[] {
  const counts = new Array<number>(256).fill(0)
  for (const code of codes) counts[code + 128]!++
  return counts
}

/** Bits per symbol of a source with these counts. */
function entropy(counts: readonly number[]): number {
  const total = counts.reduce((sum, count) => sum + count, 0)
  return counts.reduce(
    (bits, count) => (count === 0 ? bits : bits - (count / total) * Math.log2(count / total)),
    0,
  )
}
