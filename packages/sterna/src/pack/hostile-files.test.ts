import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type PackedModel, type PackedTensor, readSterna } from 'sterna-runtime'
import { applyFactors, crc32, fixedHeaderBytes, sectionEntryBytes } from 'sterna-runtime/format'
import { Random, SternaError } from '../core/index.ts'
import { writeSterna } from './write-sterna.ts'

const fileCodes = ['file/bad-magic', 'file/truncated', 'file/damaged', 'file/unsupported', 'file/limit']
const whole = writeSterna(smallModel())
const sections = ['tensors', 'graph', 'payload', 'metadata', 'activations'] as const
type Contents = Record<(typeof sections)[number], Uint8Array>

test('the file that is damaged here has range-coded weights', () => {
  const codecs = readSterna(whole).account.sections.map(part => part.codec)
  assert.ok(codecs.includes('tuned') && codecs.includes('i8-coded'), `${codecs}`)
})

test('any bit turned is an error', () => {
  for (let index = 0; index < whole.length; index++) {
    for (let bit = 0; bit < 8; bit++) {
      const changed = whole.slice()
      changed[index]! ^= 1 << bit
      assert.throws(() => readSterna(changed), isFileError, `byte ${index}, bit ${bit}`)
    }
  }
})

test('a byte set to any other value is an error', () => {
  const random = new Random(1)
  for (let index = 0; index < whole.length; index++) {
    const changed = whole.slice()
    changed[index] = changed[index]! + 1 + random.below(255)
    assert.throws(() => readSterna(changed), isFileError, `byte ${index}`)
  }
})

test('a file cut at any length is an error, and once the header is whole it says truncated', () => {
  for (let length = 0; length < whole.length; length++) {
    assert.throws(
      () => readSterna(whole.slice(0, length)),
      (error: unknown) =>
        isFileError(error) && (length < 8 || (error as SternaError).code === 'file/truncated'),
      `${length} bytes`,
    )
  }
})

test('bytes behind the end are an error', () => {
  for (const extra of [1, 7, 4096]) {
    const longer = new Uint8Array(whole.length + extra)
    longer.set(whole)
    assert.throws(() => readSterna(longer), hasCode('file/damaged'))
  }
})

test('a file that went through a text-mode transfer is named as that', () => {
  const mangled = whole.filter((byte, at) => !(byte === 0x0d && whole[at + 1] === 0x0a))
  assert.throws(
    () => readSterna(mangled),
    (error: unknown) =>
      hasCode('file/bad-magic')(error) && /text mode/.test((error as SternaError).hint ?? ''),
  )
})

test('random bytes are an error, with and without a valid start', () => {
  const random = new Random(2)
  for (let round = 0; round < 2000; round++) {
    const garbage = Uint8Array.from({ length: random.below(400) }, () => random.below(256))
    if (round % 2 === 1)
      garbage.set(whole.subarray(0, Math.min(garbage.length, fixedHeaderBytes + random.below(50))))
    assert.throws(() => readSterna(garbage), isFileError)
  }
})

test('damage under right checksums is an error or a model, in little time and memory', () => {
  const random = new Random(3)
  const given = contentsOf(whole)
  let accepted = 0
  const started = performance.now()
  for (let round = 0; round < 20_000; round++) {
    const contents = { ...given }
    const name = sections[random.below(sections.length)]!
    contents[name] = mutate(contents[name], random)
    const bytes = assemble(contents)
    try {
      const { model, account } = readSterna(bytes)
      accepted++
      assert.ok(heldBytes(model) <= 1024 * bytes.length, `${heldBytes(model)} bytes held for ${bytes.length}`)
      assert.equal(
        account.sections.reduce((sum, section) => sum + section.bytes, 0),
        bytes.length,
      )
    } catch (error) {
      if (!isFileError(error)) throw error
    }
  }
  assert.ok(accepted > 0, 'some mutations only change values')
  assert.ok(performance.now() - started < 20_000, '1 ms a file')
})

