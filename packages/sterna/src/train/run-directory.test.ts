import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { SternaError } from '../core/index.ts'
import { createEngine } from '../engine/index.node.ts'
import { readSafetensors } from '../formats/index.ts'
import { zooEntry } from '../models/index.ts'
import type { TrainConfig } from './config.ts'
import type { ConfigOverrides } from './presets.ts'
import { loadRun, type RunSummary, readRunConfig, resumeRun, trainRun } from './run-directory.node.ts'
import { countingEngine, stepsPerEpoch, tinyConfig, tinyData } from './testing/tiny.ts'

const scratch = mkdtempSync(path.join(tmpdir(), 'sterna-runs-'))
const engine = await createEngine({ device: 'cpu', threads: 1 })
after(async () => {
  await engine.close()
  rmSync(scratch, { recursive: true, force: true })
})

const childScript = path.join(import.meta.dirname, 'testing/run-child.node.js')
const classic = (method: string, overrides: ConfigOverrides = {}): TrainConfig => ({
  ...tinyConfig(method, overrides),
  model: 'lenet5-classic',
})
const networkOf = (config: TrainConfig) => zooEntry(config.model).create(10, config.seed)

let runs = 0
function newDirectory(): string {
  return path.join(scratch, `run-${++runs}`)
}

function start(directory: string, config: TrainConfig): Promise<RunSummary | 'stopped'> {
  return trainRun({ directory, config, model: networkOf(config), dataset: tinyData, engine })
}

function resume(directory: string): Promise<RunSummary | 'stopped'> {
  return resumeRun({ directory, dataset: tinyData, engine })
}

/** Runs until `steps` steps were taken, then stops with a checkpoint. */
function stopAfter(directory: string, config: TrainConfig, steps: number): Promise<RunSummary | 'stopped'> {
  const controller = new AbortController()
  const counting = countingEngine(engine, count => count === steps && controller.abort())
  return trainRun({
    directory,
    config,
    model: networkOf(config),
    dataset: tinyData,
    engine: counting,
    signal: controller.signal,
  })
}

async function failure(work: () => unknown): Promise<SternaError> {
  try {
    await work()
  } catch (error) {
    assert.ok(error instanceof SternaError, String(error))
    return error
  }
  return assert.fail('nothing was thrown')
}

const modelBytes = (directory: string) => readFileSync(path.join(directory, 'model.safetensors'))
const checkpointOf = (directory: string) => path.join(directory, 'checkpoints/last.safetensors')
const eventsOf = (directory: string) =>
  readFileSync(path.join(directory, 'events.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as { readonly kind: string; readonly resumedAt?: string })

/** Starts a child that hangs after some steps, and kills it there. */
async function killAt(steps: number, directory: string, config?: TrainConfig): Promise<void> {
  const options = config === undefined ? [] : [JSON.stringify(config)]
  const child = spawn(process.execPath, [childScript, directory, String(steps), ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await stalled(child)
  const ended = new Promise(resolve => child.on('exit', (_, signal) => resolve(signal)))
  child.kill('SIGKILL')
  assert.equal(await ended, 'SIGKILL')
}

function stalled(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = ''
    child.stdout!.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      if (text.includes('stalled')) resolve()
    })
    child.on('exit', code => reject(new Error(`the child ended with ${code} before it was killed: ${text}`)))
  })
}

