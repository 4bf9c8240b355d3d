/** Elementwise operators. */
import type { OperatorName } from '../../graph/index.ts'
import { float, type OnnxEmitter } from '../onnx-emitter.ts'
import type { Rule, RuleTable } from './emission.ts'

/** Slope of the ramp that stands for a step; every positive normal float32 (≥ 1.2e-38) is lifted above 1. */
const steepest = 3e38

/** The operator of the same name. */
function same<Name extends OperatorName>(opType: Name): Rule<Name> {
  return ({ e, names, out }) => e.emit(opType, names, {}, out)
}

/** 1 where x > 0, else 0, as clip(3e38·x, 0, 1): several times faster on the CPU than Greater and Cast. */
function emitIsPositive(e: OnnxEmitter, x: string, out?: string): string {
  return e.emit('HardSigmoid', [x], { alpha: float(steepest), beta: float(0) }, out)
}

/** 1 where x ≥ 0, else 0. */
export function emitIsNotNegative(e: OnnxEmitter, x: string, out?: string): string {
  return e.emit('HardSigmoid', [x], { alpha: float(steepest), beta: float(1) }, out)
}

export const elementwise = {
  Identity: same('Identity'),
  Dropout: ({ e, names, out }) => e.emit('Identity', names, {}, out),
  Relu: same('Relu'),
  Sigmoid: same('Sigmoid'),
  Tanh: same('Tanh'),
  HardSwish: ({ e, names: [x], out }) => {
    const gate = e.emit('HardSigmoid', [x!], { alpha: float(1 / 6), beta: float(0.5) })
    e.emit('Mul', [x!, gate], {}, out)
  },
  HardSigmoid: ({ e, names, attributes: { alpha, beta }, out }) =>
    e.emit('HardSigmoid', names, { alpha: float(alpha), beta: float(beta) }, out),
  Clip: ({ e, names: [x], attributes: { min, max }, out }) => {
    const bound = (value: number) => (Number.isFinite(value) ? e.scalar(value) : '')
    e.emit('Clip', [x!, bound(min), bound(max)], {}, out)
  },
  Neg: same('Neg'),
  Abs: same('Abs'),
  Exp: same('Exp'),
  Log: same('Log'),
  Sqrt: same('Sqrt'),
  Reciprocal: same('Reciprocal'),
  IsPositive: ({ e, names: [x], out }) => emitIsPositive(e, x!, out),
  Round: same('Round'),
  Add: same('Add'),
  Sub: same('Sub'),
  Mul: same('Mul'),
  Div: same('Div'),
  Min: same('Min'),
  Max: same('Max'),
  // On the CPU one Clip is several times faster than Max and Min; on WebGPU its bounds would be read back.
  Clamp: ({ e, names: [x, low, high], device, out }) => {
    if (device === 'webgpu') e.emit('Min', [e.emit('Max', [x!, low!]), high!], {}, out)
    else e.emit('Clip', [x!, e.reshape(low!, []), e.reshape(high!, [])], {}, out)
  },
} satisfies Partial<RuleTable>