const huge = [0xff, 0xff, 0xff, 0xff, 0x0f]
const hostile: readonly (readonly [
  what: string,
  code: string,
  change: Partial<Record<keyof Contents, readonly number[]>>,
])[] = [
  ['4 billion tensors', 'file/limit', { tensors: huge }],
  ['60,000 tensors in 3 bytes', 'file/damaged', { tensors: [0xe0, 0xd4, 0x03] }],
  ['a tensor of 2^60 elements', 'file/limit', { tensors: [1, 4, 2, ...dimension(30), ...dimension(30), 0] }],
  ['a tensor of 2^28 elements in no bytes', 'file/damaged', { tensors: [1, 4, 1, ...dimension(28), 0] }],
  [
    'a coded tensor of 2^20 elements in 500 bytes',
    'file/damaged',
    { tensors: [1, 6, 1, ...dimension(20), 0xf4, 3], payload: new Array(500).fill(7), graph: graphOfAdd() },
  ],
  [
    'five coded tensors of 2^26 elements',
    'file/limit',
    {
      tensors: [5, ...Array.from({ length: 5 }, () => [6, 1, ...dimension(26), ...dimension(17)]).flat()],
      payload: new Array(2 ** 19).fill(0),
    },
  ],
  [
    'a coded tensor with a model that is not known',
    'file/unsupported',
    { tensors: [1, 6, 1, 1, 4], payload: [0xff, 1, 1, 1], graph: graphOfAdd() },
  ],
  ...(
    [
      ['a context set that is not known', [0x30, 0, 1, 1]],
      ['a mode that is not known', [0, 8, 1, 1]],
      ['a magnitude layout that is not known', [3, 0, 1, 1]],
    ] as const
  ).map(
    ([what, payload]) =>
      [
        what,
        'file/unsupported',
        { tensors: [1, 11, 1, 1, 5], payload: [...payload, 9], graph: graphOfAdd() },
      ] as const,
  ),
  ['parts of a scalar', 'file/damaged', { tensors: [1, 12, 0, 1, 2, 2], graph: graphOfAdd() }],
  ['parts of no filters', 'file/damaged', { tensors: [1, 12, 1, 4, 0, 2, 2], graph: graphOfAdd() }],
  [
    'one part alone',
    'file/damaged',
    { tensors: [1, 12, 1, 2, 2, 2, 4], payload: [0, 0, 0, 0], graph: graphOfAdd() },
  ],
  [
    'parts within parts',
    'file/unsupported',
    { tensors: [1, 12, 1, 2, 1, 12, 2, 2, 2], payload: [0, 0, 0, 0], graph: graphOfAdd() },
  ],
  [
    '2^28 parts in a table of 9 bytes',
    'file/damaged',
    { tensors: [1, 12, 1, ...dimension(28), 1, 2, 2], payload: [0, 0], graph: graphOfAdd() },
  ],
  [
    'parts that are not of one kind',
    'file/damaged',
    { tensors: [1, 12, 1, 2, 1, 2, 2, 1, 4], payload: [0, 0, 0, 0, 0, 0], graph: graphOfAdd() },
  ],
  [
    'a term that is never not 0',
    'file/damaged',
    { tensors: [1, 11, 1, 1, 7], payload: [0, 1, 1, 1, 0, 1, 9], graph: graphOfAdd() },
  ],
  [
    'four terms of 2^12 weights in 4 bytes',
    'file/damaged',
    {
      tensors: [1, 11, 1, ...dimension(12), 16],
      payload: [0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 9, 9, 9, 9, 9, 9],
      graph: graphOfAdd(),
    },
  ],
  [
    'a coded tensor whose string goes on behind its weights',
    'file/damaged',
    {
      tensors: [1, 6, 1, 1, 40],
      payload: Array.from({ length: 40 }, () => 0x11),
      graph: graphOfAdd(),
    },
  ],
  ['a tensor of 200 axes', 'file/limit', { tensors: [1, 1, 200, 1] }],
  ['an axis of size 0', 'file/damaged', { tensors: [1, 1, 1, 0, 0] }],
  ['an unknown codec', 'file/unsupported', { tensors: [1, 99, 1, 1, 4] }],
  ['a payload longer than the section', 'file/damaged', { tensors: [1, 1, 0, ...huge] }],
  ['a number not in its shortest form', 'file/damaged', { tensors: [0x80, 0x00] }],
  ['a number without end', 'file/damaged', { tensors: [0xff, 0xff, 0xff, 0xff, 0xff, 0xff] }],
  ['4 billion nodes', 'file/limit', { graph: [0, 1, 1, 0x78, 1, 1, ...huge] }],
  ['60,000 nodes in 3 bytes', 'file/damaged', { graph: [0, 1, 1, 0x78, 1, 1, 0xe0, 0xd4, 0x03] }],
  ['an unknown operator', 'file/unsupported', { graph: [0, 1, 1, 0x78, 1, 1, 1, 127] }],
  ['an input of 2^30 elements', 'file/limit', { graph: [0, 1, 1, 0x78, 2, 1, ...dimension(30), 1, 5] }],
  ['an input without a batch axis of 1', 'file/damaged', { graph: [0, 1, 1, 0x78, 1, 3, 1, 5] }],
  ['a node that reads itself', 'file/damaged', { tensors: [0], payload: [], graph: graphOfRelu(1) }],
  ['a node that reads the future', 'file/damaged', { tensors: [0], payload: [], graph: graphOfRelu(2) }],
  ['an output that is an input', 'file/damaged', { tensors: [0], payload: [], graph: graphOfRelu(0, 0) }],
  [
    'a tensor that no node reads',
    'file/damaged',
    { tensors: [1, 1, 0, 4], payload: [0, 0, 0, 0], graph: graphOfRelu(0, 2) },
  ],
  ['two values of one name', 'file/damaged', { tensors: [0], payload: [], graph: graphOfRelu(0, 1, [0x78]) }],
  [
    'a name with a terminal escape',
    'file/damaged',
    { tensors: [0], payload: [], graph: graphOfRelu(0, 1, [0x1b]) },
  ],
  [
    'a name that is not UTF-8',
    'file/damaged',
    { tensors: [0], payload: [], graph: graphOfRelu(0, 1, [0xff]) },
  ],
  [
    'a weight that is not a number',
    'file/damaged',
    { tensors: [1, 1, 0, 4], payload: [0, 0, 0xc0, 0x7f], graph: graphOfAdd() },
  ],
  ['metadata that is not JSON', 'file/damaged', { metadata: [...new TextEncoder().encode('{"a":')] }],
  ['metadata that is a list', 'file/damaged', { metadata: [...new TextEncoder().encode('[]')] }],
  ['metadata nested 100,000 deep', 'file/damaged', { metadata: Array.from({ length: 100_000 }, () => 0x5b) }],
  ['2 MB of metadata', 'file/limit', { metadata: Array.from({ length: 2 << 20 }, () => 0x20) }],
  [
    'a normalisation that divides by 0',
    'file/damaged',
    {
      metadata: [...new TextEncoder().encode('{"normalization":{"mean":[0],"std":[0]}}')],
    },
  ],
  ['no range in a section of ranges', 'file/damaged', { activations: [0] }],
  ['4 billion ranges', 'file/limit', { activations: huge }],
  ['nine ranges in 7 bytes', 'file/damaged', { activations: [9, ...range(0)] }],
  ['a range of a value that is not there', 'file/damaged', { activations: [1, ...range(9)] }],
  ['a range of a tensor', 'file/damaged', { activations: [1, ...range(4)] }],
  ['two ranges of one value', 'file/damaged', { activations: [2, ...range(5), ...range(5)] }],
  ['ranges out of order', 'file/damaged', { activations: [2, ...range(5), ...range(0)] }],
  ['a byte behind the ranges', 'file/damaged', { activations: [1, ...range(5), 0] }],
  ['a scale of 0', 'file/damaged', { activations: [1, ...range(5, [0, 0, 0, 0])] }],
  ['a scale below 0', 'file/damaged', { activations: [1, ...range(5, [0, 0, 0x80, 0xbf])] }],
  ['a scale without a reciprocal', 'file/damaged', { activations: [1, ...range(5, [1, 0, 0, 0])] }],
  ['an infinite scale', 'file/damaged', { activations: [1, ...range(5, [0, 0, 0x80, 0x7f])] }],
  ['a scale that is not a number', 'file/damaged', { activations: [1, ...range(5, [0, 0, 0xc0, 0x7f])] }],
  ['a largest byte of 0', 'file/damaged', { activations: [1, ...range(5, [0, 0, 0x80, 0x3f], 0, 0)] }],
  [
    'a zero above the largest byte',
    'file/damaged',
    { activations: [1, ...range(5, [0, 0, 0x80, 0x3f], 64, 63)] },
  ],
]

