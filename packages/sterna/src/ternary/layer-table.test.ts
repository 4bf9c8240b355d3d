import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SternaError } from '../core/index.ts'
import { type Graph, GraphBuilder } from '../graph/index.ts'
import { assignQuantizers, checkLayers, type LayerRow } from './layer-table.ts'
import { createQuantizer } from './methods.ts'

/** conv1 -> conv2 -> fc1 -> fc2. */
function network(): Graph {
  const b = new GraphBuilder('four layers')
  const conv = { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], groups: 1 } as const
  const linear = { alpha: 1, beta: 1, transA: false, transB: true }
  let x = b.input('x', [1, 2, 1, 1])
  for (const name of ['conv1', 'conv2'])
    x = b.op('Conv', [x, b.parameter(`${name}.weight`, [2, 2, 1, 1])], conv)
  x = b.op('Flatten', [x], { axis: 1 })
  for (const name of ['fc1', 'fc2']) {
    x = b.op('Gemm', [x, b.parameter(`${name}.weight`, [2, 2]), b.constant(0)], linear)
  }
  return b.build([x])
}

const graph = network()
const ec2t = createQuantizer('ec2t', { entropyWeight: 0.4 })

/** `conv1: twn layer` and so on. */
function assigned(rows: readonly LayerRow[]): Record<string, string> {
  return Object.fromEntries(
    [...assignQuantizers(graph, ec2t, rows)].map(([name, { method }]) => [
      name.replace('.weight', ''),
      method,
    ]),
  )
}

function fails(run: () => unknown, code: string, ...parts: readonly RegExp[]): void {
  assert.throws(run, (error: unknown) => {
    assert.ok(error instanceof SternaError)
    assert.equal(error.code, code)
    for (const part of parts) assert.match(`${error.message}\n${error.hint}`, part)
    return true
  })
}

describe('a table of layers', () => {
  it('leaves layers that no row claims to the rule of the method', () => {
    assert.deepEqual(assigned([]), { conv2: 'ec2t', fc1: 'ec2t' })
    assert.deepEqual(assigned([{ index: 0 }]), { conv1: 'ec2t', conv2: 'ec2t', fc1: 'ec2t' })
    const overFloat = assignQuantizers(graph, undefined, [{ kind: 'Gemm', method: 'twn' }])
    assert.deepEqual([...overFloat.keys()], ['fc1.weight', 'fc2.weight'])
  })

  it('claims by name, glob, kind and index, from either end', () => {
    assert.deepEqual(assigned([{ name: 'fc1.weight', method: 'float' }]), { conv2: 'ec2t' })
    assert.deepEqual(assigned([{ name: 'fc?.*', method: 'twn' }]), { conv2: 'ec2t', fc1: 'twn', fc2: 'twn' })
    assert.deepEqual(assigned([{ kind: 'Conv', method: 'bpwn' }]), {
      conv1: 'bpwn',
      conv2: 'bpwn',
      fc1: 'ec2t',
    })
    assert.deepEqual(assigned([{ index: -1, method: 'tga' }]), { conv2: 'ec2t', fc1: 'ec2t', fc2: 'tga' })
  })

  it('prefers a row for the layer itself to a glob, and that to a kind', () => {
    const rows: LayerRow[] = [
      { index: 1, method: 'float' },
      { name: '*1.weight', method: 'ttq' },
      { kind: 'Conv', method: 'twn' },
    ]
    assert.deepEqual(assigned(rows), { conv1: 'ttq', fc1: 'ttq' })
    assert.deepEqual(assigned([...rows].reverse()), { conv1: 'ttq', fc1: 'ttq' })
  })

  it('gives rows of the own method its options, changed by theirs, and rows of others the defaults', () => {
    const found = assignQuantizers(graph, ec2t, [
      { name: 'conv1.weight', options: { initialScale: 0.5 } },
      { name: 'fc1.weight', method: 'twn', options: { granularity: 'filter' } },
    ])
    const { entropyWeight, initialScale } = found.get('conv1.weight')!.options
    assert.deepEqual([entropyWeight, initialScale], [0.4, 0.5])
    assert.deepEqual(
      found.get('fc1.weight')!.options,
      createQuantizer('twn', { granularity: 'filter' })!.options,
    )
    assert.equal(found.get('conv2.weight'), ec2t)
  })

  it('refuses a row that matches nothing, and names the nearest or what there is', () => {
    const code = 'train/config'
    const table = (row: LayerRow) => () => assignQuantizers(graph, ec2t, [{ name: 'fc1.weight' }, row])
    fails(
      table({ name: 'conv3.weight' }),
      code,
      /row 2 \(name "conv3.weight"\) matches no weight/,
      /conv[12]\.weight/,
    )
    fails(table({ kind: 'MatMul' }), code, /row 2 \(kind MatMul\)/, /4 weights, of Conv and Gemm/)
    fails(table({ index: 4 }), code, /row 2 \(index 4\)/)
    fails(table({ index: -5 }), code, /row 2 \(index -5\)/)
  })

  it('refuses two rows of equal standing that claim one layer', () => {
    const both =
      (...rows: readonly LayerRow[]) =>
      () =>
        assignQuantizers(graph, ec2t, rows)
    const message = /rows 1 \(name "conv\*"\) and 2 \(name "\*1\.weight"\) both claim "conv1\.weight"/
    fails(both({ name: 'conv*' }, { name: '*1.weight', method: 'twn' }), 'train/config', message)
    fails(both({ name: 'conv1.weight' }, { index: 0 }), 'train/config', /both claim "conv1\.weight"/)
    fails(both({ kind: 'Conv' }, { kind: 'Conv', method: 'float' }), 'train/config', /both claim/)
  })

  it('refuses to leave nothing to quantize', () => {
    fails(
      () => assignQuantizers(graph, ec2t, [{ name: '*', method: 'float' }]),
      'train/config',
      /none of the 4/,
    )
  })
})

