/** The nodes of an ONNX graph and which waits for which; nodes may be added and made to wait for more. */
import type { OnnxNode } from '../../formats/onnx/index.ts'

/** A node's place in the graph it came from. */
export type NodeId = number

export class NodeGraph {
  readonly #nodes: OnnxNode[] = []
  readonly #producers = new Map<string, NodeId>()
  readonly #consumers = new Map<string, NodeId[]>()
  readonly #outputs: ReadonlySet<string>

  /** `outputs`: names of the graph's results. */
  constructor(nodes: readonly OnnxNode[], outputs: ReadonlySet<string>) {
    this.#outputs = outputs
    for (const node of nodes) this.add(node)
  }

  node(id: NodeId): OnnxNode {
    return this.#nodes[id]!
  }

  producer(value: string): NodeId | undefined {
    return this.#producers.get(value)
  }

  consumers(value: string): readonly NodeId[] {
    return this.#consumers.get(value) ?? []
  }

  add(node: OnnxNode): NodeId {
    const id = this.#nodes.push(node) - 1
    for (const output of node.outputs) this.#producers.set(output, id)
    for (const input of node.inputs) this.#consume(input, id)
    return id
  }

  replaceInput(id: NodeId, before: string, after: string): void {
    const node = this.#nodes[id]!
    this.#nodes[id] = { ...node, inputs: node.inputs.map(input => (input === before ? after : input)) }
    this.#consumers.set(
      before,
      this.consumers(before).filter(consumer => consumer !== id),
    )
    this.#consume(after, id)
  }

  /** These nodes and all that have run before them, the nearest first. */
  upTo(ids: Iterable<NodeId>): ReadonlySet<NodeId> {
    const found = new Set(ids)
    for (const id of found) for (const before of this.#awaited(id)) found.add(before)
    return found
  }

  /** This node and those before it whose results nothing else takes. */
  exclusiveUpTo(id: NodeId): ReadonlySet<NodeId> {
    const isExclusive = (value: string) => this.consumers(value).length === 1 && !this.#outputs.has(value)
    const found = new Set([id])
    for (const next of found)
      for (const before of this.#awaited(next))
        if (this.#nodes[before]!.outputs.every(isExclusive)) found.add(before)
    return found
  }

  /** Every node behind those it waits for, otherwise in the order in which they came. */
  sorted(): OnnxNode[] {
    const done = new Set<NodeId>()
    for (const first of this.#nodes.keys()) {
      const stack = [first]
      for (let id = stack.at(-1); id !== undefined; id = stack.at(-1)) {
        const missing = done.has(id) ? [] : this.#awaited(id).filter(before => !done.has(before))
        stack.push(...missing)
        if (missing.length > 0) continue
        done.add(id)
        stack.pop()
      }
    }
    return [...done].map(id => this.#nodes[id]!)
  }

  #awaited(id: NodeId): NodeId[] {
    return this.#nodes[id]!.inputs.flatMap(input => this.#producers.get(input) ?? [])
  }

  #consume(value: string, id: NodeId): void {
    const known = this.#consumers.get(value)
    if (known === undefined) this.#consumers.set(value, [id])
    else known.push(id)
  }
}
