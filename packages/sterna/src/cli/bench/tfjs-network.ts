/** A network as calls of TensorFlow.js: channels last, bias and ReLU fused into what they follow. */
import { expectF32, SternaError, sizeOf, type Tensor } from '../../core/index.ts'
import type { GraphNode, Model } from '../../graph/index.ts'
import type { TfConvolution, TfCore, TfEpilogue, TfPad, TfTensor } from './peer-packages.ts'

/** Feature maps are channels last, [N, H, W, C]; `isMap` tells them from matrices. */
interface TfValue {
  readonly tensor: TfTensor
  readonly isMap: boolean
}

export interface TfNetwork {
  /** One image in the model's own order → the first output. */
  run(): Float32Array
  dispose(): void
}

/**
 * The image is put into channels-last order once, as a program around TensorFlow.js would keep it.
 * @throws SternaError 'engine/unavailable' for an operator that is not written here
 */
export function createTfNetwork(tf: TfCore, { graph, parameters }: Model, image: Float32Array): TfNetwork {
  const [input] = graph.inputs
  const isMap = input!.shape.length === 4
  const pixels = isMap ? toChannelsLast(image, input!.shape) : image
  const shape = isMap ? channelsLast(input!.shape) : input!.shape
  const weights = new TfWeights(tf, parameters)
  const plan = fuseRelu(graph.nodes, new Set(graph.outputs))
  const run = (): Float32Array => {
    const output = tf.tidy(() => {
      const values = new Map<string, TfValue>([[input!.name, { tensor: tf.tensor(pixels, shape), isMap }]])
      for (const { node, output: name, activation } of plan) {
        values.set(name, apply(tf, node, values, weights, activation))
      }
      const { tensor: last, isMap: lastIsMap } = values.get(graph.outputs[0]!)!
      return lastIsMap ? tf.transpose(last, [0, 3, 1, 2]) : last
    })
    const numbers = output.dataSync()
    output.dispose()
    return numbers
  }
  return { run, dispose: () => weights.dispose() }
}

interface PlannedNode {
  readonly node: GraphNode
  readonly output: string
  readonly activation: 'linear' | 'relu'
}

function fuseRelu(nodes: readonly GraphNode[], outputs: ReadonlySet<string>): readonly PlannedNode[] {
  const fused = new Set<GraphNode>()
  return nodes.flatMap((node): PlannedNode[] => {
    if (fused.has(node)) return []
    const output = node.outputs[0]!
    const readers = nodes.filter(({ inputs }) => inputs.includes(output))
    const [reader] = readers
    // A fused ReLU of a matrix product clips partial sums of the WebAssembly backend (4.22.0).
    if (node.op !== 'Conv' || readers.length !== 1 || reader!.op !== 'Relu' || outputs.has(output)) {
      return [{ node, output, activation: 'linear' }]
    }
    fused.add(reader!)
    return [{ node, output: reader!.outputs[0]!, activation: 'relu' }]
  })
}

/** Weights on the device in TensorFlow.js's order, made when first used. */
class TfWeights {
  readonly #tf: TfCore
  readonly #parameters: ReadonlyMap<string, Tensor>
  readonly #kept = new Map<string, TfTensor>()

  constructor(tf: TfCore, parameters: ReadonlyMap<string, Tensor>) {
    this.#tf = tf
    this.#parameters = parameters
  }

  /** [O, I, H, W] → [H, W, I, O], or for a depthwise convolution, where I is 1, [H, W, O, 1]. */
  filter(name: string, isDepthwise: boolean): TfTensor {
    return this.#keep(name, ({ shape, data }) => {
      const [outputs, inputs, height, width] = shape as [number, number, number, number]
      const area = height * width
      const turned = new Float32Array(data.length)
      for (let i = 0; i < data.length; i++) {
        const output = Math.floor(i / (inputs * area))
        const channel = Math.floor(i / area) % inputs
        turned[((i % area) * inputs + channel) * outputs + output] = data[i]!
      }
      const last = isDepthwise ? [outputs, 1] : [inputs, outputs]
      return this.#tf.tensor(turned, [height, width, ...last])
    })
  }

  plain(name: string): TfTensor {
    return this.#keep(name, ({ shape, data }) => this.#tf.tensor(data, shape))
  }

  dispose(): void {
    for (const tensor of this.#kept.values()) tensor.dispose()
  }

  #keep(name: string, make: (held: Tensor<'f32'>) => TfTensor): TfTensor {
    let kept = this.#kept.get(name)
    if (kept === undefined) {
      kept = this.#tf.keep(make(expectF32(this.#parameters.get(name), name)))
      this.#kept.set(name, kept)
    }
    return kept
  }
}

