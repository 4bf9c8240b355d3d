/** Makes nodes wait for others from which no data flows to them. */
import type { Tensor } from '../../core/index.ts'
import type { OnnxNode, OnnxValue } from '../../formats/onnx/index.ts'
import { int, type OnnxAttributes } from '../onnx-emitter.ts'
import type { NodeGraph, NodeId } from './node-graph.ts'

const float32 = 1
const integers = (name: string, value: bigint): [string, Tensor] => [
  name,
  { dtype: 'i64', shape: [1], data: BigInt64Array.of(value) },
]

/** int64 constants [1]. No lowering's names begin so. */
const zero = '~late/zero'
const minusOne = '~late/-1'

export class LateScalars {
  /** What the added nodes read. */
  readonly constants = new Map<string, Tensor>()
  readonly #nodes: NodeGraph
  /** Names of the graph's scalar inputs. */
  readonly #scalars: ReadonlySet<string>
  #count = 0

  constructor(nodes: NodeGraph, inputs: readonly OnnxValue[]) {
    this.#nodes = nodes
    const scalars = inputs.filter(({ dtype, shape }) => dtype === 'f32' && shape?.length === 0)
    this.#scalars = new Set(scalars.map(({ name }) => name))
  }

  /**
   * Has `writer` run after `readers`: it, or a node it needs, gets a scalar of the graph only when they have run.
   * False where a reader needs the writer, or no scalar is on the way to it.
   */
  hold(writer: NodeId, readers: readonly NodeId[]): boolean {
    const nodes = this.#nodes
    const before = nodes.upTo(readers)
    if (before.has(writer)) return false
    for (const held of nodes.upTo([writer])) {
      const scalar = nodes.node(held).inputs.find(input => this.#scalars.has(input))
      if (scalar === undefined || before.has(held)) continue
      nodes.replaceInput(held, scalar, this.#after(scalar, this.#last(readers)))
      return true
    }
    return false
  }

  /** Those that no other one waits for. */
  #last(readers: readonly NodeId[]): readonly NodeId[] {
    const earlier = new Set<NodeId>()
    for (const reader of readers)
      for (const before of this.#nodes.upTo([reader])) if (before !== reader) earlier.add(before)
    return readers.filter(reader => !earlier.has(reader))
  }

  /** The scalar, once the readers have run. */
  #after(scalar: string, readers: readonly NodeId[]): string {
    this.constants.set(...integers(zero, 0n)).set(...integers(minusOne, -1n))
    const nothings = readers.map(reader => {
      const result = this.#nodes.node(reader).outputs.find(output => output !== '')!
      const nothing = this.#add('Slice', [this.#add('Reshape', [result, minusOne]), zero, zero])
      return this.#add('Cast', [nothing], { to: int(float32) })
    })
    const joined = this.#add('Concat', [this.#add('Reshape', [scalar, minusOne]), ...nothings], {
      axis: int(0),
    })
    return this.#add('Squeeze', [joined, zero])
  }

  #add(opType: string, inputs: readonly string[], attributes: OnnxAttributes = {}): string {
    const name = `~late/${this.#count++}`
    const node: OnnxNode = { opType, domain: '', name, inputs, outputs: [name], attributes }
    this.#nodes.add(node)
    return name
  }
}
