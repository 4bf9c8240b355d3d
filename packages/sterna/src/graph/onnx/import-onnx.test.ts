import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { f32, SternaError, type Tensor, tensor } from '../../core/index.ts'
import type { OnnxAttribute, OnnxModel, OnnxNode } from '../../formats/onnx/index.ts'
import type { Graph } from '../types.ts'
import { exportOnnx, importOnnx } from './index.ts'

const int = (value: number): OnnxAttribute => ({ kind: 'int', value })
const ints = (...value: number[]): OnnxAttribute => ({ kind: 'ints', value })
const float = (value: number): OnnxAttribute => ({ kind: 'float', value })
const string = (value: string): OnnxAttribute => ({ kind: 'string', value })
const integers = (...values: number[]) => tensor('i64', [values.length], BigInt64Array.from(values, BigInt))

interface Sketch {
  readonly input?: readonly (number | string)[]
  readonly opset?: number
  readonly initializers?: Readonly<Record<string, Tensor>>
  /** [operator, inputs, attributes]; node i defines "y{i}", the last one is the output. */
  readonly nodes: readonly (readonly [string, readonly string[], Readonly<Record<string, OnnxAttribute>>?])[]
}

function sketch({ input = ['batch', 2, 6, 6], opset = 13, initializers = {}, nodes }: Sketch): OnnxModel {
  return {
    irVersion: 8,
    producer: 'test',
    opsets: [{ domain: '', version: opset }],
    graph: {
      name: 'sketch',
      nodes: nodes.map(
        ([opType, inputs, attributes = {}], i): OnnxNode => ({
          opType,
          domain: '',
          name: '',
          inputs,
          outputs: [`y${i}`],
          attributes,
        }),
      ),
      initializers: new Map(Object.entries(initializers)),
      inputs: [{ name: 'x', dtype: 'f32', shape: input }],
      outputs: [{ name: `y${nodes.length - 1}`, dtype: 'f32' }],
    },
  }
}

function imported(model: Sketch): Graph {
  return importOnnx(sketch(model)).graph
}

/** [operator, attributes] of every node. */
function operators(graph: Graph) {
  return graph.nodes.map(({ op, attributes }) => [op, attributes])
}

function shapeOf(graph: Graph): readonly number[] {
  return graph.values.get(graph.outputs[0]!)!.shape
}

