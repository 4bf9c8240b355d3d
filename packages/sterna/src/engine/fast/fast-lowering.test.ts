import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { f32, Random, type Shape, sizeOf, type Tensor } from '../../core/index.ts'
import { type Graph, GraphBuilder, gradients, type Value } from '../../graph/index.ts'
import { createEngine } from '../create-engine.node.ts'
import { differentiableCases, drawInputs } from '../testing/operator-cases.ts'
import type { Engine, Program } from '../types.ts'
import { assignLayouts } from './assign-layouts.ts'
import { nchwcDomain } from './blocked-emission.ts'
import { createFastLowering } from './index.ts'

const standard = await createEngine({ device: 'cpu', threads: 1, lowering: 'standard' })
const fast = await createEngine({ device: 'cpu', threads: 1, lowering: 'fast' }).catch(error => {
  console.log(`skipped: ${error.message}`)
  return undefined
})
after(async () => {
  await standard.close()
  await fast?.close()
})
const skip = fast === undefined

const window = { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], groups: 1 } as const
const pads = (size: number) => [size, size, size, size] as const

function drawn(random: Random, shape: Shape): Tensor<'f32'> {
  return f32(
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => random.normal()),
  )
}

async function runOn(engine: Engine, graph: Graph, inputs: Readonly<Record<string, Tensor>>) {
  const executable = await engine.load({ graph, state: new Map() })
  const parameters = graph.parameters.map(({ name }) => [name, inputs[name]!] as const)
  await executable.setState(new Map(parameters))
  const results = await executable.run(inputs)
  await executable.release()
  return results
}

/** All outputs of both lowerings agree to `tolerance` of their largest element. */
async function assertSame(
  graph: Graph,
  inputs: Readonly<Record<string, Tensor>>,
  tolerance = 2e-5,
): Promise<void> {
  const expected = await runOn(standard, graph, inputs)
  const found = await runOn(fast!, graph, inputs)
  for (const [name, { data, shape }] of Object.entries(expected)) {
    assert.deepEqual(found[name]!.shape, shape)
    const values = data as Float32Array
    const scale = values.reduce((most, value) => Math.max(most, Math.abs(value)), 1)
    values.forEach((value, at) => {
      const difference = Math.abs(value - (found[name]!.data[at] as number))
      assert.ok(difference <= tolerance * scale, `${name}, element ${at}: ${value}, ${found[name]!.data[at]}`)
    })
  }
}

/** A network under test: what it computes from an image, with parameters made on the way. */
type Build = (b: GraphBuilder, x: Value, parameter: (shape: Shape) => Value) => Value

/** The values of `build` and the gradients of its parameters, with which the image is multiplied first. */
function differentiated(image: Shape, build: Build) {
  const random = new Random(4)
  const b = new GraphBuilder('network')
  const inputs: Record<string, Tensor> = {}
  const learned: Value[] = []
  const x = b.input('image', image)
  inputs.image = drawn(random, image)
  const y = build(b, x, shape => {
    const name = `parameter${learned.length}`
    inputs[name] = drawn(random, shape)
    const value = b.parameter(name, shape)
    learned.push(value)
    return value
  })
  const weights = b.constant(drawn(random, y.shape))
  const found = gradients(b, b.sum(b.mul(y, weights)), learned)
  return { graph: b.build([y, ...found]), inputs }
}

const convolution = (options: {
  readonly kernel: readonly [number, number]
  readonly filters?: number
  readonly strides?: readonly [number, number]
  readonly pads?: readonly [number, number, number, number]
  readonly dilations?: readonly [number, number]
  readonly groups?: number
  readonly bias?: boolean
}): Build => {
  const { kernel, filters = 32, groups = 1, bias = false, ...rest } = options
  return (b, x, parameter) => {
    const scaled = b.mul(x, parameter([]))
    const weight = parameter([filters, x.shape[1]! / groups, ...kernel])
    const inputs = bias ? [scaled, weight, parameter([filters])] : [scaled, weight]
    return b.op('Conv', inputs, { ...window, ...rest, groups })
  }
}

/** Something between two convolutions, so that it runs on blocks. */
const between =
  (apply: Build, channels = 32): Build =>
  (b, x, parameter) => {
    const before = b.op('Conv', [x, parameter([32, x.shape[1]!, 1, 1])], window)
    return b.op('Conv', [apply(b, before, parameter), parameter([32, channels, 1, 1])], window)
  }

