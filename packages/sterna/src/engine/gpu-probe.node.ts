/**
 * The program of a child process: times a small stack of convolutions on the GPU device it is told and on the CPU and
 * prints the milliseconds as JSON. In a process of its own because a broken driver can end the process it runs in.
 */
import { writeSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import * as ort from 'onnxruntime-node'
import { f32, type Tensor } from '../core/index.ts'
import { type OnnxModel, writeOnnx } from '../formats/onnx/index.ts'
import { sessionOptions } from './loaded-program.ts'
import { int, ints, OnnxEmitter } from './onnx-emitter.ts'
import { toOrt } from './ort-tensor.ts'
import type { EngineDevice } from './types.ts'

const channels = 64
const layers = 2
const runs = 5
/** Side of the feature maps. A software adapter shows itself on the small one, where that takes little time. */
const small = 8
const large = 32
const hopelessMs = 20

/** x [16, 64, side, side] through two 3×3 convolutions and ReLU to its mean. */
function probeModel(side: number): OnnxModel {
  const e = new OnnxEmitter()
  let x = 'x'
  for (let layer = 0; layer < layers; layer++) {
    x = e.emit('Relu', [
      e.emit('Conv', [x, 'weight'], { kernel_shape: ints([3, 3]), pads: ints([1, 1, 1, 1]) }),
    ])
  }
  e.emit('ReduceMean', [x, e.integers([0, 1, 2, 3])], { keepdims: int(0) }, 'mean')
  return {
    irVersion: 10,
    producer: 'sterna',
    opsets: [{ domain: '', version: 21 }],
    graph: {
      name: 'probe',
      ...e.finish(['mean']),
      inputs: [
        { name: 'x', dtype: 'f32', shape: [16, channels, side, side] },
        { name: 'weight', dtype: 'f32', shape: [channels, channels, 3, 3] },
      ],
      outputs: [{ name: 'mean', dtype: 'f32', shape: [] }],
    },
  }
}

function filled(shape: readonly number[], value: number): Tensor {
  const result = f32(shape)
  result.data.fill(value)
  return result
}

/** The fastest run, milliseconds. */
async function measureMs(device: EngineDevice, side: number): Promise<number> {
  const options = sessionOptions({ device, threads: availableParallelism(), spin: false, strict: true })
  const session = await ort.InferenceSession.create(writeOnnx(probeModel(side)), options)
  // Every product is 1/(64·9), so inside the border ones stay ones.
  const feeds = {
    x: toOrt(ort, filled([16, channels, side, side], 1)),
    weight: toOrt(ort, filled([channels, channels, 3, 3], 1 / (channels * 9))),
  }
  let fastestMs = Number.POSITIVE_INFINITY
  for (let i = 0; i <= runs; i++) {
    const before = performance.now()
    const mean = (await session.run(feeds)).mean!.data[0] as number
    if (!(mean > 0.5 && mean < 1)) throw new Error(`wrong result: a mean of ${mean}`)
    fastestMs = Math.min(fastestMs, performance.now() - before)
    if (i === 1 && fastestMs > hopelessMs) break
  }
  return fastestMs
}

const device = process.argv[2] as EngineDevice
try {
  const trialMs = await measureMs(device, small)
  const side = trialMs > hopelessMs ? small : large
  const gpuMs = side === small ? trialMs : await measureMs(device, large)
  print({ gpuMs, cpuMs: await measureMs('cpu', side) })
} catch (error) {
  print({ failure: error instanceof Error ? error.message : String(error) })
}

/** Written at once: leaving through the driver's own exit code may not flush a stream. */
function print(answer: object): void {
  writeSync(1, `${JSON.stringify(answer)}\n`)
}
