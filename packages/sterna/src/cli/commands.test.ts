import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { before, test } from 'node:test'
import { f32, tensor } from '../core/index.ts'
import { createGlyphs } from '../data/index.ts'
import { readNpy, writeNpy, writePng } from '../formats/index.ts'
import { methods } from '../ternary/index.ts'
import { command, createFolder, sterna, sternaJson, TINY_DATA } from './testing/command.node.ts'

const folder = createFolder()
const inFolder = (name: string) => path.join(folder, name)
const json = (line: string) => sternaJson(folder, line)

before(async () => {
  const float = await sterna(
    folder,
    `train --model lenet5 --data ${TINY_DATA} --method float --epochs 1 --out float`,
  )
  assert.equal(float.status, 0, float.stderr)
  const ternary = await sterna(
    folder,
    'train --method ec2t --option entropyWeight=0.3 --from float --epochs 1 --frozen-epochs 1 --out ec2t --quiet',
  )
  assert.equal(ternary.status, 0, ternary.stderr)
  assert.equal(ternary.stderr, '')
})

test('train says its engine and why, prints a line an epoch, and ends with what it wrote', async () => {
  const { status, stdout, stderr } = await sterna(
    folder,
    `train --model lenet5-classic --data ${TINY_DATA} --method twn --epochs 2 --frozen-epochs 0 --batch-size 30 --out classic`,
  )
  assert.equal(status, 0)
  const [, lowering] =
    /^engine {2}onnxruntime-node [\d.]+ \(cpu, \d+ threads?, (\w+) lowering\): .+; .*\blowering /m.exec(
      stderr,
    )!
  // Its first convolution has 6 filters, which fill no block.
  const unblocked = /^standard operators for conv1: 6 output channels, the block is \d+$/m
  assert.equal(unblocked.test(stderr), lowering === 'fast', stderr)
  assert.match(
    stderr,
    /^epoch 1\/2 {2}loss [\d.]+ {2}train [\d.]+ % {2}validation [\d.]+ % {2}zeros [\d.]+ %/m,
  )
  assert.match(stderr, /^epoch 2\/2 /m)
  assert.ok(!stderr.includes('\x1b'))
  assert.match(stdout, /, peak memory \d+ MB$/m)
  const size = statSync(inFolder('classic/model.safetensors')).size.toLocaleString('en-US')
  assert.ok(stdout.endsWith(`wrote classic/model.safetensors (${size} bytes)\n`), stdout)
})

test('train --json says what computed, and what was left to the standard operators, and why', async () => {
  const line = `train --model lenet5-classic --data ${TINY_DATA} --method float --epochs 1 --threads 1`
  const { engine } = await json(`${line} --out described`)
  assert.equal(engine.threads, 1)
  assert.ok(engine.reason.length > 0 && engine.loweringReason.length > 0)
  const nodes = engine.fallbacks.map(({ node }: { readonly node: string }) => node)
  assert.equal(nodes.includes('conv1'), engine.lowering === 'fast')
  const standard = await json(`${line} --lowering standard --out standard`)
  assert.equal(standard.engine.loweringReason, 'as asked')
  assert.deepEqual(standard.engine.fallbacks, [])
})

test('a run started from another takes over its data, split, seed and normalisation', () => {
  const config = (run: string) => JSON.parse(readFileSync(inFolder(`${run}/config.json`), 'utf8'))
  const [parent, child] = [config('float'), config('ec2t')]
  for (const name of ['model', 'data', 'validation', 'seed', 'normalization', 'augmentation', 'loss']) {
    assert.deepEqual(child.config[name], parent.config[name], name)
  }
  assert.equal(child.from, 'float')
  assert.equal(child.config.methodOptions.entropyWeight, 0.3)
})

test('flags go before --config, which goes before defaults', async () => {
  writeFileSync(inFolder('options.json'), JSON.stringify({ model: 'lenet5-classic', batchSize: 25, seed: 9 }))
  const line = `train --config options.json --data ${TINY_DATA} --method float --epochs 1 --seed 4 --out configured`
  await json(line)
  const { config } = JSON.parse(readFileSync(inFolder('configured/config.json'), 'utf8'))
  assert.deepEqual(
    [config.model, config.batchSize, config.seed, config.epochs, config.validation],
    ['lenet5-classic', 25, 4, 1, 30],
  )
})

test('eval gives accuracy, loss, samples, split, arithmetic and engine; a packed run has the same accuracy', async () => {
  const run = await json(`eval ec2t --data ${TINY_DATA}`)
  assert.equal(run.samples, 100)
  assert.equal(run.split, 'test')
  assert.equal(run.arithmetic, 'f32')
  assert.match(run.engine, /^onnxruntime-node \d+\.\d+\.\d+ \(cpu, \d+ threads?, \w+ lowering\)$/)
  assert.ok(run.accuracy >= 0 && run.accuracy <= 1 && run.loss > 0)

  await json('pack ec2t -o packed.sterna')
  for (const engine of ['runtime', 'reference', 'ort']) {
    const packed = await json(`eval packed.sterna --data ${TINY_DATA} --engine ${engine}`)
    assert.ok(Math.abs(packed.accuracy - run.accuracy) <= 0.011, engine)
    assert.ok(Math.abs(packed.loss - run.loss) < 0.01, engine)
    assert.match(packed.engine, engine === 'ort' ? /^onnxruntime-node/ : /^sterna-runtime/)
  }
  const validation = await json(`eval ec2t --data ${TINY_DATA} --split validation`)
  assert.equal(validation.samples, 30)
  assert.equal((await json(`eval ec2t --data ${TINY_DATA} --limit 7`)).samples, 7)
})

