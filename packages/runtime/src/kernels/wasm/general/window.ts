/** Sliding windows of any kind over feature maps, one output at a time, in doubles as in the reference kernels. */
import { f64 } from '../../../assembler/doubles.ts'
import {
  advance,
  branch,
  type Code,
  f32,
  get,
  i32,
  type Local,
  repeatWhile,
  select,
  set,
  when,
} from '../../../assembler/instructions.ts'
import { defineFunction, type Locals, type WasmFunction } from '../../../assembler/module.ts'
import type { WindowFold, WindowGeometry } from '../../../plan/general/kernel.ts'

export interface WindowSpec {
  readonly geometry: WindowGeometry
  readonly folds: WindowFold
  /** Planes under one window. */
  readonly depth: number
  readonly input: readonly [height: number, width: number]
  readonly output: readonly [height: number, width: number]
}

/**
 * Call with (output, end of output, input, how much further the input of the next plane of outputs begins, weights,
 * biases).
 */
export function emitWindow(name: string, spec: WindowSpec): WasmFunction {
  const { geometry, folds, depth } = spec
  const { kernel, strides, dilations, pads } = geometry
  const [height, width] = spec.input
  return defineFunction(name, new Array(6).fill('i32'), (parameters, local) => {
    const [output, end, input, inputStep, weights, bias] = parameters as Locals<6>
    const integer = (): Local => local('i32')
    const [top, left, y, x, at, plane, weight] = [
      integer(),
      integer(),
      integer(),
      integer(),
      integer(),
      integer(),
      integer(),
    ]
    const inside = integer()
    const [result, value] = [local('f64'), local('f64')]
    const times = (count: number, body: Code): Code => {
      const rest = integer()
      return [set(rest, i32.const(count)), repeatWhile(get(rest), [body, advance(rest, i32.const(-1))])]
    }
    const number = (address: Local): Code => f64.promote(f32.load(get(address)))
    const take = {
      max: [
        set(value, number(at)),
        set(result, select(get(value), get(result), f64.lessThan(get(result), get(value)))),
      ],
      mean: [set(result, f64.add(get(result), number(at))), advance(inside, i32.const(1))],
      dot: set(result, f64.add(get(result), f64.mul(number(at), number(weight)))),
    }[folds.fold]
    const start = { max: f64.const(-Infinity), mean: f64.const(0), dot: f64.const(0) }[folds.fold]
    const hasWeights = folds.fold === 'dot'
    const nextWeight = (count: number): Code => (hasWeights ? advance(weight, i32.const(4 * count)) : [])
    const row = [
      set(
        at,
        i32.add(
          get(plane),
          i32.shiftLeft(i32.add(i32.mul(get(y), i32.const(width)), get(left)), i32.const(2)),
        ),
      ),
      set(x, get(left)),
      times(kernel[1], [
        when(i32.lessThan(get(x), i32.const(width)), take),
        advance(x, i32.const(dilations[1])),
        advance(at, i32.const(4 * dilations[1])),
        nextWeight(1),
      ]),
    ]
    // Unsigned comparisons: what lies before the first row or column is a very large number.
    const one = [
      set(result, folds.fold === 'dot' && folds.hasBias ? number(bias) : start),
      set(inside, i32.const(0)),
      set(plane, get(input)),
      set(weight, get(weights)),
      times(depth, [
        set(y, get(top)),
        times(kernel[0], [
          branch(i32.lessThan(get(y), i32.const(height)), row, nextWeight(kernel[1])),
          advance(y, i32.const(dilations[0])),
        ]),
        advance(plane, i32.const(4 * height * width)),
      ]),
      folds.fold === 'mean'
        ? set(
            result,
            f64.div(
              get(result),
              folds.countsPads ? f64.const(kernel[0] * kernel[1]) : f64.fromInteger(get(inside)),
            ),
          )
        : [],
      f32.store(get(output), f64.demote(get(result))),
    ]
    return repeatWhile(i32.lessThan(get(output), get(end)), [
      set(top, i32.const(-pads[0])),
      times(spec.output[0], [
        set(left, i32.const(-pads[1])),
        times(spec.output[1], [one, advance(output, i32.const(4)), advance(left, i32.const(strides[1]))]),
        advance(top, i32.const(strides[0])),
      ]),
      advance(input, get(inputStep)),
      hasWeights ? [set(weights, get(weight)), advance(bias, i32.const(4))] : [],
    ])
  })
}
