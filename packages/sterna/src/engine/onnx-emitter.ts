/** Collects ONNX nodes and constants; what no output needs is left out at the end. */
import type { DType, Shape, Tensor } from '../core/index.ts'
import type { OnnxAttribute, OnnxNode } from '../formats/onnx/index.ts'

export type OnnxAttributes = Readonly<Record<string, OnnxAttribute>>

export const int = (value: number): OnnxAttribute => ({ kind: 'int', value })
export const ints = (value: readonly number[]): OnnxAttribute => ({ kind: 'ints', value })
export const float = (value: number): OnnxAttribute => ({ kind: 'float', value })
export const string = (value: string): OnnxAttribute => ({ kind: 'string', value })

export class OnnxEmitter {
  readonly #nodes: OnnxNode[] = []
  readonly #initializers = new Map<string, Tensor>()
  readonly #shared = new Map<string, string>()
  readonly #produced = new Set<string>()
  #count = 0

  /** Appends a node and returns the name of its output; without `output` a fresh name. */
  emit(
    opType: string,
    inputs: readonly string[],
    attributes: OnnxAttributes = {},
    output = this.fresh(),
    domain = '',
  ): string {
    this.emitAll(opType, inputs, attributes, [output], domain)
    return output
  }

  emitAll(
    opType: string,
    inputs: readonly string[],
    attributes: OnnxAttributes,
    outputs: readonly string[],
    domain = '',
  ): void {
    for (const output of outputs) this.#produced.add(output)
    this.#nodes.push({
      opType,
      domain,
      name: outputs.find(name => name !== '') ?? opType,
      inputs,
      outputs,
      attributes,
    })
  }

  /** Whether a node defines this name. */
  produces(name: string): boolean {
    return this.#produced.has(name)
  }

  fresh(): string {
    return `~${this.#count++}`
  }

  /** A named constant. */
  define(name: string, value: Tensor): void {
    this.#initializers.set(name, value)
  }

  /** A float32 constant; equal small ones are shared. */
  floats(values: readonly number[] | Float32Array, shape: Shape = [values.length]): string {
    const data = Float32Array.from(values)
    return this.#constant('f32', shape, data, data.length <= 64 ? data.join() : undefined)
  }

  /** A float32 scalar, shape []. */
  scalar(value: number): string {
    return this.floats([value], [])
  }

  /** An int64 constant, 1-D unless a shape is given. */
  integers(values: readonly number[], shape: Shape = [values.length]): string {
    return this.#constant('i64', shape, BigInt64Array.from(values, BigInt), values.join())
  }

  reshape(input: string, shape: Shape, output?: string): string {
    return this.emit('Reshape', [input, this.integers(shape)], {}, output)
  }

  transpose(input: string, perm: readonly number[], output?: string): string {
    return this.emit('Transpose', [input], { perm: ints(perm) }, output)
  }

  /** The nodes and constants that `outputs` depend on. */
  finish(outputs: Iterable<string>): { nodes: OnnxNode[]; initializers: Map<string, Tensor> } {
    const needed = new Set(outputs)
    const nodes: OnnxNode[] = []
    for (const node of this.#nodes.toReversed()) {
      if (!node.outputs.some(output => needed.has(output))) continue
      for (const input of node.inputs) needed.add(input)
      nodes.push(node)
    }
    const initializers = new Map([...this.#initializers].filter(([name]) => needed.has(name)))
    return { nodes: nodes.reverse(), initializers }
  }

  #constant<D extends DType>(dtype: D, shape: Shape, data: Tensor<D>['data'], key?: string): string {
    const sharedKey = key === undefined ? undefined : `${dtype}[${shape}]${key}`
    const known = sharedKey === undefined ? undefined : this.#shared.get(sharedKey)
    if (known !== undefined) return known
    const name = this.fresh()
    this.#initializers.set(name, { dtype, shape, data })
    if (sharedKey !== undefined) this.#shared.set(sharedKey, name)
    return name
  }
}
