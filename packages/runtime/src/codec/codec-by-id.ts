/** All weight codecs, by the id that stands in the tensor table. */
import type { WeightCodec } from './codec.ts'
import { codedF16Codec, codedI8Codec, maxCodec, smallCodec } from './coded.ts'
import { f16Codec, f32Codec, i8Codec } from './dense.ts'
import { fastCodec } from './fast.ts'
import { maskSignCodec, signCodec } from './ternary.ts'
import { tunedCodec } from './tuned.ts'

const codecs: readonly WeightCodec[] = [
  f32Codec,
  f16Codec,
  i8Codec,
  maskSignCodec,
  signCodec,
  smallCodec,
  codedF16Codec,
  codedI8Codec,
  fastCodec,
  maxCodec,
  tunedCodec,
]

export function codecById(id: number): WeightCodec | undefined {
  return codecs.find(codec => codec.id === id)
}
