import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { createSharedBatch, fill, takeImage } from './shared-batch.ts'

const arrayOf = (images: number, size: number) => ({
  data: Float32Array.from({ length: images * size }, (_, i) => i + 1),
  size,
})

describe('createSharedBatch', () => {
  test('gives every array room of its own, and uses memory again that is large enough', () => {
    const [inputs, outputs] = [[arrayOf(3, 5), arrayOf(3, 2)], [arrayOf(3, 1)]]
    const { batch, memory } = createSharedBatch(3, inputs, outputs, undefined)
    fill(batch, inputs)
    for (const [i, { data }] of outputs.entries()) batch.outputs[i]!.set(data)
    assert.deepEqual(
      [...batch.inputs, ...batch.outputs].map(array => [...array]),
      [...inputs, ...outputs].map(({ data }) => [...data]),
    )
    assert.deepEqual([takeImage(batch), takeImage(batch)], [0, 1])
    const again = createSharedBatch(2, [arrayOf(2, 5)], outputs, memory)
    assert.equal(again.memory, memory)
    assert.equal(takeImage(again.batch), 0)
    assert.notEqual(createSharedBatch(300, [arrayOf(300, 5)], outputs, memory).memory, memory)
  })

  test('a thread that takes an image before it is copied in waits for it', async () => {
    const inputs = [arrayOf(4, 3)]
    const { batch } = createSharedBatch(4, inputs, [], undefined)
    const worker = new Worker(
      `
      const { parentPort, workerData: batch } = require('node:worker_threads')
      import(${JSON.stringify(new URL('./shared-batch.js', import.meta.url).href)}).then(({ awaitImage }) => {
        parentPort.postMessage('waits')
        awaitImage(batch, 3)
        parentPort.postMessage([...batch.inputs[0].subarray(9)])
      })`,
      { eval: true, workerData: batch },
    )
    assert.deepEqual(await once(worker, 'message'), ['waits'])
    const answer = once(worker, 'message')
    await new Promise(resolve => setTimeout(resolve, 20))
    fill(batch, inputs)
    assert.deepEqual(await answer, [[10, 11, 12]])
  })
})
