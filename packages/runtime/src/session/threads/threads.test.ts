import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, type TestContext, test } from 'node:test'
import { loadModel, type Session, SternaError } from '../../index.node.ts'
import { createRandom, ModelSketch, randomArray, resnet20 } from '../../kernels/testing/models.ts'
import { host } from './host.ts'

const images = 11
const input = randomArray(createRandom(5), images * 3072)

const failsWith = (code: string, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof SternaError, `expected a SternaError, found ${error}`)
  assert.equal(error.code, code)
  assert.match(error.message, message)
  return true
}

function replace<T extends object, K extends keyof T>(t: TestContext, object: T, key: K, value: T[K]): void {
  const before = object[key]
  object[key] = value
  t.after(() => {
    object[key] = before
  })
}

async function withThreads(threads: number, use: (session: Session) => Promise<void>): Promise<void> {
  const session = await loadModel(resnet20(0.8), { threads })
  try {
    await use(session)
  } finally {
    session.close()
  }
}

describe('Session.runBatch', () => {
  test('gives on workers exactly what run gives, also for batches at the same time', () =>
    withThreads(2, async session => {
      assert.equal(session.threads, 2)
      const expected = session.run(input)
      const one = input.subarray(3072, 2 * 3072)
      const [all, alone] = await Promise.all([session.runBatch(input), session.runBatch(one)])
      assert.deepEqual(all, expected)
      assert.deepEqual(alone, session.run(one))
      // One after the other, in memory that is there already and in more than that.
      for (const batch of [one, input, one])
        assert.deepEqual(await session.runBatch(batch), session.run(batch))
      assert.equal(all.output.buffer instanceof ArrayBuffer, true)
    }))

  test('gives the same by messages alone, where a page has no shared memory', t =>
    withThreads(2, async session => {
      replace(t, globalThis, 'SharedArrayBuffer', undefined as never)
      assert.deepEqual(await session.runBatch(input), session.run(input))
      assert.equal(input.length, images * 3072)
    }))

  test('computes on the calling thread without workers, and where the host has none', async t => {
    const alone = await loadModel(resnet20(0.8))
    assert.equal(alone.threads, 1)
    assert.deepEqual(await alone.runBatch(input), alone.run(input))
    replace(t, host, 'startThread', undefined)
    const without = await loadModel(resnet20(0.8), { threads: 2 })
    assert.equal(without.threads, 1)
    assert.deepEqual(await without.runBatch(input), alone.run(input))
  })

  test('computes on the calling thread where workers are refused', async t => {
    replace(t, host, 'startThread', () => {
      throw new Error('forbidden')
    })
    assert.equal((await loadModel(resnet20(0.8), { threads: 2 })).threads, 1)
  })

  test('fails with a typed error where the input does not fit and where the session is closed', () =>
    withThreads(2, async session => {
      await assert.rejects(session.runBatch(new Float32Array(5)), failsWith('usage/input', /found 5/))
      const pending = session.runBatch(input)
      session.close()
      await assert.rejects(pending, failsWith('engine/failed', /closed/))
      await assert.rejects(session.runBatch(input), failsWith('engine/failed', /closed/))
    }))

  test('refuses a number of threads that is none', async () => {
    const m = new ModelSketch()
    const model = m.model(m.input('x', [1]))
    for (const threads of [0, 1.5, 257, Number.NaN, '2' as never]) {
      await assert.rejects(loadModel(model, { threads }), failsWith('usage/option', /threads/))
    }
  })

  test('does not keep a process that is done, but finishes a batch that runs', () => {
    const program = `
      import { loadModel } from ${JSON.stringify(new URL('../../index.node.js', import.meta.url).href)}
      import { resnet20 } from ${JSON.stringify(new URL('../../kernels/testing/models.js', import.meta.url).href)}
      const session = await loadModel(resnet20(0.8), { threads: 2 })
      session.runBatch(new Float32Array(8 * 3072)).then(({ shape }) => console.log(shape.join()))
    `
    const args = ['--input-type=module', '--eval', program]
    const { stdout, stderr, status } = spawnSync(process.execPath, args, {
      encoding: 'utf8',
      timeout: 30_000,
    })
    assert.equal(status, 0, stderr)
    assert.equal(stdout.trim(), '8,10')
  })
})
