/** Layers with their parameters: what the zoo's builders are written in. Parameter names are PyTorch's. */
import { f32, Random, type Shape, sizeOf, type Tensor } from '../core/index.ts'
import { GraphBuilder, type Model, type Value } from '../graph/index.ts'

/** How fresh weights are drawn; biases start at zero. */
export type Initialisation =
  /** Uniform on ±√(3 / fan-in): Caffe's `xavier`, which the TWN paper's networks use. */
  | 'xavier'
  /** Normal with variance 2 / fan-in (He et al., 2015). */
  | 'kaiming'

export interface ConvOptions {
  readonly stride?: number
  readonly pad?: number
  readonly groups?: number
  readonly bias?: boolean
}

export class NetworkBuilder {
  readonly graph: GraphBuilder
  readonly #parameters = new Map<string, Tensor>()
  readonly #random: Random
  readonly #initialisation: Initialisation

  constructor(name: string, seed: number, initialisation: Initialisation) {
    this.graph = new GraphBuilder(name)
    this.#random = new Random(seed)
    this.#initialisation = initialisation
  }

  /** x: [N, C, H, W] -> [N, channels, H', W']; `name`.weight and `name`.bias. */
  conv(x: Value, name: string, channels: number, kernel: number, options: ConvOptions = {}): Value {
    const { stride = 1, pad = 0, groups = 1, bias = false } = options
    const weight = this.#weight(`${name}.weight`, [channels, x.shape[1]! / groups, kernel, kernel])
    const inputs = bias ? [x, weight, this.#filled(`${name}.bias`, [channels], 0)] : [x, weight]
    return this.graph.op(
      'Conv',
      inputs,
      { strides: [stride, stride], dilations: [1, 1], pads: [pad, pad, pad, pad], groups },
      name,
    )
  }

  /** x: [N, I] -> [N, features]; weight [features, I]. */
  linear(x: Value, name: string, features: number): Value {
    const weight = this.#weight(`${name}.weight`, [features, x.shape[1]!])
    const bias = this.#filled(`${name}.bias`, [features], 0)
    return this.graph.op('Gemm', [x, weight, bias], { alpha: 1, beta: 1, transA: false, transB: true }, name)
  }

  /** Batch norm over axis 1, with running statistics that training keeps. */
  batchNorm(x: Value, name: string): Value {
    const channels = [x.shape[1]!]
    return this.graph.op(
      'BatchNormalization',
      [
        x,
        this.#filled(`${name}.weight`, channels, 1),
        this.#filled(`${name}.bias`, channels, 0),
        this.#filled(`${name}.running_mean`, channels, 0),
        this.#filled(`${name}.running_var`, channels, 1),
      ],
      { epsilon: 1e-5, momentum: 0.9 },
      name,
    )
  }

  relu(x: Value, name: string): Value {
    return this.graph.op('Relu', [x], {}, name)
  }

  /** Windows of `kernel` × `kernel` pixels, beside each other unless `stride` says otherwise. */
  maxPool(x: Value, name: string, kernel: number, options: Pick<ConvOptions, 'stride' | 'pad'> = {}): Value {
    const { stride = kernel, pad = 0 } = options
    return this.graph.op(
      'MaxPool',
      [x],
      { kernel: [kernel, kernel], strides: [stride, stride], pads: [pad, pad, pad, pad] },
      name,
    )
  }

  build(output: Value): Model {
    return { graph: this.graph.build([output]), parameters: this.#parameters }
  }

  #weight(name: string, shape: Shape): Value {
    const fanIn = sizeOf(shape.slice(1))
    const random = this.#random.fork(name)
    const draw =
      this.#initialisation === 'xavier'
        ? () => random.uniform(-1, 1) * Math.sqrt(3 / fanIn)
        : () => random.normal() * Math.sqrt(2 / fanIn)
    const weight = new Float32Array(sizeOf(shape))
    for (let i = 0; i < weight.length; i++) weight[i] = draw()
    return this.#add(name, f32(shape, weight))
  }

  #filled(name: string, shape: Shape, value: number): Value {
    return this.#add(name, f32(shape, new Float32Array(sizeOf(shape)).fill(value)))
  }

  #add(name: string, initial: Tensor): Value {
    this.#parameters.set(name, initial)
    return this.graph.parameter(name, initial.shape)
  }
}
