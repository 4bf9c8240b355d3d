/** How each inference operator is written in ONNX. Settings that ONNX takes as inputs get Constant nodes. */
import type { InferenceOperatorName, InferenceOperators } from 'sterna-runtime'
import { SternaError, scalar, type Tensor, tensor } from '../../core/index.ts'
import type { OnnxAttribute, OnnxNode } from '../../formats/onnx/index.ts'
import type { GraphNode } from '../types.ts'

interface Written {
  /** Where it is not the operator of the same name. */
  readonly opType?: string
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>
  /** Inputs after the node's own; undefined leaves one out. */
  readonly settings?: readonly (Tensor | undefined)[]
}

type ExportTable = {
  readonly [Name in InferenceOperatorName]: (attributes: InferenceOperators[Name]) => Written
}

const int = (value: number): OnnxAttribute => ({ kind: 'int', value })
const ints = (value: readonly number[]): OnnxAttribute => ({ kind: 'ints', value })
const float = (value: number): OnnxAttribute => ({ kind: 'float', value })
const flag = (value: boolean): OnnxAttribute => int(value ? 1 : 0)
const integers = (values: readonly number[]): Tensor =>
  tensor('i64', [values.length], BigInt64Array.from(values, BigInt))
const bound = (value: number): Tensor | undefined => (Number.isFinite(value) ? scalar(value) : undefined)

const plain = (): Written => ({})
const axisOnly = ({ axis }: { readonly axis: number }): Written => ({ attributes: { axis: int(axis) } })
const axesInput = ({ axes }: { readonly axes: readonly number[] }): Written => ({
  settings: [integers(axes)],
})

const exportTable: ExportTable = {
  Conv: ({ strides, dilations, pads, groups }) => ({
    attributes: { strides: ints(strides), dilations: ints(dilations), pads: ints(pads), group: int(groups) },
  }),
  Gemm: ({ alpha, beta, transA, transB }) => ({
    attributes: { alpha: float(alpha), beta: float(beta), transA: flag(transA), transB: flag(transB) },
  }),
  MatMul: plain,
  BatchNormalization: ({ epsilon, momentum }) => ({
    attributes: { epsilon: float(epsilon), momentum: float(momentum) },
  }),
  Relu: plain,
  Clip: ({ min, max }) => ({ settings: [bound(min), bound(max)] }),
  Sigmoid: plain,
  Tanh: plain,
  HardSigmoid: ({ alpha, beta }) => ({ attributes: { alpha: float(alpha), beta: float(beta) } }),
  HardSwish: plain,
  Add: plain,
  Sub: plain,
  Mul: plain,
  Div: plain,
  MaxPool: ({ kernel, strides, pads }) => ({
    attributes: { kernel_shape: ints(kernel), strides: ints(strides), pads: ints(pads) },
  }),
  AveragePool: ({ kernel, strides, pads, countIncludePad }) => ({
    attributes: {
      kernel_shape: ints(kernel),
      strides: ints(strides),
      pads: ints(pads),
      count_include_pad: flag(countIncludePad),
    },
  }),
  GlobalAveragePool: plain,
  ReduceMean: ({ axes, keepDims }) => ({ attributes: { axes: ints(axes), keepdims: flag(keepDims) } }),
  ReduceSum: ({ axes, keepDims }) => ({
    attributes: { keepdims: flag(keepDims) },
    settings: [integers(axes)],
  }),
  Flatten: axisOnly,
  Reshape: ({ shape }) => ({ settings: [integers(shape)] }),
  Transpose: ({ perm }) => ({ attributes: { perm: ints(perm) } }),
  Pad: ({ pads, value }) => ({ settings: [integers(pads), scalar(value)] }),
  Slice: ({ starts, ends, axes, steps }) => ({ settings: [starts, ends, axes, steps].map(integers) }),
  Concat: axisOnly,
  Squeeze: axesInput,
  Unsqueeze: axesInput,
  Softmax: axisOnly,
  LogSoftmax: axisOnly,
  Dropout: ({ ratio }) => ({ settings: [scalar(ratio)] }),
  Identity: plain,
}

/** A Constant node that defines `name`. */
export function constantNode(name: string, value: Tensor): OnnxNode {
  return {
    opType: 'Constant',
    domain: '',
    name,
    inputs: [],
    outputs: [name],
    attributes: { value: { kind: 'tensor', value } },
  }
}

/** The node, after the constants that hold its settings. */
export function exportNode(node: GraphNode): OnnxNode[] {
  if (!isInference(node)) {
    throw new SternaError(
      'graph/unknown-operator',
      `${node.op} "${node.name}": this operator exists in training graphs only, ONNX has no counterpart for it`,
    )
  }
  const write = exportTable[node.op] as (attributes: InferenceOperators[InferenceOperatorName]) => Written
  const { opType = node.op, attributes = {}, settings = [] } = write(node.attributes)
  const constants: OnnxNode[] = []
  const inputs = [...node.inputs]
  for (const [index, setting] of settings.entries()) {
    const name = setting === undefined ? '' : `${node.name}:setting${index}`
    if (setting !== undefined) constants.push(constantNode(name, setting))
    inputs.push(name)
  }
  const written = { opType, domain: '', name: node.name, inputs, outputs: node.outputs, attributes }
  return [...constants, written]
}

function isInference(node: GraphNode): node is Extract<GraphNode, { op: InferenceOperatorName }> {
  return Object.hasOwn(exportTable, node.op)
}