for (const [what, code, change] of hostile) {
  test(`${what}: ${code}`, () => {
    const given = contentsOf(whole)
    const replaced = Object.fromEntries(
      sections.map(name => [name, change[name] ? Uint8Array.from(change[name]) : given[name]]),
    )
    assert.throws(() => readSterna(assemble(replaced as Contents)), hasCode(code))
  })
}

test('sections in another order, twice, missing or unknown are errors', () => {
  const { tensors, graph, payload, metadata } = contentsOf(whole)
  const cases: readonly (readonly [string, readonly (readonly [number, Uint8Array])[]])[] = [
    [
      'file/damaged',
      [
        [2, graph],
        [1, tensors],
        [3, payload],
      ],
    ],
    [
      'file/damaged',
      [
        [1, tensors],
        [2, graph],
        [2, graph],
        [3, payload],
      ],
    ],
    [
      'file/damaged',
      [
        [1, tensors],
        [2, graph],
        [4, metadata],
      ],
    ],
    [
      'file/unsupported',
      [
        [1, tensors],
        [2, graph],
        [3, payload],
        [9, metadata],
      ],
    ],
    [
      'file/damaged',
      [
        [0, tensors],
        [1, tensors],
        [2, graph],
        [3, payload],
      ],
    ],
    [
      'file/damaged',
      [
        [1, tensors],
        [2, graph],
      ],
    ],
  ]
  for (const [code, listed] of cases) assert.throws(() => readSterna(seal(listed)), hasCode(code))
})

