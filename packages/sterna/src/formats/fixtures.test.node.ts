/** What the tests of this folder share: fixture files, files shared beside the repository, and damage. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import { SternaError, type Tensor } from '../core/index.ts'

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
  runs = 400,
): void {
  const edit = fc.record({
    at: fc.nat(valid.length - 1),
    remove: fc.constantFrom(0, 1, 1, 1, 2, 4, 8),
    insert: fc.oneof(
      fc.uint8Array({ maxLength: 8 }),
      fc.constantFrom(Uint8Array.of(0xff, 0xff, 0xff, 0xff), Uint8Array.of(0, 0, 0, 0x80)),
    ),
  })
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), edits => {
      let bytes = valid
      for (const { at, remove, insert } of edits) {
        bytes = Uint8Array.from([...bytes.subarray(0, at), ...insert, ...bytes.subarray(at + remove)])
      }
      acceptsOrRefuses(read, bytes)
    }),
    { numRuns: runs, seed: 1 },
  )
}

/** Tensors of any dtype with up to three axes. */
export function arbitraryTensor(): fc.Arbitrary<Tensor> {
  const shape = fc.array(fc.nat(4), { maxLength: 3 })
  return shape.chain(sizes => {
    const count = sizes.reduce((product, size) => product * size, 1)
    const length = { minLength: count, maxLength: count }
    return fc.oneof(
      fc.float32Array(length).map((data): Tensor => ({ dtype: 'f32', shape: sizes, data })),
      fc.float64Array(length).map((data): Tensor => ({ dtype: 'f64', shape: sizes, data })),
      fc.uint16Array(length).map((data): Tensor => ({ dtype: 'f16', shape: sizes, data })),
      fc.bigInt64Array(length).map((data): Tensor => ({ dtype: 'i64', shape: sizes, data })),
      fc.int32Array(length).map((data): Tensor => ({ dtype: 'i32', shape: sizes, data })),
      fc.int16Array(length).map((data): Tensor => ({ dtype: 'i16', shape: sizes, data })),
      fc.int8Array(length).map((data): Tensor => ({ dtype: 'i8', shape: sizes, data })),
      fc.uint8Array(length).map((data): Tensor => ({ dtype: 'u8', shape: sizes, data })),
      fc.uint8Array({ ...length, max: 1 }).map((data): Tensor => ({ dtype: 'bool', shape: sizes, data })),
    )
  })
}
