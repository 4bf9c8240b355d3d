/** What an import rule sees of an ONNX node: its attributes, constant inputs and data, checked as they are read. */
import { type DType, expectF32, SternaError, type Tensor } from '../../core/index.ts'
import { f16ToF32 } from '../../formats/float16.ts'
import type { OnnxAttribute, OnnxNode } from '../../formats/onnx/index.ts'
import type { GraphBuilder } from '../builder.ts'
import type { OperatorName, Operators, Value } from '../types.ts'

/** Everything known so far while a model is imported, by ONNX name. */
export interface ImportState {
  readonly b: GraphBuilder
  /** Activations, parameters and constants that have become part of the graph. */
  readonly values: Map<string, Value>
  /** Initializers, Constant nodes and shape arithmetic. */
  readonly constants: Map<string, Tensor>
  /** Version of the standard operator set. */
  readonly opset: number
  /** Axis 0 of the first input in the file; the graph has batch size 1. */
  readonly batchSize: number
}

type AttributeValues = { readonly [A in OnnxAttribute as A['kind']]: A['value'] }

export class NodeImport {
  readonly node: OnnxNode
  readonly state: ImportState
  /** Unique in the graph. */
  readonly name: string
  readonly where: string
  #parts = 0

  constructor(node: OnnxNode, state: ImportState, name: string) {
    this.node = node
    this.state = state
    this.name = name
    this.where = `${node.opType} "${name}"`
  }

  get opset(): number {
    return this.state.opset
  }

  int(name: string, absent: number): number {
    return this.#attribute(name, 'int') ?? absent
  }

  float(name: string, absent: number): number {
    const value = this.#attribute(name, 'float')
    return value === undefined ? absent : shortest(value)
  }

  string(name: string, absent: string): string {
    return this.#attribute(name, 'string') ?? absent
  }

  ints(name: string): readonly number[] | undefined {
    return this.#attribute(name, 'ints')
  }

  tensor(name: string): Tensor | undefined {
    return this.#attribute(name, 'tensor')
  }

  /** Refuses an attribute that has another value than the one Sterna knows. */
  expectInt(name: string, only: number): void {
    const found = this.int(name, only)
    if (found !== only) this.fail(`${name} must be ${only}, found ${found}`)
  }

  hasInput(index: number): boolean {
    return (this.node.inputs[index] ?? '') !== ''
  }

  /** An input that is computed with. */
  data(index: number): Value {
    const name = this.node.inputs[index] ?? ''
    const { b, values, constants } = this.state
    const known = values.get(name)
    if (known !== undefined) return known
    const constant = constants.get(name)
    if (constant === undefined) return this.fail(`input ${index} "${name}" is not defined`)
    const value = b.constant(toF32(constant, name), name)
    values.set(name, value)
    return value
  }

  /** All inputs that are not left out. */
  allData(): Value[] {
    return this.node.inputs.flatMap((name, index) => (name === '' ? [] : [this.data(index)]))
  }

  /** An input that must be known now, because it decides shapes; undefined where it is left out. */
  constant(index: number): Tensor | undefined {
    if (!this.hasInput(index)) return undefined
    const name = this.node.inputs[index]!
    const constant = this.state.constants.get(name)
    if (constant === undefined) this.fail(`input ${index} "${name}" must be a constant`)
    return constant
  }

  constantInts(index: number): number[] | undefined {
    const constant = this.constant(index)
    return constant === undefined ? undefined : Array.from(constant.data, Number)
  }

  constantFloat(index: number): number | undefined {
    const constant = this.constant(index)
    if (constant === undefined) return undefined
    if (constant.data.length !== 1) this.fail(`input ${index} must be one number, found [${constant.shape}]`)
    return shortest(toF32(constant, this.where).data[0]!)
  }

  /** Integers that older operator sets hold in an attribute and newer ones in an input. */
  intsOrInput(name: string, index: number): readonly number[] | undefined {
    return this.ints(name) ?? this.constantInts(index)
  }

  /** Appends the operator that defines this node's first output. */
  define<Name extends OperatorName>(op: Name, inputs: readonly Value[], attributes: Operators[Name]): void {
    const outputName = this.node.outputs[0]!
    const [output] = this.state.b.append(op, inputs, attributes, this.name, [outputName])
    this.state.values.set(outputName, output!)
  }

  /** Appends an operator that leads up to it. */
  before<Name extends OperatorName>(op: Name, inputs: readonly Value[], attributes: Operators[Name]): Value {
    return this.state.b.append(op, inputs, attributes, `${this.name}/${this.#parts++}`)[0]!
  }

  fail(message: string): never {
    throw new SternaError('graph/attribute', `${this.where}: ${message}`)
  }

  #attribute<Kind extends keyof AttributeValues>(
    name: string,
    kind: Kind,
  ): AttributeValues[Kind] | undefined {
    if (!Object.hasOwn(this.node.attributes, name)) return undefined
    const attribute = this.node.attributes[name]!
    if (attribute.kind !== kind)
      return this.fail(`attribute ${name} must be ${kind}, found ${attribute.kind}`)
    return attribute.value as AttributeValues[Kind]
  }
}

const floatTypes: readonly DType[] = ['f32', 'f16', 'f64']

/** TensorProto.DataType of float32, float16 and float64. */
export const floatCodes: readonly number[] = [1, 10, 11]

export function isFloat(dtype: DType): boolean {
  return floatTypes.includes(dtype)
}

/** Graphs compute in float32. */
export function toF32(value: Tensor, name: string): Tensor<'f32'> {
  const { dtype, shape, data } = value
  if (dtype === 'f16') return { dtype: 'f32', shape, data: f16ToF32(data as Uint16Array) }
  if (dtype === 'f64') return { dtype: 'f32', shape, data: Float32Array.from(data as Float64Array) }
  return expectF32(value, name)
}

/** The number with the fewest digits that is the same float32: 0.9 instead of 0.8999999761581421. */
function shortest(value: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const candidate = Number(value.toPrecision(digits))
    if (Math.fround(candidate) === value) return candidate
  }
  return value
}
