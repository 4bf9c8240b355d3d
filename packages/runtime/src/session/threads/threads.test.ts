import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, type TestContext, test } from 'node:test'
import { loadModel, type Session, SternaError } from '../../index.node.ts'
import { createRandom, ModelSketch, randomArray, resnet20 } from '../../kernels/testing/models.ts'
import { host } from './host.ts'
import type { Answer, Message } from './messages.ts'

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

/** A host whose workers are counted, as it starts them now. */
function countWorkers(t: TestContext): () => number {
  const start = host.startThread!
  let workers = 0
  replace(t, host, 'startThread', () => {
    workers++
    return start()
  })
  return () => workers
}

/** A host whose workers give the answers of `answer` in place of computing. */
function replaceWorkers(t: TestContext, answer: (message: Message) => Answer): void {
  replace(t, host, 'startThread', () => {
    let tell: (answer: Answer) => void = () => {}
    return {
      post: message => setImmediate(() => tell(answer(message))),
      listen(listener) {
        tell = listener
      },
      hold() {},
      end() {},
    }
  })
}

async function withThreads(threads: number, use: (session: Session) => Promise<void>): Promise<void> {
  const session = await loadModel(resnet20(0.8), { threads })
  try {
    assert.equal(session.threads, threads)
    await use(session)
  } finally {
    session.close()
  }
}

describe('Session.runBatch', () => {
  for (const callerComputes of [true, false]) {
    const where = callerComputes ? 'on the calling thread and a worker' : 'on workers alone, as for a page'
    test(`gives ${where} exactly what run gives, also for batches at the same time`, t => {
      replace(t, host, 'callerComputes', callerComputes)
      const workers = countWorkers(t)
      return withThreads(2, async session => {
        assert.equal(session.threadsReason, 'asked for')
        assert.equal(workers(), callerComputes ? 1 : 2)
        const expected = session.run(input)
        const one = input.subarray(3072, 2 * 3072)
        const [all, alone] = await Promise.all([session.runBatch(input), session.runBatch(one)])
        assert.deepEqual(all, expected)
        assert.deepEqual(alone, session.run(one))
        // One after the other, in memory that is there already and in more than that.
        for (const batch of [one, input, one])
          assert.deepEqual(await session.runBatch(batch), session.run(batch))
        assert.equal(all.output.buffer instanceof ArrayBuffer, true)
        const into = new Float32Array(images * 10)
        assert.equal((await session.runBatch(input, { into })).output, into)
        assert.deepEqual(into, expected.output)
      })
    })
  }

  test('lets the event loop turn while the calling thread computes', () =>
    withThreads(2, async session => {
      const many = randomArray(createRandom(6), 300 * 3072)
      const expected = session.run(many)
      let turns = 0
      const counting = setInterval(() => turns++, 1)
      const result = await session.runBatch(many)
      clearInterval(counting)
      assert.ok(turns >= 2, `${turns} turns`)
      assert.deepEqual(result, expected)
    }))

  test('gives the same by messages alone, where a page has no shared memory', t => {
    replace(t, globalThis, 'SharedArrayBuffer', undefined as never)
    const workers = countWorkers(t)
    return withThreads(2, async session => {
      assert.equal(workers(), 2)
      assert.deepEqual(await session.runBatch(input), session.run(input))
      assert.equal(input.length, images * 3072)
    })
  })

  test('computes on the calling thread where the host has no workers, and says so', async t => {
    replace(t, host, 'startThread', undefined)
    const session = await loadModel(resnet20(0.8), { threads: 2 })
    assert.deepEqual([session.threads, session.threadsReason], [1, 'this host has no workers'])
    assert.deepEqual(await session.runBatch(input), session.run(input))
  })

  test('computes on the calling thread where workers are refused, and says why', async t => {
    replace(t, host, 'startThread', () => {
      throw new Error('forbidden')
    })
    const session = await loadModel(resnet20(0.8), { threads: 2 })
    assert.deepEqual([session.threads, session.threadsReason], [1, 'a worker did not start: forbidden'])
  })

  test('computes on the calling thread where a worker does not load, and says why', async t => {
    replaceWorkers(t, () => ({ error: new Error('no such module') }))
    const session = await loadModel(resnet20(0.8), { threads: 2 })
    assert.deepEqual([session.threads, session.threadsReason], [1, 'a worker did not start: no such module'])
    assert.deepEqual(await session.runBatch(input), session.run(input))
  })

  test('fails with what a worker failed with, then and afterwards', async t => {
    replaceWorkers(t, message => ('model' in message ? {} : { error: new Error('out of order') }))
    const session = await loadModel(resnet20(0.8), { threads: 2 })
    const failed = failsWith('engine/failed', /a worker of this session failed: out of order/)
    await assert.rejects(session.runBatch(input), failed)
    await assert.rejects(session.runBatch(input), failed)
  })

  test('fails with a typed error where the input does not fit and where the session is closed', () =>
    withThreads(2, async session => {
      await assert.rejects(session.runBatch(new Float32Array(5)), failsWith('usage/input', /found 5/))
      const pending = session.runBatch(input)
      session.close()
      await assert.rejects(pending, failsWith('engine/failed', /closed/))
      await assert.rejects(session.runBatch(input), failsWith('engine/failed', /closed/))
    }))

  test('leaves the arrays of a batch alone once it has failed', () =>
    withThreads(2, async session => {
      const into = new Float32Array(300 * 10)
      const pending = session.runBatch(randomArray(createRandom(6), 300 * 3072), { into })
      setTimeout(() => session.close(), 0)
      await assert.rejects(pending, failsWith('engine/failed', /closed/))
      const left = into.slice()
      await new Promise(resolve => setTimeout(resolve, 50))
      assert.deepEqual(into, left)
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
