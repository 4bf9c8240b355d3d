/** What a file does to the runtime: it may be refused or computed, and nothing else. */
import { load, SternaError } from '../../packages/runtime/dist/index.js'
import { createRandom, randomArray } from '../../packages/runtime/dist/kernels/testing/models.js'

/** Codes with which a file may be refused. */
const refusals = /^(file|graph)\//
/** Beyond this a network is loaded but not run: plain JavaScript would take seconds. */
const runLimit = { operations: 3e6, memoryBytes: 8 << 20 }
/** Kernels add numbers in different orders; on bytes all compute the same. */
const tolerance = 1e-3
const byteKernels = /^(byte-|quantize$|dequantize$|alias$)/

/**
 * @returns `{ outcome: 'refused' | 'loaded' | 'ran' | 'ran on bytes' }`, or `{ outcome: 'finding', kind, message }` where the
 *   runtime threw what it must not throw, or its kernels disagree with the plain ones
 */
export async function judge(bytes) {
  try {
    const session = await load(bytes)
    const { additions, multiplications, memory, arithmetic, layers } = session.describe()
    const firstFloat = arithmetic === 'int' ? layers.findIndex(({ kernel }) => !byteKernels.test(kernel)) : 0
    const isExact = firstFloat === -1
    // Floats that differ in their last digit may round to bytes that differ by one, whose weight nobody knows.
    const isComparable = !layers.slice(firstFloat).some(({ kernel }) => kernel === 'quantize') || isExact
    if (additions + multiplications > runLimit.operations || memory.totalBytes > runLimit.memoryBytes)
      return { outcome: 'loaded' }
    const random = createRandom(bytes.length)
    const input = Object.fromEntries(
      session.inputs.map(({ name, shape }) => [
        name,
        randomArray(
          random,
          shape.reduce((a, b) => a * b, 1),
        ),
      ]),
    )
    const given = session.inputs.length === 1 ? Object.values(input)[0] : input
    const fast = session.run(given)
    const again = session.run(given)
    const plain = (await load(bytes, { kernels: 'reference' })).run(given)
    for (const name of Object.keys(plain.outputs)) {
      const [values, repeated, expected] = [fast, again, plain].map(result => result.outputs[name].data)
      if (values.some((value, i) => !Object.is(value, repeated[i])))
        return { outcome: 'finding', kind: 'unstable', message: `${name} differs from run to run` }
      const wrong = farthest(values, expected, isExact ? 0 : tolerance)
      if (wrong !== undefined && isComparable)
        return { outcome: 'finding', kind: 'disagreement', message: `${name}: ${wrong}` }
    }
    return { outcome: isExact ? 'ran on bytes' : 'ran' }
  } catch (error) {
    if (error instanceof SternaError && refusals.test(error.code))
      return { outcome: 'refused', code: error.code }
    const message =
      error instanceof SternaError ? `${error.code}: ${error.message}` : String(error?.stack ?? error)
    return { outcome: 'finding', kind: 'exception', message }
  }
}

/** What the kernels disagree on; numbers beyond float32's range have no one right answer. */
function farthest(values, expected, relative) {
  let largest = 1e-30
  for (const value of expected) largest = Math.max(largest, Math.abs(value))
  if (!(largest < 1e30)) return undefined
  const index = values.findIndex((value, i) => !(Math.abs(value - expected[i]) <= relative * largest))
  return index === -1 ? undefined : `${values[index]} for ${expected[index]} at ${index}`
}
