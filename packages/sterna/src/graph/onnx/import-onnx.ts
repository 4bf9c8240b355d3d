/**
 * OnnxModel -> Model. What ONNX leaves open is resolved here: operator-set differences, auto_pad, ceil_mode,
 * shapes computed by nodes, unknown sizes. Initializers that are computed with become parameters, constants
 * stay constants, everything is float32 and the batch size is 1.
 */
import { type Shape, SternaError, type Tensor } from '../../core/index.ts'
import type { OnnxModel, OnnxNode, OnnxValue } from '../../formats/onnx/index.ts'
import { GraphBuilder } from '../builder.ts'
import type { Model } from '../types.ts'
import { foldConstant } from './fold-constants.ts'
import { importRules } from './import-rules.ts'
import { type ImportState, isFloat, NodeImport, toF32 } from './node-import.ts'

export interface ImportOptions {
  /** Sizes of inputs that the file leaves open beyond the batch size. */
  readonly inputShapes?: Readonly<Record<string, Shape>>
}

/** @throws SternaError 'graph/…' that names the node which does not fit */
export function importOnnx(model: OnnxModel, options: ImportOptions = {}): Model {
  const { graph } = model
  expectSupported(graph.nodes)
  const b = new GraphBuilder(graph.name === '' ? 'model' : graph.name)
  const inputs = graph.inputs.filter(({ name }) => !graph.initializers.has(name))
  const batch = inputs[0]?.shape?.[0]
  const state: ImportState = {
    b,
    values: new Map(),
    constants: new Map(graph.initializers),
    opset: model.opsets.find(({ domain }) => domain === '')?.version ?? 1,
    batchSize: typeof batch === 'number' ? batch : 1,
  }
  for (const input of inputs) {
    const shape = inputShape(input, givenShape(options, input.name))
    if (!isFloat(input.dtype)) {
      throw new SternaError('graph/shape', `input "${input.name}": expected float32, found ${input.dtype}`)
    }
    state.values.set(input.name, b.input(input.name, shape))
  }

  const parameters = new Map<string, Tensor>()
  const usedAsData = dataInputs(graph.nodes)
  for (const [name, value] of graph.initializers) {
    if (!usedAsData.has(name) || !isFloat(value.dtype)) continue
    parameters.set(name, toF32(value, name))
    state.values.set(name, b.parameter(name, value.shape))
  }

  const names = new Set<string>()
  const outputNames = new Set(graph.outputs.map(({ name }) => name))
  const biasOf = biasAdditions(graph.nodes, outputNames, parameters)
  const absorbed = new Set<OnnxNode>()
  for (const node of graph.nodes) {
    if (absorbed.has(node)) continue
    const n = new NodeImport(node, state, uniqueName(node, names))
    const addition = biasOf.get(node)
    const output = node.outputs[0]!
    if (node.opType === 'Identity' && parameters.has(node.inputs[0] ?? '') && !outputNames.has(output)) {
      // Exporters share a weight between layers in this way.
      state.values.set(output, n.data(0))
    } else if (addition !== undefined && n.data(0).shape.length === 2) {
      importLayer(n, addition)
      absorbed.add(addition)
    } else importNode(n)
  }

  const outputs = graph.outputs.map(({ name }) => {
    const value = state.values.get(name)
    if (value === undefined) throw new SternaError('graph/unknown-value', `output "${name}" is not computed`)
    return value
  })
  return { graph: b.build(outputs), parameters }
}

function importNode(n: NodeImport): void {
  const { node, state } = n
  const folded = foldConstant(n)
  if (folded !== undefined) {
    state.constants.set(node.outputs[0]!, folded)
    return
  }
  const rule = importRules[node.opType]
  if (rule === undefined) throw unknownOperator(node, n.name)
  rule.import(n)
}

/** MatMul and the addition of a bias as one fully connected layer. */
function importLayer(product: NodeImport, addition: OnnxNode): void {
  const { node, state, name } = product
  const bias = addition.inputs.find(input => input !== node.outputs[0])!
  const layer = new NodeImport(
    { ...node, inputs: [...node.inputs, bias], outputs: addition.outputs },
    state,
    name,
  )
  layer.define('Gemm', layer.allData(), { alpha: 1, beta: 1, transA: false, transB: false })
}