const normalized = (b: GraphBuilder, x: Value, parameter: (shape: Shape) => Value) =>
  b.opAll('BatchNormalizationTraining', [x, parameter([x.shape[1]!]), parameter([x.shape[1]!])], {
    epsilon: 1e-5,
  })[0]!

const cases: readonly { readonly title: string; readonly image: Shape; readonly build: Build }[] = [
  { title: '1 × 1', image: [16, 16, 5, 4], build: convolution({ kernel: [1, 1] }) },
  { title: '3 × 3', image: [32, 32, 6, 5], build: convolution({ kernel: [3, 3], pads: pads(1) }) },
  {
    title: '3 × 3 with bias, 14 samples',
    image: [14, 32, 6, 5],
    build: convolution({ kernel: [3, 3], pads: pads(1), bias: true }),
  },
  {
    title: '3 × 3, 20 samples, windows of 20 MB',
    image: [20, 16, 80, 64],
    build: convolution({ kernel: [3, 3], filters: 16, pads: pads(1) }),
  },
  { title: '5 × 5 unpadded', image: [16, 32, 7, 6], build: convolution({ kernel: [5, 5] }) },
  { title: '7 × 7', image: [16, 16, 8, 7], build: convolution({ kernel: [7, 7], pads: pads(3) }) },
  {
    title: '1 × 3, one-sided pads',
    image: [16, 16, 4, 5],
    build: convolution({ kernel: [1, 3], pads: [0, 2, 0, 0] }),
  },
  {
    title: 'dilated',
    image: [16, 16, 7, 8],
    build: convolution({ kernel: [3, 2], dilations: [2, 3], pads: pads(2) }),
  },
  {
    title: '3 × 3 / 2',
    image: [32, 16, 8, 6],
    build: convolution({ kernel: [3, 3], strides: [2, 2], pads: pads(1) }),
  },
  {
    title: '3 × 3 / 2 of odd size, 30 samples',
    image: [30, 16, 7, 9],
    build: convolution({ kernel: [3, 3], strides: [2, 2], pads: pads(1) }),
  },
  {
    title: '3 × 3 / 2 unpadded',
    image: [16, 16, 8, 7],
    build: convolution({ kernel: [3, 3], strides: [2, 2] }),
  },
  { title: '1 × 1 / 2', image: [16, 32, 6, 7], build: convolution({ kernel: [1, 1], strides: [2, 2] }) },
  {
    title: '2 × 3 / 3 × 2, one-sided pads',
    image: [16, 16, 8, 7],
    build: convolution({ kernel: [2, 3], strides: [3, 2], pads: [1, 0, 0, 2] }),
  },
  {
    title: '5 × 5 / 4',
    image: [16, 16, 10, 9],
    build: convolution({ kernel: [5, 5], strides: [4, 4], pads: pads(2) }),
  },
  {
    title: '3 × 3 / 2 of odd size, 20 samples',
    image: [20, 32, 7, 9],
    build: convolution({ kernel: [3, 3], strides: [2, 2], pads: pads(1) }),
  },
  { title: '3 × 3, one sample', image: [1, 16, 5, 4], build: convolution({ kernel: [3, 3], pads: pads(1) }) },
  {
    title: '5 × 3 with one-sided pads, 50 samples',
    image: [50, 32, 8, 8],
    build: convolution({ kernel: [5, 3], pads: [2, 1, 0, 0], bias: true }),
  },
  {
    title: 'two groups',
    image: [16, 32, 5, 4],
    build: convolution({ kernel: [3, 3], pads: pads(1), groups: 2 }),
  },
  {
    title: 'depthwise',
    image: [16, 32, 6, 5],
    build: convolution({ kernel: [3, 3], pads: pads(1), groups: 32 }),
  },
  {
    title: 'depthwise 5 × 3, 15 samples',
    image: [15, 32, 6, 5],
    build: convolution({ kernel: [5, 3], pads: [2, 1, 2, 1], groups: 32 }),
  },
  {
    title: 'a batch norm and ReLU',
    image: [16, 16, 4, 5],
    build: between((b, x, p) => b.relu(normalized(b, x, p))),
  },
  {
    title: 'a batch norm of 45 samples',
    image: [45, 16, 4, 5],
    build: between((b, x, p) => b.relu(normalized(b, x, p))),
  },
  {
    title: 'a batch norm around a residual',
    image: [16, 16, 4, 4],
    build: between((b, x, p) => {
      const branch = b.op('Conv', [x, p([32, 32, 3, 3])], { ...window, pads: pads(1) })
      return b.relu(b.add(normalized(b, branch, p), x))
    }),
  },
  {
    title: 'two batch norms in one sum',
    image: [16, 16, 4, 4],
    build: between((b, x, p) => b.relu(b.add(normalized(b, x, p), normalized(b, b.mul(x, x), p)))),
  },
  {
    title: 'a batch norm with running statistics',
    image: [14, 16, 4, 4],
    build: between((b, x, p) => {
      const [scale, bias, mean] = [p([32]), p([32]), p([32])]
      const variance = b.abs(p([32]))
      return b.relu(
        b.op('BatchNormalization', [x, scale, bias, mean, variance], { epsilon: 1e-3, momentum: 0.9 }),
      )
    }),
  },
  {
    title: 'a maximum over 2 × 2',
    image: [16, 16, 6, 4],
    build: between((b, x) =>
      b.op('MaxPool', [b.relu(x)], { kernel: [2, 2], strides: [2, 2], pads: pads(0) }),
    ),
  },
  {
    title: 'a maximum over 2 × 2 of odd size, with ties, 6 samples',
    image: [6, 16, 7, 5],
    build: between((b, x) =>
      b.op('MaxPool', [b.round(x)], { kernel: [2, 2], strides: [2, 2], pads: pads(0) }),
    ),
  },
  {
    title: 'a maximum over 3 × 3 / 2',
    image: [15, 16, 7, 6],
    build: between((b, x) =>
      b.op('MaxPool', [b.relu(x)], { kernel: [3, 3], strides: [2, 2], pads: pads(1) }),
    ),
  },
  {
    title: 'an average over 3 × 2',
    image: [16, 16, 7, 6],
    build: between((b, x) =>
      b.op('AveragePool', [x], {
        kernel: [3, 2],
        strides: [2, 1],
        pads: [1, 0, 1, 1],
        countIncludePad: false,
      }),
    ),
  },
  {
    title: 'an average with padding counted',
    image: [16, 16, 6, 6],
    build: between((b, x) =>
      b.op('AveragePool', [x], { kernel: [3, 3], strides: [3, 3], pads: pads(1), countIncludePad: true }),
    ),
  },
  {
    title: 'a global average',
    image: [14, 16, 3, 5],
    build: between((b, x) => b.mul(x, b.op('GlobalAveragePool', [b.mul(x, x)], {}))),
  },
  {
    title: 'a slice and a pad of channels that cross blocks',
    image: [16, 16, 6, 5],
    build: between((b, x) => {
      const kept = b.op('Slice', [x], { starts: [1, 0], ends: [6, 5], axes: [2, 3], steps: [2, 2] })
      return b.op('Pad', [kept], { pads: [0, 8, 1, 0, 0, 8, 0, 1], value: 0 })
    }, 48),
  },
  {
    title: 'a gate for each channel',
    image: [16, 16, 3, 3],
    build: between((b, x, p) => b.mul(x, b.op('Sigmoid', [p([1, 32, 1, 1])], {}))),
  },
  {
    title: 'a classifier behind',
    image: [16, 16, 3, 3],
    build: (b, x, p) => {
      const y = b.op('Conv', [x, p([16, 16, 3, 3])], window)
      return b.matMul(b.op('Flatten', [y], { axis: 1 }), p([16, 4]))
    },
  },
  {
    title: 'an image of 3 channels, 7 × 7 / 2',
    image: [16, 3, 12, 12],
    build: (b, x, p) => b.op('Conv', [x, p([16, 3, 7, 7])], { ...window, strides: [2, 2], pads: pads(3) }),
  },
  {
    title: 'an image of 3 channels, 5 × 5 / 2, 9 samples',
    image: [9, 3, 11, 10],
    build: (b, x, p) => b.op('Conv', [x, p([32, 3, 5, 5])], { ...window, strides: [2, 2], pads: pads(2) }),
  },
  {
    title: 'an image of 1 channel, 5 × 5 with bias, 25 samples',
    image: [25, 1, 9, 8],
    build: (b, x, p) => normalized(b, b.op('Conv', [x, p([32, 1, 5, 5]), p([32])], window), p),
  },
]