function apply(
  tf: TfCore,
  node: GraphNode,
  values: ReadonlyMap<string, TfValue>,
  weights: TfWeights,
  activation: 'linear' | 'relu',
): TfValue {
  const { tensor: x, isMap } = values.get(node.inputs[0]!) ?? refuse(node)
  const map = (tensor: TfTensor): TfValue => ({ tensor, isMap: true })
  const same = (tensor: TfTensor): TfValue => ({ tensor, isMap })
  const [, , bias] = node.inputs
  const epilogue: TfEpilogue = { activation, ...(bias !== undefined && { bias: weights.plain(bias) }) }
  switch (node.op) {
    case 'Conv': {
      const { strides, dilations, pads, groups } = node.attributes
      const isDepthwise = groups > 1
      const filter = weights.filter(node.inputs[1]!, isDepthwise)
      if (isDepthwise && (groups !== x.shape[3] || groups !== filter.shape[2])) return refuse(node)
      const call: TfConvolution = { x, filter, strides, dilations, pad: padOf(pads), ...epilogue }
      return map(isDepthwise ? tf.fused.depthwiseConv2d(call) : tf.fused.conv2d(call))
    }
    case 'Gemm': {
      const { alpha, beta, transA, transB } = node.attributes
      if (alpha !== 1 || beta !== 1 || transA) return refuse(node)
      const b = weights.plain(node.inputs[1]!)
      return same(tf.fused.matMul({ a: x, b, transposeB: transB, ...epilogue }))
    }
    case 'Relu':
      return same(tf.relu(x))
    case 'Clip':
      return same(tf.clipByValue(x, node.attributes.min, node.attributes.max))
    case 'Add':
      return same(tf.add(x, (values.get(node.inputs[1]!) ?? refuse(node)).tensor))
    case 'MaxPool': {
      const { kernel, strides, pads } = node.attributes
      return map(tf.maxPool(x, kernel, strides, padOf(pads)))
    }
    case 'AveragePool': {
      const { kernel, strides, pads } = node.attributes
      if (pads.some(pad => pad > 0)) return refuse(node)
      return map(tf.avgPool(x, kernel, strides, padOf(pads)))
    }
    case 'GlobalAveragePool':
      return map(tf.mean(x, [1, 2], true))
    case 'ReduceMean': {
      const { axes, keepDims } = node.attributes
      const isSpatial = isMap && [...axes].sort().join() === '2,3'
      return isSpatial ? { tensor: tf.mean(x, [1, 2], keepDims), isMap: keepDims } : refuse(node)
    }
    case 'Flatten': {
      const rows = isMap ? tf.transpose(x, [0, 3, 1, 2]) : x
      return { tensor: tf.reshape(rows, [1, sizeOf(x.shape)]), isMap: false }
    }
    case 'Slice': {
      const { starts, ends, axes, steps } = node.attributes
      if (!isMap) return refuse(node)
      const pick = (list: readonly number[], axis: number, otherwise: number) =>
        list[axes.indexOf(axis)] ?? otherwise
      const order = [0, 2, 3, 1]
      const begin = order.map(axis => pick(starts, axis, 0))
      const end = order.map((axis, i) => Math.min(pick(ends, axis, x.shape[i]!), x.shape[i]!))
      const strides = order.map(axis => pick(steps, axis, 1))
      return map(tf.stridedSlice(x, begin, end, strides))
    }
    case 'Pad': {
      const { pads, value } = node.attributes
      if (!isMap) return refuse(node)
      const order = [0, 2, 3, 1]
      const sides = order.map(axis => [pads[axis]!, pads[axis + 4]!] as const)
      return map(tf.pad(x, sides, value))
    }
    case 'Identity':
    case 'Dropout':
      return same(x)
    default:
      return refuse(node)
  }
}

function refuse({ op, name }: GraphNode): never {
  throw new SternaError(
    'engine/unavailable',
    `tfjs: ${op} "${name}" is not among what this benchmark builds`,
    {
      hint: 'leave tfjs out of --against',
    },
  )
}

/** Top, left, bottom, right → before and behind every axis of [N, H, W, C]. */
function padOf([top, left, bottom, right]: readonly [number, number, number, number]): TfPad {
  return [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ]
}

function channelsLast(shape: readonly number[]): readonly number[] {
  const [images, channels, height, width] = shape as [number, number, number, number]
  return [images, height, width, channels]
}

function toChannelsLast(image: Float32Array, shape: readonly number[]): Float32Array {
  const [, channels, height, width] = shape as [number, number, number, number]
  const area = height * width
  return image.map((_, i) => image[(i % channels) * area + Math.floor(i / channels)]!)
}
