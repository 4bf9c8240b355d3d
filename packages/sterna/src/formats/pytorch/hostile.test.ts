/** Pickles that no PyTorch writes: each is refused at once, with little memory. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SternaError } from '../../core/index.ts'
import { writeZip } from '../zip.ts'
import { readPytorch } from './read.ts'

type Code = readonly (number | string)[]

/** Opcodes and arguments as bytes; text stands for its characters. */
function assemble(...parts: readonly Code[]): Uint8Array {
  return Uint8Array.from(
    parts.flat().flatMap(part => (typeof part === 'number' ? [part] : [...new TextEncoder().encode(part)])),
  )
}

/** A checkpoint with one storage, "0", of eight float32 zeros. */
function archiveOf(...pickle: readonly Code[]): Uint8Array {
  return writeZip(
    new Map([
      ['x/data.pkl', assemble([0x80, 2], ...pickle, ['.'])],
      ['x/data/0', new Uint8Array(32)],
    ]),
  )
}

const text = (value: string): Code => ['X', value.length, 0, 0, 0, value]
const global = (module: string, name: string): Code => ['c', module, 10, name, 10]
const u32 = (value: number): number[] => [
  value & 255,
  (value >>> 8) & 255,
  (value >>> 16) & 255,
  value >>> 24,
]
const integer = (value: number): Code => ['J', ...u32(value)]
const tuple = (...values: readonly number[]): Code => ['(', ...values.flatMap(value => integer(value)), 't']

const storage = (count: number): Code => [
  '(',
  ...text('storage'),
  ...global('torch', 'FloatStorage'),
  ...text('0'),
  ...text('cpu'),
  ...integer(count),
  't',
  'Q',
]
const tensorOf = (offset: number, size: Code, stride: Code, count = 8): Code => [
  ...global('torch._utils', '_rebuild_tensor'),
  '(',
  ...storage(count),
  ...integer(offset),
  ...size,
  ...stride,
  't',
  'R',
]
const dictOf = (name: string, value: Code): Code => ['}', ...text(name), ...value, 's']

/** Refused with a SternaError in well under a second. */
function assertRefused(bytes: Uint8Array, message: RegExp): void {
  const startedMs = performance.now()
  assert.throws(
    () => readPytorch(bytes),
    (error: unknown) => {
      assert.ok(error instanceof SternaError, String(error))
      assert.match(error.message, message)
      return true
    },
  )
  assert.ok(performance.now() - startedMs < 1000)
}

test('the assembler makes a checkpoint that is read', () => {
  const { tensors } = readPytorch(archiveOf(dictOf('w', tensorOf(2, tuple(2, 3), tuple(3, 1)))))
  assert.deepEqual(tensors.get('w'), { dtype: 'f32', shape: [2, 3], data: new Float32Array(6) })
})

describe('names that are not on the list are refused, called or not', () => {
  for (const [module, name] of [
    ['os', 'system'],
    ['builtins', 'eval'],
    ['torch', 'load'],
    ['torch._utils', '_rebuild_qtensor'],
    ['__proto__', 'constructor'],
  ] as const) {
    test(`${module}.${name}`, () => {
      const pattern = new RegExp(`wants to use "${module}.${name}"`)
      assertRefused(archiveOf(dictOf('w', global(module, name))), pattern)
      assertRefused(archiveOf([...global(module, name), '(', ...text('x'), 't', 'R']), pattern)
      assertRefused(archiveOf([...text(module), ...text(name), 0x93]), pattern)
    })
  }
})

