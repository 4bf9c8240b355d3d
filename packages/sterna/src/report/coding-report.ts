/** How well the ternary layers of a file are coded: against their entropy, against other formats. */
import type { FileAccount, PackedModel, TernaryTensor } from 'sterna-runtime'
import {
  type CodingSize,
  type Compressor,
  compareCodings,
  encodeTensor,
  type Profile,
} from '../pack/index.ts'

export interface CodingFigures {
  readonly weights: number
  readonly zeros: number
  /** Order-0, of the levels. */
  readonly entropyBytes: number
  /** Of the levels in the codec that the file uses. */
  readonly codedBytes: number
  /** What else is in the payload: magnitudes and scales. */
  readonly magnitudeBytes: number
  /** Coded bytes over entropy, minus 1; null where the entropy is 0. */
  readonly overhead: number | null
  /** The levels in every profile, in other formats, and through the compressors. */
  readonly codings: readonly CodingSize[]
}

export interface LayerCodings extends CodingFigures {
  readonly name: string
  readonly codec: string
}

export interface CodingReport {
  readonly layers: readonly LayerCodings[]
  readonly totals: CodingFigures
  /** Dense tensors, graph, tables, metadata: with coded and magnitude bytes of the totals, the file's length. */
  readonly otherBytes: number
  readonly fileBytes: number
}

/** `compressors` by the name that their column gets; takes seconds for millions of weights. */
export function reportCodings(
  packed: PackedModel,
  account: FileAccount,
  compressors: Readonly<Record<string, Compressor>>,
): CodingReport {
  const layers = account.sections.flatMap(({ tensor: name, codec = '', bytes }): readonly LayerCodings[] => {
    const tensor = name === undefined ? undefined : packed.tensors.get(name)
    if (name === undefined || tensor?.kind !== 'ternary') return []
    const { weights, zeros, entropyBytes, codings } = compareCodings(tensor, compressors)
    const profile = profileOf(tensor, codec, bytes)
    const codedBytes = codings.find(coding => coding.name === profile)!.bytes
    return [
      {
        name: packed.nodes.find(node => node.inputs.includes(name))?.name ?? name,
        codec,
        weights,
        zeros,
        entropyBytes,
        codedBytes,
        magnitudeBytes: bytes - codedBytes,
        overhead: overheadOf(codedBytes, entropyBytes),
        codings,
      },
    ]
  })
  const totals = addUp(layers)
  const fileBytes = account.totalBytes
  return {
    layers,
    totals,
    otherBytes: fileBytes - totals.codedBytes - totals.magnitudeBytes,
    fileBytes,
  }
}

/** The profile whose payload this is: of the range-coded ones, that which comes as close as parts allow. */
function profileOf(tensor: TernaryTensor, codec: string, bytes: number): Profile {
  if (codec === 'mask-sign' || codec === 'sign') return 'plain'
  if (codec === 'fast' || codec === 'max') return codec
  const [small, max] = (['small', 'max'] as const).map(profile => {
    return Math.abs(encodeTensor(tensor, 'weights', profile).payload.length - bytes)
  })
  return small! <= max! ? 'small' : 'max'
}

function addUp(layers: readonly LayerCodings[]): CodingFigures {
  const sum = (of: (layer: LayerCodings) => number) => layers.reduce((total, layer) => total + of(layer), 0)
  const [entropyBytes, codedBytes] = [sum(layer => layer.entropyBytes), sum(layer => layer.codedBytes)]
  return {
    weights: sum(layer => layer.weights),
    zeros: sum(layer => layer.zeros),
    entropyBytes,
    codedBytes,
    magnitudeBytes: sum(layer => layer.magnitudeBytes),
    overhead: overheadOf(codedBytes, entropyBytes),
    codings: (layers[0]?.codings ?? []).map(({ name }, index) => ({
      name,
      bytes: sum(layer => layer.codings[index]!.bytes),
    })),
  }
}

function overheadOf(codedBytes: number, entropyBytes: number): number | null {
  return entropyBytes === 0 ? null : codedBytes / entropyBytes - 1
}
