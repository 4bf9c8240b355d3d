import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { before, test } from 'node:test'
import { load as loadPacked } from 'sterna-runtime'
import { load } from 'sterna-runtime/compiled'
import { f32 } from '../core/index.ts'
import { writeNpy } from '../formats/index.ts'
import { createFolder, sterna, sternaJson, TINY_DATA } from './testing/command.node.ts'

const folder = createFolder()
const fileNamed = (name: string) => path.join(folder, name)
const json = (line: string) => sternaJson(folder, line)

before(async () => {
  await json(`train --model lenet5 --data ${TINY_DATA} --method twn --epochs 1 --out twn`)
  await json(`pack twn -o int.sterna --calibrate ${TINY_DATA}`)
})

test('export writes a module that answers as the file does, in either arithmetic', async () => {
  const image = Float32Array.from({ length: 2 * 784 }, (_, i) => Math.sin(i))
  for (const arithmetic of ['int', 'f32'] as const) {
    const result = await json(`export int.sterna -o digits.wasm --arithmetic ${arithmetic}`)
    const module = readFileSync(fileNamed('digits.wasm'))
    assert.deepEqual([result.file, result.bytes], ['digits.wasm', module.length])
    assert.equal(result.arithmetic, arithmetic)
    assert.ok(result.brotliBytes < result.bytes)
    const session = await load(module)
    const expected = await loadPacked(readFileSync(fileNamed('int.sterna')), { arithmetic })
    assert.deepEqual(session.run(image), expected.run(image))
    assert.deepEqual(session.classify(image), expected.classify(image))
  }
  const { arithmetic } = await json('export int.sterna -o digits.wasm')
  assert.equal(arithmetic, 'int')
})

test('eval and run take a module, and say what it was compiled for', async () => {
  await json('export int.sterna -o digits.wasm')
  const evaluate = (file: string) => json(`eval ${file} --data ${TINY_DATA}`)
  const [module, file] = [await evaluate('digits.wasm'), await evaluate('int.sterna')]
  assert.deepEqual(
    [module.accuracy, module.loss, module.normalization],
    [file.accuracy, file.loss, file.normalization],
  )
  assert.match(module.engine, /\(compiled, int\)$/)
  const pixels = f32(
    [2, 1, 28, 28],
    Float32Array.from({ length: 2 * 784 }, (_, i) => Math.sin(i)),
  )
  writeFileSync(fileNamed('two.npy'), writeNpy(pixels))
  const [ran, expected] = [
    await json('run digits.wasm --input two.npy'),
    await json('run int.sterna --input two.npy'),
  ]
  assert.deepEqual(ran.images, expected.images)

  for (const [more, message] of [
    ['--engine reference', /was compiled for int and runs itself\nhint: /],
    ['--arithmetic f32', /was compiled for int/],
    ['--threads 2', /one thread/],
    ['--model lenet5', /says itself which network it is|cannot tell/],
  ] as const) {
    const refused = await sterna(folder, `eval digits.wasm --data ${TINY_DATA} ${more}`)
    assert.equal(refused.status, 2, more)
    assert.match(refused.stderr, message)
  }
  writeFileSync(fileNamed('cut.wasm'), readFileSync(fileNamed('digits.wasm')).subarray(0, 999))
  const cut = await sterna(folder, `eval cut.wasm --data ${TINY_DATA}`)
  assert.equal(cut.status, 1)
  assert.match(cut.stderr, /^error: cut\.wasm: this host refuses to compile the module/)
})

test('export says what it wrote, and what it cannot', async () => {
  const { stdout } = await sterna(folder, 'export int.sterna -o digits.wasm')
  assert.match(stdout, /^wrote digits\.wasm: [\d,]+ bytes, [\d,]+ bytes where it is served with brotli$/m)
  for (const [line, status, message] of [
    ['export int.sterna -o digits.js', 2, /expected a name that ends in \.wasm/],
    ['export twn -o none.wasm', 2, /export takes \.sterna files\nhint: pack it first/],
    ['export none.sterna -o none.wasm', 1, /none\.sterna/],
    ['export int.sterna -o none.wasm --arithmetic i4', 2, /--arithmetic/],
  ] as const) {
    const refused = await sterna(folder, line)
    assert.equal(refused.status, status, line)
    assert.match(refused.stderr, message)
  }
  writeFileSync(fileNamed('cut.sterna'), readFileSync(fileNamed('int.sterna')).subarray(0, 500))
  const cut = await sterna(folder, 'export cut.sterna -o none.wasm')
  assert.equal(cut.status, 1)
  assert.equal(existsSync(fileNamed('none.wasm')), false)
})
