/** A packed network and the same network as float32 in ONNX Runtime, one image at a time. */
import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node'
import { loadModel, type PackedModel } from 'sterna-runtime'
import { Random, SternaError, sizeOf } from '../../core/index.ts'
import { writeOnnx } from '../../formats/onnx/index.ts'
import { exportOnnx } from '../../graph/onnx/index.ts'
import { zooEntry } from '../../models/index.ts'
import { packModel, toModel } from '../../pack/index.ts'
import { selectLayers, type TernaryWeight } from '../../ternary/index.ts'
import type { Contestant } from './pairs.ts'

/** A network of the zoo with random ternary weights of this share of zeros in all but its first and last layer. */
export function randomPacked(model: string, zeros: number): PackedModel {
  const { graph, parameters } = zooEntry(model).create(10, 1)
  const random = new Random(1)
  const ternary = new Map(
    selectLayers(graph, 'float-first-last').map((name): [string, TernaryWeight] => {
      const { shape } = graph.values.get(name)!
      const assignment = Int8Array.from({ length: sizeOf(shape) }, () =>
        random.uniform() < zeros ? 0 : random.uniform() < 0.5 ? -1 : 1,
      )
      return [name, { shape, assignment, positive: Float32Array.of(0.05), negative: Float32Array.of(0.04) }]
    }),
  )
  return packModel({ graph, parameters }, ternary, { dense: 'f16', metadata: {} }).packed
}

export interface InferenceContest {
  /** The packed network first, then ONNX Runtime with each number of threads. */
  readonly contestants: readonly Contestant[]
  /** Largest difference of their outputs over the largest output. */
  readonly difference: number
}

/** ONNX Runtime gets the weights as constants, so that it may prepare them once as it does for its own users. */
export async function prepareInference(
  packed: PackedModel,
  threads: readonly number[],
): Promise<InferenceContest> {
  const session = await loadModel(packed)
  const [port] = session.inputs
  if (port === undefined || session.inputs.length > 1) {
    throw new SternaError(
      'usage/input',
      `bench infer: ${packed.name} has ${session.inputs.length} inputs, expected 1`,
    )
  }
  const random = new Random(1)
  const image = Float32Array.from({ length: sizeOf(port.shape) }, () => random.normal())
  const ort = await import('onnxruntime-node')
  const bytes = writeOnnx(exportOnnx(toModel(packed)))
  const feeds: Record<string, OrtTensor> = { [port.name]: new ort.Tensor('float32', image, port.shape) }
  const sessions: { readonly count: number; readonly session: InferenceSession }[] = []
  for (const count of threads) {
    const options = { intraOpNumThreads: count, interOpNumThreads: 1 }
    sessions.push({ count, session: await ort.InferenceSession.create(bytes, options) })
  }
  const ours = session.run(image).output
  const theirs = (await sessions[0]!.session.run(feeds))[packed.outputs[0]!]!.data as Float32Array
  return {
    contestants: [
      { name: 'sterna-runtime, packed', run: async () => session.run(image) },
      ...sessions.map(({ count, session: other }) => ({
        name: `ONNX Runtime, fp32, ${count} ${count === 1 ? 'thread' : 'threads'}`,
        run: () => other.run(feeds),
      })),
    ],
    difference: relativeDifference(ours, theirs),
  }
}

function relativeDifference(a: Float32Array, b: Float32Array): number {
  let largest = 0
  let difference = 0
  for (let i = 0; i < a.length; i++) {
    largest = Math.max(largest, Math.abs(b[i]!))
    difference = Math.max(difference, Math.abs(a[i]! - b[i]!))
  }
  return difference / largest
}
