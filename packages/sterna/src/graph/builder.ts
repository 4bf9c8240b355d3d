/** Builds graphs: every call checks shapes at once, so an error names the node that does not fit. */
import { type DType, f32, type Shape, SternaError, scalar, type Tensor } from '../core/index.ts'
import { operatorTable } from './operators/index.ts'
import type { Graph, GraphNode, OperatorName, Operators, Value } from './types.ts'

export class GraphBuilder {
  readonly #name: string
  readonly #inputs: Value[] = []
  readonly #parameters: Value[] = []
  readonly #constants = new Map<string, Tensor>()
  readonly #nodes: GraphNode[] = []
  readonly #nodeNames = new Set<string>()
  readonly #values = new Map<string, Value>()
  readonly #scalars = new Map<number, Value>()
  readonly #used = new Map<string, number>()
  #prefix = ''

  constructor(name = 'graph') {
    this.#name = name
  }

  /** A tensor given at every run. */
  input(name: string, shape: Shape, dtype: DType = 'f32'): Value {
    const value = this.#define({ name, dtype, shape })
    this.#inputs.push(value)
    return value
  }

  /** A tensor that is learned or kept between runs. */
  parameter(name: string, shape: Shape, dtype: DType = 'f32'): Value {
    const value = this.#define({ name, dtype, shape })
    this.#parameters.push(value)
    return value
  }

