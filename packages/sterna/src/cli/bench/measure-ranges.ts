/** What range every activation of an ONNX network takes on some inputs. */
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { type OnnxModel, writeOnnx } from '../../formats/onnx/index.ts'
import type { MeasuredRange } from './quantize-onnx.ts'

/** @param images values of the one input. Every range holds 0. */
export async function measureRanges(
  model: OnnxModel,
  images: readonly Float32Array[],
): Promise<ReadonlyMap<string, MeasuredRange>> {
  const { graph } = model
  const [input] = graph.inputs
  const known = new Set(graph.outputs.map(({ name }) => name))
  const inner = graph.nodes
    .filter(({ opType }) => opType !== 'Constant')
    .map(({ outputs }) => outputs[0]!)
    .filter(name => !known.has(name))
    .map(name => ({ name, dtype: 'f32' }) as const)
  const watched = { ...model, graph: { ...graph, outputs: [...graph.outputs, ...inner] } }
  // Optimised, the network would compute some of them no more.
  const session = await InferenceSession.create(writeOnnx(watched), { graphOptimizationLevel: 'disabled' })
  const shape = input!.shape!.map(size => (typeof size === 'number' ? size : 1))
  const ranges = new Map<string, MeasuredRange>()
  for (const image of images) {
    const feeds = { [input!.name]: new Tensor('float32', image, shape) }
    for (const [name, { data }] of Object.entries({ ...feeds, ...(await session.run(feeds)) })) {
      let { min, max } = ranges.get(name) ?? { min: 0, max: 0 }
      for (const value of data as Float32Array) {
        min = Math.min(min, value)
        max = Math.max(max, value)
      }
      ranges.set(name, { min, max })
    }
  }
  await session.release()
  return ranges
}