/** MatMul of a matrix parameter, followed by nothing but the addition of a vector parameter: a layer with bias. */
function biasAdditions(
  nodes: readonly OnnxNode[],
  outputs: ReadonlySet<string>,
  parameters: ReadonlyMap<string, Tensor>,
): ReadonlyMap<OnnxNode, OnnxNode> {
  const consumers = new Map<string, OnnxNode[]>()
  for (const node of nodes) {
    for (const input of new Set(node.inputs)) {
      const known = consumers.get(input)
      if (known === undefined) consumers.set(input, [node])
      else known.push(node)
    }
  }
  const pairs = new Map<OnnxNode, OnnxNode>()
  for (const node of nodes) {
    const product = node.outputs[0] ?? ''
    const weight = parameters.get(node.inputs[1] ?? '')
    const addition = consumers.get(product)?.[0]
    if (node.opType !== 'MatMul' || weight?.shape.length !== 2 || outputs.has(product)) continue
    if (addition?.opType !== 'Add' || consumers.get(product)!.length !== 1) continue
    const bias = parameters.get(addition.inputs.find(input => input !== product) ?? '')
    if (bias?.shape.length === 1 && bias.shape[0] === weight.shape[1]) pairs.set(node, addition)
  }
  return pairs
}

/** A missing output of its own, an operator of another domain or one without a rule: refused before any work. */
function expectSupported(nodes: readonly OnnxNode[]): void {
  for (const node of nodes) {
    const known = Object.hasOwn(importRules, node.opType) || foldedOnly.has(node.opType)
    if (node.domain !== '' || !known) throw unknownOperator(node, node.name)
    if ((node.outputs[0] ?? '') === '') {
      throw new SternaError('graph/unknown-value', `${node.opType} "${node.name}" has no output`)
    }
  }
}

/** Operators that exist in shape arithmetic only. */
const foldedOnly = new Set(['Constant', 'ConstantOfShape', 'Gather', 'Shape'])

function unknownOperator(node: OnnxNode, name: string): SternaError {
  const operator = node.domain === '' ? node.opType : `${node.domain}.${node.opType}`
  const detail = { operator, node: name }
  if (foldedOnly.has(node.opType) && node.domain === '') {
    return new SternaError(
      'graph/unknown-operator',
      `node "${name}": ${operator} of data that is not constant`,
      { detail },
    )
  }
  return new SternaError(
    'graph/unknown-operator',
    `node "${name}": the operator ${operator} is not supported`,
    {
      hint: `supported are ${Object.keys(importRules).sort().join(', ')}`,
      detail,
    },
  )
}

/** Names of everything that nodes compute with, rather than read as a setting. */
function dataInputs(nodes: readonly OnnxNode[]): Set<string> {
  const used = new Set<string>()
  for (const node of nodes) {
    const settings = importRules[node.opType]?.settings ?? []
    for (const [index, input] of node.inputs.entries()) if (!settings.includes(index)) used.add(input)
  }
  return used
}

function givenShape({ inputShapes = {} }: ImportOptions, name: string): Shape | undefined {
  return Object.hasOwn(inputShapes, name) ? inputShapes[name] : undefined
}

function inputShape({ name, shape }: OnnxValue, given: Shape | undefined): Shape {
  if (given !== undefined) return given
  if (shape === undefined) {
    throw new SternaError('graph/shape', `input "${name}": the file gives no shape`)
  }
  return shape.map((size, axis) => {
    if (axis === 0) return 1
    if (typeof size === 'number') return size
    throw new SternaError('graph/shape', `input "${name}": axis ${axis} ("${size}") has no size in the file`)
  })
}

function uniqueName(node: OnnxNode, taken: Set<string>): string {
  const stem = node.name === '' ? node.outputs[0]! : node.name
  let name = stem
  for (let count = 1; taken.has(name); count++) name = `${stem}_${count}`
  taken.add(name)
  return name
}