describe('a run directory', () => {
  const config = classic('twn')
  const directory = newDirectory()
  let summary: RunSummary | 'stopped'
  before(async () => {
    summary = await start(directory, config)
  })

  it('holds configuration, events, checkpoint, result and summary', () => {
    assert.deepEqual(readdirSync(directory).sort(), [
      'checkpoints',
      'config.json',
      'events.jsonl',
      'model.safetensors',
      'summary.json',
    ])
    assert.deepEqual(readRunConfig(directory), {
      formatVersion: 1,
      classes: 10,
      lowering: engine.lowering,
      config,
    })
    assert.deepEqual(JSON.parse(readFileSync(path.join(directory, 'summary.json'), 'utf8')), summary)
    assert.ok(summary !== 'stopped')
    assert.deepEqual(summary.files, [{ path: 'model.safetensors', sizeBytes: modelBytes(directory).length }])
    const kinds = eventsOf(directory).map(event => event.kind)
    assert.deepEqual(kinds, ['start', 'phase', 'epoch', 'epoch', 'done'])
  })

  it('loads as the network, its levels and its latent weights', () => {
    const { model, ternary, latent, config: loaded } = loadRun(directory)
    assert.deepEqual(loaded, config)
    assert.deepEqual(
      [...ternary.keys()],
      ['conv1.weight', 'conv2.weight', 'fc1.weight', 'fc2.weight', 'fc3.weight'],
    )
    for (const [name, { assignment, positive, negative }] of ternary) {
      const weight = model.parameters.get(name)!.data as Float32Array
      assert.deepEqual(positive, negative)
      assert.deepEqual(
        weight,
        Float32Array.from(assignment, sign => (sign === 0 ? 0 : sign * positive[0]!)),
      )
      const values = new Set(latent.parameters.get(name)!.data as Float32Array)
      assert.ok(values.size > 3, name)
    }
    assert.equal(latent.parameters.get('fc1.bias'), model.parameters.get('fc1.bias'))
  })

  it('is not overwritten by another run, whatever is left of it', async () => {
    const error = await failure(() => start(directory, config))
    assert.equal(error.code, 'usage/option')
    assert.match(error.message, /already holds a run/)
    assert.match(error.hint ?? '', /--resume/)
    const copy = newDirectory()
    cpSync(directory, copy, { recursive: true })
    rmSync(path.join(copy, 'config.json'))
    assert.match((await failure(() => start(copy, config))).message, /last\.safetensors/)
  })

  it('is not made for a run that cannot start', async () => {
    for (const overrides of [{ batchSize: 201 }, { validation: 240 }, { frozenEpochs: 3 }]) {
      const none = newDirectory()
      await failure(() => start(none, classic('twn', overrides)))
      assert.equal(existsSync(none), false)
    }
  })

  it('of another format version is refused with both versions', async () => {
    const copy = newDirectory()
    cpSync(directory, copy, { recursive: true })
    const file = path.join(copy, 'config.json')
    const run = JSON.parse(readFileSync(file, 'utf8'))
    writeFileSync(file, JSON.stringify({ ...run, formatVersion: 2 }))
    for (const work of [() => resume(copy), () => loadRun(copy)]) {
      const error = await failure(work)
      assert.equal(error.code, 'file/unsupported')
      assert.match(error.message, /config\.json: run format 2, this build reads 1/)
    }
  })

  it('with a damaged config.json is refused, and the message names the file', async () => {
    const copy = newDirectory()
    mkdirSync(copy)
    const good = { formatVersion: 1, classes: 10, config }
    const { learningRate: _, ...lacking } = config
    for (const [text, code] of [
      ['', 'file/damaged'],
      ['{', 'file/damaged'],
      ['null', 'file/unsupported'],
      ['[]', 'file/unsupported'],
      [JSON.stringify({ ...good, config: null }), 'file/unsupported'],
      [JSON.stringify({ ...good, config: lacking }), 'train/config'],
      [JSON.stringify({ ...good, config: { ...config, loss: 'l2' } }), 'train/config'],
      [JSON.stringify({ ...good, config: { ...config, schedule: { kind: 'up' } } }), 'train/config'],
      [JSON.stringify({ ...good, config: { ...config, schedule: null } }), 'train/config'],
      [JSON.stringify({ ...good, config: { ...config, model: 'none' } }), 'model/unknown'],
      [JSON.stringify({ ...good, config: { ...config, method: 'none' } }), 'quantizer/option'],
    ] as const) {
      writeFileSync(path.join(copy, 'config.json'), text)
      const error = await failure(() => resume(copy))
      assert.equal(error.code, code, text)
    }
    rmSync(path.join(copy, 'config.json'))
    assert.match((await failure(() => resume(copy))).message, /expected a run directory with config\.json/)
  })

  it('with a checkpoint that is damaged or of another version is refused, and the message names it', async () => {
    const copy = newDirectory()
    cpSync(directory, copy, { recursive: true })
    const file = checkpointOf(copy)
    const good = readFileSync(file)
    const flipped = Buffer.from(good)
    flipped[good.length - 1]! ^= 1
    const other = Buffer.from(good.toString('latin1').replace('"version":"1"', '"version":"9"'), 'latin1')
    for (const [bytes, pattern] of [
      [good.subarray(0, good.length - 1), /last\.safetensors: safetensors/],
      [flipped, /last\.safetensors: damaged/],
      [other, /checkpoint version 9, this build continues 1/],
      [modelBytes(directory), /last\.safetensors: expected a training checkpoint, found sterna-model/],
    ] as const) {
      writeFileSync(file, bytes)
      assert.match((await failure(() => resume(copy))).message, pattern)
    }
  })

  it('that is not finished does not load, and the hint says how to finish it', async () => {
    const unfinished = newDirectory()
    assert.equal(await stopAfter(unfinished, classic('float'), 3), 'stopped')
    const error = await failure(() => loadRun(unfinished))
    assert.equal(error.code, 'file/not-found')
    assert.match(error.hint ?? '', /sterna train --resume/)
  })

  it('resumes to the same bytes after it was finished', async () => {
    const copy = newDirectory()
    cpSync(directory, copy, { recursive: true })
    rmSync(path.join(copy, 'model.safetensors'))
    assert.deepEqual(await resume(copy), summary)
    assert.deepEqual(modelBytes(copy), modelBytes(directory))
  })

  it('loses the half line that a dying process left in events.jsonl', async () => {
    const broken = newDirectory()
    await stopAfter(broken, classic('float'), 13)
    appendFileSync(path.join(broken, 'events.jsonl'), '{"kind":"epo')
    await resume(broken)
    const events = eventsOf(broken)
    assert.deepEqual(
      events.map(event => event.kind),
      ['start', 'phase', 'epoch', 'start', 'phase', 'epoch', 'done'],
    )
    assert.equal(events[3]!.resumedAt, 'epoch 2, step 4')
  })
})

