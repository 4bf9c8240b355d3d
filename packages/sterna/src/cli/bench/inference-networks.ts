/** Networks for benchmarks, packed with random ternary weights. */
import type { PackedModel } from 'sterna-runtime'
import { f32, Random, sizeOf } from '../../core/index.ts'
import { GraphBuilder, type Model } from '../../graph/index.ts'
import { zooEntry } from '../../models/index.ts'
import { packModel } from '../../pack/index.ts'
import { selectLayers, type TernaryWeight } from '../../ternary/index.ts'

/** A network of the zoo; all but its first and last layer are ternary with this share of zeros. */
export function randomPacked(name: string, zeros: number): PackedModel {
  const model = zooEntry(name).create(10, 1)
  return packRandom(model, selectLayers(model.graph, 'float-first-last'), zeros)
}

/** 3×3 convolution of a [1, 64, 32, 32] map into as many channels, with bias and ReLU. */
export function randomConvolution(zeros: number): PackedModel {
  const b = new GraphBuilder('convolution')
  const x = b.input('input', [1, 64, 32, 32])
  const inputs = [x, b.parameter('weight', [64, 64, 3, 3]), b.parameter('bias', [64])]
  const attributes = { strides: [1, 1], dilations: [1, 1], pads: [1, 1, 1, 1], groups: 1 } as const
  const graph = b.build([b.op('Relu', [b.op('Conv', inputs, attributes, 'conv')], {}, 'relu')])
  return packRandom({ graph, parameters: zeroParameters(graph) }, ['weight'], zeros)
}

/** A vector of 2048 numbers times a matrix, with bias. */
export function randomMatrix(zeros: number): PackedModel {
  const b = new GraphBuilder('matrix')
  const x = b.input('input', [1, 2048])
  const inputs = [x, b.parameter('weight', [2048, 2048]), b.parameter('bias', [2048])]
  const graph = b.build([b.op('Gemm', inputs, { alpha: 1, beta: 1, transA: false, transB: true }, 'fc')])
  return packRandom({ graph, parameters: zeroParameters(graph) }, ['weight'], zeros)
}

/** Overwrites the named layers with random levels. */
export function packRandom(model: Model, layers: readonly string[], zeros: number): PackedModel {
  const random = new Random(1)
  const ternary = new Map(
    layers.map((name): [string, TernaryWeight] => {
      const { shape } = model.graph.values.get(name)!
      const assignment = Int8Array.from({ length: sizeOf(shape) }, () =>
        random.uniform() < zeros ? 0 : random.uniform() < 0.5 ? -1 : 1,
      )
      return [name, { shape, assignment, positive: Float32Array.of(0.05), negative: Float32Array.of(0.04) }]
    }),
  )
  return packModel(model, ternary, { dense: 'f16', metadata: {} }).packed
}

/** Images of random numbers, the same each time. */
export function randomImages(shape: readonly number[], count: number): readonly Float32Array[] {
  const random = new Random(1)
  return Array.from({ length: count }, () =>
    Float32Array.from({ length: sizeOf(shape) }, () => random.normal()),
  )
}

function zeroParameters({ parameters }: Model['graph']): Model['parameters'] {
  return new Map(parameters.map(({ name, shape }) => [name, f32(shape)]))
}
