/** What a model will do and what it costs, layer by layer, in plain data. */
import type { PackedModel, PackedTensor } from '../file/types.ts'
import { type Arithmetic, countArithmetic } from './count.ts'
import type { ByteStep } from './integer/byte-step.ts'
import type { KernelName } from './kernel.ts'
import type { ArithmeticChoice, KernelSet, MemoryUse, PlannedStep } from './plan.ts'
import { type Shape, sizeOf } from './shape.ts'

/** One step. */
export interface LayerDescription extends Arithmetic {
  /** The node's name; the first one's where several were fused. */
  readonly name: string
  /** The operator, with those fused into it: `Conv + Add + Relu`. */
  readonly op: string
  /** Of the first input. */
  readonly inputShape: Shape
  readonly outputShape: Shape
  readonly weightShape: Shape | undefined
  readonly kernel: KernelName
  /** Why this kernel. */
  readonly reason: string
  /** Number of weights, without biases; 0 where the layer has none. */
  readonly weights: number
  /** How many of them are zero. */
  readonly zeros: number
}

/** Additions and multiplications are those of one image, as `Arithmetic` counts them. */
export interface ModelDescription extends Arithmetic {
  readonly name: string
  /** What the kernels are made for: 128-bit WebAssembly SIMD, or plain JavaScript. */
  readonly kernels: KernelSet['name']
  /** Why those. */
  readonly reason: string
  /** Whether ternary layers work on bytes or on numbers. */
  readonly arithmetic: ArithmeticChoice['name']
  readonly arithmeticReason: string
  readonly layers: readonly LayerDescription[]
  readonly memory: MemoryUse
}

const linearOperators: ReadonlySet<string> = new Set(['Conv', 'Gemm', 'MatMul'])

/** The part of a description that goes through the steps. */
export function describeSteps(
  steps: readonly PlannedStep[],
  model: PackedModel,
  shapes: ReadonlyMap<string, Shape>,
): Pick<ModelDescription, 'layers' | keyof Arithmetic> {
  const layers = steps.map(({ step, kernel, reason }): LayerDescription => {
    const nodes = step.kind === 'node' ? [step.node] : step.nodes
    const weight = linearOperators.has(nodes[0]?.op ?? '')
      ? model.tensors.get(step.node.inputs[1]!)
      : undefined
    return {
      name: step.node.name,
      op: nodes.length === 0 ? conversionName(step as ByteStep) : nodes.map(node => node.op).join(' + '),
      inputShape: shapes.get(nodes.length === 0 ? step.output : step.node.inputs[0]!)!,
      outputShape: shapes.get(step.output)!,
      weightShape: weight?.shape,
      kernel: kernel.name,
      reason,
      weights: weight === undefined ? 0 : sizeOf(weight.shape),
      zeros: weight === undefined ? 0 : countZeros(weight),
      ...countArithmetic(step, kernel, shapes),
    }
  })
  const sum = (key: keyof Arithmetic) => layers.reduce((total, layer) => total + layer[key], 0)
  return { layers, additions: sum('additions'), multiplications: sum('multiplications') }
}

/** What a step that stands for no node does. */
function conversionName({ operation }: ByteStep): string {
  return operation.op === 'quantize' ? 'to bytes' : operation.op === 'dequantize' ? 'to numbers' : 'window'
}

function countZeros(weight: PackedTensor): number {
  if (weight.kind === 'ternary' && weight.lists !== undefined) {
    return sizeOf(weight.shape) - weight.lists.positions.length
  }
  const data = weight.kind === 'ternary' ? weight.assignment : weight.data
  let count = 0
  for (let i = 0; i < data.length; i++) if (data[i] === 0) count++
  return count
}
