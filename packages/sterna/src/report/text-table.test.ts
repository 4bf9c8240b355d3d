import assert from 'node:assert/strict'
import { test } from 'node:test'
import { textPairs, textTable } from './index.ts'

test('a table aligns words left and numbers right, and closes with its sums', () => {
  const table = textTable(
    [
      { title: 'layer', align: 'left' },
      { title: 'bytes', align: 'right' },
    ],
    [
      ['conv1', '1,664'],
      ['a long name', '7'],
    ],
    [['the file', '1,671']],
  )
  assert.equal(
    table,
    [
      'layer        bytes',
      '──────────────────',
      'conv1        1,664',
      'a long name      7',
      '──────────────────',
      'the file     1,671',
    ].join('\n'),
  )
})

test('characters outside the basic plane and missing cells keep columns straight', () => {
  const column = { title: '', align: 'left' } as const
  const rows = textTable([column, column], [['𝛼', 'x'], ['b', 'y'], ['c']]).split('\n')
  assert.deepEqual(rows.slice(2), ['𝛼  x', 'b  y', 'c'])
})

test('pairs align their values', () => {
  assert.equal(
    textPairs([
      ['a', '1'],
      ['long', '2'],
    ]),
    'a     1\nlong  2',
  )
})
