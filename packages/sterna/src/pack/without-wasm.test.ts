import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TernaryTensor } from 'sterna-runtime'
import { ByteReader, plainDecoders } from 'sterna-runtime/format'
import { Random } from '../core/index.ts'
import { type RandomPayloads, randomPayloads } from './testing/random-payloads.ts'

test('without WebAssembly every coding gives back what went in, and with it the same', () => {
  const random = new Random(17)
  const cases = Array.from({ length: 90 }, (_, round) => randomPayloads(random, round))
  const { WebAssembly } = globalThis
  Reflect.deleteProperty(globalThis, 'WebAssembly')
  let plain: ReturnType<typeof decodeAll>[]
  try {
    plain = cases.map(decodeAll)
  } finally {
    globalThis.WebAssembly = WebAssembly
  }
  for (const [index, { shape, assignment, scale }] of cases.entries()) {
    const perFilter = assignment.length / shape.filters
    const turned = assignment.map((level, at) => (scale[Math.floor(at / perFilter)]! < 0 ? 0 - level : level))
    const [unscaled, scaled] = plain[index]!
    for (const { assignment: found } of unscaled as TernaryTensor[]) assert.deepEqual(found, assignment)
    for (const { assignment: found } of scaled as TernaryTensor[]) assert.deepEqual(found, turned)
  }
  assert.deepEqual(cases.map(decodeAll), plain)
})

/** Without scales, with scales, as a sum; then the first two again in lists. */
function decodeAll({ shape, plain, scaled, sum }: RandomPayloads) {
  const decode = ({ codec, payload }: RandomPayloads['sum'], listed: boolean) =>
    codec.decode(new ByteReader(payload, 0, payload.length, 'payload'), shape, {
      listed,
      plain: plainDecoders,
    })
  const listsOf = (encoded: RandomPayloads['sum']) => (decode(encoded, true) as TernaryTensor).lists
  return [
    plain.map(encoded => decode(encoded, false)),
    scaled.map(encoded => decode(encoded, false)),
    decode(sum, false),
    plain.map(listsOf),
    scaled.map(listsOf),
  ] as const
}