function nodesOf(program: Program) {
  return createFastLowering(16).lower(program, 'cpu').model.graph.nodes
}

describe('values and gradients through the fast lowering are the standard ones', { skip }, () => {
  for (const { title, image, build } of cases) {
    it(`for ${title}`, async () => {
      const { graph, inputs } = differentiated(image, build)
      const program = { graph, state: new Map() }
      assert.deepEqual([...assignLayouts(program, 16).reasons], [])
      assert.ok(nodesOf(program).some(({ opType, domain }) => opType === 'Conv' && domain === nchwcDomain))
      await assertSame(graph, inputs)
    })
  }

  it('for every operator, on shapes that do not fill blocks', async () => {
    for (const operator of differentiableCases) {
      const b = new GraphBuilder(operator.title)
      const inputs = operator.inputs.map((shape, index) => b.input(`input${index}`, shape))
      const y = b.opAll(operator.op, inputs, operator.attributes)[0]!
      const wanted = operator.differentiable.map(index => inputs[index]!)
      const graph = b.build([y, ...gradients(b, b.sum(b.mul(y, y)), wanted)])
      const tensors = drawInputs(operator).map((tensor, index) => [`input${index}`, tensor] as const)
      await assertSame(graph, Object.fromEntries(tensors))
    }
  })
})

