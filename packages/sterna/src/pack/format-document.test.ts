import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { type PackedModel, type PackedTensor, readSterna } from 'sterna-runtime'
import { applyFactors, codecById, crc32, magic, operatorById, operatorSchemas } from 'sterna-runtime/format'
import { denseWeight } from '../ternary/index.ts'
import { writeSterna } from './write-sterna.ts'

const document = readFileSync(path.resolve(import.meta.dirname, '../../../../docs/format.md'), 'utf8')

/** The cells of every table row under a heading that starts with `heading`. */
function tableRows(heading: string): readonly (readonly string[])[] {
  const start = document.search(new RegExp(`^#+ ${heading}`, 'm'))
  const section = document.slice(start).split(/\n#+ /)[0]!
  return [...section.matchAll(/^\| (.*) \|+$/gm)].map(([, row]) => row!.split('|').map(cell => cell.trim()))
}

const example: PackedModel = {
  name: '',
  inputs: [{ name: 'x', shape: [1, 4] }],
  outputs: ['y'],
  nodes: [
    {
      op: 'Gemm',
      name: 'fc',
      inputs: ['x', 'fc.weight', 'fc.bias'],
      outputs: ['fc:out'],
      attributes: { alpha: 1, beta: 1, transA: false, transB: true },
    },
    { op: 'Relu', name: 'Relu#1', inputs: ['fc:out'], outputs: ['y'], attributes: {} },
  ],
  tensors: new Map<string, PackedTensor>([
    [
      'fc.weight',
      {
        kind: 'ternary',
        shape: [2, 4],
        assignment: Int8Array.of(1, 0, -1, 0, 0, -1, 1, 1),
        ...applyFactors({ positive: 0.5, negative: 0.25, scale: Float32Array.of(1, -0.5) }),
      },
    ],
    ['fc.bias', { kind: 'dense', shape: [2], storage: 'f16', data: Float32Array.of(0.75, -1) }],
  ]),
  metadata: { classes: ['a', 'b'] },
}

test('the example in the format’s document is a file, byte for byte, and means what the document says', () => {
  const block = /```hex\n([\s\S]*?)```/.exec(document)![1]!
  const pairs = block.split('\n').flatMap(line => line.split('  ')[0]!.match(/[0-9a-f]{2}/g) ?? [])
  const bytes = Uint8Array.from(pairs, pair => Number.parseInt(pair, 16))
  assert.deepEqual(writeSterna(example, 'plain'), bytes)
  assert.deepEqual(readSterna(bytes).model, example)
  const weight = readSterna(bytes).model.tensors.get('fc.weight')!
  assert.ok(weight.kind === 'ternary')
  const stated = /```text\n([\s\S]*?)```/.exec(document)![1]!.trim().split(/\s+/).map(Number)
  assert.deepEqual([...denseWeight(weight).data], stated)
})

test('the document lists every operator with its id, inputs and attributes, and no other', () => {
  const rows = tableRows('Operators').filter(([id]) => /^\d+$/.test(id!))
  const expected = Object.entries(operatorSchemas).map(([name, { id, minInputs, maxInputs, attributes }]) => [
    `${id}`,
    name,
    minInputs === maxInputs ? `${minInputs}` : `${minInputs} to ${maxInputs}`,
    Object.entries(attributes)
      .map(([key, coding]) => `${key} ${coding}`)
      .join(', '),
  ])
  assert.deepEqual(
    rows.map(row => [...row, ''].slice(0, 4)),
    expected,
  )
})

test('operator ids are distinct and fit 7 bits', () => {
  const ids = Object.values(operatorSchemas).map(schema => schema.id)
  assert.equal(new Set(ids).size, ids.length)
  for (const id of ids) assert.ok(id >= 1 && id <= 127 && operatorById(id) !== undefined)
})

test('the document lists every codec', () => {
  const all = tableRows('Payloads')
  const rows = all
    .slice(
      0,
      all.findIndex(([cell]) => cell === 'first byte'),
    )
    .filter(([id]) => /^\d+$/.test(id!))
  assert.deepEqual(
    rows.map(([id, name]) => [codecById(Number(id))?.name, name]),
    rows.map(([, name]) => [name, name]),
  )
  const known = Array.from({ length: 256 }, (_, id) => codecById(id)).filter(codec => codec !== undefined)
  assert.equal(rows.length, known.length)
})

test('the magic and the checksum are those of the document', () => {
  const stated = /magic: `([^`]*)`/.exec(document)![1]!
  assert.equal(magic.map(byte => byte.toString(16).padStart(2, '0').toUpperCase()).join(' '), stated)
  assert.equal(crc32(new TextEncoder().encode('123456789')), 0xcbf43926)
})
