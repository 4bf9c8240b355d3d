import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type DType, f32, SternaError, type Tensor, tensor } from '../../core/index.ts'
import { type OnnxAttribute, type OnnxModel, readOnnx, writeOnnx } from './index.ts'
import { ProtobufWriter } from './protobuf-writer.ts'

const allTypes: readonly Tensor[] = [
  f32([2], [1.5, -0]),
  tensor('f64', [1], Float64Array.of(Math.PI)),
  tensor('f16', [2], Uint16Array.of(0x3c00, 0xffff)),
  tensor('i64', [], BigInt64Array.of(-(2n ** 63n))),
  tensor('i32', [2, 1], Int32Array.of(-5, 7)),
  tensor('i16', [1], Int16Array.of(-300)),
  tensor('i8', [3], Int8Array.of(-1, 0, 1)),
  tensor('u8', [1], Uint8Array.of(255)),
  tensor('bool', [2], Uint8Array.of(0, 1)),
  f32([0, 3]),
]

const attributes: Readonly<Record<string, OnnxAttribute>> = {
  axis: { kind: 'int', value: -1 },
  alpha: { kind: 'float', value: 0.25 },
  mode: { kind: 'string', value: 'nearest' },
  value: { kind: 'tensor', value: f32([2], [1, 2]) },
  pads: { kind: 'ints', value: [0, -1, 2 ** 40] },
  none: { kind: 'ints', value: [] },
  scales: { kind: 'floats', value: [0.5, 2] },
  names: { kind: 'strings', value: ['a', ''] },
}

const model: OnnxModel = {
  irVersion: 10,
  producer: 'test',
  opsets: [
    { domain: '', version: 21 },
    { domain: 'com.example', version: 1 },
  ],
  graph: {
    name: 'gräph',
    nodes: [
      { opType: 'Clip', domain: '', name: 'clip', inputs: ['x', '', 'high'], outputs: ['y'], attributes: {} },
      { opType: 'Own', domain: 'com.example', name: '', inputs: [], outputs: ['z', ''], attributes },
    ],
    initializers: new Map(allTypes.map(value => [`${value.dtype} ${value.shape}`, value])),
    inputs: [{ name: 'x', dtype: 'f32', shape: ['batch', 3, ''] }],
    outputs: [
      { name: 'y', dtype: 'i64', shape: [] },
      { name: 'z', dtype: 'bool' },
    ],
  },
}

/** A file whose graph has one initializer, made of raw fields. */
function withInitializer(write: (tensor: ProtobufWriter) => void): Uint8Array {
  const held = new ProtobufWriter()
  write(held)
  return new ProtobufWriter().message(7, new ProtobufWriter().message(5, held)).join()
}

function packed(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap(part => [...part]))
}

