/** What the tests of this folder share: fixture files, files shared beside the repository, and damage. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import {
  type DType,
  type DTypeArrays,
  Random,
  SternaError,
  sizeOf,
  type Tensor,
  tensor,
} from '../core/index.ts'
import { ELEMENT_BYTES, elementsFromBytes } from './elements.ts'

const packageFolder = path.resolve(import.meta.dirname, '../..')
const fixtureFolder = path.join(packageFolder, 'test/fixtures/formats')
const sharedFolder = process.env.STERNA_SHARED ?? path.resolve(packageFolder, '../../../shared')

/** A tensor as `expected.json` describes it. */
interface Description {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly data: readonly number[]
}

/** The content of each fixture that reads: tensors by name, '' for a format with one. */
export const expected: Readonly<Record<string, Readonly<Record<string, Description>>>> = JSON.parse(
  readFileSync(path.join(fixtureFolder, 'expected.json'), 'utf8'),
)

export function fixture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(path.join(fixtureFolder, name)))
}

export function fixtureNames(extension: string): string[] {
  return readdirSync(fixtureFolder).filter(name => name.endsWith(extension))
}

/** Skips a test, with the reason, when a file beside the repository is absent. */
export function needsShared(...names: string[]): { skip: string | false } {
  const missing = names.find(name => !existsSync(path.join(sharedFolder, name)))
  return { skip: missing === undefined ? false : `${missing} is not here; STERNA_SHARED names its folder` }
}

export function shared(name: string): Uint8Array {
  return new Uint8Array(readFileSync(path.join(sharedFolder, name)))
}

/** A tensor in the form of `expected.json`. */
export function describeTensor({ dtype, shape, data }: Tensor): Description {
  return { dtype, shape, data: Array.from(data as Iterable<number | bigint>, Number) }
}

export function describeTensors(tensors: ReadonlyMap<string, Tensor>): Record<string, Description> {
  return Object.fromEntries([...tensors].map(([name, value]) => [name, describeTensor(value)]))
}

/** Runs a reader that may refuse with a SternaError, and with nothing else. Whether it accepted. */
export function acceptsOrRefuses(read: (bytes: Uint8Array) => unknown, bytes: Uint8Array): boolean {
  try {
    read(bytes)
    return true
  } catch (error) {
    if (error instanceof SternaError) return false
    throw error
  }
}

/** Every file that ends too early is refused. */
export function assertRefusesTruncation(read: (bytes: Uint8Array) => unknown, valid: Uint8Array): void {
  assert.ok(acceptsOrRefuses(read, valid), 'the whole file is read')
  for (let length = 0; length < valid.length; length++) {
    assert.equal(acceptsOrRefuses(read, valid.slice(0, length)), false, `accepted its first ${length} bytes`)
  }
}

/** Whatever bytes of a valid file are changed, removed or inserted, the reader accepts or refuses. */
export function assertSurvivesMutation(
  read: (bytes: Uint8Array) => unknown,
  valid: Uint8Array,
  rounds = 400,
): void {
  for (let seed = 0; seed < rounds; seed++) {
    try {
      acceptsOrRefuses(read, mutate(valid, new Random(seed)))
    } catch (error) {
      throw new Error(`damage with seed ${seed} brings up another error`, { cause: error })
    }
  }
}

/** What is put in: bytes that stand for extreme sizes, or any. */
const EXTREMES: readonly (readonly number[])[] = [[0xff, 0xff, 0xff, 0xff], [0, 0, 0, 0x80], [0x7f], [0]]

function mutate(valid: Uint8Array, random: Random): Uint8Array {
  const bytes = [...valid]
  for (let edits = 1 + random.below(4); edits > 0; edits--) {
    const at = random.below(bytes.length)
    const removed = [0, 1, 1, 1, 2, 4, 8][random.below(7)]!
    const any = Array.from({ length: random.below(9) }, () => random.below(256))
    const inserted = EXTREMES[random.below(8)] ?? any
    bytes.splice(at, removed, ...inserted)
  }
  return Uint8Array.from(bytes)
}

/** A tensor of any dtype with up to three axes and any bits as elements. */
export function randomTensor(random: Random): Tensor {
  const dtypes = Object.keys(ELEMENT_BYTES) as DType[]
  const dtype = dtypes[random.below(dtypes.length)]!
  const shape = Array.from({ length: random.below(4) }, () => random.below(5))
  const sizeBytes = sizeOf(shape) * ELEMENT_BYTES[dtype]
  const bytes = Uint8Array.from({ length: sizeBytes }, () => random.below(dtype === 'bool' ? 2 : 256))
  return tensor(dtype, shape, elementsFromBytes(dtype, bytes, 'random') as DTypeArrays[DType])
}
