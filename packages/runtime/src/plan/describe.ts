/** What a model will do and what it costs, layer by layer, in plain data. */
import type { PackedTensor } from '../file/types.ts'
import { countNonZeros, type KernelName } from './choose.ts'
import { type Arithmetic, countArithmetic } from './count.ts'
import type { KernelSet, MemoryUse, Plan } from './plan.ts'
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
  readonly layers: readonly LayerDescription[]
  readonly memory: MemoryUse
}

const linearOperators: ReadonlySet<string> = new Set(['Conv', 'Gemm', 'MatMul'])

export function describePlan(plan: Plan): ModelDescription {
  const { model, shapes } = plan
  const layers = plan.steps.map(({ step, kernel, reason }): LayerDescription => {
    const nodes = step.kind === 'linear' ? step.nodes : [step.node]
    const weight = linearOperators.has(step.node.op) ? model.tensors.get(step.node.inputs[1]!) : undefined
    return {
      name: step.node.name,
      op: nodes.map(node => node.op).join(' + '),
      inputShape: shapes.get(step.node.inputs[0]!)!,
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
  return {
    name: model.name,
    kernels: plan.kernels.name,
    reason: plan.kernels.reason,
    layers,
    memory: plan.memory,
    additions: sum('additions'),
    multiplications: sum('multiplications'),
  }
}

function countZeros(weight: PackedTensor): number {
  if (weight.kind === 'ternary') return weight.assignment.length - countNonZeros(weight)
  return weight.data.reduce((count, value) => count + (value === 0 ? 1 : 0), 0)
}