describe('the form of a table', () => {
  const check = (layers: unknown) => () => checkLayers(layers, 'ec2t', {})

  it('takes every rule and row there is', () => {
    for (const layers of [
      'all',
      'float-first',
      [],
      [{ index: 0 }, { kind: 'Conv', method: 'twn', options: {} }],
    ])
      check(layers)()
  })

  it('refuses others, and says the row', () => {
    fails(check('first'), 'train/config', /expected all, .*or a list of rows, found "first"/)
    fails(check(['conv1']), 'train/config', /row 1: expected an object/)
    fails(
      check([{ index: 0 }, {}]),
      'train/config',
      /row 2: expected exactly one of name, kind and index, found none/,
    )
    fails(check([{ index: 0, kind: 'Conv' }]), 'train/config', /found kind, index/)
    fails(check([{ names: '*' }]), 'train/config', /no field is called "names"/, /name/)
    fails(check([{ index: 0.5 }]), 'train/config', /row 1: expected name/)
    fails(check([{ kind: 'Pool' }]), 'train/config', /Conv \| Gemm \| MatMul/)
    fails(check([{ index: 0, method: 3 }]), 'train/config', /method: expected a name/)
    fails(check([{ index: 0, options: 3 }]), 'train/config', /options: expected an object/)
  })

  it('refuses unknown methods and options with the nearest names, and thresholds outside their range', () => {
    fails(check([{ index: 0, method: 'tgo' }]), 'quantizer/option', /no method is named "tgo"/, /tga/)
    fails(
      check([{ index: 0, method: 'ttq', options: { thresholdFaktor: 1 } }]),
      'quantizer/option',
      /thresholdFactor/,
    )
    fails(
      check([{ index: 0, method: 'ttq', options: { thresholdFactor: 0 } }]),
      'quantizer/option',
      /expected \(0, 1\], found 0/,
    )
    fails(
      check([{ index: 0, method: 'tga', options: { initialThreshold: 1.5 } }]),
      'quantizer/option',
      /expected \(0, 1\], found 1.5/,
    )
  })
})
