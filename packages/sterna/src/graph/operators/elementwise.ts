/** Elementwise operators, one and two inputs. */
import { type Shape, sizeOf } from '../../core/index.ts'
import type { GraphBuilder } from '../builder.ts'
import type { OperatorName, Value } from '../types.ts'
import type { Derivation, OperatorEntry, OperatorTable } from './entry.ts'
import { broadcast, fail, sumTo } from './shapes.ts'

/** dx from (b, x, y, dy). */
type UnaryRule = (b: GraphBuilder, x: Value, y: Value, dy: Value) => Value

function unary<Name extends OperatorName>(rule?: UnaryRule): OperatorEntry<Name> {
  const entry = { minInputs: 1, maxInputs: 1, infer: ([x]: readonly Shape[]) => [x!] }
  if (rule === undefined) return entry
  return {
    ...entry,
    derive: ({ b, inputs, outputs, gradient }: Derivation<Name>) => [
      rule(b, inputs[0]!, outputs[0]!, gradient),
    ],
  }
}

/** Partial gradients before the broadcast is undone. */
type BinaryRule = (
  b: GraphBuilder,
  x: Value,
  y: Value,
  dz: Value,
  z: Value,
) => readonly [() => Value, () => Value]

function binary<Name extends OperatorName>(rule: BinaryRule): OperatorEntry<Name> {
  return {
    minInputs: 2,
    maxInputs: 2,
    infer: ([x, y], _, where) => [broadcast(x!, y!, where)],
    derive: ({ b, inputs, outputs, gradient, wanted }) => {
      const [x, y] = inputs as readonly [Value, Value]
      const partials = rule(b, x, y, gradient, outputs[0]!)
      return [x, y].map((input, index) =>
        wanted(index) ? sumTo(b, partials[index]!(), input.shape) : undefined,
      )
    },
  }
}

/** 1 strictly inside (low, high), else 0. */
function inside(b: GraphBuilder, x: Value, low: number, high: number): Value {
  const above = Number.isFinite(low) ? b.isPositive(b.sub(x, low)) : undefined
  const below = Number.isFinite(high) ? b.isPositive(b.sub(high, x)) : undefined
  if (above !== undefined && below !== undefined) return b.mul(above, below)
  return above ?? below ?? b.constant(1)
}

export const elementwise = {
  Identity: unary((_b, _x, _y, dy) => dy),
  // At inference the identity; training graphs replace it by a multiplication with a seeded mask.
  Dropout: unary((_b, _x, _y, dy) => dy),
  Relu: unary((b, _x, y, dy) => b.mul(dy, b.isPositive(y))),
  Clip: {
    minInputs: 1,
    maxInputs: 1,
    infer: ([x], { min, max }, where) => (min <= max ? [x!] : fail(where, `min ${min} is above max ${max}`)),
    derive: ({ b, inputs, attributes, gradient }) => [
      b.mul(gradient, inside(b, inputs[0]!, attributes.min, attributes.max)),
    ],
  },
  Sigmoid: unary((b, _x, y, dy) => b.mul(dy, b.mul(y, b.sub(1, y)))),
  Tanh: unary((b, _x, y, dy) => b.mul(dy, b.sub(1, b.mul(y, y)))),
  HardSigmoid: {
    ...unary<'HardSigmoid'>(),
    derive: ({ b, outputs, attributes, gradient }) => [
      b.mul(b.mul(gradient, attributes.alpha), inside(b, outputs[0]!, 0, 1)),
    ],
  },
  // y = x·clip(x/6 + 1/2, 0, 1); dy/dx = clip(…) + x/6 inside (−3, 3)
  HardSwish: unary((b, x, _y, dy) => {
    const gate = b.op('HardSigmoid', [x], { alpha: 1 / 6, beta: 0.5 })
    return b.mul(dy, b.add(gate, b.mul(b.mul(x, 1 / 6), inside(b, x, -3, 3))))
  }),
  Neg: unary((b, _x, _y, dy) => b.neg(dy)),
  Abs: unary((b, x, _y, dy) => b.mul(dy, b.sub(b.isPositive(x), b.isPositive(b.neg(x))))),
  Exp: unary((b, _x, y, dy) => b.mul(dy, y)),
  Log: unary((b, x, _y, dy) => b.div(dy, x)),
  Sqrt: unary((b, _x, y, dy) => b.div(b.mul(dy, 0.5), y)),
  Reciprocal: unary((b, _x, y, dy) => b.neg(b.mul(dy, b.mul(y, y)))),
  IsPositive: unary(),
  Round: unary((_b, _x, _y, dy) => dy),
  Add: binary((_b, _x, _y, dz) => [() => dz, () => dz]),
  Sub: binary((b, _x, _y, dz) => [() => dz, () => b.neg(dz)]),
  Mul: binary((b, x, y, dz) => [() => b.mul(dz, y), () => b.mul(dz, x)]),
  Div: binary((b, _x, y, dz, z) => [() => b.div(dz, y), () => b.neg(b.div(b.mul(dz, z), y))]),
  // Where both are equal the second input receives the gradient.
  Min: binary((b, x, y, dz) => {
    const first = () => b.isPositive(b.sub(y, x))
    return [() => b.mul(dz, first()), () => b.mul(dz, b.sub(1, first()))]
  }),
  Max: binary((b, x, y, dz) => {
    const first = () => b.isPositive(b.sub(x, y))
    return [() => b.mul(dz, first()), () => b.mul(dz, b.sub(1, first()))]
  }),
  Clamp: {
    minInputs: 3,
    maxInputs: 3,
    infer: ([x, low, high], _, where) => {
      if (sizeOf(low!) === 1 && sizeOf(high!) === 1) return [x!]
      return fail(where, `expected bounds of one element, found shapes [${low}] and [${high}]`)
    },
  },
} satisfies Partial<OperatorTable>
