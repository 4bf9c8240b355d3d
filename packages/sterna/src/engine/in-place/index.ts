/**
 * Lets large parameters be overwritten by their next values, so that a step holds them once and not twice.
 *
 * ONNX Runtime runs one node after the other, and takes no notice of a result that is given the memory of an input. So
 * this is safe if all that reads the old value has run before the node that writes the new one; that node itself may
 * read the old value if it works element by element. Where data does not flow from a reader to the writer the order is
 * made to: the reader's result, cut to no elements, is joined to a scalar that the writer waits for.
 */
import { type Shape, sizeOf } from '../../core/index.ts'
import type { OnnxValue } from '../../formats/onnx/index.ts'
import type { LoweredProgram, Lowering } from '../lowering.ts'
import { LateScalars } from './late-scalars.ts'
import { NodeGraph, type NodeId } from './node-graph.ts'

/** Smaller parameters are not worth additional nodes. */
const defaultLeastBytes = 0x4_0000
const bytesPerElement = 4

/** Nodes that read an element before they write the one in its place. */
const elementwise = new Set(['Add', 'Sub', 'Mul', 'Div', 'Relu', 'Clip'])

/** Nodes whose results are memory of their own. Any other may turn out to change nothing and pass on what it was given. */
const computing = new Set([
  'AveragePool',
  'Conv',
  'ConvTranspose',
  'FusedMatMul',
  'Gemm',
  'GlobalAveragePool',
  'MatMul',
  'MaxPool',
  'ReduceMax',
  'ReduceMean',
  'ReduceSum',
])

/** The same values by the same nodes, with the parameters of `leastBytes` and more overwritten where that is safe. */
export function withStateInPlace(lowering: Lowering, leastBytes = defaultLeastBytes): Lowering {
  return {
    name: lowering.name,
    lower: (program, device) => overwriteState(lowering.lower(program, device), leastBytes),
  }
}

function overwriteState(lowered: LoweredProgram, leastBytes: number): LoweredProgram {
  const { graph } = lowered.model
  const nodes = new NodeGraph(graph.nodes, new Set(graph.outputs.map(({ name }) => name)))
  const scalars = new LateScalars(nodes, graph.inputs)
  const inPlace = new Set<string>()
  for (const input of graph.inputs) {
    const next = nodes.producer(lowered.state.get(input.name) ?? '')
    if (next === undefined || sizeBytes(input) < leastBytes) continue
    if (isReadFirst(nodes, scalars, input.name, next)) inPlace.add(input.name)
  }
  const initializers = new Map([...graph.initializers, ...scalars.constants])
  const model = { ...lowered.model, graph: { ...graph, nodes: nodes.sorted(), initializers } }
  return { ...lowered, model, inPlace }
}

function sizeBytes({ shape = [] }: OnnxValue): number {
  return sizeOf(shape as Shape) * bytesPerElement
}

/**
 * Makes sure that nothing reads the parameter when its next value has been written; false where that cannot be. ONNX
 * Runtime merges nodes into those that compute what only they read: such a reader could become one with the writer.
 */
function isReadFirst(nodes: NodeGraph, scalars: LateScalars, parameter: string, writer: NodeId): boolean {
  const readers = readersOf(nodes, parameter, writer)
  if (readers.delete(writer) && !elementwise.has(nodes.node(writer).opType)) return false
  const isComputing = (id: NodeId) => computing.has(nodes.node(id).opType)
  if ([...nodes.exclusiveUpTo(writer)].some(id => readers.has(id) && isComputing(id))) return false
  const before = nodes.upTo([writer])
  const late = [...readers].filter(reader => !before.has(reader))
  return late.length === 0 || scalars.hold(writer, late)
}

/** All nodes that may read the parameter's memory. */
function readersOf(nodes: NodeGraph, parameter: string, writer: NodeId): Set<NodeId> {
  const views = new Set([parameter])
  const readers = new Set<NodeId>()
  for (const view of views) {
    for (const reader of nodes.consumers(view)) {
      readers.add(reader)
      const { opType, outputs } = nodes.node(reader)
      if (reader !== writer && !computing.has(opType)) for (const output of outputs) views.add(output)
    }
  }
  return readers
}
