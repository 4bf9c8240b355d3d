/**
 * Static 8-bit quantization of an ONNX network for comparison: activations in u8 with one scale and zero point each,
 * weights in i8 with a scale for each output channel, biases in i32. Written as QuantizeLinear and DequantizeLinear
 * around float operators, which ONNX Runtime fuses into its integer operators.
 */
import { f32, sizeOf, type Tensor, tensor } from '../../core/index.ts'
import type { OnnxModel, OnnxNode } from '../../formats/onnx/index.ts'

/** Smallest and largest number that an activation took. */
export interface MeasuredRange {
  readonly min: number
  readonly max: number
}

/** Operators that only pick or move numbers: they run on the 8-bit values as they are. */
const movers: ReadonlySet<string> = new Set([
  'Flatten',
  'MaxPool',
  'Pad',
  'Reshape',
  'Slice',
  'Squeeze',
  'Transpose',
  'Unsqueeze',
])
const weighted: ReadonlySet<string> = new Set(['Conv', 'Gemm', 'MatMul'])
const clips: ReadonlySet<string> = new Set(['Relu', 'Clip'])
const levels = 255

/** @param ranges of the inputs and of every node's output; see `measureRanges` */
export function quantizeOnnx(model: OnnxModel, ranges: ReadonlyMap<string, MeasuredRange>): OnnxModel {
  const { graph } = model
  const writer = new QuantizedGraph(
    graph.initializers,
    ranges,
    new Set(graph.outputs.map(({ name }) => name)),
  )
  for (const { name } of graph.inputs) writer.quantize(name, name)
  for (const { node, output } of withoutClips(graph.nodes, writer.outputs)) writer.append(node, output)
  return { ...model, graph: { ...graph, nodes: writer.nodes, initializers: writer.initializers } }
}

/** Clips right behind what computes fall away: the range of the 8-bit values ends where they clip. */
function withoutClips(
  nodes: readonly OnnxNode[],
  outputs: ReadonlySet<string>,
): readonly { readonly node: OnnxNode; readonly output: string }[] {
  const readers = new Map<string, OnnxNode[]>()
  for (const node of nodes) {
    for (const input of node.inputs) readers.set(input, [...(readers.get(input) ?? []), node])
  }
  const clipped = new Set<OnnxNode>()
  return nodes.flatMap(node => {
    if (clipped.has(node)) return []
    const output = node.outputs[0]!
    const [reader, ...others] = readers.get(output) ?? []
    const isAlone = reader !== undefined && others.length === 0 && !outputs.has(output)
    if (!(isAlone && clips.has(reader.opType) && (weighted.has(node.opType) || node.opType === 'Add'))) {
      return [{ node, output }]
    }
    clipped.add(reader)
    return [{ node, output: reader.outputs[0]! }]
  })
}

class QuantizedGraph {
  readonly nodes: OnnxNode[] = []
  readonly initializers: Map<string, Tensor>
  readonly outputs: ReadonlySet<string>
  readonly #ranges: ReadonlyMap<string, MeasuredRange>
  /** Whose scale and zero point an activation has: its own, or those of what was moved. */
  readonly #origins = new Map<string, string>()

  constructor(
    initializers: ReadonlyMap<string, Tensor>,
    ranges: ReadonlyMap<string, MeasuredRange>,
    outputs: ReadonlySet<string>,
  ) {
    this.initializers = new Map(initializers)
    this.outputs = outputs
    this.#ranges = ranges
  }

  /** Makes the activation `name` of the float value `from`: 8-bit as `name:q`, float again as `#floatOf(name)`. */
  quantize(name: string, from: string): void {
    const { min, max } = this.#ranges.get(name)!
    const low = Math.min(0, min)
    const scale = Math.max(Math.max(0, max) - low, 1e-6) / levels
    this.initializers.set(`${name}:scale`, f32([], [scale]))
    this.initializers.set(`${name}:zero`, tensor('u8', [], Uint8Array.of(Math.round(-low / scale))))
    this.#origins.set(name, name)
    this.#push('QuantizeLinear', [from, `${name}:scale`, `${name}:zero`], `${name}:q`)
    this.#dequantize(name)
  }