test('a version of the future is refused before anything else is believed', () => {
  const later = whole.slice()
  later[8] = 2
  assert.throws(() => readSterna(later), hasCode('file/unsupported'))
})

/** 2^power as the one size of a list of axes, in the file's variable-length form. */
function dimension(power: number): number[] {
  const bytes: number[] = []
  for (let rest = power; rest >= 7; rest -= 7) bytes.push(0x80)
  bytes.push(1 << (power % 7))
  return bytes
}

/** An entry of the activations section; the scale is 1 unless given. */
function range(value: number, scale = [0, 0, 0x80, 0x3f], zero = 0, max = 127): number[] {
  return [value, ...scale, zero, max]
}

/** Input x [1], one Relu that reads edge `reads`, output edge `output`. */
function graphOfRelu(reads: number, output = 1, name = [0x79]): number[] {
  return [0, 1, 1, 0x78, 1, 1, 1, 5, reads, 1, output, name.length, ...name]
}

/** Input x [1] + tensor 0. */
function graphOfAdd(): number[] {
  return [0, 1, 1, 0x78, 1, 1, 1, 11, 0, 1, 1, 2, 1, 0x79]
}

function smallModel(): PackedModel {
  const pads = [1, 1, 1, 1] as const
  // Enough for the range-coded payload to be the shortest.
  const assignment = Int8Array.from({ length: 16 * 27 }, (_, index) =>
    (index * 7) % 11 < 9 ? 0 : index % 3 === 0 ? -1 : 1,
  )
  const scale = Float32Array.from({ length: 16 }, (_, filter) => (filter % 3 === 1 ? -1.5 : 0.5))
  return {
    name: 'small',
    inputs: [{ name: 'image', shape: [1, 1, 4, 4] }],
    outputs: ['scores'],
    nodes: [
      {
        op: 'Conv',
        name: 'conv1',
        inputs: ['image', 'w1', 'b1'],
        outputs: ['c'],
        attributes: { strides: [1, 1], dilations: [1, 1], pads, groups: 1 },
      },
      { op: 'Clip', name: 'act', inputs: ['c'], outputs: ['a'], attributes: { min: 0, max: 6 } },
      { op: 'Reshape', name: 'flat', inputs: ['a'], outputs: ['f'], attributes: { shape: [0, -1] } },
      {
        op: 'Gemm',
        name: 'fc',
        inputs: ['f', 'w2', 'b2'],
        outputs: ['scores'],
        attributes: { alpha: 1, beta: 1, transA: false, transB: true },
      },
    ],
    tensors: new Map<string, PackedTensor>([
      [
        'w1',
        {
          kind: 'ternary',
          shape: [16, 3, 3, 3],
          assignment,
          ...applyFactors({ positive: 0.25, negative: 0.5, scale }),
        },
      ],
      ['b1', { kind: 'dense', shape: [2], storage: 'f16', data: Float32Array.of(0.5, -0.25) }],
      [
        'w2',
        {
          kind: 'dense',
          shape: [2, 32],
          storage: 'i8',
          codes: new Int8Array(64).fill(5),
          scale: Float32Array.of(0.5, 1),
          data: Float32Array.from({ length: 64 }, (_, index) => (index < 32 ? 2.5 : 5)),
        },
      ],
      ['b2', { kind: 'dense', shape: [2], storage: 'f32', data: Float32Array.of(0.1, 0.2) }],
    ]),
    metadata: { classes: ['cat', 'dog'] },
    activations: new Map([
      ['image', { scale: 0.5, zero: 64, max: 127 }],
      ['a', { scale: 0.25, zero: 0, max: 63 }],
    ]),
  }
}