describe('what ONNX leaves open is resolved', () => {
  const weight = f32([3, 2, 3, 3])
  const padsOf = (attributes: Readonly<Record<string, OnnxAttribute>>, input: readonly number[]) => {
    const graph = imported({
      input,
      initializers: { weight },
      nodes: [['Conv', ['x', 'weight'], attributes]],
    })
    const node = graph.nodes[0]!
    assert.ok(node.op === 'Conv')
    return [node.attributes.pads, shapeOf(graph)]
  }

  it('auto_pad: the odd pad lies at the end or at the start', () => {
    const strides = ints(2, 2)
    assert.deepEqual(padsOf({ auto_pad: string('SAME_UPPER'), strides }, [1, 2, 6, 5]), [
      [0, 1, 1, 1],
      [1, 3, 3, 3],
    ])
    assert.deepEqual(padsOf({ auto_pad: string('SAME_LOWER'), strides }, [1, 2, 6, 5]), [
      [1, 1, 0, 1],
      [1, 3, 3, 3],
    ])
    assert.deepEqual(padsOf({ auto_pad: string('VALID'), strides }, [1, 2, 6, 5]), [
      [0, 0, 0, 0],
      [1, 3, 2, 2],
    ])
    assert.deepEqual(padsOf({ auto_pad: string('SAME_UPPER'), dilations: ints(2, 1) }, [1, 2, 6, 6]), [
      [2, 1, 2, 1],
      [1, 3, 6, 6],
    ])
  })

  it('ceil_mode: a partial window counts unless it starts in the padding behind', () => {
    const pool = (size: number, pads: OnnxAttribute) => {
      const attributes = { kernel_shape: ints(2, 2), strides: ints(2, 2), ceil_mode: int(1), pads }
      const graph = imported({ input: [1, 1, size, size], nodes: [['MaxPool', ['x'], attributes]] })
      return shapeOf(graph)[2]
    }
    assert.equal(pool(5, ints(0, 0, 0, 0)), 3)
    assert.equal(pool(4, ints(0, 0, 0, 0)), 2)
    assert.equal(pool(5, ints(1, 1, 1, 1)), 3)
  })

  it('ceil_mode with counted padding pads first', () => {
    const attributes = {
      kernel_shape: ints(3, 3),
      strides: ints(2, 2),
      pads: ints(1, 1, 1, 1),
      ceil_mode: int(1),
      count_include_pad: int(1),
    }
    const graph = imported({ input: [1, 1, 6, 6], nodes: [['AveragePool', ['x'], attributes]] })
    assert.deepEqual(operators(graph), [
      ['Pad', { pads: [0, 0, 1, 1, 0, 0, 1, 1], value: 0 }],
      ['AveragePool', { kernel: [3, 3], strides: [2, 2], pads: [0, 0, 1, 1], countIncludePad: false }],
    ])
  })

  it('defaults of every operator', () => {
    const norm = f32([2])
    const graph = imported({
      initializers: { norm },
      nodes: [
        ['BatchNormalization', ['x', 'norm', 'norm', 'norm', 'norm']],
        ['HardSigmoid', ['y0']],
        ['Clip', ['y1']],
        ['Transpose', ['y2']],
        ['Dropout', ['y3']],
        ['Softmax', ['y4']],
        ['ReduceMean', ['y5']],
        ['Squeeze', ['y6']],
      ],
    })
    assert.deepEqual(operators(graph), [
      ['BatchNormalization', { epsilon: 1e-5, momentum: 0.9 }],
      ['HardSigmoid', { alpha: 0.2, beta: 0.5 }],
      ['Clip', { min: Number.NEGATIVE_INFINITY, max: Number.POSITIVE_INFINITY }],
      ['Transpose', { perm: [3, 2, 1, 0] }],
      ['Dropout', { ratio: 0.5 }],
      ['Softmax', { axis: -1 }],
      ['ReduceMean', { axes: [0, 1, 2, 3], keepDims: true }],
      ['Squeeze', { axes: [0, 1, 2, 3] }],
    ])
  })

  it('settings as attributes and as inputs, by operator set', () => {
    const old = imported({
      opset: 9,
      nodes: [
        ['Clip', ['x'], { min: float(0), max: float(6) }],
        ['Pad', ['y0'], { pads: ints(0, 0, 1, 0, 0, 0, 0, 2), value: float(0.5) }],
        ['Slice', ['y1'], { starts: ints(1), ends: ints(2 ** 62), axes: ints(2) }],
        ['ReduceSum', ['y2'], { axes: ints(3), keepdims: int(1) }],
        ['Unsqueeze', ['y3'], { axes: ints(0) }],
        ['Squeeze', ['y4'], { axes: ints(0) }],
        ['Dropout', ['y5'], { ratio: float(0.25) }],
        ['Reshape', ['y6', 'shape']],
      ],
      initializers: { shape: integers(-1, 12) },
    })
    const now = imported({
      opset: 17,
      initializers: {
        zero: f32([], [0]),
        six: f32([1], [6]),
        half: f32([], [0.5]),
        quarter: f32([], [0.25]),
        pads: integers(1, 0, 0, 2),
        spatial: integers(2, -1),
        one: integers(1),
        end: integers(2 ** 31 - 1),
        two: integers(2),
        three: integers(3),
        first: integers(0),
        shape: integers(-1, 12),
      },
      nodes: [
        ['Clip', ['x', 'zero', 'six']],
        ['Pad', ['y0', 'pads', 'half', 'spatial']],
        ['Slice', ['y1', 'one', 'end', 'two']],
        ['ReduceSum', ['y2', 'three']],
        ['Unsqueeze', ['y3', 'first']],
        ['Squeeze', ['y4', 'first']],
        ['Dropout', ['y5', 'quarter', '']],
        ['Reshape', ['y6', 'shape']],
      ],
    })
    assert.deepEqual(operators(now), operators(old))
    assert.deepEqual(now.parameters, [])
    assert.equal(now.constants.size, 0)
  })

  it('negative pads, which crop', () => {
    const graph = imported({
      initializers: { pads: integers(0, 0, -1, 2, 0, 0, 0, -3) },
      nodes: [['Pad', ['x', 'pads']]],
    })
    assert.deepEqual(
      graph.nodes.map(({ op }) => op),
      ['Slice', 'Pad'],
    )
    assert.deepEqual(shapeOf(graph), [1, 2, 5, 5])
  })

  it('the coerced softmax before operator set 13', () => {
    const graph = imported({ opset: 11, nodes: [['Softmax', ['x']]] })
    assert.deepEqual(operators(graph), [
      ['Flatten', { axis: 1 }],
      ['Softmax', { axis: 1 }],
      ['Reshape', { shape: [0, 2, 6, 6] }],
    ])
  })

  it('a literal batch size, so that the graph fits every batch', () => {
    const graph = imported({
      input: [8, 2, 6, 6],
      initializers: { shape: integers(8, -1) },
      nodes: [['Reshape', ['x', 'shape']]],
    })
    assert.deepEqual(graph.inputs[0]!.shape, [1, 2, 6, 6])
    assert.deepEqual(operators(graph), [['Reshape', { shape: [0, -1] }]])
  })

  it('shapes that nodes compute, which leave nothing behind', () => {
    const graph = imported({
      initializers: { zero: integers(0), one: integers(1), steps: integers(-1), least: integers(-(2 ** 31)) },
      nodes: [
        ['Shape', ['x']],
        ['Slice', ['y0', 'steps', 'least', 'zero', 'steps']],
        ['Gather', ['y1', 'steps']],
        ['Constant', [], { value_int: int(-1) }],
        ['Unsqueeze', ['y3', 'zero']],
        ['Mul', ['y2', 'one']],
        ['Concat', ['y5', 'y4'], { axis: int(0) }],
        ['Cast', ['y6'], { to: int(7) }],
        ['Reshape', ['x', 'y7']],
      ],
    })
    assert.deepEqual(operators(graph), [['Reshape', { shape: [0, -1] }]])
    assert.equal(graph.constants.size, 0)
  })
})

