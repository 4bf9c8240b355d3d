import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { before, test } from 'node:test'
import { expectF32, f32, Random } from '../core/index.ts'
import { writeSafetensors } from '../formats/index.ts'
import { lenet5Classic } from '../models/index.ts'
import { createFolder, sterna, sternaJson } from './testing/command.node.ts'

const folder = createFolder()
const PACK = 'pack weights.safetensors --model lenet5-classic'
const sizeOf = (name: string) => statSync(path.join(folder, name)).size
const json = (line: string) => sternaJson(folder, line)

before(async () => {
  const { parameters } = lenet5Classic(10, 1)
  const random = new Random(2)
  const last = [...parameters.keys()].filter(name => parameters.get(name)!.shape.length > 1).at(-1)
  const tensors = [...parameters].map(([name, tensor]) => {
    if (tensor.shape.length === 1 || name === last) return [name, tensor] as const
    const levels = expectF32(tensor, name).data.map(value =>
      random.uniform() < 0.8 ? 0 : Math.sign(value) / 8,
    )
    return [name, f32(tensor.shape, levels)] as const
  })
  writeFileSync(path.join(folder, 'weights.safetensors'), writeSafetensors(new Map(tensors)))
  await json(`${PACK} -o small.sterna`)
})

test('every profile of pack makes a file that computes the same; small is the usual one', async () => {
  const sizes = new Map<string, number>()
  for (const profile of ['plain', 'fast', 'small', 'max']) {
    const packed = await json(`${PACK} -o ${profile}.sterna --profile ${profile}`)
    assert.deepEqual(
      [packed.profile, packed.dense, packed.bytes],
      [profile, 'f16', sizeOf(`${profile}.sterna`)],
    )
    sizes.set(profile, packed.bytes)
    const diff = await json(`diff small.sterna ${profile}.sterna`)
    assert.ok(diff.isSame, profile)
    assert.deepEqual(diff.bytes, [sizeOf('small.sterna'), packed.bytes])
  }
  assert.ok(sizes.get('max')! <= sizes.get('small')! && sizes.get('small')! < sizes.get('plain')!)
  assert.equal((await json(`${PACK} -o usual.sterna`)).profile, 'small')
  const sorted = await json(`${PACK} -o sorted.sterna --sort-channels`)
  assert.ok(sorted.sortChannels && sorted.bytes <= sizes.get('small')!)
})

test('--target-bytes changes as little as fits, and says what is reached where nothing does', async () => {
  const small = sizeOf('small.sterna')
  const roomy = await json(`${PACK} -o roomy.sterna --target-bytes ${small}`)
  assert.deepEqual([roomy.profile, roomy.dense, roomy.bytes], ['small', 'f16', small])
  const tight = await json(`${PACK} -o tight.sterna --target-bytes ${small - 200}`)
  assert.equal(tight.dense, 'i8')
  assert.ok(tight.bytes <= small - 200 && tight.bytes === sizeOf('tight.sterna'))
  const text = await sterna(folder, `${PACK} -o tight.sterna --target-bytes ${small - 200}`)
  assert.match(text.stdout, /^fits with --profile small --dense i8 --sort-channels\nwrote tight\.sterna/m)

  const refused = await sterna(folder, `${PACK} -o none.sterna --target-bytes 100`)
  assert.equal(refused.status, 2)
  assert.match(
    refused.stderr,
    /does not fit 100 bytes: the smallest that it packs to is [\d,]+ bytes\nhint: /,
  )
  assert.throws(() => sizeOf('none.sterna'))
  for (const option of ['--profile max', '--dense i8', '--sort-channels']) {
    const both = await sterna(folder, `${PACK} -o none.sterna --target-bytes 99999 ${option}`)
    assert.equal(both.status, 2)
    assert.match(both.stderr, /--target-bytes chooses it/)
  }
})

