/** The end of every lowering: names the outputs and puts the emitted nodes into an ONNX model. */
import { SternaError } from '../core/index.ts'
import type { OnnxValue } from '../formats/onnx/index.ts'
import type { Graph, Value } from '../graph/index.ts'
import type { LoweredProgram } from './lowering.ts'
import type { MemoryOrder } from './memory-order.ts'
import type { OnnxEmitter } from './onnx-emitter.ts'
import type { Program } from './types.ts'

/** The newest operator set that all of ONNX Runtime 1.30's providers know. */
const opsetVersion = 21
const irVersion = 10

interface FinishOptions {
  /** Operator sets beside ONNX's own, version 1 each. */
  readonly domains?: readonly string[]
  /** How the parameters and their next values lie in memory, where it is not row-major. */
  readonly orders?: ReadonlyMap<string, MemoryOrder>
  /** The ONNX name of a graph output. */
  readonly outputName: (name: string) => string
  /** The ONNX name of a parameter's next value, in the parameter's memory order. */
  readonly stateName: (parameter: string, output: string) => string
}

export function finishModel(e: OnnxEmitter, program: Program, options: FinishOptions): LoweredProgram {
  const { graph } = program
  const claimed = new Map<string, Value>()
  // Every ONNX output needs a name of its own that a node defines.
  const claim = (name: string, onnxName: string): string => {
    const value = graphValue(graph, name, 'graph outputs')
    const own = e.produces(onnxName) && !claimed.has(onnxName) ? onnxName : e.emit('Identity', [onnxName])
    claimed.set(own, value)
    return own
  }
  const state = new Map(
    [...program.state].map(([parameter, output]) => [
      parameter,
      claim(output, options.stateName(parameter, output)),
    ]),
  )
  const updates = new Set(program.state.values())
  const outputs = new Map<string, string>()
  for (const output of graph.outputs) {
    if (!updates.has(output) && !outputs.has(output))
      outputs.set(output, claim(output, options.outputName(output)))
  }
  const { nodes, initializers } = e.finish(claimed.keys())
  const model = {
    irVersion,
    producer: 'sterna',
    opsets: [
      { domain: '', version: opsetVersion },
      ...(options.domains ?? []).map(domain => ({ domain, version: 1 })),
    ],
    graph: {
      name: graph.name,
      nodes,
      initializers,
      inputs: [...graph.inputs, ...graph.parameters].map(onnxValue),
      outputs: [...claimed].map(([name, value]) => onnxValue({ ...value, name })),
    },
  }
  return { model, outputs, state, orders: options.orders ?? new Map() }
}

export function graphValue(graph: Graph, name: string, where: string): Value {
  const value = graph.values.get(name)
  if (value === undefined) {
    throw new SternaError(
      'graph/unknown-value',
      `graph "${graph.name}", ${where}: no value is named "${name}"`,
    )
  }
  return value
}

function onnxValue({ name, dtype, shape }: Value): OnnxValue {
  return { name, dtype, shape }
}