describe('initializers', () => {
  it('become parameters where they are computed with, in float32', () => {
    const half = tensor('f16', [2, 1, 1], Uint16Array.of(0x3c00, 0xc000))
    const model = importOnnx(
      sketch({
        initializers: { offset: half, factor: tensor('f64', [], Float64Array.of(0.1)), unused: f32([3]) },
        nodes: [
          ['Add', ['x', 'offset']],
          ['Mul', ['y0', 'factor']],
        ],
      }),
    )
    assert.deepEqual(
      [...model.parameters],
      [
        ['offset', f32([2, 1, 1], [1, -2])],
        ['factor', f32([], [0.1])],
      ],
    )
  })

  it('that are shared through Identity stay one parameter', () => {
    const model = importOnnx(
      sketch({
        initializers: { weight: f32([2, 2, 1, 1]) },
        nodes: [
          ['Identity', ['weight']],
          ['Conv', ['x', 'weight']],
          ['Conv', ['y1', 'y0']],
        ],
      }),
    )
    assert.deepEqual(
      model.graph.nodes.map(({ op, inputs }) => [op, inputs[1]]),
      [
        ['Conv', 'weight'],
        ['Conv', 'weight'],
      ],
    )
  })

  it('may be listed among the inputs, as old files do', () => {
    const model = sketch({ initializers: { weight: f32([2, 2, 1, 1]) }, nodes: [['Conv', ['x', 'weight']]] })
    const inputs = [{ name: 'weight', dtype: 'f32' as const, shape: [2, 2, 1, 1] }, ...model.graph.inputs]
    const { graph } = importOnnx({ ...model, graph: { ...model.graph, inputs } })
    assert.deepEqual(
      graph.inputs.map(({ name }) => name),
      ['x'],
    )
  })

  it('make MatMul and Add one fully connected layer, if nothing else sees the product', () => {
    const initializers = { weight: f32([4, 3]), bias: f32([3]) }
    const layer = imported({
      input: ['n', 4],
      initializers,
      nodes: [
        ['MatMul', ['x', 'weight']],
        ['Add', ['bias', 'y0']],
        ['Relu', ['y1']],
      ],
    })
    assert.deepEqual(
      layer.nodes.map(({ op, inputs, outputs }) => [op, inputs, outputs]),
      [
        ['Gemm', ['x', 'weight', 'bias'], ['y1']],
        ['Relu', ['y1'], ['y2']],
      ],
    )
    const seen = imported({
      input: ['n', 4],
      initializers,
      nodes: [
        ['MatMul', ['x', 'weight']],
        ['Add', ['y0', 'bias']],
        ['Mul', ['y1', 'y0']],
      ],
    })
    assert.deepEqual(
      seen.nodes.map(({ op }) => op),
      ['MatMul', 'Add', 'Mul'],
    )
  })
})

