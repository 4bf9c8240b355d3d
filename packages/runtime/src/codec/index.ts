/** All weight codecs, by the id that stands in the tensor table. */
import type { WeightCodec } from './codec.ts'
import { f16Codec, f32Codec, i8Codec } from './dense.ts'
import { maskSignCodec, signCodec } from './ternary.ts'

const codecs: readonly WeightCodec[] = [f32Codec, f16Codec, i8Codec, maskSignCodec, signCodec]

export function codecById(id: number): WeightCodec | undefined {
  return codecs.find(codec => codec.id === id)
}

export type { CodecName, TensorShape, WeightCodec } from './codec.ts'
export { f16Codec, f32Codec, i8Codec } from './dense.ts'
export { halfToFloat } from './half.ts'
export {
  applyFactors,
  type MagnitudeLayout,
  magnitudeBytes,
  magnitudeLayouts,
  maskSignCodec,
  signCodec,
  turnSigns,
} from './ternary.ts'