  append(node: OnnxNode, output: string): void {
    if (node.opType === 'Constant') {
      this.nodes.push(node)
      return
    }
    const origin = this.#origins.get(node.inputs[0]!)
    if (movers.has(node.opType) && origin !== undefined) {
      const inputs = [`${node.inputs[0]}:q`, ...node.inputs.slice(1)]
      // What a Pad adds is the 8-bit zero.
      if (node.opType === 'Pad') inputs[2] = `${origin}:zero`
      this.nodes.push({ ...node, inputs, outputs: [`${output}:q`] })
      this.#origins.set(output, origin)
      this.#dequantize(output)
      return
    }
    const exact = `${output}:float`
    const inputs = node.inputs.map(input => (this.#origins.has(input) ? this.#floatOf(input) : input))
    const weight = weighted.has(node.opType) ? this.initializers.get(node.inputs[1]!) : undefined
    if (weight === undefined) this.nodes.push({ ...node, inputs, outputs: [exact] })
    else this.nodes.push(this.#quantizeWeight(node, inputs, weight, exact))
    this.quantize(output, exact)
  }

  #quantizeWeight(node: OnnxNode, inputs: readonly string[], weight: Tensor, output: string): OnnxNode {
    const [input, name, bias] = node.inputs as [string, string, string?]
    const isConv = node.opType === 'Conv'
    const isTransposed = node.attributes.transB?.kind === 'int' && node.attributes.transB.value === 1
    // [inputs, outputs] is the order that ONNX Runtime's integer matrix products are fastest with.
    const turned = isTransposed ? transpose(weight) : weight
    const axis = isConv ? 0 : turned.shape.length - 1
    const { values, scales } = toInt8(turned, axis)
    this.initializers.delete(name)
    const read = [this.#integers(name, tensor('i8', turned.shape, values), scales, axis)]
    if (bias !== undefined) {
      const [inputScale] = this.initializers.get(`${this.#origins.get(input)}:scale`)!.data as Float32Array
      const biasScales = scales.map(scale => scale * inputScale!)
      const { data } = this.initializers.get(bias)!
      const numbers = biasScales.map((scale, channel) => Number(data[channel % data.length]) / scale)
      this.initializers.delete(bias)
      const rounded = tensor('i32', [scales.length], Int32Array.from(numbers, Math.round))
      read.push(this.#integers(bias, rounded, biasScales, 0))
    }
    const { transB: _, ...attributes } = node.attributes
    return {
      ...node,
      inputs: [inputs[0]!, ...read],
      outputs: [output],
      attributes: isConv ? node.attributes : attributes,
    }
  }

  /** Stored integers as floats; their zero point is 0. Returns the name of the floats. */
  #integers(name: string, values: Tensor<'i8' | 'i32'>, scales: Float32Array, axis: number): string {
    const zeros = values.dtype === 'i8' ? new Int8Array(scales.length) : new Int32Array(scales.length)
    this.initializers.set(`${name}:q`, values)
    this.initializers.set(`${name}:scale`, f32([scales.length], scales))
    this.initializers.set(`${name}:zero`, tensor(values.dtype, [scales.length], zeros))
    this.#push('DequantizeLinear', [`${name}:q`, `${name}:scale`, `${name}:zero`], `${name}:dq`, axis)
    return `${name}:dq`
  }

  #dequantize(name: string): void {
    const origin = this.#origins.get(name)!
    this.#push('DequantizeLinear', [`${name}:q`, `${origin}:scale`, `${origin}:zero`], this.#floatOf(name))
  }

  #floatOf(name: string): string {
    return this.outputs.has(name) ? name : `${name}:dq`
  }

  #push(opType: string, inputs: readonly string[], output: string, axis?: number): void {
    const attributes: OnnxNode['attributes'] =
      axis === undefined ? {} : { axis: { kind: 'int', value: axis } }
    this.nodes.push({
      opType,
      domain: '',
      name: `${output}:${opType}`,
      inputs,
      outputs: [output],
      attributes,
    })
  }
}

function transpose({ shape, data }: Tensor): Tensor {
  const [rows, columns] = shape as [number, number]
  const turned = new Float32Array(rows * columns)
  for (let i = 0; i < turned.length; i++) {
    turned[(i % columns) * rows + Math.floor(i / columns)] = Number(data[i])
  }
  return f32([columns, rows], turned)
}

/** Symmetric: the largest weight of a channel becomes ±127. */
function toInt8(
  { shape, data }: Tensor,
  axis: number,
): { readonly values: Int8Array; readonly scales: Float32Array } {
  const channels = shape[axis]!
  const inner = sizeOf(shape.slice(axis + 1))
  const channelOf = (index: number) => Math.floor(index / inner) % channels
  const scales = new Float32Array(channels).fill(1e-9)
  for (let i = 0; i < data.length; i++) {
    const channel = channelOf(i)
    scales[channel] = Math.max(scales[channel]!, Math.abs(Number(data[i])) / 127)
  }
  const values = Int8Array.from({ length: data.length }, (_, i) =>
    Math.round(Number(data[i]) / scales[channelOf(i)]!),
  )
  return { values, scales }
}
