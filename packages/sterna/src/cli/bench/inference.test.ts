import assert from 'node:assert/strict'
import { availableParallelism } from 'node:os'
import { describe, test } from 'node:test'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { loadModel } from 'sterna-runtime'
import { Random, SternaError, sizeOf } from '../../core/index.ts'
import { writeOnnx } from '../../formats/onnx/index.ts'
import { exportOnnx } from '../../graph/onnx/index.ts'
import { toModel } from '../../pack/index.ts'
import { batchTable, timeBatches } from './batch-threads.ts'
import { cutLayers } from './cut-layers.ts'
import { timeInference } from './inference.ts'
import { goalWorkloads } from './inference-goals.ts'
import { randomConvolution, randomMatrix, randomPacked } from './inference-networks.ts'
import { measureRanges } from './measure-ranges.ts'
import { openPeer, peerNames } from './peer-packages.ts'
import { quantizeOnnx } from './quantize-onnx.ts'

const image = (shape: readonly number[], seed: number) => {
  const random = new Random(seed)
  return Float32Array.from({ length: sizeOf(shape) }, () => random.normal())
}

test('a network quantized for a peer computes nearly what the network does, all of it in 8 bits', async () => {
  for (const packed of [randomPacked('lenet5', 0.9), randomPacked('resnet20', 0.64), randomMatrix(0.33)]) {
    const [port] = packed.inputs
    const images = [1, 2, 3, 4].map(seed => image(port!.shape, seed))
    const exact = exportOnnx(toModel(packed))
    const quantized = quantizeOnnx(exact, await measureRanges(exact, images))
    const session = await InferenceSession.create(writeOnnx(quantized), { logSeverityLevel: 3 })
    const feeds = { [port!.name]: new Tensor('float32', images[0]!, port!.shape) }
    const theirs = (await session.run(feeds))[packed.outputs[0]!]!.data as Float32Array
    const ours = (await loadModel(packed)).run(images[0]!).output
    const largest = Math.max(...ours.map(Math.abs))
    ours.forEach((value, i) => {
      assert.ok(Math.abs(value - theirs[i]!) < 0.06 * largest, `${packed.name}: ${value} ${theirs[i]}`)
    })
    const stored = [...quantized.graph.initializers.values()].filter(({ shape }) => shape.length > 1)
    assert.deepEqual(new Set(stored.map(({ dtype }) => dtype)), new Set(['i8']))
    await session.release()
  }
})

describe('bench infer', () => {
  for (const peer of peerNames) {
    test(`${peer} computes what we compute`, async t => {
      try {
        await openPeer(peer, 1)
      } catch (error) {
        assert.ok(error instanceof SternaError && error.code === 'engine/unavailable')
        assert.match(error.hint ?? '', /^npm install --no-save \S+@\d/)
        t.skip(`${error.message} (${error.hint})`)
        return
      }
      for (const packed of [randomPacked('lenet5', 0.95), randomPacked('resnet20', 0.64)]) {
        const contest = { peers: [peer], threads: 1, pairs: 1, arithmetic: 'f32' } as const
        const { oursMs, peers, arithmetic } = await timeInference(packed, contest)
        assert.ok(oursMs > 0 && arithmetic === 'f32')
        for (const { precision, difference, ratio } of peers) {
          assert.ok(difference < (precision === 'fp32' ? 1e-5 : 0.06), `${precision} ${difference}`)
          assert.ok(ratio.median > 0)
        }
      }
    })
  }

  test('integer arithmetic is timed with ranges that are measured where the network has none', async () => {
    const contest = { peers: ['ort-node'], threads: 1, pairs: 1, arithmetic: 'int' } as const
    const { peers, arithmetic } = await timeInference(randomPacked('resnet20', 0.64), contest)
    assert.equal(arithmetic, 'int')
    for (const { difference } of peers) assert.ok(difference > 0 && difference < 0.1, String(difference))
  })

  test('batches are timed on two threads against one, or the reason is given why not', async () => {
    const seen: string[] = []
    const times = await timeBatches(randomPacked('lenet5', 0.95), {
      batches: [2, 5],
      rounds: 3,
      onRound: what => seen.push(what),
    })
    const table = batchTable('LeNet-5', times)
    if (availableParallelism() < 2) {
      assert.equal(
        table,
        'Batches on two threads are not timed: two threads need two cores, and this machine has 1.',
      )
      return
    }
    assert.ok(typeof times !== 'string', table)
    assert.deepEqual(
      times.map(({ arithmetic, images }) => [arithmetic, images]),
      [
        ['int', 2],
        ['int', 5],
        ['f32', 2],
        ['f32', 5],
      ],
    )
    for (const { oneThreadMs, twoThreadsMs, ratio, goal } of times) {
      assert.ok(oneThreadMs > 0 && twoThreadsMs > 0 && goal === 1.8)
      assert.ok(ratio.min <= ratio.median && ratio.median <= ratio.max)
    }
    assert.equal(seen.length, 12)
    const [, , first] = table.split('\n')
    assert.match(first!, /^int, 2 images +(! )?\d+\.\d\d× \(1\.8\) +[\d.]+ – [\d.]+ +[\d.]+ +[\d.]+$/)
    assert.equal(batchTable('LeNet-5', 'of a reason'), 'Batches on two threads are not timed: of a reason.')
  })

  test('the layers cut out of a network compute what they compute in it', async () => {
    const packed = randomConvolution(0.9)
    const [layer, ...others] = await cutLayers(packed)
    assert.deepEqual(others, [])
    assert.equal(layer!.geometry, '64→64 3×3 to 32×32')
    const x = image(packed.inputs[0]!.shape, 5)
    const whole = (await loadModel(packed)).run(x).output
    assert.deepEqual((await loadModel(layer!.packed)).run(x).output, whole)
    const names = (await cutLayers(randomPacked('resnet20', 0.64))).map(({ name }) => name)
    assert.equal(names.length, 20)
    assert.equal(new Set(names).size, 20)
  })

  test('the goals cover every workload, and the made-up networks have the zeros they are named by', () => {
    const workloads = goalWorkloads()
    assert.equal(workloads.length, 7)
    for (const { name, goals, create } of workloads) {
      assert.ok(Object.keys(goals).length >= 2, name)
      const zeros = Number(name.match(/(\d+) %/)![1]) / 100
      const weights = [...create().tensors.values()].flatMap(tensor =>
        tensor.kind === 'ternary' ? [...tensor.assignment] : [],
      )
      const found = weights.filter(level => level === 0).length / weights.length
      assert.ok(Math.abs(found - zeros) < 0.01, `${name}: ${found}`)
    }
  })
})
