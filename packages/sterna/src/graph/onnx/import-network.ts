/** Layers, activations, pooling and reductions. */
import type { Value } from '../types.ts'
import type { ImportRule } from './import-rules.ts'
import { importWindow } from './import-window.ts'
import type { NodeImport } from './node-import.ts'

/** The operator of the same name, without attributes. */
function same(
  op: 'Relu' | 'Sigmoid' | 'Tanh' | 'HardSwish' | 'Identity' | 'MatMul' | 'GlobalAveragePool',
): ImportRule {
  return { settings: [], import: n => n.define(op, n.allData(), {}) }
}

function binary(op: 'Add' | 'Sub' | 'Mul' | 'Div'): ImportRule {
  return {
    settings: [],
    import: n => {
      if (n.opset < 7 && n.int('broadcast', 0) === 1)
        n.fail('broadcasting by attribute (before opset 7) is not supported')
      n.define(op, n.allData(), {})
    },
  }
}

function reduce(op: 'ReduceMean' | 'ReduceSum'): ImportRule {
  return {
    settings: [1],
    import: n => {
      const x = n.data(0)
      const given = n.intsOrInput('axes', 1) ?? []
      const isAll = given.length === 0 && n.int('noop_with_empty_axes', 0) === 0
      n.define(op, [x], {
        axes: isAll ? x.shape.map((_, axis) => axis) : given,
        keepDims: n.int('keepdims', 1) === 1,
      })
    },
  }
}

function softmax(op: 'Softmax' | 'LogSoftmax'): ImportRule {
  return {
    settings: [],
    import: n => {
      const x = n.data(0)
      const rank = x.shape.length
      // Before opset 13 all axes from `axis` on are one.
      const given = n.int('axis', n.opset < 13 ? 1 : -1)
      const axis = given < 0 ? given + rank : given
      if (n.opset >= 13 || axis === rank - 1) {
        n.define(op, [x], { axis: given })
        return
      }
      const flat = n.before(op, [n.before('Flatten', [x], { axis })], { axis: 1 })
      n.define('Reshape', [flat], { shape: [0, ...x.shape.slice(1)] })
    },
  }
}

function spatialSize(n: NodeImport, x: Value): readonly [number, number] {
  if (x.shape.length !== 4) n.fail(`input must be [N, C, H, W], found [${x.shape}]`)
  return [x.shape[2]!, x.shape[3]!]
}

function pooling(n: NodeImport) {
  const x = n.data(0)
  const window = importWindow(n, n.ints('kernel_shape') ?? [], spatialSize(n, x))
  if (window.dilations.some(dilation => dilation !== 1))
    n.fail(`dilations [${window.dilations}] are not supported`)
  const { kernel, strides, pads, overhang } = window
  return { x, kernel, strides, pads, overhang }
}

type Pads = readonly [number, number, number, number]

function withOverhang(pads: Pads, [bottom, right]: readonly [number, number]): Pads {
  return [pads[0], pads[1], pads[2] + bottom, pads[3] + right]
}

export const importNetwork: Readonly<Record<string, ImportRule>> = {
  Conv: {
    settings: [],
    import: n => {
      const [x, weight, ...bias] = [n.data(0), n.data(1), ...n.allData().slice(2)]
      const { strides, dilations, pads } = importWindow(n, weight.shape.slice(2), spatialSize(n, x))
      n.define('Conv', [x, weight, ...bias], { strides, dilations, pads, groups: n.int('group', 1) })
    },
  },
  Gemm: {
    settings: [],
    import: n =>
      n.define('Gemm', n.allData(), {
        alpha: n.float('alpha', 1),
        beta: n.float('beta', 1),
        transA: n.int('transA', 0) !== 0,
        transB: n.int('transB', 0) !== 0,
      }),
  },
  MatMul: same('MatMul'),
  BatchNormalization: {
    settings: [],
    import: n => {
      n.expectInt('training_mode', 0)
      n.expectInt('spatial', 1)
      if (n.node.outputs.slice(1).some(output => output !== '') && n.opset >= 14) {
        n.fail('outputs beyond the first exist in training only')
      }
      n.define('BatchNormalization', n.allData(), {
        epsilon: n.float('epsilon', 1e-5),
        momentum: n.float('momentum', 0.9),
      })
    },
  },
  Relu: same('Relu'),
  Sigmoid: same('Sigmoid'),
  Tanh: same('Tanh'),
  HardSwish: same('HardSwish'),
  Identity: same('Identity'),
  HardSigmoid: {
    settings: [],
    import: n =>
      n.define('HardSigmoid', [n.data(0)], {
        alpha: n.float('alpha', 0.2),
        beta: n.float('beta', 0.5),
      }),
  },
  Clip: {
    settings: [1, 2],
    import: n => {
      const bound = (name: string, index: number, absent: number) =>
        n.constantFloat(index) ?? n.float(name, absent)
      n.define('Clip', [n.data(0)], {
        min: bound('min', 1, Number.NEGATIVE_INFINITY),
        max: bound('max', 2, Number.POSITIVE_INFINITY),
      })
    },
  },
  Add: binary('Add'),
  Sub: binary('Sub'),
  Mul: binary('Mul'),
  Div: binary('Div'),
  Sum: {
    settings: [],
    import: n => {
      const [first, ...inputs] = [n.data(0), ...n.allData().slice(1)]
      const last = inputs.pop()
      if (last === undefined) n.define('Identity', [first], {})
      else
        n.define('Add', [inputs.reduce((sum, input) => n.before('Add', [sum, input], {}), first), last], {})
    },
  },
  MaxPool: {
    settings: [],
    import: n => {
      if ((n.node.outputs[1] ?? '') !== '') n.fail('the second output (indices) is not supported')
      const { x, kernel, strides, pads, overhang } = pooling(n)
      n.define('MaxPool', [x], { kernel, strides, pads: withOverhang(pads, overhang) })
    },
  },
  AveragePool: {
    settings: [],
    import: n => {
      const { x, kernel, strides, pads, overhang } = pooling(n)
      const countIncludePad = n.int('count_include_pad', 0) === 1
      const hangs = overhang.some(rows => rows > 0)
      if (!countIncludePad || !hangs) {
        n.define('AveragePool', [x], { kernel, strides, pads: withOverhang(pads, overhang), countIncludePad })
        return
      }
      // The padding counts in the divisor, what ceil_mode adds does not: pad first, then do not count.
      const [top, left, bottom, right] = pads
      const padded = n.before('Pad', [x], { pads: [0, 0, top, left, 0, 0, bottom, right], value: 0 })
      const outer = withOverhang([0, 0, 0, 0], overhang)
      n.define('AveragePool', [padded], { kernel, strides, pads: outer, countIncludePad: false })
    },
  },
  GlobalAveragePool: same('GlobalAveragePool'),
  GlobalMaxPool: {
    settings: [],
    import: n => {
      const x = n.data(0)
      n.define('MaxPool', [x], { kernel: spatialSize(n, x), strides: [1, 1], pads: [0, 0, 0, 0] })
    },
  },
  ReduceMean: reduce('ReduceMean'),
  ReduceSum: reduce('ReduceSum'),
  Softmax: softmax('Softmax'),
  LogSoftmax: softmax('LogSoftmax'),
  Dropout: {
    settings: [1, 2],
    import: n => {
      const isTraining = n.constant(2)?.data[0] === 1
      if (isTraining) n.fail('training_mode must be false')
      n.define('Dropout', [n.data(0)], { ratio: n.constantFloat(1) ?? n.float('ratio', 0.5) })
    },
  },
}