function assertRefused(bytes: Uint8Array): void {
  try {
    readOnnx(bytes)
  } catch (error) {
    assert.ok(error instanceof SternaError, `${error}`)
    assert.match(error.code, /^file\//)
  }
}

describe('ONNX files', () => {
  it('are read as they were written, all types and attributes', () => {
    assert.deepEqual(readOnnx(writeOnnx(model)), model)
  })

  it('are read from the middle of a larger buffer, and the result owns its data', () => {
    const bytes = writeOnnx(model)
    const larger = new Uint8Array(bytes.length + 7)
    larger.set(bytes, 3)
    const read = readOnnx(larger.subarray(3, 3 + bytes.length))
    larger.fill(0)
    assert.deepEqual(read, model)
  })

  it('keep every float and every integer', () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ noNaN: true })),
        fc.array(fc.maxSafeInteger()),
        fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
        (floats, ints, longs) => {
          const held = tensor('i64', [longs.length], BigInt64Array.from(longs))
          const node = {
            ...model.graph.nodes[1]!,
            attributes: {
              floats: { kind: 'floats', value: floats },
              ints: { kind: 'ints', value: ints },
              tensor: { kind: 'tensor', value: held },
            } as const,
          }
          const graph = { ...model.graph, nodes: [node] }
          assert.deepEqual(readOnnx(writeOnnx({ ...model, graph })).graph.nodes[0], node)
        },
      ),
      { numRuns: 50 },
    )
  })

  it('hold small tensors in typed lists, packed or one by one', () => {
    const twoFloats = new Uint8Array(Float32Array.of(0.5, -2).buffer)
    const cases: readonly [DType, number[] | bigint[], (tensor: ProtobufWriter) => void][] = [
      ['f32', [0.5, -2], held => held.int(1, 2).int(2, 1).bytes(4, twoFloats)],
      ['f32', [0.5, -2], held => held.int(1, 2).int(2, 1).float(4, 0.5).float(4, -2)],
      ['i64', [3n, -1n], held => held.bytes(1, Uint8Array.of(2)).int(2, 7).int(7, 3).int(7, -1)],
      [
        'i64',
        [3n, 300n],
        held =>
          held
            .int(1, 2)
            .int(2, 7)
            .bytes(7, Uint8Array.of(3, 0xac, 2)),
      ],
      ['i8', [-3], held => held.int(1, 1).int(2, 3).int(5, -3)],
      ['u8', [200], held => held.int(1, 1).int(2, 2).int(5, 200)],
      ['bool', [1, 0], held => held.int(1, 2).int(2, 9).bytes(5, Uint8Array.of(7, 0))],
      ['f16', [0x3c00], held => held.int(1, 1).int(2, 10).int(5, 0x3c00)],
      [
        'f64',
        [Math.PI],
        held =>
          held
            .int(1, 1)
            .int(2, 11)
            .bytes(10, new Uint8Array(Float64Array.of(Math.PI).buffer)),
      ],
      ['i32', [], held => held.int(1, 0).int(2, 6)],
    ]
    for (const [dtype, values, write] of cases) {
      const read = readOnnx(withInitializer(write)).graph.initializers.get('')!
      assert.equal(read.dtype, dtype)
      assert.deepEqual([...read.data], values)
    }
  })

  it('may hold fields of later versions, which are skipped', () => {
    const extra = new ProtobufWriter().string(999, 'new').int(1000, 5).float(1001, 1)
    assert.deepEqual(readOnnx(packed(extra.join(), writeOnnx(model), extra.join())), model)
  })
})

describe('ONNX files that are refused say why', () => {
  const cases: readonly [string, Uint8Array, string, RegExp][] = [
    ['nothing', new Uint8Array(), 'file/bad-magic', /no graph/],
    [
      'a cut file',
      writeOnnx(model).subarray(0, 200),
      'file/truncated',
      /byte \d+: expected \d+ more bytes, found \d+/,
    ],
    [
      'external data',
      withInitializer(held => held.int(1, 1).int(2, 1).string(8, 'w').int(14, 1)),
      'file/unsupported',
      /"w".*another file/,
    ],
    ['an unknown element type', withInitializer(held => held.int(2, 16)), 'file/unsupported', /bfloat16/],
    [
      'a shape beyond its data',
      withInitializer(held =>
        held
          .int(1, 2 ** 31)
          .int(1, 1000)
          .int(2, 1)
          .bytes(9, new Uint8Array(8)),
      ),
      'file/damaged',
      /holds 2147483648000 elements, its data 2/,
    ],
    ['a negative size', withInitializer(held => held.int(1, -1).int(2, 1)), 'file/damaged', /shape/],
    [
      'a subgraph',
      new ProtobufWriter()
        .message(
          7,
          new ProtobufWriter().message(
            1,
            new ProtobufWriter()
              .string(4, 'If')
              .message(5, new ProtobufWriter().string(1, 'then_branch').int(20, 5)),
          ),
        )
        .join(),
      'file/unsupported',
      /then_branch.*graph/,
    ],
    ['another format', new TextEncoder().encode('{"graph": 1}'), 'file/damaged', /byte/],
  ]
  for (const [title, bytes, code, message] of cases) {
    it(title, () => {
      assert.throws(() => readOnnx(bytes), { code, message })
    })
  }

  it('whatever byte is changed: no other error, no hang', () => {
    const bytes = writeOnnx(model)
    for (let i = 0; i < bytes.length; i++) {
      for (const flip of [0x01, 0x80, 0xff]) {
        const damaged = bytes.slice()
        damaged[i]! ^= flip
        assertRefused(damaged)
      }
      assertRefused(bytes.subarray(0, i))
    }
  })

  it('for any bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), assertRefused), { numRuns: 500 })
  })
})
