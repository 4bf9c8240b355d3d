/** What a packed file says of where it comes from. */
import type { PackedMetadata } from 'sterna-runtime'
import { spreadNormalization } from '../data/index.ts'
import type { FloatSource } from './load-model.ts'
import { chooseNormalization, type NormalizationOptions } from './normalization-options.ts'

/** Normalisation (from --mean and --std, else the model's) and, for a run, its method. */
export function packedMetadata(source: FloatSource, options: NormalizationOptions = {}): PackedMetadata {
  const shape = source.model.graph.inputs[0]!.shape
  const { mean, std } = spreadNormalization(
    chooseNormalization(options, source.normalization),
    shape.length === 4 ? shape[1]! : 1,
  )
  const isKnown =
    source.normalization !== undefined || options.mean !== undefined || options.std !== undefined
  return {
    ...(isKnown && { normalization: { mean, std } }),
    ...(source.config !== undefined && { method: source.config.method }),
  }
}