test('inspect --codings compares with the entropy and other formats; its parts add up to the file', async () => {
  const { codings, bytes } = await json('inspect small.sterna --codings')
  const { layers, totals, otherBytes, fileBytes } = codings
  assert.equal(layers.length, 4)
  assert.equal(fileBytes, bytes)
  assert.equal(totals.codedBytes + totals.magnitudeBytes + otherBytes, sizeOf('small.sterna'))
  const hasXz = spawnSync('xz', ['--version']).status === 0
  const names = [
    'plain',
    'fast',
    'small',
    'max',
    '2-bit',
    'TQ1_0',
    'mask + sign',
    'CSR',
    'CER',
    'CSER',
    'gzip',
    'brotli',
  ]
  for (const figures of [...layers, totals]) {
    const found = figures.codings.map((coding: { name: string }) => coding.name)
    assert.deepEqual(found, hasXz ? [...names, 'xz'] : names)
    assert.equal(figures.overhead, figures.codedBytes / figures.entropyBytes - 1)
    assert.ok(Math.abs(figures.overhead) < 0.3, `${figures.overhead}`)
    assert.ok(figures.magnitudeBytes >= 0)
  }
  type Layer = { weights: number; codings: { bytes: number }[] }
  for (const index of names.keys()) {
    const sum = layers.reduce((total: number, layer: Layer) => total + layer.codings[index]!.bytes, 0)
    assert.equal(totals.codings[index].bytes, sum, names[index])
  }
  assert.equal((await json('inspect small.sterna')).codings, undefined)
  const { stdout } = await sterna(folder, 'inspect small.sterna --codings')
  const section = stdout.slice(stdout.indexOf('ternary layer'))
  assert.match(section, /^over coded {2,}.*×$/m)
  assert.ok(
    section.split('\n').every(line => line.length <= 80),
    section,
  )
})

test('diff counts what changed and runs both files on the same images', async () => {
  await json(`${PACK} -o bytes.sterna --dense i8`)
  const diff = await json('diff small.sterna bytes.sterna --data glyphs:train=300,test=100 --limit 60')
  assert.deepEqual(diff.files, ['small.sterna', 'bytes.sterna'])
  assert.equal(diff.isSame, false)
  const changed = diff.tensors.filter((tensor: { change: string }) => tensor.change !== 'same')
  assert.equal(changed.length, 1)
  assert.equal(changed[0].change, 'values')
  const { samples, equal, largestDifference } = diff.agreement
  assert.equal(samples, 60)
  assert.ok(equal >= 55 && equal <= 60 && largestDifference > 0 && largestDifference < 0.1)

  const same = await sterna(folder, 'diff small.sterna small.sterna --data glyphs:train=300,test=100')
  assert.equal(same.status, 0)
  assert.match(same.stdout, /^networks {2}compute the same$/m)
  assert.match(same.stdout, /^same class {2}100\.00 % \(100 of 100 glyphs test images\)$/m)
  assert.match(same.stdout, /^logits {6}the same, bit for bit$/m)
})

test('diff takes packed files only, and no option that does nothing', async () => {
  for (const [line, says] of [
    ['diff small.sterna weights.safetensors', /diff takes \.sterna files\nhint: pack it first/],
    ['diff small.sterna small.sterna --limit 5', /--limit: .*\nhint: add --data/],
    ['diff small.sterna', /missing required argument/],
  ] as const) {
    const { status, stderr } = await sterna(folder, line)
    assert.equal(status, 2, stderr)
    assert.match(stderr, says)
  }
})

test('what pack is told about a network is in the file, and the preview comes out of it again', async () => {
  writeFileSync(path.join(folder, 'preview.txt'), 'digits 0 to 9')
  const classes = '--classes zero,one,two,three,four,five,six,seven,eight,nine'
  await json(`${PACK} -o told.sterna --licence MIT --preprocessing grey ${classes} --preview preview.txt`)
  const { metadata, preview, otherParts } = await json('inspect told.sterna --save-preview saved.txt')
  assert.deepEqual([metadata.licence, metadata.preprocessing, metadata.classes.length], ['MIT', 'grey', 10])
  assert.deepEqual(preview, { mediaType: 'text/plain', bytes: 13 })
  assert.ok(
    otherParts.some((part: { name: string; bytes: number }) => part.name === 'preview' && part.bytes === 24),
  )
  assert.equal(readFileSync(path.join(folder, 'saved.txt'), 'utf8'), 'digits 0 to 9')
  for (const line of [
    'inspect small.sterna --save-preview none.txt',
    `${PACK} -o x.sterna --preview small.sterna`,
  ]) {
    assert.equal((await sterna(folder, line)).status, 2, line)
  }
})