describe('what cannot be imported is refused with the place', () => {
  const cases: readonly (readonly [string, Sketch, string, RegExp])[] = [
    [
      'an unknown operator',
      {
        nodes: [
          ['Relu', ['x']],
          ['LSTM', ['y0']],
        ],
      },
      'graph/unknown-operator',
      /LSTM/,
    ],
    [
      'an operator that the prototype has',
      { nodes: [['toString', ['x']]] },
      'graph/unknown-operator',
      /toString/,
    ],
    ['Gather of activations', { nodes: [['Gather', ['x', 'x']]] }, 'graph/unknown-operator', /not constant/],
    ['an undefined input', { nodes: [['Relu', ['z']]] }, 'graph/attribute', /"z" is not defined/],
    [
      'a shape that depends on data',
      { nodes: [['Reshape', ['x', 'x']]] },
      'graph/attribute',
      /must be a constant/,
    ],
    [
      'a reflecting pad',
      { nodes: [['Pad', ['x'], { mode: string('reflect') }]] },
      'graph/attribute',
      /reflect/,
    ],
    [
      'an attribute of the wrong type',
      { nodes: [['Flatten', ['x'], { axis: float(1) }]] },
      'graph/attribute',
      /axis must be int, found float/,
    ],
    [
      'dilated pooling',
      { nodes: [['MaxPool', ['x'], { kernel_shape: ints(2, 2), dilations: ints(2, 2) }]] },
      'graph/attribute',
      /dilations/,
    ],
    [
      'a one-dimensional convolution',
      { input: [1, 2, 6], nodes: [['Conv', ['x', 'x']]] },
      'graph/attribute',
      /\[N, C, H, W\]/,
    ],
    ['an open image size', { input: ['n', 2, 'h', 6], nodes: [['Relu', ['x']]] }, 'graph/shape', /"h"/],
    [
      'shapes that do not fit',
      {
        nodes: [
          ['MatMul', ['x', 'x']],
          ['Add', ['y0', 'w']],
        ],
        initializers: { w: f32([5]) },
      },
      'graph/shape',
      /y1/,
    ],
    [
      'training mode',
      {
        initializers: { s: f32([2]) },
        nodes: [['BatchNormalization', ['x', 's', 's', 's', 's'], { training_mode: int(1) }]],
      },
      'graph/attribute',
      /training_mode/,
    ],
    [
      'a backward slice',
      { nodes: [['Slice', ['x', 'a', 'a', 'a', 'a']]], initializers: { a: integers(-1) } },
      'graph/attribute',
      /steps/,
    ],
  ]
  for (const [title, model, code, message] of cases) {
    it(title, () => {
      assert.throws(
        () => importOnnx(sketch(model)),
        (error: unknown) => {
          assert.ok(error instanceof SternaError, String(error))
          assert.equal(error.code, code)
          assert.match(error.message, message)
          return true
        },
      )
    })
  }

  it('the hint lists what is supported', () => {
    assert.throws(() => importOnnx(sketch({ nodes: [['LSTM', ['x']]] })), {
      hint: /supported are Add, AveragePool, .*Transpose/,
    })
  })

  it('an operator of another domain', () => {
    const model = sketch({ nodes: [['Relu', ['x']]] })
    const nodes = model.graph.nodes.map(node => ({ ...node, domain: 'com.microsoft' }))
    assert.throws(() => importOnnx({ ...model, graph: { ...model.graph, nodes } }), {
      code: 'graph/unknown-operator',
      message: /com\.microsoft\.Relu/,
    })
  })

  it('any wiring of any operators: only SternaError', () => {
    const names = ['x', 'y0', 'y1', 'y2', 'w', 'i', '']
    const opTypes = [
      'Conv',
      'Gemm',
      'MatMul',
      'Add',
      'Clip',
      'Reshape',
      'Slice',
      'Pad',
      'Concat',
      'Squeeze',
      'Unsqueeze',
      'Shape',
      'Gather',
      'Constant',
      'ConstantOfShape',
      'Cast',
      'MaxPool',
      'AveragePool',
      'Softmax',
      'ReduceSum',
      'Transpose',
      'Flatten',
      'BatchNormalization',
      'Sum',
      'Dropout',
      'GlobalMaxPool',
    ] as const
    const small = fc.integer({ min: -3, max: 9 })
    const attribute = fc.oneof(
      small.map(int),
      fc.array(small, { maxLength: 4 }).map(value => ints(...value)),
      fc.constant(float(0.5)),
      fc.constantFrom('SAME_UPPER', 'constant').map(string),
    )
    const keys = [
      'axis',
      'axes',
      'kernel_shape',
      'strides',
      'pads',
      'perm',
      'to',
      'ceil_mode',
      'auto_pad',
      'shape',
      'starts',
      'ends',
      'value_ints',
      'group',
      'start',
      'end',
    ]
    const node = fc.tuple(
      fc.constantFrom(...opTypes),
      fc.array(fc.constantFrom(...names), { maxLength: 5 }),
      fc.dictionary(fc.constantFrom(...keys), attribute, { maxKeys: 4 }),
    )
    fc.assert(
      fc.property(
        fc.array(node, { minLength: 1, maxLength: 4 }),
        fc.array(small, { maxLength: 4 }),
        (nodes, values) => {
          try {
            importOnnx(sketch({ nodes, initializers: { w: f32([2, 2, 1, 1]), i: integers(...values) } }))
          } catch (error) {
            assert.ok(error instanceof SternaError, `${(error as Error).stack}`)
          }
        },
      ),
      { numRuns: 2000 },
    )
  })
})

describe('a model that is exported', () => {
  it('leaves the batch size open where nothing fixes it', () => {
    const open = exportOnnx(
      importOnnx(
        sketch({
          nodes: [
            ['Relu', ['x']],
            ['Flatten', ['y0']],
          ],
        }),
      ),
    )
    assert.deepEqual(open.graph.inputs[0]!.shape, ['batch', 2, 6, 6])
    assert.deepEqual(open.graph.outputs[0]!.shape, ['batch', 72])
    const fixed = exportOnnx(
      importOnnx(sketch({ initializers: { shape: integers(2, 36) }, nodes: [['Reshape', ['x', 'shape']]] })),
    )
    assert.deepEqual(fixed.graph.inputs[0]!.shape, [1, 2, 6, 6])
  })

  it('has no place for operators of training graphs', () => {
    const { graph } = importOnnx(sketch({ nodes: [['Relu', ['x']]] }))
    const nodes = graph.nodes.map(node => ({ ...node, op: 'Neg', attributes: {} }) as const)
    assert.throws(() => exportOnnx({ graph: { ...graph, nodes }, parameters: new Map() }), {
      code: 'graph/unknown-operator',
      message: /Neg "y0"/,
    })
  })
})
