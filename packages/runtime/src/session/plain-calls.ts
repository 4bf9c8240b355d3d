/**
 * Steps as calls of the reference kernels. Loaded only where a session has no SIMD kernels.
 */
import { type ByteValues, runByteStep, runNode, type View } from '../kernels/reference/index.ts'
import type { Plan, PlannedStep } from '../plan/plan.ts'
import { sizeOf } from '../plan/shape.ts'

/** @param numbers of a value or stored tensor */
export function createPlainCalls(
  plan: Plan,
  numbers: (name: string) => Float32Array,
): (planned: PlannedStep) => () => void {
  const shape = (name: string) => plan.shapes.get(name)!
  const view = (name: string): View => ({ shape: shape(name), data: numbers(name) })
  const bytes = new Map<string, Uint8Array>()
  const values: ByteValues = {
    shape,
    numbers,
    bytes(value) {
      const known = bytes.get(value) ?? new Uint8Array(sizeOf(shape(value)))
      bytes.set(value, known)
      return known
    },
  }
  return ({ step }) => {
    if (step.kind === 'bytes') return () => runByteStep(step, values)
    const { node, output } = step
    const [inputs, target] = [node.inputs.map(view), view(output)]
    return () => runNode(node, inputs, target)
  }
}