function contentsOf(bytes: Uint8Array): Contents {
  const view = new DataView(bytes.buffer)
  let start = fixedHeaderBytes + sectionEntryBytes * sections.length + 4
  const contents: Partial<Contents> = {}
  sections.forEach((name, index) => {
    const length = view.getUint32(fixedHeaderBytes + sectionEntryBytes * index + 4, true)
    contents[name] = bytes.slice(start, start + length)
    start += length
  })
  return contents as Contents
}

function assemble(contents: Contents): Uint8Array {
  return seal(sections.map((name, index) => [index + 1, contents[name]]))
}

/** A file with these sections and right checksums, as an adversary would make it. */
function seal(listed: readonly (readonly [kind: number, bytes: Uint8Array])[]): Uint8Array {
  const tableEnd = fixedHeaderBytes + sectionEntryBytes * listed.length
  const length = listed.reduce((sum, [, bytes]) => sum + bytes.length, tableEnd + 4)
  const out = new Uint8Array(length)
  const view = new DataView(out.buffer)
  out.set(whole.subarray(0, 10))
  view.setUint16(10, listed.length, true)
  view.setUint32(12, length, true)
  let start = tableEnd + 4
  listed.forEach(([kind, bytes], index) => {
    const entry = fixedHeaderBytes + sectionEntryBytes * index
    view.setUint32(entry, kind, true)
    view.setUint32(entry + 4, bytes.length, true)
    view.setUint32(entry + 8, crc32(bytes), true)
    out.set(bytes, start)
    start += bytes.length
  })
  view.setUint32(tableEnd, crc32(out.subarray(0, tableEnd)), true)
  return out
}

function mutate(bytes: Uint8Array, random: Random): Uint8Array {
  const list = [...bytes]
  for (let count = 1 + random.below(3); count > 0; count--) {
    const at = random.below(list.length + 1)
    switch (random.below(4)) {
      case 0:
        list[at % Math.max(1, list.length)] = random.below(256)
        break
      case 1:
        list.splice(at, 0, [0, 1, 0x7f, 0x80, 0xff][random.below(5)]!)
        break
      case 2:
        list.splice(at, 1 + random.below(4))
        break
      default:
        list.splice(at, 0, ...huge)
    }
  }
  return Uint8Array.from(list)
}

function heldBytes(model: PackedModel): number {
  let bytes = 0
  for (const tensor of model.tensors.values()) {
    for (const field of Object.values(tensor)) if (ArrayBuffer.isView(field)) bytes += field.byteLength
  }
  return bytes
}

function isFileError(error: unknown): boolean {
  return error instanceof SternaError && fileCodes.includes(error.code)
}

function hasCode(code: string): (error: unknown) => boolean {
  return error => {
    if (!(error instanceof SternaError)) throw error
    assert.equal(error.code, code, error.message)
    return true
  }
}