describe('kill -9', () => {
  it('in the middle of epochs of both phases leaves a run that ends with the bytes of an unbroken one', async () => {
    const config = classic('ec2t', { frozenEpochs: 1 })
    const unbroken = newDirectory()
    await start(unbroken, config)
    const killed = newDirectory()
    await killAt(stepsPerEpoch - 6, killed, config)
    assert.equal(existsSync(checkpointOf(killed)), false)
    await killAt(stepsPerEpoch + 6, killed)
    assert.equal(eventsOf(killed).at(-1)!.kind, 'epoch')
    // From the end of epoch 1: the whole of epoch 2 and the beginning of the frozen phase.
    await killAt(stepsPerEpoch + 3, killed)
    assert.equal(eventsOf(killed).at(-1)!.kind, 'phase')
    assert.equal(existsSync(path.join(killed, 'model.safetensors')), false)
    assert.notEqual(await resume(killed), 'stopped')
    assert.deepEqual(modelBytes(killed), modelBytes(unbroken))
  })

  it('before the first checkpoint of a run with a parent starts again from that parent', async () => {
    const parent = newDirectory()
    await start(parent, classic('float'))
    const config = classic('twn', { epochs: 1 })
    const { latent } = loadRun(parent)
    const from = (directory: string, signal?: AbortSignal) =>
      trainRun({
        directory,
        config,
        model: latent,
        from: parent,
        dataset: tinyData,
        engine,
        ...(signal && { signal }),
      })
    const unbroken = newDirectory()
    await from(unbroken)
    const killed = newDirectory()
    await from(killed, AbortSignal.abort())
    rmSync(checkpointOf(killed))
    rmSync(parent, { recursive: true })
    await resume(killed)
    assert.deepEqual(modelBytes(killed), modelBytes(unbroken))
    assert.equal(readRunConfig(killed).from, parent)
  })
})

describe('a disk that takes no more', () => {
  it('while checkpointing: a readable error, and the previous checkpoint continues', {
    skip: process.platform === 'win32' && 'needs ulimit',
  }, async () => {
    const config = classic('float')
    const unbroken = newDirectory()
    await start(unbroken, config)
    const full = newDirectory()
    await stopAfter(full, config, stepsPerEpoch + 2)
    const before = readFileSync(checkpointOf(full))
    const command = 'ulimit -f 64 && exec "$0" "$@"'
    const arguments_ = ['-c', command, process.execPath, childScript, full, '0']
    const child = spawnSync('/bin/sh', arguments_, { encoding: 'utf8' })
    assert.equal(child.status, 0, child.stderr)
    const error = JSON.parse(child.stdout) as { code: string; message: string; hint: string }
    assert.equal(error.code, 'file/write-failed')
    assert.match(error.message, /last\.safetensors \(\d+ bytes\): the file would be larger than allowed/)
    assert.match(error.hint, /free some space/)
    assert.deepEqual(readdirSync(path.dirname(checkpointOf(full))), ['last.safetensors'])
    assert.deepEqual(readFileSync(checkpointOf(full)), before)
    await resume(full)
    assert.deepEqual(modelBytes(full), modelBytes(unbroken))
  })

  it('while writing events or making folders: an error that names the path', async () => {
    const directory = newDirectory()
    mkdirSync(path.join(directory, 'events.jsonl'), { recursive: true })
    const error = await failure(() => start(directory, classic('float')))
    assert.equal(error.code, 'file/write-failed')
    assert.match(error.message, /events\.jsonl/)
    const blocked = newDirectory()
    writeFileSync(blocked, '')
    assert.equal((await failure(() => start(blocked, classic('float')))).code, 'file/write-failed')
  })
})

it('a result file with levels that do not fit is refused', async () => {
  const directory = newDirectory()
  await start(directory, classic('twn', { epochs: 1 }))
  const file = path.join(directory, 'model.safetensors')
  const text = modelBytes(directory).toString('latin1')
  assert.ok(readSafetensors(modelBytes(directory)).tensors.has('conv1.weight@positive'))
  for (const [from, to] of [
    ['conv1.weight@positive', 'conv9.weight@positive'],
    ['"conv1.bias"', '"conv9.bias"'],
  ] as const) {
    writeFileSync(file, Buffer.from(text.replace(from, to), 'latin1'))
    const error = await failure(() => loadRun(directory))
    assert.match(error.message, /model\.safetensors: conv1\.(weight@positive|bias)/)
  }
})