  /** A constant; a plain number is a float32 scalar, and shared unless it is named. */
  constant(data: Tensor | number, name?: string): Value {
    const isShared = typeof data === 'number' && name === undefined
    const known = isShared ? this.#scalars.get(data) : undefined
    if (known !== undefined) return known
    const held = typeof data === 'number' ? scalar(data) : data
    const value = this.#define({
      name: name ?? this.#unique('constant'),
      dtype: held.dtype,
      shape: held.shape,
    })
    this.#constants.set(value.name, held)
    if (isShared) this.#scalars.set(data, value)
    return value
  }

  zeros(shape: Shape): Value {
    return this.constant(f32(shape))
  }

  /** Applies an operator with one output. */
  op<Name extends OperatorName>(
    op: Name,
    inputs: readonly Value[],
    attributes: Operators[Name],
    name?: string,
  ): Value {
    return this.opAll(op, inputs, attributes, name)[0]!
  }

  /** Applies an operator and returns all its outputs. */
  opAll<Name extends OperatorName>(
    op: Name,
    inputs: readonly Value[],
    attributes: Operators[Name],
    name?: string,
  ): readonly Value[] {
    return this.append(op, inputs, attributes, name ?? this.#unique(op))
  }

  /** Like `opAll`, for passes that must keep a node's name and the names of its outputs. */
  append<Name extends OperatorName>(
    op: Name,
    inputs: readonly Value[],
    attributes: Operators[Name],
    name: string,
    outputNames?: readonly string[],
  ): readonly Value[] {
    const entry = operatorTable[op]
    const where = `${op} "${name}"`
    for (const input of inputs) this.#expectKnown(input.name, where)
    if (this.#nodeNames.has(name)) throw this.#twice('node', name)
    if (inputs.length < entry.minInputs || inputs.length > entry.maxInputs) {
      const expected =
        entry.minInputs === entry.maxInputs
          ? `${entry.minInputs}`
          : `${entry.minInputs} to ${entry.maxInputs}`
      throw new SternaError('graph/shape', `${where}: expected ${expected} inputs, found ${inputs.length}`)
    }
    const shapes = entry.infer(
      inputs.map(input => input.shape),
      attributes,
      where,
    )
    const outputs = shapes.map((shape, index) =>
      this.#define({
        name: outputNames?.[index] ?? (index === 0 ? `${name}:out` : `${name}:out${index}`),
        dtype: inputs[0]?.dtype ?? 'f32',
        shape,
      }),
    )
    this.#nodeNames.add(name)
    this.#nodes.push({
      op,
      name,
      inputs: inputs.map(input => input.name),
      outputs: outputs.map(output => output.name),
      attributes,
    } as GraphNode)
    return outputs
  }

  /** Runs `build` with all generated names under `prefix/`. */
  scope<Result>(prefix: string, build: () => Result): Result {
    const outer = this.#prefix
    this.#prefix = `${outer}${prefix}/`
    try {
      return build()
    } finally {
      this.#prefix = outer
    }
  }

  value(name: string): Value {
    return this.#expectKnown(name, 'graph')
  }

  has(name: string): boolean {
    return this.#values.has(name)
  }

  get nodes(): readonly GraphNode[] {
    return this.#nodes
  }

  /** The finished graph. */
  build(outputs: readonly Value[]): Graph {
    return {
      name: this.#name,
      inputs: [...this.#inputs],
      parameters: [...this.#parameters],
      constants: new Map(this.#constants),
      nodes: [...this.#nodes],
      outputs: outputs.map(output => this.#expectKnown(output.name, 'graph outputs').name),
      values: new Map(this.#values),
    }
  }

  // Shorthands for the operators that formulas are written in; a number stands for a scalar constant.
  add = (a: Value, b: Value | number): Value => this.op('Add', [a, this.#operand(b)], {})
  sub = (a: Value | number, b: Value | number): Value =>
    this.op('Sub', [this.#operand(a), this.#operand(b)], {})
  mul = (a: Value, b: Value | number): Value => this.op('Mul', [a, this.#operand(b)], {})
  div = (a: Value | number, b: Value | number): Value =>
    this.op('Div', [this.#operand(a), this.#operand(b)], {})
  min = (a: Value, b: Value | number): Value => this.op('Min', [a, this.#operand(b)], {})
  max = (a: Value, b: Value | number): Value => this.op('Max', [a, this.#operand(b)], {})
  clamp = (a: Value, low: Value | number, high: Value | number): Value =>
    this.op('Clamp', [a, this.#operand(low), this.#operand(high)], {})
  neg = (a: Value): Value => this.op('Neg', [a], {})
  abs = (a: Value): Value => this.op('Abs', [a], {})
  exp = (a: Value): Value => this.op('Exp', [a], {})
  log = (a: Value): Value => this.op('Log', [a], {})
  sqrt = (a: Value): Value => this.op('Sqrt', [a], {})
  reciprocal = (a: Value): Value => this.op('Reciprocal', [a], {})
  relu = (a: Value): Value => this.op('Relu', [a], {})
  round = (a: Value): Value => this.op('Round', [a], {})
  isPositive = (a: Value): Value => this.op('IsPositive', [a], {})
  reshape = (a: Value, shape: Shape): Value => this.op('Reshape', [a], { shape })
  expand = (a: Value, shape: Shape): Value => this.op('Expand', [a], { shape })
  transpose = (a: Value, perm: readonly number[]): Value => this.op('Transpose', [a], { perm })
  matMul = (a: Value, b: Value): Value => this.op('MatMul', [a, b], {})
  /** Sums over `axes` (default: all), dropping them. */
  sum = (a: Value, axes?: readonly number[], keepDims = false): Value =>
    this.op('ReduceSum', [a], { axes: axes ?? a.shape.map((_, axis) => axis), keepDims })
  mean = (a: Value, axes?: readonly number[], keepDims = false): Value =>
    this.op('ReduceMean', [a], { axes: axes ?? a.shape.map((_, axis) => axis), keepDims })
  reduceMin = (a: Value, axes?: readonly number[], keepDims = false): Value =>
    this.op('ReduceMin', [a], { axes: axes ?? a.shape.map((_, axis) => axis), keepDims })
  reduceMax = (a: Value, axes?: readonly number[], keepDims = false): Value =>
    this.op('ReduceMax', [a], { axes: axes ?? a.shape.map((_, axis) => axis), keepDims })

  #operand(value: Value | number): Value {
    return typeof value === 'number' ? this.constant(value) : value
  }

  #unique(stem: string): string {
    const base = this.#prefix + stem
    let count = this.#used.get(base) ?? 0
    let name = `${base}_${count}`
    const isTaken = () =>
      this.#values.has(name) || this.#values.has(`${name}:out`) || this.#nodeNames.has(name)
    while (isTaken()) name = `${base}_${++count}`
    this.#used.set(base, count + 1)
    return name
  }

  #define(value: Value): Value {
    if (this.#values.has(value.name)) throw this.#twice('value', value.name)
    if (!value.shape.every(size => Number.isInteger(size) && size >= 0)) {
      throw new SternaError(
        'graph/shape',
        `value "${value.name}": every size must be a whole number ≥ 0, found [${value.shape}]`,
      )
    }
    this.#values.set(value.name, value)
    return value
  }

  #twice(what: string, name: string): SternaError {
    return new SternaError('graph/unknown-value', `graph "${this.#name}": two ${what}s are named "${name}"`)
  }

  #expectKnown(name: string, where: string): Value {
    const value = this.#values.get(name)
    if (value === undefined) {
      throw new SternaError('graph/unknown-value', `${where}: no value is named "${name}"`)
    }
    return value
  }
}