describe('what has no blocked form', () => {
  const reasonOf = (image: Shape, options: Parameters<typeof convolution>[0]) => {
    const { graph } = differentiated(image, convolution(options))
    return [...assignLayouts({ graph, state: new Map() }, 16).reasons.values()]
  }

  it('is left to the standard operators for a reason', () => {
    assert.deepEqual(
      reasonOf([16, 16, 4, 4], { kernel: [3, 3], filters: 24 })[0],
      '24 output channels, the block is 16',
    )
    assert.deepEqual(reasonOf([16, 24, 4, 4], { kernel: [3, 3] })[0], '24 input channels, the block is 16')
    assert.match(
      reasonOf([16, 32, 4, 4], { kernel: [3, 3], groups: 4 })[0]!,
      /^groups of 8 input and 8 output/,
    )
    const strided = { kernel: [2, 2], strides: [2, 2], dilations: [2, 2] } as const
    assert.deepEqual(reasonOf([16, 16, 6, 6], strided)[0], 'strides and dilations')
  })

  it('is named with its reason by whoever loads the program', () => {
    const namesOf = (image: Shape, options: Parameters<typeof convolution>[0]) => {
      const { graph } = differentiated(image, convolution(options))
      const { fallbacks } = createFastLowering(16).lower({ graph, state: new Map() }, 'cpu')
      return fallbacks!.map(({ node, reason }) => `${node.replace(/^.*\//, '')}: ${reason}`)
    }
    // The convolution speaks for its gradients.
    assert.deepEqual(namesOf([16, 16, 4, 4], { kernel: [3, 3], filters: 24 }), [
      'Conv_0: 24 output channels, the block is 16',
    ])
    assert.deepEqual(namesOf([16, 32, 5, 4], { kernel: [3, 3], pads: pads(1), groups: 2 }), [
      'ConvWeightGradient_0: a gradient over groups',
    ])
    assert.deepEqual(namesOf([16, 16, 7, 8], { kernel: [3, 2], dilations: [2, 3], pads: pads(2) }), [
      'ConvWeightGradient_0: a gradient over dilations',
    ])
    assert.deepEqual(namesOf([16, 16, 4, 4], { kernel: [1, 1], pads: pads(1) }), [
      'ConvInputGradient_0: pads wider than the kernel',
    ])
    assert.deepEqual(namesOf([16, 32, 6, 5], { kernel: [3, 3], pads: pads(1) }), [])
  })

  it('still computes the same', { skip }, async () => {
    const builds: readonly (readonly [Shape, Build])[] = [
      [[16, 24, 4, 4], convolution({ kernel: [3, 3], filters: 16 })],
      [
        [16, 16, 6, 6],
        (b, x, p) => {
          const narrow = b.op('Conv', [x, p([24, 16, 3, 3])], window)
          return b.op('Conv', [b.relu(normalized(b, narrow, p)), p([16, 24, 1, 1])], window)
        },
      ],
      [
        [16, 16, 6, 6],
        (b, x, p) => {
          const weight = p([32, 16, 1, 1])
          const shared = b.op('Conv', [b.relu(b.op('Conv', [x, weight], window)), p([32, 32, 2, 2])], {
            ...window,
            strides: [2, 2],
            dilations: [2, 2],
          })
          return b.matMul(b.reshape(shared, [64, 32]), b.transpose(b.reshape(weight, [16, 32]), [1, 0]))
        },
      ],
    ]
    for (const [image, build] of builds) {
      const { graph, inputs } = differentiated(image, build)
      await assertSame(graph, inputs)
    }
  })
})
