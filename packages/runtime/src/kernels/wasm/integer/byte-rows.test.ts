import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ActivationRange } from '../../../file/types.ts'
import {
  type ByteRowsKernel,
  byteRowsCost,
  byteRowsSizes,
  isWideLookup,
} from '../../../plan/integer/byte-rows.ts'
import type { ByteMatrixLayer } from '../../../plan/integer/byte-step.ts'
import type { Bounds } from '../../../plan/steps.ts'
import { connectBytes, quantizeNumber } from '../../reference/integer.ts'
import { createRandom, randomArray, randomTernary } from '../../testing/models.ts'
import { Library } from '../library.ts'
import { emitByteGather } from './byte-gather.ts'
import { emitByteRows } from './byte-rows.ts'
import { emitLookup, emitLookupTables } from './lookup.ts'
import { writeByteRowRecords, writeGatherLists, writeLookupWeights } from './prepare-byte-rows.ts'

interface Case {
  readonly layer: ByteMatrixLayer
  readonly x: Uint8Array
  readonly max: number
  readonly bounds?: Bounds
  readonly range?: ActivationRange
}

function expectedOf({ layer, x, bounds, range }: Case): number[] {
  const clamped = Array.from(connectBytes(layer, x), y =>
    bounds === undefined ? y : Math.fround(Math.min(Math.max(y, bounds.min), bounds.max)),
  )
  return range === undefined ? clamped : clamped.map(y => quantizeNumber(y, range))
}

async function runKernel(
  kernel: ByteRowsKernel,
  { layer, x, max, bounds, range }: Case,
): Promise<{ readonly output: number[]; readonly beyond: number }> {
  const inputs = x.length
  const outputs = layer.assignment.length / inputs
  const nonZeros = layer.assignment.filter(sign => sign !== 0).length
  const sizes = byteRowsSizes(kernel, { inputs, outputs, nonZeros, max })
  let address = 64
  const take = (bytes: number): number => {
    const start = address
    address = Math.ceil((address + bytes) / 64) * 64
    return start
  }
  const input = take(inputs + 3)
  const weights = take(sizes.weightBytes)
  const records = take(sizes.recordBytes)
  const tables = take(sizes.tableBytes)
  const sums = take(sizes.sumBytes)
  const output = take(4 * outputs)
  const memory = new WebAssembly.Memory({ initial: Math.ceil((address + 64) / 65_536) })
  const { buffer } = memory
  // Whatever was in memory before must not matter.
  new Uint8Array(buffer).fill(0xa5)
  new Uint8Array(buffer, input, inputs).set(x)
  writeByteRowRecords(buffer, records, layer, inputs)
  const library = new Library()
  const end = library.request(emitByteRows, { bounds, ...(range && { range }) })
  let sum: () => void
  if (kernel === 'byte-lookup') {
    writeLookupWeights(buffer, weights, layer, inputs)
    const fill = library.request(emitLookupTables, { wide: isWideLookup(max) })
    const look = library.request(emitLookup, { max })
    sum = () => {
      const tablesEnd = tables + sizes.tableBytes
      fill()(input, tablesEnd, tables)
      look()(tables, tablesEnd, weights, weights + sizes.weightBytes, sums, sizes.minusStep)
    }
  } else {
    const { recordsEnd } = writeGatherLists(buffer, weights, layer, inputs)
    const gather = library.request(emitByteGather, undefined)
    sum = () => gather()(input, weights, recordsEnd, recordsEnd, sums, sizes.minusStep)
  }
  await library.instantiate(memory)
  sum()
  const outputBytes = outputs * (range === undefined ? 4 : 1)
  end()(output, output + outputBytes, sums, sizes.minusStep, records)
  const found = range === undefined ? Float32Array : Uint8Array
  const whole = Math.ceil(outputs / 4) * (outputBytes / outputs) * 4
  return {
    output: [...new found(buffer, output, outputs)],
    beyond: new Uint8Array(buffer)[output + whole]!,
  }
}

function randomCase(seed: number, inputs: number, outputs: number, zeros: number, max: number): Case {
  const random = createRandom(seed)
  const magnitudes = random() < 0.5 ? 1 : outputs
  const { assignment, positive, negative } = randomTernary(random, [outputs, inputs], zeros, { magnitudes })
  const x = Uint8Array.from({ length: inputs }, () => Math.floor(random() * (max + 1)))
  const scale = 1 / (0.1 * inputs * max)
  return {
    layer: {
      assignment,
      plus: positive.map(w => w * scale),
      minus: negative.map(w => -w * scale),
      ...(random() < 0.7 && { bias: randomArray(random, outputs) }),
      inputZero: Math.floor(random() * (max + 1)),
    },
    x,
    max,
    ...(random() < 0.5 && { bounds: random() < 0.5 ? { min: 0, max: Infinity } : { min: -0.3, max: 0.4 } }),
    ...(random() < 0.5 && { range: { scale: 0.01, zero: Math.floor(random() * 128), max: 127 } }),
  }
}

describe('fully connected layers on bytes', () => {
  for (const kernel of ['byte-lookup', 'byte-gather'] as const) {
    test(`${kernel} gives the oracle's numbers and bytes exactly, for every shape and largest input`, async () => {
      let seed = 1
      for (const max of [1, 31, 63, 64, 127, 255]) {
        for (const [inputs, outputs] of [
          [1, 1],
          [3, 17],
          [64, 10],
          [130, 33],
          [1201, 48],
        ] as const) {
          for (const zeros of [0.3, 0.95]) {
            const c = randomCase(seed++, inputs, outputs, zeros, max)
            const { output, beyond } = await runKernel(kernel, c)
            const label = JSON.stringify({ max, inputs, outputs, zeros, range: c.range })
            assert.deepEqual(output, expectedOf(c), label)
            assert.equal(beyond, 0xa5, `${label}: wrote past the last vector`)
          }
        }
      }
    })

    test(`${kernel} does not overflow where every input is largest and every weight has one sign`, async () => {
      for (const max of [63, 127, 255]) {
        for (const sign of [1, -1]) {
          const inputs = 4444
          const layer = {
            assignment: new Int8Array(inputs * 17).fill(sign),
            plus: Float32Array.of(1),
            minus: Float32Array.of(-1),
            inputZero: 0,
          }
          const { output } = await runKernel(kernel, { layer, x: new Uint8Array(inputs).fill(max), max })
          assert.deepEqual(output, new Array(17).fill(sign * inputs * max), `${max}, ${sign}`)
        }
      }
    })
  }

  test('lists are the cheaper way only where hardly any weights are left', () => {
    const costs = (zeros: number) => {
      const shape = { inputs: 1024, outputs: 512, nonZeros: (1 - zeros) * 1024 * 512, max: 127 }
      return byteRowsCost('byte-gather', shape) < byteRowsCost('byte-lookup', shape)
    }
    assert.equal(costs(0.8), false)
    assert.equal(costs(0.99), true)
    const long = { inputs: 1 << 17, outputs: 4, nonZeros: 1, max: 63 }
    assert.equal(byteRowsCost('byte-gather', long), Number.POSITIVE_INFINITY)
  })
})