test('pack and inspect say the length of the file, and the parts add up to it', async () => {
  const packed = await json('pack ec2t -o sizes.sterna')
  const size = statSync(inFolder('sizes.sterna')).size
  assert.equal(packed.bytes, size)
  assert.equal(packed.ratio, packed.float32Bytes / size)
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0)
  type Packed = { bytes: number; biasBytes: number; name: string }
  assert.equal(
    sum(packed.layers.map(({ bytes, biasBytes }: Packed) => bytes + biasBytes)) + packed.overheadBytes,
    size,
  )

  const inspected = await json('inspect sizes.sterna')
  type Layer = { bytes: number; additions: number; multiplications: number; method: string; zeros: number }
  const layers: Layer[] = inspected.layers
  assert.equal(inspected.bytes, size)
  assert.equal(
    sum(layers.map(layer => layer.bytes)) + sum(inspected.otherParts.map((part: Layer) => part.bytes)),
    size,
  )
  for (const what of ['additions', 'multiplications'] as const) {
    assert.equal(sum(layers.map(layer => layer[what])) + inspected.otherSteps[what], inspected.totals[what])
  }
  assert.deepEqual(
    layers.map(layer => layer.method),
    ['f16', 'ternary', 'ternary', 'f16'],
  )
  const text = await sterna(folder, 'inspect sizes.sterna')
  assert.match(text.stdout, new RegExp(`the file .* ${size.toLocaleString('en-US')}$`, 'm'))
})

test('run classifies a PNG as eval does, and an array of floats as it is', async () => {
  await json('pack ec2t -o run.sterna')
  const { test: images } = createGlyphs({ train: 300, test: 100 })
  const pixels = images.images.subarray(0, 784)
  const rgb = Uint8Array.from({ length: 3 * 784 }, (_, index) => pixels[Math.floor(index / 3)]!)
  writeFileSync(inFolder('grey.png'), writePng({ width: 28, height: 28, channels: 1, data: pixels }))
  writeFileSync(inFolder('rgb.png'), writePng({ width: 28, height: 28, channels: 3, data: rgb }))
  writeFileSync(inFolder('bytes.npy'), writeNpy(tensor('u8', [1, 28, 28], pixels.slice())))
  const grey = await json('run run.sterna --input grey.png --top 10 --output scores.npy')
  assert.equal(grey.images[0].length, 10)
  const total = grey.images[0].reduce((sum: number, row: { softmax: number }) => sum + row.softmax, 0)
  assert.ok(Math.abs(total - 1) < 1e-6)
  for (const input of ['rgb.png', 'bytes.npy']) {
    assert.deepEqual((await json(`run run.sterna --input ${input} --top 10`)).images, grey.images)
  }
  writeFileSync(inFolder('batch.npy'), writeNpy(tensor('u8', [3, 28, 28], images.images.slice(0, 3 * 784))))
  const batch = await json('run run.sterna --input batch.npy --top 10')
  assert.equal(batch.images.length, 3)
  assert.deepEqual(batch.images[0], grey.images[0])
  const scores = readNpy(readFileSync(inFolder('scores.npy')))
  assert.deepEqual(scores.shape, [1, 10])
  assert.ok(Math.abs(Number(scores.data[grey.images[0][0].class]) - grey.images[0][0].score) < 1e-6)

  writeFileSync(inFolder('zeros.npy'), writeNpy(f32([2, 1, 28, 28])))
  const zeros = await json('run run.sterna --input zeros.npy --engine ort')
  assert.equal(zeros.images.length, 2)
  assert.deepEqual(zeros.images[0], zeros.images[1])
})

test('data list knows the sets and where they are', async () => {
  const { datasets } = await json('data list')
  assert.deepEqual(
    datasets.map((set: { name: string; found: boolean }) => [set.name, set.found]),
    [
      ['mnist', false],
      ['cifar10', false],
      ['glyphs', true],
    ],
  )
})

test('a result that does not fit onto the disk is a failure in one line', {
  skip: !existsSync('/dev/full') && 'there is no /dev/full here',
}, () => {
  const line = [command, 'data', 'list']
  const stdout = openSync('/dev/full', 'w')
  const { status, stderr } = spawnSync(process.execPath, line, {
    stdio: ['ignore', stdout, 'pipe'],
    encoding: 'utf8',
  })
  closeSync(stdout)
  assert.equal(status, 1)
  assert.match(stderr, /^error: cannot write to stdout: ENOSPC.*\n$/)
})

test('bench prints ratios of the methods, of an epoch and of the engines', async () => {
  const steps = await json('bench methods --model lenet5-classic --batch-size 4 --pairs 1')
  const names: string[] = steps.results.map((row: { name: string }) => row.name)
  for (const { name } of methods) assert.ok(names.includes(name), name)
  for (const { ratio, medianMs } of steps.results) assert.ok(ratio.median > 0 && medianMs > 0)
  const epoch = await json('bench epoch --model lenet5-classic --batch-size 8 --images 70 --parts 2')
  assert.equal(epoch.steps, 8)
  assert.ok(
    epoch.epochMs > 0 && epoch.ratio.min <= epoch.ratio.median && epoch.ratio.median <= epoch.ratio.max,
  )
  const infer = await json('bench infer --network lenet5-classic --against ort-node --layers --pairs 2')
  const [exact, quantized] = infer.peers
  assert.equal(exact.name, 'ort-node fp32')
  assert.ok(exact.difference < 1e-5 && quantized.difference < 0.1, JSON.stringify(infer.peers))
  assert.deepEqual(
    infer.layers.map((layer: { name: string }) => layer.name),
    ['conv1', 'conv2', 'fc1', 'fc2', 'fc3'],
  )
})
