/** The activations section: ranges by the number of their value. */
import type { PackedModel } from 'sterna-runtime'
import { activationProblem } from 'sterna-runtime/format'
import { SternaError } from '../core/index.ts'
import { ByteWriter } from './byte-writer.ts'

/** `tensors` are the names of the tensor table, in its order. Undefined for a model without ranges. */
export function writeActivations(model: PackedModel, tensors: readonly string[]): Uint8Array | undefined {
  const { activations } = model
  if (activations === undefined || activations.size === 0) return undefined
  const values = [
    ...model.inputs.map(input => input.name),
    ...tensors,
    ...model.nodes.map(node => node.outputs[0]!),
  ]
  const numbers = new Map(values.map((name, number) => [name, number]))
  const entries = [...activations].map(([name, range]) => {
    const number = numbers.get(name)
    if (number === undefined || model.tensors.has(name)) {
      throw new SternaError('graph/unknown-value', `range of "${name}": no input and no node has this value`)
    }
    const problem = activationProblem(range)
    if (problem !== undefined) throw new SternaError('usage/input', `range of "${name}": ${problem}`)
    return { number, range }
  })
  const out = new ByteWriter()
  out.varint(entries.length)
  for (const { number, range } of entries.sort((a, b) => a.number - b.number)) {
    out.varint(number)
    out.f32(range.scale)
    out.u8(range.zero)
    out.u8(range.max)
  }
  return out.finish()
}
