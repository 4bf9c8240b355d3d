/**
 * How each operator lies in a `.sterna` file: its id, how many inputs it has and its attributes in wire
 * order. Reader and writer both follow this table, and `docs/format.md` prints it. Ids are never reused.
 */
import type { InferenceOperatorName, InferenceOperators } from '../operators.ts'

/**
 * count: varint ≥ 1 · integer: signed varint · number: binary32, not NaN · flag: one byte, 0 or 1 ·
 * counts2: two counts · sizes4: four varints · integers: varint length, then signed varints.
 */
export type FieldCoding = 'count' | 'integer' | 'number' | 'flag' | 'counts2' | 'sizes4' | 'integers'

type CodingOf<Value> = Value extends boolean
  ? 'flag'
  : Value extends number
    ? 'count' | 'integer' | 'number'
    : Value extends readonly [number, number]
      ? 'counts2'
      : Value extends readonly [number, number, number, number]
        ? 'sizes4'
        : 'integers'

export interface OperatorSchema<Name extends InferenceOperatorName> {
  /** 1 to 127. */
  readonly id: number
  readonly minInputs: number
  readonly maxInputs: number
  /** In wire order. */
  readonly attributes: {
    readonly [Key in keyof InferenceOperators[Name]]: CodingOf<InferenceOperators[Name][Key]>
  }
  /** What a tensor read at each input position is called, for names: `conv1.weight`. */
  readonly roles?: readonly string[]
}

const layer = ['input', 'weight', 'bias'] as const
const pool = { kernel: 'counts2', strides: 'counts2', pads: 'sizes4' } as const
const reduce = { axes: 'integers', keepDims: 'flag' } as const
const unary = { minInputs: 1, maxInputs: 1 } as const
const binary = { minInputs: 2, maxInputs: 2 } as const

export const operatorSchemas: { readonly [Name in InferenceOperatorName]: OperatorSchema<Name> } = {
  Conv: {
    id: 1,
    minInputs: 2,
    maxInputs: 3,
    attributes: { strides: 'counts2', dilations: 'counts2', pads: 'sizes4', groups: 'count' },
    roles: layer,
  },
  Gemm: {
    id: 2,
    minInputs: 2,
    maxInputs: 3,
    attributes: { alpha: 'number', beta: 'number', transA: 'flag', transB: 'flag' },
    roles: layer,
  },
  MatMul: { id: 3, ...binary, attributes: {}, roles: layer },
  BatchNormalization: {
    id: 4,
    minInputs: 5,
    maxInputs: 5,
    attributes: { epsilon: 'number', momentum: 'number' },
    roles: ['input', 'scale', 'bias', 'mean', 'variance'],
  },
  Relu: { id: 5, ...unary, attributes: {} },
  Clip: { id: 6, ...unary, attributes: { min: 'number', max: 'number' } },
  Sigmoid: { id: 7, ...unary, attributes: {} },
  Tanh: { id: 8, ...unary, attributes: {} },
  HardSigmoid: { id: 9, ...unary, attributes: { alpha: 'number', beta: 'number' } },
  HardSwish: { id: 10, ...unary, attributes: {} },
  Add: { id: 11, ...binary, attributes: {} },
  Sub: { id: 12, ...binary, attributes: {} },
  Mul: { id: 13, ...binary, attributes: {} },
  Div: { id: 14, ...binary, attributes: {} },
  MaxPool: { id: 15, ...unary, attributes: pool },
  AveragePool: { id: 16, ...unary, attributes: { ...pool, countIncludePad: 'flag' } },
  GlobalAveragePool: { id: 17, ...unary, attributes: {} },
  ReduceMean: { id: 18, ...unary, attributes: reduce },
  ReduceSum: { id: 19, ...unary, attributes: reduce },
  Flatten: { id: 20, ...unary, attributes: { axis: 'integer' } },
  Reshape: { id: 21, ...unary, attributes: { shape: 'integers' } },
  Transpose: { id: 22, ...unary, attributes: { perm: 'integers' } },
  Pad: { id: 23, ...unary, attributes: { pads: 'integers', value: 'number' } },
  Slice: {
    id: 24,
    ...unary,
    attributes: { starts: 'integers', ends: 'integers', axes: 'integers', steps: 'integers' },
  },
  Concat: { id: 25, minInputs: 1, maxInputs: 255, attributes: { axis: 'integer' } },
  Squeeze: { id: 26, ...unary, attributes: { axes: 'integers' } },
  Unsqueeze: { id: 27, ...unary, attributes: { axes: 'integers' } },
  Softmax: { id: 28, ...unary, attributes: { axis: 'integer' } },
  LogSoftmax: { id: 29, ...unary, attributes: { axis: 'integer' } },
  Dropout: { id: 30, ...unary, attributes: { ratio: 'number' } },
  Identity: { id: 31, ...unary, attributes: {} },
}

const namesById = new Map(
  (Object.keys(operatorSchemas) as InferenceOperatorName[]).map(name => [operatorSchemas[name].id, name]),
)

/** The operator with this id, or undefined. */
export function operatorById(id: number): InferenceOperatorName | undefined {
  return namesById.get(id)
}