describe('tensors that leave their storage are refused', () => {
  const cases: readonly (readonly [string, Code, RegExp])[] = [
    ['too large', tensorOf(0, tuple(9), tuple(1)), /elements 0 to 8 of a storage that holds 8/],
    ['an offset too far', tensorOf(8, tuple(1), tuple(1)), /elements 8 to 8/],
    ['a negative offset', tensorOf(-1, tuple(1), tuple(1)), /elements -1 to -1/],
    ['a negative stride', tensorOf(7, tuple(8), tuple(-1)), /stride -1 on axis 0/],
    ['a stride too far', tensorOf(0, tuple(2, 2), tuple(7, 1)), /elements 0 to 8/],
    ['a negative size', tensorOf(0, tuple(-1), tuple(1)), /not a shape/],
    ['huge sizes', tensorOf(0, tuple(2 ** 30, 2 ** 30), tuple(0, 0)), /not a shape/],
    ['a huge repetition', tensorOf(0, tuple(2 ** 30), tuple(0)), /exceeds what the file's bytes can hold/],
    ['sizes without strides', tensorOf(0, tuple(1, 1), tuple(1)), /2 sizes but 1 strides/],
    ['a storage with fewer bytes', tensorOf(0, tuple(1), tuple(1), 9), /should hold 36 bytes, found 32/],
  ]
  for (const [title, value, message] of cases)
    test(title, () => assertRefused(archiveOf(dictOf('w', value)), message))

  test('many views that repeat one storage', () => {
    const many: Code = [
      '}',
      ...Array.from({ length: 3000 }, (_, i) => [
        ...text(`w${i}`),
        ...tensorOf(0, tuple(i + 1, 8), tuple(0, 1)),
        's',
      ]).flat(),
    ]
    assertRefused(archiveOf(many), /exceeds what the file's bytes can hold/)
  })
})

describe('bombs and loops end', () => {
  test('a structure that doubles sixty times', () => {
    const doubling = Array.from({ length: 60 }, (): Code => ['2', 0x86]).flat()
    assertRefused(archiveOf(dictOf('w', [']', ...doubling])), /without any tensor/)
  })
  test('dictionaries that share their parts sixty times over', () => {
    const level: Code = ['q', 0, '0', '}', '(', ...text('a'), 'h', 0, ...text('b'), 'h', 0, 'u']
    assertRefused(archiveOf(['}', ...Array.from({ length: 60 }, () => level).flat()]), /without any tensor/)
  })
  test('a list that holds itself', () => {
    assertRefused(archiveOf([']', 'q', 0, 'h', 0, 'a']), /without any tensor/)
  })
  test('a dictionary that holds itself as its state dict', () => {
    assertRefused(archiveOf(['}', 'q', 0, ...text('state_dict'), 'h', 0, 's']), /without any tensor/)
  })
  test('a hundred thousand lists in one another', () => {
    const depth = 100_000
    const open = new Array<string>(depth).fill(']')
    const close = new Array<string>(depth - 1).fill('a')
    assertRefused(archiveOf([...open, ...close]), /without any tensor/)
  })
  test('one remembered list made into a dictionary again and again', () => {
    const pairs = Array.from({ length: 2000 }, (): Code => ['K', 1, 'K', 2, 0x86]).flat()
    const again = Array.from({ length: 2000 }, (): Code => ['h', 0, 'h', 1, 'R', '0']).flat()
    const head: Code = [
      ...global('collections', 'OrderedDict'),
      'q',
      0,
      '0',
      ']',
      '(',
      ...pairs,
      'e',
      0x85,
      'q',
      1,
      '0',
    ]
    assertRefused(archiveOf([...head, ...again, '}']), /more pairs than the file has bytes/)
  })
  test('long names repeated by nesting', () => {
    const name: Code = ['X', ...u32(50_000), 'n'.repeat(50_000), 'q', 1, '0']
    const parts = Array.from({ length: 2000 }, (_, i): Code => [...integer(i), 'N', 's']).flat()
    assertRefused(archiveOf([...name, '}', 'h', 1, '}', ...parts, 's']), /names are longer than the file/)
  })
  test('an integer of four billion bytes', () => {
    assertRefused(archiveOf([0x8b, 255, 255, 255, 255]), /an integer of 4294967295 bytes/)
  })
})

describe('a broken machine state is refused', () => {
  const cases: readonly (readonly [string, Code, RegExp])[] = [
    ['a value taken from an empty stack', ['a'], /the stack is empty/],
    ['items without a mark', [']', 'e'], /there is no mark/],
    ['nothing remembered', ['h', 9], /nothing was remembered as 9/],
    ['two values left', ['N', 'N'], /more than one value/],
    ['a key without a value', ['}', '(', 'N', 'u'], /a key without a value/],
    ['items for what is no dictionary', [']', 'N', 'N', 's'], /items set on a list/],
    ['a key that is a list', ['}', ']', 'N', 's'], /a dictionary key that is a list/],
    ['a call of a list', [']', ')', 'R'], /a call of a list/],
    [
      'a call of a storage type',
      [...global('torch', 'FloatStorage'), ')', 'R'],
      /torch\.FloatStorage is called/,
    ],
    [
      'a tensor of nothing',
      [...global('torch._utils', '_rebuild_tensor'), ')', 'R'],
      /a tensor made from \(\)/,
    ],
    ['attributes of a list', [']', '}', 'b'], /attributes set on a list/],
    ['a storage by a list', [']', 'Q'], /not a storage/],
    ['an opcode of protocol 0', ['I1', 10], /opcode 0x49/],
    ['a code that is no opcode', [0xff], /opcode 0xff/],
  ]
  for (const [title, code, message] of cases) test(title, () => assertRefused(archiveOf(code), message))
})
