/** Operators that move data. Shapes are static, so whatever only renames positions is one Reshape. */
import type { OperatorName } from '../../graph/index.ts'
import { int, type OnnxEmitter } from '../onnx-emitter.ts'
import type { EngineDevice } from '../types.ts'
import type { Rule, RuleTable } from './emission.ts'

/** WebGPU binds at most eight storage buffers in one shader. */
export function mostConcatInputs(device: EngineDevice): number {
  return device === 'webgpu' ? 7 : Number.POSITIVE_INFINITY
}

function reshaped<Name extends OperatorName>(): Rule<Name> {
  return ({ e, names: [x], outputs: [y], out }) => e.reshape(x!, y!.shape, out)
}

export function emitConcat(
  e: OnnxEmitter,
  names: readonly string[],
  axis: number,
  most: number,
  out?: string,
): string {
  if (names.length <= most) return e.emit('Concat', names, { axis: int(axis) }, out)
  const parts: string[] = []
  for (let i = 0; i < names.length; i += most) {
    const part = names.slice(i, i + most)
    parts.push(part.length === 1 ? part[0]! : e.emit('Concat', part, { axis: int(axis) }))
  }
  return emitConcat(e, parts, axis, most, out)
}

export function emitSlice(
  e: OnnxEmitter,
  x: string,
  axes: readonly number[],
  starts: readonly number[],
  ends: readonly number[],
  steps: readonly number[],
  out?: string,
): string {
  return e.emit(
    'Slice',
    [x, e.integers(starts), e.integers(ends), e.integers(axes), e.integers(steps)],
    {},
    out,
  )
}

/** Pads with `value`: begins of all axes, then ends. */
export function emitPad(e: OnnxEmitter, x: string, pads: readonly number[], value = 0, out?: string): string {
  if (pads.every(pad => pad === 0)) return out === undefined ? x : e.emit('Identity', [x], {}, out)
  return e.emit('Pad', [x, e.integers(pads), e.scalar(value)], {}, out)
}

export const layout = {
  Flatten: reshaped(),
  Reshape: reshaped(),
  Squeeze: reshaped(),
  Unsqueeze: reshaped(),
  Transpose: ({ e, names: [x], attributes: { perm }, out }) => e.transpose(x!, perm, out),
  Pad: ({ e, names: [x], attributes: { pads, value }, out }) => emitPad(e, x!, pads, value, out),
  Slice: ({ e, names: [x], attributes: { starts, ends, axes, steps }, out }) =>
    emitSlice(e, x!, axes, starts, ends, steps, out),
  Concat: ({ e, names, attributes: { axis }, device, out }) =>
    emitConcat(e, names, axis, mostConcatInputs(device), out),
  Expand: ({ e, names: [x], attributes: { shape }, out }) =>
    e.emit('Expand', [x!, e.integers(shape)], {}, out),
  SliceGradient: ({ e, names: [dy], inputs, attributes, out }) => {
    const { inputShape } = attributes
    const rank = inputShape.length
    const start = inputShape.map(() => 0)
    const step = inputShape.map(() => 1)
    attributes.axes.forEach((axis, index) => {
      const at = axis < 0 ? axis + rank : axis
      const size = inputShape[at]!
      const wanted = attributes.starts[index]!
      start[at] = Math.min(Math.max(wanted < 0 ? wanted + size : wanted, 0), size)
      step[at] = attributes.steps[index]!
    })
    // Zeros between the elements, axis by axis: [.., n, ..] -> [.., n, 1, ..] -> [.., n, step, ..] -> [.., n·step, ..]
    let spread = dy!
    const shape = [...inputs[0]!.shape]
    step.forEach((stride, axis) => {
      if (stride === 1) return
      const split = [...shape.slice(0, axis + 1), 1, ...shape.slice(axis + 1)]
      const pads = [...split.map(() => 0), ...split.map((_, i) => (i === axis + 1 ? stride - 1 : 0))]
      shape[axis]! *= stride
      spread = e.reshape(emitPad(e, e.reshape(spread, split), pads), shape)
    })
    // The last element's trailing zeros may reach past the end: a negative pad crops them.
    const ends = inputShape.map((size, axis) => size - start[axis]! - shape[axis]!)
    emitPad(e, spread, [...start, ...ends], 0, out)
  },
} satisfies Partial<RuleTable>
